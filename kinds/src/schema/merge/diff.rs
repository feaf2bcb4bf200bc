//! The patch that turns one object into another, as `apply` on the client's side needs it: what the user changed since
//! last time, without touching what others own.

use super::list::{deletion_of, identity};
use super::{Child, Kind, MergeError, ORDER_PREFIX, PATCH, RETAIN_KEYS};
use crate::schema::{Field, Schema};
use serde_json::{Map, Value};

/// Which half of a three-way patch is computed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    /// What is new or different (against the live object).
    Changes,
    /// What went away (against what was applied last time).
    Deletions,
}

/// The strategic merge patch that brings `current` to `modified`, deleting only what `original` (the configuration
/// applied last time) had and `modified` has not. Without a schema it is a JSON merge patch.
pub fn three_way(
    original: &Value,
    modified: &Value,
    current: &Value,
    schema: Option<Schema>,
) -> Result<Value, MergeError> {
    let (Value::Object(original), Value::Object(modified), Value::Object(current)) = (original, modified, current)
    else {
        return Err(MergeError::Patch("only objects can be applied".to_owned()));
    };
    let kind = Kind::of_schema(schema);
    let changes = diff_objects(current, modified, kind, Half::Changes)?;
    let deletions = diff_objects(original, modified, kind, Half::Deletions)?;
    Ok(Value::Object(join(deletions, changes, kind)?))
}

fn diff_objects(
    from: &Map<String, Value>,
    to: &Map<String, Value>,
    kind: Kind,
    half: Half,
) -> Result<Map<String, Value>, MergeError> {
    let mut patch = Map::new();
    for (key, before) in from {
        let Some(after) = to.get(key) else {
            if half == Half::Deletions {
                patch.insert(key.clone(), Value::Null);
            }
            continue;
        };
        match (before, after) {
            (Value::Object(before), Value::Object(after)) => {
                let child = kind.child(key);
                let mut inner = diff_objects(before, after, child.object(), half)?;
                let retains = matches!(child, Child::Field(field) if field.retains_keys());
                if retains && (!inner.is_empty() || after.keys().any(|key| !before.contains_key(key))) {
                    inner.insert(RETAIN_KEYS.to_owned(), after.keys().map(|key| Value::from(key.as_str())).collect());
                }
                if !inner.is_empty() {
                    patch.insert(key.clone(), Value::Object(inner));
                }
            }
            (Value::Array(before), Value::Array(after)) => match kind.child(key).merging_list() {
                Some(field) => diff_lists(&mut patch, key, before, after, field, half)?,
                None if before != after && half == Half::Changes => {
                    patch.insert(key.clone(), Value::Array(after.clone()));
                }
                None => {}
            },
            (before, after) if before != after && half == Half::Changes => {
                patch.insert(key.clone(), after.clone());
            }
            _ => {}
        }
    }
    if half == Half::Changes {
        for (key, after) in to.iter().filter(|(key, _)| !from.contains_key(*key)) {
            patch.insert(key.clone(), after.clone());
        }
    }
    Ok(patch)
}

