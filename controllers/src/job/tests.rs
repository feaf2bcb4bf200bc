//! What a Job does, by what it sees; and that its counts are exact whatever happens.

use super::{CONTROLLER, Reconcile};
use crate::sim::{self, Ends, Scenario, World, all};
use crate::testing::{at, caches, lines};
use client::action::{Key, Resource};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use proptest::prelude::*;
use serde_json::{Value, json};

fn job(spec: &str, status: &str) -> String {
    format!(
        "apiVersion: batch/v1
kind: Job
metadata: {{name: j, namespace: a, uid: j1, resourceVersion: '9'}}
spec: {{parallelism: 2, backoffLimit: 6, selector: {{matchLabels: {{uid: j1}}}}, template: {{metadata: {{labels: {{uid: j1}}}}, spec: {{containers: [{{name: c, image: i}}]}}}}, {spec}}}
status: {{startTime: '1970-01-01T00:00:00Z', {status}}}"
    )
}

/// A tracked pod of the job; `exit` is its container's code, where it ended.
fn pod(name: &str, phase: &str, exit: i32, extra: &str) -> String {
    let ended = if matches!(phase, "Succeeded" | "Failed") {
        format!("{{terminated: {{exitCode: {exit}, finishedAt: '1970-01-01T00:01:00Z'}}}}")
    } else {
        "{running: {}}".to_owned()
    };
    format!(
        "
---
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: a, uid: {name}, {extra} finalizers: [batch.kubernetes.io/job-tracking], labels: {{uid: j1}}, ownerReferences: [{{apiVersion: batch/v1, kind: Job, name: j, uid: j1, controller: true}}]}}
spec: {{nodeName: n, containers: []}}
status: {{phase: {phase}, containerStatuses: [{{name: c, image: i, imageID: '', ready: false, restartCount: 0, state: {ended}}}]}}"
    )
}

fn indexed(name: &str, index: i32, phase: &str, more: &str) -> String {
    pod(name, phase, 1, &format!("annotations: {{batch.kubernetes.io/job-completion-index: '{index}'{more}}},"))
}

fn run_at(yaml: &str, secs: i64) -> String {
    let Reconcile::Cached(reconcile) = CONTROLLER.reconcile else { panic!("reads caches alone") };
    lines(&reconcile(&Key::new("a", "j"), &caches(CONTROLLER.watches, yaml), at(secs)))
}

fn run(yaml: &str) -> String {
    run_at(yaml, 100)
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
}

#[test]
fn as_many_pods_run_as_may_and_are_needed() {
    let text = run(&job("completions: 3", ""));
    assert_eq!(text.matches("create Pod j-").count(), 2, "{text}");
    let text = run(&(job("completions: 3", "succeeded: 2") + &pod("p", "Running", 0, "")));
    assert!(!text.contains("create Pod"), "{text}");
}

