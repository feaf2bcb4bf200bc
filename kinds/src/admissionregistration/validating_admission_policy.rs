//! ValidatingAdmissionPolicy (admissionregistration.k8s.io/v1).

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, STATUS, row};
use crate::tree;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicy" "admissionregistration.k8s.io" "v1" "ValidatingAdmissionPolicy" "validatingadmissionpolicies" "validatingadmissionpolicy" Cluster,
    categories: ["api-extensions"],
    subresources: [STATUS],
    columns: [
        NAME,
        Column::new("Validations", "integer"),
        Column::new("ParamKind", "string"),
        AGE,
    ],
    generation: true,
};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    vec![
        cells::of::name(object),
        tree::count(object, "spec.validations").into(),
        param_kind(object).into(),
        cells::of::age(object, now_unix_secs),
    ]
}

/// `rules.example.com/v1/ReplicaLimit`
fn param_kind(policy: &Value) -> String {
    match tree::at(policy, "spec.paramKind") {
        Some(kind) => format!("{}/{}", tree::text(kind, "apiVersion"), tree::text(kind, "kind")),
        None => cells::UNSET.to_owned(),
    }
}
