//! The row of ServiceAccount, and how its list is printed.

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, names, row, sub};
use k8s_openapi::api::core::v1::ServiceAccount;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.core.v1.ServiceAccount" "" "v1" "ServiceAccount" "serviceaccounts" "serviceaccount" Namespaced,
    short: ["sa"],
    subresources: [sub!("token", "authentication.k8s.io" "v1" "TokenRequest", names!["create"])],
    columns: [NAME, Column::new("Secrets", "string"), AGE],
};

pub(crate) fn cells(account: &ServiceAccount, now_unix_secs: i64) -> Vec<Value> {
    vec![
        cells::name(&account.metadata),
        account.secrets.as_ref().map_or(0, Vec::len).into(),
        cells::age(&account.metadata, now_unix_secs),
    ]
}
