//! MutatingWebhookConfiguration (admissionregistration.k8s.io/v1).

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, row};
use crate::tree;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.admissionregistration.v1.MutatingWebhookConfiguration" "admissionregistration.k8s.io" "v1" "MutatingWebhookConfiguration" "mutatingwebhookconfigurations" "mutatingwebhookconfiguration" Cluster,
    categories: ["api-extensions"],
    columns: [NAME, Column::new("Webhooks", "integer"), AGE],
    generation: true,
};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    vec![cells::of::name(object), tree::count(object, "webhooks").into(), cells::of::age(object, now_unix_secs)]
}
