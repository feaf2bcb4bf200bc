//! Server-side apply: the client states the fields it wants; the server merges them in, takes out those that this applier
//! stated before and does not any more, and refuses to touch fields of others unless forced.
//! k8s: structured-merge-diff's `Apply`.

use super::managed::fields::{self, Set};
use super::managed::{self, Operation};
use super::{Call, Registry, Written, decode, metadata};
use crate::error::{ApiError, Qualified, StatusCause};
use crate::request::Verb;
use kinds::errors::FieldError;
use kinds::schema::Context;
use parking_lot::Mutex;
use serde_json::Value;
use std::sync::LazyLock;

impl Registry {
    /// Applies `config`. Creates the object where there is none.
    pub async fn apply(&self, call: &Call<'_>, config: &Value, duplicates: &[String]) -> Result<Written, ApiError> {
        check(call, config)?;
        let (mut config, warnings) = decode::patched(call, config.clone(), duplicates)?;
        metadata::set(&mut config, "name", call.name);
        let call = &Call { applied: true, ..*call };
        let now = self.now();
        let conflict = Mutex::new(None);
        let make =
            |live: &Value| merge(call, live, &config, now).inspect_err(|error| *conflict.lock() = Some(error.clone()));
        let mut written = match self.change(call, Verb::Patch, &make).await {
            Err(ApiError::NotFound { .. }) if call.subresource.is_empty() && conflict.lock().is_none() => {
                if !metadata::text(&config, "uid").is_empty() {
                    return Err(ApiError::conflict(call.row(), call.name, "uid mismatch: the object does not exist"));
                }
                self.check_may_create(call)?;
                let set = managed::owned_fields(&config, call);
                let entry = managed::entry(call, Operation::Apply, &set, now);
                managed::write(&mut config, vec![entry]);
                self.create(call, config).await?
            }
            result => result?,
        };
        written.warnings.splice(0..0, warnings);
        Ok(written)
    }
}

fn check(call: &Call<'_>, config: &Value) -> Result<(), ApiError> {
    if call.options.field_manager.is_empty() {
        let errors = vec![FieldError::required("fieldManager", "is required for apply patch")];
        let kind = Qualified::new("meta.k8s.io", "PatchOptions");
        return Err(ApiError::Invalid { kind, name: String::new(), errors });
    }
    for field in ["apiVersion", "kind"] {
        if config.get(field).and_then(Value::as_str).unwrap_or("").is_empty() {
            return Err(ApiError::bad_request(format!("{field} must be set in an apply patch")));
        }
    }
    if metadata::get(config, "managedFields").and_then(Value::as_array).is_some_and(|list| !list.is_empty()) {
        return Err(ApiError::bad_request("metadata.managedFields must be nil"));
    }
    Ok(())
}

/// The object after the apply, with its new managed fields.
fn merge(call: &Call<'_>, live: &Value, config: &Value, now: jiff::Timestamp) -> Result<Value, ApiError> {
    let context = call.kind.context();
    let wanted = managed::owned_fields(config, call);
    let mine = managed::entry(call, Operation::Apply, &wanted, now);
    let (before, mut others): (Vec<Value>, Vec<Value>) =
        managed::entries_of(live).into_iter().partition(|entry| managed::same_manager(entry, &mine));

    let mut merged = live.clone();
    put(&mut merged, config, context);
    let changed = fields::changed(&merged, live, &wanted);
    resolve_conflicts(call, &mut others, &changed)?;

    let mut stated = Set::new();
    for entry in &before {
        fields::union(&mut stated, set_of(entry));
    }
    let mut held = wanted.clone();
    for entry in &others {
        fields::union(&mut held, set_of(entry));
    }
    take_out(&mut merged, &stated, &held);

    // An apply that states nothing new keeps its time, so that it is no change.
    let unchanged = before.iter().find(|entry| set_of(entry) == &wanted);
    others.push(unchanged.cloned().unwrap_or(mine));
    managed::write(&mut merged, others);
    Ok(merged)
}

