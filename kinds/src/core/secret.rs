//! Secret (v1).

mod printer;

use crate::row::Row;
use crate::typed::TypedKind;
use k8s_openapi::api::core::v1::Secret;
use serde_json::Value;

pub(crate) struct SecretKind;

impl TypedKind for SecretKind {
    type Object = Secret;

    const ROW: Row = printer::ROW;

    fn cells(object: &Secret, now_unix_secs: i64) -> Vec<Value> {
        printer::cells(object, now_unix_secs)
    }
}
