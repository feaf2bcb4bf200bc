//! Event (events.k8s.io/v1): a view of the core group's events, with stricter rules for those who write it.

use crate::age;
use crate::cells;
use crate::core::event::printer;
use crate::errors::{FieldError, FieldErrors};
use crate::row::{Row, row};
use crate::tree;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{FIELD_IMMUTABLE, format, given, invalid_each, one_of, semantically_equal};
use k8s_openapi::api::events::v1::Event;
use serde_json::Value;

/// k8s: an event is a note, not a log.
const WORD_MAX: usize = 128;
const NOTE_MAX: usize = 1024;

pub(crate) struct EventKind;

impl TypedKind for EventKind {
    type Object = Event;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] = &[Hook::Default, Hook::PrepareCreate, Hook::PrepareUpdate, Hook::Warnings];

    fn validate(event: &Event) -> FieldErrors {
        // Events that the core group wrote follow its rules when they are touched here.
        let is_new = given(event.metadata.resource_version.as_ref()).is_none();
        if is_new { rules(event) } else { Vec::new() }
    }

    fn validate_update(event: &Event, old: &Event) -> FieldErrors {
        if old.event_time.is_none() { Vec::new() } else { unchanged(event, old) }
    }

    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = Some(cells);
}

fn rules(event: &Event) -> FieldErrors {
    let mut errors = FieldErrors::new();
    let about = event.regarding.as_ref().and_then(|object| given(object.namespace.as_ref())).unwrap_or_default();
    let ns = event.metadata.namespace.as_deref().unwrap_or_default();
    if about != ns && !(about.is_empty() && ns == "default") {
        errors.push(FieldError::invalid("regarding.namespace", about, "does not match event.namespace"));
    }
    if event.event_time.is_none() {
        errors.push(FieldError::required("eventTime", ""));
    }
    if let Some(series) = &event.series
        && series.count < 2
    {
        errors.push(FieldError::invalid("series.count", "", "should be at least 2"));
    }
    let controller = event.reporting_controller.as_deref().unwrap_or_default();
    if controller.is_empty() {
        errors.push(FieldError::required("reportingController", ""));
    } else {
        let at = Path::new("reportingController");
        invalid_each(controller, format::qualified_name(controller), &at, &mut errors);
    }
    let words =
        [("reportingInstance", &event.reporting_instance), ("action", &event.action), ("reason", &event.reason)];
    for (field, word) in words {
        match given(word.as_ref()) {
            None => errors.push(FieldError::required(field, "")),
            Some(word) if word.len() > WORD_MAX => {
                errors.push(FieldError::invalid(field, "", format!("can have at most {WORD_MAX} characters")));
            }
            Some(_) => {}
        }
    }
    if event.note.as_ref().is_some_and(|note| note.len() > NOTE_MAX) {
        errors.push(FieldError::invalid("note", "", format!("can have at most {NOTE_MAX} characters")));
    }
    match given(event.type_.as_ref()) {
        None => errors.push(FieldError::required("type", "")),
        Some(kind) => one_of(kind, &["Normal", "Warning"], &Path::new("type"), &mut errors),
    }
    errors
}

/// Only the series of an event goes on.
fn unchanged(event: &Event, old: &Event) -> FieldErrors {
    let tree = |event: &Event| serde_json::to_value(event).expect("an event has string keys");
    let (new, old) = (tree(event), tree(old));
    let mut errors = FieldErrors::new();
    let fixed = [
        "regarding",
        "related",
        "reason",
        "reportingController",
        "reportingInstance",
        "action",
        "note",
        "type",
        "eventTime",
        "deprecatedSource",
        "deprecatedFirstTimestamp",
        "deprecatedLastTimestamp",
        "deprecatedCount",
    ];
    for field in fixed {
        let (after, before) = (new.get(field), old.get(field));
        if !semantically_equal(&after, &before) {
            errors.push(FieldError::invalid(field, after, FIELD_IMMUTABLE));
        }
    }
    errors
}

pub(crate) const ROW: Row = row! {
    "io.k8s.api.events.v1.Event" "events.k8s.io" "v1" "Event" "events" "event" Namespaced,
    short: ["ev"],
    columns: (printer::COLUMNS),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::expect;
    use serde_json::json;

    fn event() -> Value {
        json!({"eventTime": "2026-01-01T00:00:00.000000Z", "reportingController": "example.com/c", "reportingInstance": "c-1",
            "action": "Do", "reason": "Done", "type": "Normal", "regarding": {"namespace": "default"}})
    }

    #[test]
    fn writers_say_who_they_are_and_what_they_did() {
        assert_eq!(check::create::<EventKind>(event()), "");
        expect![[r"
            eventTime: Required value
            reportingController: Required value
            reportingInstance: Required value
            action: Required value
            reason: Required value
            type: Required value"]]
        .assert_eq(&check::create::<EventKind>(json!({"regarding": {"namespace": "default"}})));
    }

    #[test]
    fn only_the_series_goes_on() {
        let series = json!({"series": {"count": 2, "lastObservedTime": "2026-01-01T00:00:01.000000Z"}});
        assert_eq!(check::update::<EventKind>(event(), &series), "");
        expect![[r#"reason: Invalid value: "Undone": field is immutable"#]]
            .assert_eq(&check::update::<EventKind>(event(), &json!({"reason": "Undone"})));
    }
}
