//! `metadata.managedFields`: who owns which field. Kept for every write.
//!
//! On a create the writer owns every field it set; on an update it takes over the fields whose values it changed, and
//! nobody owns a field that is gone. Both are settled before admission, so that what the server adds is nobody's.
//! k8s: apimachinery's `util/managedfields`; structured-merge-diff's `Update`

mod below;
mod brought;
mod compare;
mod element;
mod entry;
pub mod fields;
pub mod merge;
pub mod set;
mod versions;

pub use compare::{Comparison, compare};
pub use element::ElementError;
pub use entry::{Entry, Operation, read, write};
pub use versions::{Change, Touched, Versions, kind_of};

use super::{Call, metadata};
use crate::error::ApiError;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use set::Set;

/// Updaters of one object that are told apart; beyond, the oldest are merged.
/// k8s: DefaultMaxUpdateManagers
const UPDATERS_MAX: usize = 10;
const MERGED_MANAGER: &str = "ancient-changes";

/// Parts of metadata that the server writes: nobody owns them.
/// k8s: stripMetaFields
const UNOWNED_METADATA: &[&str] = &[
    "clusterName",
    "creationTimestamp",
    "generation",
    "managedFields",
    "name",
    "namespace",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// Takes out of a writer's own fields what nobody owns.
pub fn strip(set: &mut Set) {
    for name in ["apiVersion", "kind"] {
        set.forget(&[name]);
    }
    for &name in UNOWNED_METADATA {
        set.forget(&["metadata", name]);
    }
    if let Some(metadata) = set.below.get_mut("f:metadata") {
        metadata.is_member = false;
        if metadata.is_empty() {
            set.below.remove("f:metadata");
        }
    }
}

/// What a write through this door can change at all; the rest is put back before it is stored.
/// k8s: `GetResetFields` of the strategies
pub fn restrict(call: &Call<'_>, set: &mut Set) {
    match call.subresource {
        "" if call.row().subresource("status").is_some() => set.forget(&["status"]),
        "status" => {
            set.below.retain(|element, inner| match element {
                "f:status" => true,
                "f:metadata" => {
                    inner.below.retain(|element, _| matches!(element, "f:annotations" | "f:labels"));
                    !inner.is_empty()
                }
                _ => false,
            });
        }
        _ => {}
    }
}

/// What differs, as far as it will be stored.
pub fn changes(call: &Call<'_>, old: &Value, new: &Value) -> Comparison {
    let mut found = compare(old, new, call.kind.context());
    found.restrict(|set| {
        set.forget(&["metadata", "managedFields"]);
        restrict(call, set);
    });
    found
}

/// What a new object brings that will be stored: of the few that may come with a status, that too, so that an object of
/// nothing else has an owner, and its later ones are told.
fn brought(call: &Call<'_>, object: &Value) -> Set {
    let mut set = brought::brought(object, call.kind.context());
    if !call.row().status_on_create {
        restrict(call, &mut set);
    }
    set
}

/// Gives a new object its owners.
pub(super) fn on_create(object: &mut Value, call: &Call<'_>, now: Timestamp) {
    if call.applied {
        return;
    }
    let given = take(object);
    let entries = given.as_ref().filter(|_| call.subresource.is_empty()).and_then(read).unwrap_or_default();
    let touched = Touched { set: brought(call, object), removed: Set::default() };
    let entries = entries.into_iter().filter_map(|entry| without(entry, &touched)).collect();
    write(object, with_mine(entries, touched.set, call, now));
}

/// Gives a changed object its owners. `object` may carry a list of its own: an empty one resets ownership, any other that
/// can be read is taken over, so that clients can edit it; through a subresource nobody can.
pub(super) fn on_update(
    object: &mut Value,
    old: &Value,
    call: &Call<'_>,
    now: Timestamp,
    versions: &Versions,
) -> Result<(), ApiError> {
    if call.applied {
        return Ok(());
    }
    let live = metadata::get(old, "managedFields");
    let given =
        metadata::get(object, "managedFields").filter(|given| call.subresource.is_empty() && Some(*given) != live);
    let of_live = || live.and_then(read).unwrap_or_default();
    let found = changes(call, old, object);
    let entries = match given {
        // The usual case must not cost: who changes nothing leaves the list alone.
        None if found.is_empty() => {
            keep(object, old);
            return Ok(());
        }
        None => of_live(),
        Some(list) if is_reset(list) => Vec::new(),
        Some(list) => read(list).filter(|entries| !entries.is_empty()).unwrap_or_else(of_live),
    };
    // k8s: who has reset ownership is not tracked again before the next apply.
    let entries = if entries.is_empty() || found.is_empty() {
        entries
    } else {
        let (set, removed) = found.into_touched_and_removed();
        let mine = set.clone();
        let mut change = Change::new(call, versions, [old, object], Touched { set, removed });
        with_mine(of_others(entries, &mut change)?, mine, call, now)
    };
    take(object);
    if !entries.is_empty() {
        write(object, entries);
    }
    Ok(())
}

/// Leaves a changed object's owners as they were.
pub(super) fn keep(object: &mut Value, old: &Value) {
    match metadata::get(old, "managedFields") {
        Some(live) => metadata::set(object, "managedFields", live.clone()),
        None => metadata::unset(object, "managedFields"),
    }
}

/// Puts back what owners there were `before` admission where it has left a list that nobody can read; the client is told.
/// k8s: `NewManagedFieldsValidatingAdmissionController`
pub fn keep_readable(object: &mut Value, before: &Value) -> Option<String> {
    let list = metadata::get(object, "managedFields")?;
    if read(list).is_some() {
        return None;
    }
    keep(object, before);
    Some(
        ".metadata.managedFields was in an invalid state after admission; this could be caused by an outdated mutating \
         admission controller; please fix your requests: an entry has no operation, apiVersion or type of its fields"
            .to_owned(),
    )
}

/// What owners keep when somebody else makes a change. Entries of a version that is no more go.
pub(super) fn of_others(entries: Vec<Entry>, change: &mut Change<'_>) -> Result<Vec<Entry>, ApiError> {
    let mut kept = Vec::with_capacity(entries.len());
    for entry in entries {
        if let Some(touched) = change.of(&entry.api_version)? {
            kept.extend(without(entry, touched));
        }
    }
    Ok(kept)
}

fn without(mut entry: Entry, touched: &Touched) -> Option<Entry> {
    entry.set.subtract(&touched.set);
    entry.set.subtract(&touched.removed);
    Some(entry).filter(|entry| !entry.set.is_empty())
}

/// The owners of an object that nobody tracked until its first apply.
/// k8s: skipNonAppliedManager
pub(super) fn before_first_apply(live: &Value, call: &Call<'_>, now: Timestamp) -> Vec<Entry> {
    let (mut owned, _) = changes(call, &json!({}), live).into_touched_and_removed();
    strip(&mut owned);
    if owned.is_empty() {
        return Vec::new();
    }
    vec![Entry { manager: "before-first-apply".into(), ..Entry::of(call, Operation::Update, owned, now) }]
}

fn take(object: &mut Value) -> Option<Value> {
    metadata::map(object).remove("managedFields")
}

/// k8s: isResetManagedFields
fn is_reset(list: &Value) -> bool {
    list.as_array().is_some_and(|list| match list.as_slice() {
        [] => true,
        [only] => only.as_object().is_some_and(Map::is_empty),
        _ => false,
    })
}

/// The entries with what the writer owns from now on.
fn with_mine(mut entries: Vec<Entry>, mut mine: Set, call: &Call<'_>, now: Timestamp) -> Vec<Entry> {
    strip(&mut mine);
    if !mine.is_empty() {
        let mine = Entry::of(call, Operation::Update, mine, now);
        match entries.iter_mut().find(|entry| entry.is_same_owner(&mine)) {
            Some(entry) => {
                entry.set.add(mine.set);
                entry.time = mine.time;
            }
            None => entries.push(mine),
        }
    }
    capped(entries)
}

/// The oldest updaters of one version become one where there are too many.
/// k8s: capManagersManager
fn capped(mut entries: Vec<Entry>) -> Vec<Entry> {
    entries.sort_by_cached_key(|entry| (entry.time.clone(), entry.identity()));
    let is_update = |entry: &Entry| entry.operation == Operation::Update;
    let mut excess = entries.iter().filter(|entry| is_update(entry)).count().saturating_sub(UPDATERS_MAX);
    let mut kept: Vec<Entry> = Vec::with_capacity(entries.len());
    for entry in entries {
        let oldest = kept.iter_mut().find(|first| is_update(first) && first.api_version == entry.api_version);
        match oldest {
            Some(bucket) if excess > 0 && is_update(&entry) => {
                bucket.set.add(entry.set);
                bucket.time = entry.time;
                MERGED_MANAGER.clone_into(&mut bucket.manager);
                bucket.subresource.clear();
                excess -= 1;
            }
            _ => kept.push(entry),
        }
    }
    kept
}

/// Whether ownership differs, apart from its times.
pub(super) fn differs(object: &Value, old: &Value) -> bool {
    let list = |object: &Value| metadata::get(object, "managedFields").and_then(Value::as_array).cloned();
    let timeless = |object: &Value| -> Vec<Value> {
        let mut entries = list(object).unwrap_or_default();
        entries.iter_mut().filter_map(Value::as_object_mut).for_each(|entry| {
            entry.remove("time");
        });
        entries
    };
    metadata::get(object, "managedFields") != metadata::get(old, "managedFields") && timeless(object) != timeless(old)
}

#[cfg(test)]
mod tests;
