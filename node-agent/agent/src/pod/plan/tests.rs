//! Tables: a pod and what is seen of it, and the operations that follow.

use super::super::fixture::{at, pod_yaml, prepared, with};
use super::super::observed::{Busy, Health, Sandbox, Verdict};
use super::*;

/// One word or two for each operation.
fn shown(ops: &[Op]) -> Vec<String> {
    let show = |op: &Op| match op {
        Op::MountVolumes => "mount".to_owned(),
        Op::PrepareClaims => "prepare".to_owned(),
        Op::ReleaseClaims => "unprepare".to_owned(),
        Op::CreateSandbox { attempt, .. } => format!("sandbox {attempt}"),
        Op::StopSandbox { id } => format!("stop {id}"),
        Op::RemoveSandbox { id } => format!("remove-sandbox {id}"),
        Op::Resize { container } => format!("resize {container}"),
        Op::EnsureImage { container } => format!("image {container}"),
        Op::Start { container, attempt, .. } => format!("start {container}#{attempt}"),
        Op::Kill(kill) if kill.hook == Hook::Skipped => {
            format!("kill {} {}s without hook", kill.id, kill.grace.as_secs())
        }
        Op::Kill(kill) => format!("kill {} {}s", kill.id, kill.grace.as_secs()),
        Op::Replace { id } => format!("replace {id}"),
        Op::Remove { id } => format!("remove {id}"),
        Op::ReleaseVolumes => "release".to_owned(),
        Op::Cleanup => "cleanup".to_owned(),
        Op::DeletePod => "delete".to_owned(),
        Op::Doom(doom) => format!("doom {}", doom.reason),
        Op::Note(note) => format!("note {}", note.reason),
        Op::WakeAt(time) => format!("wake +{}", time.duration_since(at(0)).as_secs()),
    };
    ops.iter().map(show).collect()
}

#[track_caller]
fn check(pod: &Pod, seen: &Observed, now: i64, want: &[&str]) {
    assert_eq!(shown(&plan(pod, seen, at(now))), want);
}

fn web(restart_policy: &str) -> Pod {
    pod_yaml(&format!("spec: {{restartPolicy: {restart_policy}, containers: [{{name: a, image: i}}]}}"))
}

const DELETED: &str = "metadata: {deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 30}\n";

#[test]
fn a_new_pod_mounts_networks_and_pulls_at_the_same_time() {
    check(&web("Always"), &Observed::default(), 0, &["mount", "sandbox 0", "image a"]);
}

#[test]
fn a_container_starts_when_all_is_prepared() {
    let pod = web("Always");
    check(&pod, &prepared(&pod), 0, &["start a#0"]);
    let mut waiting = prepared(&pod);
    waiting.volumes = Volumes::Pending;
    check(&pod, &waiting, 0, &["mount"]);
}

#[test]
fn what_is_under_way_is_not_asked_for_again() {
    let pod = web("Always");
    let mut seen = Observed::default();
    for subject in [Subject::Volumes, Subject::Sandbox, Subject::Image("a".into())] {
        seen.busy.insert(subject, Busy::default());
    }
    check(&pod, &seen, 0, &[]);
}

#[test]
fn init_containers_run_one_after_the_other_before_the_apps() {
    let pod = pod_yaml("spec: {initContainers: [{name: i1}, {name: i2}], containers: [{name: a}]}");
    check(&pod, &prepared(&pod), 0, &["start i1#0"]);
    check(&pod, &with(prepared(&pod), &["i1#0 running"]), 0, &[]);
    check(&pod, &with(prepared(&pod), &["i1#0 exited 0"]), 6, &["start i2#0"]);
    check(&pod, &with(prepared(&pod), &["i1#0 exited 0", "i2#0 exited 0"]), 6, &["start a#0"]);
    check(&pod, &with(prepared(&pod), &["i1#0 exited 1"]), 6, &["start i1#1"]);
}

#[test]
fn a_failed_init_container_ends_a_pod_that_never_restarts() {
    let pod = pod_yaml("spec: {restartPolicy: Never, initContainers: [{name: i1}], containers: [{name: a}]}");
    check(&pod, &with(prepared(&pod), &["i1#0 exited 1"]), 6, &["stop s0"]);
}

