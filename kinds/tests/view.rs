//! Kinds that share storage lose nothing in either direction.

use kinds::{table, view};
use serde_json::{Value, json};

fn round_trip(group: &str, version: &str, kind: &str, stored: &Value) -> Value {
    let kind = table::find_kind(group, version, kind).expect("a row");
    let view = view::of(kind.row()).expect("a view");
    let mut object = stored.clone();
    (view.from_stored)(&mut object);
    let served = object.clone();
    (view.to_stored)(&mut object);
    assert_eq!(&object, stored);
    served
}

#[test]
fn events_have_other_names_in_their_own_group() {
    let stored = json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "a"}, "involvedObject": {"name": "p"},
        "message": "m", "reason": "r", "type": "Normal", "source": {"component": "c"}, "count": 2,
        "firstTimestamp": "2024-01-01T00:00:00Z", "reportingComponent": "c", "reportingInstance": "i"});
    let served = round_trip("events.k8s.io", "v1", "Event", &stored);
    assert_eq!(served["apiVersion"], "events.k8s.io/v1");
    assert_eq!(served["regarding"], json!({"name": "p"}));
    assert_eq!((&served["note"], &served["deprecatedCount"]), (&json!("m"), &json!(2)));
    assert_eq!(served.get("message"), None);
}

#[test]
fn autoscalers_keep_in_annotations_what_their_old_form_cannot_say() {
    let cpu = json!({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}});
    let memory = json!({"type": "Resource", "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}}});
    let plain = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "a"},
        "spec": {"maxReplicas": 3, "metrics": [cpu]}, "status": {"currentReplicas": 1}});
    let served = round_trip("autoscaling", "v1", "HorizontalPodAutoscaler", &plain);
    assert_eq!(served["spec"], json!({"maxReplicas": 3, "targetCPUUtilizationPercentage": 80}));
    let rich = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "a"},
        "spec": {"maxReplicas": 3, "metrics": [cpu, memory], "behavior": {"scaleDown": {"stabilizationWindowSeconds": 5}}},
        "status": {"conditions": [{"type": "AbleToScale", "status": "True"}]}});
    let served = round_trip("autoscaling", "v1", "HorizontalPodAutoscaler", &rich);
    assert_eq!(served["spec"], json!({"maxReplicas": 3, "targetCPUUtilizationPercentage": 80}));
    assert_eq!(served["metadata"]["annotations"].as_object().map(serde_json::Map::len), Some(3));
}

#[test]
fn other_kinds_are_stored_as_they_are_served() {
    let views = table::builtin().iter().filter(|kind| view::of(kind.row()).is_some()).count();
    assert_eq!(views, 2);
}
