//! Namespace (v1).

mod printer;

use crate::row::Row;
use crate::typed::TypedKind;
use k8s_openapi::api::core::v1::Namespace;
use serde_json::Value;

pub(crate) struct NamespaceKind;

impl TypedKind for NamespaceKind {
    type Object = Namespace;

    const ROW: Row = printer::ROW;

    fn cells(object: &Namespace, now_unix_secs: i64) -> Vec<Value> {
        printer::cells(object, now_unix_secs)
    }
}
