//! Two resources over one store: an Event is the same object as `v1` and as `events.k8s.io/v1`, under other field names,
//! an autoscaler the same as `autoscaling/v1` and `v2`. The store holds the form that was written last; this file turns it
//! into the one that was asked for, by way of the form that `kinds::view` calls stored. A custom resource is read by its
//! schema. Everything else passes through.

use crate::stored;
use bytes::Bytes;
use kinds::kind::Kind;
use kinds::{table, view};
use serde_json::Value;
use store::Rev;

/// The object as `kind` shows it; `None` where it already is in that form.
pub fn to_kind(kind: &dyn Kind, tree: &Value) -> Option<Value> {
    if let Some(custom) = kind.custom() {
        return Some(custom.shown(tree));
    }
    let row = kind.row();
    let stored = tree.get("apiVersion")?.as_str()?;
    let wanted = row.api_version();
    if stored == wanted {
        return None;
    }
    let mut shown = tree.clone();
    let (group, version) = stored.split_once('/').unwrap_or(("", stored));
    if let Some(form) = table::find_kind(group, version, &row.kind).and_then(|kind| view::of(kind.row())) {
        (form.to_stored)(&mut shown);
    }
    if let Some(form) = view::of(row) {
        (form.from_stored)(&mut shown);
    }
    shown["apiVersion"] = Value::String(wanted);
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
    // What is custom is read by the schema of today, whatever it was written by.
    kind.custom().is_none() && starts_with_version(value, &row.group, &row.version)
}

/// Whether stored bytes are of this apiVersion.
pub fn is_of_version(value: &[u8], api_version: &str) -> bool {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    starts_with_version(value, group, version)
}

/// Whether stored bytes are of this apiVersion, without parsing them.
fn starts_with_version(value: &[u8], group: &str, version: &str) -> bool {
    let Some(rest) = value.strip_prefix(b"{\"apiVersion\":\"") else { return false };
    let rest = match group {
        "" => Some(rest),
        group => rest.strip_prefix(group.as_bytes()).and_then(|rest| rest.strip_prefix(b"/")),
    };
    rest.and_then(|rest| rest.strip_prefix(version.as_bytes())).is_some_and(|rest| rest.first() == Some(&b'"'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "a"},
            "spec": {"maxReplicas": 3, "behavior": {"scaleUp": {}}, "metrics": [
                {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}},
                {"type": "Resource", "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}}},
            ]},
        });
        let kind = |version| table::find("autoscaling", version, "horizontalpodautoscalers").unwrap();
        let v1 = to_kind(kind("v1").as_ref(), &v2).unwrap();
        assert_eq!(v1["spec"], json!({"maxReplicas": 3, "targetCPUUtilizationPercentage": 70}));
        assert_eq!(to_kind(kind("v2").as_ref(), &v1).unwrap(), v2);
    }
}
