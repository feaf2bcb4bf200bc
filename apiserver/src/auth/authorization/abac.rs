//! Policies of a file, a line each: who may do what to which resources or paths. What no line allows is left to others.
//! k8s: `pkg/auth/authorizer/abac` and `pkg/apis/abac`

use super::super::rbac::Rule;
use super::super::{Attributes, GROUP_AUTHENTICATED};
use crate::config_file::{self, ConfigFileError};
use client::identity::Identity;
use serde::Deserialize;
use std::path::Path;

const KIND: &str = "Policy";
const VERSION: &str = "abac.authorization.kubernetes.io/v1beta1";
const READS: [&str; 3] = ["get", "list", "watch"];
const ANY: &str = "*";

#[derive(Debug)]
pub(super) struct Abac {
    policies: Vec<Policy>,
}

/// What one line allows. Fields that are left out match nothing, `*` matches everything.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Policy {
    user: String,
    group: String,
    readonly: bool,
    api_group: String,
    resource: String,
    namespace: String,
    #[serde(rename = "nonResourcePath")]
    path: String,
}

/// A line, in the form that it says; without one, in the first one that there was.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
    spec: Option<Policy>,
    #[serde(flatten)]
    bare: Policy,
}

impl Abac {
    pub(super) fn read(path: &Path) -> Result<Self, ConfigFileError> {
        Self::parse(path, &config_file::text(path)?)
    }

    /// `path` is for the messages. Empty lines and those that begin with `#` say nothing.
    fn parse(path: &Path, text: &str) -> Result<Self, ConfigFileError> {
        let mut policies = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |why| ConfigFileError::Line { path: path.to_owned(), line: at + 1, why };
            policies.push(policy(line).map_err(wrong)?);
        }
        Ok(Self { policies })
    }

    pub(super) fn allows(&self, identity: &Identity, attributes: &Attributes<'_>) -> bool {
        self.policies.iter().any(|policy| policy.is_about(identity) && policy.allows(attributes))
    }

    /// What an identity may do in a namespace.
    pub(super) fn rules_for<'a>(
        &'a self,
        identity: &'a Identity,
        namespace: &'a str,
    ) -> impl Iterator<Item = Rule> + 'a {
        let about = self.policies.iter().filter(|policy| policy.is_about(identity));
        about.flat_map(move |policy| {
            let inside = matches(&policy.namespace, namespace);
            let resources = (inside && !policy.resource.is_empty()).then(|| Rule {
                verbs: policy.verbs(),
                api_groups: vec![policy.api_group.clone()],
                resources: vec![policy.resource.clone()],
                ..Rule::default()
            });
            let paths = (!policy.path.is_empty()).then(|| Rule {
                verbs: policy.verbs(),
                paths: vec![policy.path.clone()],
                ..Rule::default()
            });
            resources.into_iter().chain(paths)
        })
    }
}

fn policy(line: &str) -> Result<Policy, String> {
    let Line { api_version, kind, spec, bare } = serde_json::from_str(line).map_err(|error| error.to_string())?;
    match (api_version.as_str(), kind.as_str()) {
        ("", "") => Ok(first_form(bare)),
        (VERSION, KIND) => Ok(anybody(spec.unwrap_or_default())),
        (version, kind) => Err(format!("{kind:?} of {version:?} is no {KIND} of {VERSION}")),
    }
}

/// k8s: conversion of v1beta1: everybody is everybody who is known
fn anybody(mut policy: Policy) -> Policy {
    if policy.user == ANY || policy.group == ANY {
        policy.user = String::new();
        GROUP_AUTHENTICATED.clone_into(&mut policy.group);
    }
    policy
}

/// A line without a version, where what is left out is everything. k8s: conversion of v0
fn first_form(mut policy: Policy) -> Policy {
    if policy.namespace.is_empty() && policy.resource.is_empty() {
        ANY.clone_into(&mut policy.path);
    }
    for field in [&mut policy.namespace, &mut policy.resource] {
        if field.is_empty() {
            ANY.clone_into(field);
        }
    }
    if policy.user.is_empty() && policy.group.is_empty() {
        ANY.clone_into(&mut policy.group);
    }
    ANY.clone_into(&mut policy.api_group);
    anybody(policy)
}

fn matches(said: &str, asked: &str) -> bool {
    said == ANY || said == asked
}

impl Policy {
    /// A policy that names a user and a group is about him in that group only; one that names nobody is about nobody.
    fn is_about(&self, identity: &Identity) -> bool {
        let (user, group) = (self.user.as_str(), self.group.as_str());
        let is_user = user.is_empty() || matches(user, &identity.user);
        let is_member = group.is_empty() || identity.groups.iter().any(|member| matches(group, member));
        !(user.is_empty() && group.is_empty()) && is_user && is_member
    }

