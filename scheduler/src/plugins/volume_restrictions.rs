//! VolumeRestrictions: a disk that cannot be shared, and a claim that only one pod may use.

use super::{ClusterEvent, Looks, Plugin, Rejection};
use crate::pod_info::{Disk, PodInfo};
use crate::question::Question;
use crate::snapshot::NodeInfo;

pub(super) const PLUGIN: Plugin =
    Plugin { filter: Some(filter), looks: Looks::AtClaims, ..Plugin::new("VolumeRestrictions", helped_by) };

fn helped_by(event: &ClusterEvent, pod: &PodInfo) -> bool {
    match event {
        ClusterEvent::NodeAdded(_) => true,
        ClusterEvent::PodLeft(other) => {
            pod.claim_keys().any(|key| other.claim_keys().any(|held| held == key)) || collide(&pod.disks, &other.disks)
        }
        ClusterEvent::ClaimChanged(changed) => pod.claim_keys().any(|key| key == *changed),
        _ => false,
    }
}

fn collide(wanted: &[Disk], held: &[Disk]) -> bool {
    let same = |a: &Disk, b: &Disk| a.id == b.id && !(a.is_shared && b.is_shared);
    wanted.iter().any(|wanted| held.iter().any(|held| same(wanted, held)))
}

fn filter(ask: &Question<'_>, node: &NodeInfo) -> Result<(), Rejection> {
    if !ask.pod.disks.is_empty() && node.pods.values().any(|other| collide(&ask.pod.disks, &other.disks)) {
        return Err(Rejection::passing("node(s) had no available disk"));
    }
    let taken = |claim: &String| {
        let here = |other: &PodInfo| other.uid != ask.pod.uid && other.claim_keys().any(|key| key == *claim);
        ask.snapshot.volumes.is_used_elsewhere(claim, &node.name) || node.pods.values().any(|other| here(other))
    };
    if ask.claims.exclusive.iter().any(taken) {
        let text = "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode";
        return Err(Rejection::passing(text));
    }
    Ok(())
}
