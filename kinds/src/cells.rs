//! What printers of several kinds share: names, ages, container lists, selectors as text, cut-off lists.
//! The texts are kubectl's, because scripts read them.

pub(crate) mod of;

use crate::age;
use k8s_openapi::api::core::v1::Container;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, Time};
use serde_json::Value;
use std::collections::BTreeMap;

/// Printed where there is nothing to print.
pub(crate) const NONE: &str = "<none>";

/// Printed where the value is not known yet.
pub(crate) const UNKNOWN: &str = "<unknown>";

/// Printed where a field that has no default was left out.
pub(crate) const UNSET: &str = "<unset>";

pub(crate) fn name(metadata: &ObjectMeta) -> Value {
    metadata.name.as_deref().unwrap_or("").into()
}

pub(crate) fn age(metadata: &ObjectMeta, now_unix_secs: i64) -> Value {
    since(metadata.creation_timestamp.as_ref(), now_unix_secs).into()
}

/// `5m12s`, or `<unknown>`.
pub(crate) fn since(time: Option<&Time>, now_unix_secs: i64) -> String {
    age::since(time.map(|time| time.0.as_second()), now_unix_secs)
}

/// The text, or `<none>` where it is absent or empty.
pub(crate) fn or_none(text: Option<&str>) -> &str {
    text.filter(|text| !text.is_empty()).unwrap_or(NONE)
}

/// The text, or `<unknown>` where it is absent or empty.
pub(crate) fn or_unknown(text: Option<&str>) -> &str {
    text.filter(|text| !text.is_empty()).unwrap_or(UNKNOWN)
}

/// Container names, and their images, each joined by commas.
pub(crate) fn containers_and_images(containers: &[Container]) -> (Value, Value) {
    let names: Vec<&str> = containers.iter().map(|container| container.name.as_str()).collect();
    let images: Vec<&str> = containers.iter().map(|container| container.image.as_deref().unwrap_or("")).collect();
    (names.join(",").into(), images.join(",").into())
}

/// `app=web,tier=front`, or `<none>`.
pub(crate) fn labels(labels: Option<&BTreeMap<String, String>>) -> String {
    let pairs: Vec<String> = labels.into_iter().flatten().map(|(key, value)| format!("{key}={value}")).collect();
    if pairs.is_empty() { NONE.to_owned() } else { pairs.join(",") }
}

/// A selector in the form that query strings use; nothing selected and everything selected both print `<none>`.
pub(crate) fn selector(selector: Option<&LabelSelector>) -> String {
    let Some(selector) = selector else { return NONE.to_owned() };
    match crate::selector::LabelSelector::from_meta(selector) {
        Ok(parsed) if parsed.is_everything() => NONE.to_owned(),
        Ok(parsed) => parsed.to_string(),
        Err(_) => "<error>".to_owned(),
    }
}

/// The first `max` items joined by commas, and how many more there are.
pub(crate) fn cut(items: &[String], max: usize) -> String {
    if items.len() <= max {
        return items.join(",");
    }
    format!("{} + {} more...", items[..max].join(","), items.len() - max)
}

/// The time of creation, for kinds without a printer of their own.
pub(crate) fn created_at(metadata: &ObjectMeta) -> Value {
    metadata
        .creation_timestamp
        .as_ref()
        .map_or(Value::Null, |time| time.0.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into())
}
