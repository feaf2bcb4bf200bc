//! The endpoints that a Service is to have, grouped by what a slice must have in common: address family and ports.

use super::Seen;
use crate::pod;
use crate::service_pods::{self, address, hostname, reference, target_port};
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointHints, EndpointPort, ForNode, ForZone};

/// Endpoints that may share slices.
pub(super) struct Group {
    pub(super) family: String,
    pub(super) ports: Vec<EndpointPort>,
    pub(super) endpoints: Vec<Endpoint>,
}

/// One group at least for each family, so that a Service without pods has its empty slice.
pub(super) fn desired(seen: &Seen) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for family in service_pods::families(&seen.service) {
        let first = groups.len();
        for (pod, zone) in seen.pods.iter().zip(&seen.zones) {
            if pod::is_terminal(pod) {
                continue;
            }
            let Some(ip) = address(pod, &family) else { continue };
            let ports = ports(&seen.service, pod);
            let endpoint = endpoint(&seen.service, pod, ip, zone.clone());
            match groups[first..].iter_mut().find(|group| group.ports == ports) {
                Some(group) => group.endpoints.push(endpoint),
                None => groups.push(Group { family: family.clone(), ports, endpoints: vec![endpoint] }),
            }
        }
        if groups.len() == first {
            groups.push(Group { family, ports: Vec::new(), endpoints: Vec::new() });
        }
    }
    groups
}

fn ports(service: &Service, pod: &Pod) -> Vec<EndpointPort> {
    let mut ports: Vec<EndpointPort> = service_pods::service_ports(service)
        .iter()
        .filter_map(|port| {
            Some(EndpointPort {
                name: Some(port.name.clone().unwrap_or_default()),
                port: Some(target_port(pod, port)?),
                protocol: Some(port.protocol.clone().unwrap_or_else(|| "TCP".to_owned())),
                app_protocol: port.app_protocol.clone(),
            })
        })
        .collect();
    ports.sort_by(|a, b| (&a.name, a.port, &a.protocol).cmp(&(&b.name, b.port, &b.protocol)));
    ports
}

fn endpoint(service: &Service, pod: &Pod, ip: &str, zone: Option<String>) -> Endpoint {
    let serving = pod::is_ready(pod);
    let terminating = pod::is_terminating(pod);
    // k8s: a terminating pod is never ready, unless the Service publishes what is not ready
    let ready = service_pods::publishes_unready(service) || (serving && !terminating);
    let node = pod::node_name(pod);
    Endpoint {
        addresses: vec![ip.to_owned()],
        conditions: Some(EndpointConditions {
            ready: Some(ready),
            serving: Some(serving),
            terminating: Some(terminating),
        }),
        hostname: hostname(pod, service),
        node_name: (!node.is_empty()).then(|| node.to_owned()),
        target_ref: Some(reference(pod)),
        hints: ready.then(|| hints(service, node, zone.as_deref())).flatten(),
        zone,
        ..Endpoint::default()
    }
}

/// Whom an endpoint is meant for: those who are where it is, as the Service's `trafficDistribution` prefers. Proxies use
/// hints only where every ready endpoint has them, so one on a node without a zone turns them off.
fn hints(service: &Service, node: &str, zone: Option<&str>) -> Option<EndpointHints> {
    let for_zones = zone.map(|zone| vec![ForZone { name: zone.to_owned() }]);
    match service.spec.as_ref()?.traffic_distribution.as_deref()? {
        "PreferClose" | "PreferSameZone" => {
            for_zones.map(|zones| EndpointHints { for_zones: Some(zones), for_nodes: None })
        }
        "PreferSameNode" if !node.is_empty() => {
            Some(EndpointHints { for_zones, for_nodes: Some(vec![ForNode { name: node.to_owned() }]) })
        }
        _ => None,
    }
}
