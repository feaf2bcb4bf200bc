//! What an autoscaler does, by what the metrics say.

use super::{CONTROLLER, Recent, look, reconcile, then};
use crate::testing::{at, caches, lines};
use client::action::{Action, Key, PatchKind, Resource};
use client::cache::Caches;
use client::controller::{Look, Refusal, Sight};
use k8s_openapi::api::apps::v1::Deployment;
use kube::core::Status;
use serde_json::{Value, json};
use std::sync::Arc;

fn scaler(spec: &str) -> String {
    format!(
        "apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: h, namespace: a, uid: h1, generation: 1}}
spec: {{scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: web}}, minReplicas: 1, maxReplicas: 10, {spec}}}"
    )
}

const CPU: &str =
    "metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}]";

fn pods(count: usize) -> String {
    let pod = |n| {
        format!(
            "\n---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p{n}, namespace: a, uid: p{n}, labels: {{app: web}}}}\nspec: {{containers: [{{name: c, resources: {{requests: {{cpu: 100m}}}}}}]}}\nstatus: {{phase: Running, startTime: '1970-01-01T00:00:00Z', conditions: [{{type: Ready, status: 'True', lastTransitionTime: '1970-01-01T00:00:10Z'}}]}}"
        )
    };
    (0..count).map(pod).collect()
}

fn scale(replicas: i32) -> Sight {
    Sight::Object(
        json!({"metadata": {"resourceVersion": "7"}, "spec": {"replicas": replicas}, "status": {"selector": "app=web"}}),
    )
}

fn usage(milli: &[i32]) -> Sight {
    let item = |(n, milli): (usize, &i32)| json!({"metadata": {"name": format!("p{n}")}, "timestamp": "1970-01-01T01:00:00Z", "window": "30s", "containers": [{"name": "c", "usage": {"cpu": format!("{milli}m")}}]});
    Sight::Object(json!({"items": milli.iter().enumerate().map(item).collect::<Vec<Value>>()}))
}

fn value(name: &str, value: &str) -> Sight {
    Sight::Object(
        json!({"items": [{"describedObject": {"name": name}, "value": value, "timestamp": "1970-01-01T01:00:00Z"}]}),
    )
}

fn world(yaml: &str) -> Arc<Caches> {
    caches(CONTROLLER.watches, yaml)
}

fn run(caches: &Caches, sights: &[Sight], secs: i64) -> String {
    lines(&reconcile(&Key::new("a", "h"), caches, sights, at(secs)))
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
}

#[test]
fn it_asks_for_the_scale_and_then_for_the_metrics_of_its_pods() {
    let caches = world(&scaler(CPU));
    let key = Key::new("a", "h");
    assert!(matches!(&look(&key, &caches, at(0))[..], [Look::Scale { key, .. }] if key.name == "web"));
    let more = then(&key, &caches, &[scale(1)], at(0));
    assert_eq!(
        more,
        [Look::Document { path: "/apis/metrics.k8s.io/v1beta1/namespaces/a/pods?labelSelector=app%3Dweb".to_owned() }]
    );
}

#[test]
fn twice_the_use_is_twice_the_size() {
    let caches = world(&(scaler(CPU) + &pods(2)));
    has(
        &run(&caches, &[scale(2), usage(&[100, 100])], 4000),
        &[
            r#"patch Deployment web scale {"metadata":{"resourceVersion":"7"},"spec":{"replicas":4}}"#,
            "event Normal SuccessfulRescale: New size: 4; reason: cpu resource utilization (percentage of request) above target",
            r#""reason":"ValidMetricFound","status":"True","type":"ScalingActive""#,
            r#""averageUtilization":100,"averageValue":"100m""#,
            r#""lastScaleTime":"1970-01-01T01:06:40Z""#,
            "again at 4015",
        ],
    );
}

#[test]
fn near_the_target_nothing_changes() {
    let caches = world(&(scaler(CPU) + &pods(2)));
    let text = run(&caches, &[scale(2), usage(&[54, 54])], 4000);
    assert!(!text.contains("patch Deployment"), "{text}");
}

