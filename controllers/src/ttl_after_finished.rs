//! Deletes finished Jobs after their `ttlSecondsAfterFinished`.

use crate::job;
use crate::write;
use client::action::{Action, Key, Propagation};
use client::cache::{Caches, Tracked as _};
use client::controller::{Controller, Reconcile, Watches};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::Job;

pub(crate) const CONTROLLER: Controller =
    Controller { name: "ttl-after-finished", watches, reconcile: Reconcile::Cached(reconcile), refused: None };

fn watches(watches: &mut Watches) {
    watches.primary::<Job>();
}

fn reconcile(key: &Key, caches: &Caches, now: Timestamp) -> Vec<Action> {
    let Some(job) = caches.of::<Job>().get(&key.ns, &key.name) else { return Vec::new() };
    match expires_at(&job) {
        Some(at) if at > now => vec![Action::RequeueAt(at)],
        // k8s: in the foreground, so that the pods are gone with it
        Some(_) if !job.deleting() => vec![write::delete_within(job.as_ref(), None, Some(Propagation::Foreground))],
        Some(_) | None => Vec::new(),
    }
}

fn expires_at(job: &Job) -> Option<Timestamp> {
    let seconds = job.spec.as_ref()?.ttl_seconds_after_finished?;
    let (_, since) = job::finished(job)?;
    since?.checked_add(SignedDuration::from_secs(i64::from(seconds))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, caches, lines};

    fn run(job: &str, secs: i64) -> String {
        lines(&reconcile(&Key::new("a", "j"), &caches(watches, job), at(secs)))
    }

    #[test]
    fn a_finished_job_goes_when_its_time_is_over() {
        let job = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j, namespace: a, uid: j}
spec: {ttlSecondsAfterFinished: 60, template: {spec: {containers: []}}}
status: {conditions: [{type: Complete, status: 'True', lastTransitionTime: '1970-01-01T00:01:40Z'}]}";
        assert_eq!(run(job, 100), "again at 160\n");
        assert_eq!(run(job, 160), "delete Job j Foreground\n");
        assert_eq!(run(&job.replace("Complete", "SuccessCriteriaMet"), 160), "");
    }
}
