//! LimitRange (v1).

use crate::cells;
use crate::row::{Row, row};
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.core.v1.LimitRange" "" "v1" "LimitRange" "limitranges" "limitrange" Namespaced,
    short: ["limits"],
    create_on_update: true,
};

pub(crate) fn cells(object: &Value, _now_unix_secs: i64) -> Vec<Value> {
    cells::of::name_and_creation(object)
}
