//! `metadata.managedFields`: who owns which field. Kept for every write.
//!
//! On a create the writer owns every field it set; on an update it takes over the fields whose values it changed, and
//! nobody owns a field that is gone. k8s: structured-merge-diff's `Update`.

use super::{Call, metadata};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Paths of fields, as FieldsV1 nests them: `f:name` and `k:{..}` lead down, `.` is the item itself.
type Set = Map<String, Value>;

/// Managers of one object; beyond, the oldest updaters are merged.
/// k8s: DefaultMaxUpdateManagers
const UPDATERS_MAX: usize = 10;
const MERGED_MANAGER: &str = "ancient-changes";
/// Parts of metadata that the server writes, and the type: nobody owns them.
const UNOWNED_METADATA: &[&str] = &[
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "name",
    "namespace",
    "resourceVersion",
    "selfLink",
    "uid",
];

pub(super) fn on_create(object: &mut Value, call: &Call<'_>, now: Timestamp) {
    metadata::unset(object, "managedFields");
    let owned = fields(object);
    let entries = if owned.is_empty() { Vec::new() } else { vec![entry(call, owned, now)] };
    write(object, entries);
}

/// `object` may carry a list of its own: an empty one resets ownership, any other is replaced by what is known.
pub(super) fn on_update(object: &mut Value, old: &Value, call: &Call<'_>, now: Timestamp) {
    let reset = asks_for_change(object, old);
    let mut entries = if reset { Vec::new() } else { entries_of(old) };
    metadata::unset(object, "managedFields");
    let (now_set, before) = (fields(object), fields(old));
    let changed = if reset { now_set.clone() } else { changes(object, old, &now_set) };
    if !changed.is_empty() {
        for other in &mut entries {
            subtract_in(other, &changed);
        }
    }
    if before != now_set {
        for other in &mut entries {
            keep_only(other, &now_set);
        }
    }
    if !changed.is_empty() {
        let mine = entry(call, changed, now);
        match entries.iter_mut().find(|other| same_manager(other, &mine)) {
            Some(other) => {
                let mut merged = other["fieldsV1"].as_object().cloned().unwrap_or_default();
                union(&mut merged, mine["fieldsV1"].as_object().unwrap_or(&Map::new()));
                other["fieldsV1"] = Value::Object(merged);
                other["time"] = mine["time"].clone();
            }
            None => entries.push(mine),
        }
    }
    entries.retain(|entry| entry["fieldsV1"].as_object().is_some_and(|set| !set.is_empty()));
    write(object, cap(entries));
}

/// A client empties the list on purpose to reset ownership.
pub(super) fn asks_for_change(object: &Value, old: &Value) -> bool {
    let emptied = metadata::get(object, "managedFields").and_then(Value::as_array).is_some_and(|list| {
        list.is_empty() || (list.len() == 1 && list[0].as_object().is_some_and(Map::is_empty))
    });
    emptied && metadata::get(old, "managedFields").is_some()
}

fn entry(call: &Call<'_>, owned: Set, now: Timestamp) -> Value {
    let mut entry = json!({
        "manager": call.manager(),
        "operation": "Update",
        "apiVersion": call.row().api_version(),
        "time": metadata::time(now),
        "fieldsType": "FieldsV1",
        "fieldsV1": owned,
    });
    if !call.subresource.is_empty() {
        entry["subresource"] = Value::String(call.subresource.to_owned());
    }
    entry
}

fn same_manager(a: &Value, b: &Value) -> bool {
    ["manager", "operation", "apiVersion", "subresource"].iter().all(|field| a.get(field) == b.get(field))
}

fn entries_of(object: &Value) -> Vec<Value> {
    metadata::get(object, "managedFields").and_then(Value::as_array).cloned().unwrap_or_default()
}

fn write(object: &mut Value, entries: Vec<Value>) {
    match entries.as_slice() {
        [] => metadata::unset(object, "managedFields"),
        _ => metadata::set(object, "managedFields", entries),
    }
}

fn cap(mut entries: Vec<Value>) -> Vec<Value> {
    let is_update = |entry: &Value| entry["operation"] == "Update" && entry.get("subresource").is_none();
    let updaters = entries.iter().filter(|entry| is_update(entry)).count();
    if updaters <= UPDATERS_MAX {
        return entries;
    }
    // Oldest first; times are RFC 3339 in UTC, so they compare as text.
    let mut by_age: Vec<usize> = (0..entries.len()).filter(|&at| is_update(&entries[at])).collect();
    by_age.sort_by_key(|&at| entries[at]["time"].as_str().unwrap_or("").to_owned());
    let old: Vec<usize> = by_age.into_iter().take(updaters - UPDATERS_MAX + 1).collect();
    let mut merged = entries[old[0]].clone();
    for &at in &old {
        let mut set = merged["fieldsV1"].as_object().cloned().unwrap_or_default();
        union(&mut set, entries[at]["fieldsV1"].as_object().unwrap_or(&Map::new()));
        merged["fieldsV1"] = Value::Object(set);
        merged["time"] = entries[at]["time"].clone();
    }
    merged["manager"] = MERGED_MANAGER.into();
    let mut at = 0;
    entries.retain(|_| {
        at += 1;
        !old.contains(&(at - 1))
    });
    entries.push(merged);
    entries
}

