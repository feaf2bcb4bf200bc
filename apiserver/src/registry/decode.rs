//! Bytes of a body -> a tree that passed the schema. Everything behind this file trusts the tree's shape.

use super::Call;
use crate::error::ApiError;
use crate::negotiate::BodyFormat;
use crate::protobuf;
use crate::request::FieldValidation;
use kinds::schema::decode::{DecodeError, Decoded, Strictness, untyped};
use serde_json::Value;

/// Bytes of a request body.
/// k8s: MaxRequestBodyBytes
pub const BODY_MAX: usize = 3 << 20;

/// An object of any type.
pub fn tree(bytes: &[u8], format: BodyFormat) -> Result<Value, ApiError> {
    tree_and_duplicates(bytes, format).map(|(tree, _)| tree)
}

/// An object of any type, and the fields that were given twice. Nesting is bounded by the parsers; YAML aliases by the
/// parser's repetition limit.
pub fn tree_and_duplicates(bytes: &[u8], format: BodyFormat) -> Result<(Value, Vec<String>), ApiError> {
    let bad =
        |why: &dyn std::fmt::Display| ApiError::bad_request(format!("the object provided is unrecognized: {why}"));
    let (tree, duplicates) = match format {
        BodyFormat::Json => untyped(bytes).map_err(|error| bad(&error))?,
        BodyFormat::Yaml => (serde_norway::from_slice(bytes).map_err(|error| bad(&error))?, Vec::new()),
        BodyFormat::Protobuf => (protobuf::decode(bytes).map_err(|error| bad(&error))?, Vec::new()),
    };
    match tree {
        Value::Object(_) => Ok((tree, duplicates)),
        _ => Err(bad(&"it is not an object")),
    }
}

/// An object of the call's kind. Returns warnings for fields that are unknown or given twice.
pub fn object(call: &Call<'_>, bytes: &[u8], format: BodyFormat) -> Result<(Value, Vec<String>), ApiError> {
    let decoded = match format {
        BodyFormat::Json => call.kind.decode(bytes, strictness(call)),
        BodyFormat::Yaml | BodyFormat::Protobuf => call.kind.decode_tree(tree(bytes, format)?, strictness(call)),
    };
    accept(call, decoded)
}

/// What a patch made of an object. `duplicates` are fields that the patch itself gave twice.
pub fn patched(call: &Call<'_>, tree: Value, duplicates: &[String]) -> Result<(Value, Vec<String>), ApiError> {
    let decoded = call.kind.decode_tree(tree, strictness(call)).map(|mut decoded| {
        decoded.duplicate.extend_from_slice(duplicates);
        decoded
    });
    accept(call, decoded)
}

fn strictness(call: &Call<'_>) -> Strictness {
    match call.options.field_validation {
        FieldValidation::Ignore => Strictness::Ignore,
        FieldValidation::Warn | FieldValidation::Strict => Strictness::Report,
    }
}

fn accept(call: &Call<'_>, decoded: Result<Decoded, DecodeError>) -> Result<(Value, Vec<String>), ApiError> {
    let row = call.row();
    let decoded = decoded.map_err(|error| {
        let (kind, version) = (&row.kind, row.api_version());
        ApiError::bad_request(format!("{kind} in version {version:?} cannot be handled as a {kind}: {error}"))
    })?;
    check_type(call, &decoded.object)?;
    let complaints = decoded.complaints();
    complain(call, decoded.object, complaints)
}

/// Complaints end a strict request and warn every other.
fn complain(call: &Call<'_>, tree: Value, complaints: Vec<String>) -> Result<(Value, Vec<String>), ApiError> {
    match call.options.field_validation {
        FieldValidation::Strict if !complaints.is_empty() => {
            let row = call.row();
            Err(ApiError::bad_request(format!(
                "{} in version {:?} cannot be handled as a {}: strict decoding error: {}",
                row.kind,
                row.version,
                row.kind,
                complaints.join(", ")
            )))
        }
        FieldValidation::Ignore => Ok((tree, Vec::new())),
        FieldValidation::Strict | FieldValidation::Warn => Ok((tree, complaints)),
    }
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
