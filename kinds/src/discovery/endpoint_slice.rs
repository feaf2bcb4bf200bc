//! EndpointSlice (discovery.k8s.io/v1).

mod printer;

use crate::row::Row;
use crate::typed::TypedKind;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use serde_json::Value;

pub(crate) struct EndpointSliceKind;

impl TypedKind for EndpointSliceKind {
    type Object = EndpointSlice;

    const ROW: Row = printer::ROW;

    fn cells(object: &EndpointSlice, now_unix_secs: i64) -> Vec<Value> {
        printer::cells(object, now_unix_secs)
    }
}
