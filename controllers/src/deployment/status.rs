//! A Deployment's status: counts over its ReplicaSets, and the conditions Available, Progressing and ReplicaFailure.

use super::plan::Plan;
use crate::write::{self, nonzero, time};
use client::cache::Tracked as _;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::{Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet, ReplicaSetStatus};
use kinds::moment::later;

const AVAILABLE: &str = "Available";
const PROGRESSING: &str = "Progressing";
const REPLICA_FAILURE: &str = "ReplicaFailure";
const NEW_RS_CREATED: &str = "NewReplicaSetCreated";
const NEW_RS_AVAILABLE: &str = "NewReplicaSetAvailable";
const RS_UPDATED: &str = "ReplicaSetUpdated";
const TIMED_OUT: &str = "ProgressDeadlineExceeded";
const PAUSED: &str = "DeploymentPaused";
/// k8s: FailedRSCreateReason
pub(super) const NOT_CREATED: &str = "ReplicaSetCreateError";
const RESUMED: &str = "DeploymentResumed";

/// k8s: a Deployment without a deadline has this one, and is never timed out
const NO_DEADLINE: i32 = i32::MAX;

/// Plans the write of the status, if it says something new and nothing else is written to the Deployment in this run.
pub(super) fn write(plan: &mut Plan<'_>) {
    let status = compute(plan);
    plan.requeue_at = deadline(plan, &status);
    if plan.own_write.is_none() && status != canonical(plan.deployment) {
        let changed = Deployment { status: Some(status), ..plan.deployment.clone() };
        plan.own_write = Some(write::update(&changed, "status"));
    }
}

/// The status as stored, zeros left out as [`compute`] leaves them out.
fn canonical(deployment: &Deployment) -> DeploymentStatus {
    let status = deployment.status.clone().unwrap_or_default();
    let count = |count: Option<i32>| nonzero(count.unwrap_or(0));
    DeploymentStatus {
        available_replicas: count(status.available_replicas),
        ready_replicas: count(status.ready_replicas),
        replicas: count(status.replicas),
        terminating_replicas: count(status.terminating_replicas),
        unavailable_replicas: count(status.unavailable_replicas),
        updated_replicas: count(status.updated_replicas),
        conditions: status.conditions.filter(|conditions| !conditions.is_empty()),
        ..status
    }
}

/// The Deployment with one more hash collision counted.
pub(super) fn with_collision(deployment: &Deployment) -> Deployment {
    let mut changed = deployment.clone();
    let status = changed.status.get_or_insert_default();
    status.collision_count = Some(status.collision_count.unwrap_or(0) + 1);
    changed
}

/// The Deployment with the condition that its ReplicaSet cannot be made, if it does not say so yet and has a deadline.
pub(super) fn with_refusal(deployment: &Deployment, message: &str, now: Timestamp) -> Option<Deployment> {
    progress_deadline(deployment)?;
    let mut changed = deployment.clone();
    let status = changed.status.get_or_insert_default();
    let mut conditions = Conditions { held: status.conditions.take().unwrap_or_default(), now };
    conditions.set(PROGRESSING, "False", NOT_CREATED, message);
    status.conditions = Some(conditions.held);
    status.observed_generation = deployment.metadata.generation;
    (changed != *deployment).then_some(changed)
}

/// Every pod runs the current template and is available, and no other is left.
pub(super) fn is_complete(plan: &Plan<'_>) -> bool {
    complete(plan, &counts(plan))
}

fn complete(plan: &Plan<'_>, status: &DeploymentStatus) -> bool {
    let wanted = plan.replicas();
    let is = |count: Option<i32>| count.unwrap_or(0) == wanted;
    plan.created.is_none() && is(status.updated_replicas) && is(status.replicas) && is(status.available_replicas)
}

fn counts(plan: &Plan<'_>) -> DeploymentStatus {
    let sum = |count: fn(&ReplicaSetStatus) -> i32| -> i32 {
        plan.members.iter().filter_map(|member| member.seen.status.as_ref()).map(count).sum()
    };
    let available = sum(|status| status.available_replicas.unwrap_or(0));
    DeploymentStatus {
        observed_generation: plan.deployment.metadata.generation,
        replicas: nonzero(sum(|status| status.replicas)),
        updated_replicas: nonzero(plan.new_member().map_or(0, super::plan::Member::actual)),
        ready_replicas: nonzero(sum(|status| status.ready_replicas.unwrap_or(0))),
        available_replicas: nonzero(available),
        unavailable_replicas: nonzero((plan.total() - available).max(0)),
        terminating_replicas: nonzero(sum(|status| status.terminating_replicas.unwrap_or(0))),
        collision_count: plan.deployment.status.as_ref().and_then(|status| status.collision_count),
        conditions: None,
    }
}

