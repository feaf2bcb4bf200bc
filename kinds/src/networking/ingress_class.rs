//! IngressClass (networking.k8s.io/v1).

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, row};
use crate::tree;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.networking.v1.IngressClass" "networking.k8s.io" "v1" "IngressClass" "ingressclasses" "ingressclass" Cluster,
    columns: [
        NAME,
        Column::new("Controller", "string"),
        Column::new("Parameters", "string"),
        AGE,
    ],
    generation: true,
};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    vec![
        cells::of::name(object),
        tree::text(object, "spec.controller").into(),
        parameters(object).into(),
        cells::of::age(object, now_unix_secs),
    ]
}

/// `ingressparameters.k8s.example.com/external`
fn parameters(class: &Value) -> String {
    let Some(parameters) = tree::at(class, "spec.parameters") else { return cells::NONE.to_owned() };
    let kind = tree::text(parameters, "kind");
    match tree::text(parameters, "apiGroup") {
        "" => format!("{kind}/{}", tree::text(parameters, "name")),
        group => format!("{kind}.{group}/{}", tree::text(parameters, "name")),
    }
}
