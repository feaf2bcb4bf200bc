//! Merges over trees: JSON merge patch (RFC 7386), strategic merge patch with all its directives, and the three-way
//! patch that an `apply` on the client's side computes. No I/O; the schema may be absent (a custom resource), and then
//! lists are replaced and maps merged.

mod diff;
mod list;

pub use diff::three_way;

use super::{Field, Leaf, Schema, Shape};
use serde_json::{Map, Value};
use thiserror::Error;

const PATCH: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const ORDER_PREFIX: &str = "$setElementOrder/";
const DELETE_PREFIX: &str = "$deleteFromPrimitiveList/";

/// Why a patch is refused; all of it is the sender's fault.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum MergeError {
    #[error("unable to find api field in struct {owner} for the json field {field:?}")]
    UnknownField { owner: String, field: String },
    #[error("invalid patch: {0}")]
    Patch(String),
    #[error("map: {item} does not contain declared merge key: {key}")]
    NoMergeKey { item: String, key: String },
}

/// RFC 7386: objects merge, null removes, anything else replaces.
pub fn json_merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        target.clone_from(patch);
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(fields) = target else { unreachable!("made an object above") };
    for (key, value) in patch {
        match value {
            Value::Null => {
                fields.remove(key);
            }
            value => json_merge(fields.entry(key.clone()).or_insert(Value::Null), value),
        }
    }
}

/// Applies a strategic merge patch. Both must be objects.
pub fn strategic(original: &Value, patch: &Value, schema: Option<Schema>) -> Result<Value, MergeError> {
    let (Value::Object(original), Value::Object(patch)) = (original, patch) else {
        return Err(MergeError::Patch("a strategic merge patch is an object".to_owned()));
    };
    merge_objects(original.clone(), patch, Kind::of_schema(schema)).map(Value::Object)
}

/// What is known of the value being merged.
#[derive(Clone, Copy)]
enum Kind {
    /// Its fields are declared.
    Fields(Schema),
    /// A map whose values are what the field holds.
    Values(Field),
    /// Nothing.
    Open,
}

impl Kind {
    fn of_schema(schema: Option<Schema>) -> Self {
        schema.map_or(Kind::Open, Kind::Fields)
    }

    /// An item of a list or map field.
    fn of_item(field: Field) -> Self {
        Kind::of_schema(field.schema())
    }

    /// What the value at a key is.
    fn child(self, key: &str) -> Child {
        match self {
            Kind::Fields(schema) => match schema.field(key) {
                Some(field) => Child::Field(field),
                // k8s: an unknown field is an error only where merging needs to know it
                None => Child::Unknown(schema),
            },
            Kind::Values(field) => Child::Value(field),
            Kind::Open => Child::Open,
        }
    }
}

/// The value at a key: what it is decides how it merges.
#[derive(Clone, Copy)]
enum Child {
    Field(Field),
    Value(Field),
    Unknown(Schema),
    Open,
}

impl Child {
    fn object(self) -> Kind {
        match self {
            Child::Field(field) if field.leaf() == Leaf::Any => Kind::Open,
            Child::Field(field) => match field.shape() {
                Shape::One => Kind::of_item(field),
                Shape::List | Shape::Map | Shape::MapOfLists => Kind::Values(field),
            },
            Child::Value(field) => Kind::of_item(field),
            Child::Unknown(_) | Child::Open => Kind::Open,
        }
    }

    /// The list field whose items merge; `None` = the list is replaced.
    fn merging_list(self) -> Option<Field> {
        match self {
            Child::Field(field) if field.merges() && field.shape() == Shape::List => Some(field),
            Child::Field(_) | Child::Value(_) | Child::Unknown(_) | Child::Open => None,
        }
    }
}

/// Merges `patch` into `original`.
fn merge_objects(
    mut original: Map<String, Value>,
    patch: &Map<String, Value>,
    kind: Kind,
) -> Result<Map<String, Value>, MergeError> {
    match patch.get(PATCH).map(|directive| directive.as_str().unwrap_or("")) {
        None | Some("merge") => {}
        Some("replace") => {
            let rest = patch.iter().filter(|(key, _)| *key != PATCH);
            return Ok(rest.map(|(key, value)| (key.clone(), value.clone())).collect());
        }
        Some("delete") => return Ok(Map::new()),
        Some(other) => return Err(MergeError::Patch(format!("unknown patch type: {other}"))),
    }
    retain_keys(&mut original, patch)?;
    let mut ordered = Vec::new();
    for (directive, order) in patch {
        if let Some(key) = directive.strip_prefix(ORDER_PREFIX) {
            merge_ordered(&mut original, patch, key, order, kind.child(key))?;
            ordered.push(key);
        }
    }
    for (key, value) in patch {
        if key == PATCH || key == RETAIN_KEYS || key.starts_with(ORDER_PREFIX) || ordered.contains(&key.as_str()) {
            continue;
        }
        if let Some(key) = key.strip_prefix(DELETE_PREFIX) {
            delete_scalars(&mut original, key, value)?;
            continue;
        }
        merge_value(&mut original, key, value, kind.child(key))?;
    }
    Ok(original)
}

