//! NodePorts: two pods cannot hold the same host port on one address.

use super::{ClusterEvent, Plugin, Rejection};
use crate::pod_info::{HostPort, PodInfo};
use crate::question::Question;
use crate::snapshot::NodeInfo;

pub(super) const PLUGIN: Plugin = Plugin { filter: Some(filter), ..Plugin::new("NodePorts", helped_by) };

fn helped_by(event: &ClusterEvent, pod: &PodInfo) -> bool {
    match event {
        ClusterEvent::NodeAdded(_) => true,
        ClusterEvent::PodLeft(other) => meet(&pod.host_ports, &other.host_ports),
        _ => false,
    }
}

fn meet(wanted: &[HostPort], held: &[HostPort]) -> bool {
    wanted.iter().any(|wanted| held.iter().any(|held| wanted.meets(held)))
}

fn filter(ask: &Question<'_>, node: &NodeInfo) -> Result<(), Rejection> {
    let text = "node(s) didn't have free ports for the requested pod ports";
    if meet(&ask.pod.host_ports, &node.host_ports) { Err(Rejection::passing(text)) } else { Ok(()) }
}
