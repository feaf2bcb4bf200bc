//! DeviceClass (resource.k8s.io/v1).

use crate::cells;
use crate::row::{AGE, NAME, Row, row};
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.resource.v1.DeviceClass" "resource.k8s.io" "v1" "DeviceClass" "deviceclasses" "deviceclass" Cluster,
    columns: [NAME, AGE],
    generation: true,
};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    vec![cells::of::name(object), cells::of::age(object, now_unix_secs)]
}
