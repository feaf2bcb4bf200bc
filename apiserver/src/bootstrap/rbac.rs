//! The roles and bindings that every cluster has, as objects. k8s: `plugin/pkg/auth/authorizer/rbac/bootstrappolicy`.
//!
//! Pure data: [`roles`], [`cluster_roles`] and so on give the wanted objects; [`super::reconcile`] compares them with what is there.

mod components;
mod controllers;
mod users;

use crate::auth::rbac::Rule;
use serde_json::{Value, json};

pub(super) const ANNOTATION_AUTOUPDATE: &str = "rbac.authorization.kubernetes.io/autoupdate";
const LABEL_BOOTSTRAPPING: &str = "kubernetes.io/bootstrapping";
pub(super) const RBAC: &str = "rbac.authorization.k8s.io";
const SYSTEM_NAMESPACE: &str = "kube-system";

pub(super) const READ: &str = "get list watch";
const WRITE: &str = "create delete deletecollection patch update";
const ALL: &str = "*";

/// A rule from space-separated words; the group `core` is the empty one.
pub(super) fn rule(verbs: &str, groups: &str, resources: &str) -> Rule {
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let api_groups =
        groups.split_whitespace().map(|group| if group == "core" { "" } else { group }.to_owned()).collect();
    Rule { verbs: words(verbs), api_groups, resources: words(resources), ..Rule::default() }
}

/// The same for some names only.
pub(super) fn named(verbs: &str, groups: &str, resources: &str, names: &[&str]) -> Rule {
    Rule { resource_names: names.iter().map(|&name| name.to_owned()).collect(), ..rule(verbs, groups, resources) }
}

pub(super) fn paths(verbs: &str, paths: &str) -> Rule {
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    Rule { verbs: words(verbs), paths: words(paths), ..Rule::default() }
}

pub(super) fn events() -> Rule {
    rule("create patch update", "core events.k8s.io", "events")
}

/// Who a binding is for.
#[derive(Clone, Copy)]
pub(super) enum To {
    User(&'static str),
    Group(&'static str),
    /// Service accounts of `kube-system`.
    Accounts(&'static [&'static str]),
}

/// A cluster role with whom it is bound to by a binding of the same name.
pub(super) struct ClusterRole {
    pub name: String,
    pub rules: Vec<Rule>,
    pub labels: &'static [(&'static str, &'static str)],
    /// Label whose roles make up this one's rules.
    pub aggregates: &'static [&'static str],
    pub bound_to: Vec<To>,
}

impl ClusterRole {
    fn new(name: impl Into<String>, rules: Vec<Rule>) -> Self {
        Self { name: name.into(), rules, labels: &[], aggregates: &[], bound_to: Vec::new() }
    }

    fn to(mut self, to: To) -> Self {
        self.bound_to.push(to);
        self
    }
}

fn table() -> Vec<ClusterRole> {
    [users::cluster_roles(), components::cluster_roles(), controllers::cluster_roles()].into_iter().flatten().collect()
}

/// Rules of the role `system:node`, which the Node authorizer grants to every node.
pub fn node_rules() -> Vec<Rule> {
    components::node_rules()
}

fn labels(extra: &[(&str, &str)]) -> Value {
    let mut labels = json!({ LABEL_BOOTSTRAPPING: "rbac-defaults" });
    for (key, value) in extra {
        labels[*key] = json!(value);
    }
    labels
}

fn metadata(name: &str, namespace: Option<&str>, extra: &[(&str, &str)]) -> Value {
    let mut metadata = json!({
        "name": name, "labels": labels(extra), "annotations": { ANNOTATION_AUTOUPDATE: "true" },
    });
    if let Some(namespace) = namespace {
        metadata["namespace"] = json!(namespace);
    }
    metadata
}

fn subjects(bound_to: &[To]) -> Vec<Value> {
    let group = RBAC;
    bound_to
        .iter()
        .flat_map(|to| match to {
            To::User(name) => vec![json!({"kind": "User", "apiGroup": group, "name": name})],
            To::Group(name) => vec![json!({"kind": "Group", "apiGroup": group, "name": name})],
            To::Accounts(names) => names
                .iter()
                .map(|name| json!({"kind": "ServiceAccount", "name": name, "namespace": SYSTEM_NAMESPACE}))
                .collect(),
        })
        .collect()
}

