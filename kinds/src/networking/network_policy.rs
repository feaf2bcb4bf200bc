//! NetworkPolicy (networking.k8s.io/v1).

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, row};
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.networking.v1.NetworkPolicy" "networking.k8s.io" "v1" "NetworkPolicy" "networkpolicies" "networkpolicy" Namespaced,
    short: ["netpol"],
    columns: [NAME, Column::new("Pod-Selector", "string"), AGE],
    generation: true,
};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    vec![
        cells::of::name(object),
        cells::of::selector(object, "spec.podSelector").into(),
        cells::of::age(object, now_unix_secs),
    ]
}
