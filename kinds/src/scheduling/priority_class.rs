//! PriorityClass (scheduling.k8s.io/v1).

mod printer;

use crate::row::Row;
use crate::typed::TypedKind;
use k8s_openapi::api::scheduling::v1::PriorityClass;
use serde_json::Value;

pub(crate) struct PriorityClassKind;

impl TypedKind for PriorityClassKind {
    type Object = PriorityClass;

    const ROW: Row = printer::ROW;

    fn cells(object: &PriorityClass, now_unix_secs: i64) -> Vec<Value> {
        printer::cells(object, now_unix_secs)
    }
}
