//! A Job's conditions: how it is going, and how it ended.

use crate::write::time;
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::{Job, JobCondition};

/// How a Job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finished {
    Complete,
    Failed,
}

/// How the Job ended and since when, if it did.
pub(crate) fn finished(job: &Job) -> Option<(Finished, Option<Timestamp>)> {
    let conditions = job.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let mut ends = conditions.filter(|condition| condition.status == "True").filter_map(|condition| {
        let since = condition.last_transition_time.as_ref().map(|time| time.0);
        match condition.type_.as_str() {
            "Complete" => Some((Finished::Complete, since)),
            "Failed" => Some((Finished::Failed, since)),
            _ => None,
        }
    });
    ends.next()
}

pub(super) fn holding<'a>(job: &'a Job, type_: &str) -> Option<&'a JobCondition> {
    let mut conditions = job.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.find(|condition| condition.type_ == type_ && condition.status == "True")
}

pub(super) fn new(type_: &str, status: &str, reason: &str, message: &str, now: Timestamp) -> JobCondition {
    JobCondition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
        last_probe_time: Some(time(now)),
        last_transition_time: Some(time(now)),
    }
}

/// Whether a change was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ensured {
    Already,
    Changed,
}

/// k8s: ensureJobConditionStatus; what never was true is not written as false
pub(super) fn ensure(conditions: &mut Vec<JobCondition>, wanted: JobCondition) -> Ensured {
    match conditions.iter_mut().find(|one| one.type_ == wanted.type_) {
        Some(held)
            if held.status == wanted.status && held.reason == wanted.reason && held.message == wanted.message =>
        {
            Ensured::Already
        }
        Some(held) => {
            *held = wanted;
            Ensured::Changed
        }
        None if wanted.status == "False" => Ensured::Already,
        None => {
            conditions.push(wanted);
            Ensured::Changed
        }
    }
}
