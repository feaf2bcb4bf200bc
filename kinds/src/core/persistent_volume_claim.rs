//! PersistentVolumeClaim (v1).

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, STATUS, row};
use crate::tree;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.core.v1.PersistentVolumeClaim" "" "v1" "PersistentVolumeClaim" "persistentvolumeclaims" "persistentvolumeclaim" Namespaced,
    short: ["pvc"],
    subresources: [STATUS],
    columns: [
        NAME,
        Column::new("Status", "string"),
        Column::new("Volume", "string"),
        Column::new("Capacity", "string"),
        Column::new("Access Modes", "string"),
        Column::new("StorageClass", "string"),
        Column::new("VolumeAttributesClass", "string"),
        AGE,
        Column::wide("VolumeMode", "string"),
    ],

};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    let volume = tree::text(object, "spec.volumeName");
    let (capacity, modes) = match volume {
        "" => ("", String::new()),
        _ => (
            tree::text(object, "status.capacity.storage"),
            cells::of::access_modes(tree::list(object, "status.accessModes")),
        ),
    };
    vec![
        cells::of::name(object),
        cells::of::phase(object).into(),
        volume.into(),
        capacity.into(),
        modes.into(),
        cells::of::storage_class(object).into(),
        cells::of::or_unset(object, "spec.volumeAttributesClassName").into(),
        cells::of::age(object, now_unix_secs),
        cells::of::or_unset(object, "spec.volumeMode").into(),
    ]
}
