//! Server-side apply: the client states the fields it wants; the server merges them in, takes out those that this applier
//! stated before and does not any more, and refuses to change fields of others unless forced.
//! k8s: structured-merge-diff's `Apply`, and what apimachinery's field manager wraps around it.

mod conflict;
mod last_applied;
mod prune;
#[cfg(test)]
mod tests;

use super::managed::{self, Change, Entry, Operation, Touched, Versions, fields};
use super::{Call, Registry, Written, decode, metadata};
use crate::error::{ApiError, Qualified};
use crate::request::Verb;
use jiff::Timestamp;
use kinds::errors::FieldError;
use kinds::schema::decode::Strictness;
use parking_lot::Mutex;
use serde_json::{Value, json};

/// Creations that lose against others before an apply gives up: each loss means that there is an object now.
const TRIES_MAX: usize = 3;

impl Registry {
    /// Applies `config`, whose `duplicates` its parser has found. Creates the object where there is none.
    pub async fn apply(&self, call: &Call<'_>, config: &Value, duplicates: &[String]) -> Result<Written, ApiError> {
        call.require_manager()?;
        let warnings = decode::yaml_complaints(call, duplicates)?;
        let config = checked(call, config)?;
        let mut written = self.apply_checked(call, &config).await?;
        written.warnings.splice(0..0, warnings);
        Ok(written)
    }

    /// `config` is of the call's kind, as [`checked`] leaves it.
    pub(crate) async fn apply_checked(&self, call: &Call<'_>, config: &Value) -> Result<Written, ApiError> {
        let call = &Call { applied: true, ..*call };
        let versions = Versions::default();
        let mut tries = TRIES_MAX;
        while tries > 0 {
            match self.try_apply(call, config, &versions).await {
                // Created by somebody else between our look and our write: there is something to merge into now.
                Err(ApiError::AlreadyExists { .. }) => tries -= 1,
                Err(error) => {
                    // Boxed: rare, and a webhook's call would make every apply's state larger.
                    if !Box::pin(self.complete(&versions)).await? {
                        return Err(error);
                    }
                }
                written => return written,
            }
        }
        Err(ApiError::already_exists(call.row(), call.name))
    }

    async fn try_apply(&self, call: &Call<'_>, config: &Value, versions: &Versions) -> Result<Written, ApiError> {
        let now = self.now();
        // Whether there was an object: one that vanishes in between is not created by a second try.
        let seen = Mutex::new(false);
        let make = |live: &Value| {
            *seen.lock() = true;
            applied(call, live, config, now, versions)
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
                self.check_may_create(call).await?;
                let mut object = applied(call, &json!({}), config, now, versions)?;
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
    let decoded = call.kind.decode_tree(config.clone(), Strictness::Stated);
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
fn applied(
    call: &Call<'_>,
    live: &Value,
    config: &Value,
    now: Timestamp,
    versions: &Versions,
) -> Result<Value, ApiError> {
    let context = call.kind.context();
    let mut entries = metadata::get(live, "managedFields").and_then(managed::read).unwrap_or_default();
    let mut bare = live.clone();
    metadata::unset(&mut bare, "managedFields");
    if entries.is_empty() && !metadata::text(live, "uid").is_empty() {
        entries = managed::before_first_apply(&bare, call, now);
    }
    let mut merged =
        managed::merge::merge(&bare, config, context).map_err(|error| untyped(call, &error.to_string()))?;
    let mut owned = fields::stated(config, context);
    managed::restrict(call, &mut owned);
    let mut mine = Entry::of(call, Operation::Apply, owned, now);
    let last = entries.iter().position(|entry| entry.is_same_owner(&mine)).map(|at| entries.remove(at));
    if let Some(last) = &last {
        let appliers = entries.iter().filter(|entry| entry.operation == Operation::Apply).chain([&mine]);
        merged = prune::pruned(call, &merged, last, appliers, versions)?;
    }
    let stated = merged;
    let decoded = call.kind.decode_tree(stated.clone(), Strictness::Ignore);
    let mut merged = decoded.map_err(|error| untyped(call, &error.to_string()))?.object;
    let mut comparison = managed::changes(call, &bare, &stated);
    if merged != stated {
        // What is stated and says nothing is owned, and changes what was there, but is not in the object itself.
        let (unsaid, _) = managed::changes(call, &merged, &stated).into_touched_and_removed();
        comparison.added.subtract(&unsaid);
    }
    let (set, removed) = comparison.into_touched_and_removed();
    let mut change = Change::new(call, versions, [&bare, &stated], Touched { set, removed });
    let entries = conflict::resolve(call, entries, &mut change, live)?;
    managed::strip(&mut mine.set);
    let entries = entries.into_iter().chain([mine]).collect();
    last_applied::refresh(call, &mut merged, config);
    managed::write(&mut merged, entries);
    Ok(merged)
}
