//! NodeVolumeLimits: a CSI driver can attach only so many volumes to a node.

use super::{ClusterEvent, Looks, Plugin, Rejection};
use crate::pod_info::PodInfo;
use crate::question::Question;
use crate::snapshot::NodeInfo;
use std::collections::HashSet;

pub(super) const PLUGIN: Plugin =
    Plugin { filter: Some(filter), looks: Looks::AtClaims, ..Plugin::new("NodeVolumeLimits", helped_by) };

fn helped_by(event: &ClusterEvent, _: &PodInfo) -> bool {
    match event {
        ClusterEvent::NodeAdded(_) | ClusterEvent::VolumesChanged => true,
        ClusterEvent::PodLeft(other) => !other.claims.is_empty(),
        _ => false,
    }
}

fn filter(ask: &Question<'_>, node: &NodeInfo) -> Result<(), Rejection> {
    let (volumes, wanted) = (&ask.snapshot.volumes, &ask.claims.attach);
    let drivers: HashSet<&String> = wanted.iter().map(|(driver, _)| driver).collect();
    let limits: Vec<(&String, usize)> =
        drivers.into_iter().filter_map(|driver| Some((driver, volumes.limit(&node.name, driver)?))).collect();
    if limits.is_empty() {
        return Ok(());
    }
    let with_claims = node.pods.values().filter(|pod| !pod.claims.is_empty());
    let held: HashSet<(String, String)> = with_claims.flat_map(|pod| volumes.attached(pod)).collect();
    let is_over = limits.into_iter().any(|(driver, limit)| {
        let new = wanted.iter().filter(|volume| volume.0 == *driver && !held.contains(*volume)).count();
        // A pod whose volumes are all there already adds nothing.
        new > 0 && held.iter().filter(|volume| volume.0 == *driver).count() + new > limit
    });
    if is_over { Err(Rejection::passing("node(s) exceed max volume count")) } else { Ok(()) }
}
