//! Node (v1).

mod printer;

use crate::row::Row;
use crate::typed::TypedKind;
use k8s_openapi::api::core::v1::Node;
use serde_json::Value;

pub(crate) struct NodeKind;

impl TypedKind for NodeKind {
    type Object = Node;

    const ROW: Row = printer::ROW;

    fn cells(object: &Node, now_unix_secs: i64) -> Vec<Value> {
        printer::cells(object, now_unix_secs)
    }
}