fn compute(plan: &Plan<'_>) -> DeploymentStatus {
    let mut status = counts(plan);
    let mut conditions = Conditions {
        held: plan.deployment.status.as_ref().and_then(|status| status.conditions.clone()).unwrap_or_default(),
        now: plan.now,
    };
    let enough = status.available_replicas.unwrap_or(0) >= plan.replicas() - plan.max_unavailable();
    if enough {
        conditions.set(AVAILABLE, "True", "MinimumReplicasAvailable", "Deployment has minimum availability.");
    } else {
        let message = "Deployment does not have minimum availability.";
        conditions.set(AVAILABLE, "False", "MinimumReplicasUnavailable", message);
    }
    if plan.deployment.deleting() {
        // k8s: only counts follow while it goes
    } else if progress_deadline(plan.deployment).is_none() {
        conditions.remove(PROGRESSING);
    } else if plan.paused() || conditions.reason(PROGRESSING) == Some(PAUSED) {
        pause_or_resume(plan, &mut conditions);
    } else {
        progress(plan, &status, &mut conditions);
    }
    match replica_failure(plan) {
        Some((reason, message)) => conditions.set(REPLICA_FAILURE, "True", &reason, &message),
        None => conditions.remove(REPLICA_FAILURE),
    }
    status.conditions = (!conditions.held.is_empty()).then_some(conditions.held);
    status
}

/// `None` where there is none.
fn progress_deadline(deployment: &Deployment) -> Option<SignedDuration> {
    let seconds = deployment.spec.progress_deadline_seconds?;
    (seconds != NO_DEADLINE).then(|| SignedDuration::from_secs(i64::from(seconds)))
}

/// k8s: checkPausedConditions; a pause is not counted against the deadline
fn pause_or_resume(plan: &Plan<'_>, conditions: &mut Conditions) {
    let reason = conditions.reason(PROGRESSING);
    if reason == Some(TIMED_OUT) {
        return;
    }
    let paused = reason == Some(PAUSED);
    if plan.paused() && !paused {
        conditions.set(PROGRESSING, "Unknown", PAUSED, "Deployment is paused");
    } else if !plan.paused() && paused {
        conditions.set(PROGRESSING, "Unknown", RESUMED, "Deployment is resumed");
    }
}

/// k8s: syncRolloutStatus
fn progress(plan: &Plan<'_>, status: &DeploymentStatus, conditions: &mut Conditions) {
    let old = plan.deployment.status.clone().unwrap_or_default();
    if let Some(created) = &plan.created {
        let message = format!("Created new replica set {:?}", created.name());
        return conditions.set(PROGRESSING, "True", NEW_RS_CREATED, &message);
    }
    let settled =
        status.replicas == status.updated_replicas && conditions.reason(PROGRESSING) == Some(NEW_RS_AVAILABLE);
    let name = match plan.new_member() {
        Some(new) => replica_set_title(&new.seen),
        None => format!("Deployment {:?}", plan.deployment.name()),
    };
    if settled {
        return; // pods that come and go after a rollout was complete are no rollout, and have no deadline
    }
    if complete(plan, status) {
        let message = format!("{name} has successfully progressed.");
        conditions.set(PROGRESSING, "True", NEW_RS_AVAILABLE, &message);
    } else if progressed(&old, status) || conditions.get(PROGRESSING).is_none() {
        let message = format!("{name} is progressing.");
        conditions.touch(PROGRESSING, "True", RS_UPDATED, &message);
    } else if timed_out(plan, conditions) {
        conditions.set(PROGRESSING, "False", TIMED_OUT, &timed_out_message(&name));
    }
}

fn timed_out_message(name: &str) -> String {
    format!("{name} has timed out progressing.")
}

/// Whether the status says that the rollout of this very ReplicaSet, and not of one before it, has missed its deadline.
pub(super) fn has_timed_out(deployment: &Deployment, rs: &ReplicaSet) -> bool {
    let conditions = deployment.status.as_ref().and_then(|status| status.conditions.as_ref());
    let message = timed_out_message(&replica_set_title(rs));
    conditions.into_iter().flatten().any(|held| {
        held.type_.as_deref() == Some(PROGRESSING)
            && held.reason.as_deref() == Some(TIMED_OUT)
            && held.message.as_deref() == Some(&message)
    })
}

