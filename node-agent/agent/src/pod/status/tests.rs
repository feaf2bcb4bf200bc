//! Tables: what is seen of a pod, and the status that users read.

use super::super::back_off::BackOff;
use super::super::fixture::{at, pod_yaml, prepared, with};
use super::super::observed::{Busy, Doom, Health};
use super::*;

fn node() -> NodeFacts {
    NodeFacts { host_ips: vec!["192.0.2.1".into()], runtime: "drover".into() }
}

/// `Running Ready=True | a: running ready 0`
fn shown(pod: &Pod, seen: &Observed, now: i64) -> String {
    let status = status(pod, seen, &node(), at(now));
    let ready = status.conditions.iter().flatten().find(|c| c.type_ == "Ready").unwrap();
    let all = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    let one = |c: &ContainerStatus| {
        let state = c.state.clone().unwrap();
        let word = match (state.waiting, state.running, state.terminated) {
            (Some(w), _, _) => w.reason.unwrap(),
            (_, Some(_), _) => "running".to_owned(),
            (_, _, Some(t)) => format!("{}({})", t.reason.unwrap(), t.exit_code),
            _ => "none".to_owned(),
        };
        let last = c.last_state.as_ref().and_then(|l| l.terminated.as_ref()).map(|t| format!(" last={}", t.exit_code));
        format!(
            "{}: {word}{} {}{}",
            c.name,
            if c.ready { " ready" } else { "" },
            c.restart_count,
            last.unwrap_or_default()
        )
    };
    let rows: Vec<String> = all.map(one).collect();
    format!("{} Ready={} | {}", status.phase.unwrap(), ready.status, rows.join(", "))
}

fn web(policy: &str) -> Pod {
    pod_yaml(&format!("spec: {{restartPolicy: {policy}, containers: [{{name: a, image: i}}]}}"))
}

#[test]
fn a_pod_goes_from_pending_to_running_to_ready() {
    let pod = web("Always");
    assert_eq!(shown(&pod, &Observed::default(), 0), "Pending Ready=False | a: ContainerCreating 0");
    let mut seen = with(prepared(&pod), &["a#0 running"]);
    assert_eq!(shown(&pod, &seen, 0), "Running Ready=True | a: running ready 0");
    seen.health.insert("a-0".into(), Health { started: true, ready: false, failed: None });
    assert_eq!(shown(&pod, &seen, 0), "Running Ready=False | a: running 0");
}

#[test]
fn exits_are_reported_by_policy() {
    for (policy, code, want) in [
        ("Never", 0, "Succeeded Ready=False | a: Completed(0) 0"),
        ("Never", 2, "Failed Ready=False | a: Error(2) 0"),
        ("OnFailure", 0, "Succeeded Ready=False | a: Completed(0) 0"),
        ("OnFailure", 2, "Running Ready=False | a: Error(2) 0"),
        ("Always", 0, "Running Ready=False | a: Completed(0) 0"),
    ] {
        let pod = web(policy);
        assert_eq!(shown(&pod, &with(prepared(&pod), &[&format!("a#0 exited {code}")]), 6), want, "{policy} {code}");
    }
}

#[test]
fn a_crash_loop_shows_the_last_exit() {
    let pod = web("Always");
    let mut seen = with(prepared(&pod), &["a#0 exited 1", "a#1 exited 3"]);
    seen.restarts.insert("a".into(), BackOff::next(None, CRASH_LOOP, at(0)));
    assert_eq!(shown(&pod, &seen, 6), "Running Ready=False | a: CrashLoopBackOff 1 last=3");
    let message = status(&pod, &seen, &node(), at(6)).container_statuses.unwrap()[0]
        .state
        .clone()
        .unwrap()
        .waiting
        .unwrap()
        .message;
    assert_eq!(message.unwrap(), "back-off 10s restarting failed container=a pod=web_default(uid-1)");
    let seen = with(prepared(&pod), &["a#0 exited 1", "a#1 running"]);
    assert_eq!(shown(&pod, &seen, 6), "Running Ready=True | a: running ready 1 last=1");
}

