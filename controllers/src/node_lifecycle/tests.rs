//! What happens to a node that is silent, unwell or back again.

use super::{CONTROLLER, Reconcile, watches};
use crate::testing::{at, caches, lines};
use client::action::Key;
use expect_test::{Expect, expect};

fn node(ready: &str, heartbeat: i64, spec: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Node\nmetadata: {{name: n1, uid: n1, resourceVersion: '7', creationTimestamp: '1970-01-01T00:00:00Z'}}
spec: {{{spec}}}
status: {{conditions: [{{type: Ready, status: '{ready}', lastHeartbeatTime: '1970-01-01T00:{:02}:{:02}Z'}}]}}",
        heartbeat / 60,
        heartbeat % 60
    )
}

const LEASE: &str =
    "\n---\napiVersion: coordination.k8s.io/v1\nkind: Lease\nmetadata: {name: n1, namespace: kube-node-lease}
spec: {renewTime: '1970-01-01T00:01:30.000000Z'}";
const POD: &str = "\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: a, uid: p}
spec: {nodeName: n1, containers: []}\nstatus: {phase: Running, conditions: [{type: Ready, status: 'True'}]}";

/// The node was heard of at second 90, or 10 where it wrote nothing since.
fn check(yaml: &str, expected: Expect) {
    let caches = caches(watches, yaml);
    let Reconcile::Cached(reconcile) = CONTROLLER.reconcile else { panic!("reads caches alone") };
    let spoke = if yaml.contains("01:30") { 90 } else { 10 };
    reconcile(&Key::new("", "n1"), &caches, at(spoke));
    expected.assert_eq(&lines(&reconcile(&Key::new("", "n1"), &caches, at(100))));
}

#[test]
fn a_fresh_lease_keeps_a_node_with_an_old_status_alive_and_nothing_is_written() {
    check(
        &format!("{}{LEASE}", node("True", 10, "")),
        expect![[r#"
        again at 140
    "#]],
    );
}

#[test]
fn a_silent_node_becomes_unknown() {
    check(
        &node("True", 10, ""),
        expect![[r#"
        update Node n1 status {"conditions":[{"lastHeartbeatTime":"1970-01-01T00:00:10Z","lastTransitionTime":"1970-01-01T00:01:40Z","message":"Kubelet stopped posting node status.","reason":"NodeStatusUnknown","status":"Unknown","type":"Ready"},{"lastHeartbeatTime":"1970-01-01T00:00:00Z","lastTransitionTime":"1970-01-01T00:01:40Z","message":"Kubelet never posted node status.","reason":"NodeStatusNeverUpdated","status":"Unknown","type":"MemoryPressure"},{"lastHeartbeatTime":"1970-01-01T00:00:00Z","lastTransitionTime":"1970-01-01T00:01:40Z","message":"Kubelet never posted node status.","reason":"NodeStatusNeverUpdated","status":"Unknown","type":"DiskPressure"},{"lastHeartbeatTime":"1970-01-01T00:00:00Z","lastTransitionTime":"1970-01-01T00:01:40Z","message":"Kubelet never posted node status.","reason":"NodeStatusNeverUpdated","status":"Unknown","type":"PIDPressure"}]}
        event Normal NodeNotReady: Node n1 status is now: NodeNotReady
    "#]],
    );
}

#[test]
fn an_unknown_node_is_tainted_and_its_pods_are_not_ready() {
    check(&format!("{}{POD}", node("Unknown", 10, "taints: [{key: mine, effect: NoSchedule}]")).replace(
        "conditions: [{type: Ready, status: 'Unknown'",
        "conditions: [{type: MemoryPressure, status: Unknown}, {type: DiskPressure, status: Unknown}, {type: PIDPressure, status: Unknown}, {type: Ready, status: 'Unknown'",
    ), expect![[r#"
        patch Node n1  {"metadata":{"resourceVersion":"7"},"spec":{"taints":[{"effect":"NoSchedule","key":"mine"},{"effect":"NoSchedule","key":"node.kubernetes.io/unreachable","timeAdded":"1970-01-01T00:01:40Z"},{"effect":"NoExecute","key":"node.kubernetes.io/unreachable","timeAdded":"1970-01-01T00:01:40Z"}]}}
        patch Pod p status {"status":{"conditions":[{"lastTransitionTime":"1970-01-01T00:01:40Z","status":"False","type":"Ready"}]}}
    "#]]);
}

/// The node's word that it is back may be slower than its pods'.
#[test]
fn a_pod_that_got_ready_after_its_node_fell_silent_is_believed() {
    let node = node("Unknown", 10, "").replace(
        "conditions: [{type: Ready, status: 'Unknown'",
        "conditions: [{type: Ready, status: 'Unknown', lastTransitionTime: '1970-01-01T00:01:20Z'",
    );
    let marked = |since: u32| {
        let pod =
            POD.replace("status: 'True'", &format!("status: 'True', lastTransitionTime: '1970-01-01T00:01:{since}Z'"));
        let caches = caches(watches, &format!("{node}{pod}"));
        let Reconcile::Cached(reconcile) = CONTROLLER.reconcile else { panic!("reads caches alone") };
        reconcile(&Key::new("", "n1"), &caches, at(95));
        lines(&reconcile(&Key::new("", "n1"), &caches, at(100))).contains("patch Pod p status")
    };
    assert!(marked(10));
    assert!(!marked(30));
}

#[test]
fn a_node_that_is_back_loses_its_taints_and_keeps_the_others() {
    let taints = "taints: [{key: mine, effect: NoSchedule}, {key: node.kubernetes.io/unreachable, effect: NoExecute}, {key: node.kubernetes.io/unreachable, effect: NoSchedule}]";
    check(
        &format!("{}{LEASE}", node("True", 90, taints)),
        expect![[r#"
        patch Node n1  {"metadata":{"resourceVersion":"7"},"spec":{"taints":[{"effect":"NoSchedule","key":"mine"}]}}
        again at 140
    "#]],
    );
}

#[test]
fn a_cordoned_node_is_tainted_unschedulable() {
    check(
        &format!("{}{LEASE}", node("True", 90, "unschedulable: true")),
        expect![[r#"
        patch Node n1  {"metadata":{"resourceVersion":"7"},"spec":{"taints":[{"effect":"NoSchedule","key":"node.kubernetes.io/unschedulable","timeAdded":"1970-01-01T00:01:40Z"}]}}
        again at 140
    "#]],
    );
}

#[test]
fn a_node_whose_clock_is_wrong_counts_as_silent_by_the_clock_of_others() {
    let caches = caches(watches, &node("True", 10, ""));
    let Reconcile::Cached(reconcile) = CONTROLLER.reconcile else { panic!("reads caches alone") };
    // Far ahead of what the node wrote: it is heard of now, for the first time.
    assert_eq!(lines(&reconcile(&Key::new("", "n1"), &caches, at(100_000))), "again at 100050\n");
    assert!(lines(&reconcile(&Key::new("", "n1"), &caches, at(100_050))).starts_with("update Node n1 status"));
}
