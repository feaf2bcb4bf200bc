//! Notes ended pods in the status and lets them go, in two steps that a crash between cannot make count twice; then says
//! how the Job ended. k8s: trackJobStatusAndRemoveFinalizers

use super::conditions::{self, Ensured};
use super::count::{self, Count};
use super::failure_policy::judge;
use super::indexes;
use super::outcome::{Outcome, SUCCESS_CRITERIA_MET};
use super::{Seen, is_indexed, is_suspended, is_tracked, untrack};
use crate::pod;
use crate::write::{self, nonzero, time};
use client::action::Action;
use client::cache::Tracked as _;
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::{Job, JobStatus, UncountedTerminatedPods};
use k8s_openapi::api::core::v1::Pod;
use std::sync::Arc;

/// Pods noted at a time: bounds the status, and the requests of one run.
const NOTED_MAX: usize = 500;

/// The write of the status, then the finalizers that may go after it, then what is to be told.
pub(super) fn account(seen: &Seen, count: &Count, outcome: &Outcome, now: Timestamp) -> Vec<Action> {
    let mut status = count.status.clone();
    let mut events = Vec::new();
    let released = note(seen, count, outcome, &mut status);
    start(seen, outcome, &mut status, &mut events, now);
    status.active = nonzero(count.active.len() as i32);
    status.ready = Some(count.active.iter().filter(|pod| pod::is_ready(pod)).count() as i32);
    status.terminating = Some(count.terminating);
    if let Some(end) = &outcome.end {
        conditions::ensure(status.conditions.get_or_insert_default(), end.clone());
        let all_counted = !seen.pods.iter().any(|pod| is_tracked(pod))
            && count.noted_succeeded.is_empty()
            && count.noted_failed.is_empty();
        if all_counted && count.active.is_empty() && count.terminating == 0 {
            events.push(finish(seen, outcome, &mut status, now));
        }
    }
    let changed = changed(&seen.job, status).map(|job| write::update(&job, "status"));
    changed.into_iter().chain(released.iter().map(|pod| untrack(pod))).chain(events).collect()
}

/// Notes what ended, and returns the pods that may go once that is written.
fn note(seen: &Seen, count: &Count, outcome: &Outcome, status: &mut JobStatus) -> Vec<Arc<Pod>> {
    let spec = &seen.spec;
    let completions = spec.completions.unwrap_or(0);
    let (mut succeeded, mut failed) = (count.noted_succeeded.clone(), count.noted_failed.clone());
    let mut done = count.told_indexes.clone();
    let mut tracked: Vec<&Arc<Pod>> = seen.pods.iter().filter(|pod| is_tracked(pod)).collect();
    tracked.sort_by_key(|pod| indexes::order(pod));
    let mut released = Vec::new();
    for pod in tracked {
        if released.len() >= NOTED_MAX {
            break;
        }
        let is_failed = count::is_failed(pod, spec);
        let has_succeeded = pod::phase(pod) == "Succeeded";
        let index = indexes::of(pod, completions);
        let kept = index.is_some_and(|index| count.to_retry.get(&index).is_some_and(|held| held.uid() == pod.uid()));
        let ends = outcome.end.is_some() || seen.job.deleting();
        let goes = ends || ((is_failed || has_succeeded) && !kept);
        if !goes {
            continue;
        }
        released.push(Arc::clone(pod));
        if has_succeeded && !failed.contains(pod.uid()) {
            match index {
                Some(index) if is_indexed(spec) => done.add(index),
                _ if is_indexed(spec) => {}
                _ => drop(succeeded.insert(pod.uid().to_owned())),
            }
        } else if (is_failed || outcome.is_failure())
            && (!is_indexed(spec) || index.is_some())
            && judge(spec, pod).counts()
        {
            failed.insert(pod.uid().to_owned());
        }
    }
    if is_indexed(spec) {
        status.succeeded = nonzero(done.len());
        status.completed_indexes = Some(done.to_string()).filter(|text| !text.is_empty());
        status.failed_indexes = count.failed_indexes.as_ref().map(ToString::to_string);
    }
    let list = |uids: std::collections::BTreeSet<String>| (!uids.is_empty()).then(|| uids.into_iter().collect());
    status.uncounted_terminated_pods =
        Some(UncountedTerminatedPods { succeeded: list(succeeded), failed: list(failed) });
    released
}

/// The start time, and whether the Job is suspended.
fn start(seen: &Seen, outcome: &Outcome, status: &mut JobStatus, events: &mut Vec<Action>, now: Timestamp) {
    let suspended = is_suspended(&seen.spec);
    if status.start_time.is_none() && !suspended {
        status.start_time = Some(time(now));
    }
    if outcome.end.is_some() || seen.job.deleting() {
        return;
    }
    let (truth, reason, message, event) = if suspended {
        ("True", "JobSuspended", "Job suspended", "Suspended")
    } else {
        ("False", "JobResumed", "Job resumed", "Resumed")
    };
    let wanted = conditions::new("Suspended", truth, reason, message, now);
    if conditions::ensure(status.conditions.get_or_insert_default(), wanted) == Ensured::Changed {
        events.push(write::event(seen.job.as_ref(), "Normal", event, message.to_owned()));
        if !suspended {
            status.start_time = Some(time(now)); // k8s: the deadline counts from the resumption
        }
    }
}

/// The final condition. What is told of it.
fn finish(seen: &Seen, outcome: &Outcome, status: &mut JobStatus, now: Timestamp) -> Action {
    let end = outcome.end.clone().unwrap_or_default();
    let (reason, message) = (end.reason.unwrap_or_default(), end.message.unwrap_or_default());
    let complete = end.type_ == SUCCESS_CRITERIA_MET;
    let type_ = if complete { "Complete" } else { "Failed" };
    let all = status.conditions.get_or_insert_default();
    conditions::ensure(all, conditions::new(type_, "True", &reason, &message, now));
    if complete {
        status.completion_time = Some(time(now));
        write::event(seen.job.as_ref(), "Normal", "Completed", "Job completed".to_owned())
    } else {
        write::event(seen.job.as_ref(), "Warning", reason, message)
    }
}

/// The Job with this status, if it says something new.
fn changed(job: &Job, mut status: JobStatus) -> Option<Job> {
    status.conditions = status.conditions.filter(|conditions| !conditions.is_empty());
    (job.status.as_ref() != Some(&status)).then(|| Job { status: Some(status), ..job.clone() })
}
