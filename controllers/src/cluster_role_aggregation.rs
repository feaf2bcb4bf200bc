//! ClusterRoles that are the union of others: the rules of every role that one of their selectors picks.

use crate::write;
use client::action::{Action, Key, PatchKind};
use client::cache::{Caches, Tracked as _};
use client::controller::{Controller, Reconcile, Watches};
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule};
use kinds::selector::LabelSelector;
use serde_json::json;
use std::sync::Arc;

pub(crate) const CONTROLLER: Controller = Controller {
    name: "clusterrole-aggregation",
    watches,
    reconcile: Reconcile::Cached(|key, caches, _| reconcile(key, caches)),
    refused: None,
};

fn watches(watches: &mut Watches) {
    // A role that came, went or changed its labels may be part of any that aggregates.
    watches.mapped::<ClusterRole>(|_, caches| {
        let aggregating = caches.of::<ClusterRole>().list().into_iter().filter(|role| role.aggregation_rule.is_some());
        aggregating.map(|role| role.key()).collect()
    });
}

fn reconcile(key: &Key, caches: &Caches) -> Vec<Action> {
    let Some(role) = caches.of::<ClusterRole>().get("", &key.name) else { return Vec::new() };
    let Some(selectors) = selectors(&role) else { return Vec::new() };
    let wanted = union(&role, &selectors, caches.of::<ClusterRole>().list());
    if role.rules.as_deref().unwrap_or_default() == wanted {
        return Vec::new();
    }
    vec![write::patch(role.as_ref(), "", PatchKind::Merge, json!({"rules": wanted}))]
}

/// `None`: the role does not aggregate. A selector that cannot be read picks nothing.
fn selectors(role: &ClusterRole) -> Option<Vec<LabelSelector>> {
    let rule = role.aggregation_rule.as_ref()?;
    let all = rule.cluster_role_selectors.iter().flatten();
    Some(all.filter_map(|selector| LabelSelector::from_meta(selector).ok()).collect())
}

/// In the order of selectors and of names, each rule once. k8s: `clusterroleaggregation_controller.syncClusterRole`
fn union(role: &ClusterRole, selectors: &[LabelSelector], mut all: Vec<Arc<ClusterRole>>) -> Vec<PolicyRule> {
    all.sort_by(|a, b| a.name().cmp(b.name()));
    let mut rules: Vec<PolicyRule> = Vec::new();
    for selector in selectors {
        let parts = all.iter().filter(|part| part.name() != role.name() && selector.matches(&part.metadata.labels));
        for rule in parts.flat_map(|part| part.rules.iter().flatten()) {
            if !rules.contains(rule) {
                rules.push(rule.clone());
            }
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{caches, lines};

    const ROLES: &str = r#"
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: all}
aggregationRule: {clusterRoleSelectors: [{matchLabels: {part: "yes"}}]}
rules: RULES
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: b, labels: {part: "yes"}}
rules: [{verbs: [get], apiGroups: [""], resources: [pods]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: a, labels: {part: "yes"}}
rules: [{verbs: [list], apiGroups: [""], resources: [nodes]}, {verbs: [get], apiGroups: [""], resources: [pods]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: c}
rules: [{verbs: ["*"], apiGroups: ["*"], resources: ["*"]}]
"#;

    fn run(rules: &str) -> String {
        lines(&reconcile(&Key::new("", "all"), &caches(watches, &ROLES.replace("RULES", rules))))
    }

    #[test]
    fn an_aggregating_role_becomes_the_union_of_its_parts_once() {
        let union = r#"[{"apiGroups":[""],"resources":["nodes"],"verbs":["list"]},{"apiGroups":[""],"resources":["pods"],"verbs":["get"]}]"#;
        assert_eq!(run("[]"), format!("patch ClusterRole all  {{\"rules\":{union}}}\n"));
        assert_eq!(run(union), "");
    }

    #[test]
    fn a_role_that_does_not_aggregate_is_left_alone() {
        assert_eq!(lines(&reconcile(&Key::new("", "c"), &caches(watches, &ROLES.replace("RULES", "[]")))), "");
    }
}