fn merge_value(original: &mut Map<String, Value>, key: &str, patch: &Value, child: Child) -> Result<(), MergeError> {
    match patch {
        Value::Null => {
            original.remove(key);
        }
        Value::Object(patch) => {
            // A value of another type, or none, is like an empty object: directives and nulls inside the patch go away.
            let before = match original.remove(key) {
                Some(Value::Object(before)) => before,
                _ => Map::new(),
            };
            original.insert(key.to_owned(), Value::Object(merge_objects(before, patch, child.object())?));
        }
        Value::Array(items) => {
            let merged = match child.merging_list() {
                Some(field) => {
                    let before = match original.remove(key) {
                        Some(Value::Array(before)) => before,
                        _ => Vec::new(),
                    };
                    list::merge(&before, items, field)?
                }
                None => items.clone(),
            };
            original.insert(key.to_owned(), Value::Array(merged));
        }
        scalar => {
            original.insert(key.to_owned(), scalar.clone());
        }
    }
    Ok(())
}

/// `$retainKeys`: other keys of the original go, and the patch may set no others.
fn retain_keys(original: &mut Map<String, Value>, patch: &Map<String, Value>) -> Result<(), MergeError> {
    let Some(keys) = patch.get(RETAIN_KEYS) else { return Ok(()) };
    let Value::Array(keys) = keys else {
        return Err(MergeError::Patch("$retainKeys is not a list".to_owned()));
    };
    let named = |key: &str| keys.iter().any(|kept| kept.as_str() == Some(key));
    if let Some(key) = patch.iter().find(|(key, value)| !key.starts_with('$') && !value.is_null() && !named(key)) {
        return Err(MergeError::Patch(format!("$retainKeys does not name the field {:?} that the patch sets", key.0)));
    }
    original.retain(|key, _| named(key));
    Ok(())
}

/// A list with `$setElementOrder`: merged, then put into the order that the patch's sender knows.
fn merge_ordered(
    original: &mut Map<String, Value>,
    patch: &Map<String, Value>,
    key: &str,
    order: &Value,
    child: Child,
) -> Result<(), MergeError> {
    let Value::Array(order) = order else {
        return Err(MergeError::Patch(format!("{ORDER_PREFIX}{key} is not a list")));
    };
    let field = child.merging_list().ok_or_else(|| match child {
        Child::Unknown(schema) => {
            MergeError::UnknownField { owner: schema.short_name().to_owned(), field: key.to_owned() }
        }
        _ => MergeError::Patch(format!("{ORDER_PREFIX}{key}: the list {key} is not merged by this type")),
    })?;
    let before = match original.remove(key) {
        Some(Value::Array(before)) => Some(before),
        _ => None,
    };
    let items = match patch.get(key) {
        Some(Value::Array(items)) => Some(items),
        None => None,
        Some(Value::Null) => return Ok(()),
        Some(_) => return Err(MergeError::Patch(format!("{key} is not a list"))),
    };
    if before.is_none() && items.is_none() {
        return Ok(());
    }
    list::check_order(items.map_or(&[], Vec::as_slice), order, field.merge_key(), key)?;
    let before = before.unwrap_or_default();
    let merged = list::merge(&before, items.map_or(&[], Vec::as_slice), field)?;
    let sorted = list::ordered(merged, order, &before, field.merge_key());
    original.insert(key.to_owned(), Value::Array(sorted));
    Ok(())
}

/// `$deleteFromPrimitiveList`: takes scalars out of a list.
fn delete_scalars(original: &mut Map<String, Value>, key: &str, gone: &Value) -> Result<(), MergeError> {
    let Value::Array(gone) = gone else {
        return Err(MergeError::Patch(format!("{DELETE_PREFIX}{key} is not a list")));
    };
    if let Some(Value::Array(items)) = original.get_mut(key) {
        items.retain(|item| !gone.contains(item));
    }
    Ok(())
}
