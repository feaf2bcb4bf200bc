//! NodePorts: two pods cannot hold the same host port on one address.

use super::{ClusterEvent, Plugin, Reasons};
use crate::question::Question;
use crate::snapshot::NodeInfo;

pub(super) const PLUGIN: Plugin = Plugin {
    name: "NodePorts",
    filter: Some(filter),
    score: None,
    helped_by: |event| matches!(event, ClusterEvent::NodeAdded | ClusterEvent::PodLeft),
};

fn filter(ask: &Question<'_>, node: &NodeInfo) -> Result<(), Reasons> {
    let pod = ask.pod;
    let taken = pod.host_ports.iter().any(|wanted| node.host_ports.iter().any(|held| wanted.meets(held)));
    if taken { Err(vec!["node(s) didn't have free ports for the requested pod ports".into()]) } else { Ok(()) }
}
