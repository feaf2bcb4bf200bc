//! An audit policy: which requests are told of, and how much. The first rule that matches decides.
//! k8s: `apiserver/pkg/audit/policy`, `pkg/apis/audit/validation`

use crate::auth::Attributes;
use crate::config_file::ConfigFile;
use client::identity::Identity;
use kinds::errors::{FieldError, FieldErrors};
use kinds::validate::format;
use kinds::validate::path::Path;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) enum Level {
    None,
    Metadata,
    Request,
    RequestResponse,
}

impl Level {
    const NAMES: [&str; 4] = ["None", "Metadata", "Request", "RequestResponse"];

    fn parse(text: &str) -> Option<Self> {
        let all = [Self::None, Self::Metadata, Self::Request, Self::RequestResponse];
        Self::NAMES.iter().position(|name| *name == text).map(|at| all[at])
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Stage {
    RequestReceived,
    ResponseStarted,
    ResponseComplete,
    Panic,
}

impl Stage {
    const NAMES: [&str; 4] = ["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"];

    fn parse(text: &str) -> Option<Self> {
        let all = [Self::RequestReceived, Self::ResponseStarted, Self::ResponseComplete, Self::Panic];
        Self::NAMES.iter().position(|name| *name == text).map(|at| all[at])
    }
}

/// As the file has it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Policy {
    rules: Vec<PolicyRule>,
    omit_stages: Vec<String>,
    omit_managed_fields: bool,
}

impl ConfigFile for Policy {
    const KIND: &'static str = "Policy";
    const API_VERSIONS: &'static [&'static str] = &["audit.k8s.io/v1"];
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct PolicyRule {
    level: String,
    users: Vec<String>,
    user_groups: Vec<String>,
    verbs: Vec<String>,
    resources: Vec<GroupResources>,
    namespaces: Vec<String>,
    #[serde(rename = "nonResourceURLs")]
    non_resource_urls: Vec<String>,
    omit_stages: Vec<String>,
    omit_managed_fields: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct GroupResources {
    group: String,
    resources: Vec<String>,
    resource_names: Vec<String>,
}

/// What is told of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Telling {
    pub(crate) level: Level,
    pub(crate) omit_stages: Vec<Stage>,
    pub(crate) omit_managed_fields: bool,
}

/// A policy that was checked.
#[derive(Debug)]
pub(crate) struct Rules(Vec<(PolicyRule, Telling)>);

impl Rules {
    pub(crate) fn new(policy: Policy) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::new();
        let stages = stages(&policy.omit_stages, &Path::new("omitStages"), &mut errors);
        if policy.rules.is_empty() {
            errors.push(FieldError::required("rules", "a policy without rules tells nothing"));
        }
        let root = Path::new("rules");
        let mut rules = Vec::new();
        for (at, rule) in policy.rules.into_iter().enumerate() {
            let path = root.index(at);
            let level = check(&rule, &path, &mut errors);
            let mut omit_stages = stages.clone();
            omit_stages.extend(self::stages(&rule.omit_stages, &path.child("omitStages"), &mut errors));
            let omit_managed_fields = rule.omit_managed_fields.unwrap_or(policy.omit_managed_fields);
            rules.push((rule, Telling { level, omit_stages, omit_managed_fields }));
        }
        if errors.is_empty() { Ok(Self(rules)) } else { Err(errors) }
    }

    /// `None`: nothing.
    pub(crate) fn telling(&self, user: Option<&Identity>, asked: &Attributes<'_>) -> Option<&Telling> {
        let (_, telling) = self.0.iter().find(|(rule, _)| rule.matches(user, asked))?;
        (telling.level != Level::None).then_some(telling)
    }
}

fn check(rule: &PolicyRule, path: &Path<'_>, errors: &mut FieldErrors) -> Level {
    let at = path.child("level");
    let level = Level::parse(&rule.level);
    match (level, rule.level.as_str()) {
        (Some(_), _) => {}
        (None, "") => errors.push(FieldError::required(at, "")),
        (None, other) => errors.push(FieldError::not_supported(at, other, &Level::NAMES)),
    }
    let at = path.child("nonResourceURLs");
    for (place, url) in rule.non_resource_urls.iter().enumerate().filter(|(_, url)| url.as_str() != "*") {
        if !url.starts_with('/') {
            let why = "non-resource URL rules must begin with a '/' character";
            errors.push(FieldError::invalid(at.index(place), url, why));
        }
        if url.trim_end_matches('*').contains('*') || url.ends_with("**") {
            let why = "non-resource URL wildcards '*' must be the final character of the rule";
            errors.push(FieldError::invalid(at.index(place), url, why));
        }
    }
    for resources in &rule.resources {
        let (at, group) = (path.child("resources"), resources.group.as_str());
        let wrong = if group.is_empty() { Vec::new() } else { format::dns_subdomain(group) };
        if !wrong.is_empty() {
            errors.push(FieldError::invalid(at.child("group"), group, wrong.join(",")));
        }
        if !resources.resource_names.is_empty() && resources.resources.is_empty() {
            let why = "using resourceNames requires at least one resource";
            errors.push(FieldError::invalid(at.child("resourceNames"), &resources.resource_names, why));
        }
    }
    let is_of_resources = !rule.resources.is_empty() || !rule.namespaces.is_empty();
    if is_of_resources && !rule.non_resource_urls.is_empty() {
        let why = "rules cannot apply to both regular resources and non-resource URLs";
        errors.push(FieldError::invalid(at, &rule.non_resource_urls, why));
    }
    level.unwrap_or(Level::None)
}

