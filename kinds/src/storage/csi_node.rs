//! CSINode (storage.k8s.io/v1).

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, row};
use crate::tree;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.storage.v1.CSINode" "storage.k8s.io" "v1" "CSINode" "csinodes" "csinode" Cluster,
    columns: [NAME, Column::new("Drivers", "integer"), AGE],

};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    vec![cells::of::name(object), tree::count(object, "spec.drivers").into(), cells::of::age(object, now_unix_secs)]
}
