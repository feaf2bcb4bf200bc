//! NodeName: a pod that names its node goes nowhere else.

use super::{ClusterEvent, Plugin, Rejection};
use crate::pod_info::PodInfo;
use crate::question::Question;
use crate::snapshot::NodeInfo;

pub(super) const PLUGIN: Plugin = Plugin { filter: Some(filter), ..Plugin::new("NodeName", helped_by) };

fn helped_by(event: &ClusterEvent, pod: &PodInfo) -> bool {
    matches!(event, ClusterEvent::NodeAdded(node) if pod.node_name() == Some(&node.name))
}

fn filter(ask: &Question<'_>, node: &NodeInfo) -> Result<(), Rejection> {
    match ask.pod.node_name() {
        Some(name) if name != node.name => Err(Rejection::lasting("node(s) didn't match the requested node name")),
        _ => Ok(()),
    }
}
