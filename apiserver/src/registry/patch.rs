//! PATCH: JSON patch, merge patch, strategic merge patch; server-side apply is in `apply`.

use super::{Call, Registry, Written, decode};
use crate::error::{ApiError, Qualified};
use crate::negotiate::BodyFormat;
use crate::request::Verb;
use json_patch::PatchOperation;
use kinds::errors::FieldError;
use kinds::schema::{Schema, merge};
use parking_lot::Mutex;
use serde_json::Value;

/// k8s: maxJSONPatchOperations
const JSON_PATCH_OPS_MAX: usize = 10_000;

const JSON: &str = "application/json-patch+json";
const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

/// A change to apply to whatever is stored.
#[derive(Clone, Debug)]
pub struct Patch {
    change: Change,
    /// Fields that the patch gives twice.
    duplicates: Vec<String>,
}

#[derive(Clone, Debug)]
enum Change {
    Json(json_patch::Patch),
    Merge(Value),
    Strategic(Value),
    Apply(Value),
}

impl Patch {
    pub fn parse(media: &str, body: &[u8]) -> Result<Self, ApiError> {
        let object = |format| decode::tree_and_duplicates(body, format);
        let (change, duplicates) = match media {
            JSON => (Change::Json(operations(body)?), Vec::new()),
            MERGE => object(BodyFormat::Json).map(|(tree, duplicates)| (Change::Merge(tree), duplicates))?,
            STRATEGIC => object(BodyFormat::Json).map(|(tree, duplicates)| (Change::Strategic(tree), duplicates))?,
            APPLY => object(BodyFormat::Yaml).map(|(tree, duplicates)| (Change::Apply(tree), duplicates))?,
            _ => return Err(ApiError::unsupported_media_type(&[JSON, MERGE, STRATEGIC, APPLY])),
        };
        Ok(Self { change, duplicates })
    }

    /// The tree after the patch. `schema` is the type of `current`; where there is none (a custom resource) a strategic
    /// merge is refused.
    pub fn apply(&self, schema: Option<Schema>, current: &Value) -> Result<Value, ApiError> {
        let mut new = current.clone();
        match &self.change {
            Change::Json(patch) => operate(&mut new, &patch.0)?,
            Change::Merge(patch) => merge::json_merge(&mut new, patch),
            Change::Strategic(patch) => {
                let schema = schema.ok_or_else(|| ApiError::unsupported_media_type(&[JSON, MERGE, APPLY]))?;
                new = merge::strategic(current, patch, Some(schema))
                    .map_err(|error| ApiError::bad_request(error.to_string()))?;
            }
            Change::Apply(_) => {
                return Err(ApiError::unsupported_media_type(&[JSON, MERGE, STRATEGIC]));
            }
        }
        match new {
            Value::Object(_) => Ok(new),
            _ => Err(ApiError::bad_request("the patch leaves no object")),
        }
    }
}

/// Bytes that the copies of one JSON patch may add up to: each copy can double the object, and ten thousand are allowed.
/// k8s: AccumulatedCopySizeLimit (CVE-2019-1002100)
const COPIED_MAX: usize = decode::BODY_MAX;

fn operate(object: &mut Value, operations: &[PatchOperation]) -> Result<(), ApiError> {
    let mut copied = 0;
    for operation in operations {
        if let PatchOperation::Copy(copy) = operation {
            copied += object.pointer(copy.from.as_str()).map_or(0, weight);
            if copied > COPIED_MAX {
                return Err(ApiError::too_large(COPIED_MAX));
            }
        }
        json_patch::patch_unsafe(object, std::slice::from_ref(operation)).map_err(|error| ApiError::Unprocessable {
            message: format!("the server rejected our request due to an error in our request: {error}"),
        })?;
    }
    Ok(())
}

/// Bytes that a value takes as JSON, nearly.
fn weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(weight).sum::<usize>() + items.len() + 2,
        Value::Object(map) => map.iter().map(|(key, value)| key.len() + 4 + weight(value)).sum::<usize>() + 2,
    }
}

fn operations(body: &[u8]) -> Result<json_patch::Patch, ApiError> {
    let patch: json_patch::Patch = serde_json::from_slice(body)
        .map_err(|error| ApiError::bad_request(format!("error decoding patch: {error}")))?;
    match patch.0.len() {
        n if n > JSON_PATCH_OPS_MAX => Err(ApiError::bad_request(format!(
            "the allowed maximum operations in a JSON patch is {JSON_PATCH_OPS_MAX}, got {n}"
        ))),
        _ => Ok(patch),
    }
}

impl Registry {
    /// Patches the newest version; a patch that names a resourceVersion is bound to it.
    pub async fn patch(&self, call: &Call<'_>, patch: &Patch) -> Result<Written, ApiError> {
        if let Change::Apply(config) = &patch.change {
            return self.apply(call, config, &patch.duplicates).await;
        }
        if call.options.force {
            let errors = vec![FieldError::forbidden("force", "may not be specified for non-apply patch")];
            let kind = Qualified::new("meta.k8s.io", "PatchOptions");
            return Err(ApiError::Invalid { kind, name: String::new(), errors });
        }
        let schema = call.kind.schema();
        let warned = Mutex::new(Vec::new());
        let make = |current: &Value| {
            let (new, warnings) = decode::patched(call, patch.apply(schema, current)?, &patch.duplicates)?;
            *warned.lock() = warnings;
            Ok(new)
        };
        let mut written = self.change(call, Verb::Patch, &make).await?;
        written.warnings.splice(0..0, warned.into_inner());
        Ok(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn copies_that_double_an_object_are_stopped() {
        let copy = json!([{"op": "copy", "from": "/data", "path": "/data/x"}]);
        let mut all = Vec::new();
        for _ in 0..200 {
            all.extend(copy.as_array().cloned().unwrap_or_default());
        }
        let patch = Patch::parse(JSON, serde_json::to_vec(&all).unwrap().as_slice()).unwrap();
        let refused = patch.apply(None, &json!({"data": {"a": "x".repeat(1000)}}));
        assert_eq!(refused, Err(ApiError::TooLarge { limit: COPIED_MAX }));
    }

    #[test]
    fn too_many_operations_are_refused_before_any_runs() {
        let many: Vec<Value> = (0..=JSON_PATCH_OPS_MAX).map(|_| json!({"op": "remove", "path": "/a"})).collect();
        assert!(Patch::parse(JSON, &serde_json::to_vec(&many).unwrap()).is_err());
    }
}