#[test]
fn growth_is_bounded_by_the_rate_and_the_maximum() {
    let caches = world(&(scaler(CPU) + &pods(2)));
    has(
        &run(&caches, &[scale(2), usage(&[1000, 1000])], 4000),
        &[r#""replicas":6"#, r#""reason":"ScaleUpLimit","status":"True","type":"ScalingLimited""#],
    );
    let caches = world(&(scaler(CPU) + &pods(8)));
    has(
        &run(&caches, &[scale(8), usage(&[100; 8])], 4000),
        &[r#""replicas":10"#, r#""reason":"TooManyReplicas","status":"True","type":"ScalingLimited""#],
    );
}

#[test]
fn shrinking_waits_until_no_higher_recommendation_is_left_in_the_window() {
    let caches = world(&(scaler(CPU) + &pods(4)));
    run(&caches, &[scale(4), usage(&[50, 50, 50, 50])], 4000);
    let early = run(&caches, &[scale(4), usage(&[10, 10, 10, 10])], 4100);
    has(&early, &[r#""reason":"ScaleDownStabilized""#]);
    assert!(!early.contains("patch Deployment"), "{early}");
    has(&run(&caches, &[scale(4), usage(&[10, 10, 10, 10])], 4301), &[r#""replicas":1"#, "All metrics below target"]);
}

#[test]
fn a_new_autoscaler_does_not_shrink_what_it_finds_before_the_window_is_over() {
    let window = format!("{CPU}, behavior: {{scaleDown: {{stabilizationWindowSeconds: 120}}}}");
    let caches = world(&(scaler(&window) + &pods(4)));
    let idle = || [scale(4), usage(&[10, 10, 10, 10])];
    let first = run(&caches, &idle(), 4000);
    has(&first, &[r#""reason":"ScaleDownStabilized""#]);
    assert!(!first.contains("patch Deployment"), "{first}");
    has(&run(&caches, &idle(), 4121), &[r#""replicas":1"#]);
}

#[test]
fn a_refused_change_of_size_is_told_by_event_and_condition() {
    let caches = world(&scaler(CPU));
    let action = Action::Patch {
        resource: Resource::of::<Deployment>(),
        key: Key::new("a", "web"),
        subresource: "scale",
        kind: PatchKind::Merge,
        body: json!({"spec": {"replicas": 4}}),
    };
    let status = Status { message: "denied".into(), ..Status::default() };
    let answer = (CONTROLLER.refused.unwrap())(&Key::new("a", "h"), &caches, &Refusal { action, status }, at(100));
    has(
        &lines(&answer),
        &[
            "event Warning FailedRescale: New size: 4; error: denied",
            r#""reason":"FailedUpdateScale","status":"False","type":"AbleToScale""#,
        ],
    );
}

#[test]
fn a_pod_without_metrics_holds_the_size_rather_than_shrinking_it() {
    let caches = world(&(scaler(CPU) + &pods(2)));
    let text = run(&caches, &[scale(2), usage(&[40])], 4000);
    assert!(!text.contains("patch Deployment"), "{text}");
}

#[test]
fn objects_and_queues_are_shared_by_all_pods() {
    let object = "metrics: [{type: Object, object: {metric: {name: rps}, describedObject: {apiVersion: networking.k8s.io/v1, kind: Ingress, name: i}, target: {type: Value, value: '10'}}}]";
    let caches = world(&(scaler(object) + &pods(2)));
    has(&run(&caches, &[scale(2), value("i", "20")], 4000), &[r#""replicas":4"#, "Ingress metric rps above target"]);
    let queue = "metrics: [{type: External, external: {metric: {name: length}, target: {type: AverageValue, averageValue: '10'}}}]";
    let caches = world(&(scaler(queue) + &pods(2)));
    has(&run(&caches, &[scale(2), value("q", "45")], 4000), &[r#""replicas":5"#]);
    let own =
        "metrics: [{type: Pods, pods: {metric: {name: packets}, target: {type: AverageValue, averageValue: '10'}}}]";
    let caches = world(&(scaler(own) + &pods(1)));
    has(&run(&caches, &[scale(1), value("p0", "30")], 4000), &[r#""replicas":3"#, "pods metric packets above target"]);
}

#[test]
fn without_metrics_it_says_so_and_changes_nothing() {
    let caches = world(&(scaler(CPU) + &pods(2)));
    let text = run(&caches, &[scale(2), Sight::Absent], 4000);
    has(
        &text,
        &[
            r#""reason":"FailedGetResourceMetric","status":"False","type":"ScalingActive""#,
            "event Warning FailedGetResourceMetric",
            "event Warning FailedComputeMetricsReplicas: invalid metrics (1 invalid out of 1)",
        ],
    );
    assert!(!text.contains("patch Deployment"), "{text}");
}

#[test]
fn a_target_that_is_not_there_or_is_switched_off_is_told() {
    let caches = world(&scaler(CPU));
    has(
        &run(&caches, &[Sight::Absent], 4000),
        &[r#""reason":"FailedGetScale","status":"False","type":"AbleToScale""#, "event Warning FailedGetScale"],
    );
    has(&run(&caches, &[scale(0), usage(&[])], 4000), &[r#""reason":"ScalingDisabled""#]);
    has(&run(&caches, &[scale(20), usage(&[])], 4000), &["Current number of replicas above Spec.MaxReplicas"]);
}

#[test]
fn what_it_remembers_goes_with_it() {
    let memory = Recent::default();
    let key = Key::new("a", "h");
    memory.learn(&key, super::recent::Learnt { recommended: Some(3), change: 1 }, at(0));
    assert_eq!(memory.with(&key, |recent| recent.recommended.len()), 1);
    memory.forget(&key);
    assert_eq!(memory.with(&key, |recent| recent.recommended.len()), 0);
}
