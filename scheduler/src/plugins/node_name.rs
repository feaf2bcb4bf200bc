//! NodeName: a pod that names its node goes nowhere else.

use super::{ClusterEvent, Plugin, Reasons};
use crate::question::Question;
use crate::snapshot::NodeInfo;

pub(super) const PLUGIN: Plugin = Plugin {
    name: "NodeName",
    filter: Some(filter),
    score: None,
    helped_by: |event| matches!(event, ClusterEvent::NodeAdded),
};

fn filter(ask: &Question<'_>, node: &NodeInfo) -> Result<(), Reasons> {
    let pod = ask.pod;
    match pod.node_name() {
        Some(name) if name != node.name => Err(vec!["node(s) didn't match the requested node name".into()]),
        _ => Ok(()),
    }
}
