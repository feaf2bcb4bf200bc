//! ResourceClaim (resource.k8s.io/v1).

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, STATUS, row};
use crate::tree;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.resource.v1.ResourceClaim" "resource.k8s.io" "v1" "ResourceClaim" "resourceclaims" "resourceclaim" Namespaced,
    subresources: [STATUS],
    columns: [NAME, Column::new("State", "string"), AGE],

};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    let allocation = if tree::at(object, "status.allocation").is_some() { "allocated" } else { "pending" };
    let mut states = vec![allocation];
    if tree::count(object, "status.reservedFor") > 0 {
        states.push("reserved");
    }
    if tree::at(object, "metadata.deletionTimestamp").is_some() {
        states.insert(0, "deleted");
    }
    vec![cells::of::name(object), states.join(",").into(), cells::of::age(object, now_unix_secs)]
}
