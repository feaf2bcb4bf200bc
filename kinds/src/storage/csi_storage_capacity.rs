//! CSIStorageCapacity (storage.k8s.io/v1).

use crate::cells;
use crate::row::{Column, NAME, Row, row};
use crate::tree;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.storage.v1.CSIStorageCapacity" "storage.k8s.io" "v1" "CSIStorageCapacity" "csistoragecapacities" "csistoragecapacity" Namespaced,
    columns: [NAME, Column::new("StorageClassName", "string"), Column::new("Capacity", "string")],

};

pub(crate) fn cells(object: &Value, _now_unix_secs: i64) -> Vec<Value> {
    vec![
        cells::of::name(object),
        tree::text(object, "storageClassName").into(),
        cells::of::or_unset(object, "capacity").into(),
    ]
}
