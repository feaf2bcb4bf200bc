//! Which pods of a Job are made and which deleted. k8s: manageJob

use super::backoff::{self, INDEX_FAILURES, INDEX_IGNORED};
use super::count::{self, Count};
use super::failure_policy::judge;
use super::indexes::{self, INDEX};
use super::{Seen, TRACKING, is_indexed, is_suspended};
use crate::pod;
use crate::pod_template;
use crate::victim;
use crate::write;
use client::action::Action;
use client::cache::Tracked as _;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{EnvVar, EnvVarSource, ObjectFieldSelector, Pod};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Creations or deletions of one run; the driver calls again (k8s: MaxPodCreateDeletePerSync).
const BURST_MAX: usize = 500;
const INDEX_ENV: &str = "JOB_COMPLETION_INDEX";
/// A host name ends with the index and has 63 characters at most.
const PREFIX_MAX: usize = 57;

/// What is to be done about pods.
#[derive(Default)]
pub(super) struct Change {
    create: Vec<Pod>,
    delete: Vec<Arc<Pod>>,
    requeue_at: Option<Timestamp>,
}

impl Change {
    pub(super) fn into_actions(self, seen: &Seen) -> Vec<Action> {
        let event = |reason, message| write::event(seen.job.as_ref(), "Normal", reason, message);
        let gone = self.delete.iter().map(|pod| event("SuccessfulDelete", format!("Deleted pod: {}", pod.name())));
        let made = self.create.iter().map(|pod| event("SuccessfulCreate", format!("Created pod: {}", pod.name())));
        let told: Vec<Action> = gone.chain(made).collect();
        let deletions = self.delete.iter().map(|pod| write::delete(pod.as_ref()));
        let creations = self.create.iter().map(write::create);
        deletions.chain(creations).chain(told).chain(self.requeue_at.map(Action::RequeueAt)).collect()
    }
}

/// The Job ends: whatever runs is deleted.
pub(super) fn end(count: &Count) -> Change {
    Change { delete: count.active.iter().take(BURST_MAX).cloned().collect(), ..Change::default() }
}

pub(super) fn settle(seen: &Seen, count: &Count, now: Timestamp) -> Change {
    if seen.job.deleting() {
        return Change::default();
    }
    let active = count.active.len() as i32;
    if is_suspended(&seen.spec) {
        return end(count);
    }
    let wanted = wanted_active(seen, count);
    let surplus = surplus(seen, count, usize::try_from(active - wanted).unwrap_or(0), now);
    if !surplus.is_empty() {
        return Change { delete: surplus, ..Change::default() };
    }
    let leaving = if count::replaces_only_failed(&seen.spec) { count.terminating } else { 0 };
    match usize::try_from(wanted - leaving - active) {
        Ok(missing) if missing > 0 => make(seen, count, missing.min(BURST_MAX), now),
        _ => Change::default(),
    }
}

fn wanted_active(seen: &Seen, count: &Count) -> i32 {
    let parallelism = seen.spec.parallelism.unwrap_or(1);
    match seen.spec.completions {
        Some(completions) => {
            let failed = count.failed_indexes.as_ref().map_or(0, indexes::Indexes::len);
            (completions - count.succeeded - failed).clamp(0, parallelism)
        }
        None if count.succeeded > 0 => count.active.len() as i32,
        None => parallelism,
    }
}

/// Pods of an index that is out of range or already run, then as many as are too many.
fn surplus(seen: &Seen, count: &Count, at_least: usize, now: Timestamp) -> Vec<Arc<Pod>> {
    let active: Vec<&Arc<Pod>> = count.active.iter().collect();
    let mut ranked = victim::choose(&active, active.len(), &victim::Crowding::new(), now);
    let mut going = Vec::new();
    if is_indexed(&seen.spec) {
        let completions = seen.spec.completions.unwrap_or(0);
        let mut taken = BTreeSet::new();
        let mut keep = Vec::new();
        for pod in ranked.into_iter().rev() {
            match indexes::of(&pod, completions) {
                Some(index) if taken.insert(index) => keep.push(pod),
                _ => going.push(pod),
            }
        }
        keep.reverse();
        ranked = keep;
    }
    let more = at_least.saturating_sub(going.len());
    going.extend(ranked.into_iter().take(more));
    going.truncate(BURST_MAX);
    going
}

