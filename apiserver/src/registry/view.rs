//! Two resources over one store: an Event is the same object as `v1` and as `events.k8s.io/v1`, under other field names.
//! The store holds one form; this file turns it into the one that was asked for and back. Everything else passes through.

use crate::stored;
use bytes::Bytes;
use kinds::kind::Kind;
use serde_json::Value;
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
    if row.kind == "Event" {
        rename_event_fields(&mut shown, row.group == EVENTS_GROUP);
    }
    Some(shown)
}

/// The object's JSON with its resourceVersion, as `kind` shows it.
pub fn entry_json(kind: &dyn Kind, value: &[u8], rev: Rev) -> Bytes {
    let row = kind.row();
    if starts_with_version(value, &row.group, &row.version) {
        return stored::with_revision(value, rev);
    }
    let tree: Value = serde_json::from_slice(value).unwrap_or_default();
    match to_kind(kind, &tree) {
        Some(shown) => stored::with_revision(&stored::encode(&shown), rev),
        None => stored::with_revision(value, rev),
    }
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

fn rename_event_fields(event: &mut Value, to_events_group: bool) {
    let Some(map) = event.as_object_mut() else { return };
    for &(core, events) in EVENT_FIELDS {
        let (from, to) = if to_events_group { (core, events) } else { (events, core) };
        if let Some(value) = map.remove(from) {
            map.insert(to.to_owned(), value);
        }
    }
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
}
