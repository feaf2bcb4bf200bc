//! NodeMetrics (metrics.k8s.io/v1beta1): what a node uses.

use super::{CPU, MEMORY, WINDOW};
use crate::row::{NAME, Row, names, row};
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.metrics.pkg.apis.metrics.v1beta1.NodeMetrics" "metrics.k8s.io" "v1beta1" "NodeMetrics" "nodes" "" Cluster,
    verbs: (names!["get", "list"]),
    columns: [NAME, CPU, MEMORY, WINDOW],
};

pub(crate) fn cells(object: &Value, _now_unix_secs: i64) -> Vec<Value> {
    super::cells(object, object.get("usage").into_iter())
}

pub(crate) fn openapi() -> Value {
    super::schema(&ROW, "is what a node uses.", ("usage", super::usage_schema()))
}
