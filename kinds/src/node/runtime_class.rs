//! RuntimeClass (node.k8s.io/v1).

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, row};
use crate::tree;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.node.v1.RuntimeClass" "node.k8s.io" "v1" "RuntimeClass" "runtimeclasses" "runtimeclass" Cluster,
    columns: [NAME, Column::new("Handler", "string"), AGE],

};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    vec![cells::of::name(object), tree::text(object, "handler").into(), cells::of::age(object, now_unix_secs)]
}
