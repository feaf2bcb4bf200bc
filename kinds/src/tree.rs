//! What every kind shares, over JSON trees: the status rules of create and update, selectable fields at a path, and the
//! small readers that printers use. Knows nothing of any kind.

use crate::row::Row;
use crate::schema::{self, Field, Leaf};
use serde_json::{Map, Value};

pub(crate) const MANAGED_FIELDS: &str = "managedFields";

/// Metadata that a write through `status` may change; the rest stays as it was.
/// k8s: most status strategies let labels and annotations through, and conformance patches them there; kinds whose
/// strategy does not (Deployment, ReplicaSet, ..) put them back in their hook.
const STATUS_WRITABLE_METADATA: &[&str] = &["annotations", "labels", "managedFields", "resourceVersion"];

/// Takes the list of owners out for as long as typed code works on the object: it never looks at it, and to decode and
/// encode it would cost as much as all the rest.
pub(crate) fn take_managed_fields(object: &mut Value) -> Option<Value> {
    object.get_mut("metadata")?.as_object_mut()?.remove(MANAGED_FIELDS)
}

pub(crate) fn put_managed_fields(object: &mut Value, list: Option<Value>) {
    if let (Some(list), Some(Value::Object(metadata))) = (list, object.get_mut("metadata")) {
        metadata.insert(MANAGED_FIELDS.to_owned(), list);
    }
}

pub(crate) fn managed_fields(object: &Value) -> Option<&Value> {
    object.get("metadata")?.get(MANAGED_FIELDS)
}

/// The value at a dotted path of object fields.
pub fn at<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(object, |value, segment| value.get(segment))
}

/// The string at a path; `""` where there is none.
pub fn text<'a>(object: &'a Value, path: &str) -> &'a str {
    at(object, path).and_then(Value::as_str).unwrap_or("")
}

/// The integer at a path; 0 where there is none.
pub fn integer(object: &Value, path: &str) -> i64 {
    at(object, path).and_then(Value::as_i64).unwrap_or(0)
}

/// The boolean at a path; false where there is none.
pub fn boolean(object: &Value, path: &str) -> bool {
    at(object, path).and_then(Value::as_bool).unwrap_or(false)
}

/// The list at a path; empty where there is none.
pub fn list<'a>(object: &'a Value, path: &str) -> &'a [Value] {
    at(object, path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Number of entries of the map or list at a path.
pub fn count(object: &Value, path: &str) -> usize {
    match at(object, path) {
        Some(Value::Array(items)) => items.len(),
        Some(Value::Object(entries)) => entries.len(),
        _ => 0,
    }
}

pub(crate) fn prepare_create(row: &Row, object: &mut Value) {
    if !has_status(row) {
        return;
    }
    if !row.status_on_create
        && let Value::Object(fields) = object
    {
        fields.remove("status");
    }
    show_status(row, object);
}

/// A built-in object always has a status, be it an empty one: a JSON patch adds to it.
/// k8s: Go holds it by value, and in it what else is held by value or is a count that is never left out
fn show_status(row: &Row, object: &mut Value) {
    let Value::Object(fields) = object else { return };
    if fields.contains_key("status") {
        return;
    }
    let status = schema::lookup(&row.schema).and_then(|schema| schema.field("status")).and_then(Field::schema);
    let Some(status) = status else { return };
    let shown = |field: Field| match field.leaf() {
        Leaf::Int32 | Leaf::Int64 if field.is_required() => Some((field.name().to_owned(), 0.into())),
        _ if field.name() == "loadBalancer" => Some((field.name().to_owned(), Value::Object(Map::new()))),
        _ => None,
    };
    fields.insert("status".to_owned(), Value::Object(status.fields().filter_map(shown).collect()));
}

pub(crate) fn prepare_update(row: &Row, object: &mut Value, old: &Value) {
    if has_status(row) {
        carry(object, old, "status");
    }
}

/// Everything but `status` is that of `old`, and of `metadata` only [`STATUS_WRITABLE_METADATA`] counts.
pub(crate) fn prepare_status(row: &Row, object: &mut Value, old: &Value) {
    take_status(object, old);
    show_status(row, object);
}

fn take_status(object: &mut Value, old: &Value) {
    let (Value::Object(new), Value::Object(before)) = (&mut *object, old) else { return };
    put_back(new, before, &["metadata", "status"]);
    let nothing = Map::new();
    let metadata = before.get("metadata").and_then(Value::as_object).unwrap_or(&nothing);
    match new.get_mut("metadata") {
        Some(Value::Object(sent)) => put_back(sent, metadata, STATUS_WRITABLE_METADATA),
        Some(_) | None => {
            new.insert("metadata".to_owned(), Value::Object(metadata.clone()));
        }
    }
}

/// Makes all entries but those of `writable` what they were. What has not changed is not copied.
fn put_back(new: &mut Map<String, Value>, before: &Map<String, Value>, writable: &[&str]) {
    new.retain(|key, _| writable.contains(&key.as_str()) || before.contains_key(key));
    for (key, value) in before.iter().filter(|(key, _)| !writable.contains(&key.as_str())) {
        if new.get(key) != Some(value) {
            new.insert(key.clone(), value.clone());
        }
    }
}

fn has_status(row: &Row) -> bool {
    row.subresource("status").is_some()
}

/// Sets a top-level field to what it was.
pub(crate) fn carry(object: &mut Value, old: &Value, field: &str) {
    let Value::Object(fields) = object else { return };
    match old.get(field) {
        Some(before) if fields.get(field) == Some(before) => None,
        Some(before) => fields.insert(field.to_owned(), before.clone()),
        None => fields.remove(field),
    };
}

/// A selectable field read at its path. An absent one reads as its type's zero value, which is what selectors compare
/// with.
pub(crate) fn field(row: &Row, object: &Value, field: &str) -> Option<String> {
    let paths = match field {
        "metadata.name" | "metadata.namespace" => field,
        _ => row.fields.iter().find(|(label, _)| label == field).map(|(_, path)| path.as_ref())?,
    };
    let said = |path| match at(object, path) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(flag)) => flag.to_string(),
        Some(Value::Number(number)) => number.to_string(),
        _ => zero(row, path).to_owned(),
    };
    let mut values = crate::row::paths(paths).map(said);
    let first = values.next()?;
    Some(if first.is_empty() { values.find(|text| !text.is_empty()).unwrap_or_default() } else { first })
}

fn zero(row: &Row, path: &str) -> &'static str {
    match schema::lookup(&row.schema).and_then(|schema| schema.at(path)).map(Field::leaf) {
        Some(Leaf::Boolean) => "false",
        Some(Leaf::Int32 | Leaf::Int64) => "0",
        _ => "",
    }
}

/// Cells for an object that its kind cannot read: its name, and blanks.
pub(crate) fn name_and_blanks(object: &Value, columns: usize) -> Vec<Value> {
    let mut cells = vec![Value::String(text(object, "metadata.name").to_owned())];
    cells.resize(columns, Value::String(String::new()));
    cells
}
