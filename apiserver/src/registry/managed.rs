//! `metadata.managedFields`: who owns which field. Kept for every write.
//!
//! On a create the writer owns every field it set; on an update it takes over the fields whose values it changed, and
//! nobody owns a field that is gone. k8s: structured-merge-diff's `Update`.

pub mod fields;

use super::{Call, metadata};
use fields::Set;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// Updaters of one object that are told apart; beyond, the oldest are merged.
/// k8s: DefaultMaxUpdateManagers
const UPDATERS_MAX: usize = 10;
const MERGED_MANAGER: &str = "ancient-changes";
/// Parts of metadata that the server writes: nobody owns them.
/// k8s: stripMetaFields
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

/// How an entry came to own its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Update,
    Apply,
}

impl Operation {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Update => "Update",
            Self::Apply => "Apply",
        }
    }
}

/// Every field of an object that somebody can own.
pub fn owned_fields(object: &Value, call: &Call<'_>) -> Set {
    let mut set = fields::of(object, call.kind.context());
    set.remove("f:apiVersion");
    set.remove("f:kind");
    if let Some(metadata) = set.get_mut("f:metadata").and_then(Value::as_object_mut) {
        metadata.retain(|element, _| !UNOWNED_METADATA.contains(&element.trim_start_matches("f:")));
        if metadata.is_empty() {
            set.remove("f:metadata");
        }
    }
    set
}

pub(super) fn on_create(object: &mut Value, call: &Call<'_>, now: Timestamp) {
    if call.applied {
        return;
    }
    metadata::unset(object, "managedFields");
    let owned = owned_fields(object, call);
    let entries = if owned.is_empty() { Vec::new() } else { vec![entry(call, Operation::Update, &owned, now)] };
    write(object, entries);
}

/// `object` may carry a list of its own: an empty one resets ownership, any other is replaced by what is known.
pub(super) fn on_update(object: &mut Value, old: &Value, call: &Call<'_>, now: Timestamp) {
    if call.applied {
        return;
    }
    let reset = asks_for_change(object, old);
    let mut entries = if reset { Vec::new() } else { entries_of(old) };
    metadata::unset(object, "managedFields");
    let set = owned_fields(object, call);
    let mut changed = fields::changed(object, old, &set);
    changed.retain(|element, _| set.contains_key(element));
    for other in &mut entries {
        // An applier keeps what it applied: two managers may own one field.
        let taken = other["operation"] != Operation::Apply.as_str();
        if let Some(theirs) = other["fieldsV1"].as_object_mut() {
            if taken && !changed.is_empty() {
                fields::subtract(theirs, &changed);
            }
            fields::intersect(theirs, &set);
        }
    }
    if !changed.is_empty() {
        add(&mut entries, entry(call, Operation::Update, &changed, now));
    }
    write(object, capped(entries));
}

/// A client empties the list on purpose to reset ownership.
pub(super) fn asks_for_change(object: &Value, old: &Value) -> bool {
    let emptied = metadata::get(object, "managedFields")
        .and_then(Value::as_array)
        .is_some_and(|list| list.is_empty() || (list.len() == 1 && list[0].as_object().is_some_and(Map::is_empty)));
    emptied && metadata::get(old, "managedFields").is_some()
}

/// Whether ownership differs, apart from its times.
pub(super) fn differs(object: &Value, old: &Value) -> bool {
    let timeless = |object: &Value| -> Vec<Value> {
        let mut entries = entries_of(object);
        entries.iter_mut().filter_map(Value::as_object_mut).for_each(|entry| {
            entry.remove("time");
        });
        entries
    };
    timeless(object) != timeless(old)
}

pub(super) fn entry(call: &Call<'_>, operation: Operation, owned: &Set, now: Timestamp) -> Value {
    let mut entry = json!({
        "manager": call.manager(),
        "operation": operation.as_str(),
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

pub(super) fn same_manager(a: &Value, b: &Value) -> bool {
    ["manager", "operation", "apiVersion", "subresource"].iter().all(|field| a.get(field) == b.get(field))
}

pub(super) fn entries_of(object: &Value) -> Vec<Value> {
    metadata::get(object, "managedFields").and_then(Value::as_array).cloned().unwrap_or_default()
}

fn add(entries: &mut Vec<Value>, mine: Value) {
    match entries.iter_mut().find(|other| same_manager(other, &mine)) {
        Some(other) => {
            let mut merged = other["fieldsV1"].as_object().cloned().unwrap_or_default();
            fields::union(&mut merged, mine["fieldsV1"].as_object().unwrap_or(&Map::new()));
            other["fieldsV1"] = Value::Object(merged);
            other["time"] = mine["time"].clone();
        }
        None => entries.push(mine),
    }
}

pub(super) fn write(object: &mut Value, mut entries: Vec<Value>) {
    entries.retain(|entry| entry["fieldsV1"].as_object().is_some_and(|set| !set.is_empty()));
    match entries.as_slice() {
        [] => metadata::unset(object, "managedFields"),
        _ => metadata::set(object, "managedFields", entries),
    }
}

/// The oldest updaters become one where there are too many.
fn capped(entries: Vec<Value>) -> Vec<Value> {
    let is_update = |entry: &Value| entry["operation"] == "Update" && entry.get("subresource").is_none();
    let (mut updates, mut rest): (Vec<Value>, Vec<Value>) = entries.into_iter().partition(is_update);
    if updates.len() > UPDATERS_MAX {
        // Times are RFC 3339 in UTC, so they compare as text.
        updates.sort_by(|a, b| a["time"].as_str().cmp(&b["time"].as_str()));
        let recent = updates.split_off(updates.len() - (UPDATERS_MAX - 1));
        let mut all = Set::new();
        for old in &updates {
            fields::union(&mut all, old["fieldsV1"].as_object().unwrap_or(&Map::new()));
        }
        if let Some(mut merged) = updates.pop() {
            merged["manager"] = MERGED_MANAGER.into();
            merged["fieldsV1"] = Value::Object(all);
            rest.push(merged);
        }
        updates = recent;
    }
    updates.extend(rest);
    updates
}
