//! The row of Secret, and how its list is printed (never its content).

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, row};
use k8s_openapi::api::core::v1::Secret;
use serde_json::Value;
use std::collections::BTreeMap;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.core.v1.Secret" "" "v1" "Secret" "secrets" "secret" Namespaced,
    columns: [NAME, Column::new("Type", "string"), Column::new("Data", "integer"), AGE],
    fields: ["type" = "type"],
};

pub(crate) fn cells(secret: &Secret, now_unix_secs: i64) -> Vec<Value> {
    vec![
        cells::name(&secret.metadata),
        secret.type_.as_deref().unwrap_or("").into(),
        secret.data.as_ref().map_or(0, BTreeMap::len).into(),
        cells::age(&secret.metadata, now_unix_secs),
    ]
}
