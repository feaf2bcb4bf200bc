//! ServiceAccount (v1).

mod printer;

use crate::row::Row;
use crate::typed::TypedKind;
use k8s_openapi::api::core::v1::ServiceAccount;
use serde_json::Value;

pub(crate) struct ServiceAccountKind;

impl TypedKind for ServiceAccountKind {
    type Object = ServiceAccount;

    const ROW: Row = printer::ROW;

    fn cells(object: &ServiceAccount, now_unix_secs: i64) -> Vec<Value> {
        printer::cells(object, now_unix_secs)
    }
}
