//! PersistentVolume (v1).

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, STATUS, row};
use crate::tree;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.core.v1.PersistentVolume" "" "v1" "PersistentVolume" "persistentvolumes" "persistentvolume" Cluster,
    short: ["pv"],
    subresources: [STATUS],
    columns: [
        NAME,
        Column::new("Capacity", "string"),
        Column::new("Access Modes", "string"),
        Column::new("Reclaim Policy", "string"),
        Column::new("Status", "string"),
        Column::new("Claim", "string"),
        Column::new("StorageClass", "string"),
        Column::new("VolumeAttributesClass", "string"),
        Column::new("Reason", "string"),
        AGE,
        Column::wide("VolumeMode", "string"),
    ],

};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    vec![
        cells::of::name(object),
        tree::text(object, "spec.capacity.storage").into(),
        cells::of::access_modes(tree::list(object, "spec.accessModes")).into(),
        tree::text(object, "spec.persistentVolumeReclaimPolicy").into(),
        cells::of::phase(object).into(),
        claim(object).into(),
        cells::of::storage_class(object).into(),
        cells::of::or_unset(object, "spec.volumeAttributesClassName").into(),
        tree::text(object, "status.reason").into(),
        cells::of::age(object, now_unix_secs),
        cells::of::or_unset(object, "spec.volumeMode").into(),
    ]
}

fn claim(volume: &Value) -> String {
    match tree::at(volume, "spec.claimRef") {
        Some(claim) => format!("{}/{}", tree::text(claim, "namespace"), tree::text(claim, "name")),
        None => String::new(),
    }
}
