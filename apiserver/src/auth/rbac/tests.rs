//! Rules, subjects, scopes, and escalation.

use super::*;
use serde_json::json;

fn rbac() -> Rbac {
    let rbac = Rbac::default();
    rbac.apply_role(
        "",
        "reader",
        Some(&json!({"rules": [
            {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods", "pods/log", "*/scale"]},
            {"verbs": ["get"], "apiGroups": ["*"], "resources": ["configmaps"], "resourceNames": ["one"]},
            {"verbs": ["get"], "nonResourceURLs": ["/metrics", "/logs/*"]},
        ]})),
    );
    rbac.apply_role(
        "team",
        "writer",
        Some(&json!({"rules": [
            {"verbs": ["*"], "apiGroups": ["apps"], "resources": ["*"]},
        ]})),
    );
    rbac.apply_binding(
        "",
        "all-read",
        Some(&json!({
            "roleRef": {"kind": "ClusterRole", "name": "reader"},
            "subjects": [{"kind": "Group", "name": "staff"}],
        })),
    );
    rbac.apply_binding(
        "team",
        "writers",
        Some(&json!({
            "roleRef": {"kind": "Role", "name": "writer"},
            "subjects": [{"kind": "ServiceAccount", "name": "bot", "namespace": "ci"}],
        })),
    );
    rbac
}

fn ask<'a>(verb: &'a str, group: &'a str, resource: &'a str, namespace: &'a str, name: &'a str) -> Attributes<'a> {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    Attributes { verb, group, version: "v1", resource, subresource, namespace, name, ..Attributes::default() }
}

#[test]
fn rules_are_found_by_subject_and_scope() {
    let rbac = rbac();
    let staff = Identity::new("ann", ["staff"]);
    let bot = Identity::new("system:serviceaccount:ci:bot", ["system:serviceaccounts"]);
    let table = [
        (&staff, ask("get", "", "pods", "", ""), true),
        (&staff, ask("list", "", "pods", "team", ""), true),
        (&staff, ask("delete", "", "pods", "team", "a"), false),
        (&staff, ask("get", "", "pods/log", "team", "a"), true),
        (&staff, ask("get", "", "pods/exec", "team", "a"), false),
        (&staff, ask("get", "", "replicationcontrollers/scale", "team", "a"), true),
        (&staff, ask("get", "", "configmaps", "team", "one"), true),
        (&staff, ask("get", "", "configmaps", "team", "two"), false),
        (&staff, ask("get", "", "configmaps", "team", ""), false),
        (&staff, Attributes { verb: "get", path: Some("/metrics"), ..Attributes::default() }, true),
        (&staff, Attributes { verb: "get", path: Some("/logs/a/b"), ..Attributes::default() }, true),
        (&staff, Attributes { verb: "get", path: Some("/metricsx"), ..Attributes::default() }, false),
        (&bot, ask("delete", "apps", "deployments/status", "team", "a"), true),
        (&bot, ask("delete", "apps", "deployments", "other", "a"), false),
        (&bot, ask("list", "apps", "deployments", "", ""), false),
    ];
    for (identity, attributes, expected) in table {
        assert_eq!(rbac.authorize(identity, &attributes).is_ok(), expected, "{} {attributes:?}", identity.user);
    }
}

#[test]
fn changes_take_and_give_at_once() {
    let rbac = rbac();
    let staff = Identity::new("ann", ["staff"]);
    let pods = ask("get", "", "pods", "", "");
    rbac.apply_binding(
        "",
        "all-read",
        Some(&json!({
            "roleRef": {"kind": "ClusterRole", "name": "reader"},
            "subjects": [{"kind": "User", "name": "bob"}],
        })),
    );
    assert!(rbac.authorize(&staff, &pods).is_err());
    assert!(rbac.authorize(&Identity::new("bob", []), &pods).is_ok());
    rbac.apply_role("", "reader", None);
    assert!(rbac.authorize(&Identity::new("bob", []), &pods).is_err());
}

#[test]
fn escalation_names_exactly_the_rules_that_are_missing() {
    let rbac = rbac();
    let staff = Identity::new("ann", ["staff"]);
    let rule = |value: Value| serde_json::from_value::<Rule>(value).unwrap();
    let wanted = [rule(json!({"verbs": ["get", "delete"], "apiGroups": [""], "resources": ["pods"]}))];
    let missing = rbac.missing(&staff, "team", &wanted);
    let shown: Vec<String> = missing.iter().map(ToString::to_string).collect();
    assert_eq!(shown, [r#"{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}"#]);
    let narrower =
        [rule(json!({"verbs": ["get"], "apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["one"]}))];
    assert!(rbac.missing(&staff, "team", &narrower).is_empty());
    let wider = [rule(json!({"verbs": ["get"], "apiGroups": [""], "resources": ["configmaps"]}))];
    assert_eq!(rbac.missing(&staff, "team", &wider).len(), 1);
}
