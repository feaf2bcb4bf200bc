//! The status of a ReplicaSet or ReplicationController, from its pods.

use super::leaving;
use super::replicated::Replicated;
use crate::pod;
use crate::write::{nonzero, time};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{ReplicaSetCondition, ReplicaSetStatus};
use k8s_openapi::api::core::v1::Pod;
use std::sync::Arc;

const REPLICA_FAILURE: &str = "ReplicaFailure";

/// Whether this run found the right number of pods.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pods {
    Steady,
    Changing,
}

pub(super) fn compute<O: Replicated>(owner: &O, pods: &[Arc<Pod>], now: Timestamp, found: Pods) -> ReplicaSetStatus {
    let active: Vec<&Arc<Pod>> = pods.iter().filter(|pod| pod::is_active(pod)).collect();
    let template_labels = owner.template().metadata.and_then(|meta| meta.labels).unwrap_or_default();
    let fully_labeled = |pod: &&&Arc<Pod>| {
        template_labels
            .iter()
            .all(|(name, value)| pod.metadata.labels.as_ref().and_then(|labels| labels.get(name)) == Some(value))
    };
    let seconds = owner.min_ready_seconds();
    let available = active.iter().filter(|pod| pod::is_available(pod, seconds, now));
    let (leaving, staying): (Vec<&&Arc<Pod>>, Vec<_>) = available.partition(|pod| leaving::is(pod, now));
    let available = leaving::available(staying.len(), leaving.len(), owner.replicas());
    let terminating = pods.iter().filter(|pod| pod::is_terminating(pod) && !pod::is_terminal(pod)).count();
    let mut conditions = owner.status().conditions.unwrap_or_default();
    if found == Pods::Steady {
        conditions.retain(|condition| condition.type_.as_deref() != Some(REPLICA_FAILURE));
    }
    ReplicaSetStatus {
        replicas: active.len() as i32,
        fully_labeled_replicas: nonzero(active.iter().filter(fully_labeled).count() as i32),
        ready_replicas: nonzero(active.iter().filter(|pod| pod::is_ready(pod)).count() as i32),
        available_replicas: nonzero(available as i32),
        terminating_replicas: nonzero(terminating as i32),
        observed_generation: owner.metadata().generation,
        conditions: (!conditions.is_empty()).then_some(conditions),
    }
}

/// The owner with this status, if it says something new.
pub(super) fn changed<O: Replicated>(owner: &O, status: ReplicaSetStatus) -> Option<O> {
    let changed = owner.with_status(status);
    (bare(changed.status()) != bare(owner.status())).then_some(changed)
}

/// Without the ways to say nothing.
fn bare(status: ReplicaSetStatus) -> ReplicaSetStatus {
    ReplicaSetStatus {
        fully_labeled_replicas: nonzero(status.fully_labeled_replicas.unwrap_or(0)),
        ready_replicas: nonzero(status.ready_replicas.unwrap_or(0)),
        available_replicas: nonzero(status.available_replicas.unwrap_or(0)),
        terminating_replicas: nonzero(status.terminating_replicas.unwrap_or(0)),
        conditions: status.conditions.filter(|conditions| !conditions.is_empty()),
        ..status
    }
}

/// The status with the condition that says why pods cannot be made; one that gives the same reason already stays.
pub(super) fn with_failure(mut status: ReplicaSetStatus, reason: &str, why: &str, now: Timestamp) -> ReplicaSetStatus {
    let conditions = status.conditions.get_or_insert_default();
    let is_failure = |condition: &ReplicaSetCondition| condition.type_.as_deref() == Some(REPLICA_FAILURE);
    if !conditions.iter().any(|one| is_failure(one) && one.reason.as_deref() == Some(reason)) {
        conditions.retain(|condition| !is_failure(condition));
        conditions.push(ReplicaSetCondition {
            type_: Some(REPLICA_FAILURE.to_owned()),
            status: Some("True".to_owned()),
            reason: Some(reason.to_owned()),
            message: Some(why.to_owned()),
            last_transition_time: Some(time(now)),
        });
    }
    status
}
