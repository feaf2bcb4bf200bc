//! From API objects to a [`Ruleset`]: which endpoints a Service's port may use on this node. Pure.
//!
//! k8s: ready endpoints; where there are none, those that are serving though terminating, so that the last pods of a
//! rolling update still answer.

use crate::ruleset::{Endpoint, PortKey, Protocol, Ruleset, ServicePort, Target};
use k8s_openapi::api::core::v1::{Service, ServicePort as ApiPort, ServiceSpec};
use k8s_openapi::api::discovery::v1::{Endpoint as ApiEndpoint, EndpointSlice};
use std::net::Ipv4Addr;

/// A Service with this label belongs to another proxy.
const OTHER_PROXY: &str = "service.kubernetes.io/service-proxy-name";

/// k8s: `timeoutSeconds` of ClientIP affinity.
const AFFINITY_SECS: i32 = 10_800;

/// The ports of one Service, given the slices that carry its name.
pub fn service<'a>(service: &Service, slices: impl Iterator<Item = &'a EndpointSlice> + Clone, node: &str) -> Ruleset {
    let (Some(spec), Some(cluster_ip)) = (service.spec.as_ref(), cluster_ip(service)) else {
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
            let candidates = candidates(&key, slices.clone(), node);
            Some((key, service_port(service, spec, port, cluster_ip, &candidates)?))
        })
        .collect()
}

/// The address to program; `None` for headless and ExternalName Services and those of another proxy.
fn cluster_ip(service: &Service) -> Option<Ipv4Addr> {
    let foreign = service.metadata.labels.as_ref().is_some_and(|labels| labels.contains_key(OTHER_PROXY));
    let spec = service.spec.as_ref()?;
    if foreign || spec.type_.as_deref() == Some("ExternalName") {
        return None;
    }
    spec.cluster_ip.as_deref()?.parse().ok()
}

struct Candidate {
    endpoint: Endpoint,
    local: bool,
    ready: bool,
    serving: bool,
}

fn candidates<'a>(key: &PortKey, slices: impl Iterator<Item = &'a EndpointSlice>, node: &str) -> Vec<Candidate> {
    let mut found = Vec::new();
    for slice in slices.filter(|slice| slice.address_type == "IPv4") {
        let port = slice.ports.iter().flatten().find(|port| {
            port.name.as_deref().unwrap_or_default() == key.port
                && Protocol::parse(port.protocol.as_deref()) == Some(key.protocol)
        });
        let Some(port) = port.and_then(|port| port.port).and_then(|port| u16::try_from(port).ok()) else { continue };
        found.extend(slice.endpoints.iter().flatten().filter_map(|endpoint| candidate(endpoint, port, node)));
    }
    found
}

fn candidate(endpoint: &ApiEndpoint, port: u16, node: &str) -> Option<Candidate> {
    let conditions = endpoint.conditions.as_ref();
    let ready = conditions.and_then(|c| c.ready).unwrap_or(true);
    Some(Candidate {
        // k8s: only the first address of an endpoint counts.
        endpoint: Endpoint { address: endpoint.addresses.first()?.parse().ok()?, port },
        local: endpoint.node_name.as_deref() == Some(node),
        ready,
        serving: conditions.and_then(|c| c.serving).unwrap_or(ready),
    })
}

fn service_port(
    service: &Service,
    spec: &ServiceSpec,
    port: &ApiPort,
    cluster_ip: Ipv4Addr,
    candidates: &[Candidate],
) -> Option<ServicePort> {
    Some(ServicePort {
        cluster_ip,
        port: u16::try_from(port.port).ok()?,
        node_port: port.node_port.and_then(|port| u16::try_from(port).ok()).filter(|port| *port != 0),
        external_ips: load_balancer_ips(service),
        internal: policy(spec.internal_traffic_policy.as_deref()),
        external: policy(spec.external_traffic_policy.as_deref()),
        affinity_secs: affinity_secs(spec),
        endpoints: usable(candidates.iter()),
        local_endpoints: usable(candidates.iter().filter(|candidate| candidate.local)),
    })
}

/// The ready ones, else the serving ones; sorted, each once.
fn usable<'a>(candidates: impl Iterator<Item = &'a Candidate> + Clone) -> Vec<Endpoint> {
    let pick = |test: fn(&Candidate) -> bool| {
        let mut found: Vec<Endpoint> = candidates.clone().filter(|c| test(c)).map(|c| c.endpoint).collect();
        found.sort_unstable();
        found.dedup();
        found
    };
    let ready = pick(|candidate| candidate.ready);
    if ready.is_empty() { pick(|candidate| candidate.serving) } else { ready }
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

fn load_balancer_ips(service: &Service) -> Vec<Ipv4Addr> {
    let ingress = service.status.as_ref().and_then(|status| status.load_balancer.as_ref()?.ingress.as_ref());
    ingress
        .into_iter()
        .flatten()
        .filter(|ingress| ingress.ip_mode.as_deref() != Some("Proxy"))
        .filter_map(|ingress| ingress.ip.as_deref()?.parse().ok())
        .collect()
}
