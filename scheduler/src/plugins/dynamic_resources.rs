//! DynamicResources: a pod goes where the devices of its claims are, or where devices can be found for them.

use super::{ClusterEvent, Looks, Plugin, Rejection};
use crate::pod_info::PodInfo;
use crate::question::Question;
use crate::snapshot::NodeInfo;
use kinds::device::ClaimOfPod;

pub(crate) const NAME: &str = "DynamicResources";

pub(super) const PLUGIN: Plugin =
    Plugin { hopeless: Some(hopeless), filter: Some(filter), looks: Looks::AtClaims, ..Plugin::new(NAME, helped_by) };

fn helped_by(event: &ClusterEvent, pod: &PodInfo) -> bool {
    match event {
        ClusterEvent::DeviceClaimChanged(changed) => pod.device_claims.iter().any(|entry| match entry {
            ClaimOfPod::Named(name) | ClaimOfPod::Generated(name) => {
                changed.split_once('/').is_some_and(|(ns, claim)| ns == pod.key.ns && claim == name)
            }
            ClaimOfPod::Awaited | ClaimOfPod::Needless => false,
        }),
        ClusterEvent::DevicesFreed
        | ClusterEvent::DevicesChanged
        | ClusterEvent::NodeAdded(_)
        | ClusterEvent::NodeLabelsChanged(_) => true,
        _ => false,
    }
}

fn hopeless(ask: &Question<'_>) -> Option<Rejection> {
    ask.devices.hopeless.clone().map(Rejection::lasting)
}

fn filter(ask: &Question<'_>, node: &NodeInfo) -> Result<(), Rejection> {
    ask.devices.reach(node)
}