fn make(seen: &Seen, count: &Count, missing: usize, now: Timestamp) -> Change {
    let per_index = count.failed_indexes.is_some();
    let may_try = if per_index { None } else { backoff::job_may_try_at(&seen.spec, &seen.pods) };
    if let Some(at) = may_try.filter(|at| *at > now) {
        return Change { requeue_at: Some(at), ..Change::default() };
    }
    if !is_indexed(&seen.spec) {
        let create = (0..missing).map(|nth| new_pod(seen, count, None, nth, now)).collect();
        return Change { create, ..Change::default() };
    }
    let pending = pending_indexes(seen, count);
    let due_at = |index: &i32| count.to_retry.get(index).and_then(|pod| backoff::index_may_try_at(pod));
    let (ready, waiting): (Vec<i32>, Vec<i32>) =
        pending.into_iter().take(missing).partition(|index| due_at(index).is_none_or(|at| at <= now));
    let create = ready.iter().map(|index| new_pod(seen, count, Some(*index), 0, now)).collect();
    Change { create, requeue_at: waiting.iter().filter_map(due_at).min(), ..Change::default() }
}

/// Indexes that nobody works on and that are not settled, lowest first (k8s: firstPendingIndexes).
fn pending_indexes(seen: &Seen, count: &Count) -> Vec<i32> {
    let completions = seen.spec.completions.unwrap_or(0);
    let leaving = seen
        .pods
        .iter()
        .filter(|pod| count::replaces_only_failed(&seen.spec) && pod::is_terminating(pod) && !pod::is_terminal(pod));
    let busy: BTreeSet<i32> =
        count.active.iter().chain(leaving).filter_map(|pod| indexes::of(pod, completions)).collect();
    let settled = |index: i32| {
        count.succeeded_indexes.has(index) || count.failed_indexes.as_ref().is_some_and(|failed| failed.has(index))
    };
    (0..completions).filter(|index| !busy.contains(index) && !settled(*index)).take(BURST_MAX).collect()
}

fn new_pod(seen: &Seen, count: &Count, index: Option<i32>, nth: usize, now: Timestamp) -> Pod {
    let job = seen.job.as_ref();
    let named: String = job.name().chars().take(PREFIX_MAX).collect();
    let prefix = index.map_or_else(|| format!("{}-", job.name()), |index| format!("{named}-{index}-"));
    let seed = [job.uid().as_bytes(), prefix.as_bytes(), &now.as_nanosecond().to_le_bytes(), &nth.to_le_bytes()];
    let mut pod = pod_template::pod(job, &seen.spec.template, &prefix, &seed);
    let finalizers = pod.metadata.finalizers.get_or_insert_default();
    if !finalizers.iter().any(|name| name == TRACKING) {
        finalizers.push(TRACKING.to_owned());
    }
    if let Some(index) = index {
        number(&mut pod, index, job.name());
        if count.failed_indexes.is_some() {
            carry_failures(seen, &mut pod, count.to_retry.get(&index).map(Arc::as_ref));
        }
    }
    pod
}

/// The index in annotation, label, host name and environment.
fn number(pod: &mut Pod, index: i32, job: &str) {
    pod.metadata.annotations.get_or_insert_default().insert(INDEX.to_owned(), index.to_string());
    pod.metadata.labels.get_or_insert_default().insert(INDEX.to_owned(), index.to_string());
    let spec = pod.spec.get_or_insert_default();
    spec.hostname = Some(format!("{job}-{index}"));
    let source = EnvVarSource {
        field_ref: Some(ObjectFieldSelector { api_version: None, field_path: format!("metadata.labels['{INDEX}']") }),
        ..EnvVarSource::default()
    };
    let variable = EnvVar { name: INDEX_ENV.to_owned(), value_from: Some(source), ..EnvVar::default() };
    let containers = spec.init_containers.iter_mut().flatten().chain(&mut spec.containers);
    for env in containers.map(|container| container.env.get_or_insert_default()) {
        if !env.iter().any(|one| one.name == INDEX_ENV) {
            env.push(variable.clone());
        }
    }
}

/// k8s: addIndexFailureCountAnnotation
fn carry_failures(seen: &Seen, pod: &mut Pod, failed: Option<&Pod>) {
    let counts = failed.map_or((0, 0), |failed| {
        let (counted, ignored) =
            (backoff::annotated(failed, INDEX_FAILURES), backoff::annotated(failed, INDEX_IGNORED));
        if judge(&seen.spec, failed).counts() { (counted + 1, ignored) } else { (counted, ignored + 1) }
    });
    let annotations = pod.metadata.annotations.get_or_insert_default();
    annotations.insert(INDEX_FAILURES.to_owned(), counts.0.to_string());
    if counts.1 > 0 {
        annotations.insert(INDEX_IGNORED.to_owned(), counts.1.to_string());
    }
}