#[test]
fn a_sidecar_starts_before_the_apps_and_must_have_started() {
    let pod = pod_yaml("spec: {initContainers: [{name: s, restartPolicy: Always}], containers: [{name: a}]}");
    check(&pod, &prepared(&pod), 0, &["start s#0"]);
    let mut seen = with(prepared(&pod), &["s#0 running"]);
    check(&pod, &seen, 0, &["start a#0"]);
    seen.health.insert("s-0".into(), Health::default());
    check(&pod, &seen, 0, &[]);
    check(&pod, &with(prepared(&pod), &["s#0 exited 0", "a#0 running"]), 6, &["start s#1"]);
}

#[test]
fn restart_policies_decide_after_an_exit() {
    for (policy, code, want) in [
        ("Always", 0, "start a#1"),
        ("Always", 1, "start a#1"),
        ("OnFailure", 1, "start a#1"),
        ("OnFailure", 0, "stop s0"),
        ("Never", 0, "stop s0"),
        ("Never", 1, "stop s0"),
    ] {
        let pod = web(policy);
        check(&pod, &with(prepared(&pod), &[&format!("a#0 exited {code}")]), 6, &[want]);
    }
}

#[test]
fn what_was_created_and_never_started_makes_way_for_the_same_try() {
    for policy in ["Always", "OnFailure", "Never"] {
        let pod = web(policy);
        let mut seen = with(prepared(&pod), &["a#0 created"]);
        check(&pod, &seen, 0, &["remove a-0"]);
        seen.busy.insert(Subject::Kill("a-0".into()), Busy::default());
        check(&pod, &seen, 0, &[]);
        // While it is being started, somebody does start it.
        let mut seen = with(prepared(&pod), &["a#0 created"]);
        seen.busy.insert(Subject::Start("a".into()), Busy::default());
        check(&pod, &seen, 0, &[]);
    }
    let pod = web("Always");
    check(&pod, &with(prepared(&pod), &["a#0 exited 1", "a#1 created"]), 6, &["remove a-1"]);
    check(&pod, &with(prepared(&pod), &["a#0 exited 1"]), 6, &["start a#1"]);
    let debugged = "spec: {containers: [{name: a}], ephemeralContainers: [{name: d}]}";
    let pod = pod_yaml(debugged);
    check(&pod, &with(prepared(&pod), &["a#0 running", "d#0 created"]), 0, &["remove d-0"]);
}

#[test]
fn a_crash_loop_waits_for_its_back_off() {
    let pod = web("Always");
    let mut seen = with(prepared(&pod), &["a#1 exited 1"]);
    seen.restarts.insert("a".into(), BackOff::next(None, CRASH_LOOP, at(0)));
    check(&pod, &seen, 6, &["wake +15", "note BackOff"]);
    check(&pod, &seen, 15, &["start a#2"]);
}

#[test]
fn a_failed_probe_restarts_the_container_with_the_probes_grace() {
    let pod = web("Always");
    let mut seen = with(prepared(&pod), &["a#0 running"]);
    let failed = Some(Verdict { probe: "liveness", grace_seconds: Some(3) });
    seen.health.insert("a-0".into(), Health { failed, ..Health::default() });
    check(&pod, &seen, 0, &["kill a-0 3s"]);
}

#[test]
fn a_new_image_replaces_the_container() {
    let pod = web("Always");
    let mut seen = with(prepared(&pod), &["a#0 running"]);
    seen.containers[0].hash = "other".into();
    check(&pod, &seen, 0, &["replace a-0", "kill a-0 30s"]);
    seen.containers[0].hash = container_hash(&spec(&pod).containers[0]);
    check(&pod, &seen, 0, &[]);
}

#[test]
fn what_was_killed_for_a_new_image_runs_again_whatever_its_policy() {
    let pod = web("Never");
    let mut seen = with(prepared(&pod), &["a#0 exited 143"]);
    seen.containers[0].hash = "other".into();
    check(&pod, &seen, 6, &["stop s0"]);
    seen.replaced.insert("a-0".into());
    check(&pod, &seen, 6, &["start a#1"]);
}

