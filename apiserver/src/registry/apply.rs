//! Server-side apply: the client states the fields it wants; the server merges them in, takes out those that this applier
//! stated before and does not any more, and refuses to change fields of others unless forced.
//! k8s: structured-merge-diff's `Apply`, and what apimachinery's field manager wraps around it.

mod conflict;
mod last_applied;
#[cfg(test)]
mod tests;

use super::managed::set::Set;
use super::managed::{self, Entry, Operation, fields};
use super::{Call, Registry, Written, decode, metadata};
use crate::error::{ApiError, Qualified};
use crate::request::Verb;
use jiff::Timestamp;
use kinds::errors::FieldError;
use kinds::schema::Context;
use kinds::schema::decode::Strictness;
use parking_lot::Mutex;
use serde_json::{Value, json};

/// Creations that lose against others before an apply gives up: each loss means that there is an object now.
const TRIES_MAX: usize = 3;

impl Registry {
    /// Applies `config`, whose `duplicates` its parser has found. Creates the object where there is none.
    pub async fn apply(&self, call: &Call<'_>, config: &Value, duplicates: &[String]) -> Result<Written, ApiError> {
        let config = checked(call, config)?;
        let warnings = decode::yaml_complaints(call, duplicates)?;
        let mut written = self.apply_checked(call, &config).await?;
        written.warnings.splice(0..0, warnings);
        Ok(written)
    }

    /// `config` is of the call's kind, as [`checked`] leaves it.
    pub(crate) async fn apply_checked(&self, call: &Call<'_>, config: &Value) -> Result<Written, ApiError> {
        let call = &Call { applied: true, ..*call };
        for _ in 0..TRIES_MAX {
            match self.try_apply(call, config).await {
                // Created by somebody else between our look and our write: there is something to merge into now.
                Err(ApiError::AlreadyExists { .. }) => {}
                result => return result,
            }
        }
        Err(ApiError::already_exists(call.row(), call.name))
    }

    async fn try_apply(&self, call: &Call<'_>, config: &Value) -> Result<Written, ApiError> {
        let now = self.now();
        // Whether there was an object: one that vanishes in between is not created by a second try.
        let seen = Mutex::new(false);
        let make = |live: &Value| {
            *seen.lock() = true;
            applied(call, live, config, now)
        };
        match self.change(call, Verb::Patch, &make).await {
            Err(ApiError::NotFound { .. }) if call.subresource.is_empty() && !*seen.lock() => {
                let uid = metadata::text(config, "uid");
                if !uid.is_empty() {
                    let why = format!(
                        "uid mismatch: the provided object specified uid {uid}, and no existing object was found"
                    );
                    return Err(ApiError::conflict(call.row(), call.name, why));
                }
                self.check_may_create(call)?;
                let mut object = applied(call, &json!({}), config, now)?;
                super::update::check_name(call, &object)?;
                metadata::unset(&mut object, "resourceVersion");
                self.create(call, object).await
            }
            result => result,
        }
    }
}

impl Call<'_> {
    /// Ownership is what an apply is about, so its owner has to be told.
    pub(crate) fn require_manager(&self) -> Result<(), ApiError> {
        if !self.options.field_manager.is_empty() {
            return Ok(());
        }
        let errors = vec![FieldError::required("fieldManager", "is required for apply patch")];
        let kind = Qualified::new("meta.k8s.io", "PatchOptions");
        Err(ApiError::Invalid { kind, name: String::new(), errors })
    }
}

