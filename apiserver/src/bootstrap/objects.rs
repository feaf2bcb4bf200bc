//! The wanted objects, as data.

use super::rbac;
use base64::Engine as _;
use kinds::flowcontrol::bootstrap;
use serde_json::{Value, json};
use std::net::IpAddr;

/// Whether other API servers may serve the same store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Membership {
    /// The embedded store: the only endpoint of the Service `kubernetes` is this server.
    Sole,
    /// A shared store: this server's address is added to those of the others.
    Shared,
}

/// What differs from cluster to cluster.
#[derive(Clone, Debug)]
pub struct Params {
    /// `10.43.0.0/16`, or one range of each family with a comma between them.
    pub service_cidr: String,
    /// The first address of its first range, of the Service `kubernetes`.
    pub service_ip: IpAddr,
    pub advertise: IpAddr,
    pub hostname: String,
    pub port: u16,
    /// `10.42.0.0/16`, of which every node gets a part; or two ranges.
    pub cluster_cidr: String,
    /// Address of the Service that pods ask for names.
    pub cluster_dns: IpAddr,
    /// `cluster.local`
    pub cluster_domain: String,
    /// Whether there is a class of directories of nodes.
    pub local_storage: bool,
    pub ca_pem: String,
    pub front_proxy_ca_pem: String,
    pub membership: Membership,
}

/// What to do where the object is already there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policy {
    /// People may have changed it; leave it.
    Keep,
    /// Add rules, subjects, labels that are missing; never take away.
    Rbac,
    /// These top-level fields are ours.
    Own(&'static [&'static str]),
    /// Our address among the endpoints.
    Endpoints(Membership),
    Slice(Membership),
}

pub(super) struct Wanted {
    pub collection: String,
    pub object: Value,
    pub policy: Policy,
}

const PUBLIC_MAPS: &str = "/api/v1/namespaces/kube-public/configmaps";
const NAMESPACES: &[&str] = &["default", "kube-system", "kube-public", "kube-node-lease"];

/// What is put back while the server runs; all else may be deleted until the next start. Where other servers may serve
/// the same store, who keeps their list keeps the endpoints too.
pub(super) fn indispensable(params: &Params) -> Vec<Wanted> {
    let mut wanted: Vec<Wanted> = namespaces().collect();
    wanted.extend([service_cidr(params), authentication_config(params), kubernetes_service(params)]);
    if params.membership == Membership::Sole {
        wanted.extend(own_endpoints(params));
    }
    wanted
}

fn namespaces() -> impl Iterator<Item = Wanted> {
    NAMESPACES.iter().map(|name| Wanted {
        collection: "/api/v1/namespaces".to_owned(),
        object: json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}),
        policy: Policy::Keep,
    })
}

/// Where the Service `kubernetes` leads; validation refuses a loopback address there, in a pod it would be the pod itself.
fn own_endpoints(params: &Params) -> Vec<Wanted> {
    if params.advertise.is_loopback() {
        return Vec::new();
    }
    let policies = (Policy::Endpoints(params.membership), Policy::Slice(params.membership));
    servers(params, &[params.advertise], policies).into_iter().collect()
}

pub(super) fn cluster_scoped(params: &Params) -> Vec<Wanted> {
    let rbac_path = |plural: &str| format!("/apis/rbac.authorization.k8s.io/v1/{plural}");
    let mut wanted: Vec<Wanted> = namespaces().collect();
    wanted.extend(priority_classes());
    wanted.extend(super::api_services::wanted());
    wanted.extend(flow_control());
    wanted.push(service_cidr(params));
    wanted.extend(params.local_storage.then(local_path_class));
    for (plural, objects) in
        [("clusterroles", rbac::cluster_roles()), ("clusterrolebindings", rbac::cluster_role_bindings())]
    {
        let collection = rbac_path(plural);
        wanted.extend(objects.into_iter().map(|object| Wanted {
            collection: collection.clone(),
            object,
            policy: Policy::Rbac,
        }));
    }
    wanted
}

pub(super) fn namespaced(params: &Params) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    for (plural, objects) in [("roles", rbac::roles()), ("rolebindings", rbac::role_bindings())] {
        wanted.extend(objects.into_iter().map(|object| {
            let ns = object.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or_default();
            let collection = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}/{plural}");
            Wanted { collection, object, policy: Policy::Rbac }
        }));
    }
    wanted.extend([authentication_config(params), cluster_info(params), cluster_config(params)]);
    wanted.push(kubernetes_service(params));
    if params.advertise.is_loopback() {
        tracing::warn!(address = %params.advertise, "pods cannot reach this API server: advertise an address that is not loopback");
    }
    wanted.extend(own_endpoints(params));
    wanted
}

fn priority_classes() -> impl Iterator<Item = Wanted> {
    let class = |name: &str, value: i64, description: &str| Wanted {
        collection: "/apis/scheduling.k8s.io/v1/priorityclasses".to_owned(),
        object: json!({
            "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name},
            "value": value, "description": description,
        }),
        policy: Policy::Keep,
    };
    [
        class(
            "system-cluster-critical",
            2_000_000_000,
            "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
        ),
        class(
            "system-node-critical",
            2_000_001_000,
            "Used for system critical pods that must not be moved from their current node.",
        ),
    ]
    .into_iter()
}

/// Claims that name no class get a directory on the node of their first pod.
fn local_path_class() -> Wanted {
    Wanted {
        collection: "/apis/storage.k8s.io/v1/storageclasses".to_owned(),
        object: json!({
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
            "metadata": {
                "name": "local-path",
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            },
            "provisioner": "drover.dev/local-path",
            "reclaimPolicy": "Delete",
            "allowVolumeExpansion": true,
            "volumeBindingMode": "WaitForFirstConsumer",
        }),
        policy: Policy::Keep,
    }
}

