//! ConfigMap (v1).

mod printer;

use crate::row::Row;
use crate::typed::TypedKind;
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::Value;

pub(crate) struct ConfigMapKind;

impl TypedKind for ConfigMapKind {
    type Object = ConfigMap;

    const ROW: Row = printer::ROW;

    fn cells(object: &ConfigMap, now_unix_secs: i64) -> Vec<Value> {
        printer::cells(object, now_unix_secs)
    }
}
