//! Service (v1).

mod printer;

use crate::row::Row;
use crate::typed::TypedKind;
use k8s_openapi::api::core::v1::Service;
use serde_json::Value;

pub(crate) struct ServiceKind;

impl TypedKind for ServiceKind {
    type Object = Service;

    const ROW: Row = printer::ROW;

    fn cells(object: &Service, now_unix_secs: i64) -> Vec<Value> {
        printer::cells(object, now_unix_secs)
    }
}
