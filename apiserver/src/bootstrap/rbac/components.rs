//! Roles of the components: controller manager, scheduler, service proxy, nodes, DNS, delegated authentication.

use super::{ClusterRole, NamespacedRole, RBAC, READ, To, events, metadata, named, object, rule};
use crate::auth::rbac::Rule;
use serde_json::{Value, json};

const CONTROLLER_MANAGER: &str = "system:kube-controller-manager";
const SCHEDULER: &str = "system:kube-scheduler";
const PROXY: &str = "system:kube-proxy";
const NODES: &str = "system:nodes";
const BOOTSTRAPPERS: &str = "system:bootstrappers";
const LEASES: &str = "coordination.k8s.io";

pub(super) fn cluster_roles() -> Vec<ClusterRole> {
    vec![
        ClusterRole::new(CONTROLLER_MANAGER, controller_manager()).to(To::User(CONTROLLER_MANAGER)),
        ClusterRole::new(SCHEDULER, scheduler()).to(To::User(SCHEDULER)),
        ClusterRole::new(
            "system:volume-scheduler",
            vec![
                rule("get list patch update watch", "core", "persistentvolumes persistentvolumeclaims"),
                rule(READ, "storage.k8s.io", "storageclasses"),
            ],
        )
        .to(To::User(SCHEDULER)),
        // Every node programs Services and the way to the pods of the others.
        ClusterRole::new("system:node-proxier", proxy()).to(To::User(PROXY)).to(To::Group(NODES)),
        ClusterRole::new("system:node", node_rules()),
        ClusterRole::new(
            "system:kubelet-api-admin",
            vec![
                rule("get list watch", "core", "nodes"),
                rule("proxy", "core", "nodes"),
                rule(
                    "*",
                    "core",
                    "nodes/configz nodes/healthz nodes/log nodes/metrics nodes/pods nodes/proxy nodes/stats",
                ),
            ],
        ),
        ClusterRole::new(
            "system:auth-delegator",
            vec![
                rule("create", "authentication.k8s.io", "tokenreviews"),
                rule("create", "authorization.k8s.io", "subjectaccessreviews"),
            ],
        ),
        ClusterRole::new(
            "system:node-problem-detector",
            vec![rule("get", "core", "nodes"), rule("patch", "core", "nodes/status"), events()],
        ),
        ClusterRole::new(
            "system:heapster",
            vec![rule(READ, "core", "events namespaces nodes pods"), rule(READ, "apps", "deployments")],
        ),
        ClusterRole::new("system:kube-aggregator", vec![rule(READ, "core", "endpoints services")]),
        ClusterRole::new(
            "system:kube-dns",
            vec![
                rule("list watch", "core", "endpoints services namespaces nodes pods"),
                rule("list watch", "discovery.k8s.io", "endpointslices"),
            ],
        )
        .to(To::User("system:kube-dns")),
        ClusterRole::new("drover:ingress", ingress()).to(To::User("system:drover-ingress")),
        ClusterRole::new(
            "system:persistent-volume-provisioner",
            vec![
                rule("create delete get list watch", "core", "persistentvolumes"),
                rule("get list update watch", "core", "persistentvolumeclaims"),
                rule(READ, "storage.k8s.io", "storageclasses"),
                events(),
                rule(READ, "core", "nodes"),
            ],
        ),
    ]
    .into_iter()
    .chain(certificate_roles())
    .collect()
}

fn certificate_roles() -> impl Iterator<Item = ClusterRole> {
    let group = "certificates.k8s.io";
    let approve = |name: &str, resource: &str| {
        ClusterRole::new(
            format!("system:certificates.k8s.io:certificatesigningrequests:{name}"),
            vec![rule("create", group, resource)],
        )
    };
    let signer = |name: &'static str| {
        ClusterRole::new(
            format!("system:certificates.k8s.io:{}-approver", name.replace("kubernetes.io/", "")),
            vec![named("approve", group, "signers", &[name])],
        )
    };
    [
        ClusterRole::new(
            "system:node-bootstrapper",
            vec![rule("create get list watch", group, "certificatesigningrequests")],
        )
        .to(To::Group(BOOTSTRAPPERS)),
        // Their DNS servers tell a namespace that is not there from a Service that is not.
        ClusterRole::new("drover:node-names", vec![rule("list watch", "core", "namespaces")]).to(To::Group(NODES)),
        // Every node enforces policies, whose selectors mean pods and namespaces of the whole cluster: what the agents
        // of other network plugins read on each node, too.
        ClusterRole::new(
            "drover:network-policies",
            vec![
                rule("list watch", "core", "namespaces pods"),
                rule("list watch", "networking.k8s.io", "networkpolicies"),
            ],
        )
        .to(To::User(PROXY))
        .to(To::Group(NODES)),
        // Who holds a join token may name a node that is not there yet; a node renews its own.
        approve("nodeclient", "certificatesigningrequests/nodeclient").to(To::Group(BOOTSTRAPPERS)),
        approve("selfnodeclient", "certificatesigningrequests/selfnodeclient").to(To::Group(NODES)),
        signer("kubernetes.io/legacy-unknown"),
        signer("kubernetes.io/kubelet-serving"),
        signer("kubernetes.io/kube-apiserver-client"),
        signer("kubernetes.io/kube-apiserver-client-kubelet"),
    ]
    .into_iter()
}

