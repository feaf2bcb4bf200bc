//! From API objects to a [`Ruleset`]: what the ports of a Service are on this node. Pure.

mod endpoints;

use crate::ruleset::{HealthCheck, PortKey, Protocol, Ruleset, ServicePort, Target};
use endpoints::Candidate;
use k8s_openapi::api::core::v1::{Node, Service, ServicePort as ApiPort, ServiceSpec};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kinds::ip::{Cidr, Family};
use std::net::IpAddr;

/// A Service with one of these labels is none of ours: it belongs to another proxy, or is headless whatever its address.
/// k8s: kube-proxy watches neither Services nor slices that carry either label
const NOT_OURS: [&str; 2] = ["service.kubernetes.io/service-proxy-name", "service.kubernetes.io/headless"];

/// k8s: `timeoutSeconds` of ClientIP affinity.
const AFFINITY_SECS: i32 = 10_800;

const ZONE: &str = "topology.kubernetes.io/zone";

/// Where this node is: what hints and Local policies are read against.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub node: String,
    pub zone: Option<String>,
    /// Addresses of others are left out: each family is programmed by itself.
    pub family: Family,
}

impl Place {
    pub fn of(name: &str, node: Option<&Node>, family: Family) -> Self {
        let labels = node.and_then(|node| node.metadata.labels.as_ref());
        Self { node: name.to_owned(), zone: labels.and_then(|labels| labels.get(ZONE).cloned()), family }
    }
}

/// The ports of one Service, given the slices that carry its name.
pub fn service<'a>(
    service: &Service,
    slices: impl Iterator<Item = &'a EndpointSlice> + Clone,
    place: &Place,
) -> Ruleset {
    let (Some(spec), Some(cluster_ip)) = (service.spec.as_ref(), cluster_ip(service, place.family)) else {
        return Ruleset::new();
    };
    let ports = spec.ports.iter().flatten();
    ports
        .filter_map(|port| {
            let protocol = Protocol::parse(port.protocol.as_deref())?;
            let key = PortKey {
                ns: service.metadata.namespace.clone().unwrap_or_default(),
                service: service.metadata.name.clone().unwrap_or_default(),
                port: port.name.clone().unwrap_or_default(),
                protocol,
            };
            let candidates = endpoints::candidates(&key, slices.clone(), place);
            let compiled = service_port(service, spec, port, cluster_ip, (&candidates, place))?;
            Some((key, compiled))
        })
        .collect()
}

/// The address to program; `None` for headless and ExternalName Services, those that are not ours and of the other family.
fn cluster_ip(service: &Service, family: Family) -> Option<IpAddr> {
    let labels = service.metadata.labels.as_ref();
    let foreign = labels.is_some_and(|labels| NOT_OURS.iter().any(|label| labels.contains_key(*label)));
    let spec = service.spec.as_ref()?;
    if foreign || spec.type_.as_deref() == Some("ExternalName") {
        return None;
    }
    let all = spec.cluster_ips.iter().flatten().chain(&spec.cluster_ip);
    of_family(all.filter_map(|ip| ip.parse().ok()), family).next()
}

fn of_family(addresses: impl Iterator<Item = IpAddr>, family: Family) -> impl Iterator<Item = IpAddr> {
    addresses.filter(move |ip| Family::of(*ip) == family)
}

fn service_port(
    service: &Service,
    spec: &ServiceSpec,
    port: &ApiPort,
    cluster_ip: IpAddr,
    (candidates, place): (&[Candidate], &Place),
) -> Option<ServicePort> {
    let number = |port: i32| u16::try_from(port).ok().filter(|port| *port != 0);
    let mut compiled = ServicePort {
        cluster_ip,
        port: number(port.port)?,
        node_port: port.node_port.and_then(number),
        external_ips: of_family(spec.external_ips.iter().flatten().filter_map(|ip| ip.parse().ok()), place.family)
            .collect(),
        load_balancer_ips: of_family(load_balancer_ips(service), place.family).collect(),
        source_ranges: source_ranges(spec, place.family),
        health_check: spec
            .health_check_node_port
            .and_then(number)
            .map(|port| HealthCheck { port, local: endpoints::ready_addresses_here(candidates) }),
        internal: policy(spec.internal_traffic_policy.as_deref()),
        external: policy(spec.external_traffic_policy.as_deref()),
        affinity_secs: affinity_secs(spec),
        endpoints: endpoints::of_cluster(candidates, place),
        local_endpoints: endpoints::of_node(candidates),
        hairpins: Vec::new(),
    };
    let from_afar = compiled.is_external() && compiled.external == Target::Local;
    let used = [&*compiled.endpoints, &*compiled.local_endpoints];
    compiled.hairpins = endpoints::hairpins(candidates, from_afar, used);
    Some(compiled)
}

fn policy(text: Option<&str>) -> Target {
    if text == Some("Local") { Target::Local } else { Target::Cluster }
}

fn affinity_secs(spec: &ServiceSpec) -> Option<u32> {
    (spec.session_affinity.as_deref() == Some("ClientIP")).then(|| {
        let configured =
            spec.session_affinity_config.as_ref().and_then(|config| config.client_ip.as_ref()?.timeout_seconds);
        configured.unwrap_or(AFFINITY_SECS).unsigned_abs()
    })
}

/// Addresses that a load balancer leaves in its packets.
pub(crate) fn load_balancer_ips(service: &Service) -> impl Iterator<Item = IpAddr> + '_ {
    let ingress = service.status.as_ref().and_then(|status| status.load_balancer.as_ref()?.ingress.as_ref());
    ingress
        .into_iter()
        .flatten()
        .filter(|ingress| ingress.ip_mode.as_deref() != Some("Proxy"))
        .filter_map(|ingress| ingress.ip.as_deref()?.parse().ok())
}

/// k8s: a range that covers every address restricts nothing.
fn source_ranges(spec: &ServiceSpec, family: Family) -> Vec<Cidr> {
    let texts = spec.load_balancer_source_ranges.iter().flatten();
    let ranges = texts.filter_map(|text| text.parse().ok());
    let ranges: Vec<Cidr> = ranges.filter(|range: &Cidr| range.family() == family).collect();
    if ranges.iter().any(|range| range.length() == 0) { Vec::new() } else { ranges }
}
