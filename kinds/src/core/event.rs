//! Event (v1).

mod printer;

use crate::row::Row;
use crate::typed::TypedKind;
use k8s_openapi::api::core::v1::Event;
use serde_json::Value;

pub(crate) struct EventKind;

impl TypedKind for EventKind {
    type Object = Event;

    const ROW: Row = printer::ROW;

    fn cells(object: &Event, now_unix_secs: i64) -> Vec<Value> {
        printer::cells(object, now_unix_secs)
    }
}