fn set_of(entry: &Value) -> &Set {
    static NONE: LazyLock<Set> = LazyLock::new(Set::new);
    entry["fieldsV1"].as_object().unwrap_or(&NONE)
}

/// Fields that change and belong to others: refused, or with `force` taken.
fn resolve_conflicts(call: &Call<'_>, others: &mut [Value], changed: &Set) -> Result<(), ApiError> {
    let mut causes = Vec::new();
    for entry in others.iter_mut() {
        let both = fields::common(set_of(entry), changed);
        if both.is_empty() {
            continue;
        }
        if call.options.force {
            if let Some(set) = entry["fieldsV1"].as_object_mut() {
                fields::subtract(set, &both);
            }
            continue;
        }
        let subresource = match entry.get("subresource").and_then(Value::as_str) {
            Some(subresource) => format!(" with subresource {subresource:?}"),
            None => String::new(),
        };
        let message = format!(
            "conflict with {:?}{subresource} using {}",
            entry["manager"].as_str().unwrap_or(""),
            entry["apiVersion"].as_str().unwrap_or("")
        );
        causes.extend(fields::leaves(&both).into_iter().map(|field| StatusCause {
            reason: "FieldManagerConflict".into(),
            message: message.clone(),
            field,
        }));
    }
    if causes.is_empty() {
        return Ok(());
    }
    Err(ApiError::ApplyConflict { message: told(&causes), causes })
}

/// k8s: fieldmanager.NewConflictError
fn told(causes: &[StatusCause]) -> String {
    if let [cause] = causes {
        return format!("{}: {}", cause.message, cause.field);
    }
    let mut text = String::new();
    let mut last = "";
    for cause in causes {
        if cause.message != last {
            if !last.is_empty() {
                text.push('\n');
            }
            text.push_str(&cause.message.replacen("conflict with", "conflicts with", 1));
            text.push(':');
            last = &cause.message;
        }
        text.push_str("\n- ");
        text.push_str(&cause.field);
    }
    text
}

/// Merges `config` into `live` as the schema says.
fn put(live: &mut Value, config: &Value, context: Context<'_>) {
    match (&mut *live, config) {
        (Value::Object(map), Value::Object(wanted)) if !context.is_leaf(config) => {
            for (key, value) in wanted {
                match map.get_mut(key) {
                    Some(present) => put(present, value, context.field(key)),
                    None => {
                        map.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        (Value::Array(items), Value::Array(wanted)) if !context.is_leaf(config) => {
            for (element, value) in fields::elements(context, wanted) {
                match fields::position(items, &element) {
                    Some(at) => put(&mut items[at], value, context.item()),
                    None => items.push(value.clone()),
                }
            }
        }
        _ => live.clone_from(config),
    }
}

/// Takes the paths of `stated` that nobody holds any more out of `value`.
fn take_out(value: &mut Value, stated: &Set, held: &Set) {
    for (element, below) in stated.iter().filter(|(element, _)| *element != ".") {
        let below = below.as_object().filter(|below| !below.is_empty());
        let still = held.get(element).map(|set| set.as_object().cloned().unwrap_or_default());
        let is_item = below.is_some_and(|below| below.contains_key("."));
        match (still, below) {
            (None, None) => remove(value, element),
            (None, Some(_)) if is_item => remove(value, element),
            (still, Some(below)) => {
                if let Some(inner) = fields::resolve_mut(value, element) {
                    take_out(inner, below, &still.unwrap_or_default());
                }
            }
            (Some(_), None) => {}
        }
    }
}

fn remove(value: &mut Value, element: &str) {
    match (value, element.strip_prefix("f:")) {
        (Value::Object(map), Some(name)) => {
            map.remove(name);
        }
        (Value::Array(items), None) => {
            if let Some(at) = fields::position(items, element) {
                items.remove(at);
            }
        }
        _ => {}
    }
}