#[test]
fn an_ended_pod_is_noted_before_its_finalizer_goes() {
    let text = run(&(job("completions: 3", "") + &pod("p", "Succeeded", 0, "")));
    has(&text, &[r#""uncountedTerminatedPods":{"succeeded":["p"]}"#, "patch Pod p  "]);
    assert!(text.find("update Job").unwrap() < text.find("patch Pod p").unwrap());
}

#[test]
fn a_noted_pod_is_counted_once_its_finalizer_is_gone() {
    let noted = "uncountedTerminatedPods: {succeeded: [p]}";
    let gone = pod("p", "Succeeded", 0, "").replace("finalizers: [batch.kubernetes.io/job-tracking],", "");
    let text = run(&(job("completions: 3", noted) + &gone));
    has(&text, &[r#""succeeded":1,"#, r#""uncountedTerminatedPods":{}"#]);
    // Still there: not counted yet.
    let text = run(&(job("completions: 3", noted) + &pod("p", "Succeeded", 0, "")));
    assert!(!text.contains(r#""succeeded":1"#), "{text}");
}

#[test]
fn a_job_is_complete_when_everything_is_counted() {
    let text = run(&job("completions: 2", "succeeded: 2, uncountedTerminatedPods: {}, ready: 0, terminating: 0"));
    has(
        &text,
        &[
            r#""reason":"CompletionsReached","status":"True","type":"SuccessCriteriaMet""#,
            r#""reason":"CompletionsReached","status":"True","type":"Complete""#,
            r#""completionTime":"1970-01-01T00:01:40Z""#,
            "event Normal Completed: Job completed",
        ],
    );
}

#[test]
fn failures_beyond_the_limit_end_the_job_and_its_pods() {
    let text =
        run(&(job("completions: 3, backoffLimit: 0", "") + &pod("p", "Failed", 1, "") + &pod("q", "Running", 0, "")));
    has(
        &text,
        &[
            r#""message":"Job has reached the specified backoff limit","reason":"BackoffLimitExceeded","status":"True","type":"FailureTarget""#,
            r#""failed":["p","q"]"#,
            "delete Pod q",
        ],
    );
    assert!(!text.contains(r#""type":"Failed""#), "{text}");
}

#[test]
fn after_a_failure_the_next_pod_waits() {
    let text = run_at(&(job("completions: 1", "") + &pod("p", "Failed", 1, "")), 61);
    has(&text, &["again at 70"]);
    assert!(!text.contains("create Pod"), "{text}");
    has(&run_at(&(job("completions: 1", "") + &pod("p", "Failed", 1, "")), 70), &["create Pod j-"]);
}

#[test]
fn a_pod_that_says_to_have_ended_at_the_last_moment_there_is_only_delays_its_job() {
    let late = |yaml: String| yaml.replace("1970-01-01T00:01:00Z", "9999-12-30T22:00:00Z");
    let text = run(&(job("completions: 1", "") + &late(pod("p", "Failed", 1, ""))));
    has(&text, &["again at 253402207200"]);
    let spec = "completions: 2, completionMode: Indexed, backoffLimitPerIndex: 5, backoffLimit: 2147483647";
    let often = ", batch.kubernetes.io/job-index-failure-count: '2147483647'";
    let ignored = format!("{often}, batch.kubernetes.io/job-index-ignored-failure-count: '2147483647'");
    let text = run(&(job(spec, "") + &late(indexed("p", 0, "Failed", &ignored)) + &indexed("q", 1, "Running", "")));
    assert!(!text.contains("create Pod"), "{text}");
}

#[test]
fn an_indexed_job_numbers_its_pods_and_tells_ranges() {
    let spec = "completions: 5, parallelism: 5, completionMode: Indexed";
    let text = run(&(job(spec, "completedIndexes: '0,1'")
        + &indexed("p", 2, "Succeeded", "")
        + &indexed("q", 3, "Running", "")));
    has(&text, &[r#""completedIndexes":"0-2""#, r#""succeeded":3"#, "create Pod j-4-"]);
    assert_eq!(text.matches("create Pod").count(), 1, "{text}");
}

#[test]
fn an_index_fails_by_itself_and_the_others_go_on() {
    let spec = "completions: 2, completionMode: Indexed, backoffLimitPerIndex: 1, backoffLimit: 2147483647";
    let again = ", batch.kubernetes.io/job-index-failure-count: '1'";
    let text = run(&(job(spec, "") + &indexed("p", 0, "Failed", again) + &indexed("q", 1, "Running", "")));
    has(&text, &[r#""failedIndexes":"0""#]);
    assert!(!text.contains("FailureTarget") && !text.contains("create Pod"), "{text}");
    let text = run(&(job(spec, "failedIndexes: '0'") + &indexed("q", 1, "Succeeded", "")));
    has(&text, &[r#""message":"Job has failed indexes","reason":"FailedIndexes""#]);
    // The first failure is kept until the next try tells of it.
    let text = run(&(job(spec, "") + &indexed("p", 0, "Failed", "") + &indexed("q", 1, "Running", "")));
    has(&text, &["create Pod j-0-"]);
    assert!(!text.contains("patch Pod p"), "{text}");
}

#[test]
fn a_failure_policy_ends_the_job_or_ignores_the_pod() {
    let rule = |action: &str| {
        format!(
            "completions: 1, podFailurePolicy: {{rules: [{{action: {action}, onExitCodes: {{operator: In, values: [42]}}}}]}}"
        )
    };
    let text = run(&(job(&rule("FailJob"), "") + &pod("p", "Failed", 42, "")));
    has(
        &text,
        &[
            r#"Container c for pod a/p failed with exit code 42 matching FailJob rule at index 0","reason":"PodFailurePolicy""#,
        ],
    );
    let text = run(&(job(&rule("Ignore"), "") + &pod("p", "Failed", 42, "")));
    has(&text, &["patch Pod p"]);
    assert!(!text.contains(r#""failed""#), "{text}");
}

#[test]
fn enough_indexes_end_a_job_with_a_success_policy() {
    let spec = "completions: 3, completionMode: Indexed, successPolicy: {rules: [{succeededIndexes: '0,2', succeededCount: 1}]}";
    let text = run(&(job(spec, "") + &indexed("p", 0, "Succeeded", "") + &indexed("q", 1, "Running", "")));
    has(&text, &[r#""message":"Matched rules at index 0","reason":"SuccessPolicy""#, "delete Pod q"]);
}

#[test]
fn a_suspended_job_has_no_pods_and_says_so() {
    let text = run(&(job("completions: 1, suspend: true", "") + &pod("p", "Running", 0, "")));
    has(
        &text,
        &[
            "delete Pod p",
            r#""reason":"JobSuspended","status":"True","type":"Suspended""#,
            "event Normal Suspended: Job suspended",
        ],
    );
}

#[test]
fn a_deadline_ends_the_job() {
    has(&run(&job("completions: 1, activeDeadlineSeconds: 100", "")), &[r#""reason":"DeadlineExceeded""#]);
    has(&run(&job("completions: 1, activeDeadlineSeconds: 101", "")), &["again at 101"]);
}

#[test]
fn pods_of_a_job_that_is_gone_are_let_go() {
    let text = run(&pod("p", "Running", 0, "").replacen("\n---\n", "", 1));
    assert_eq!(
        text.trim(),
        r#"patch Pod p  {"metadata":{"$deleteFromPrimitiveList/finalizers":["batch.kubernetes.io/job-tracking"],"uid":"p"}}"#
    );
}

#[test]
fn a_job_of_another_controller_is_left_alone() {
    assert_eq!(run(&job("completions: 1, managedBy: example.com/queue", "")), "");
}

const PLAIN: &str = "apiVersion: batch/v1
kind: Job
metadata: {name: j, namespace: a, uid: j1}
spec: {completions: 4, parallelism: 2, backoffLimit: 1000, selector: {matchLabels: {uid: j1}}, template: {metadata: {labels: {uid: j1}}, spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}
---
apiVersion: v1
kind: Node
metadata: {name: n0}";

fn edit_job(world: &mut World, change: impl FnOnce(&mut Value)) {
    world.edit(&Resource::of::<Job>(), &Key::new("a", "j"), change);
}

/// What is counted and noted never exceeds what there was, and what is tracked is not counted yet.
fn exact(world: &World) -> Result<(), String> {
    let jobs: Vec<Job> = all(world);
    let status = jobs[0].status.clone().unwrap_or_default();
    let spec = jobs[0].spec.clone().unwrap_or_default();
    let done = status.succeeded.unwrap_or(0);
    let pods: Vec<Pod> = all(world);
    let succeeded = pods
        .iter()
        .filter(|pod| pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Succeeded"))
        .count() as i32;
    let noted = status.uncounted_terminated_pods.unwrap_or_default().succeeded.unwrap_or_default().len() as i32;
    if spec.completion_mode.as_deref() != Some("Indexed") && world.lost_pods == 0 && done + noted > succeeded {
        return Err(format!("{done} counted and {noted} noted of {succeeded} that succeeded"));
    }
    Ok(())
}

fn ended(world: &World) -> Result<(), String> {
    let jobs: Vec<Job> = all(world);
    if world.nodes() == 0 || jobs[0].spec.as_ref().and_then(|spec| spec.suspend) == Some(true) {
        return Ok(());
    }
    let status = jobs[0].status.clone().unwrap_or_default();
    let tracked = all::<Pod>(world)
        .iter()
        .filter(|pod| pod.metadata.finalizers.as_ref().is_some_and(|list| !list.is_empty()))
        .count();
    let complete = status.conditions.iter().flatten().any(|one| one.type_ == "Complete");
    let wanted = jobs[0].spec.as_ref().and_then(|spec| spec.completions).unwrap_or(1);
    if complete && tracked == 0 && status.succeeded.unwrap_or(0) >= wanted && status.active.is_none() {
        Ok(())
    } else {
        Err(format!("{tracked} tracked, {status:?}"))
    }
}

fn scenario(yaml: &'static str) -> Scenario {
    Scenario {
        controllers: &[CONTROLLER],
        yaml,
        ends: Ends::Working,
        edits: &[
            |world| edit_job(world, |job| job["spec"]["suspend"] = json!(true)),
            |world| edit_job(world, |job| job["spec"]["suspend"] = json!(false)),
            |world| edit_job(world, |job| job["spec"]["parallelism"] = json!(4)),
            |world| edit_job(world, |job| job["spec"]["parallelism"] = json!(1)),
        ],
        always: exact,
        settled: ended,
    }
}

const INDEXED: &str = "apiVersion: batch/v1
kind: Job
metadata: {name: j, namespace: a, uid: j1}
spec: {completions: 4, parallelism: 3, completionMode: Indexed, backoffLimit: 1000, podReplacementPolicy: Failed, selector: {matchLabels: {uid: j1}}, template: {metadata: {labels: {uid: j1}}, spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}
---
apiVersion: v1
kind: Node
metadata: {name: n0}";

const PER_INDEX: &str = "apiVersion: batch/v1
kind: Job
metadata: {name: j, namespace: a, uid: j1}
spec: {completions: 3, parallelism: 3, completionMode: Indexed, backoffLimitPerIndex: 1000, backoffLimit: 2147483647, selector: {matchLabels: {uid: j1}}, template: {metadata: {labels: {uid: j1}}, spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}
---
apiVersion: v1
kind: Node
metadata: {name: n0}";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn counts_are_exact_whatever_happens(steps in sim::steps(250)) {
        sim::play(&scenario(PLAIN), &steps)?;
    }

    #[test]
    fn every_index_succeeds_in_the_end(steps in sim::steps(250)) {
        sim::play(&scenario(INDEXED), &steps)?;
    }

    #[test]
    fn every_index_succeeds_in_the_end_with_limits_of_its_own(steps in sim::steps(200)) {
        sim::play(&scenario(PER_INDEX), &steps)?;
    }
}