#[test]
fn a_broken_sandbox_is_replaced_after_its_containers_are_dead() {
    let pod = web("Always");
    let mut seen = with(prepared(&pod), &["a#0 running"]);
    seen.sandboxes[0].ready = false;
    check(&pod, &seen, 0, &["kill a-0 30s"]);
    let mut seen = with(prepared(&pod), &["a#0 exited 137"]);
    seen.sandboxes[0].ready = false;
    check(&pod, &seen, 6, &["sandbox 1", "note SandboxChanged"]);
    seen.sandboxes.insert(0, Sandbox { id: "s1".into(), attempt: 1, ready: true, ips: vec![] });
    check(&pod, &seen, 6, &["start a#1"]);
}

#[test]
fn a_deleted_pod_stops_its_apps_then_its_sidecars_in_reverse_order() {
    let pod = pod_yaml(&format!(
        "{DELETED}spec: {{initContainers: [{{name: s1, restartPolicy: Always}}, {{name: s2, restartPolicy: Always}}], containers: [{{name: a}}, {{name: b}}]}}"
    ));
    let mut seen = with(prepared(&pod), &["s1#0 running", "s2#0 running", "a#0 running", "b#0 running"]);
    seen.ending_since = Some(at(0));
    check(&pod, &seen, 0, &["kill b-0 30s", "kill a-0 30s"]);
    let mut seen = with(prepared(&pod), &["s1#0 running", "s2#0 running", "a#0 exited 0", "b#0 exited 0"]);
    seen.ending_since = Some(at(0));
    check(&pod, &seen, 10, &["kill s2-0 20s"]);
    let mut seen = with(prepared(&pod), &["s1#0 running", "s2#0 exited 0", "a#0 exited 0", "b#0 exited 0"]);
    seen.ending_since = Some(at(0));
    check(&pod, &seen, 45, &["kill s1-0 1s"]);
}

#[test]
fn a_deleted_pod_goes_from_the_api_when_nothing_is_left_and_all_is_reported() {
    let pod = pod_yaml(&format!("{DELETED}spec: {{containers: [{{name: a}}]}}"));
    let mut seen = with(prepared(&pod), &["a#0 exited 0"]);
    check(&pod, &seen, 6, &["stop s0"]);
    seen.sandboxes[0].ready = false;
    check(&pod, &seen, 6, &[]); // how `a` ended is to be told first
    seen.reported = true;
    check(&pod, &seen, 6, &["cleanup"]);
    seen = Observed { clean: true, ..Observed::default() };
    check(&pod, &seen, 6, &[]);
    seen.reported = true;
    check(&pod, &seen, 6, &["delete"]);
    seen.gone = true;
    check(&pod, &seen, 6, &[]);
}

#[test]
fn a_second_deletion_with_less_grace_overtakes_the_first() {
    let text = "metadata: {deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 0}\nspec: {containers: [{name: a}]}";
    let pod = pod_yaml(text);
    let mut seen = with(prepared(&pod), &["a#0 running"]);
    seen.busy.insert(Subject::Kill("a-0".into()), Busy { deadline: Some(at(30)) });
    check(&pod, &seen, 0, &["kill a-0 1s"]);
    seen.busy.insert(Subject::Kill("a-0".into()), Busy { deadline: Some(at(1)) });
    check(&pod, &seen, 0, &[]);
}

#[test]
fn a_grace_beyond_all_time_is_still_a_grace() {
    let long = "metadata: {deletionTimestamp: '9999-12-30T22:00:00Z', deletionGracePeriodSeconds: 9223372036854775807}
spec: {initContainers: [{name: s, restartPolicy: Always}], containers: [{name: a}]}";
    let pod = pod_yaml(long);
    check(&pod, &with(prepared(&pod), &["s#0 running", "a#0 running"]), 0, &["kill a-0 9223372036854775807s"]);
    let mut seen = with(prepared(&pod), &["s#0 running", "a#0 exited 0"]);
    seen.ending_since = Some(at(5)); // the clock was set back
    check(&pod, &seen, 0, &["kill s-0 9223372036854775807s"]);
}

