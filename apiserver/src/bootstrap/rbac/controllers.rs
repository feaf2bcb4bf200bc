//! `system:controller:<name>`: exactly what each controller writes and reads, bound to its service account in `kube-system`.
//!
//! Roles carry upstream's names; accounts are both upstream's and `<name>-controller` of Drover's own controllers.

use super::{ALL, ClusterRole, READ, To, events, named, rule};
use crate::auth::rbac::Rule;

const PODS_OWNED: &str = "create delete get list patch update watch";

pub(super) fn cluster_roles() -> Vec<ClusterRole> {
    let row = |(name, accounts, rules): (&str, &'static [&'static str], Vec<Rule>)| {
        ClusterRole::new(format!("system:controller:{name}"), rules).to(To::Accounts(accounts))
    };
    let tables = [workloads(), batch(), network(), cluster(), collectors(), policies(), storage(), claims()];
    tables.into_iter().flatten().map(row).collect()
}

type Row = (&'static str, &'static [&'static str], Vec<Rule>);

/// What a controller needs of the kind that it is named for.
fn owner(group: &str, kind: &str) -> Vec<Rule> {
    vec![
        rule("get list patch update watch", group, kind),
        rule("patch update", group, &format!("{kind}/status")),
        rule("update", group, &format!("{kind}/finalizers")),
        events(),
    ]
}

fn with(mut rules: Vec<Rule>, more: impl IntoIterator<Item = Rule>) -> Vec<Rule> {
    rules.extend(more);
    rules
}

fn pods() -> Rule {
    rule(PODS_OWNED, "core", "pods")
}

fn workloads() -> Vec<Row> {
    let revisions = || rule(PODS_OWNED, "apps", "controllerrevisions");
    vec![
        (
            "deployment-controller",
            &["deployment-controller"],
            with(
                owner("apps", "deployments"),
                [rule(PODS_OWNED, "apps", "replicasets"), rule("get list update watch", "core", "pods")],
            ),
        ),
        ("replicaset-controller", &["replicaset-controller"], with(owner("apps", "replicasets"), [pods()])),
        (
            "replication-controller",
            &["replication-controller", "replicationcontroller-controller"],
            with(owner("core", "replicationcontrollers"), [pods()]),
        ),
        (
            "statefulset-controller",
            &["statefulset-controller"],
            with(
                owner("apps", "statefulsets"),
                [
                    pods(),
                    revisions(),
                    rule("create delete get list patch update watch", "core", "persistentvolumeclaims"),
                ],
            ),
        ),
        (
            "daemon-set-controller",
            &["daemon-set-controller", "daemonset-controller"],
            with(
                owner("apps", "daemonsets"),
                [pods(), revisions(), rule("create", "core", "pods/binding"), rule("list watch get", "core", "nodes")],
            ),
        ),
    ]
}

fn batch() -> Vec<Row> {
    vec![
        (
            "job-controller",
            &["job-controller"],
            with(owner("batch", "jobs"), [pods(), rule("patch update", "core", "pods/status")]),
        ),
        (
            "cronjob-controller",
            &["cronjob-controller"],
            with(
                owner("batch", "cronjobs"),
                [rule(PODS_OWNED, "batch", "jobs"), rule("delete list get watch", "core", "pods")],
            ),
        ),
        (
            "ttl-after-finished-controller",
            &["ttl-after-finished-controller"],
            vec![rule("delete get list watch", "batch", "jobs"), events()],
        ),
        (
            "horizontal-pod-autoscaler",
            &["horizontal-pod-autoscaler", "horizontal-pod-autoscaler-controller"],
            with(
                owner("autoscaling", "horizontalpodautoscalers"),
                [
                    rule("get update patch", "*", "*/scale"),
                    rule("list get watch", "core", "pods"),
                    rule("get list", "metrics.k8s.io custom.metrics.k8s.io external.metrics.k8s.io", "*"),
                ],
            ),
        ),
        (
            "config-rollout-controller",
            &["config-rollout-controller"],
            vec![
                rule("get list patch watch", "apps", "deployments"),
                rule(READ, "apps", "replicasets"),
                rule("create delete get list watch", "core", "configmaps secrets"),
                events(),
            ],
        ),
        (
            "start-order-controller",
            &["start-order-controller"],
            vec![
                rule("get list patch watch", "core", "pods"),
                rule("patch", "core", "pods/status"),
                rule(READ, "core", "services"),
                rule(READ, "apps", "daemonsets deployments replicasets statefulsets"),
                rule(READ, "batch", "jobs"),
                rule(READ, "discovery.k8s.io", "endpointslices"),
                events(),
            ],
        ),
        (
            "disruption-controller",
            &["disruption-controller"],
            vec![
                rule(READ, "apps", "deployments replicasets statefulsets"),
                rule(READ, "core", "replicationcontrollers pods"),
                rule(READ, "policy", "poddisruptionbudgets"),
                rule("patch update", "policy", "poddisruptionbudgets/status"),
                rule("patch update", "core", "pods/status"),
                rule("get", "*", "*/scale"),
                events(),
            ],
        ),
    ]
}

fn network() -> Vec<Row> {
    vec![
        (
            "endpoint-controller",
            &["endpoint-controller", "endpoints-controller"],
            vec![
                rule(READ, "core", "pods services"),
                rule("create delete get list patch update watch", "core", "endpoints"),
                rule("create", "core", "endpoints/restricted"),
                rule("update", "core", "services/finalizers"),
                events(),
            ],
        ),
        (
            "endpointslice-controller",
            &["endpointslice-controller"],
            vec![
                rule(READ, "core", "nodes pods services"),
                rule("update", "core", "services/finalizers"),
                rule("create delete get list patch update watch", "discovery.k8s.io", "endpointslices"),
                rule("create", "discovery.k8s.io", "endpointslices/restricted"),
                events(),
            ],
        ),
        (
            "endpointslicemirroring-controller",
            &["endpointslicemirroring-controller", "endpointslice-mirroring-controller"],
            vec![
                rule(READ, "core", "endpoints services"),
                rule("update", "core", "endpoints/finalizers services/finalizers"),
                rule("create delete get list patch update watch", "discovery.k8s.io", "endpointslices"),
                rule("create", "discovery.k8s.io", "endpointslices/restricted"),
                events(),
            ],
        ),
        (
            "service-controller",
            &["service-controller"],
            vec![
                // Where pods are, and a note on the Service which node announces it, are Drover's own needs.
                rule("get list patch watch", "core", "services"),
                rule("patch update", "core", "services/status"),
                rule(READ, "core", "nodes"),
                rule(READ, "discovery.k8s.io", "endpointslices"),
                events(),
            ],
        ),
        (
            "service-cidrs-controller",
            &["service-cidrs-controller", "service-cidr-controller"],
            vec![
                rule("get list patch update watch", "networking.k8s.io", "servicecidrs"),
                rule("patch update", "networking.k8s.io", "servicecidrs/finalizers servicecidrs/status"),
                rule(READ, "networking.k8s.io", "ipaddresses"),
                events(),
            ],
        ),
    ]
}

fn cluster() -> Vec<Row> {
    vec![
        (
            "namespace-controller",
            &["namespace-controller"],
            vec![
                rule("delete get list watch", "core", "namespaces"),
                rule("patch update", "core", "namespaces/finalize namespaces/status"),
                rule("delete deletecollection get list", ALL, ALL),
            ],
        ),
        (
            "service-account-controller",
            &["service-account-controller", "serviceaccount-controller"],
            vec![rule("create get list watch", "core", "serviceaccounts"), rule(READ, "core", "namespaces"), events()],
        ),
        (
            "root-ca-cert-publisher",
            &[
                "root-ca-cert-publisher",
                "root-ca-cert-publisher-controller",
                "root-ca-certificate-publisher-controller",
                // Drover's service-account controller publishes the CA in the same pass.
                "service-account-controller",
                "serviceaccount-controller",
                "root-ca-controller",
            ],
            vec![
                rule("create get list patch update watch", "core", "configmaps"),
                rule(READ, "core", "namespaces"),
                events(),
            ],
        ),
    ]
}

fn collectors() -> Vec<Row> {
    vec![
        (
            "generic-garbage-collector",
            &["generic-garbage-collector", "garbage-collector-controller"],
            vec![rule("delete get list patch update watch", ALL, ALL), events()],
        ),
        (
            "pod-garbage-collector",
            &["pod-garbage-collector", "pod-garbage-collector-controller", "pod-gc-controller"],
            vec![
                rule("delete get list watch", "core", "pods"),
                rule("patch update", "core", "pods/status"),
                rule(READ, "core", "nodes"),
                events(),
            ],
        ),
        (
            "node-controller",
            &["node-controller", "node-lifecycle-controller", "node-ipam-controller", "taint-eviction-controller"],
            vec![
                rule("delete get list patch update watch", "core", "nodes"),
                rule("patch update", "core", "nodes/status pods/status"),
                rule("delete get list watch", "core", "pods"),
                rule(READ, "coordination.k8s.io", "leases"),
                events(),
            ],
        ),
        ("ttl-controller", &["ttl-controller"], vec![rule("list patch update watch", "core", "nodes"), events()]),
    ]
}

fn policies() -> Vec<Row> {
    vec![
        (
            "clusterrole-aggregation-controller",
            &["clusterrole-aggregation-controller"],
            vec![rule("escalate get list patch update watch", "rbac.authorization.k8s.io", "clusterroles")],
        ),
        (
            "resourcequota-controller",
            &["resourcequota-controller"],
            vec![rule("list watch", ALL, ALL), rule("patch update", "core", "resourcequotas/status"), events()],
        ),
        (
            "certificate-controller",
            &["certificate-controller", "certificatesigningrequest-cleaner-controller"],
            vec![
                rule("delete get list watch", "certificates.k8s.io", "certificatesigningrequests"),
                rule(
                    "patch update",
                    "certificates.k8s.io",
                    "certificatesigningrequests/approval certificatesigningrequests/status",
                ),
                named("approve", "certificates.k8s.io", "signers", &["kubernetes.io/kube-apiserver-client-kubelet"]),
                named(
                    "sign",
                    "certificates.k8s.io",
                    "signers",
                    &[
                        "kubernetes.io/kube-apiserver-client",
                        "kubernetes.io/kube-apiserver-client-kubelet",
                        "kubernetes.io/kubelet-serving",
                        "kubernetes.io/legacy-unknown",
                    ],
                ),
                rule("create", "authorization.k8s.io", "subjectaccessreviews"),
                events(),
            ],
        ),
        (
            "podcertificaterequestcleaner",
            &["podcertificaterequestcleaner", "podcertificaterequest-cleaner-controller"],
            vec![rule("delete get list watch", "certificates.k8s.io", "podcertificaterequests")],
        ),
        (
            "validatingadmissionpolicy-status-controller",
            &["validatingadmissionpolicy-status-controller"],
            vec![
                rule(READ, "admissionregistration.k8s.io", "validatingadmissionpolicies"),
                rule("get patch update", "admissionregistration.k8s.io", "validatingadmissionpolicies/status"),
                rule(READ, "apiextensions.k8s.io", "customresourcedefinitions"),
                events(),
            ],
        ),
        (
            "legacy-service-account-token-cleaner",
            &["legacy-service-account-token-cleaner"],
            vec![
                rule("delete get list patch watch", "core", "secrets"),
                rule("get list watch", "core", "configmaps serviceaccounts pods"),
            ],
        ),
    ]
}

fn storage() -> Vec<Row> {
    let volumes = "persistentvolumeclaims persistentvolumes";
    vec![
        (
            "persistent-volume-binder",
            &["persistent-volume-binder", "persistentvolume-binder-controller"],
            vec![
                rule("create delete get list patch update watch", "core", "persistentvolumes"),
                rule("patch update", "core", "persistentvolumes/status persistentvolumeclaims/status"),
                rule("get list patch update watch", "core", "persistentvolumeclaims"),
                rule("create delete get list watch", "core", "pods"),
                rule(READ, "storage.k8s.io", "storageclasses csinodes"),
                rule("get list", "core", "nodes"),
                rule("get", "core", "secrets"),
                events(),
            ],
        ),
        (
            "local-path-provisioner",
            &["local-path-provisioner", "local-path-provisioner-controller"],
            vec![
                rule("create delete get list update watch", "core", "persistentvolumes"),
                rule(READ, "core", "persistentvolumeclaims pods nodes"),
                // Directories are taken away by the agent of their node.
                rule("create", "core", "nodes/proxy"),
                rule(READ, "storage.k8s.io", "storageclasses"),
                events(),
            ],
        ),
        (
            "attachdetach-controller",
            &["attachdetach-controller"],
            vec![
                rule(READ, "core", volumes),
                rule(READ, "core", "nodes pods"),
                rule("patch update", "core", "nodes/status"),
                rule("create delete get list watch", "storage.k8s.io", "volumeattachments"),
                rule(READ, "storage.k8s.io", "csidrivers csinodes"),
                events(),
            ],
        ),
        (
            "expand-controller",
            &["expand-controller"],
            vec![
                rule("get list patch update watch", "core", "persistentvolumes"),
                rule("patch update", "core", "persistentvolumeclaims/status"),
                rule(READ, "core", "persistentvolumeclaims"),
                rule(READ, "storage.k8s.io", "storageclasses"),
                events(),
            ],
        ),
    ]
}

fn claims() -> Vec<Row> {
    vec![
        (
            "ephemeral-volume-controller",
            &["ephemeral-volume-controller"],
            vec![
                rule(READ, "core", "pods"),
                rule("update", "core", "pods/finalizers"),
                rule("create get list watch", "core", "persistentvolumeclaims"),
                events(),
            ],
        ),
        (
            "pvc-protection-controller",
            &["pvc-protection-controller"],
            vec![rule("get list update watch", "core", "persistentvolumeclaims"), rule(READ, "core", "pods"), events()],
        ),
        (
            "pv-protection-controller",
            &["pv-protection-controller"],
            vec![rule("get list update watch", "core", "persistentvolumes"), events()],
        ),
        (
            "volumeattributesclass-protection-controller",
            &["volumeattributesclass-protection-controller"],
            vec![
                rule(READ, "core", "persistentvolumeclaims persistentvolumes"),
                rule("get list update watch", "storage.k8s.io", "volumeattributesclasses"),
                events(),
            ],
        ),
        (
            "resource-claim-controller",
            &["resource-claim-controller", "resourceclaim-controller"],
            vec![
                rule(READ, "core", "pods"),
                rule("update", "core", "pods/finalizers"),
                rule("create delete get list watch", "resource.k8s.io", "resourceclaims"),
                rule("patch update", "resource.k8s.io", "resourceclaims resourceclaims/status"),
                rule("patch update", "core", "pods/status"),
                events(),
            ],
        ),
        (
            "device-taint-eviction-controller",
            &["device-taint-eviction-controller"],
            vec![
                rule("delete get list watch", "core", "pods"),
                rule("patch update", "core", "pods/status"),
                rule(READ, "resource.k8s.io", "devicetaintrules resourceclaims resourceslices"),
                events(),
            ],
        ),
    ]
}