    fn allows(&self, asked: &Attributes<'_>) -> bool {
        if self.readonly && !READS.contains(&asked.verb) {
            return false;
        }
        match asked.path {
            None => {
                matches(&self.namespace, asked.namespace)
                    && matches(&self.resource, asked.resource)
                    && matches(&self.api_group, asked.group)
            }
            Some(path) if self.path == path => true,
            Some(path) => self.path.strip_suffix(ANY).is_some_and(|start| path.starts_with(start)),
        }
    }

    fn verbs(&self) -> Vec<String> {
        let verbs: &[&str] = if self.readonly { &READS } else { &[ANY] };
        verbs.iter().map(|verb| (*verb).to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
# people
{"apiVersion":"abac.authorization.kubernetes.io/v1beta1","kind":"Policy","spec":{"user":"alice","namespace":"*","resource":"*","apiGroup":"*"}}
{"apiVersion":"abac.authorization.kubernetes.io/v1beta1","kind":"Policy","spec":{"user":"bob","namespace":"projects","resource":"pods","readonly":true}}
{"apiVersion":"abac.authorization.kubernetes.io/v1beta1","kind":"Policy","spec":{"group":"*","readonly":true,"nonResourcePath":"/docs/*"}}
{"apiVersion":"abac.authorization.kubernetes.io/v1beta1","kind":"Policy","spec":{"user":"carol","group":"ops","nonResourcePath":"*"}}
{"apiVersion":"abac.authorization.kubernetes.io/v1beta1","kind":"Policy","spec":{"namespace":"*","resource":"*","apiGroup":"*"}}
{"user":"dave","namespace":"old"}
{"readonly":true,"resource":"events"}
"#;

    fn file() -> Abac {
        Abac::parse(Path::new("policies"), FILE).unwrap()
    }

    /// `alice: get apps/deployments ns` or `alice: get /path`
    fn allows(asked: &str, groups: &[&str]) -> bool {
        let (user, what) = asked.split_once(": ").unwrap();
        let words: Vec<&str> = what.split(' ').collect();
        let identity = Identity::new(user, groups.iter().copied());
        let mut attributes = Attributes { verb: words[0], ..Attributes::default() };
        if words[1].starts_with('/') {
            attributes.path = Some(words[1]);
        } else {
            (attributes.group, attributes.resource) = words[1].split_once('/').unwrap_or(("", words[1]));
            attributes.namespace = words.get(2).copied().unwrap_or_default();
        }
        file().allows(&identity, &attributes)
    }

    #[test]
    fn a_line_allows_what_it_says_and_nothing_else() {
        for (asked, groups, expected) in [
            ("alice: delete apps/deployments any", &[][..], true),
            ("alice: get /metrics", &[], false),
            ("bob: list pods projects", &[], true),
            ("bob: create pods projects", &[], false),
            ("bob: list pods other", &[], false),
            ("bob: list apps/pods projects", &[], false),
            ("bob: get /docs/a", &[], false),
            ("bob: get /docs/a", &["system:authenticated"], true),
            ("bob: post /docs/a", &["system:authenticated"], false),
            ("bob: get /doc", &["system:authenticated"], false),
            ("carol: get /anything", &["ops"], true),
            ("carol: get /anything", &[], false),
            ("erin: get /anything", &["ops"], false),
            ("erin: list pods", &["system:authenticated"], false),
        ] {
            assert_eq!(allows(asked, groups), expected, "{asked} {groups:?}");
        }
    }

    #[test]
    fn in_the_first_form_what_is_left_out_is_everything() {
        for (asked, groups, expected) in [
            ("dave: create apps/deployments old", &[][..], true),
            ("dave: create apps/deployments new", &[], false),
            ("dave: get /metrics", &[], false),
            ("erin: list events any", &["system:authenticated"], true),
            ("erin: create events any", &["system:authenticated"], false),
            ("erin: list events any", &[], false),
        ] {
            assert_eq!(allows(asked, groups), expected, "{asked} {groups:?}");
        }
    }

    #[test]
    fn a_line_that_is_no_policy_is_named() {
        let refused = |text: &str| Abac::parse(Path::new("policies"), text).unwrap_err().to_string();
        assert!(refused("# one\n{\"user\":").starts_with("policies:2: "), "{}", refused("# one\n{\"user\":"));
        let other = r#"{"apiVersion":"abac.authorization.kubernetes.io/v2","kind":"Policy","spec":{}}"#;
        assert!(refused(other).contains("is no Policy of abac.authorization.kubernetes.io/v1beta1"));
    }

    #[test]
    fn what_may_be_done_can_be_listed() {
        let policies = file();
        let bob = Identity::new("bob", ["system:authenticated"]);
        let told: Vec<Rule> = policies.rules_for(&bob, "projects").collect();
        let shown = serde_json::to_value(&told).unwrap();
        assert_eq!(shown[0]["verbs"], serde_json::json!(["get", "list", "watch"]));
        assert_eq!((&shown[0]["resources"][0], &shown[1]["nonResourceURLs"][0]), (&"pods".into(), &"/docs/*".into()));
        assert_eq!(policies.rules_for(&bob, "other").count(), 2, "paths and events of all namespaces");
    }
}
