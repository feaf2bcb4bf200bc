//! The row of Namespace, and how its list is printed.

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, STATUS, names, row, sub};
use k8s_openapi::api::core::v1::Namespace;
use serde_json::Value;

/// k8s: namespaces have no deletecollection: deleting one is a process, not a range
pub(crate) const ROW: Row = row! {
    "io.k8s.api.core.v1.Namespace" "" "v1" "Namespace" "namespaces" "namespace" Cluster,
    short: ["ns"],
    verbs: (names!["create", "delete", "get", "list", "patch", "update", "watch"]),
    subresources: [STATUS, sub!("finalize", names!["update"])],
    columns: [NAME, Column::new("Status", "string"), AGE],
    fields: ["status.phase" = "status.phase"],
};

pub(crate) fn cells(namespace: &Namespace, now_unix_secs: i64) -> Vec<Value> {
    let phase = namespace.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("");
    vec![cells::name(&namespace.metadata), phase.into(), cells::age(&namespace.metadata, now_unix_secs)]
}
