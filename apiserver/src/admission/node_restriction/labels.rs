//! Labels of its own Node that a node may set: those that describe it, not those that policies lean on.
//! k8s: `kubelet/pkg/apis/well_known_labels.go`.

use serde_json::{Map, Value};
use std::collections::BTreeSet;

const KUBELET_LABELS: &[&str] = &[
    "kubernetes.io/hostname",
    "kubernetes.io/arch",
    "kubernetes.io/os",
    "beta.kubernetes.io/arch",
    "beta.kubernetes.io/os",
    "beta.kubernetes.io/instance-type",
    "node.kubernetes.io/instance-type",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
];
const KUBELET_NAMESPACES: &[&str] = &["kubelet.kubernetes.io", "node.kubernetes.io"];

/// Keys whose value is not what it was.
pub(super) fn changed(old: &Value, new: &Value) -> BTreeSet<String> {
    let none = Map::new();
    let labels = |object: &'_ Value| object.pointer("/metadata/labels").and_then(Value::as_object).cloned();
    let (old, new) = (labels(old).unwrap_or_else(|| none.clone()), labels(new).unwrap_or(none));
    old.keys().chain(new.keys()).filter(|key| old.get(*key) != new.get(*key)).cloned().collect()
}

/// A node labels itself as it likes, except in the namespaces of the cluster, where only what describes it is allowed.
pub(super) fn refused(changed: &BTreeSet<String>) -> Vec<&str> {
    changed.iter().map(String::as_str).filter(|key| is_reserved(key) && !is_kubelets(key)).collect()
}

fn namespace(key: &str) -> &str {
    key.split_once('/').map_or("", |(namespace, _)| namespace)
}

fn is_reserved(key: &str) -> bool {
    let ns = namespace(key);
    ["kubernetes.io", "k8s.io"]
        .iter()
        .any(|reserved| ns == *reserved || ns.strip_suffix(reserved).is_some_and(|rest| rest.ends_with('.')))
}

fn is_kubelets(key: &str) -> bool {
    let ns = namespace(key);
    KUBELET_LABELS.contains(&key)
        || KUBELET_NAMESPACES
            .iter()
            .any(|allowed| ns == *allowed || ns.strip_suffix(allowed).is_some_and(|rest| rest.ends_with('.')))
}
