//! PodDisruptionBudget (policy/v1).

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, STATUS, row};
use crate::tree;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.policy.v1.PodDisruptionBudget" "policy" "v1" "PodDisruptionBudget" "poddisruptionbudgets" "poddisruptionbudget" Namespaced,
    short: ["pdb"],
    subresources: [STATUS],
    columns: [
        NAME,
        Column::new("Min Available", "string"),
        Column::new("Max Unavailable", "string"),
        Column::new("Allowed Disruptions", "integer"),
        AGE,
    ],
    generation: true,
};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    vec![
        cells::of::name(object),
        bound(object, "spec.minAvailable").into(),
        bound(object, "spec.maxUnavailable").into(),
        tree::integer(object, "status.disruptionsAllowed").into(),
        cells::of::age(object, now_unix_secs),
    ]
}

fn bound(budget: &Value, path: &str) -> String {
    match tree::at(budget, path) {
        Some(Value::String(percent)) => percent.clone(),
        Some(number) => number.to_string(),
        None => "N/A".to_owned(),
    }
}
