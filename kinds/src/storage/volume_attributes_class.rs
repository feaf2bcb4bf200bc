//! VolumeAttributesClass (storage.k8s.io/v1).

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, row};
use crate::tree;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.storage.v1.VolumeAttributesClass" "storage.k8s.io" "v1" "VolumeAttributesClass" "volumeattributesclasses" "volumeattributesclass" Cluster,
    short: ["vac"],
    columns: [NAME, Column::new("DriverName", "string"), AGE],

};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    vec![
        cells::of::name_or_default(object, "storageclass.kubernetes.io/is-default-class").into(),
        tree::text(object, "driverName").into(),
        cells::of::age(object, now_unix_secs),
    ]
}