fn stages(names: &[String], path: &Path<'_>, errors: &mut FieldErrors) -> Vec<Stage> {
    let mut all = Vec::new();
    for (at, name) in names.iter().enumerate() {
        if let Some(stage) = Stage::parse(name) {
            all.push(stage);
        } else {
            let why = format!("allowed stages are {}", Stage::NAMES.join(","));
            errors.push(FieldError::invalid(path.index(at), name, why));
        }
    }
    all
}

impl PolicyRule {
    fn matches(&self, user: Option<&Identity>, asked: &Attributes<'_>) -> bool {
        let has = |list: &[String], text: &str| list.iter().any(|known| known == text);
        let by_name = self.users.is_empty() || user.is_some_and(|user| has(&self.users, &user.user));
        let in_group = |user: &Identity| user.groups.iter().any(|group| has(&self.user_groups, group));
        let by_group = self.user_groups.is_empty() || user.is_some_and(in_group);
        let by_verb = self.verbs.is_empty() || has(&self.verbs, asked.verb);
        by_name && by_group && by_verb && self.matches_target(asked)
    }

    fn matches_target(&self, asked: &Attributes<'_>) -> bool {
        if !self.namespaces.is_empty() || !self.resources.is_empty() {
            let in_namespace =
                self.namespaces.is_empty() || self.namespaces.iter().any(|namespace| namespace == asked.namespace);
            let is_named = self.resources.is_empty() || self.resources.iter().any(|resources| resources.have(asked));
            return asked.path.is_none() && in_namespace && is_named;
        }
        if self.non_resource_urls.is_empty() {
            return true;
        }
        asked.path.is_some_and(|path| {
            self.non_resource_urls.iter().any(|pattern| match pattern.strip_suffix('*') {
                Some(prefix) => path.starts_with(prefix),
                None => path == pattern,
            })
        })
    }
}

