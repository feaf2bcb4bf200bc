//! ComponentStatus (v1). Deprecated upstream, computed and not kept

use crate::cells;
use crate::row::{Column, NAME, Row, names, row};
use crate::tree;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.core.v1.ComponentStatus" "" "v1" "ComponentStatus" "componentstatuses" "componentstatus" Cluster,
    short: ["cs"],
    verbs: (names!["get", "list"]),
    columns: [
        NAME,
        Column::new("Status", "string"),
        Column::new("Message", "string"),
        Column::new("Error", "string"),
    ],
    deprecation: "v1 ComponentStatus is deprecated in v1.19+",
};

pub(crate) fn cells(object: &Value, _now_unix_secs: i64) -> Vec<Value> {
    let healthy = tree::list(object, "conditions").iter().find(|condition| tree::text(condition, "type") == "Healthy");
    let status = match healthy.map(|condition| tree::text(condition, "status")) {
        Some("True") => "Healthy",
        Some("False") => "Unhealthy",
        _ => "Unknown",
    };
    let detail = |field| healthy.map_or("", |condition| tree::text(condition, field));
    vec![cells::of::name(object), status.into(), detail("message").into(), detail("error").into()]
}
