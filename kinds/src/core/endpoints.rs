//! Endpoints (v1).

mod printer;

use crate::row::Row;
use crate::typed::TypedKind;
use k8s_openapi::api::core::v1::Endpoints;
use serde_json::Value;

pub(crate) struct EndpointsKind;

impl TypedKind for EndpointsKind {
    type Object = Endpoints;

    const ROW: Row = printer::ROW;

    fn cells(object: &Endpoints, now_unix_secs: i64) -> Vec<Value> {
        printer::cells(object, now_unix_secs)
    }
}
