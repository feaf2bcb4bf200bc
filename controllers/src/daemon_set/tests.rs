//! What a DaemonSet does, by what it sees; and that whatever happens there is one pod a node in the end.

use super::{CONTROLLER, Reconcile};
use crate::history::{self, REVISION_HASH};
use crate::sim::{self, Ends, Scenario, World, all};
use crate::testing::{at, caches, lines};
use client::action::{Action, Key, Resource};
use expect_test::{Expect, expect};
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{Node, Pod};
use proptest::prelude::*;
use serde_json::{Value, json};

const TEMPLATE: &str = "{metadata: {labels: {app: log}}, spec: {containers: []}}";

fn set(spec: &str) -> String {
    let data = history::data(&serde_norway::from_str(TEMPLATE).unwrap());
    format!(
        "apiVersion: apps/v1
kind: DaemonSet
metadata: {{name: log, namespace: a, uid: d1, generation: 1, resourceVersion: '9'}}
spec: {{selector: {{matchLabels: {{app: log}}}}, template: {TEMPLATE}, {spec}}}
---
apiVersion: apps/v1
kind: ControllerRevision
metadata: {{name: log-new, namespace: a, uid: r1, labels: {{app: log, controller-revision-hash: new}}, ownerReferences: [{{apiVersion: apps/v1, kind: DaemonSet, name: log, uid: d1, controller: true}}]}}
revision: 1
data: {data}"
    )
}

fn node(name: &str, extra: &str) -> String {
    format!("\n---\napiVersion: v1\nkind: Node\nmetadata: {{name: {name}}}\nspec: {{{extra}}}")
}

fn pod(name: &str, node: &str, hash: &str, phase: &str, ready: &str, extra: &str) -> String {
    format!(
        "
---
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: a, uid: {name}, {extra} ownerReferences: [{{apiVersion: apps/v1, kind: DaemonSet, name: log, uid: d1, controller: true}}], labels: {{app: log, controller-revision-hash: {hash}}}}}
spec: {{nodeName: {node}, containers: []}}
status: {{phase: {phase}, conditions: [{{type: Ready, status: '{ready}'}}]}}"
    )
}

fn run(yaml: &str) -> String {
    let Reconcile::Cached(reconcile) = CONTROLLER.reconcile else { panic!("reads caches alone") };
    lines(&reconcile(&Key::new("a", "log"), &caches(CONTROLLER.watches, yaml), at(100)))
}

/// Only what happens to pods.
fn check(yaml: &str, expected: Expect) {
    let all = run(yaml);
    let kept = all.lines().filter(|line| !line.starts_with("update") && !line.starts_with("event Normal Successful"));
    expected.assert_eq(&kept.map(|line| format!("{line}\n")).collect::<String>());
}

#[test]
fn every_node_that_the_template_may_run_on_gets_a_pod() {
    let taint = "taints: [{key: only, effect: NoSchedule}]";
    let cordon = "unschedulable: true, taints: [{key: node.kubernetes.io/unschedulable, effect: NoSchedule}]";
    let text = run(&(set("") + &node("n1", "") + &node("n2", taint) + &node("n3", cordon)));
    assert_eq!(text.lines().filter(|line| line.starts_with("create Pod")).count(), 2, "{text}");
    assert!(text.contains("\"desiredNumberScheduled\":2"), "{text}");
}

#[test]
fn a_pod_shows_how_often_the_template_was_another() {
    let Reconcile::Cached(reconcile) = CONTROLLER.reconcile else { panic!("reads caches alone") };
    let yaml =
        set("").replace("{name: log,", "{name: log, annotations: {deprecated.daemonset.template.generation: '3'},");
    let actions = reconcile(&Key::new("a", "log"), &caches(CONTROLLER.watches, &(yaml + &node("n1", ""))), at(100));
    let labels = actions.iter().find_map(|action| match action {
        Action::Create { resource, object, .. } if resource.kind == "Pod" => Some(&object["metadata"]["labels"]),
        _ => None,
    });
    let wanted = json!({"app": "log", "controller-revision-hash": "new", "pod-template-generation": "3"});
    assert_eq!(labels, Some(&wanted));
}

