//! VolumeAttachment (storage.k8s.io/v1).

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, STATUS, row};
use crate::tree;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.storage.v1.VolumeAttachment" "storage.k8s.io" "v1" "VolumeAttachment" "volumeattachments" "volumeattachment" Cluster,
    subresources: [STATUS],
    columns: [
        NAME,
        Column::new("Attacher", "string"),
        Column::new("PV", "string"),
        Column::new("Node", "string"),
        Column::new("Attached", "boolean"),
        AGE,
    ],

};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    vec![
        cells::of::name(object),
        tree::text(object, "spec.attacher").into(),
        tree::text(object, "spec.source.persistentVolumeName").into(),
        tree::text(object, "spec.nodeName").into(),
        tree::boolean(object, "status.attached").into(),
        cells::of::age(object, now_unix_secs),
    ]
}
