//! PodCertificateRequest (certificates.k8s.io/v1).

use crate::cells;
use crate::row::{Column, NAME, Row, STATUS, row};
use crate::tree;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.certificates.v1.PodCertificateRequest" "certificates.k8s.io" "v1" "PodCertificateRequest" "podcertificaterequests" "podcertificaterequest" Namespaced,
    subresources: [STATUS],
    columns: [
        NAME,
        Column::new("PodName", "string"),
        Column::new("ServiceAccountName", "string"),
        Column::new("NodeName", "string"),
        Column::new("Signer", "string"),
        Column::new("State", "string"),
    ],
    fields: [
        "spec.signerName" = "spec.signerName",
        "spec.podName" = "spec.podName",
        "spec.nodeName" = "spec.nodeName",
    ],
};

pub(crate) fn cells(object: &Value, _now_unix_secs: i64) -> Vec<Value> {
    let decided =
        ["Issued", "Denied", "Failed"].into_iter().find(|kind| cells::of::condition(object, kind) == Some("True"));
    vec![
        cells::of::name(object),
        tree::text(object, "spec.podName").into(),
        tree::text(object, "spec.serviceAccountName").into(),
        tree::text(object, "spec.nodeName").into(),
        tree::text(object, "spec.signerName").into(),
        decided.unwrap_or("Pending").into(),
    ]
}
