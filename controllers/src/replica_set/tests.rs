//! What a ReplicaSet does, by what it sees.

use super::{CONTROLLER, REPLICATION_CONTROLLER, Reconcile};
use crate::testing::{at, caches, lines};
use client::action::{Action, Key, Resource};
use client::controller::Refusal;
use expect_test::{Expect, expect};
use k8s_openapi::api::core::v1::Pod;
use kube::core::Status;
use std::fmt::Write as _;

fn rs(replicas: i32, status: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: ReplicaSet
metadata: {{name: web, namespace: a, uid: rs1, generation: 1, resourceVersion: '9'}}
spec: {{replicas: {replicas}, selector: {{matchLabels: {{app: web}}}}, template: {{metadata: {{labels: {{app: web}}}}, spec: {{containers: []}}}}}}
status: {status}"
    )
}

/// `name labels owner phase ready node extra`
fn pods(rows: &[(&str, &str, bool, &str, bool, &str, &str)]) -> String {
    let mut yaml = String::new();
    for (name, app, owned, phase, ready, node, extra) in rows {
        let owner = if *owned {
            "ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web, uid: rs1, controller: true}],"
        } else {
            ""
        };
        let ready = if *ready { "True" } else { "False" };
        write!(
            yaml,
            "\n---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: a, uid: {name}, resourceVersion: '5', {owner} {extra} labels: {{app: {app}}}}}
spec: {{nodeName: '{node}', containers: []}}
status: {{phase: {phase}, conditions: [{{type: Ready, status: '{ready}', lastTransitionTime: '1970-01-01T00:00:50Z'}}]}}"
        )
        .unwrap();
    }
    yaml
}

fn check(yaml: &str, expected: Expect) {
    let caches = caches(CONTROLLER.watches, yaml);
    let Reconcile::Cached(reconcile) = CONTROLLER.reconcile else { panic!("reads caches alone") };
    expected.assert_eq(&lines(&reconcile(&Key::new("a", "web"), &caches, at(100))));
}

