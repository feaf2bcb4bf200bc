//! Jobs: what is counted is what happened, and no pod more than was asked for.

use super::{Edit, Scenario, verdict};
use crate::world::{Successes, World, count, text, truth};
use serde_json::Value;

const MANY: &str = "/apis/batch/v1/namespaces/default/jobs";

pub(super) const COUNTED: Scenario = Scenario {
    name: "job",
    nodes: 2,
    start: &[Edit::Create(
        MANY,
        "
apiVersion: batch/v1
kind: Job
metadata: {name: sums}
spec:
  completions: 6
  parallelism: 2
  backoffLimit: 1000
  template:
    spec: {restartPolicy: Never, containers: [{name: c, image: work, resources: {requests: {cpu: 200m}}}]}
",
    )],
    edits: &[Edit::Patch("/apis/batch/v1/namespaces/default/jobs/sums", "spec: {parallelism: 4}")],
    settled: |world| {
        done(world, 6)?;
        let job = job(world)?;
        let Successes { really, told, belated } = world.succeeded(text(job, "/metadata/uid"));
        let counted = count(job, "/status/succeeded");
        // One that had been told to go counts as failed, if that was noted before it succeeded.
        verdict((really - told - belated..=really).contains(&counted), || {
            format!("{counted} successes are counted of {really}")
        })
    },
};

/// Pods all the time: whatever happens, some are just being bound.
pub(super) const BUSY: Scenario = Scenario {
    name: "busy",
    nodes: 3,
    start: &[Edit::Create(
        MANY,
        "
apiVersion: batch/v1
kind: Job
metadata: {name: sums}
spec:
  completions: 60
  parallelism: 4
  backoffLimit: 1000
  template:
    spec: {restartPolicy: Never, containers: [{name: c, image: work, resources: {requests: {cpu: 200m}}}]}
",
    )],
    edits: &[
        Edit::Patch("/apis/batch/v1/namespaces/default/jobs/sums", "spec: {parallelism: 7}"),
        Edit::Patch("/apis/batch/v1/namespaces/default/jobs/sums", "spec: {parallelism: 3}"),
    ],
    settled: |world| done(world, 60),
};

pub(super) const INDEXED: Scenario = Scenario {
    name: "indexed",
    nodes: 2,
    start: &[Edit::Create(
        MANY,
        "
apiVersion: batch/v1
kind: Job
metadata: {name: sums}
spec:
  completions: 5
  parallelism: 3
  completionMode: Indexed
  backoffLimit: 1000
  template:
    spec: {restartPolicy: Never, containers: [{name: c, image: work, resources: {requests: {cpu: 200m}}}]}
",
    )],
    edits: &[],
    settled: |world| {
        done(world, 5)?;
        let indexes = text(job(world)?, "/status/completedIndexes");
        verdict(indexes == "0-4", || format!("completed indexes are {indexes:?}"))
    },
};

/// Every pod fails: it is tried as often as is allowed, and not once more.
pub(super) const FAILING: Scenario = Scenario {
    name: "failing",
    nodes: 2,
    start: &[Edit::Create(
        MANY,
        "
apiVersion: batch/v1
kind: Job
metadata: {name: sums}
spec:
  backoffLimit: 3
  template:
    spec: {restartPolicy: Never, containers: [{name: c, image: fail, resources: {requests: {cpu: 200m}}}]}
",
    )],
    edits: &[],
    settled: |world| {
        let job = job(world)?;
        let failed = truth(job, "Failed").is_some_and(|one| one["reason"] == "BackoffLimitExceeded");
        let held = world.of("pods").filter(|pod| pod.pointer("/metadata/finalizers").is_some()).count();
        let rest = ["active", "terminating", "succeeded"].iter().any(|what| count(job, &format!("/status/{what}")) > 0);
        // A pod that a deposed leader had asked for, and that came late, is counted too.
        let (counted, is_late) = (count(job, "/status/failed"), world.untimely_write.is_some());
        let are_counted = counted == 4 || (counted > 4 && is_late);
        verdict(failed && are_counted && held == 0 && !rest, || format!("{held} pods are held: {}", job["status"]))
    },
};

fn job(world: &World) -> Result<&Value, String> {
    world.named("batch/jobs", "sums").ok_or_else(|| "no Job".to_owned())
}

fn done(world: &World, wanted: i64) -> Result<(), String> {
    let job = job(world)?;
    let complete = truth(job, "Complete").is_some();
    let held = world.of("pods").filter(|pod| pod.pointer("/metadata/finalizers").is_some()).count();
    let rest = ["active", "terminating"].iter().any(|what| count(job, &format!("/status/{what}")) > 0);
    let uncounted = ["succeeded", "failed"]
        .iter()
        .any(|what| job.pointer(&format!("/status/uncountedTerminatedPods/{what}")).is_some());
    let is_right = complete && count(job, "/status/succeeded") >= wanted && held == 0 && !rest && !uncounted;
    verdict(is_right, || format!("{held} pods are held: {}", job["status"]))
}
