//! Lease (coordination.k8s.io/v1).

mod printer;

use crate::row::Row;
use crate::typed::TypedKind;
use k8s_openapi::api::coordination::v1::Lease;
use serde_json::Value;

pub(crate) struct LeaseKind;

impl TypedKind for LeaseKind {
    type Object = Lease;

    const ROW: Row = printer::ROW;

    fn cells(object: &Lease, now_unix_secs: i64) -> Vec<Value> {
        printer::cells(object, now_unix_secs)
    }
}
