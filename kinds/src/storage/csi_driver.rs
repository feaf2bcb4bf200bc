//! CSIDriver (storage.k8s.io/v1).

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, row};
use crate::tree;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.storage.v1.CSIDriver" "storage.k8s.io" "v1" "CSIDriver" "csidrivers" "csidriver" Cluster,
    columns: [
        NAME,
        Column::new("AttachRequired", "boolean"),
        Column::new("PodInfoOnMount", "boolean"),
        Column::new("StorageCapacity", "boolean"),
        Column::new("TokenRequests", "string"),
        Column::new("RequiresRepublish", "boolean"),
        Column::new("Modes", "string"),
        AGE,
    ],
    generation: true,
};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    let attach = tree::at(object, "spec.attachRequired").and_then(Value::as_bool).unwrap_or(true);
    let audiences: Vec<&str> =
        tree::list(object, "spec.tokenRequests").iter().map(|request| tree::text(request, "audience")).collect();
    let modes: Vec<&str> = tree::list(object, "spec.volumeLifecycleModes").iter().filter_map(Value::as_str).collect();
    let tokens = if audiences.is_empty() { cells::UNSET.to_owned() } else { audiences.join(",") };
    let modes = if modes.is_empty() { cells::NONE.to_owned() } else { modes.join(",") };
    vec![
        cells::of::name(object),
        attach.into(),
        tree::boolean(object, "spec.podInfoOnMount").into(),
        tree::boolean(object, "spec.storageCapacity").into(),
        tokens.into(),
        tree::boolean(object, "spec.requiresRepublish").into(),
        modes.into(),
        cells::of::age(object, now_unix_secs),
    ]
}
