//! How certificate signing requests are shown.

use crate::age;
use crate::cells;
use crate::row::{AGE, Column, GET_PATCH_UPDATE, NAME, Row, STATUS, row, sub};
use crate::tree;
use serde_json::Value;

pub(super) const ROW: Row = row! {
    "io.k8s.api.certificates.v1.CertificateSigningRequest" "certificates.k8s.io" "v1" "CertificateSigningRequest" "certificatesigningrequests" "certificatesigningrequest" Cluster,
    short: ["csr"],
    subresources: [sub!("approval", GET_PATCH_UPDATE), STATUS],
    columns: [
        NAME,
        AGE,
        Column::new("SignerName", "string"),
        Column::new("Requestor", "string"),
        Column::new("RequestedDuration", "string"),
        Column::new("Condition", "string"),
    ],
    fields: ["spec.signerName" = "spec.signerName"],
};

pub(super) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    let asked = tree::at(object, "spec.expirationSeconds").and_then(Value::as_i64);
    vec![
        cells::of::name(object),
        cells::of::age(object, now_unix_secs),
        tree::text(object, "spec.signerName").into(),
        tree::text(object, "spec.username").into(),
        asked.map_or(cells::NONE.to_owned(), age::human).into(),
        condition(object).into(),
    ]
}

/// `Approved,Issued`
fn condition(request: &Value) -> String {
    let has = |kind| cells::of::condition(request, kind).is_some();
    let mut text = if has("Denied") {
        "Denied"
    } else if has("Approved") {
        "Approved"
    } else {
        "Pending"
    }
    .to_owned();
    if has("Failed") {
        text.push_str(",Failed");
    }
    if !tree::text(request, "status.certificate").is_empty() {
        text.push_str(",Issued");
    }
    text
}
