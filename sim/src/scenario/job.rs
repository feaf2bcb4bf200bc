//! Jobs: what is counted is what happened, and no pod more than was asked for.

use super::{Edit, Scenario};
use crate::world::{World, count, text};
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
        let (counted, really) = (count(job(world)?, "/status/succeeded"), world.succeeded.len() as i64);
        if counted == really { Ok(()) } else { Err(format!("{counted} successes are counted of {really}")) }
    },
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
        if indexes == "0-4" { Ok(()) } else { Err(format!("completed indexes are {indexes:?}")) }
    },
};

fn job(world: &World) -> Result<&Value, String> {
    world.named("batch/jobs", "sums").ok_or_else(|| "no Job".to_owned())
}

fn done(world: &World, wanted: i64) -> Result<(), String> {
    let job = job(world)?;
    let conditions = job.pointer("/status/conditions").and_then(Value::as_array);
    let complete = conditions.into_iter().flatten().any(|one| one["type"] == "Complete" && one["status"] == "True");
    let held = world.of("pods").filter(|pod| pod.pointer("/metadata/finalizers").is_some()).count();
    let rest = ["active", "terminating"].iter().any(|what| count(job, &format!("/status/{what}")) > 0);
    let uncounted = ["succeeded", "failed"]
        .iter()
        .any(|what| job.pointer(&format!("/status/uncountedTerminatedPods/{what}")).is_some());
    if complete && count(job, "/status/succeeded") >= wanted && held == 0 && !rest && !uncounted {
        Ok(())
    } else {
        Err(format!("{held} pods are held: {}", job["status"]))
    }
}