#[test]
fn a_pod_past_its_deadline_is_doomed() {
    let pod = pod_yaml(
        "spec: {activeDeadlineSeconds: 60, containers: [{name: a}]}\nstatus: {startTime: '1970-01-12T13:46:40Z'}",
    );
    let seen = with(prepared(&pod), &["a#0 running"]);
    check(&pod, &seen, 10, &["wake +60"]);
    check(&pod, &seen, 60, &["doom DeadlineExceeded"]);
    let doom = Doom { reason: "DeadlineExceeded".into(), message: String::new(), grace: None };
    check(&pod, &Observed { doom: Some(doom), ..seen }, 60, &["kill a-0 30s"]);
    let long = pod_yaml(
        "spec: {activeDeadlineSeconds: 9223372036854775807, containers: [{name: a}]}\nstatus: {startTime: '1970-01-12T13:46:40Z'}",
    );
    let end = Timestamp::MAX.duration_since(at(0)).as_secs();
    check(&long, &with(prepared(&long), &["a#0 running"]), 10, &[&format!("wake +{end}")]);
}

#[test]
fn a_finished_pod_is_not_run_again_after_a_restart_of_the_agent() {
    let pod = pod_yaml("spec: {containers: [{name: a}]}\nstatus: {phase: Succeeded}");
    check(&pod, &Observed::default(), 0, &[]);
    let pod = pod_yaml(
        "spec: {restartPolicy: Never, containers: [{name: a}]}\nstatus: {phase: Running, containerStatuses: [{name: a, image: i, imageID: '', ready: true, restartCount: 0, containerID: 'x://1', state: {running: {}}}]}",
    );
    check(&pod, &Observed::default(), 0, &[]);
}

#[test]
fn restart_counts_survive_a_runtime_that_forgot_the_container() {
    let pod = pod_yaml(
        "spec: {containers: [{name: a}]}\nstatus: {containerStatuses: [{name: a, image: i, imageID: '', ready: true, restartCount: 4, containerID: 'x://1'}]}",
    );
    check(&pod, &prepared(&pod), 0, &["start a#5"]);
}

#[test]
fn a_failed_pull_is_shown_then_backed_off() {
    let pod = web("Always");
    let mut seen = prepared(&pod);
    let back_off = BackOff::next(None, CRASH_LOOP, at(0));
    let failure = Failure { reason: "ErrImagePull", message: "no".into(), at: at(0), back_off };
    seen.images.insert("a".into(), Image::Failed(failure));
    check(&pod, &seen, 0, &["wake +2"]);
    check(&pod, &seen, 2, &["wake +10", "note BackOff", "note Failed"]);
    check(&pod, &seen, 10, &["image a"]);
}

#[test]
fn a_changed_limit_resizes_the_running_container() {
    let pod = pod_yaml("spec: {containers: [{name: a, resources: {limits: {cpu: 2}}}]}");
    let mut seen = with(prepared(&pod), &["a#0 running"]);
    seen.containers[0].resources = serde_norway::from_str("{limits: {cpu: 1}}").ok();
    check(&pod, &seen, 0, &["resize a"]);
    seen.resized.insert("a-0".into(), serde_norway::from_str("{limits: {cpu: 2}}").unwrap());
    check(&pod, &seen, 0, &[]);
}

#[test]
fn a_container_that_is_to_run_as_something_else_does_not_wait_for_its_crashes() {
    let pod = pod_yaml("spec: {containers: [{name: a, image: i, resources: {limits: {cpu: 2}}}]}");
    let mut seen = with(prepared(&pod), &["a#3 exited 1"]);
    seen.containers[0].hash = container_hash(&spec(&pod).containers[0]);
    seen.restarts.insert("a".into(), BackOff::next(None, CRASH_LOOP, at(5)));
    check(&pod, &seen, 6, &["wake +15", "note BackOff"]);
    seen.containers[0].resources = serde_norway::from_str("{limits: {cpu: 1}}").ok();
    check(&pod, &seen, 6, &["start a#4"]);
    let starts_afresh = |op: &Op| matches!(op, Op::Start { back_off: None, .. });
    assert!(plan(&pod, &seen, at(6)).iter().any(starts_afresh));
    seen.containers[0].resources = None;
    seen.containers[0].hash = "another image".into();
    check(&pod, &seen, 6, &["start a#4"]);
}

#[test]
fn a_replaced_sandbox_is_removed_once_it_is_empty() {
    let pod = web("Always");
    let mut seen = prepared(&pod);
    seen.sandboxes.push(Sandbox { id: "old".into(), attempt: 0, ready: false, ips: vec![] });
    check(&pod, &seen, 0, &["start a#0", "remove-sandbox old"]);
}

