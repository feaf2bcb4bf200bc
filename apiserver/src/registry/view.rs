//! Two resources over one store: an Event is the same object as `v1` and as `events.k8s.io/v1`, under other field names,
//! an autoscaler the same as `autoscaling/v1` and `v2`. The store holds the form that was written last; this file turns it
//! into the one that was asked for. Everything else passes through.

use crate::stored;
use bytes::Bytes;
use kinds::kind::Kind;
use serde_json::{Map, Value, json};
use store::Rev;

/// `(core/v1, events.k8s.io/v1)`
const EVENT_FIELDS: &[(&str, &str)] = &[
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];
const EVENTS_GROUP: &str = "events.k8s.io";

/// The object as `kind` shows it; `None` where it already is in that form.
pub fn to_kind(kind: &dyn Kind, tree: &Value) -> Option<Value> {
    let row = kind.row();
    let stored = tree.get("apiVersion")?.as_str()?;
    let wanted = row.api_version();
    if stored == wanted {
        return None;
    }
    let mut shown = tree.clone();
    shown["apiVersion"] = Value::String(wanted);
    match (&*row.kind, &*row.version) {
        ("Event", _) => rename_event_fields(&mut shown, row.group == EVENTS_GROUP),
        ("HorizontalPodAutoscaler", "v1") => autoscaler_to_v1(&mut shown),
        ("HorizontalPodAutoscaler", _) => autoscaler_to_v2(&mut shown),
        _ => {}
    }
    Some(shown)
}

/// The object's JSON with its resourceVersion, as `kind` shows it.
pub fn entry_json(kind: &dyn Kind, value: &[u8], rev: Rev) -> Bytes {
    if is_as_stored(kind, value) {
        return stored::with_revision(value, rev);
    }
    let tree: Value = serde_json::from_slice(value).unwrap_or_default();
    match to_kind(kind, &tree) {
        Some(shown) => stored::with_revision(&stored::encode(&shown), rev),
        None => stored::with_revision(value, rev),
    }
}

/// Whether `kind` shows stored bytes as they are; decided without parsing them.
pub fn is_as_stored(kind: &dyn Kind, value: &[u8]) -> bool {
    let row = kind.row();
    starts_with_version(value, &row.group, &row.version)
}

fn starts_with_version(value: &[u8], group: &str, version: &str) -> bool {
    let Some(rest) = value.strip_prefix(b"{\"apiVersion\":\"") else { return false };
    let rest = match group {
        "" => Some(rest),
        group => rest.strip_prefix(group.as_bytes()).and_then(|rest| rest.strip_prefix(b"/")),
    };
    rest.and_then(|rest| rest.strip_prefix(version.as_bytes())).is_some_and(|rest| rest.first() == Some(&b'"'))
}

fn rename_event_fields(event: &mut Value, to_events_group: bool) {
    let Some(map) = event.as_object_mut() else { return };
    for &(core, events) in EVENT_FIELDS {
        let (from, to) = if to_events_group { (core, events) } else { (events, core) };
        if let Some(value) = map.remove(from) {
            map.insert(to.to_owned(), value);
        }
    }
}

/// What v1 has no field for travels in annotations, so that a client of v1 loses nothing when it writes back.
const METRICS_ANNOTATION: &str = "autoscaling.alpha.kubernetes.io/metrics";
const BEHAVIOR_ANNOTATION: &str = "autoscaling.alpha.kubernetes.io/behavior";

fn is_cpu_utilization(metric: &Value) -> bool {
    metric.pointer("/resource/name").and_then(Value::as_str) == Some("cpu")
        && metric.pointer("/resource/target/averageUtilization").is_some()
}

