//! PATCH: JSON patch, merge patch, strategic merge patch; server-side apply is in `apply`.

use super::operations::Operation;
use super::{Call, Registry, Written, decode, operations};
use crate::error::{ApiError, Qualified};
use crate::negotiate::BodyFormat;
use crate::request::Verb;
use kinds::errors::FieldError;
use kinds::schema::decode::DecodeError;
use kinds::schema::{Schema, merge};
use parking_lot::Mutex;
use serde_json::{Map, Value};

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
    /// What is said of fields that the patch gives twice.
    duplicates: Vec<String>,
}

#[derive(Clone, Debug)]
enum Change {
    Json(Vec<Operation>),
    Merge(Value),
    Strategic(Value),
    Apply(Value),
}

impl Patch {
    pub fn parse(media: &str, body: &[u8]) -> Result<Self, ApiError> {
        let object = |format| decode::tree_and_duplicates(body, format);
        let (change, duplicates) = match media {
            JSON => (Change::Json(parse_operations(body)?), json_patch_duplicates(body)),
            MERGE => object(BodyFormat::Json).map(|(tree, duplicates)| (Change::Merge(tree), duplicates))?,
            STRATEGIC => object(BodyFormat::Json).map(|(tree, duplicates)| (Change::Strategic(tree), duplicates))?,
            APPLY => object(BodyFormat::Yaml).map(|(tree, duplicates)| (Change::Apply(tree), duplicates))?,
            _ => return Err(ApiError::unsupported_media_type(&[JSON, MERGE, STRATEGIC, APPLY])),
        };
        Ok(Self { change, duplicates })
    }

    /// The configuration, where the patch is one to apply.
    pub fn applied(&self) -> Option<&Value> {
        match &self.change {
            Change::Apply(config) => Some(config),
            Change::Json(_) | Change::Merge(_) | Change::Strategic(_) => None,
        }
    }

    /// The tree after the patch. `schema` is the type of `current`; where there is none (a custom resource) a strategic
    /// merge is refused.
    pub fn apply(&self, schema: Option<Schema>, current: &Value) -> Result<Value, ApiError> {
        let new = match &self.change {
            Change::Json(patch) => {
                let mut new = current.clone();
                operations::run_all(&mut new, patch)
                    .map_err(|error| ApiError::Unprocessable { why: error.to_string() })?;
                new
            }
            Change::Merge(patch) => {
                let mut new = current.clone();
                merge::json_merge(&mut new, patch);
                new
            }
            Change::Strategic(patch) => {
                let schema = schema.ok_or_else(|| ApiError::unsupported_media_type(&[JSON, MERGE, APPLY]))?;
                merge::strategic(current, patch, Some(schema))
                    .map_err(|error| ApiError::bad_request(error.to_string()))?
            }
            Change::Apply(_) => {
                return Err(ApiError::unsupported_media_type(&[JSON, MERGE, STRATEGIC]));
            }
        };
        match new {
            Value::Object(_) => Ok(new),
            _ => Err(ApiError::bad_request("the patch leaves no object")),
        }
    }

    /// What messages say of a result that is of no such type.
    fn why(&self, error: &DecodeError) -> String {
        match &self.change {
            Change::Strategic(_) => error.of_restoring(),
            Change::Json(_) | Change::Merge(_) | Change::Apply(_) => error.to_string(),
        }
    }

    /// What messages quote of the patch: what it makes of the object, or a strategic merge patch itself.
    fn shown(&self, schema: Option<Schema>, current: &Value) -> String {
        match &self.change {
            Change::Strategic(patch) => go_value(patch),
            Change::Json(_) | Change::Merge(_) | Change::Apply(_) => {
                self.apply(schema, current).map(|new| new.to_string()).unwrap_or_default()
            }
        }
    }
}

/// As Go's `%+v` prints a tree: `map[spec:map[replicas:two]]`.
fn go_value(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(go_value).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Object(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(name, value)| format!("{name}:{}", go_value(value))).collect();
            format!("map[{}]", fields.join(" "))
        }
    }
}

fn json_patch_duplicates(body: &[u8]) -> Vec<String> {
    let paths = kinds::schema::decode::untyped(body).map(|(_, paths)| paths).unwrap_or_default();
    paths.iter().map(|path| format!("json patch duplicate field \"{path}\"")).collect()
}

/// What is no list of objects is no patch; what is wrong with one of the objects is found when it is their turn.
fn parse_operations(body: &[u8]) -> Result<Vec<Operation>, ApiError> {
    let patch: Vec<Map<String, Value>> = serde_json::from_slice(body)
        .map_err(|error| ApiError::bad_request(format!("error decoding patch: {error}")))?;
    match patch.len() {
        n if n > JSON_PATCH_OPS_MAX => {
            let why = format!("The allowed maximum operations in a JSON patch is {JSON_PATCH_OPS_MAX}, got {n}");
            Err(ApiError::TooLarge { why })
        }
        _ => Ok(patch.into_iter().map(Operation::of).collect()),
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
            let shown = || patch.shown(schema, current);
            let patched = patch.apply(schema, current)?;
            let (new, warnings) = decode::patched(call, patched, &patch.duplicates, &shown, &|error| patch.why(error))?;
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
        assert!(matches!(refused, Err(ApiError::Unprocessable { .. })), "{refused:?}");
    }

    #[test]
    fn a_test_for_null_holds_where_there_is_nothing() {
        let patch = |path: &str| {
            let operations = json!([{"op": "test", "path": path, "value": null}]);
            Patch::parse(JSON, operations.to_string().as_bytes()).unwrap().apply(None, &json!({"metadata": {"a": 1}}))
        };
        assert!(patch("/metadata/finalizers").is_ok());
        assert!(patch("/metadata/a").is_err(), "there is something");
        assert!(patch("/none/finalizers").is_err(), "there is no parent");
    }

    #[test]
    fn an_operation_that_nobody_knows_is_refused_when_it_is_its_turn() {
        let said =
            |operations: Value| Patch::parse(JSON, operations.to_string().as_bytes())?.apply(None, &json!({"a": 1}));
        let why = |operations| match said(operations) {
            Err(ApiError::Unprocessable { why }) => why,
            other => panic!("{other:?}"),
        };
        assert!(why(json!([{"op": "shuffle", "path": "/a"}])).contains("Unexpected kind: shuffle"));
        assert!(why(json!([{"path": "/a"}])).contains("Unexpected kind: unknown"));
        let earlier = why(json!([{"op": "remove", "path": "/b"}, {"op": "shuffle", "path": "/a"}]));
        assert!(!earlier.contains("Unexpected kind"), "{earlier}");
        assert!(why(json!([{"op": "add", "path": "/a"}])).contains("value"));
        assert!(matches!(said(json!({"op": "add"})), Err(ApiError::BadRequest { .. })));
        assert!(matches!(said(json!([1])), Err(ApiError::BadRequest { .. })));
    }

    #[test]
    fn too_many_operations_are_refused_before_any_runs() {
        let many: Vec<Value> = (0..=JSON_PATCH_OPS_MAX).map(|_| json!({"op": "remove", "path": "/a"})).collect();
        assert!(Patch::parse(JSON, &serde_json::to_vec(&many).unwrap()).is_err());
    }
}
