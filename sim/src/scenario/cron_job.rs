//! A CronJob: one Job a minute, never two at a time, and only the last ones are kept.

use super::{Edit, Scenario, verdict};
use crate::world::{text, truth};
use serde_json::Value;

const ONE: &str = "/apis/batch/v1/namespaces/default/cronjobs/tick";

pub(super) const MINUTELY: Scenario = Scenario {
    name: "cron",
    nodes: 2,
    start: &[Edit::Create(
        "/apis/batch/v1/namespaces/default/cronjobs",
        "
apiVersion: batch/v1
kind: CronJob
metadata: {name: tick}
spec:
  schedule: '* * * * *'
  concurrencyPolicy: Forbid
  successfulJobsHistoryLimit: 2
  failedJobsHistoryLimit: 1
  jobTemplate:
    spec:
      backoffLimit: 1
      template:
        spec: {restartPolicy: Never, containers: [{name: c, image: work, resources: {requests: {cpu: 200m}}}]}
",
    )],
    // The last one: the storm is over by then, at the latest.
    edits: &[
        Edit::Patch(ONE, "spec: {jobTemplate: {spec: {parallelism: 2}}}"),
        Edit::Patch(ONE, "spec: {schedule: '*/2 * * * *'}"),
        Edit::Patch(ONE, "spec: {suspend: true}"),
    ],
    settled: |world| {
        let cron = world.named("batch/cronjobs", "tick").ok_or("no CronJob")?;
        let jobs: Vec<&Value> = world.of("batch/jobs").collect();
        let ended = |type_: &str| jobs.iter().filter(|job| truth(job, type_).is_some()).count();
        let (complete, failed) = (ended("Complete"), ended("Failed"));
        let idle = cron.pointer("/status/active").is_none();
        let is_right = complete <= 2 && failed <= 1 && complete + failed == jobs.len() && idle;
        let suspended = cron.pointer("/spec/suspend") == Some(&Value::Bool(true));
        verdict(is_right && suspended, || {
            let names: Vec<&str> = jobs.iter().map(|job| text(job, "/metadata/name")).collect();
            format!("{complete} complete and {failed} failed of {names:?}: {}", cron["status"])
        })
    },
};