/// The binding of `system:node` names nobody: nodes are authorized by the Node authorizer.
pub(super) fn more_bindings() -> impl Iterator<Item = Value> {
    let mut node = object("ClusterRoleBinding", &metadata("system:node", None, &[]));
    node["roleRef"] = json!({"apiGroup": RBAC, "kind": "ClusterRole", "name": "system:node"});
    std::iter::once(node)
}

/// Shared informers read everything under this identity; each controller writes under its own.
fn controller_manager() -> Vec<Rule> {
    vec![
        events(),
        rule("create get update", LEASES, "leases"),
        rule("create get update delete", "core", "secrets serviceaccounts configmaps"),
        rule("get", "core", "namespaces"),
        rule("create", "authentication.k8s.io", "tokenreviews"),
        rule("create", "authorization.k8s.io", "subjectaccessreviews"),
        rule("list watch", "*", "*"),
        rule("create", "core", "serviceaccounts/token"),
    ]
}

fn scheduler() -> Vec<Rule> {
    vec![
        events(),
        rule("create", LEASES, "leases"),
        named("get update", LEASES, "leases", &["kube-scheduler"]),
        rule(READ, "core", "nodes namespaces"),
        rule("delete get list watch", "core", "pods"),
        rule("create", "core", "bindings pods/binding"),
        rule("patch update", "core", "pods/status"),
        rule(READ, "core", "replicationcontrollers services persistentvolumeclaims persistentvolumes"),
        rule(READ, "apps", "replicasets statefulsets"),
        rule(READ, "policy", "poddisruptionbudgets"),
        rule(READ, "scheduling.k8s.io", "priorityclasses"),
        rule(READ, "storage.k8s.io", "csinodes csidrivers csistoragecapacities storageclasses volumeattachments"),
        rule(READ, "resource.k8s.io", "deviceclasses devicetaintrules resourceslices"),
        rule("get list patch update watch", "resource.k8s.io", "resourceclaims"),
        rule("patch update", "resource.k8s.io", "resourceclaims/status"),
        rule("create", "authentication.k8s.io", "tokenreviews"),
        rule("create", "authorization.k8s.io", "subjectaccessreviews"),
    ]
}

fn proxy() -> Vec<Rule> {
    vec![
        rule("list watch", "core", "services endpoints"),
        rule(READ, "core", "nodes"),
        events(),
        rule("list watch", "discovery.k8s.io", "endpointslices"),
        rule("list watch", "networking.k8s.io", "servicecidrs"),
    ]
}

/// Certificates are in Secrets of any namespace.
fn ingress() -> Vec<Rule> {
    let group = "networking.k8s.io";
    vec![
        rule("list watch", "core", "services secrets"),
        rule("list watch", "discovery.k8s.io", "endpointslices"),
        rule("list watch", group, "ingresses ingressclasses"),
        rule("create", group, "ingressclasses"),
        rule("patch", group, "ingresses/status"),
        events(),
    ]
}

