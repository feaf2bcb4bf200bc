//! What a node reaches through its pods, and what it does not.

use super::*;
use serde_json::json;

fn pod(node: &str) -> Value {
    json!({"metadata": {"name": "web"}, "spec": {
        "nodeName": node, "serviceAccountName": "default",
        "imagePullSecrets": [{"name": "registry"}],
        "containers": [{"envFrom": [{"secretRef": {"name": "env"}}],
            "env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "a"}}}]}],
        "volumes": [
            {"name": "d", "persistentVolumeClaim": {"claimName": "data"}},
            {"name": "k", "projected": {"sources": [{"configMap": {"name": "kube-root-ca.crt"}}]}},
        ],
    }})
}

const DEVICES: &str = "resource.k8s.io";

fn ask<'a>(verb: &'a str, group: &'a str, resource: &'a str, namespace: &'a str, name: &'a str) -> Attributes<'a> {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    Attributes { verb, group, version: "v1", resource, subresource, namespace, name, ..Attributes::default() }
}

fn authorizer() -> NodeAuthorizer {
    let rules = vec![Rule {
        verbs: vec!["list".to_owned()],
        api_groups: vec![String::new()],
        resources: vec!["services".to_owned()],
        ..Rule::default()
    }];
    NodeAuthorizer::new(rules)
}

#[test]
fn a_node_reaches_only_what_its_pods_use() {
    let authorizer = authorizer();
    authorizer.apply_pod("shop", "web", Some(&pod("n1")));
    authorizer.apply_volume("pv-1", Some(&json!({"spec": {"claimRef": {"namespace": "shop", "name": "data"}}})));
    let node = |name: &str| Identity::new(&format!("system:node:{name}"), [GROUP]);
    let (n1, n2) = (node("n1"), node("n2"));
    let [by_node, by_name] =
        ["spec.nodeName=n1", "metadata.name=n1"].map(|text| kinds::selector::FieldSelector::parse(text).unwrap());
    let own_pods = Attributes { fields: Some(&by_node), ..ask("list", "", "pods", "", "") };
    authorizer.apply_slice("n1-gpus", Some(&json!({"spec": {"nodeName": "n1"}})));
    authorizer.apply_slice("n2-gpus", Some(&json!({"spec": {"nodeName": "n2"}})));
    let slices = "resourceslices";
    let own_slices = Attributes { fields: Some(&by_node), ..ask("deletecollection", DEVICES, slices, "", "") };
    authorizer.apply_certificate_request("shop", "req-1", Some(&json!({"spec": {"nodeName": "n1"}})));
    authorizer.apply_certificate_request("shop", "req-2", Some(&json!({"spec": {"nodeName": "n2"}})));
    let (certificates, requests) = ("certificates.k8s.io", "podcertificaterequests");
    let own_requests = Attributes { fields: Some(&by_node), ..ask("watch", certificates, requests, "", "") };
    let own_node = Attributes { fields: Some(&by_name), ..ask("watch", "", "nodes", "", "") };
    let table = [
        (ask("get", "", "secrets", "shop", "env"), true),
        (ask("get", "", "secrets", "shop", "registry"), true),
        (ask("get", "", "secrets", "shop", "other"), false),
        (ask("get", "", "secrets", "elsewhere", "env"), false),
        (ask("list", "", "secrets", "shop", ""), false),
        (ask("update", "", "secrets", "shop", "env"), false),
        (ask("get", "", "configmaps", "shop", "settings"), true),
        (ask("watch", "", "configmaps", "shop", "kube-root-ca.crt"), true),
        (ask("get", "", "persistentvolumeclaims", "shop", "data"), true),
        (ask("get", "", "persistentvolumes", "", "pv-1"), true),
        (ask("get", "", "persistentvolumes", "", "pv-2"), false),
        (ask("create", "", "serviceaccounts/token", "shop", "default"), true),
        (ask("create", "", "serviceaccounts/token", "shop", "admin"), false),
        (ask("get", "", "pods", "shop", "web"), true),
        (ask("get", "", "pods", "shop", "db"), false),
        (ask("list", "", "pods", "", ""), false),
        (own_slices, true),
        (ask("list", DEVICES, slices, "", ""), false),
        (ask("create", DEVICES, slices, "", ""), true),
        (ask("update", DEVICES, slices, "", "n1-gpus"), true),
        (ask("delete", DEVICES, slices, "", "n2-gpus"), false),
        (ask("get", DEVICES, "resourceslices/status", "", "n1-gpus"), false),
        (own_requests, true),
        (ask("list", certificates, requests, "shop", ""), false),
        (ask("create", certificates, requests, "shop", ""), true),
        (ask("get", certificates, requests, "shop", "req-1"), true),
        (ask("get", certificates, requests, "shop", "req-2"), false),
        (ask("get", certificates, requests, "elsewhere", "req-1"), false),
        (ask("delete", certificates, requests, "shop", "req-1"), false),
        (ask("update", certificates, "podcertificaterequests/status", "shop", "req-1"), false),
        (own_pods, true),
        (own_node, true),
        (ask("get", "", "nodes", "", "n2"), false),
        (ask("delete", "", "nodes", "", "n1"), false),
        (ask("patch", "", "nodes/status", "", "n1"), true),
        (ask("update", "coordination.k8s.io", "leases", "kube-node-lease", "n1"), true),
        (ask("update", "coordination.k8s.io", "leases", "kube-node-lease", "n2"), false),
        (ask("update", "coordination.k8s.io", "leases", "kube-system", "n1"), false),
        (ask("list", "", "services", "", ""), true),
        (ask("list", "apps", "deployments", "", ""), false),
    ];
    for (attributes, expected) in table {
        assert_eq!(authorizer.authorize(&n1, &attributes) == Verdict::Allow, expected, "{attributes:?}");
    }
    assert_ne!(authorizer.authorize(&n2, &ask("get", "", "secrets", "shop", "env")), Verdict::Allow);
    assert_ne!(authorizer.authorize(&Identity::new("system:node:n1", []), &own_pods), Verdict::Allow);
}

