//! What a node reaches through its pods, and what it does not.

use super::*;
use crate::auth::objects::{Resource, Unavailable};
use serde_json::json;

struct Nothing;

#[async_trait::async_trait]
impl Objects for Nothing {
    fn cached(&self, resource: Resource, _ns: &str, name: &str) -> Option<Arc<Value>> {
        (resource == PERSISTENT_VOLUMES && name == "pv-1")
            .then(|| Arc::new(json!({"spec": {"claimRef": {"namespace": "shop", "name": "data"}}})))
    }

    fn cached_list(&self, _resource: Resource, _ns: &str) -> Vec<Arc<Value>> {
        Vec::new()
    }

    async fn live(&self, _: Resource, _: &str, _: &str) -> Result<Option<Arc<Value>>, Unavailable> {
        Ok(None)
    }
}

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
    NodeAuthorizer::new(Arc::new(Nothing), rules)
}

#[test]
fn a_node_reaches_only_what_its_pods_use() {
    let authorizer = authorizer();
    authorizer.apply_pod("shop", "web", Some(&pod("n1")));
    let node = |name: &str| Identity::new(&format!("system:node:{name}"), [GROUP]);
    let (n1, n2) = (node("n1"), node("n2"));
    let [by_node, by_name] =
        ["spec.nodeName=n1", "metadata.name=n1"].map(|text| kinds::selector::FieldSelector::parse(text).unwrap());
    let own_pods = Attributes { fields: Some(&by_node), ..ask("list", "", "pods", "", "") };
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