/// The patch of a merged list goes into `patch` as up to three entries: the items, the order, the scalars gone.
fn diff_lists(
    patch: &mut Map<String, Value>,
    name: &str,
    before: &[Value],
    after: &[Value],
    field: Field,
    half: Half,
) -> Result<(), MergeError> {
    let key = field.merge_key();
    let find = |list: &[Value], item: &Value| list.iter().position(|known| identity(known, key) == identity(item, key));
    let mut items = Vec::new();
    let mut gone = Vec::new();
    if half == Half::Changes {
        for item in after {
            let Some(known) = find(before, item) else {
                items.push(item.clone());
                continue;
            };
            if let (Value::Object(known), Value::Object(wanted)) = (&before[known], item) {
                let mut inner = diff_objects(known, wanted, Kind::of_item(field), half)?;
                if !inner.is_empty() {
                    inner.insert(key.to_owned(), item[key].clone());
                    items.push(Value::Object(inner));
                }
            }
        }
    } else {
        for item in before {
            match (find(after, item), item) {
                (None, Value::Object(_)) => {
                    let mut deletion = Map::new();
                    deletion.insert(PATCH.to_owned(), "delete".into());
                    deletion.insert(key.to_owned(), item.get(key).cloned().unwrap_or(Value::Null));
                    items.push(Value::Object(deletion));
                }
                (None, scalar) => gone.push(scalar.clone()),
                (Some(at), Value::Object(known)) => {
                    let Value::Object(wanted) = &after[at] else { continue };
                    let mut inner = diff_objects(known, wanted, Kind::of_item(field), half)?;
                    if !inner.is_empty() {
                        inner.insert(key.to_owned(), item[key].clone());
                        items.push(Value::Object(inner));
                    }
                }
                (Some(_), _) => {}
            }
        }
    }
    let reordered = half == Half::Changes && !same_order(before, after, key);
    if !items.is_empty() || !gone.is_empty() || reordered {
        let order = after.iter().map(|item| match (key, item.get(key)) {
            ("", _) | (_, None) => item.clone(),
            (key, Some(value)) => Value::Object(Map::from_iter([(key.to_owned(), value.clone())])),
        });
        patch.insert(format!("{ORDER_PREFIX}{name}"), order.collect());
    }
    if !items.is_empty() {
        patch.insert(name.to_owned(), Value::Array(items));
    }
    if !gone.is_empty() {
        patch.insert(deletion_of(name), Value::Array(gone));
    }
    Ok(())
}

/// Whether what both lists have comes in the same order.
fn same_order(before: &[Value], after: &[Value], key: &str) -> bool {
    let positions =
        after.iter().filter_map(|item| before.iter().position(|known| identity(known, key) == identity(item, key)));
    positions.is_sorted()
}

/// Both halves as one patch. They speak of different things, but for items of one list, which both may change.
fn join(
    deletions: Map<String, Value>,
    mut changes: Map<String, Value>,
    kind: Kind,
) -> Result<Map<String, Value>, MergeError> {
    for (key, gone) in deletions {
        let Some(changed) = changes.remove(&key) else {
            changes.insert(key, gone);
            continue;
        };
        let joined = match (gone, changed) {
            (Value::Object(gone), Value::Object(changed)) => {
                Value::Object(join(gone, changed, kind.child(&key).object())?)
            }
            (Value::Array(gone), Value::Array(changed)) => match kind.child(&key).merging_list() {
                Some(field) => {
                    let order = changes.get(&format!("{ORDER_PREFIX}{key}")).and_then(Value::as_array);
                    Value::Array(join_lists(gone, changed, field, order.map_or(&[], Vec::as_slice))?)
                }
                None => Value::Array(changed),
            },
            (_, changed) => changed,
        };
        changes.insert(key, joined);
    }
    Ok(changes)
}

/// Items of either half, in the order that the patch gives the list.
fn join_lists(gone: Vec<Value>, changed: Vec<Value>, field: Field, order: &[Value]) -> Result<Vec<Value>, MergeError> {
    let key = field.merge_key();
    let mut joined = changed;
    for item in gone {
        let twin = joined.iter().position(|known| !key.is_empty() && identity(known, key) == identity(&item, key));
        match (twin, item) {
            (Some(at), Value::Object(item)) if !item.contains_key(PATCH) => {
                if let Value::Object(known) = joined[at].take() {
                    joined[at] = Value::Object(join(item, known, Kind::of_item(field))?);
                }
            }
            (_, item) => joined.push(item),
        }
    }
    let place = |item: &Value| order.iter().position(|known| identity(known, key) == identity(item, key));
    joined.sort_by_cached_key(|item| place(item).unwrap_or(order.len()));
    Ok(joined)
}
