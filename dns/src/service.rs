//! How pods reach this server: the Service `kube-system/kube-dns` at its well-known address, and this node's EndpointSlice
//! of it. Kept as it should be by applying it again whenever the caches show something else.

use crate::zone;
use client::cache::Caches;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use std::net::{IpAddr, SocketAddr};

pub const NAMESPACE: &str = "kube-system";
/// The name that tools and network policies know.
pub const NAME: &str = "kube-dns";
const MANAGER: &str = "drover-dns";
/// The port that pods ask.
const PORT: u16 = 53;

/// What is to exist.
#[derive(Clone, Debug)]
pub struct Place {
    /// Address of the Service: `10.43.0.10`
    pub cluster_ip: IpAddr,
    /// Of the node or machine.
    pub name: String,
    /// `None` where it is no node.
    pub node_uid: Option<String>,
    /// Where this server listens.
    pub listen: SocketAddr,
}

impl Place {
    fn slice_name(&self) -> String {
        format!("{NAME}-{}", self.name)
    }

    fn service(&self) -> Value {
        let port = |name: &str, protocol: &str| json!({ "name": name, "port": PORT, "targetPort": self.listen.port(), "protocol": protocol });
        json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": NAME,
                "namespace": NAMESPACE,
                // `kubectl cluster-info` lists what says so.
                "labels": {
                    "k8s-app": NAME,
                    "kubernetes.io/cluster-service": "true",
                    "kubernetes.io/name": "CoreDNS",
                },
            },
            // No selector: the endpoints are the nodes' own DNS servers.
            "spec": { "clusterIP": self.cluster_ip, "ports": [port("dns", "UDP"), port("dns-tcp", "TCP")] },
        })
    }

    /// Gone with its node, where it is on one.
    fn owners(&self) -> Value {
        let owner = |uid| json!({ "apiVersion": "v1", "kind": "Node", "name": self.name, "uid": uid });
        self.node_uid.iter().map(owner).collect()
    }

    /// Whether others can ask at the address. The API takes no endpoint on a loopback device: it is another one everywhere.
    pub fn is_reachable(&self) -> bool {
        !self.listen.ip().is_loopback()
    }

    fn slice(&self) -> Value {
        let port =
            |name: &str, protocol: &str| json!({ "name": name, "port": self.listen.port(), "protocol": protocol });
        json!({
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": self.slice_name(),
                "namespace": NAMESPACE,
                "labels": {
                    "kubernetes.io/service-name": NAME,
                    "endpointslice.kubernetes.io/managed-by": "dns.drover",
                },
                "ownerReferences": self.owners(),
            },
            "addressType": if self.listen.is_ipv4() { "IPv4" } else { "IPv6" },
            "endpoints": [{
                "addresses": [self.listen.ip()],
                "nodeName": self.node_uid.as_ref().map(|_| &self.name),
                "conditions": { "ready": true, "serving": true, "terminating": false },
            }],
            "ports": [port("dns", "UDP"), port("dns-tcp", "TCP")],
        })
    }

    /// Whether the caches show both as they should be: the Service alone, where there is no endpoint to tell.
    pub fn is_published(&self, caches: &Caches) -> bool {
        let address = self.cluster_ip.to_string();
        let listen = self.listen.ip().to_string();
        let service = caches.of::<Service>().get(NAMESPACE, NAME);
        let slice = caches.of::<EndpointSlice>().get(NAMESPACE, &self.slice_name());
        service.is_some_and(|service| {
            service.spec.as_ref().and_then(|spec| spec.cluster_ip.as_deref()) == Some(address.as_str())
        }) && (!self.is_reachable()
            || slice.is_some_and(|slice| {
                zone::endpoints(&slice).any(|endpoint| endpoint.addresses.contains(&listen))
                    && slice.metadata.owner_references.iter().flatten().next().map(|owner| &owner.uid)
                        == self.node_uid.as_ref()
            }))
    }

    pub async fn publish(&self, client: &kube::Client) -> Result<(), kube::Error> {
        let apply = PatchParams::apply(MANAGER).force();
        let services: Api<Service> = Api::namespaced(client.clone(), NAMESPACE);
        services.patch(NAME, &apply, &Patch::Apply(self.service())).await?;
        if !self.is_reachable() {
            return Ok(());
        }
        let slices: Api<EndpointSlice> = Api::namespaced(client.clone(), NAMESPACE);
        slices.patch(&self.slice_name(), &apply, &Patch::Apply(self.slice())).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The API refuses such an endpoint: a server on a machine with no other address went on trying to publish it.
    #[test]
    fn a_server_that_nobody_else_can_reach_is_no_endpoint() {
        let mut builder = Caches::offline();
        zone::watches(&mut builder);
        let place = |listen: &str| Place {
            cluster_ip: IpAddr::from([10, 43, 0, 10]),
            name: "m".to_owned(),
            node_uid: None,
            listen: SocketAddr::new(listen.parse().unwrap(), 10_053),
        };
        let mut service = place("127.0.0.1").service();
        service["metadata"]["uid"] = json!("1");
        service["metadata"]["resourceVersion"] = json!("1");
        let caches = builder.offline_with(vec![service]).unwrap();
        for (listen, published) in [("127.0.0.1", true), ("127.1.2.3", true), ("::1", true), ("192.0.2.1", false)] {
            assert_eq!(place(listen).is_published(&caches), published, "{listen}");
        }
    }
}
