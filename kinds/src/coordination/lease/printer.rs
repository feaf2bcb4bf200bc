//! The row of Lease, and how its list is printed.

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, row};
use k8s_openapi::api::coordination::v1::Lease;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.coordination.v1.Lease" "coordination.k8s.io" "v1" "Lease" "leases" "lease" Namespaced,
    columns: [NAME, Column::new("Holder", "string"), AGE],
    create_on_update: true,
};

pub(crate) fn cells(lease: &Lease, now_unix_secs: i64) -> Vec<Value> {
    let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref()).unwrap_or("");
    vec![cells::name(&lease.metadata), holder.into(), cells::age(&lease.metadata, now_unix_secs)]
}