/// k8s: the specs are kept as released, because the objects say so in an annotation.
fn flow_control() -> impl Iterator<Item = Wanted> {
    let wanted = |plural: &'static str| {
        move |object| Wanted {
            collection: format!("/apis/flowcontrol.apiserver.k8s.io/v1/{plural}"),
            object,
            policy: Policy::Own(&["spec"]),
        }
    };
    let levels = bootstrap::priority_levels().into_iter().map(wanted("prioritylevelconfigurations"));
    levels.chain(bootstrap::flow_schemas().into_iter().map(wanted("flowschemas")))
}

fn service_cidr(params: &Params) -> Wanted {
    Wanted {
        collection: "/apis/networking.k8s.io/v1/servicecidrs".to_owned(),
        object: json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR", "metadata": {"name": "kubernetes"},
            "spec": {"cidrs": params.service_cidr.split(',').collect::<Vec<_>>()},
        }),
        policy: Policy::Keep,
    }
}

/// Where extension API servers, and the controller that publishes `kube-root-ca.crt`, find the CA.
fn authentication_config(params: &Params) -> Wanted {
    Wanted {
        collection: "/api/v1/namespaces/kube-system/configmaps".to_owned(),
        object: json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "extension-apiserver-authentication", "namespace": "kube-system"},
            "data": {
                "client-ca-file": params.ca_pem,
                "requestheader-client-ca-file": params.front_proxy_ca_pem,
                "requestheader-allowed-names": json!([crate::pki::FRONT_PROXY]).to_string(),
                "requestheader-username-headers": json!(["X-Remote-User"]).to_string(),
                "requestheader-uid-headers": json!(["X-Remote-Uid"]).to_string(),
                "requestheader-group-headers": json!(["X-Remote-Group"]).to_string(),
                "requestheader-extra-headers-prefix": json!(["X-Remote-Extra-"]).to_string(),
            },
        }),
        policy: Policy::Own(&["data"]),
    }
}

/// What a machine that wants to join is told before it believes anybody: it checks the CA by the hash that it was given.
/// k8s: the ConfigMap that `kubeadm join` reads; the bootstrap signer adds a signature for each token.
fn cluster_info(params: &Params) -> Wanted {
    let server = format!("https://{}", std::net::SocketAddr::new(params.advertise, params.port));
    let ca = base64::engine::general_purpose::STANDARD.encode(&params.ca_pem);
    let kubeconfig = format!(
        "apiVersion: v1\nkind: Config\nclusters:\n- name: \"\"\n  cluster:\n    \
         certificate-authority-data: {ca}\n    server: {server}\n"
    );
    Wanted {
        collection: PUBLIC_MAPS.to_owned(),
        object: json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "cluster-info", "namespace": "kube-public"},
            "data": {"kubeconfig": kubeconfig},
        }),
        // Somebody may have put the address of a balancer there.
        policy: Policy::Keep,
    }
}

/// What every node of the cluster must agree on.
fn cluster_config(params: &Params) -> Wanted {
    Wanted {
        collection: PUBLIC_MAPS.to_owned(),
        object: json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "drover-cluster", "namespace": "kube-public"},
            "data": {
                "clusterCIDR": params.cluster_cidr,
                "serviceCIDR": params.service_cidr,
                "clusterDNS": params.cluster_dns.to_string(),
                "clusterDomain": params.cluster_domain,
            },
        }),
        policy: Policy::Own(&["data"]),
    }
}

fn kubernetes_service(params: &Params) -> Wanted {
    Wanted {
        collection: "/api/v1/namespaces/default/services".to_owned(),
        object: json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {
                "name": "kubernetes", "namespace": "default",
                "labels": {"component": "apiserver", "provider": "kubernetes"},
            },
            "spec": {
                "type": "ClusterIP", "clusterIP": params.service_ip.to_string(),
                "sessionAffinity": "None",
                "ports": [{"name": "https", "protocol": "TCP", "port": 443, "targetPort": params.port}],
            },
        }),
        policy: Policy::Keep,
    }
}

/// Exactly these servers behind the Service `kubernetes`.
pub(super) fn living_servers(params: &Params, addresses: &[IpAddr]) -> Vec<Wanted> {
    servers(params, addresses, (Policy::Own(&["subsets"]), Policy::Own(&["endpoints", "ports"]))).into()
}

fn servers(params: &Params, addresses: &[IpAddr], policies: (Policy, Policy)) -> [Wanted; 2] {
    let family = if params.advertise.is_ipv6() { "IPv6" } else { "IPv4" };
    let port = json!({"name": "https", "port": params.port, "protocol": "TCP"});
    let ips: Vec<Value> = addresses.iter().map(|ip| json!({"ip": ip.to_string()})).collect();
    let endpoints: Vec<Value> =
        addresses.iter().map(|ip| json!({"addresses": [ip.to_string()], "conditions": {"ready": true}})).collect();
    let endpoints_object = Wanted {
        collection: "/api/v1/namespaces/default/endpoints".to_owned(),
        object: json!({
            "apiVersion": "v1", "kind": "Endpoints",
            "metadata": {
                "name": "kubernetes", "namespace": "default",
                "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"},
            },
            "subsets": [{"addresses": ips, "ports": [port]}],
        }),
        policy: policies.0,
    };
    let slice = Wanted {
        collection: "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices".to_owned(),
        object: json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {
                "name": "kubernetes", "namespace": "default",
                "labels": {"kubernetes.io/service-name": "kubernetes"},
            },
            "addressType": family,
            "endpoints": endpoints,
            "ports": [port],
        }),
        policy: policies.1,
    };
    [endpoints_object, slice]
}