impl GroupResources {
    fn have(&self, asked: &Attributes<'_>) -> bool {
        if self.group != asked.group {
            return false;
        }
        if self.resources.is_empty() {
            return true;
        }
        let is_named = self.resource_names.is_empty() || self.resource_names.iter().any(|name| name == asked.name);
        is_named
            && self.resources.iter().any(|pattern| match pattern.split_once('/') {
                None => pattern == "*" || (asked.subresource.is_empty() && pattern == asked.resource),
                Some(("*", subresource)) => !asked.subresource.is_empty() && subresource == asked.subresource,
                // k8s: `pods/*` is also pods themselves
                Some((resource, "*")) => resource == asked.resource,
                Some((resource, subresource)) => resource == asked.resource && subresource == asked.subresource,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn rules(policy: Value) -> Result<Rules, String> {
        let text = {
            let mut policy = policy;
            policy["apiVersion"] = json!("audit.k8s.io/v1");
            policy["kind"] = json!("Policy");
            policy.to_string()
        };
        let policy = crate::config_file::parse(std::path::Path::new("f"), &text).map_err(|error| error.to_string())?;
        Rules::new(policy).map_err(|errors| kinds::errors::aggregate(&errors))
    }

    fn level(rule: &Value, asked: &Attributes<'_>) -> Option<Level> {
        let mut rule = rule.clone();
        rule["level"] = json!("Metadata");
        let user = Identity::new("ann", ["people"]);
        rules(json!({"rules": [rule]})).unwrap().telling(Some(&user), asked).map(|telling| telling.level)
    }

    #[test]
    fn a_rule_is_about_what_all_its_fields_name() {
        let get = Attributes { verb: "get", resource: "pods", namespace: "shop", name: "web", ..Attributes::default() };
        let log = Attributes { subresource: "log", ..get };
        let path = Attributes { verb: "get", path: Some("/healthz/ping"), ..Attributes::default() };
        for (rule, [on_get, on_log, on_path]) in [
            (json!({}), [true, true, true]),
            (json!({"users": ["ann"]}), [true, true, true]),
            (json!({"users": ["bob"]}), [false, false, false]),
            (json!({"userGroups": ["people", "x"]}), [true, true, true]),
            (json!({"userGroups": ["x"]}), [false, false, false]),
            (json!({"verbs": ["get", "list"]}), [true, true, true]),
            (json!({"verbs": ["list"]}), [false, false, false]),
            (json!({"namespaces": ["shop"]}), [true, true, false]),
            (json!({"namespaces": [""]}), [false, false, false]),
            (json!({"resources": [{"group": ""}]}), [true, true, false]),
            (json!({"resources": [{"group": "apps"}]}), [false, false, false]),
            (json!({"resources": [{"resources": ["pods"]}]}), [true, false, false]),
            (json!({"resources": [{"resources": ["pods/log"]}]}), [false, true, false]),
            (json!({"resources": [{"resources": ["*/log"]}]}), [false, true, false]),
            (json!({"resources": [{"resources": ["pods/*"]}]}), [true, true, false]),
            (json!({"resources": [{"resources": ["*"]}]}), [true, true, false]),
            (json!({"resources": [{"resources": ["pods"], "resourceNames": ["web"]}]}), [true, false, false]),
            (json!({"resources": [{"resources": ["pods"], "resourceNames": ["db"]}]}), [false, false, false]),
            (json!({"nonResourceURLs": ["/healthz*"]}), [false, false, true]),
            (json!({"nonResourceURLs": ["/healthz"]}), [false, false, false]),
            (json!({"nonResourceURLs": ["*"]}), [false, false, true]),
        ] {
            let found = [&get, &log, &path].map(|asked| level(&rule, asked).is_some());
            assert_eq!(found, [on_get, on_log, on_path], "{rule}");
        }
    }

    #[test]
    fn the_first_rule_that_matches_decides_with_the_policy_s_own_omissions() {
        let policy = json!({"omitStages": ["RequestReceived"], "omitManagedFields": true, "rules": [
            {"level": "None", "users": ["quiet"]},
            {"level": "RequestResponse", "verbs": ["create"], "omitStages": ["Panic"], "omitManagedFields": false},
            {"level": "Metadata"},
        ]});
        let rules = rules(policy).unwrap();
        let create = Attributes { verb: "create", ..Attributes::default() };
        assert_eq!(rules.telling(Some(&Identity::new("quiet", [])), &create), None);
        let (level, omit_stages) = (Level::RequestResponse, vec![Stage::RequestReceived, Stage::Panic]);
        let wanted = Telling { level, omit_stages, omit_managed_fields: false };
        assert_eq!(rules.telling(None, &create), Some(&wanted));
        let rest = rules.telling(None, &Attributes::default()).unwrap();
        assert_eq!((rest.level, rest.omit_managed_fields), (Level::Metadata, true));
    }

    #[test]
    fn a_policy_that_cannot_be_meant_is_refused_by_its_field() {
        for (policy, told) in [
            (json!({"rules": [{}]}), "rules[0].level: Required value"),
            (
                json!({"rules": [{"level": "All"}]}),
                "rules[0].level: Unsupported value: \"All\": supported values: \"None\", \"Metadata\", \"Request\", \"RequestResponse\"",
            ),
            (json!({"rules": []}), "rules: Required value"),
            (
                json!({"rules": [{"level": "None", "nonResourceURLs": ["x"]}]}),
                "rules[0].nonResourceURLs[0]: Invalid value: \"x\": non-resource URL rules must begin with a '/' character",
            ),
            (
                json!({"rules": [{"level": "None", "nonResourceURLs": ["/a*b"]}]}),
                "wildcards '*' must be the final character of the rule",
            ),
            (
                json!({"rules": [{"level": "None", "nonResourceURLs": ["/a"], "namespaces": ["b"]}]}),
                "rules cannot apply to both regular resources and non-resource URLs",
            ),
            (
                json!({"rules": [{"level": "None", "resources": [{"resourceNames": ["a"]}]}]}),
                "rules[0].resources.resourceNames: Invalid value: [\"a\"]: using resourceNames requires at least one resource",
            ),
            (
                json!({"rules": [{"level": "None", "omitStages": ["End"]}]}),
                "rules[0].omitStages[0]: Invalid value: \"End\": allowed stages are",
            ),
            (json!({"rules": [{"level": "None", "verb": ["get"]}]}), "unknown field `verb`"),
        ] {
            let refused = rules(policy.clone()).map(|_| ()).unwrap_err();
            assert!(refused.contains(told), "{policy}: {refused}");
        }
    }
}