pub(super) fn node_rules() -> Vec<Rule> {
    vec![
        rule("create", "authentication.k8s.io", "tokenreviews"),
        rule("create", "authorization.k8s.io", "localsubjectaccessreviews subjectaccessreviews"),
        rule(READ, "core", "services"),
        rule("create get list watch", "core", "nodes"),
        rule("patch update", "core", "nodes/status"),
        rule("patch update", "core", "nodes"),
        rule("create patch update", "core", "events"),
        rule("create patch update", "events.k8s.io", "events"),
        rule(READ, "core", "pods"),
        rule("create delete", "core", "pods"),
        rule("patch update", "core", "pods/status"),
        rule("create", "core", "pods/eviction"),
        rule(READ, "core", "configmaps secrets"),
        rule("get", "core", "persistentvolumeclaims persistentvolumes"),
        rule("get", "core", "endpoints"),
        rule("create get list watch", "certificates.k8s.io", "certificatesigningrequests podcertificaterequests"),
        rule(READ, "certificates.k8s.io", "clustertrustbundles"),
        rule("create delete get patch update", LEASES, "leases"),
        rule("get", "storage.k8s.io", "volumeattachments"),
        rule("create", "core", "serviceaccounts/token"),
        rule("get", "core", "serviceaccounts"),
        rule("get patch update", "core", "persistentvolumeclaims/status"),
        rule(READ, "storage.k8s.io", "csidrivers"),
        rule("create delete get patch update", "storage.k8s.io", "csinodes"),
        rule(READ, "node.k8s.io", "runtimeclasses"),
        rule("get", "resource.k8s.io", "resourceclaims"),
        rule("create delete deletecollection get list patch update watch", "resource.k8s.io", "resourceslices"),
    ]
}

pub(super) fn roles() -> Vec<NamespacedRole> {
    let system = "kube-system";
    let leader = |name: &'static str, lease: &'static str, user| NamespacedRole {
        namespace: system,
        name,
        rules: vec![
            rule("watch", "core", "configmaps"),
            named("get update", "core", "configmaps", &[lease]),
            rule("create", LEASES, "leases"),
            named("get update", LEASES, "leases", &[lease]),
        ],
        bound_to: vec![To::User(user)],
    };
    vec![
        NamespacedRole {
            namespace: system,
            name: "extension-apiserver-authentication-reader",
            rules: vec![named(READ, "core", "configmaps", &["extension-apiserver-authentication"])],
            bound_to: vec![To::User(CONTROLLER_MANAGER), To::User(SCHEDULER)],
        },
        leader("system::leader-locking-kube-controller-manager", "kube-controller-manager", CONTROLLER_MANAGER),
        leader("system::leader-locking-kube-scheduler", "kube-scheduler", SCHEDULER),
        NamespacedRole {
            namespace: system,
            name: "system:kube-dns",
            rules: vec![
                rule("create patch", "core", "services"),
                rule("create patch", "discovery.k8s.io", "endpointslices"),
            ],
            bound_to: vec![To::User("system:kube-dns")],
        },
        NamespacedRole {
            namespace: system,
            name: "system:controller:bootstrap-signer",
            rules: vec![rule(READ, "core", "secrets")],
            bound_to: vec![To::Accounts(&["bootstrap-signer", "bootstrap-signer-controller"])],
        },
        NamespacedRole {
            namespace: system,
            name: "system:controller:token-cleaner",
            rules: vec![rule("delete get list watch", "core", "secrets"), events()],
            bound_to: vec![To::Accounts(&["token-cleaner", "token-cleaner-controller"])],
        },
        // Separate processes of the controllers act as each of them.
        NamespacedRole {
            namespace: system,
            name: "drover:controllers",
            rules: vec![rule("impersonate", "core", "serviceaccounts")],
            bound_to: vec![To::User(CONTROLLER_MANAGER)],
        },
    ]
    .into_iter()
    .chain(public_roles())
    .collect()
}

/// What everybody, or every node, may read of the cluster.
fn public_roles() -> impl Iterator<Item = NamespacedRole> {
    let public = "kube-public";
    let reads = |name, map, to| NamespacedRole {
        namespace: public,
        name,
        rules: vec![named("get", "core", "configmaps", &[map])],
        bound_to: vec![to],
    };
    [
        // The CA, for those who have only its hash yet.
        reads("drover:cluster-info", "cluster-info", To::User(crate::auth::USER_ANONYMOUS)),
        reads("drover:cluster-config", "drover-cluster", To::Group(NODES)),
        NamespacedRole {
            namespace: public,
            name: "system:controller:bootstrap-signer",
            rules: vec![
                rule(READ, "core", "configmaps"),
                named("update", "core", "configmaps", &["cluster-info"]),
                events(),
            ],
            bound_to: vec![To::Accounts(&["bootstrap-signer", "bootstrap-signer-controller"])],
        },
    ]
    .into_iter()
}
