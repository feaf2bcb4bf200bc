//! autoscaling/v1 over autoscaling/v2: one CPU target is a field, everything else of v2 travels in annotations.
//!
//! k8s: the annotations have upstream's names; their content is v2's own form, so that nothing is lost on the way.

use super::set_api_version;
use serde_json::{Map, Value, json};

const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const CURRENT_METRICS: &str = "autoscaling.alpha.kubernetes.io/current-metrics";
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";

/// Where each annotation's content is in v2: the object's part and its field.
const CARRIED: [(&str, &str, &str); 4] = [
    (METRICS, "spec", "metrics"),
    (BEHAVIOR, "spec", "behavior"),
    (CURRENT_METRICS, "status", "currentMetrics"),
    (CONDITIONS, "status", "conditions"),
];

pub(super) fn to_v2(autoscaler: &mut Value) {
    set_api_version(autoscaler, "autoscaling/v2");
    for (annotation, part, field) in CARRIED {
        if let Some(content) = take_annotation(autoscaler, annotation) {
            part_of(autoscaler, part).insert(field.to_owned(), content);
        }
    }
    if let Some(target) = take(autoscaler, "spec", "targetCPUUtilizationPercentage") {
        let metric = json!({"type": "Resource", "resource": {
            "name": "cpu", "target": {"type": "Utilization", "averageUtilization": target}}});
        push_first(part_of(autoscaler, "spec"), "metrics", metric);
    }
    if let Some(current) = take(autoscaler, "status", "currentCPUUtilizationPercentage") {
        let metric = json!({"type": "Resource", "resource": {
            "name": "cpu", "current": {"averageUtilization": current}}});
        push_first(part_of(autoscaler, "status"), "currentMetrics", metric);
    }
}

pub(super) fn from_v2(autoscaler: &mut Value) {
    set_api_version(autoscaler, "autoscaling/v1");
    if let Some(target) = take_cpu(autoscaler, "spec", "metrics", "target") {
        part_of(autoscaler, "spec").insert("targetCPUUtilizationPercentage".to_owned(), target);
    }
    if let Some(current) = take_cpu(autoscaler, "status", "currentMetrics", "current") {
        part_of(autoscaler, "status").insert("currentCPUUtilizationPercentage".to_owned(), current);
    }
    for (annotation, part, field) in CARRIED {
        if let Some(content) = take(autoscaler, part, field) {
            let annotations = part_of(autoscaler, "metadata").entry("annotations").or_insert_with(|| json!({}));
            if let Value::Object(annotations) = annotations {
                annotations.insert(annotation.to_owned(), content.to_string().into());
            }
        }
    }
}

/// The utilization that v1 has a field for: the first metric, where it is the CPU's and says nothing else.
fn take_cpu(autoscaler: &mut Value, part: &str, list: &str, side: &str) -> Option<Value> {
    let metrics = autoscaler.get_mut(part)?.get_mut(list)?.as_array_mut()?;
    let first = metrics.first()?;
    let resource = first.get("resource").filter(|resource| resource["name"] == "cpu")?;
    if resource[side].get("averageValue").is_some() {
        return None;
    }
    let utilization = resource[side].get("averageUtilization")?.clone();
    metrics.remove(0);
    if metrics.is_empty() {
        part_of(autoscaler, part).remove(list);
    }
    Some(utilization)
}

fn part_of<'a>(object: &'a mut Value, part: &str) -> &'a mut Map<String, Value> {
    if !object[part].is_object() {
        object[part] = json!({});
    }
    object[part].as_object_mut().expect("made an object above")
}

fn take(object: &mut Value, part: &str, field: &str) -> Option<Value> {
    object.get_mut(part)?.as_object_mut()?.remove(field)
}

fn take_annotation(object: &mut Value, annotation: &str) -> Option<Value> {
    let annotations = object.get_mut("metadata")?.get_mut("annotations")?.as_object_mut()?;
    let content = annotations.get(annotation)?.as_str().and_then(|text| serde_json::from_str(text).ok())?;
    annotations.remove(annotation);
    if annotations.is_empty() {
        take(object, "metadata", "annotations");
    }
    Some(content)
}

fn push_first(part: &mut Map<String, Value>, list: &str, metric: Value) {
    match part.get_mut(list) {
        Some(Value::Array(metrics)) => metrics.insert(0, metric),
        _ => {
            part.insert(list.to_owned(), Value::Array(vec![metric]));
        }
    }
}
