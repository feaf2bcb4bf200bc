//! ResourceSlice (resource.k8s.io/v1).

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, row};
use crate::tree;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.resource.v1.ResourceSlice" "resource.k8s.io" "v1" "ResourceSlice" "resourceslices" "resourceslice" Cluster,
    columns: [
        NAME,
        Column::new("Node", "string"),
        Column::new("Driver", "string"),
        Column::new("Pool", "string"),
        AGE,
    ],
    fields: ["spec.nodeName" = "spec.nodeName", "spec.driver" = "spec.driver"],
    generation: true,
};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    vec![
        cells::of::name(object),
        cells::of::or_unset(object, "spec.nodeName").into(),
        tree::text(object, "spec.driver").into(),
        tree::text(object, "spec.pool.name").into(),
        cells::of::age(object, now_unix_secs),
    ]
}
