//! What becomes of a pod that depends on others, by what there is of them.

use super::{CONTROLLER, Reconcile, watches};
use crate::testing::{at, caches, lines};
use client::action::Key;
use expect_test::{Expect, expect};

/// A pod of the Deployment `web` that is held back until these are there.
fn pod(depends_on: &str, more: &str) -> String {
    format!(
        "apiVersion: v1
kind: Pod
metadata: {{name: p, namespace: a, uid: p1, resourceVersion: '5', annotations: {{drover.dev/depends-on: '{depends_on}'}},
  ownerReferences: [{{apiVersion: apps/v1, kind: ReplicaSet, name: web-1, uid: r1, controller: true}}]}}
spec: {{containers: [], schedulingGates: [{{name: drover.dev/depends-on}}]}}
status: {{{more}}}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata: {{name: web-1, namespace: a, uid: r1, ownerReferences: [{{apiVersion: apps/v1, kind: Deployment, name: web, uid: d1, controller: true}}]}}
spec: {{selector: {{}}}}"
    )
}

fn workload(kind: &str, name: &str, depends_on: &str, status: &str) -> String {
    let api = if kind == "Job" { "batch/v1" } else { "apps/v1" };
    format!(
        "\n---\napiVersion: {api}\nkind: {kind}\nmetadata: {{name: {name}, namespace: a, uid: {name}, generation: 2}}
spec: {{selector: {{}}, template: {{metadata: {{labels: {{app: {name}}}, annotations: {{{depends_on}}}}}, spec: {{containers: []}}}}}}
status: {{{status}}}"
    )
}

fn service(name: &str, ready: bool) -> String {
    format!(
        "\n---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: a, uid: s{name}}}\nspec: {{selector: {{app: {name}}}}}
---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: {name}-1, namespace: a, uid: e{name}, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4\nendpoints: [{{addresses: [10.0.0.1], conditions: {{ready: {ready}}}}}]"
    )
}

const AVAILABLE: &str = "observedGeneration: 2, conditions: [{type: Available, status: 'True'}]";
const COMPLETE: &str = "conditions: [{type: Complete, status: 'True'}]";

fn run(yaml: &str) -> String {
    let caches = caches(watches, yaml);
    let Reconcile::Cached(reconcile) = CONTROLLER.reconcile else { panic!("reads caches alone") };
    lines(&reconcile(&Key::new("a", "p"), &caches, at(100)))
}

fn check(yaml: &str, expected: Expect) {
    expected.assert_eq(&run(yaml));
}

/// The message of the pod's condition.
fn waits(yaml: &str) -> String {
    let text = run(yaml);
    let line = text.lines().find(|line| line.starts_with("event")).unwrap_or_default();
    line.to_owned()
}

#[test]
fn a_pod_whose_dependencies_are_all_there_is_let_go() {
    let yaml = [
        pod("deployment/db, job/migrate, service/cache", ""),
        workload("Deployment", "db", "", AVAILABLE),
        workload("Job", "migrate", "", COMPLETE),
        service("cache", true),
    ];
    check(
        &yaml.concat(),
        expect![[r#"
        patch Pod p status {"status":{"conditions":[{"lastTransitionTime":"1970-01-01T00:01:40Z","message":"everything that the pod depends on is there","reason":"DependenciesReady","status":"True","type":"drover.dev/DependenciesReady"}]}}
        event Normal DependenciesReady: everything that the pod depends on is there
        patch Pod p  {"metadata":{"uid":"p1"},"spec":{"schedulingGates":[{"$patch":"delete","name":"drover.dev/depends-on"}]}}
    "#]],
    );
}

#[test]
fn what_is_missing_is_told_by_condition_and_event_and_once() {
    let things = [
        workload("Deployment", "db", "", "observedGeneration: 1, conditions: [{type: Available, status: 'True'}]"),
        workload("Job", "migrate", "", "conditions: [{type: Failed, status: 'True'}]"),
        service("cache", false),
    ];
    let things = things.concat();
    let depends_on = "deployment/db, job/migrate, service/cache, statefulset/none";
    check(
        &format!("{}{things}", pod(depends_on, "")),
        expect![[r#"
        patch Pod p status {"status":{"conditions":[{"lastTransitionTime":"1970-01-01T00:01:40Z","message":"waiting: deployment/db is not available; job/migrate has failed; service/cache has no ready endpoint; statefulset/none does not exist","reason":"WaitingForDependencies","status":"False","type":"drover.dev/DependenciesReady"}]}}
        event Normal WaitingForDependencies: waiting: deployment/db is not available; job/migrate has failed; service/cache has no ready endpoint; statefulset/none does not exist
    "#]],
    );
    let message = "waiting: deployment/db is not available; job/migrate has failed; service/cache has no ready endpoint; statefulset/none does not exist";
    let held = format!("conditions: [{{type: drover.dev/DependenciesReady, status: 'False', message: '{message}'}}]");
    check(&format!("{}{things}", pod(depends_on, &held)), expect![[""]]);
}

#[test]
fn sets_are_there_when_all_their_pods_are() {
    let of = |kind: &str, status: &str| {
        waits(&format!("{}{}", pod(&format!("{}/x", str::to_lowercase(kind)), ""), workload(kind, "x", "", status)))
    };
    let none = "event Normal DependenciesReady: everything that the pod depends on is there";
    assert_eq!(of("StatefulSet", "replicas: 1, observedGeneration: 2, availableReplicas: 1"), none);
    assert_eq!(
        of("StatefulSet", "replicas: 1, observedGeneration: 2"),
        "event Normal WaitingForDependencies: waiting: statefulset/x has pods that are not available"
    );
    let daemons = "currentNumberScheduled: 2, numberMisscheduled: 0, numberReady: 2, desiredNumberScheduled: 2, observedGeneration: 2";
    assert_eq!(of("DaemonSet", &format!("{daemons}, numberAvailable: 2")), none);
    assert!(of("DaemonSet", &format!("{daemons}, numberAvailable: 1")).contains("daemonset/x has pods"));
}

#[test]
fn workloads_that_wait_for_each_other_are_told_the_whole_circle() {
    let yaml = [
        pod("deployment/db", ""),
        workload("Deployment", "web", "drover.dev/depends-on: deployment/db", ""),
        workload("Deployment", "db", "drover.dev/depends-on: service/web", ""),
        service("web", false),
    ];
    assert_eq!(
        waits(&yaml.concat()),
        "event Warning DependencyCycle: these wait for each other, and none of them will start: deployment/web -> deployment/db -> service/web -> deployment/web"
    );
}

#[test]
fn a_list_that_is_spoilt_later_is_told_and_lets_nothing_go() {
    let text = run(&pod("db", ""));
    assert!(
        text.contains("event Warning InvalidDependencies: annotation drover.dev/depends-on cannot be read"),
        "{text}"
    );
    assert!(!text.contains("schedulingGates"), "{text}");
}

#[test]
fn without_its_list_a_pod_waits_for_nothing() {
    let text = run(&pod("db", "").replace("drover.dev/depends-on: 'db'", ""));
    assert!(text.contains("schedulingGates"), "{text}");
}