#[test]
fn missing_pods_are_created_and_told() {
    check(
        &rs(2, "{replicas: 0, observedGeneration: 1}"),
        expect![[r#"
        create Pod web-ttxlp
        create Pod web-tngn9
        event Normal SuccessfulCreate: Created pod: web-ttxlp
        event Normal SuccessfulCreate: Created pod: web-tngn9
    "#]],
    );
}

#[test]
fn pods_that_their_node_refuses_are_replaced_at_a_slower_and_slower_pace() {
    let refused = |count: usize, made: u32| {
        let names: Vec<String> = (0..count).map(|nth| format!("p{nth}")).collect();
        let created = format!("creationTimestamp: '1970-01-01T00:01:{made:02}Z',");
        let rows: Vec<_> =
            names.iter().map(|name| (name.as_str(), "web", true, "Failed", false, "n1", created.as_str())).collect();
        format!("{}{}", rs(1, "{replicas: 0, observedGeneration: 1}"), pods(&rows))
    };
    let created = |yaml: &str| {
        let Reconcile::Cached(reconcile) = CONTROLLER.reconcile else { panic!("reads caches alone") };
        let actions = lines(&reconcile(&Key::new("a", "web"), &caches(CONTROLLER.watches, yaml), at(100)));
        actions.lines().next().map(|line| if line.starts_with("create") { "create" } else { line }.to_owned())
    };
    // It is 100 s, and they were made at 60 s + the second number.
    let rows =
        [(1, 40, "create"), (2, 40, "create"), (3, 40, "again at 101"), (6, 30, "create"), (6, 35, "again at 103")];
    for (count, made, expected) in rows {
        assert_eq!(created(&refused(count, made)).as_deref(), Some(expected), "{count} refused, made at {made}");
    }
}

/// A pod of the ReplicaSet whose eviction began at this second and waits for the replacement.
fn leaving(name: &str, since: i64) -> String {
    let mark = format!("{{type: drover.dev/Leaving, status: 'True', lastTransitionTime: '{}'}}", at(since));
    pods(&[(name, "web", true, "Running", true, "n1", "")]).replace("conditions: [", &format!("conditions: [{mark}, "))
}

#[test]
fn a_pod_that_leaves_is_replaced_before_it_is_gone() {
    check(
        &format!(
            "{}{}",
            rs(
                1,
                "{replicas: 1, readyReplicas: 1, availableReplicas: 1, fullyLabeledReplicas: 1, observedGeneration: 1}"
            ),
            leaving("old", 90)
        ),
        expect![[r#"
            create Pod web-ttxlp
            event Normal SuccessfulCreate: Created pod: web-ttxlp
            again at 690
        "#]],
    );
}

#[test]
fn a_pod_that_leaves_and_its_replacement_are_available_as_one() {
    let new = pods(&[("new", "web", true, "Running", true, "n2", "")]);
    check(
        &format!("{}{}{new}", rs(1, "{replicas: 1, observedGeneration: 1}"), leaving("old", 90)),
        expect![[r#"
        update ReplicaSet web status {"availableReplicas":1,"fullyLabeledReplicas":2,"observedGeneration":1,"readyReplicas":2,"replicas":2}
        again at 690
    "#]],
    );
}

#[test]
fn a_pod_whose_eviction_was_given_up_is_one_of_those_that_are_too_many() {
    let new = pods(&[("new", "web", true, "Running", true, "n1", "")]);
    check(
        &format!("{}{}{new}", rs(1, "{replicas: 2, observedGeneration: 1}"), leaving("old", -510)),
        expect![[r#"
        delete Pod new
        event Normal SuccessfulDelete: Deleted pod: new
        update ReplicaSet web status {"availableReplicas":2,"fullyLabeledReplicas":2,"observedGeneration":1,"readyReplicas":2,"replicas":2}
    "#]],
    );
}

#[test]
fn a_replica_set_that_shrinks_to_nothing_takes_the_pods_that_leave_with_it() {
    let new = pods(&[("new", "web", true, "Running", true, "n2", "")]);
    check(
        &format!("{}{}{new}", rs(0, "{replicas: 2, observedGeneration: 1}"), leaving("old", 90)),
        expect![[r#"
        delete Pod new
        event Normal SuccessfulDelete: Deleted pod: new
        delete Pod old
        event Normal SuccessfulDelete: Deleted pod: old
        update ReplicaSet web status {"availableReplicas":1,"fullyLabeledReplicas":2,"observedGeneration":1,"readyReplicas":2,"replicas":2}
        again at 690
    "#]],
    );
}

#[test]
fn nothing_is_written_when_nothing_changed() {
    let pods = pods(&[("p1", "web", true, "Running", true, "n1", "")]);
    let status =
        "{replicas: 1, readyReplicas: 1, availableReplicas: 1, fullyLabeledReplicas: 1, observedGeneration: 1}";
    check(&format!("{}{pods}", rs(1, status)), expect![[r#""#]]);
}

#[test]
fn finished_and_terminating_pods_do_not_count() {
    let pods = pods(&[
        ("done", "web", true, "Succeeded", false, "n1", ""),
        ("going", "web", true, "Running", true, "n1", "deletionTimestamp: '1970-01-01T00:00:00Z',"),
        ("good", "web", true, "Running", true, "n1", ""),
    ]);
    check(
        &format!("{}{pods}", rs(1, "{replicas: 3}")),
        expect![[r#"
        update ReplicaSet web status {"availableReplicas":1,"fullyLabeledReplicas":1,"observedGeneration":1,"readyReplicas":1,"replicas":1,"terminatingReplicas":1}
    "#]],
    );
}

#[test]
fn a_matching_orphan_is_adopted_and_a_stranger_released() {
    let pods = pods(&[
        ("orphan", "web", false, "Running", true, "n1", ""),
        ("dead", "web", false, "Failed", false, "n1", ""),
        ("stranger", "other", true, "Running", true, "n1", ""),
    ]);
    check(
        &format!("{}{pods}", rs(1, "{replicas: 1}")),
        expect![[r#"
        patch Pod stranger  {"metadata":{"ownerReferences":[{"$patch":"delete","uid":"rs1"}],"uid":"stranger"}}
        patch Pod orphan  {"metadata":{"ownerReferences":[{"apiVersion":"apps/v1","blockOwnerDeletion":true,"controller":true,"kind":"ReplicaSet","name":"web","uid":"rs1"}],"uid":"orphan"}}
        update ReplicaSet web status {"availableReplicas":1,"fullyLabeledReplicas":1,"observedGeneration":1,"readyReplicas":1,"replicas":1}
    "#]],
    );
}

#[test]
fn scale_down_prefers_unassigned_then_unready_then_cheap_pods() {
    let pods = pods(&[
        ("a-good", "web", true, "Running", true, "n1", ""),
        ("b-unready", "web", true, "Running", false, "n1", ""),
        ("c-unassigned", "web", true, "Pending", false, "", ""),
        (
            "d-cheap",
            "web",
            true,
            "Running",
            true,
            "n1",
            "annotations: {controller.kubernetes.io/pod-deletion-cost: '-5'},",
        ),
    ]);
    let status =
        "{replicas: 4, readyReplicas: 2, availableReplicas: 2, fullyLabeledReplicas: 4, observedGeneration: 1}";
    check(
        &format!("{}{pods}", rs(1, status)),
        expect![[r#"
        delete Pod c-unassigned
        delete Pod b-unready
        delete Pod d-cheap
        event Normal SuccessfulDelete: Deleted pod: c-unassigned
        event Normal SuccessfulDelete: Deleted pod: b-unready
        event Normal SuccessfulDelete: Deleted pod: d-cheap
    "#]],
    );
}

#[test]
fn scale_down_thins_out_the_crowded_node() {
    let pods = pods(&[
        ("a", "web", true, "Running", true, "n1", ""),
        ("b", "web", true, "Running", true, "n2", ""),
        ("c", "web", true, "Running", true, "n2", ""),
    ]);
    let status =
        "{replicas: 3, readyReplicas: 3, availableReplicas: 3, fullyLabeledReplicas: 3, observedGeneration: 1}";
    check(
        &format!("{}{pods}", rs(2, status)),
        expect![[r#"
        delete Pod b
        event Normal SuccessfulDelete: Deleted pod: b
    "#]],
    );
}

#[test]
fn a_ready_pod_becomes_available_after_its_min_ready_seconds() {
    let pods = pods(&[("p1", "web", true, "Running", true, "n1", "")]);
    let rs = rs(1, "{replicas: 1, readyReplicas: 1, fullyLabeledReplicas: 1, observedGeneration: 1}");
    check(
        &format!("{}{pods}", rs.replace("spec: {replicas", "spec: {minReadySeconds: 60, replicas")),
        expect![[r#"
            again at 110
        "#]],
    );
}

#[test]
fn a_refused_creation_is_told_by_event_and_condition() {
    let caches = caches(CONTROLLER.watches, &rs(1, "{replicas: 0}"));
    let action = Action::Create { resource: Resource::of::<Pod>(), ns: "a".into(), object: serde_json::json!({}) };
    let status =
        Status { message: "exceeded quota".into(), reason: "Forbidden".into(), code: 403, ..Status::default() };
    let answer = (CONTROLLER.refused.unwrap())(&Key::new("a", "web"), &caches, &Refusal { action, status }, at(100));
    expect![[r#"
        event Warning FailedCreate: Error creating: exceeded quota
        update ReplicaSet web status {"conditions":[{"lastTransitionTime":"1970-01-01T00:01:40Z","message":"exceeded quota","reason":"FailedCreate","status":"True","type":"ReplicaFailure"}],"observedGeneration":1,"replicas":0}
    "#]].assert_eq(&lines(&answer));
}

#[test]
fn a_refused_creation_does_not_keep_the_status_from_counting_the_pods_there_are() {
    let pods = pods(&[("p1", "web", true, "Running", true, "n1", ""), ("p2", "web", true, "Running", true, "n1", "")]);
    let caches = caches(CONTROLLER.watches, &format!("{}{pods}", rs(3, "{replicas: 1, observedGeneration: 1}")));
    let action = Action::Create { resource: Resource::of::<Pod>(), ns: "a".into(), object: serde_json::json!({}) };
    let status = Status { message: "exceeded quota".into(), ..Status::default() };
    let answer = (CONTROLLER.refused.unwrap())(&Key::new("a", "web"), &caches, &Refusal { action, status }, at(100));
    let text = lines(&answer);
    for part in [r#""availableReplicas":2"#, r#""readyReplicas":2"#, r#""replicas":2"#, "ReplicaFailure"] {
        assert!(text.contains(part), "no {part} in {text}");
    }
}

#[test]
fn a_replication_controller_does_the_same_in_its_own_form() {
    let rc = "apiVersion: v1
kind: ReplicationController
metadata: {name: web, namespace: a, uid: rs1, generation: 1, resourceVersion: '9'}
spec: {replicas: 2, selector: {app: web}, template: {metadata: {labels: {app: web}}, spec: {containers: []}}}
status: {replicas: 0}";
    let pods = pods(&[("orphan", "web", false, "Running", true, "n1", "")]);
    let caches = caches(REPLICATION_CONTROLLER.watches, &format!("{rc}{pods}"));
    let Reconcile::Cached(reconcile) = REPLICATION_CONTROLLER.reconcile else { panic!("reads caches alone") };
    expect![[r#"
        patch Pod orphan  {"metadata":{"ownerReferences":[{"apiVersion":"v1","blockOwnerDeletion":true,"controller":true,"kind":"ReplicationController","name":"web","uid":"rs1"}],"uid":"orphan"}}
        create Pod web-ttxlp
        event Normal SuccessfulCreate: Created pod: web-ttxlp
        update ReplicationController web status {"availableReplicas":1,"fullyLabeledReplicas":1,"observedGeneration":1,"readyReplicas":1,"replicas":1}
    "#]]
    .assert_eq(&lines(&reconcile(&Key::new("a", "web"), &caches, at(100))));
}
