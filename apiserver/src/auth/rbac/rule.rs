//! One policy rule: what it allows, what it covers, how it is shown in an escalation message.

use crate::auth::Attributes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

const ALL: &str = "*";

/// `rbac.authorization.k8s.io/v1 PolicyRule`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rule {
    pub verbs: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub api_groups: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resource_names: Vec<String>,
    #[serde(rename = "nonResourceURLs", skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
}

/// Rules of a Role or ClusterRole. A malformed rule grants nothing (validation keeps them out of the store).
pub(super) fn rules_of(role: &Value) -> Vec<Rule> {
    let rules = role.get("rules").and_then(Value::as_array).into_iter().flatten();
    rules.filter_map(|rule| Rule::deserialize(rule).ok()).collect()
}

impl Rule {
    pub fn allows(&self, attributes: &Attributes<'_>) -> bool {
        if !has(&self.verbs, attributes.verb) {
            return false;
        }
        match attributes.path {
            Some(path) => self.paths.iter().any(|pattern| path_matches(pattern, path)),
            None => {
                has(&self.api_groups, attributes.group)
                    && self.allows_resource(attributes.resource, attributes.subresource)
                    && self.allows_name(attributes.selected_name())
            }
        }
    }

    fn allows_resource(&self, resource: &str, subresource: &str) -> bool {
        self.resources.iter().any(|pattern| match pattern.split_once('/') {
            None => pattern == ALL || (subresource.is_empty() && pattern == resource),
            // `*/scale`: the subresource of every resource.
            Some((parent, sub)) => {
                !subresource.is_empty() && sub == subresource && (parent == ALL || parent == resource)
            }
        })
    }

    fn allows_name(&self, name: &str) -> bool {
        self.resource_names.is_empty()
            || (!name.is_empty() && self.resource_names.iter().any(|allowed| allowed == name))
    }

    /// Rules with at most one verb, group, resource, name and path each.
    pub fn breakdown(&self) -> Vec<Self> {
        let mut parts = Vec::new();
        for verb in &self.verbs {
            for path in &self.paths {
                parts.push(Self { verbs: vec![verb.clone()], paths: vec![path.clone()], ..Self::default() });
            }
            for group in &self.api_groups {
                for resource in &self.resources {
                    let part = Self {
                        verbs: vec![verb.clone()],
                        api_groups: vec![group.clone()],
                        resources: vec![resource.clone()],
                        ..Self::default()
                    };
                    if self.resource_names.is_empty() {
                        parts.push(part);
                        continue;
                    }
                    let named = self
                        .resource_names
                        .iter()
                        .map(|name| Self { resource_names: vec![name.clone()], ..part.clone() });
                    parts.extend(named);
                }
            }
        }
        parts
    }

    /// Whether holding `self` includes all of `part`, a result of [`Self::breakdown`].
    pub fn covers(&self, part: &Self) -> bool {
        let all_of = |own: &[String], asked: &[String]| asked.iter().all(|item| has(own, item));
        all_of(&self.verbs, &part.verbs)
            && all_of(&self.api_groups, &part.api_groups)
            && part.resources.iter().all(|asked| self.covers_resource(asked))
            && self.covers_names(part)
            && part.paths.iter().all(|asked| self.paths.iter().any(|own| path_covers(own, asked)))
    }

    fn covers_resource(&self, asked: &str) -> bool {
        if has(&self.resources, asked) {
            return true;
        }
        asked
            .split_once('/')
            .is_some_and(|(_, sub)| self.resources.iter().any(|own| own.strip_prefix("*/") == Some(sub)))
    }

    fn covers_names(&self, part: &Self) -> bool {
        if self.resource_names.is_empty() {
            return true;
        }
        !part.resource_names.is_empty() && part.resource_names.iter().all(|name| self.resource_names.contains(name))
    }
}

impl std::fmt::Display for Rule {
    /// k8s: `rbac.CompactString`, `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let fields = [
            ("APIGroups", &self.api_groups),
            ("Resources", &self.resources),
            ("ResourceNames", &self.resource_names),
            ("NonResourceURLs", &self.paths),
            ("Verbs", &self.verbs),
        ];
        let shown: Vec<String> = fields
            .into_iter()
            .filter(|(_, values)| !values.is_empty())
            .map(|(name, values)| {
                let values: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
                format!("{name}:[{}]", values.join(" "))
            })
            .collect();
        write!(f, "{{{}}}", shown.join(", "))
    }
}

/// Merges the verbs of rules about the same resource, as messages show them. k8s: `validation.CompactRules`
pub(super) fn compact(rules: impl Iterator<Item = Rule>) -> Vec<Rule> {
    let mut merged: Vec<Rule> = Vec::new();
    for rule in rules {
        let same = |other: &&mut Rule| {
            rule.paths.is_empty()
                && other.api_groups == rule.api_groups
                && other.resources == rule.resources
                && other.resource_names == rule.resource_names
                && other.paths == rule.paths
        };
        match merged.iter_mut().find(same) {
            Some(other) => other
                .verbs
                .extend(rule.verbs.into_iter().filter(|verb| !other.verbs.contains(verb)).collect::<Vec<_>>()),
            None => merged.push(rule),
        }
    }
    merged
}

fn has(values: &[String], asked: &str) -> bool {
    values.iter().any(|value| value == ALL || value == asked)
}

fn path_matches(pattern: &str, path: &str) -> bool {
    pattern == ALL || pattern == path || pattern.strip_suffix('*').is_some_and(|prefix| path.starts_with(prefix))
}

fn path_covers(own: &str, asked: &str) -> bool {
    path_matches(own, asked)
}