#[test]
fn what_was_created_and_never_started_is_not_a_run() {
    let pod = web("Always");
    let mut seen = with(prepared(&pod), &["a#0 created"]);
    assert_eq!(shown(&pod, &seen, 6), "Pending Ready=False | a: ContainerCreating 0");
    // Nor has it an id that the next agent would take for one.
    let statuses = status(&pod, &seen, &node(), at(6)).container_statuses.unwrap();
    assert_eq!(statuses[0].container_id, None);
    seen.busy.insert(Subject::Start("a".into()), Busy::default());
    assert_eq!(shown(&pod, &seen, 6), "Pending Ready=False | a: ContainerCreating 0");
    let seen = with(prepared(&pod), &["a#0 exited 1", "a#1 created"]);
    assert_eq!(shown(&pod, &seen, 6), "Running Ready=False | a: Error(1) 0");
}

#[test]
fn init_containers_hold_the_pod_in_pending() {
    let pod = pod_yaml("spec: {restartPolicy: Never, initContainers: [{name: i}], containers: [{name: a}]}");
    assert_eq!(shown(&pod, &prepared(&pod), 0), "Pending Ready=False | i: PodInitializing 0, a: PodInitializing 0");
    let seen = with(prepared(&pod), &["i#0 running"]);
    assert_eq!(shown(&pod, &seen, 0), "Pending Ready=False | i: running 0, a: PodInitializing 0");
    let seen = with(prepared(&pod), &["i#0 exited 1"]);
    assert_eq!(shown(&pod, &seen, 6), "Failed Ready=False | i: Error(1) 0, a: PodInitializing 0");
    let seen = with(prepared(&pod), &["i#0 exited 0", "a#0 running"]);
    assert_eq!(shown(&pod, &seen, 6), "Running Ready=True | i: Completed(0) ready 0, a: running ready 0");
}

#[test]
fn a_finished_phase_waits_for_the_sidecars() {
    let pod = pod_yaml(
        "spec: {restartPolicy: Never, initContainers: [{name: s, restartPolicy: Always}], containers: [{name: a}]}\nstatus: {phase: Running}",
    );
    let seen = with(prepared(&pod), &["s#0 running", "a#0 exited 0"]);
    assert!(shown(&pod, &seen, 6).starts_with("Running"), "{}", shown(&pod, &seen, 6));
    let seen = with(prepared(&pod), &["s#0 exited 137", "a#0 exited 0"]);
    assert!(shown(&pod, &seen, 6).starts_with("Succeeded"), "{}", shown(&pod, &seen, 6));
}

#[test]
fn a_deleted_pod_is_reported_finished_when_it_is() {
    let pod = pod_yaml(
        "metadata: {deletionTimestamp: '2026-01-01T00:00:00Z'}\nspec: {containers: [{name: a}]}\nstatus: {phase: Running}",
    );
    let seen = with(prepared(&pod), &["a#0 running"]);
    assert!(shown(&pod, &seen, 6).starts_with("Running Ready=True"));
    let seen = with(prepared(&pod), &["a#0 exited 143"]);
    assert!(shown(&pod, &seen, 6).starts_with("Failed"));
    let mut seen = with(prepared(&pod), &["a#0 exited 0"]);
    assert!(shown(&pod, &seen, 6).starts_with("Succeeded"));
    seen.busy.insert(Subject::Start("a".into()), Busy::default());
    assert!(shown(&pod, &seen, 6).starts_with("Running"));
}

#[test]
fn readiness_gates_hold_ready_back() {
    let gate = |status: &str| {
        pod_yaml(&format!(
            "spec: {{readinessGates: [{{conditionType: x/y}}], containers: [{{name: a}}]}}\nstatus: {{conditions: [{status}]}}"
        ))
    };
    let ready = |pod: &Pod| {
        let status = status(pod, &with(prepared(pod), &["a#0 running"]), &node(), at(0));
        let ready = status.conditions.unwrap().into_iter().find(|c| c.type_ == "Ready").unwrap();
        (ready.status, ready.reason)
    };
    assert_eq!(ready(&gate("")), ("False".to_owned(), Some("ReadinessGatesNotReady".to_owned())));
    assert_eq!(ready(&gate("{type: x/y, status: 'True'}")).0, "True");
}

