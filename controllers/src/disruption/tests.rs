//! What a budget allows, by the pods that it selects.

use super::{CONTROLLER, look, reconcile};
use crate::testing::{at, caches, lines};
use client::action::Key;
use client::controller::Sight;
use serde_json::json;

fn budget(spec: &str, status: &str) -> String {
    format!(
        "apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{name: b, namespace: a, uid: b1, generation: 1}}
spec: {{selector: {{matchLabels: {{app: web}}}}, {spec}}}
status: {{{status}}}"
    )
}

fn pod(name: &str, owner: &str, ready: &str) -> String {
    format!(
        "\n---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: a, uid: {name}, labels: {{app: web}}, ownerReferences: [{{{owner}, controller: true}}]}}\nstatus: {{conditions: [{{type: Ready, status: '{ready}'}}]}}"
    )
}

const RS: &str = "\n---\napiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: rs, namespace: a, uid: rs1}\nspec: {replicas: 4, selector: {}}";
const OF_RS: &str = "apiVersion: apps/v1, kind: ReplicaSet, name: rs, uid: rs1";
const OF_CUSTOM: &str = "apiVersion: example.com/v1, kind: Herd, name: h, uid: h1";

fn run(yaml: &str, sights: &[Sight], secs: i64) -> String {
    lines(&reconcile(&Key::new("a", "b"), &caches(CONTROLLER.watches, yaml), sights, at(secs)))
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
}

#[test]
fn a_count_that_must_stay_leaves_the_rest_to_be_disrupted() {
    let pods = pod("p", OF_RS, "True") + &pod("q", OF_RS, "True") + &pod("r", OF_RS, "False");
    let text = run(&(budget("minAvailable: 1", "") + RS + &pods), &[], 100);
    has(
        &text,
        &[
            r#""reason":"SufficientPods","status":"True","type":"DisruptionAllowed""#,
            r#""currentHealthy":2,"desiredHealthy":1,"disruptionsAllowed":1,"expectedPods":3"#,
        ],
    );
}

#[test]
fn percentages_are_of_the_owners_size() {
    let pods = pod("p", OF_RS, "True") + &pod("q", OF_RS, "True");
    has(
        &run(&(budget("maxUnavailable: 25%", "") + RS + &pods), &[], 100),
        &[r#""desiredHealthy":3,"disruptionsAllowed":0,"expectedPods":4"#],
    );
    has(
        &run(&(budget("minAvailable: 30%", "") + RS + &pods), &[], 100),
        &[r#""desiredHealthy":2,"disruptionsAllowed":0,"expectedPods":4"#],
    );
}

#[test]
fn an_owner_of_any_kind_is_asked_for_its_scale() {
    let yaml = budget("maxUnavailable: 1", "") + &pod("p", OF_CUSTOM, "True") + &pod("q", OF_CUSTOM, "True");
    let looks = look(&Key::new("a", "b"), &caches(CONTROLLER.watches, &yaml), at(100));
    assert_eq!(looks.len(), 1);
    has(
        &run(&yaml, &[Sight::Object(json!({"spec": {"replicas": 2}}))], 100),
        &[r#""disruptionsAllowed":1,"expectedPods":2"#],
    );
    has(
        &run(&yaml, &[Sight::Absent], 100),
        &[
            r#""reason":"SyncFailed""#,
            "event Warning CalculateExpectedPodCountFailed: Failed to calculate the number of expected pods: Herd.example.com/v1 does not implement the scale subresource",
        ],
    );
}

#[test]
fn an_evicted_pod_counts_as_gone_for_two_minutes() {
    let pods = pod("p", OF_RS, "True") + &pod("q", OF_RS, "True");
    let evicted = "disruptedPods: {p: '1970-01-01T00:01:00Z'}";
    let yaml = budget("minAvailable: 1", evicted) + RS + &pods;
    has(&run(&yaml, &[], 100), &[r#""currentHealthy":1"#, "again at 180", r#""disruptedPods":{"p":"#]);
    has(&run(&yaml, &[], 180), &[r#""currentHealthy":2"#]);
}

#[test]
fn a_budget_over_nothing_allows_nothing_and_says_so() {
    has(
        &run(&budget("minAvailable: 0", ""), &[], 100),
        &[r#""disruptionsAllowed":0"#, "event Normal NoPods: No matching pods found"],
    );
}
