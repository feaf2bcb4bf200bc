//! VolumeZone: a volume with the labels of a zone is used in that zone.

use super::{ClusterEvent, Looks, Plugin, Rejection};
use crate::pod_info::PodInfo;
use crate::question::Question;
use crate::snapshot::NodeInfo;

const LABELS: [&str; 4] = [
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
];

pub(super) const PLUGIN: Plugin =
    Plugin { filter: Some(filter), looks: Looks::AtClaims, ..Plugin::new("VolumeZone", helped_by) };

fn helped_by(event: &ClusterEvent, pod: &PodInfo) -> bool {
    match event {
        ClusterEvent::ClaimChanged(changed) => pod.claim_keys().any(|key| key == *changed),
        ClusterEvent::VolumesChanged | ClusterEvent::NodeAdded(_) | ClusterEvent::NodeLabelsChanged(_) => true,
        _ => false,
    }
}

fn filter(ask: &Question<'_>, node: &NodeInfo) -> Result<(), Rejection> {
    // k8s: a node without any such label is in no zone that could be wrong.
    if ask.claims.bound.is_empty() || LABELS.iter().all(|label| node.label(label).is_none()) {
        return Ok(());
    }
    let wanted = ask.claims.bound.iter().filter_map(|volume| volume.metadata.labels.as_ref());
    let mut wanted =
        wanted.flat_map(|labels| LABELS.iter().filter_map(move |label| Some((*label, labels.get(*label)?))));
    // k8s: several zones of one volume are joined by two underscores.
    let in_zone = |(label, zones): (&str, &String)| {
        node.label(label).is_some_and(|zone| zones.split("__").any(|one| one == zone))
    };
    if wanted.all(in_zone) { Ok(()) } else { Err(Rejection::lasting("node(s) had no available volume zone")) }
}