fn autoscaler_to_v1(autoscaler: &mut Value) {
    let Some(spec) = autoscaler.get_mut("spec").and_then(Value::as_object_mut) else { return };
    let mut metrics = match spec.remove("metrics") {
        Some(Value::Array(metrics)) => metrics,
        _ => Vec::new(),
    };
    if let Some(at) = metrics.iter().position(is_cpu_utilization) {
        let cpu = metrics.remove(at);
        let target = cpu.pointer("/resource/target/averageUtilization").cloned().unwrap_or_default();
        spec.insert("targetCPUUtilizationPercentage".to_owned(), target);
    }
    let behavior = spec.remove("behavior");
    if let Some(status) = autoscaler.get_mut("status").and_then(Value::as_object_mut) {
        status.remove("conditions");
        let current = status.remove("currentMetrics");
        let cpu = current.as_ref().and_then(Value::as_array).into_iter().flatten();
        let mut cpu = cpu.filter(|metric| metric.pointer("/resource/name").and_then(Value::as_str) == Some("cpu"));
        if let Some(used) = cpu.find_map(|metric| metric.pointer("/resource/current/averageUtilization").cloned()) {
            status.insert("currentCPUUtilizationPercentage".to_owned(), used);
        }
    }
    let rest = (!metrics.is_empty()).then_some(Value::Array(metrics));
    for (name, value) in [(METRICS_ANNOTATION, rest), (BEHAVIOR_ANNOTATION, behavior)] {
        if let Some(value) = value {
            annotations(autoscaler).insert(name.to_owned(), Value::String(value.to_string()));
        }
    }
}

fn autoscaler_to_v2(autoscaler: &mut Value) {
    let mut carried = |name: &str| {
        let text = autoscaler.pointer_mut("/metadata/annotations")?.as_object_mut()?.remove(name)?;
        serde_json::from_str::<Value>(text.as_str()?).ok()
    };
    let (rest, behavior) = (carried(METRICS_ANNOTATION), carried(BEHAVIOR_ANNOTATION));
    if let Some(status) = autoscaler.get_mut("status").and_then(Value::as_object_mut)
        && let Some(used) = status.remove("currentCPUUtilizationPercentage")
    {
        let current =
            json!({ "type": "Resource", "resource": { "name": "cpu", "current": { "averageUtilization": used } } });
        status.insert("currentMetrics".to_owned(), json!([current]));
    }
    let Some(spec) = autoscaler.get_mut("spec").and_then(Value::as_object_mut) else { return };
    let mut metrics = Vec::new();
    if let Some(target) = spec.remove("targetCPUUtilizationPercentage") {
        let target = json!({ "type": "Utilization", "averageUtilization": target });
        metrics.push(json!({ "type": "Resource", "resource": { "name": "cpu", "target": target } }));
    }
    if let Some(Value::Array(rest)) = rest {
        metrics.extend(rest);
    }
    if !metrics.is_empty() {
        spec.insert("metrics".to_owned(), Value::Array(metrics));
    }
    if let Some(behavior) = behavior {
        spec.insert("behavior".to_owned(), behavior);
    }
}

fn annotations(object: &mut Value) -> &mut Map<String, Value> {
    let metadata = super::metadata::map(object);
    let annotations = metadata.entry("annotations").or_insert_with(|| Value::Object(Map::new()));
    if !annotations.is_object() {
        *annotations = Value::Object(Map::new());
    }
    annotations.as_object_mut().expect("made an object above")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_off_the_first_bytes() {
        let pod = br#"{"apiVersion":"v1","kind":"Pod"}"#;
        let deployment = br#"{"apiVersion":"apps/v1","kind":"Deployment"}"#;
        assert!(starts_with_version(pod, "", "v1"));
        assert!(!starts_with_version(pod, "apps", "v1"));
        assert!(starts_with_version(deployment, "apps", "v1"));
        assert!(!starts_with_version(deployment, "", "apps"));
    }

    #[test]
    fn an_autoscaler_survives_the_way_through_v1() {
        let v2 = json!({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "a", "annotations": {}},
            "spec": {"maxReplicas": 3, "behavior": {"scaleUp": {}}, "metrics": [
                {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}},
                {"type": "Resource", "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}}},
            ]},
        });
        let kind = |version| kinds::table::find("autoscaling", version, "horizontalpodautoscalers").unwrap();
        let v1 = to_kind(kind("v1").as_ref(), &v2).unwrap();
        assert_eq!(v1["spec"], json!({"maxReplicas": 3, "targetCPUUtilizationPercentage": 70}));
        assert_eq!(to_kind(kind("v2").as_ref(), &v1).unwrap(), v2);
    }
}
