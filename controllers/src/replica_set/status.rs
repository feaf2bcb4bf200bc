//! A ReplicaSet's status from its pods.

use super::min_ready_seconds;
use crate::pod;
use crate::write::{nonzero, time};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{ReplicaSet, ReplicaSetCondition, ReplicaSetStatus};
use k8s_openapi::api::core::v1::Pod;
use std::sync::Arc;

const REPLICA_FAILURE: &str = "ReplicaFailure";

/// Whether this run found the right number of pods.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pods {
    Steady,
    Changing,
}

pub(super) fn compute(rs: &ReplicaSet, pods: &[Arc<Pod>], now: Timestamp, found: Pods) -> ReplicaSetStatus {
    let active: Vec<&Arc<Pod>> = pods.iter().filter(|pod| pod::is_active(pod)).collect();
    let template = rs.spec.template.as_ref().and_then(|template| template.metadata.as_ref());
    let template_labels = template.and_then(|meta| meta.labels.clone()).unwrap_or_default();
    let fully_labeled = |pod: &&&Arc<Pod>| {
        template_labels
            .iter()
            .all(|(name, value)| pod.metadata.labels.as_ref().and_then(|labels| labels.get(name)) == Some(value))
    };
    let seconds = min_ready_seconds(rs);
    let available = |pod: &&&Arc<Pod>| pod::available_at(pod, seconds).is_some_and(|at| at <= now);
    let terminating = pods.iter().filter(|pod| pod::is_terminating(pod) && !pod::is_terminal(pod)).count();
    let old = rs.status.clone().unwrap_or_default();
    let mut conditions = old.conditions.unwrap_or_default();
    if found == Pods::Steady {
        conditions.retain(|condition| condition.type_.as_deref() != Some(REPLICA_FAILURE));
    }
    ReplicaSetStatus {
        replicas: active.len() as i32,
        fully_labeled_replicas: nonzero(active.iter().filter(fully_labeled).count() as i32),
        ready_replicas: nonzero(active.iter().filter(|pod| pod::is_ready(pod)).count() as i32),
        available_replicas: nonzero(active.iter().filter(available).count() as i32),
        terminating_replicas: nonzero(terminating as i32),
        observed_generation: rs.metadata.generation,
        conditions: (!conditions.is_empty()).then_some(conditions),
    }
}

/// The ReplicaSet with this status, if it says something new.
pub(super) fn changed(rs: &ReplicaSet, status: &ReplicaSetStatus) -> Option<ReplicaSet> {
    let old = rs.status.clone().unwrap_or_default();
    let same = ReplicaSetStatus {
        fully_labeled_replicas: nonzero(old.fully_labeled_replicas.unwrap_or(0)),
        ready_replicas: nonzero(old.ready_replicas.unwrap_or(0)),
        available_replicas: nonzero(old.available_replicas.unwrap_or(0)),
        terminating_replicas: nonzero(old.terminating_replicas.unwrap_or(0)),
        conditions: old.conditions.filter(|conditions| !conditions.is_empty()),
        ..old
    } == *status;
    (!same).then(|| ReplicaSet { status: Some(status.clone()), ..rs.clone() })
}

/// The ReplicaSet with the condition that says why its pods cannot be made, if it does not say so yet.
pub(super) fn with_failure(rs: &ReplicaSet, reason: &str, message: &str, now: Timestamp) -> Option<ReplicaSet> {
    let mut status = rs.status.clone().unwrap_or_default();
    let mut conditions = status.conditions.unwrap_or_default();
    let known =
        conditions.iter().any(|c| c.type_.as_deref() == Some(REPLICA_FAILURE) && c.reason.as_deref() == Some(reason));
    if known {
        return None;
    }
    conditions.retain(|condition| condition.type_.as_deref() != Some(REPLICA_FAILURE));
    conditions.push(ReplicaSetCondition {
        type_: Some(REPLICA_FAILURE.to_owned()),
        status: Some("True".to_owned()),
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
        last_transition_time: Some(time(now)),
    });
    status.conditions = Some(conditions);
    status.observed_generation = rs.metadata.generation;
    Some(ReplicaSet { status: Some(status), ..rs.clone() })
}