#[test]
fn a_pod_that_moves_or_goes_takes_its_references_along() {
    let authorizer = authorizer();
    let node = Identity::new("system:node:n1", [GROUP]);
    let secret = ask("get", "", "secrets", "shop", "env");
    authorizer.apply_pod("shop", "web", Some(&pod("n1")));
    authorizer.apply_pod("shop", "web-2", Some(&pod("n1")));
    authorizer.apply_pod("shop", "web", None);
    assert_eq!(authorizer.authorize(&node, &secret), Verdict::Allow);
    authorizer.apply_pod("shop", "web-2", Some(&pod("n2")));
    assert_ne!(authorizer.authorize(&node, &secret), Verdict::Allow);
}

#[test]
fn a_node_reads_the_secrets_of_volumes_that_its_pods_mount() {
    let authorizer = authorizer();
    let n1 = Identity::new("system:node:n1", [GROUP]);
    let n2 = Identity::new("system:node:n2", [GROUP]);
    let volume = json!({"spec": {
        "claimRef": {"namespace": "shop", "name": "data"},
        "csi": {
            "nodeStageSecretRef": {"namespace": "storage", "name": "stage"},
            "nodePublishSecretRef": {"namespace": "storage", "name": "publish"},
            "controllerPublishSecretRef": {"namespace": "storage", "name": "controller"},
        },
    }});
    authorizer.apply_volume("pv-1", Some(&volume));
    let stage = ask("get", "", "secrets", "storage", "stage");
    let allows = |who: &Identity, what: &Attributes<'_>| authorizer.authorize(who, what) == Verdict::Allow;
    assert!(!allows(&n1, &stage), "no pod of the node has the claim");
    authorizer.apply_pod("shop", "web", Some(&pod("n1")));
    assert!(allows(&n1, &stage) && allows(&n1, &ask("get", "", "secrets", "storage", "publish")));
    assert!(!allows(&n1, &ask("get", "", "secrets", "storage", "controller")), "that is for the driver's controller");
    assert!(!allows(&n1, &ask("update", "", "secrets", "storage", "stage")));
    assert!(!allows(&n2, &stage));
    authorizer.apply_volume("pv-1", Some(&json!({"spec": {"csi": volume["spec"]["csi"]}})));
    assert!(!allows(&n1, &stage), "the volume is not bound any more");
    authorizer.apply_volume("pv-1", Some(&volume));
    authorizer.apply_pod("shop", "web", None);
    assert!(!allows(&n1, &stage));
}
