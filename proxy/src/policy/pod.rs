//! What NetworkPolicies want to know of a pod, and nothing else: most changes of pods change none of it.

use crate::ruleset::Protocol;
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};
use kinds::ip::Family;
use std::collections::BTreeMap;
use std::net::IpAddr;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    pub ns: String,
    pub labels: BTreeMap<String, String>,
    pub node: String,
    /// Of the family that is asked for.
    pub address: IpAddr,
    /// Name and protocol -> number.
    pub ports: BTreeMap<(String, Protocol), u16>,
}

impl Subject {
    /// As one address family sees it; `None` for pods without such an address of their own: not started, finished (another pod may have it by now), or on
    /// the node's network. k8s: policies treat the latter as the node.
    pub fn of(pod: &Pod, family: Family) -> Option<Self> {
        let (spec, status) = (pod.spec.as_ref()?, pod.status.as_ref()?);
        let finished = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
        if finished || spec.host_network == Some(true) {
            return None;
        }
        let all = status.pod_ips.iter().flatten().map(|ip| ip.ip.as_str());
        Some(Self {
            ns: pod.metadata.namespace.clone().unwrap_or_default(),
            labels: pod.metadata.labels.clone().unwrap_or_default(),
            node: spec.node_name.clone().unwrap_or_default(),
            address: all
                .chain(status.pod_ip.as_deref())
                .filter_map(|ip| ip.parse().ok())
                .find(|ip: &IpAddr| Family::of(*ip) == family)?,
            ports: ports(spec),
        })
    }
}

/// Those of containers that run beside each other; the first of a name counts.
fn ports(spec: &PodSpec) -> BTreeMap<(String, Protocol), u16> {
    let is_sidecar = |container: &&Container| container.restart_policy.as_deref() == Some("Always");
    let containers = spec.containers.iter().chain(spec.init_containers.iter().flatten().filter(is_sidecar));
    let mut ports = BTreeMap::new();
    for port in containers.flat_map(|container| container.ports.iter().flatten()) {
        let number = u16::try_from(port.container_port).ok();
        let named = port.name.clone().zip(Protocol::parse(port.protocol.as_deref()));
        if let (Some(named), Some(number)) = (named, number) {
            ports.entry(named).or_insert(number);
        }
    }
    ports
}
