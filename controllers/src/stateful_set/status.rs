//! A StatefulSet's status from its pods.

use super::revision::Revisions;
use super::{Seen, identity, rollout};
use crate::pod;
use crate::write::nonzero;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetStatus};
use k8s_openapi::api::core::v1::Pod;

pub(super) fn compute(seen: &Seen, revisions: &Revisions, now: Timestamp) -> StatefulSetStatus {
    let set = seen.set.as_ref();
    let seconds = set.spec.min_ready_seconds.unwrap_or(0);
    let count = |wanted: &dyn Fn(&Pod) -> bool| seen.pods.iter().filter(|pod| wanted(pod)).count() as i32;
    let at = |name: &str| count(&|pod| !pod::is_terminating(pod) && rollout::revision(pod) == Some(name));
    let ready = count(&rollout::is_running_and_ready);
    let available = count(&|pod| rollout::is_running_and_ready(pod) && pod::is_available(pod, seconds, now));
    let old = set.status.clone().unwrap_or_default();
    let mut status = StatefulSetStatus {
        replicas: seen.pods.len() as i32,
        ready_replicas: nonzero(ready),
        available_replicas: Some(available), // k8s: always written
        current_replicas: nonzero(at(&revisions.current.name)),
        updated_replicas: nonzero(at(&revisions.update.name)),
        current_revision: Some(revisions.current.name.clone()),
        update_revision: Some(revisions.update.name.clone()),
        observed_generation: set.metadata.generation,
        collision_count: Some(old.collision_count.unwrap_or(0)),
        conditions: old.conditions,
    };
    complete(set, &mut status);
    status
}

/// A finished rolling update makes the updated revision the current one (k8s: completeRollingUpdate).
fn complete(set: &StatefulSet, status: &mut StatefulSetStatus) {
    let wanted = identity::replicas(set);
    let all = [Some(status.replicas), status.ready_replicas.or(Some(0)), status.updated_replicas.or(Some(0))];
    if !rollout::is_on_delete(set) && all.iter().all(|count| *count == Some(wanted)) {
        status.current_replicas = status.updated_replicas;
        status.current_revision.clone_from(&status.update_revision);
    }
}

/// The set with this status, if it says something new.
pub(super) fn changed(set: &StatefulSet, status: &StatefulSetStatus) -> Option<StatefulSet> {
    let old = set.status.clone().unwrap_or_default();
    let same = StatefulSetStatus {
        ready_replicas: nonzero(old.ready_replicas.unwrap_or(0)),
        available_replicas: Some(old.available_replicas.unwrap_or(0)),
        current_replicas: nonzero(old.current_replicas.unwrap_or(0)),
        updated_replicas: nonzero(old.updated_replicas.unwrap_or(0)),
        collision_count: Some(old.collision_count.unwrap_or(0)),
        ..old
    } == *status;
    (!same).then(|| StatefulSet { status: Some(status.clone()), ..set.clone() })
}