#[test]
fn transition_times_stay_until_the_condition_changes() {
    let pod = web("Always");
    let seen = with(prepared(&pod), &["a#0 running"]);
    let mut again = pod.clone();
    again.status = Some(status(&pod, &seen, &node(), at(0)));
    assert_eq!(again.status.as_ref(), Some(&status(&again, &seen, &node(), at(9))));
}

#[test]
fn a_pod_that_was_not_taken_on_shows_why_and_no_containers() {
    let mut seen = Observed {
        doom: Some(Doom { reason: "OutOfcpu".into(), message: String::new(), grace: None }),
        ..Observed::default()
    };
    assert_eq!(shown(&web("Always"), &seen, 0), "Failed Ready=False | ");
    // Neither for the agent's successor, who knows only what the API does.
    seen.doom = None;
    let pod = pod_yaml(
        "spec: {containers: [{name: a}]}\nstatus: {phase: Failed, reason: OutOfcpu, startTime: '2026-01-01T00:00:00Z'}",
    );
    assert_eq!(shown(&pod, &seen, 0), "Failed Ready=False | ");
    // One that was taken on shows them.
    let pod = pod_yaml("spec: {containers: [{name: a}]}\nstatus: {phase: Pending, startTime: '2026-01-01T00:00:00Z'}");
    assert_eq!(shown(&pod, &seen, 0), "Pending Ready=False | a: ContainerCreating 0");
}

#[test]
fn what_never_ran_in_a_pod_that_has_ended_is_unknown_but_for_what_waited_for_init_containers() {
    const DELETED: &str = "metadata: {deletionTimestamp: '2026-01-01T00:00:00Z'}\nstatus: {phase: Pending, startTime: '2026-01-01T00:00:00Z'}\n";
    let pod = pod_yaml(&format!("{DELETED}spec: {{containers: [{{name: a}}, {{name: b}}]}}"));
    let seen = with(prepared(&pod), &["a#0 exited 0"]);
    assert_eq!(shown(&pod, &seen, 6), "Failed Ready=False | a: Completed(0) 0, b: ContainerStatusUnknown(137) 0");
    let pod = pod_yaml(&format!("{DELETED}spec: {{initContainers: [{{name: i}}], containers: [{{name: a}}]}}"));
    let seen = with(prepared(&pod), &["i#0 exited 1"]);
    assert_eq!(shown(&pod, &seen, 6), "Failed Ready=False | i: Error(1) 0, a: PodInitializing 0");
    let seen = with(prepared(&pod), &["i#0 exited 0"]);
    assert_eq!(shown(&pod, &seen, 6), "Failed Ready=False | i: Completed(0) ready 0, a: ContainerStatusUnknown(137) 0");
}

#[test]
fn a_pod_whose_container_is_being_replaced_has_not_finished() {
    let pod = web("Never");
    let mut seen = with(prepared(&pod), &["a#0 exited 0"]);
    seen.replaced.insert("a-0".into());
    assert_eq!(shown(&pod, &seen, 6), "Running Ready=False | a: Completed(0) 0");
}

