//! Event (events.k8s.io/v1). A view of the core group's events

use crate::age;
use crate::cells;
use crate::row::{Column, Row, row};
use crate::tree;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.events.v1.Event" "events.k8s.io" "v1" "Event" "events" "event" Namespaced,
    short: ["ev"],
    columns: [
        Column::new("Last Seen", "string"),
        Column::new("Type", "string"),
        Column::new("Reason", "string"),
        Column::new("Object", "string"),
        Column::wide("Subobject", "string"),
        Column::wide("Source", "string"),
        Column::new("Message", "string"),
        Column::wide("First Seen", "string"),
        Column::wide("Count", "string"),
        Column::wide("Name", "string"),
    ],
    fields: [
        "regarding.kind" = "regarding.kind",
        "regarding.namespace" = "regarding.namespace",
        "regarding.name" = "regarding.name",
        "regarding.uid" = "regarding.uid",
        "regarding.apiVersion" = "regarding.apiVersion",
        "regarding.resourceVersion" = "regarding.resourceVersion",
        "regarding.fieldPath" = "regarding.fieldPath",
        "reason" = "reason",
        "reportingController" = "reportingController",
        "type" = "type",
    ],
    storage: "events",
    create_on_update: true,
};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    let began = cells::of::unix_secs(object, "eventTime");
    let first = cells::of::unix_secs(object, "deprecatedFirstTimestamp").or(began);
    let last = match tree::at(object, "series") {
        Some(series) => cells::of::unix_secs(series, "lastObservedTime"),
        None => cells::of::unix_secs(object, "deprecatedLastTimestamp").or(first),
    };
    let count = match tree::at(object, "series") {
        Some(series) => tree::integer(series, "count"),
        None => tree::integer(object, "deprecatedCount").max(1),
    };
    let kind = tree::text(object, "regarding.kind").to_lowercase();
    let target = match tree::text(object, "regarding.name") {
        "" => kind,
        name => format!("{kind}/{name}"),
    };
    vec![
        age::since(last, now_unix_secs).into(),
        tree::text(object, "type").into(),
        tree::text(object, "reason").into(),
        target.into(),
        tree::text(object, "regarding.fieldPath").into(),
        tree::text(object, "reportingController").into(),
        tree::text(object, "note").trim().into(),
        age::since(first, now_unix_secs).into(),
        count.into(),
        cells::of::name(object),
    ]
}
