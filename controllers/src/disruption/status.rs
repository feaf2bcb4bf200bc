//! The status of a budget: how many pods are healthy, and so how many may go.

use super::Seen;
use super::expected::Expected;
use crate::pod;
use crate::write::time;
use client::cache::Tracked as _;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kinds::moment::later;
use std::collections::BTreeMap;

/// How long an evicted pod counts as gone though it is still there (k8s: DeletionTimeout).
const EVICTION_MAX: SignedDuration = SignedDuration::from_mins(2);

pub(super) struct Verdict {
    pub(super) status: PodDisruptionBudgetStatus,
    pub(super) requeue_at: Option<Timestamp>,
}

pub(super) fn compute(seen: &Seen, expected: &Expected, now: Timestamp) -> Verdict {
    let disrupted = disrupted(seen, now);
    let healthy = seen
        .pods
        .iter()
        .filter(|pod| !pod::is_terminating(pod) && !disrupted.contains_key(pod.name()) && pod::is_ready(pod));
    let healthy = healthy.count() as i32;
    // Nothing is allowed while nothing is expected: the first pods may come before this is computed again.
    let allowed = if expected.pods <= 0 { 0 } else { (healthy - expected.healthy).max(0) };
    let requeue_at = disrupted.values().map(|since| later(since.0, EVICTION_MAX)).min();
    let (truth, reason) = if allowed > 0 { ("True", "SufficientPods") } else { ("False", "InsufficientPods") };
    let status = PodDisruptionBudgetStatus {
        expected_pods: Some(expected.pods),
        desired_healthy: Some(expected.healthy),
        current_healthy: Some(healthy),
        disruptions_allowed: Some(allowed),
        disrupted_pods: Some(disrupted).filter(|pods| !pods.is_empty()),
        observed_generation: seen.budget.metadata.generation,
        conditions: Some(conditions(&seen.budget, truth, reason, "", now)),
    };
    Verdict { status, requeue_at }
}

/// Nothing may be disrupted while it is not known how many pods there should be (k8s: failSafe).
pub(super) fn failed(budget: &PodDisruptionBudget, why: &str, now: Timestamp) -> Verdict {
    let old = budget.status.clone().unwrap_or_default();
    let status = PodDisruptionBudgetStatus {
        disruptions_allowed: Some(0),
        current_healthy: old.current_healthy.or(Some(0)),
        desired_healthy: old.desired_healthy.or(Some(0)),
        expected_pods: old.expected_pods.or(Some(0)),
        observed_generation: budget.metadata.generation,
        conditions: Some(conditions(budget, "False", "SyncFailed", why, now)),
        ..old
    };
    Verdict { status, requeue_at: Some(now + SignedDuration::from_secs(30)) }
}

/// Evicted pods that are not deleted yet; those that should have been long ago count as alive again.
fn disrupted(seen: &Seen, now: Timestamp) -> BTreeMap<String, Time> {
    let held = seen.budget.status.as_ref().and_then(|status| status.disrupted_pods.clone()).unwrap_or_default();
    let alive = |name: &str| seen.pods.iter().any(|pod| pod.name() == name && !pod::is_terminating(pod));
    held.into_iter().filter(|(name, since)| alive(name) && later(since.0, EVICTION_MAX) > now).collect()
}

fn conditions(
    budget: &PodDisruptionBudget,
    truth: &str,
    reason: &str,
    message: &str,
    now: Timestamp,
) -> Vec<Condition> {
    const TYPE: &str = "DisruptionAllowed";
    let mut all = budget.status.as_ref().and_then(|status| status.conditions.clone()).unwrap_or_default();
    let unmoved = all.iter().find(|one| one.type_ == TYPE && one.status == truth);
    let wanted = Condition {
        type_: TYPE.to_owned(),
        status: truth.to_owned(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        observed_generation: budget.metadata.generation,
        last_transition_time: unmoved.map_or_else(|| time(now), |one| one.last_transition_time.clone()),
    };
    match all.iter_mut().find(|one| one.type_ == TYPE) {
        Some(held) => *held = wanted,
        None => all.push(wanted),
    }
    all
}

/// The budget with this status, if it says something new.
pub(super) fn changed(budget: &PodDisruptionBudget, status: PodDisruptionBudgetStatus) -> Option<PodDisruptionBudget> {
    (budget.status.as_ref() != Some(&status)).then(|| PodDisruptionBudget { status: Some(status), ..budget.clone() })
}
