//! Labels of its own Node that a node may set: those that describe it, not those that policies lean on.
//! k8s: `kubelet/pkg/apis/well_known_labels.go`.

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

/// A node labels itself as it likes, except in the namespaces of the cluster, where only what describes it is allowed.
pub fn may_set(key: &str) -> bool {
    !is_reserved(key) || is_kubelets(key)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_may_describe_itself_and_say_nothing_that_policies_lean_on() {
        for (key, may) in [
            ("zone", true),
            ("example.com/disk", true),
            ("topology.kubernetes.io/zone", true),
            ("a.node.kubernetes.io/b", true),
            ("node-role.kubernetes.io/worker", false),
            ("node-restriction.kubernetes.io/a", false),
            ("kubernetes.io/role", false),
            ("x.k8s.io/a", false),
        ] {
            assert_eq!(may_set(key), may, "{key}");
        }
    }
}
