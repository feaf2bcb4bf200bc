//! What a CronJob does, by its schedule and what it sees.

use super::{CONTROLLER, Reconcile};
use crate::testing::{at, caches, lines};
use client::action::{Action, Key, Resource};
use client::controller::Refusal;
use expect_test::{Expect, expect};
use k8s_openapi::api::batch::v1::Job;
use kube::core::Status;

fn cron(spec: &str, status: &str) -> String {
    format!(
        "apiVersion: batch/v1
kind: CronJob
metadata: {{name: c, namespace: a, uid: c1, creationTimestamp: '1970-01-01T00:00:00Z'}}
spec: {{jobTemplate: {{spec: {{template: {{spec: {{containers: []}}}}}}}}, {spec}}}
status: {{{status}}}"
    )
}

fn job(name: &str, status: &str, scheduled: bool) -> String {
    let annotations = if scheduled { "annotations: {batch.kubernetes.io/cronjob-scheduled-timestamp: x}," } else { "" };
    format!(
        "
---
apiVersion: batch/v1
kind: Job
metadata: {{name: {name}, namespace: a, uid: {name}, {annotations} ownerReferences: [{{apiVersion: batch/v1, kind: CronJob, name: c, uid: c1, controller: true}}]}}
status: {{{status}}}"
    )
}

const COMPLETE: &str = "startTime: '1970-01-01T00:01:00Z', completionTime: '1970-01-01T00:01:30Z', conditions: [{type: Complete, status: 'True'}]";

fn run(yaml: &str, secs: i64) -> String {
    let Reconcile::Cached(reconcile) = CONTROLLER.reconcile else { panic!("reads caches alone") };
    lines(&reconcile(&Key::new("a", "c"), &caches(CONTROLLER.watches, yaml), at(secs)))
}

fn check(yaml: &str, secs: i64, expected: Expect) {
    expected.assert_eq(&run(yaml, secs));
}

#[test]
fn a_job_is_made_at_its_time_and_named_for_it() {
    check(
        &cron("schedule: '* * * * *'", ""),
        61,
        expect![[r#"
            create Job c-1
            again at 120
            update CronJob c status {"lastScheduleTime":"1970-01-01T00:01:00Z"}
            event Normal SuccessfulCreate: Created job c-1
        "#]],
    );
    check(
        &cron("schedule: '* * * * *'", "lastScheduleTime: '1970-01-01T00:01:00Z'"),
        61,
        expect![[r#"
            again at 120
        "#]],
    );
}

#[test]
fn a_job_that_runs_is_listed_and_one_that_ended_is_told() {
    let spec = "schedule: '0 0 1 1 *'";
    check(
        &(cron(spec, "") + &job("c-1", "", true)),
        70,
        expect![[r#"
            again at 31536000
            update CronJob c status {"active":[{"apiVersion":"batch/v1","kind":"Job","name":"c-1","namespace":"a","uid":"c-1"}]}
        "#]],
    );
    check(
        &(cron(spec, "active: [{name: c-1, uid: c-1}]") + &job("c-1", COMPLETE, true)),
        70,
        expect![[r#"
            again at 31536000
            update CronJob c status {"lastSuccessfulTime":"1970-01-01T00:01:30Z"}
            event Normal SawCompletedJob: Saw completed job: c-1, condition: Complete
        "#]],
    );
}

#[test]
fn a_job_that_somebody_else_made_is_told_but_not_counted() {
    let text = run(&(cron("schedule: '* * * * *', concurrencyPolicy: Forbid", "") + &job("mine", "", false)), 61);
    assert!(text.contains("event Warning UnexpectedJob: Saw a job that the controller did not create or forgot: mine"));
    assert!(text.contains("create Job c-1"), "{text}");
}

#[test]
fn a_running_job_forbids_or_is_replaced() {
    let active = "active: [{name: c-0, uid: c-0}]";
    let yaml =
        |policy| cron(&format!("schedule: '* * * * *', concurrencyPolicy: {policy}"), active) + &job("c-0", "", true);
    check(
        &yaml("Forbid"),
        61,
        expect![[r#"
            again at 120
            event Normal JobAlreadyActive: Not starting job because prior execution is running and concurrency policy is Forbid
        "#]],
    );
    check(
        &yaml("Replace"),
        61,
        expect![[r#"
            delete Job c-0 Background
            create Job c-1
            again at 120
            update CronJob c status {"lastScheduleTime":"1970-01-01T00:01:00Z"}
            event Normal SuccessfulDelete: Deleted job c-0
            event Normal SuccessfulCreate: Created job c-1
        "#]],
    );
}

#[test]
fn what_is_too_late_is_missed_and_only_the_latest_is_made_up_for() {
    let text = run(&cron("schedule: '*/10 * * * *', startingDeadlineSeconds: 30", ""), 700);
    assert!(!text.contains("create Job"), "{text}");
    let text = run(&cron("schedule: '* * * * *'", ""), 60 * 200 + 1);
    assert!(text.contains("create Job c-200\n") && text.contains("event Warning TooManyMissedTimes"), "{text}");
    assert_eq!(text.matches("create Job").count(), 1);
}

#[test]
fn suspended_and_senseless_schedules_make_nothing() {
    check(&cron("schedule: '* * * * *', suspend: true", ""), 61, expect![[""]]);
    let text = run(&cron("schedule: '0 0 31 2 *'", ""), 61);
    assert!(text.contains("event Warning InvalidSchedule"), "{text}");
    let text = run(&cron("schedule: '* * * * *', timeZone: Nowhere/Land", ""), 61);
    assert!(text.contains("event Warning UnknownTimeZone: invalid timeZone: \"Nowhere/Land\""), "{text}");
}

#[test]
fn a_refused_job_does_not_keep_the_status_from_letting_go_of_the_last_one() {
    let active = "active: [{apiVersion: batch/v1, kind: Job, name: c-1, namespace: a, uid: c-1}]";
    let yaml = cron("schedule: '* * * * *'", active) + &job("c-1", COMPLETE, true);
    let caches = caches(CONTROLLER.watches, &yaml);
    let action = Action::Create { resource: Resource::of::<Job>(), ns: "a".into(), object: serde_json::json!({}) };
    let status = Status { message: "exceeded quota".into(), ..Status::default() };
    let answer = (CONTROLLER.refused.unwrap())(&Key::new("a", "c"), &caches, &Refusal { action, status }, at(121));
    let text = lines(&answer);
    assert!(text.contains("FailedCreate: Error creating job: exceeded quota"), "{text}");
    assert!(text.contains(r#"update CronJob c status {"lastSuccessfulTime":"1970-01-01T00:01:30Z"}"#), "{text}");
}

#[test]
fn a_time_zone_moves_the_time() {
    // 06:00 in Berlin is 05:00 UTC in January.
    let text = run(&cron("schedule: '0 6 * * *', timeZone: Europe/Berlin", ""), 5 * 3600 + 1);
    assert!(text.contains(&format!("create Job c-{}\n", 5 * 60)), "{text}");
}

#[test]
fn the_oldest_finished_jobs_go() {
    let jobs = job("c-1", COMPLETE, true) + &job("c-2", &COMPLETE.replace("01:00Z", "02:00Z"), true);
    let text = run(&(cron("schedule: '0 0 1 1 *', successfulJobsHistoryLimit: 1", "") + &jobs), 70);
    assert!(text.contains("delete Job c-1 Background") && !text.contains("delete Job c-2"), "{text}");
    assert!(text.contains("event Normal SuccessfulDelete: Deleted job c-1"));
}