#[test]
fn one_dead_container_is_kept_for_its_logs() {
    let pod = web("Always");
    let seen = with(prepared(&pod), &["a#0 exited 1", "a#1 exited 1", "a#2 running"]);
    check(&pod, &seen, 6, &["remove a-0"]);
}

#[test]
fn devices_that_are_claimed_are_prepared_before_the_sandbox_and_released_after_it() {
    let text = "spec: {containers: [{name: a, image: i}], resourceClaims: [{name: gpu, resourceClaimName: c}]}";
    let pod = pod_yaml(text);
    let mut seen = Observed::default();
    check(&pod, &seen, 0, &["mount", "prepare", "image a"]);
    seen.busy.insert(Subject::Claims, Busy::default());
    check(&pod, &seen, 0, &["mount", "image a"]);
    seen.busy.clear();
    seen.claims.ready = true;
    check(&pod, &seen, 0, &["mount", "sandbox 0", "image a"]);
    // Another agent finds the sandbox: what was prepared for that is still there.
    check(&pod, &prepared(&pod), 0, &["start a#0"]);

    let deleted = pod_yaml(&format!("{DELETED}{text}"));
    let mut seen = prepared(&pod);
    seen.reported = true;
    seen.claims.held = true;
    check(&deleted, &seen, 0, &["stop s0"]);
    seen.sandboxes[0].ready = false;
    check(&deleted, &seen, 0, &["unprepare"]);
    seen.claims.held = false;
    check(&deleted, &seen, 0, &["cleanup"]);
    seen.busy.insert(Subject::Claims, Busy::default());
    check(&deleted, &seen, 0, &[]);
}

const RESTARTS_ALL: &str = "spec: {restartPolicy: Never, initContainers: [{name: i}, {name: s, restartPolicy: Always}], containers: [{name: a, restartPolicy: Never, restartPolicyRules: [{action: RestartAllContainers, exitCodes: {operator: In, values: [42]}}]}, {name: b}]}";
const MARKED: &str = "status: {phase: Running, conditions: [{type: AllContainersRestarting, status: 'True'}]}";

#[test]
fn a_pod_whose_container_asks_for_it_begins_again_in_its_sandbox() {
    let (pod, marked) = (pod_yaml(RESTARTS_ALL), pod_yaml(&format!("{RESTARTS_ALL}\n{MARKED}")));
    let seen = with(prepared(&pod), &["i#0 exited 0", "s#0 running", "a#0 exited 42", "b#0 running"]);
    check(&pod, &seen, 6, &[]); // the API hears of it first
    check(&marked, &seen, 6, &["kill b-0 1s without hook", "kill s-0 1s without hook"]);
    let mut seen = with(prepared(&pod), &["i#0 exited 0", "s#0 exited 143", "a#0 exited 42", "b#0 exited 143"]);
    check(&marked, &seen, 6, &[]); // how they ended is to be told first
    seen.reported = true;
    check(&marked, &seen, 6, &["remove b-0", "remove a-0", "remove s-0", "remove i-0"]);
    seen.busy.insert(Subject::Kill("a-0".into()), Busy::default());
    check(&marked, &seen, 6, &["remove b-0", "remove s-0", "remove i-0"]);
    check(&marked, &prepared(&pod), 6, &[]); // the API is to hear that they are gone
    let mut starting = prepared(&pod);
    starting.busy.insert(Subject::Start("b".into()), Busy::default());
    assert_eq!(restart_all::stage(&marked, &starting), Some(restart_all::Stage::Clearing));
}

/// What the API has of [`RESTARTS_ALL`] once all is removed.
fn cleared() -> Pod {
    let status = |name: &str, code: i32| {
        format!(
            "{{name: {name}, image: i, imageID: '', ready: false, restartCount: 0, containerID: 'x://1', state: {{waiting: {{reason: RestartingAllContainers}}}}, lastState: {{terminated: {{exitCode: {code}, finishedAt: '1970-01-12T13:46:45Z'}}}}}}"
        )
    };
    pod_yaml(&format!(
        "{RESTARTS_ALL}\nstatus: {{phase: Running, conditions: [{{type: AllContainersRestarting, status: 'False'}}], initContainerStatuses: [{}, {}], containerStatuses: [{}, {}]}}",
        status("i", 0),
        status("s", 143),
        status("a", 42),
        status("b", 143),
    ))
}

