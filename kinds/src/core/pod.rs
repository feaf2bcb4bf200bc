//! Pod (v1).

mod printer;

use crate::row::Row;
use crate::typed::TypedKind;
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;

pub(crate) struct PodKind;

impl TypedKind for PodKind {
    type Object = Pod;

    const ROW: Row = printer::ROW;

    fn cells(object: &Pod, now_unix_secs: i64) -> Vec<Value> {
        printer::cells(object, now_unix_secs)
    }
}
