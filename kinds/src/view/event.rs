//! events.k8s.io/v1 over the core group's events: the same facts under other names.

use super::{rename, set_api_version};
use serde_json::Value;

/// Names in events.k8s.io/v1, and in core/v1.
const NAMES: [(&str, &str); 7] = [
    ("regarding", "involvedObject"),
    ("note", "message"),
    ("reportingController", "reportingComponent"),
    ("deprecatedSource", "source"),
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
    ("deprecatedCount", "count"),
];

pub(super) fn to_core(event: &mut Value) {
    set_api_version(event, "v1");
    if let Value::Object(fields) = event {
        for (own, core) in NAMES {
            rename(fields, own, core);
        }
    }
}

pub(super) fn from_core(event: &mut Value) {
    set_api_version(event, "events.k8s.io/v1");
    if let Value::Object(fields) = event {
        for (own, core) in NAMES {
            rename(fields, core, own);
        }
    }
}