/// Every field that is set, as a FieldsV1 tree.
fn fields(object: &Value) -> Set {
    let mut set = Set::new();
    for (key, value) in object.as_object().into_iter().flatten() {
        match key.as_str() {
            "apiVersion" | "kind" => {}
            "metadata" => {
                let owned = value.as_object().into_iter().flatten().filter(|(key, _)| !UNOWNED_METADATA.contains(&key.as_str()));
                let inner: Set = owned.map(|(key, value)| (format!("f:{key}"), tree_of(value))).collect();
                if !inner.is_empty() {
                    set.insert("f:metadata".into(), Value::Object(inner));
                }
            }
            key => {
                set.insert(format!("f:{key}"), tree_of(value));
            }
        }
    }
    set
}

fn tree_of(value: &Value) -> Value {
    Value::Object(match value {
        Value::Object(map) if !map.is_empty() => {
            let mut set: Set = map.iter().map(|(key, value)| (format!("f:{key}"), tree_of(value))).collect();
            set.insert(".".into(), json!({}));
            set
        }
        Value::Array(items) => match keyed(items) {
            Some(items) => {
                let mut set: Set = items.into_iter().map(|(key, item)| (key, tree_of(item))).collect();
                set.insert(".".into(), json!({}));
                set
            }
            None => Map::new(),
        },
        _ => Map::new(),
    })
}

/// Items of a list that is a map by its keys. Only lists whose items all carry one of the usual keys are taken apart; all
/// others are owned as a whole.
fn keyed(items: &[Value]) -> Option<BTreeMap<String, &Value>> {
    const KEYS: &[&[&str]] = &[&["containerPort", "protocol"], &["port", "protocol"], &["uid"], &["type"], &["name"], &["mountPath"], &["ip"]];
    let text = |item: &Value, keys: &[&str]| {
        let named: Option<Map<String, Value>> =
            keys.iter().map(|&key| Some((key.to_owned(), item.get(key)?.clone()))).collect();
        named.map(|named| format!("k:{}", Value::Object(named)))
    };
    let keys = KEYS.iter().find(|keys| items.iter().all(|item| text(item, keys).is_some()))?;
    let map: BTreeMap<_, _> = items.iter().filter_map(|item| Some((text(item, keys)?, item))).collect();
    (map.len() == items.len() && !items.is_empty()).then_some(map)
}

/// The part of `now_set` whose values are not those of `old`.
fn changes(object: &Value, old: &Value, now_set: &Set) -> Set {
    let mut changed = Set::new();
    for (key, below) in now_set {
        if let Some(below) = change(resolve(object, key), resolve(old, key), below) {
            changed.insert(key.clone(), below);
        }
    }
    changed
}

fn change(new: Option<&Value>, old: Option<&Value>, set: &Value) -> Option<Value> {
    let (Some(new), Some(set)) = (new, set.as_object()) else { return None };
    if Some(new) == old {
        return None;
    }
    let children: Set = set
        .iter()
        .filter(|(key, _)| *key != ".")
        .filter_map(|(key, below)| Some((key.clone(), change(resolve(new, key), old.and_then(|old| resolve(old, key)), below)?)))
        .collect();
    match (set.is_empty(), old, children.is_empty()) {
        (true, _, _) => Some(json!({})),
        (false, None, _) => Some(Value::Object(set.clone())),
        (false, Some(_), false) => Some(Value::Object(children)),
        (false, Some(_), true) => None,
    }
}

/// The value behind one path element.
fn resolve<'a>(value: &'a Value, element: &str) -> Option<&'a Value> {
    if let Some(field) = element.strip_prefix("f:") {
        return value.get(field);
    }
    let key: Value = serde_json::from_str(element.strip_prefix("k:")?).ok()?;
    let matches = |item: &&Value| key.as_object().is_some_and(|key| key.iter().all(|(name, wanted)| item.get(name) == Some(wanted)));
    value.as_array()?.iter().find(matches)
}

fn union(into: &mut Set, other: &Set) {
    for (key, below) in other {
        match (into.get_mut(key).and_then(Value::as_object_mut), below.as_object()) {
            (Some(mine), Some(theirs)) => union(mine, theirs),
            _ => {
                into.insert(key.clone(), below.clone());
            }
        }
    }
}

/// Takes the leaves of `taken` out of an entry.
fn subtract_in(entry: &mut Value, taken: &Set) {
    // An applier keeps what it applied: two managers may own one field.
    if entry["operation"] != "Apply"
        && let Some(set) = entry["fieldsV1"].as_object_mut()
    {
        subtract(set, taken);
    }
}

fn subtract(set: &mut Set, taken: &Set) {
    for (key, below) in taken {
        let Some(mine) = set.get_mut(key).and_then(Value::as_object_mut) else { continue };
        let below = below.as_object();
        if mine.is_empty() || below.is_none_or(Map::is_empty) {
            set.remove(key);
            continue;
        }
        subtract(mine, below.unwrap_or(&Map::new()));
        if mine.is_empty() {
            set.remove(key);
        }
    }
}

/// Drops the paths that no longer exist.
fn keep_only(entry: &mut Value, existing: &Set) {
    if let Some(set) = entry["fieldsV1"].as_object_mut() {
        intersect(set, existing);
    }
}

fn intersect(set: &mut Set, existing: &Set) {
    set.retain(|key, below| match (existing.get(key).and_then(Value::as_object), below.as_object_mut()) {
        (Some(existing), Some(below)) if !below.is_empty() && !existing.is_empty() => {
            intersect(below, existing);
            !below.is_empty()
        }
        (Some(_), _) => true,
        (None, _) => false,
    });
}
