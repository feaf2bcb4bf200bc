//! ReplicaSet (apps/v1).

mod printer;

use crate::row::Row;
use crate::typed::TypedKind;
use k8s_openapi::api::apps::v1::ReplicaSet;
use serde_json::Value;

pub(crate) struct ReplicaSetKind;

impl TypedKind for ReplicaSetKind {
    type Object = ReplicaSet;

    const ROW: Row = printer::ROW;

    fn cells(object: &ReplicaSet, now_unix_secs: i64) -> Vec<Value> {
        printer::cells(object, now_unix_secs)
    }
}
