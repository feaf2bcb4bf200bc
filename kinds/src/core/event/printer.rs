//! The row of Event (core view), and how its list is printed.

use crate::age;
use crate::cells;
use crate::row::{Column, NAME, Row, row};
use k8s_openapi::api::core::v1::Event;
use serde_json::Value;

/// Of both groups' events.
pub(crate) const COLUMNS: &[Column] = &[
    Column::new("Last Seen", "string"),
    Column::new("Type", "string"),
    Column::new("Reason", "string"),
    Column::new("Object", "string"),
    Column::wide("Subobject", "string"),
    Column::wide("Source", "string"),
    Column::new("Message", "string"),
    Column::wide("First Seen", "string"),
    Column::wide("Count", "string"),
    {
        let mut name = NAME;
        name.priority = 1;
        name
    },
];

pub(crate) const ROW: Row = row! {
    "io.k8s.api.core.v1.Event" "" "v1" "Event" "events" "event" Namespaced,
    short: ["ev"],
    columns: COLUMNS,
    fields: [
        "involvedObject.kind" = "involvedObject.kind",
        "involvedObject.namespace" = "involvedObject.namespace",
        "involvedObject.name" = "involvedObject.name",
        "involvedObject.uid" = "involvedObject.uid",
        "involvedObject.apiVersion" = "involvedObject.apiVersion",
        "involvedObject.resourceVersion" = "involvedObject.resourceVersion",
        "involvedObject.fieldPath" = "involvedObject.fieldPath",
        "reason" = "reason",
        "reportingComponent" = "reportingComponent",
        "source" = "source.component|reportingComponent",
        "type" = "type",
    ],
    create_on_update: true,
};

pub(crate) fn cells(event: &Event, now_unix_secs: i64) -> Vec<Value> {
    let began = event.event_time.as_ref().map(|time| time.0.as_second());
    let first = event.first_timestamp.as_ref().map(|time| time.0.as_second()).or(began);
    let last = event.last_timestamp.as_ref().map(|time| time.0.as_second()).or(first);
    let series = event.series.as_ref();
    let last = match series {
        Some(series) => series.last_observed_time.as_ref().map(|time| time.0.as_second()),
        None => last,
    };
    let count = match series {
        Some(series) => series.count.unwrap_or(0),
        None => event.count.filter(|count| *count != 0).unwrap_or(1),
    };
    vec![
        age::since(last, now_unix_secs).into(),
        event.type_.as_deref().unwrap_or("").into(),
        event.reason.as_deref().unwrap_or("").into(),
        target(event).into(),
        event.involved_object.field_path.as_deref().unwrap_or("").into(),
        source(event).into(),
        event.message.as_deref().unwrap_or("").trim().into(),
        age::since(first, now_unix_secs).into(),
        count.into(),
        cells::name(&event.metadata),
    ]
}

fn target(event: &Event) -> String {
    let kind = event.involved_object.kind.as_deref().unwrap_or("").to_lowercase();
    match event.involved_object.name.as_deref() {
        Some(name) if !name.is_empty() => format!("{kind}/{name}"),
        _ => kind,
    }
}

/// The component that wrote the event and, after a comma, the host or the instance.
fn source(event: &Event) -> String {
    let source = event.source.as_ref();
    let component = source.and_then(|source| source.component.as_deref()).filter(|text| !text.is_empty());
    let host = source.and_then(|source| source.host.as_deref()).filter(|text| !text.is_empty());
    let component = component.or(event.reporting_component.as_deref()).unwrap_or("");
    match host.or(event.reporting_instance.as_deref()) {
        Some(host) if !host.is_empty() => format!("{component}, {host}"),
        _ => component.to_owned(),
    }
}
