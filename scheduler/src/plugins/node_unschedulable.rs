//! NodeUnschedulable: a cordoned node takes only pods that tolerate that.

use super::{ClusterEvent, Plugin, Rejection};
use crate::pod_info::PodInfo;
use crate::question::Question;
use crate::snapshot::NodeInfo;
use k8s_openapi::api::core::v1::Taint;
use kinds::placement::tolerates;

pub(super) const PLUGIN: Plugin = Plugin { filter: Some(filter), ..Plugin::new("NodeUnschedulable", helped_by) };

fn helped_by(event: &ClusterEvent, pod: &PodInfo) -> bool {
    match event {
        ClusterEvent::NodeAdded(node) | ClusterEvent::NodeTaintsChanged(node) => takes(pod, node),
        _ => false,
    }
}

fn takes(pod: &PodInfo, node: &NodeInfo) -> bool {
    if !node.unschedulable() {
        return true;
    }
    let cordon =
        Taint { key: "node.kubernetes.io/unschedulable".into(), effect: "NoSchedule".into(), ..Taint::default() };
    pod.tolerations().iter().any(|toleration| tolerates(toleration, &cordon))
}

fn filter(ask: &Question<'_>, node: &NodeInfo) -> Result<(), Rejection> {
    if takes(ask.pod, node) { Ok(()) } else { Err(Rejection::lasting("node(s) were unschedulable")) }
}
