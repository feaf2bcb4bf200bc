//! PATCH: JSON patch, merge patch, strategic merge patch.

use super::{Call, Registry, Written, decode};
use crate::error::ApiError;
use crate::negotiate::Format;
use crate::request::Verb;
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
pub enum Patch {
    Json(json_patch::Patch),
    Merge(Value),
    Strategic(Value),
}

impl Patch {
    pub fn parse(media: &str, body: &[u8]) -> Result<Self, ApiError> {
        let bad = |why: &dyn std::fmt::Display| ApiError::bad_request(format!("the patch is not valid: {why}"));
        match media {
            JSON => {
                let patch: json_patch::Patch = serde_json::from_slice(body).map_err(|error| bad(&error))?;
                match patch.0.len() {
                    n if n > JSON_PATCH_OPS_MAX => Err(ApiError::too_large(JSON_PATCH_OPS_MAX)),
                    _ => Ok(Self::Json(patch)),
                }
            }
            MERGE => decode::tree(body, Format::Json).map(Self::Merge),
            STRATEGIC => decode::tree(body, Format::Json).map(Self::Strategic),
            APPLY => Err(ApiError::unsupported_media_type(&[JSON, MERGE, STRATEGIC])),
            _ => Err(ApiError::unsupported_media_type(&[JSON, MERGE, STRATEGIC])),
        }
    }

    /// The tree after the patch. `schema` names the type of `current`, for strategic merges.
    pub fn apply(&self, schema: &str, current: &Value) -> Result<Value, ApiError> {
        match self {
            Self::Json(patch) => {
                let mut new = current.clone();
                json_patch::patch(&mut new, &patch.0).map_err(|error| ApiError::Unprocessable {
                    message: format!("the server rejected our request due to an error in our request: {error}"),
                })?;
                match new {
                    Value::Object(_) => Ok(new),
                    _ => Err(ApiError::bad_request("the patch leaves no object")),
                }
            }
            Self::Merge(patch) => {
                let mut new = current.clone();
                json_patch::merge(&mut new, patch);
                Ok(new)
            }
            Self::Strategic(patch) => strategic(schema, current, patch),
        }
    }
}

fn strategic(_schema: &str, current: &Value, patch: &Value) -> Result<Value, ApiError> {
    let mut new = current.clone();
    json_patch::merge(&mut new, patch);
    Ok(new)
}

impl Registry {
    /// Patches the newest version; a patch that names a resourceVersion is bound to it.
    pub async fn patch(&self, call: &Call<'_>, patch: &Patch) -> Result<Written, ApiError> {
        let schema = call.row().schema.clone();
        let warned = Mutex::new(Vec::new());
        let make = |current: &Value| {
            let (new, warnings) = decode::patched(call, patch.apply(&schema, current)?)?;
            *warned.lock() = warnings;
            Ok(new)
        };
        let mut written = self.change(call, Verb::Patch, &make).await?;
        written.warnings.splice(0..0, warned.into_inner());
        Ok(written)
    }
}