#[test]
fn a_pod_on_a_node_that_it_may_not_start_on_goes_on_but_not_with_no_execute() {
    let here = pod("p1", "n1", "new", "Running", "True", "");
    check(&(set("") + &node("n1", "taints: [{key: only, effect: NoSchedule}]") + &here), expect![[""]]);
    check(
        &(set("") + &node("n1", "taints: [{key: only, effect: NoExecute}]") + &here),
        expect![[r#"
            delete Pod p1
        "#]],
    );
}

#[test]
fn a_failed_pod_is_replaced_and_the_next_one_lies_longer() {
    let failed = |extra| set("") + &node("n1", "") + &pod("p1", "n1", "new", "Failed", "False", extra);
    let text = run(&failed("creationTimestamp: '1970-01-01T00:01:39Z',"));
    assert!(text.contains("delete Pod p1") && text.contains("create Pod log-"), "{text}");
    assert!(
        text.contains("event Warning FailedDaemonPod: Found failed daemon pod a/p1 on node n1, will try to kill it")
    );
    check(
        &failed("creationTimestamp: '1970-01-01T00:01:39Z', annotations: {drover.dev/daemon-failures-in-a-row: '3'},"),
        expect![[r#"
            again at 107
        "#]],
    );
}

#[test]
fn an_update_replaces_as_many_pods_as_may_miss_and_first_those_that_do_not_work() {
    let nodes = node("n1", "") + &node("n2", "") + &node("n3", "");
    let old = |n: i32, ready| pod(&format!("p{n}"), &format!("n{n}"), "old", "Running", ready, "");
    check(
        &(set("") + &nodes + &old(1, "True") + &old(2, "True") + &old(3, "True")),
        expect![[r#"
            delete Pod p1
        "#]],
    );
    check(
        &(set("") + &nodes + &old(1, "True") + &old(2, "False") + &old(3, "True")),
        expect![[r#"
            delete Pod p2
        "#]],
    );
    check(
        &(set("updateStrategy: {type: OnDelete}") + &nodes + &old(1, "True") + &old(2, "True") + &old(3, "True")),
        expect![[""]],
    );
}

#[test]
fn a_rollback_leaves_pods_alone_that_already_match() {
    let nodes = node("n1", "") + &node("n2", "");
    let pods = pod("p1", "n1", "new", "Running", "True", "") + &pod("p2", "n2", "old", "Running", "False", "");
    check(
        &(set("") + &nodes + &pods),
        expect![[r#"
            delete Pod p2
        "#]],
    );
}

#[test]
fn of_two_revisions_of_one_template_the_newer_stays_and_no_pod_is_restarted() {
    let twin = set("")
        .split("---")
        .nth(1)
        .unwrap()
        .replace("log-new", "log-twin")
        .replace("r1", "r2")
        .replace("hash: new", "hash: twin")
        .replace("revision: 1", "revision: 2");
    let yaml = format!("{}\n---{twin}", set("")) + &node("n1", "") + &pod("p1", "n1", "new", "Running", "True", "");
    check(
        &yaml,
        expect![[r#"
            patch Pod p1  {"metadata":{"labels":{"controller-revision-hash":"twin"},"uid":"p1"}}
            delete ControllerRevision log-new
        "#]],
    );
}

#[test]
fn with_surge_the_old_pod_goes_when_the_new_one_works() {
    let surge = "updateStrategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}";
    let old = pod("p1", "n1", "old", "Running", "True", "");
    let text = run(&(set(surge) + &node("n1", "") + &old));
    assert!(text.contains("create Pod log-") && !text.contains("delete"), "{text}");
    let both = |ready| set(surge) + &node("n1", "") + &old + &pod("p2", "n1", "new", "Running", ready, "");
    check(&both("False"), expect![[""]]);
    check(
        &both("True"),
        expect![[r#"
            delete Pod p1
        "#]],
    );
}

#[test]
fn a_set_that_selects_everything_is_told_so() {
    let yaml = set("").replace("matchLabels: {app: log}", "");
    assert!(run(&yaml).contains("event Warning SelectingAll: This daemon set is selecting all pods."));
}

const WILD: &str = "apiVersion: apps/v1
kind: DaemonSet
metadata: {name: log, namespace: a}
spec:
  selector: {matchLabels: {app: log}}
  revisionHistoryLimit: 1
  template: {metadata: {labels: {app: log}}, spec: {containers: [{name: c, image: one}]}}
---
apiVersion: v1
kind: Node
metadata: {name: n0}
---
apiVersion: v1
kind: Node
metadata: {name: n1}";

fn edit_set(world: &mut World, change: impl FnOnce(&mut Value)) {
    world.edit(&Resource::of::<DaemonSet>(), &Key::new("a", "log"), change);
}

fn is_live(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    pod.metadata.deletion_timestamp.is_none() && !matches!(phase, Some("Failed" | "Succeeded"))
}

/// Pods that live, by the node that they are bound for.
fn per_node(world: &World) -> Vec<(String, Vec<String>)> {
    let pods: Vec<Pod> = all(world);
    let on = |name: &str| {
        let here = pods.iter().filter(|pod| is_live(pod)).filter(|pod| super::eligible::target(pod) == Some(name));
        here.filter_map(|pod| pod.metadata.labels.as_ref()?.get(REVISION_HASH).cloned()).collect()
    };
    all::<Node>(world).into_iter().filter_map(|node| node.metadata.name).map(|name| (name.clone(), on(&name))).collect()
}

fn never_more_than_surge(world: &World) -> Result<(), String> {
    // One and, where it may surge, another beside it.
    let crowded = per_node(world).into_iter().find(|(_, pods)| pods.len() > 2);
    crowded.map_or(Ok(()), |(node, pods)| Err(format!("{node} has {pods:?}")))
}

fn one_each(world: &World) -> Result<(), String> {
    let per_node = per_node(world);
    let sets: Vec<DaemonSet> = all(world);
    let status = sets[0].status.clone().unwrap_or_default();
    let mut hashes: Vec<&String> = per_node.iter().flat_map(|(_, pods)| pods).collect();
    hashes.dedup();
    let nodes = per_node.len() as i32;
    let counted = [status.desired_number_scheduled, status.number_ready, status.current_number_scheduled];
    if per_node.iter().all(|(_, pods)| pods.len() == 1) && hashes.len() <= 1 && counted == [nodes; 3] {
        Ok(())
    } else {
        Err(format!("{per_node:?} {status:?}"))
    }
}

const SCENARIO: Scenario = Scenario {
    controllers: &[CONTROLLER],
    yaml: WILD,
    ends: Ends::Failing,
    edits: &[
        |world| edit_set(world, |set| set["spec"]["template"]["spec"]["containers"][0]["image"] = json!("two")),
        |world| edit_set(world, |set| set["spec"]["template"]["spec"]["containers"][0]["image"] = json!("one")),
        |world| {
            edit_set(world, |set| {
                set["spec"]["updateStrategy"] =
                    json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}});
            });
        },
        |world| {
            edit_set(world, |set| {
                set["spec"]["updateStrategy"] =
                    json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "50%"}});
            });
        },
    ],
    always: never_more_than_surge,
    settled: one_each,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_happens_every_node_has_one_pod_of_the_newest_template_in_the_end(steps in sim::steps(250)) {
        sim::play(&SCENARIO, &steps)?;
    }
}
