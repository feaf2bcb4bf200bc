//! ResourceQuota (v1).

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, STATUS, row};
use crate::tree;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.core.v1.ResourceQuota" "" "v1" "ResourceQuota" "resourcequotas" "resourcequota" Namespaced,
    short: ["quota"],
    subresources: [STATUS],
    columns: [
        NAME,
        Column::new("Request", "string"),
        Column::new("Limit", "string"),
        AGE,
    ],

};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    let (limits, requests): (Vec<String>, Vec<String>) = usage(object).partition(|line| line.starts_with("limits."));
    vec![
        cells::of::name(object),
        requests.join(", ").into(),
        limits.join(", ").into(),
        cells::of::age(object, now_unix_secs),
    ]
}

/// `pods: 3/10` for each resource that the quota bounds.
fn usage(quota: &Value) -> impl Iterator<Item = String> {
    let hard = tree::at(quota, "status.hard").and_then(Value::as_object);
    hard.into_iter().flatten().map(|(resource, hard)| {
        let used = tree::at(quota, "status.used").and_then(|used| used.get(resource)).and_then(Value::as_str);
        format!("{resource}: {}/{}", used.unwrap_or("0"), hard.as_str().unwrap_or(""))
    })
}
