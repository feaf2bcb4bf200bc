//! The cluster's DNS Service on a node that has a DNS server of its own: pods here ask that one. Pure.

use client::action::Key;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointPort, EndpointSlice};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::net::SocketAddr;

/// The Service that pods ask for names.
pub(crate) fn key() -> Key {
    Key::new("kube-system", "kube-dns")
}

/// The only endpoint of the DNS Service on this node; `None` for all other Services, and for one that has pods of its own:
/// somebody runs another DNS server then.
pub(crate) fn own_slice(service: &Service, address: SocketAddr, node: &str) -> Option<EndpointSlice> {
    let meta = &service.metadata;
    let is_dns = (meta.namespace.as_deref(), meta.name.as_deref()) == (Some("kube-system"), Some("kube-dns"));
    let spec = service.spec.as_ref().filter(|_| is_dns)?;
    if spec.selector.as_ref().is_some_and(|selector| !selector.is_empty()) {
        return None;
    }
    let targets = |target: &Option<IntOrString>| *target == Some(IntOrString::Int(i32::from(address.port())));
    let ports = spec.ports.iter().flatten().filter(|port| targets(&port.target_port));
    let ports: Vec<EndpointPort> = ports
        .map(|port| EndpointPort {
            name: port.name.clone(),
            port: Some(i32::from(address.port())),
            protocol: port.protocol.clone(),
            ..EndpointPort::default()
        })
        .collect();
    Some(EndpointSlice {
        address_type: if address.is_ipv4() { "IPv4" } else { "IPv6" }.to_owned(),
        endpoints: Some(vec![Endpoint {
            addresses: vec![address.ip().to_string()],
            node_name: Some(node.to_owned()),
            ..Endpoint::default()
        }]),
        ports: Some(ports),
        ..EndpointSlice::default()
    })
    .filter(|slice| slice.ports.as_ref().is_some_and(|ports| !ports.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn service(name: &str, selector: serde_json::Value) -> Service {
        serde_json::from_value(json!({
            "metadata": {"name": name, "namespace": "kube-system"},
            "spec": {"selector": selector, "ports": [{"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 10053}]},
        }))
        .unwrap()
    }

    #[test]
    fn only_the_clusters_own_dns_is_answered_on_the_node() {
        let address = "10.42.1.1:10053".parse().unwrap();
        let own = own_slice(&service("kube-dns", json!({})), address, "n1").unwrap();
        assert_eq!(own.endpoints.unwrap()[0].addresses, ["10.42.1.1"]);
        assert!(own_slice(&service("kube-dns", json!({"k8s-app": "coredns"})), address, "n1").is_none());
        assert!(own_slice(&service("web", json!({})), address, "n1").is_none());
    }
}
