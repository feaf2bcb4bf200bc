//! PodMetrics (metrics.k8s.io/v1beta1): what the containers of a pod use.

use super::{CPU, MEMORY, WINDOW};
use crate::row::{NAME, Row, names, row};
use crate::tree;
use serde_json::{Value, json};

pub(crate) const ROW: Row = row! {
    "io.k8s.metrics.pkg.apis.metrics.v1beta1.PodMetrics" "metrics.k8s.io" "v1beta1" "PodMetrics" "pods" "" Namespaced,
    verbs: (names!["get", "list"]),
    columns: [NAME, CPU, MEMORY, WINDOW],
};

pub(crate) fn cells(object: &Value, _now_unix_secs: i64) -> Vec<Value> {
    super::cells(object, tree::list(object, "containers").iter().filter_map(|container| container.get("usage")))
}

pub(crate) fn openapi() -> Value {
    let containers = json!({
        "type": "array", "description": "What each container uses.",
        "items": {
            "type": "object", "required": ["name", "usage"],
            "properties": {"name": {"type": "string"}, "usage": super::usage_schema()},
        },
    });
    super::schema(&ROW, "is what the containers of a pod use.", ("containers", containers))
}
