//! Runs pods until enough of them have succeeded, and counts each that ended exactly once: a finalizer keeps a pod until
//! the Job's status has its uid, and the uid stays there until the finalizer is gone. k8s: pkg/controller/job

mod backoff;
mod conditions;
mod count;
mod failure_policy;
mod indexes;
mod outcome;
mod pods;
mod success_policy;
#[cfg(test)]
mod tests;
mod track;

use crate::ownership::{self, ORPHANS};
use crate::write;
use client::action::{Action, Key, PatchKind};
use client::cache::{Caches, Tracked as _};
use client::controller::{Controller, Reconcile, Refusal, Watches};
use count::Count;
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::Pod;
use kinds::selector::LabelSelector;
use serde_json::json;
use std::sync::Arc;

pub(crate) use conditions::{Finished, finished};

pub(crate) const CONTROLLER: Controller = Controller {
    name: "job",
    watches,
    reconcile: Reconcile::Cached(|key, caches, now| match observe(key, caches) {
        Observed::Job(seen) => reconcile(&seen, now),
        Observed::Gone(pods) => pods.iter().map(|pod| untrack(pod)).collect(),
    }),
    refused: Some(refused),
};

/// Keeps a pod until it is counted.
const TRACKING: &str = "batch.kubernetes.io/job-tracking";
/// Pods with that finalizer, by namespace and name of their Job.
const TRACKED: &str = "tracked pods by job";
/// k8s: what `spec.managedBy` says where this controller is meant
const THIS_CONTROLLER: &str = "kubernetes.io/job-controller";

fn watches(watches: &mut Watches) {
    watches.primary::<Job>();
    watches.owned::<Pod, Job>();
    watches.mapped::<Pod>(|pod, caches| ownership::adopters::<Pod, Job>(pod, caches, selector));
    watches.index::<Pod>(ORPHANS, ownership::orphan_values);
    watches.index::<Pod>(TRACKED, |pod| {
        let owners = pod.owners().into_iter().filter(|owner| owner.controller == Some(true) && owner.kind == "Job");
        owners.filter(|_| is_tracked(pod)).map(|owner| format!("{}/{}", pod.ns(), owner.name)).collect()
    });
}

fn selector(job: &Job) -> Option<LabelSelector> {
    LabelSelector::from_meta(job.spec.as_ref()?.selector.as_ref()?).ok()
}

fn is_tracked(pod: &Pod) -> bool {
    pod.finalizers().iter().any(|name| name == TRACKING)
}

/// Lets a pod go, as far as its Job is concerned.
fn untrack(pod: &Pod) -> Action {
    let body = json!({"metadata": {"uid": pod.uid(), "$deleteFromPrimitiveList/finalizers": [TRACKING]}});
    write::patch(pod, "", PatchKind::Strategic, body)
}

/// Everything a decision needs.
struct Seen {
    job: Arc<Job>,
    spec: JobSpec,
    /// Claimed pods, by name.
    pods: Vec<Arc<Pod>>,
    ownership: Vec<Action>,
}

enum Observed {
    Job(Box<Seen>),
    /// There is no such Job; these pods are tracked by one of its name that is gone.
    Gone(Vec<Arc<Pod>>),
}

fn observe(key: &Key, caches: &Caches) -> Observed {
    let tracked = caches.of::<Pod>().by_index(TRACKED, &format!("{}/{}", key.ns, key.name));
    let Some(job) = caches.of::<Job>().get(&key.ns, &key.name) else { return Observed::Gone(tracked) };
    let spec = job.spec.clone().unwrap_or_default();
    let former = tracked.iter().filter(|pod| pod.controller_uid() != Some(job.uid()));
    let former: Vec<Action> = former.map(|pod| untrack(pod)).collect();
    let mut seen = Seen { pods: Vec::new(), ownership: former, spec, job };
    if let Some(selector) = selector(&seen.job).filter(|selector| !selector.is_everything()) {
        let claim = ownership::claim_with::<Pod, Job>(caches, &seen.job, &selector, |_| true, Some(TRACKING));
        seen.pods = claim.mine;
        seen.ownership.extend(claim.actions);
    }
    Observed::Job(Box::new(seen))
}

fn reconcile(seen: &Seen, now: Timestamp) -> Vec<Action> {
    if seen.spec.managed_by.as_deref().is_some_and(|manager| manager != THIS_CONTROLLER) {
        return Vec::new();
    }
    if finished(&seen.job).is_some() {
        return seen.pods.iter().filter(|pod| is_tracked(pod)).map(|pod| untrack(pod)).collect();
    }
    if !seen.ownership.is_empty() {
        return seen.ownership.clone(); // first be sure whose they are; the caches will show it
    }
    let count = Count::of(seen);
    let outcome = outcome::decide(seen, &count, now);
    let change = match &outcome.end {
        Some(_) => pods::end(&count),
        None => pods::settle(seen, &count, now),
    };
    let mut actions = track::account(seen, &count, &outcome, now);
    actions.extend(change.into_actions(seen));
    actions.extend(outcome.requeue_at.map(Action::RequeueAt));
    actions
}

fn is_suspended(spec: &JobSpec) -> bool {
    spec.suspend == Some(true)
}

fn is_indexed(spec: &JobSpec) -> bool {
    spec.completion_mode.as_deref() == Some("Indexed")
}

fn refused(key: &Key, caches: &Caches, refusal: &Refusal, _: Timestamp) -> Vec<Action> {
    let Some(job) = caches.of::<Job>().get(&key.ns, &key.name) else { return Vec::new() };
    let (reason, message) = match &refusal.action {
        Action::Create { .. } => ("FailedCreate", format!("Error creating: {}", refusal.status.message)),
        Action::Delete { .. } => ("FailedDelete", format!("Error deleting: {}", refusal.status.message)),
        _ => return Vec::new(),
    };
    vec![write::event(job.as_ref(), "Warning", reason, message)]
}
