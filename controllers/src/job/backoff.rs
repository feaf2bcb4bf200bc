//! How long a Job waits before it tries again: ten seconds after the first failure, doubled with each, ten minutes at
//! most. Read off the pods themselves, so that it outlives a restart of the controller.

use super::count::is_failed;
use crate::pod;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::JobSpec;
use k8s_openapi::api::core::v1::Pod;
use kinds::moment::later;
use std::sync::Arc;

const FIRST_SECS: i64 = 10;
const MOST_SECS: i64 = 600;

/// How often its index failed before this pod did.
pub(super) const INDEX_FAILURES: &str = "batch.kubernetes.io/job-index-failure-count";
/// As above, the failures that the policy ignored.
pub(super) const INDEX_IGNORED: &str = "batch.kubernetes.io/job-index-ignored-failure-count";

fn delay(failures: i32) -> SignedDuration {
    let doubled = FIRST_SECS << (failures.clamp(1, 21) - 1);
    SignedDuration::from_secs(if failures == 0 { 0 } else { doubled.min(MOST_SECS) })
}

/// When the last container ended, as well as the pod tells (k8s: getFinishedTime).
pub(super) fn ended_at(pod: &Pod) -> Option<Timestamp> {
    let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    let ends = statuses.filter_map(|status| status.state.as_ref()?.terminated.as_ref()?.finished_at.as_ref());
    let by_container = ends.map(|time| time.0).max();
    let by_condition = || pod::condition(pod, "Ready")?.last_transition_time.as_ref().map(|time| time.0);
    let by_deletion = || {
        let grace = pod.metadata.deletion_grace_period_seconds.unwrap_or(0);
        pod.metadata.deletion_timestamp.as_ref()?.0.checked_sub(SignedDuration::from_secs(grace)).ok()
    };
    by_container.or_else(by_condition).or_else(by_deletion).or_else(|| pod::created(pod))
}

/// When the Job may make pods again: after the failures since the last success.
pub(super) fn job_may_try_at(spec: &JobSpec, pods: &[Arc<Pod>]) -> Option<Timestamp> {
    let ends = |wanted: &dyn Fn(&Pod) -> bool| -> Vec<Timestamp> {
        pods.iter().filter(|pod| wanted(pod)).filter_map(|pod| ended_at(pod)).collect()
    };
    let last_success = ends(&|pod| pod::phase(pod) == "Succeeded").into_iter().max();
    let failures: Vec<Timestamp> =
        ends(&|pod| is_failed(pod, spec)).into_iter().filter(|at| Some(*at) > last_success).collect();
    let last = failures.iter().max()?;
    Some(later(*last, delay(i32::try_from(failures.len()).unwrap_or(i32::MAX))))
}

/// When the index of this failed pod may be tried again.
pub(super) fn index_may_try_at(failed: &Pod) -> Option<Timestamp> {
    let before = annotated(failed, INDEX_FAILURES).saturating_add(annotated(failed, INDEX_IGNORED));
    Some(later(ended_at(failed)?, delay(before.saturating_add(1))))
}

pub(super) fn annotated(pod: &Pod, name: &str) -> i32 {
    let annotations = pod.metadata.annotations.as_ref();
    annotations.and_then(|held| held.get(name)?.parse().ok()).unwrap_or(0)
}