fn replica_set_title(rs: &ReplicaSet) -> String {
    format!("ReplicaSet {:?}", rs.name())
}

/// k8s: DeploymentProgressing
fn progressed(old: &DeploymentStatus, new: &DeploymentStatus) -> bool {
    let of = |count: Option<i32>| count.unwrap_or(0);
    let outdated = |status: &DeploymentStatus| of(status.replicas) - of(status.updated_replicas);
    of(new.updated_replicas) > of(old.updated_replicas)
        || outdated(new) < outdated(old)
        || of(new.ready_replicas) > of(old.ready_replicas)
        || of(new.available_replicas) > of(old.available_replicas)
}

fn timed_out(plan: &Plan<'_>, conditions: &Conditions) -> bool {
    let (Some(deadline), Some(held)) = (progress_deadline(plan.deployment), conditions.get(PROGRESSING)) else {
        return false;
    };
    match held.reason.as_deref() {
        Some(NEW_RS_AVAILABLE) => false,
        Some(TIMED_OUT) => true,
        _ => held.last_update_time.as_ref().is_some_and(|since| later(since.0, deadline) < plan.now),
    }
}

/// When to look again whether the rollout is stuck.
fn deadline(plan: &Plan<'_>, status: &DeploymentStatus) -> Option<Timestamp> {
    let deadline = progress_deadline(plan.deployment).filter(|_| !plan.paused())?;
    let held = status.conditions.iter().flatten().find(|condition| condition.type_.as_deref() == Some(PROGRESSING))?;
    if matches!(held.reason.as_deref(), Some(NEW_RS_AVAILABLE | TIMED_OUT | PAUSED)) {
        return None;
    }
    // a second more, as times are kept in whole seconds
    Some(later(held.last_update_time.as_ref()?.0, deadline + SignedDuration::from_secs(1)))
}

/// Why a ReplicaSet cannot make its pods, the new one's reason first.
fn replica_failure(plan: &Plan<'_>) -> Option<(String, String)> {
    let new = plan.new_member();
    let old = plan.old();
    let members = new.into_iter().chain(old.iter().map(|at| &plan.members[*at]));
    let mut failures = members.flat_map(|member| member.seen.status.iter().flat_map(|s| s.conditions.iter().flatten()));
    let failure = failures.find(|condition| condition.type_.as_deref() == Some(REPLICA_FAILURE))?;
    Some((failure.reason.clone().unwrap_or_default(), failure.message.clone().unwrap_or_default()))
}

struct Conditions {
    held: Vec<DeploymentCondition>,
    now: Timestamp,
}

impl Conditions {
    fn get(&self, type_: &str) -> Option<&DeploymentCondition> {
        self.held.iter().find(|condition| condition.type_.as_deref() == Some(type_))
    }

    fn reason(&self, type_: &str) -> Option<&str> {
        self.get(type_)?.reason.as_deref()
    }

    fn remove(&mut self, type_: &str) {
        self.held.retain(|condition| condition.type_.as_deref() != Some(type_));
    }

    /// k8s: SetDeploymentCondition; same status and reason is no change
    fn set(&mut self, type_: &str, status: &str, reason: &str, message: &str) {
        let same = |held: &DeploymentCondition| {
            held.status.as_deref() == Some(status) && held.reason.as_deref() == Some(reason)
        };
        if !self.get(type_).is_some_and(same) {
            self.touch(type_, status, reason, message);
        }
    }

    /// Sets the condition anew: the deadline counts from now.
    fn touch(&mut self, type_: &str, status: &str, reason: &str, message: &str) {
        let transition = self.get(type_).filter(|held| held.status.as_deref() == Some(status));
        let last_transition_time =
            transition.and_then(|held| held.last_transition_time.clone()).or_else(|| Some(time(self.now)));
        self.remove(type_);
        self.held.push(DeploymentCondition {
            type_: Some(type_.to_owned()),
            status: Some(status.to_owned()),
            reason: Some(reason.to_owned()),
            message: Some(message.to_owned()),
            last_update_time: Some(time(self.now)),
            last_transition_time,
        });
    }
}
