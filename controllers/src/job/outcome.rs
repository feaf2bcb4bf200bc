//! Whether the Job is to end, and why. k8s: syncJob

use super::count::Count;
use super::failure_policy::{Verdict, judge};
use super::{Seen, conditions, count, is_indexed, is_suspended, success_policy};
use crate::pod;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::JobCondition;
use k8s_openapi::api::core::v1::Pod;

/// Said first, while pods still run or are not counted yet; the final condition follows.
pub(super) const FAILURE_TARGET: &str = "FailureTarget";
pub(super) const SUCCESS_CRITERIA_MET: &str = "SuccessCriteriaMet";

pub(super) struct Outcome {
    /// [`FAILURE_TARGET`] or [`SUCCESS_CRITERIA_MET`], with the reason.
    pub(super) end: Option<JobCondition>,
    pub(super) requeue_at: Option<Timestamp>,
}

impl Outcome {
    pub(super) fn is_failure(&self) -> bool {
        self.end.as_ref().is_some_and(|end| end.type_ == FAILURE_TARGET)
    }
}

pub(super) fn decide(seen: &Seen, count: &Count, now: Timestamp) -> Outcome {
    let due = deadline(seen);
    let end = said(seen).or_else(|| failed(seen, count, due, now)).or_else(|| succeeded(seen, count, now));
    let requeue_at = if end.is_none() { due } else { None };
    Outcome { end, requeue_at }
}

/// What was said before stays.
fn said(seen: &Seen) -> Option<JobCondition> {
    let held = |type_| conditions::holding(&seen.job, type_).cloned();
    held(SUCCESS_CRITERIA_MET).or_else(|| held(FAILURE_TARGET))
}

/// When `activeDeadlineSeconds` are over.
fn deadline(seen: &Seen) -> Option<Timestamp> {
    let seconds = seen.spec.active_deadline_seconds.filter(|_| !is_suspended(&seen.spec))?;
    let started = seen.job.status.as_ref()?.start_time.as_ref()?.0;
    started.checked_add(SignedDuration::from_secs(seconds)).ok()
}

fn failed(seen: &Seen, count: &Count, due: Option<Timestamp>, now: Timestamp) -> Option<JobCondition> {
    let spec = &seen.spec;
    let end = |reason: &str, message: &str| Some(conditions::new(FAILURE_TARGET, "True", reason, message, now));
    let by_policy = seen.pods.iter().filter(|pod| count::is_failed(pod, spec)).find_map(|pod| match judge(spec, pod) {
        Verdict::FailJob(message) => Some(message),
        Verdict::Count | Verdict::Ignore | Verdict::FailIndex => None,
    });
    if let Some(message) = by_policy {
        return end("PodFailurePolicy", &message);
    }
    let limit = spec.backoff_limit.unwrap_or(6);
    if count.failed > limit || restarts_exceed(seen, limit) {
        return end("BackoffLimitExceeded", "Job has reached the specified backoff limit");
    }
    if due.is_some_and(|due| due <= now) {
        return end("DeadlineExceeded", "Job was active longer than specified deadline");
    }
    let failed = count.failed_indexes.as_ref()?.len();
    if spec.max_failed_indexes.is_some_and(|most| failed > most) {
        return end("MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes");
    }
    let all_ended = failed + count.succeeded_indexes.len() >= spec.completions.unwrap_or(0);
    if failed > 0 && all_ended { end("FailedIndexes", "Job has failed indexes") } else { None }
}

/// With restartPolicy OnFailure a pod fails by restarting (k8s: pastBackoffLimitOnFailure).
fn restarts_exceed(seen: &Seen, limit: i32) -> bool {
    let policy = seen.spec.template.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref());
    if policy != Some("OnFailure") {
        return false;
    }
    let running = seen.pods.iter().filter(|pod| matches!(pod::phase(pod), "Running" | "Pending"));
    let restarts: i32 = running.map(|pod| restarts(pod)).sum();
    if limit == 0 { restarts > 0 } else { restarts >= limit }
}

fn restarts(pod: &Pod) -> i32 {
    let statuses = pod.status.iter().flat_map(|status| {
        status.container_statuses.iter().flatten().chain(status.init_container_statuses.iter().flatten())
    });
    statuses.map(|status| status.restart_count).sum()
}

fn succeeded(seen: &Seen, count: &Count, now: Timestamp) -> Option<JobCondition> {
    let spec = &seen.spec;
    let end = |reason: &str, message: &str| Some(conditions::new(SUCCESS_CRITERIA_MET, "True", reason, message, now));
    if is_indexed(spec) {
        let completions = spec.completions.unwrap_or(0);
        let met = success_policy::met(spec.success_policy.as_ref(), completions, &count.succeeded_indexes);
        if let Some(message) = met {
            return end("SuccessPolicy", &message);
        }
    }
    let enough = match spec.completions {
        Some(completions) => count.succeeded >= completions,
        None => count.succeeded > 0, // k8s: any success is the whole work's, but those at work may finish
    };
    if enough && count.active.is_empty() {
        end("CompletionsReached", "Reached expected number of succeeded pods")
    } else {
        None
    }
}