#[test]
fn what_was_removed_runs_again_as_the_next_try_after_its_back_off() {
    let pod = cleared();
    let mut seen = prepared(&pod);
    check(&pod, &seen, 6, &["start i#1"]);
    let counts = |op: &Op| matches!(op, Op::Start { back_off: Some(b), .. } if b.delay == CRASH_LOOP.first);
    assert!(plan(&pod, &seen, at(6)).iter().any(counts));
    seen.restarts.insert("i".into(), BackOff::next(None, CRASH_LOOP, at(0)));
    check(&pod, &seen, 6, &["wake +15"]);
    check(&pod, &seen, 15, &["start i#1"]);
    check(&pod, &with(prepared(&pod), &["i#1 exited 0"]), 6, &["start s#1"]);
    check(&pod, &with(prepared(&pod), &["i#1 exited 0", "s#1 running"]), 6, &["start a#1", "start b#1"]);
    check(&pod, &with(prepared(&pod), &["i#1 exited 1"]), 6, &["stop s0"]); // no init container of this pod runs twice by itself
}

#[test]
fn a_sidecar_can_ask_for_it_as_long_as_the_pod_has_not_ended() {
    let text = "spec: {restartPolicy: Never, initContainers: [{name: s, restartPolicy: Always, restartPolicyRules: [{action: RestartAllContainers, exitCodes: {operator: In, values: [42]}}]}], containers: [{name: a}]}";
    let (pod, marked) = (pod_yaml(text), pod_yaml(&format!("{text}\n{MARKED}")));
    check(&pod, &with(prepared(&pod), &["s#0 exited 42", "a#0 running"]), 6, &[]);
    check(&pod, &with(prepared(&pod), &["s#0 exited 42", "a#0 exited 0"]), 6, &["stop s0"]);
    let mut seen = with(prepared(&pod), &["s#0 exited 42", "a#0 exited 143"]);
    seen.reported = true;
    check(&marked, &seen, 6, &["remove a-0", "remove s-0"]);
}

#[test]
fn only_the_rule_that_comes_first_counts_and_nothing_outlives_a_deletion() {
    let rules = |first: &str, second: &str| {
        pod_yaml(&format!(
            "spec: {{containers: [{{name: a, restartPolicy: Always, restartPolicyRules: [{{action: {first}, exitCodes: {{operator: In, values: [42]}}}}, {{action: {second}, exitCodes: {{operator: NotIn, values: [0]}}}}]}}, {{name: b}}]}}"
        ))
    };
    let (one, all) = ("Restart", "RestartAllContainers");
    for (pod, code, want) in [
        (rules(one, all), 42, vec!["start a#1"]),
        (rules(one, all), 1, vec![]),
        (rules(all, one), 42, vec![]),
        (rules(all, one), 1, vec!["start a#1"]),
        (rules(all, one), 0, vec!["start a#1"]),
    ] {
        let ended = format!("a#0 exited {code}");
        check(&pod, &with(prepared(&pod), &[&ended, "b#0 running"]), 6, &want);
    }
    let pod = rules(one, all);
    let mut replaced = with(prepared(&pod), &["a#0 exited 143", "b#0 running"]);
    replaced.replaced.insert("a-0".into());
    check(&pod, &replaced, 6, &["start a#1"]);
    let deleted = pod_yaml(&format!("{DELETED}{RESTARTS_ALL}\n{MARKED}"));
    check(&deleted, &with(prepared(&deleted), &["a#0 exited 42", "b#0 running"]), 6, &["kill b-0 30s"]);
}

#[test]
fn debugging_goes_on_while_all_else_begins_again() {
    let pod = pod_yaml(
        &format!("{RESTARTS_ALL}\n{MARKED}\n").replace("{name: b}]", "{name: b}], ephemeralContainers: [{name: d}]"),
    );
    let mut seen = with(prepared(&pod), &["a#0 exited 42", "d#0 running"]);
    seen.reported = true;
    check(&pod, &seen, 6, &["remove a-0"]);
    check(&pod, &with(prepared(&pod), &["d#0 running"]), 6, &[]);
}
