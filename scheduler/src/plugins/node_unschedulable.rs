//! NodeUnschedulable: a cordoned node takes only pods that tolerate that.

use super::{ClusterEvent, Plugin, Reasons, taint_toleration};
use crate::question::Question;
use crate::snapshot::NodeInfo;
use k8s_openapi::api::core::v1::Taint;

pub(super) const PLUGIN: Plugin = Plugin {
    name: "NodeUnschedulable",
    filter: Some(filter),
    score: None,
    helped_by: |event| matches!(event, ClusterEvent::NodeAdded | ClusterEvent::NodeTaintsChanged),
};

fn filter(ask: &Question<'_>, node: &NodeInfo) -> Result<(), Reasons> {
    let pod = ask.pod;
    if !node.unschedulable() {
        return Ok(());
    }
    let cordon =
        Taint { key: "node.kubernetes.io/unschedulable".into(), effect: "NoSchedule".into(), ..Taint::default() };
    if pod.tolerations().iter().any(|toleration| taint_toleration::tolerates(toleration, &cordon)) {
        Ok(())
    } else {
        Err(vec!["node(s) were unschedulable".into()])
    }
}
