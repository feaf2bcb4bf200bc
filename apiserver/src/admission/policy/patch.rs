//! What a mutation makes of an object: its configuration merged in as server-side apply would, or its JSON patch applied.
//! k8s: `plugin/policy/mutating/patch`

use super::super::Call;
use crate::registry::managed::merge;
use crate::registry::operations;
use kinds::admission::Patch;
use kinds::kind::Kind;
use kinds::schema::decode::Strictness;
use kinds::schema::{Context, Parts};
use serde_json::Value;

/// The object after the patch, in the version in which the policy sees it; `None`: it does not apply.
pub(super) fn apply(call: &Call<'_>, kind: &dyn Kind, object: &Value, patch: Patch) -> Result<Option<Value>, String> {
    match patch {
        Patch::Apply(config) => {
            let merged = merged(call, kind, object, config);
            merged.map(Some).map_err(|why| format!("error applying patch: {why}"))
        }
        Patch::Json(operations) => operated(object, operations),
    }
}

fn merged(call: &Call<'_>, kind: &dyn Kind, object: &Value, mut config: Value) -> Result<Value, String> {
    for field in ["apiVersion", "kind"] {
        config[field] = object[field].clone();
    }
    let (context, decoded) = match call.body_schema() {
        Some(schema) => (Context::of(Some(schema)), schema.decode_tree(config, Strictness::Stated)),
        None => (kind.context(), kind.decode_tree(config, Strictness::Stated)),
    };
    let untyped = |why: String| format!("failed to convert patch object to typed object: {why}");
    let decoded = decoded.map_err(|error| untyped(error.to_string()))?;
    if let Some(field) = decoded.unknown.first() {
        return Err(untyped(format!(".{field}: field not declared in schema")));
    }
    let mut atomic = Vec::new();
    find_atomic(&decoded.object, context, "", &mut atomic);
    if !atomic.is_empty() {
        let places = atomic.join(", ");
        return Err(format!("invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: {places}"));
    }
    merge::merge(object, &decoded.object, context).map_err(|error| format!("failed to merge patch: {error}"))
}

/// Lists, maps and structs that are replaced as a whole: what a policy does not name of them would be lost.
fn find_atomic(value: &Value, context: Context<'_>, path: &str, found: &mut Vec<String>) {
    let is_whole = context.parts(value) == Parts::Leaf;
    match value {
        Value::Object(fields) => {
            if is_whole {
                found.push(path.to_owned());
            }
            for (name, value) in fields {
                find_atomic(value, context.field(name), &format!("{path}.{name}"), found);
            }
        }
        Value::Array(items) => {
            if is_whole {
                found.push(path.to_owned());
            }
            for (at, item) in items.iter().enumerate() {
                find_atomic(item, context.item(), &format!("{path}[{at}]"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A `test` that fails means that the patch is not for this object.
fn operated(object: &Value, operations: Value) -> Result<Option<Value>, String> {
    let failed = |why: &dyn std::fmt::Display| format!("JSONPath: {why}");
    let patch: json_patch::Patch = serde_json::from_value(operations).map_err(|error| failed(&error))?;
    let mut patched = object.clone();
    match operations::run(&mut patched, &patch.0) {
        Ok(()) => Ok(Some(patched)),
        Err(error) if error.is_failed_test() => Ok(None),
        Err(error) => Err(failed(&error)),
    }
}