fn object(kind: &str, metadata: &Value) -> Value {
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata})
}

/// Every cluster role. Aggregating ones carry the union of their parts, as the aggregation controller would compute it.
pub(super) fn cluster_roles() -> Vec<Value> {
    let table = table();
    let aggregated = |labels: &[&str]| -> Vec<Rule> {
        let parts = table.iter().filter(|role| role.labels.iter().any(|(key, _)| labels.contains(key)));
        parts.flat_map(|role| role.rules.iter().cloned()).collect()
    };
    let build = |role: &ClusterRole| {
        let mut built = object("ClusterRole", &metadata(&role.name, None, role.labels));
        if role.aggregates.is_empty() {
            built["rules"] = json!(role.rules);
        } else {
            let selectors = role.aggregates.iter().map(|label| json!({"matchLabels": {*label: "true"}}));
            built["aggregationRule"] = json!({"clusterRoleSelectors": selectors.collect::<Vec<_>>()});
            built["rules"] = json!(aggregated(role.aggregates));
        }
        built
    };
    table.iter().map(build).collect()
}

pub(super) fn cluster_role_bindings() -> Vec<Value> {
    let bound = |role: &ClusterRole| {
        let mut built = object("ClusterRoleBinding", &metadata(&role.name, None, &[]));
        built["roleRef"] = json!({"apiGroup": RBAC, "kind": "ClusterRole", "name": role.name});
        built["subjects"] = json!(subjects(&role.bound_to));
        built
    };
    table().iter().filter(|role| !role.bound_to.is_empty()).map(bound).chain(components::more_bindings()).collect()
}

/// A role of a system namespace, with its binding's subjects.
pub(super) struct NamespacedRole {
    pub namespace: &'static str,
    pub name: &'static str,
    pub rules: Vec<Rule>,
    pub bound_to: Vec<To>,
}

pub(super) fn roles() -> Vec<Value> {
    let build = |role: &NamespacedRole| {
        let mut built = object("Role", &metadata(role.name, Some(role.namespace), &[]));
        built["rules"] = json!(role.rules);
        built
    };
    components::roles().iter().map(build).collect()
}

pub(super) fn role_bindings() -> Vec<Value> {
    let build = |role: &NamespacedRole| {
        let mut built = object("RoleBinding", &metadata(role.name, Some(role.namespace), &[]));
        built["roleRef"] = json!({"apiGroup": RBAC, "kind": "Role", "name": role.name});
        built["subjects"] = json!(subjects(&role.bound_to));
        built
    };
    components::roles().iter().filter(|role| !role.bound_to.is_empty()).map(build).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_and_every_binding_has_its_role() {
        let names = |objects: &[Value]| -> Vec<String> {
            objects.iter().map(|o| format!("{}/{}", o["metadata"]["namespace"], o["metadata"]["name"])).collect()
        };
        for (roles, bindings) in [(cluster_roles(), cluster_role_bindings()), (roles(), role_bindings())] {
            let known: HashSet<String> = names(&roles).into_iter().collect();
            assert_eq!(known.len(), roles.len());
            let bound: HashSet<String> = names(&bindings).into_iter().collect();
            assert_eq!(bound.len(), bindings.len());
            for binding in &bindings {
                let role = format!("{}/{}", binding["metadata"]["namespace"], binding["roleRef"]["name"]);
                assert!(known.contains(&role), "{role}");
            }
        }
    }

    #[test]
    fn admin_is_the_union_of_what_aggregates_to_it() {
        let roles = cluster_roles();
        let rules = |name: &str| {
            roles.iter().find(|r| r["metadata"]["name"] == name).unwrap()["rules"].as_array().unwrap().clone()
        };
        let (admin, edit, view) = (rules("admin"), rules("edit"), rules("view"));
        assert!(view.iter().all(|rule| edit.contains(rule)));
        assert!(edit.iter().all(|rule| admin.contains(rule)));
        assert!(admin.len() > edit.len() && edit.len() > view.len());
    }
}
