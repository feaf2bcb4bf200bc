//! What an apply takes away: what its applier stated the last time, and no applier states any more.
//! k8s: structured-merge-diff's `prune`

use crate::error::ApiError;
use crate::registry::Call;
use crate::registry::managed::fields::{remove, stated, with_structs};
use crate::registry::managed::set::Set;
use crate::registry::managed::{Entry, Versions, kind_of};
use kinds::schema::Context;
use serde_json::Value;
use std::borrow::Cow;

/// Takes out of `merged` what `last` stated and none of `appliers` states. Structs, lists and maps that others still have
/// something in stay, and so does what nobody stated. Each set is looked at in the version that it was stated in.
pub(super) fn pruned<'e>(
    call: &Call<'_>,
    merged: &Value,
    last: &'e Entry,
    appliers: impl Iterator<Item = &'e Entry>,
    versions: &Versions,
) -> Result<Value, ApiError> {
    let kind = call.kind.as_ref();
    let Some(own) = kind_of(kind, &last.api_version) else { return Ok(merged.clone()) };
    let stated_last = with_structs(&last.set, own.context());
    let full = versions.form(merged, &own)?.into_owned();
    // Everything that this applier stated, ..
    let mut left = without(&full, &stated_last, own.context());
    // .. but for what appliers hold, ..
    for (version, held) in by_version(&last.api_version, appliers) {
        let Some(next) = kind_of(kind, version) else { continue };
        let [whole, rest] = [versions.form(&full, &next)?, versions.form(&left, &next)?];
        left = with_held(&whole, &rest, &held, next.context());
    }
    // .. and of that only what was stated: an item that is not ours keeps what is in it.
    let left = versions.form(&left, &own)?;
    let context = own.context();
    let mut gone = paths(&full, context);
    gone.subtract(&paths(&left, context));
    let pruned = without(&full, &gone.common(&stated_last), context);
    versions.form(&pruned, call.kind).map(Cow::into_owned)
}

/// What appliers hold, by the version that they stated it in; `first` comes first, so that what a conversion needs is
/// back before any takes place.
fn by_version<'e>(first: &'e str, appliers: impl Iterator<Item = &'e Entry>) -> Vec<(&'e str, Set)> {
    let mut held = vec![(first, Set::default())];
    for entry in appliers {
        match held.iter_mut().find(|(version, _)| *version == entry.api_version) {
            Some((_, set)) => set.add(entry.set.clone()),
            None => held.push((&entry.api_version, entry.set.clone())),
        }
    }
    held
}

/// `full` with what is `left` of it and what is `held`.
fn with_held(full: &Value, left: &Value, held: &Set, context: Context<'_>) -> Value {
    let mut stay = paths(left, context);
    stay.add(with_structs(held, context));
    let mut gone = paths(full, context);
    gone.subtract(&stay);
    without(full, &gone, context)
}

fn without(value: &Value, gone: &Set, context: Context<'_>) -> Value {
    let mut value = value.clone();
    remove(&mut value, gone, context);
    value
}

fn paths(value: &Value, context: Context<'_>) -> Set {
    with_structs(&stated(value, context), context)
}
