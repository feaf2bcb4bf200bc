//! Lists in a strategic merge patch: items are merged by key, scalars are a set, and the order is the sender's for what
//! the sender knows.

use super::{DELETE_PREFIX, Kind, MergeError, ORDER_PREFIX, PATCH, merge_objects};
use crate::schema::Field;
use serde_json::{Map, Value};

/// Merges the items of a patch into a list whose strategy is `merge`.
///
/// k8s: the items of the patch keep the patch's order even where it gives none expressly, and where nothing says how
/// they stand to the others they come first
pub(super) fn merge(original: &[Value], patch: &[Value], field: Field) -> Result<Vec<Value>, MergeError> {
    let merged = merge_items(original.to_vec(), patch, field)?;
    Ok(ordered(merged, patch, original, field.merge_key()))
}

fn merge_items(original: Vec<Value>, patch: &[Value], field: Field) -> Result<Vec<Value>, MergeError> {
    let key = field.merge_key();
    let mut merged = original;
    if key.is_empty() {
        for item in patch {
            if !merged.contains(item) {
                merged.push(item.clone());
            }
        }
        return Ok(merged);
    }
    if patch.iter().any(|item| directive(item) == Some("replace")) {
        let plain: Vec<Value> = patch.iter().filter(|item| directive(item).is_none()).cloned().collect();
        return merge_items(Vec::new(), &plain, field);
    }
    // Deletions come first, so that a patch may delete an item and add it anew.
    for item in patch.iter().filter(|item| directive(item) == Some("delete")) {
        let gone = key_of(item, key)?;
        merged.retain(|known| known.get(key) != Some(gone));
    }
    for item in patch {
        match directive(item) {
            Some("delete") => continue,
            None => {}
            Some("merge") => {
                return Err(MergeError::Patch("merging lists cannot yet be specified in the patch".to_owned()));
            }
            Some(other) => return Err(MergeError::Patch(format!("unknown patch type: {other}"))),
        }
        let wanted = key_of(item, key)?;
        let Value::Object(changes) = item else { continue };
        let known = merged.iter_mut().find(|known| known.get(key) == Some(wanted));
        if let Some(Value::Object(known)) = known {
            *known = merge_objects(std::mem::take(known), changes, Kind::of_item(field))?;
        } else {
            merged.push(Value::Object(merge_objects(Map::new(), changes, Kind::of_item(field))?));
        }
    }
    Ok(merged)
}

fn directive(item: &Value) -> Option<&str> {
    item.get(PATCH).and_then(Value::as_str)
}

fn key_of<'a>(item: &'a Value, key: &str) -> Result<&'a Value, MergeError> {
    item.get(key).ok_or_else(|| MergeError::NoMergeKey { item: item.to_string(), key: key.to_owned() })
}

/// What tells an item apart: its merge key, or for scalars itself.
pub(super) fn identity<'a>(item: &'a Value, key: &str) -> Option<&'a Value> {
    if key.is_empty() { Some(item) } else { item.get(key) }
}

fn position(list: &[Value], item: &Value, key: &str) -> Option<usize> {
    let wanted = identity(item, key)?;
    list.iter().position(|known| identity(known, key) == Some(wanted))
}

/// Every item that the patch keeps must be in the order list, and in that order.
pub(super) fn check_order(patch: &[Value], order: &[Value], key: &str, name: &str) -> Result<(), MergeError> {
    let kept = patch.iter().filter(|item| directive(item) != Some("delete") && directive(item) != Some("replace"));
    let mut last = None;
    for item in kept {
        let at = position(order, item, key);
        if at.is_none() || at < last {
            let text = format!("the order in patch list {name:?} doesn't match the {ORDER_PREFIX}{name} list");
            return Err(MergeError::Patch(text));
        }
        last = at;
    }
    Ok(())
}

/// Items that the order names come in that order; the others stay relative to their neighbours of before.
pub(super) fn ordered(merged: Vec<Value>, order: &[Value], before: &[Value], key: &str) -> Vec<Value> {
    let (mut named, mut own): (Vec<Value>, Vec<Value>) =
        merged.into_iter().partition(|item| position(order, item, key).is_some());
    named.sort_by_key(|item| position(order, item, key));
    own.sort_by_key(|item| position(before, item, key));
    let mut sorted = Vec::with_capacity(named.len() + own.len());
    let (mut named, mut own) = (named.into_iter().peekable(), own.into_iter().peekable());
    loop {
        let own_first = match (own.peek(), named.peek()) {
            (Some(own), Some(named)) => match (position(before, own, key), position(before, named, key)) {
                (Some(own), Some(named)) => own < named,
                _ => false,
            },
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => return sorted,
        };
        sorted.extend(if own_first { own.next() } else { named.next() });
    }
}

/// The name of a directive that removes scalars of a list.
pub(super) fn deletion_of(key: &str) -> String {
    format!("{DELETE_PREFIX}{key}")
}
