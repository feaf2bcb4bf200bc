//! VolumeBinding: a pod goes where its volumes are, or where those that wait for their first pod can be found or made.

use super::{ClusterEvent, Looks, Plugin, Rejection};
use crate::pod_info::PodInfo;
use crate::question::Question;
use crate::snapshot::NodeInfo;

pub(super) const PLUGIN: Plugin = Plugin {
    hopeless: Some(hopeless),
    filter: Some(filter),
    looks: Looks::AtClaims,
    ..Plugin::new("VolumeBinding", helped_by)
};

fn helped_by(event: &ClusterEvent, pod: &PodInfo) -> bool {
    match event {
        ClusterEvent::ClaimChanged(changed) => pod.claim_keys().any(|key| key == *changed),
        ClusterEvent::VolumesChanged | ClusterEvent::NodeAdded(_) | ClusterEvent::NodeLabelsChanged(_) => true,
        _ => false,
    }
}

fn hopeless(ask: &Question<'_>) -> Option<Rejection> {
    ask.claims.hopeless.clone().map(Rejection::lasting)
}

fn filter(ask: &Question<'_>, node: &NodeInfo) -> Result<(), Rejection> {
    if ask.pod.claims.is_empty() { Ok(()) } else { ask.claims.reach(node) }
}
