//! A DaemonSet's status: how many nodes want a pod, have one, and have one that works.

use super::eligible::Eligible;
use super::{ByNode, Seen, min_ready_seconds, rolling};
use crate::pod;
use crate::write::nonzero;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{DaemonSet, DaemonSetStatus};

/// k8s: updateDaemonSetStatus
pub(super) fn compute(seen: &Seen, by_node: &ByNode, hash: &str, now: Timestamp) -> DaemonSetStatus {
    let (mut desired, mut current, mut misplaced, mut ready, mut available, mut updated) = (0, 0, 0, 0, 0, 0);
    for (node, eligible) in &seen.nodes {
        // The oldest counts: a newer one beside it is not there to stay.
        let first = by_node.get(node).and_then(|pods| pods.first());
        if *eligible != Eligible::Run {
            misplaced += i32::from(first.is_some());
            continue;
        }
        desired += 1;
        let Some(pod) = first else { continue };
        current += 1;
        ready += i32::from(pod::is_ready(pod));
        available += i32::from(pod::is_available(pod, min_ready_seconds(&seen.set), now));
        updated += i32::from(rolling::runs(pod, hash));
    }
    let old = seen.set.status.clone().unwrap_or_default();
    DaemonSetStatus {
        desired_number_scheduled: desired,
        current_number_scheduled: current,
        number_misscheduled: misplaced,
        number_ready: ready,
        number_available: nonzero(available),
        number_unavailable: nonzero(desired - available),
        updated_number_scheduled: nonzero(updated),
        observed_generation: seen.set.metadata.generation,
        collision_count: old.collision_count,
        conditions: old.conditions,
    }
}

/// The set with this status, if it says something new.
pub(super) fn changed(set: &DaemonSet, status: &DaemonSetStatus) -> Option<DaemonSet> {
    let old = set.status.clone().unwrap_or_default();
    let same = DaemonSetStatus {
        number_available: nonzero(old.number_available.unwrap_or(0)),
        number_unavailable: nonzero(old.number_unavailable.unwrap_or(0)),
        updated_number_scheduled: nonzero(old.updated_number_scheduled.unwrap_or(0)),
        ..old
    } == *status;
    (!same).then(|| DaemonSet { status: Some(status.clone()), ..set.clone() })
}