/// Who applies, and what: every value of the type that the schema says, no field that it does not know.
fn checked(call: &Call<'_>, config: &Value) -> Result<Value, ApiError> {
    call.require_manager()?;
    let row = call.row();
    let text = |field| config.get(field).and_then(Value::as_str).unwrap_or("");
    let (group, version) = text("apiVersion").split_once('/').unwrap_or(("", text("apiVersion")));
    let kind = text("kind");
    if kind != row.kind || text("apiVersion") != row.api_version() {
        return Err(ApiError::bad_request(format!("invalid object type: {group}/{version}, Kind={kind}")));
    }
    if metadata::get(config, "managedFields").is_some_and(|list| !list.is_null()) {
        return Err(ApiError::bad_request("metadata.managedFields must be nil"));
    }
    let decoded = call.kind.decode_tree(config.clone(), Strictness::Report);
    let decoded = decoded.map_err(|error| untyped(call, &error.to_string()))?;
    match decoded.unknown.as_slice() {
        [] => Ok(decoded.object),
        [only] => Err(untyped(call, &format!(".{only}: field not declared in schema"))),
        many => {
            let lines: Vec<String> =
                many.iter().map(|path| format!("\n  .{path}: field not declared in schema")).collect();
            Err(untyped(call, &format!("errors:{}", lines.concat())))
        }
    }
}

/// A configuration that does not fit its schema. k8s: an error of no class, hence a 500 without a reason.
fn untyped(call: &Call<'_>, why: &str) -> ApiError {
    let row = call.row();
    let (group, version, kind) = (&row.group, &row.version, &row.kind);
    let object = format!("{}/{}; {group}/{version}, Kind={kind}", call.ns, call.name);
    let message = format!("failed to create typed patch object ({object}): {why}");
    ApiError::Passed { code: 500, reason: String::new(), message }
}

/// The object after the apply, with its new managed fields.
fn applied(call: &Call<'_>, live: &Value, config: &Value, now: Timestamp) -> Result<Value, ApiError> {
    let context = call.kind.context();
    let mut entries = metadata::get(live, "managedFields").and_then(managed::read).unwrap_or_default();
    let mut bare = live.clone();
    metadata::unset(&mut bare, "managedFields");
    if entries.is_empty() && !metadata::text(live, "uid").is_empty() {
        entries = managed::before_first_apply(&bare, call, now);
    }
    let mut merged =
        managed::merge::merge(&bare, config, context).map_err(|error| untyped(call, &error.to_string()))?;
    let mut stated = fields::stated(config, context);
    managed::restrict(call, &mut stated);
    let mut mine = Entry::of(call, Operation::Apply, stated, now);
    let last = entries.iter().position(|entry| entry.is_same_owner(&mine)).map(|at| entries.remove(at));
    if let Some(last) = &last {
        let mut held = mine.set.clone();
        entries
            .iter()
            .filter(|entry| entry.operation == Operation::Apply)
            .for_each(|entry| held.add(entry.set.clone()));
        merged = pruned(&merged, &last.set, &held, context);
    }
    let (touched, removed) = managed::changes(call, &bare, &merged).into_touched_and_removed();
    conflict::resolve(call, &mut entries, &touched, live)?;
    for entry in &mut entries {
        entry.set.subtract(&removed);
    }
    managed::strip(&mut mine.set);
    entries.push(mine);
    last_applied::refresh(call, &mut merged, config);
    managed::write(&mut merged, entries);
    Ok(merged)
}

/// Takes out what `last` stated and no applier states any more (`held`). Structs, lists and maps that others still have
/// something in stay, and so does what nobody stated.
fn pruned(merged: &Value, last: &Set, held: &Set, context: Context<'_>) -> Value {
    let last = fields::with_structs(last, context);
    let all = fields::with_structs(&fields::stated(merged, context), context);
    let without = |gone: &Set| {
        let mut value = merged.clone();
        fields::remove(&mut value, gone, context);
        value
    };
    let paths = |value: &Value| fields::with_structs(&fields::stated(value, context), context);
    // Everything that this applier stated, but for what appliers hold ..
    let mut stay = paths(&without(&last));
    stay.add(fields::with_structs(held, context));
    let mut gone = all.clone();
    gone.subtract(&stay);
    // .. and of that only what was stated: an item that is not ours keeps what is in it.
    let mut gone = {
        let left = paths(&without(&gone));
        let mut gone = all;
        gone.subtract(&left);
        gone
    };
    gone = gone.common(&last);
    without(&gone)
}
