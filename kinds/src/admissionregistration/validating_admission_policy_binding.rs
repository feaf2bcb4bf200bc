//! ValidatingAdmissionPolicyBinding (admissionregistration.k8s.io/v1).

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, row};
use crate::tree;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyBinding" "admissionregistration.k8s.io" "v1" "ValidatingAdmissionPolicyBinding" "validatingadmissionpolicybindings" "validatingadmissionpolicybinding" Cluster,
    categories: ["api-extensions"],
    columns: [
        NAME,
        Column::new("PolicyName", "string"),
        Column::new("ParamRef", "string"),
        AGE,
    ],
    generation: true,
};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    vec![
        cells::of::name(object),
        tree::text(object, "spec.policyName").into(),
        param(object).into(),
        cells::of::age(object, now_unix_secs),
    ]
}

fn param(binding: &Value) -> String {
    let Some(param) = tree::at(binding, "spec.paramRef") else { return cells::UNSET.to_owned() };
    let name = match tree::text(param, "name") {
        "" => "*",
        name => name,
    };
    match tree::text(param, "namespace") {
        "" => name.to_owned(),
        namespace => format!("{namespace}/{name}"),
    }
}
