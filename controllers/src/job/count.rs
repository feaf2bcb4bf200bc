//! How many pods succeeded and failed: what the status has counted, what it has noted to be counted, and what is new.

use super::failure_policy::judge;
use super::indexes::{self, Indexes};
use super::{Seen, backoff, failure_policy, is_indexed, is_tracked};
use crate::pod;
use client::cache::Tracked as _;
use k8s_openapi::api::batch::v1::{JobSpec, JobStatus};
use k8s_openapi::api::core::v1::Pod;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// k8s: isPodFailed. A pod that is deleted counts as failed, unless only those that really failed are replaced.
pub(super) fn is_failed(pod: &Pod, spec: &JobSpec) -> bool {
    match pod::phase(pod) {
        "Failed" => true,
        "Succeeded" => false,
        _ => pod::is_terminating(pod) && !replaces_only_failed(spec),
    }
}

/// k8s: onlyReplaceFailedPods
pub(super) fn replaces_only_failed(spec: &JobSpec) -> bool {
    spec.pod_replacement_policy.as_deref() == Some("Failed") || spec.pod_failure_policy.is_some()
}

pub(super) struct Count {
    /// The status with every noted pod counted whose finalizer is gone.
    pub(super) status: JobStatus,
    /// Uids that stay noted: their pods still have the finalizer.
    pub(super) noted_succeeded: BTreeSet<String>,
    pub(super) noted_failed: BTreeSet<String>,
    pub(super) active: Vec<Arc<Pod>>,
    pub(super) terminating: i32,
    pub(super) succeeded: i32,
    pub(super) failed: i32,
    /// Indexes that the status already tells as succeeded.
    pub(super) told_indexes: Indexes,
    /// Those and the ones whose pods have succeeded since.
    pub(super) succeeded_indexes: Indexes,
    /// `None` without a limit per index.
    pub(super) failed_indexes: Option<Indexes>,
    /// Of each index that is to be tried again, the failed pod that says how often it was: kept until then.
    pub(super) to_retry: BTreeMap<i32, Arc<Pod>>,
}

impl Count {
    pub(super) fn of(seen: &Seen) -> Self {
        let spec = &seen.spec;
        let mut status = seen.job.status.clone().unwrap_or_default();
        let (noted_succeeded, noted_failed) = settle_noted(seen, &mut status);
        let completions = spec.completions.unwrap_or(0);
        let is_new =
            |pod: &&Arc<Pod>| is_tracked(pod) && (!is_indexed(spec) || indexes::of(pod, completions).is_some());
        let tracked = || seen.pods.iter().filter(is_new);
        let new_succeeded = tracked()
            .filter(|pod| pod::phase(pod) == "Succeeded" && !noted_succeeded.contains(pod.uid()))
            .count() as i32;
        let new_failed = tracked()
            .filter(|pod| is_failed(pod, spec) && !noted_failed.contains(pod.uid()) && judge(spec, pod).counts())
            .count() as i32;
        let mut count = Self {
            succeeded: status.succeeded.unwrap_or(0) + new_succeeded + noted_succeeded.len() as i32,
            failed: status.failed.unwrap_or(0) + new_failed + noted_failed.len() as i32,
            told_indexes: Indexes::parse(status.completed_indexes.as_deref().unwrap_or_default(), completions),
            succeeded_indexes: Indexes::default(),
            failed_indexes: None,
            to_retry: BTreeMap::new(),
            active: seen.pods.iter().filter(|pod| pod::is_active(pod)).cloned().collect(),
            terminating: seen.pods.iter().filter(|pod| pod::is_terminating(pod) && !pod::is_terminal(pod)).count()
                as i32,
            noted_succeeded,
            noted_failed,
            status,
        };
        if is_indexed(spec) {
            count.by_index(seen, completions);
        }
        count
    }

    fn by_index(&mut self, seen: &Seen, completions: i32) {
        let spec = &seen.spec;
        let tracked = || {
            let pods = seen.pods.iter().filter(|pod| is_tracked(pod));
            pods.filter_map(move |pod| Some((indexes::of(pod, completions)?, pod)))
        };
        self.succeeded_indexes.clone_from(&self.told_indexes);
        tracked()
            .filter(|(_, pod)| pod::phase(pod) == "Succeeded")
            .for_each(|(index, _)| self.succeeded_indexes.add(index));
        self.succeeded = self.succeeded_indexes.len();
        let Some(limit) = spec.backoff_limit_per_index else { return };
        let told = self.status.failed_indexes.as_deref().unwrap_or_default();
        let mut failed = Indexes::parse(told, completions);
        let exhausted = |pod: &Pod| match judge(spec, pod) {
            failure_policy::Verdict::FailIndex => true,
            verdict => verdict.counts() && backoff::annotated(pod, backoff::INDEX_FAILURES) >= limit,
        };
        tracked()
            .filter(|(index, pod)| is_failed(pod, spec) && !self.succeeded_indexes.has(*index) && exhausted(pod))
            .for_each(|(index, _)| failed.add(index));
        let busy: BTreeSet<i32> = self.active.iter().filter_map(|pod| indexes::of(pod, completions)).collect();
        for (index, pod) in tracked().filter(|(_, pod)| is_failed(pod, spec)) {
            let settled = self.succeeded_indexes.has(index) || failed.has(index) || busy.contains(&index);
            let newer = self.to_retry.get(&index).is_none_or(|held| tries(pod) > tries(held));
            if !settled && newer {
                self.to_retry.insert(index, Arc::clone(pod));
            }
        }
        self.failed_indexes = Some(failed);
    }
}

fn tries(pod: &Pod) -> (i32, Option<jiff::Timestamp>) {
    let failures = backoff::annotated(pod, backoff::INDEX_FAILURES) + backoff::annotated(pod, backoff::INDEX_IGNORED);
    (failures, backoff::ended_at(pod))
}

/// Counts the noted pods whose finalizer is gone, and returns those that are still noted.
/// k8s: cleanUncountedPodsWithoutFinalizers
fn settle_noted(seen: &Seen, status: &mut JobStatus) -> (BTreeSet<String>, BTreeSet<String>) {
    let tracked: BTreeSet<&str> = seen.pods.iter().filter(|pod| is_tracked(pod)).map(|pod| pod.uid()).collect();
    let noted = status.uncounted_terminated_pods.take().unwrap_or_default();
    let split = |uids: Option<Vec<String>>, counter: &mut Option<i32>| -> BTreeSet<String> {
        let (held, gone): (BTreeSet<_>, BTreeSet<_>) =
            uids.unwrap_or_default().into_iter().partition(|uid| tracked.contains(uid.as_str()));
        *counter = crate::write::nonzero(counter.unwrap_or(0) + gone.len() as i32);
        held
    };
    let succeeded = split(noted.succeeded, &mut status.succeeded);
    let failed = split(noted.failed, &mut status.failed);
    (succeeded, failed)
}