#[test]
fn a_pod_that_begins_again_is_pending_and_its_containers_count_the_run_that_was_removed() {
    const RESTARTS_ALL: &str = "spec: {restartPolicy: Never, initContainers: [{name: i}, {name: s, restartPolicy: Always, restartPolicyRules: [{action: RestartAllContainers, exitCodes: {operator: In, values: [42]}}]}], containers: [{name: a}]}\nstatus: {phase: Running}";
    let mut pod = pod_yaml(RESTARTS_ALL);
    let marked = |pod: &Pod| {
        let all = pod.status.as_ref().unwrap().conditions.as_ref().unwrap();
        let found = all.iter().find(|c| c.type_ == "AllContainersRestarting").unwrap();
        (found.status.clone(), found.reason.clone().unwrap_or_default())
    };
    let mut show = |seen: &Observed| {
        let row = shown(&pod, seen, 6);
        pod.status = Some(status(&pod, seen, &node(), at(6)));
        (row, marked(&pod))
    };
    let state = |row: &str, status: &str, reason: &str| (row.to_owned(), (status.to_owned(), reason.to_owned()));

    let seen = with(prepared(&pod_yaml(RESTARTS_ALL)), &["i#0 exited 0", "s#0 running", "a#0 running"]);
    let row = "Running Ready=True | i: Completed(0) ready 0, s: running ready 0, a: running ready 0";
    assert_eq!(show(&seen), state(row, "False", ""));
    let mut seen = with(prepared(&pod_yaml(RESTARTS_ALL)), &["i#0 exited 0", "s#0 exited 42", "a#0 exited 143"]);
    let row = "Running Ready=False | i: Completed(0) ready 0, s: Error(42) 0, a: Error(143) 0";
    seen.containers[0].state = RunState::Running;
    show(&seen);
    seen.containers[0].state = RunState::Exited;
    assert_eq!(show(&seen), state(row, "True", "RestartAllContainersStarted"));
    let mut seen = prepared(&pod_yaml(RESTARTS_ALL));
    let waits = "RestartingAllContainers 0 last";
    let row = format!("Pending Ready=False | i: {waits}=0, s: {waits}=42, a: {waits}=143");
    assert_eq!(show(&seen), state(&row, "False", ""));
    let waits = "PodInitializing 0 last";
    let row = format!("Pending Ready=False | i: {waits}=0, s: {waits}=42, a: {waits}=143");
    assert_eq!(show(&seen), state(&row, "False", ""));
    seen.restarts.insert("i".into(), BackOff::next(None, CRASH_LOOP, at(0)));
    assert!(show(&seen).0.contains("i: CrashLoopBackOff 0 last=0"));
    let seen = with(prepared(&pod_yaml(RESTARTS_ALL)), &["i#1 running"]);
    let row = format!("Pending Ready=False | i: running 1 last=0, s: {waits}=42, a: {waits}=143");
    assert_eq!(show(&seen), state(&row, "False", ""));
    let seen = with(prepared(&pod_yaml(RESTARTS_ALL)), &["i#1 exited 0", "s#1 running", "a#1 running"]);
    let row =
        "Running Ready=True | i: Completed(0) ready 1 last=0, s: running ready 1 last=42, a: running ready 1 last=143";
    assert_eq!(show(&seen), state(row, "False", ""));
    let seen = with(prepared(&pod_yaml(RESTARTS_ALL)), &["i#1 exited 0", "s#1 exited 137", "a#1 exited 0"]);
    assert_eq!(show(&seen).1, ("False".to_owned(), "PodCompleted".to_owned()));
}

#[test]
fn a_pod_whose_init_container_runs_again_is_pending() {
    let mut pod = pod_yaml(
        "spec: {restartPolicy: Never, initContainers: [{name: i}], containers: [{name: a, restartPolicyRules: [{action: RestartAllContainers, exitCodes: {operator: In, values: [42]}}]}]}\nstatus: {phase: Running}",
    );
    let ended = with(prepared(&pod), &["i#0 exited 0", "a#0 exited 42"]);
    for seen in [ended, prepared(&pod)] {
        pod.status = Some(status(&pod, &seen, &node(), at(6)));
    }
    let seen = with(prepared(&pod), &["i#1 running"]);
    assert!(
        shown(&pod, &seen, 6).starts_with("Pending Ready=False | i: running 1 last=0"),
        "{}",
        shown(&pod, &seen, 6)
    );
}

#[test]
fn a_pod_whose_init_container_was_lost_has_failed_where_nothing_asked_for_that() {
    let mut pod = pod_yaml("spec: {restartPolicy: Never, initContainers: [{name: i}], containers: [{name: a}]}");
    pod.status = Some(status(&pod, &with(prepared(&pod), &["i#0 running"]), &node(), at(6)));
    assert!(shown(&pod, &prepared(&pod), 6).starts_with("Failed"), "{}", shown(&pod, &prepared(&pod), 6));
}

#[test]
fn only_a_pod_that_may_begin_again_says_that_it_does_not() {
    let pod = web("Always");
    let all = status(&pod, &with(prepared(&pod), &["a#0 running"]), &node(), at(0)).conditions.unwrap();
    assert!(all.iter().all(|c| c.type_ != "AllContainersRestarting"));
}
