//! StorageClass (storage.k8s.io/v1).

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, row};
use crate::tree;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.storage.v1.StorageClass" "storage.k8s.io" "v1" "StorageClass" "storageclasses" "storageclass" Cluster,
    short: ["sc"],
    columns: [
        NAME,
        Column::new("Provisioner", "string"),
        Column::new("ReclaimPolicy", "string"),
        Column::new("VolumeBindingMode", "string"),
        Column::new("AllowVolumeExpansion", "string"),
        AGE,
    ],

};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    let reclaim = match tree::text(object, "reclaimPolicy") {
        "" => "Delete",
        policy => policy,
    };
    vec![
        cells::of::name_or_default(object, "storageclass.kubernetes.io/is-default-class").into(),
        tree::text(object, "provisioner").into(),
        reclaim.into(),
        cells::of::or_unset(object, "volumeBindingMode").into(),
        tree::boolean(object, "allowVolumeExpansion").into(),
        cells::of::age(object, now_unix_secs),
    ]
}
