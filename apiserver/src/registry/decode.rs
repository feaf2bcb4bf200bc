//! Bytes of a body -> a tree that passed the schema. Everything behind this file trusts the tree's shape.

mod yaml;

use super::Call;
use crate::error::{ApiError, Qualified};
use crate::negotiate::BodyFormat;
use crate::protobuf;
use crate::request::FieldValidation;
use kinds::errors::FieldError;
use kinds::schema::decode::{DecodeError, Strictness, untyped};
use serde_json::Value;
use tokio::runtime::{Handle, RuntimeFlavor};

/// Bytes of a request body.
/// k8s: MaxRequestBodyBytes
pub const BODY_MAX: usize = 3 << 20;

/// Bytes that are decoded between two other tasks of a worker: a millisecond at most.
const IN_PLACE_MAX: usize = 64 << 10;

/// An object of any type.
pub fn tree(bytes: &[u8], format: BodyFormat) -> Result<Value, ApiError> {
    tree_and_duplicates(bytes, format).map(|(tree, _)| tree)
}

/// An object of any type, and what is said of fields that were given twice. Nesting is bounded by the parsers, and for
/// YAML before its parser sees the text; YAML aliases by the parser's repetition limit.
pub fn tree_and_duplicates(bytes: &[u8], format: BodyFormat) -> Result<(Value, Vec<String>), ApiError> {
    let bad =
        |why: &dyn std::fmt::Display| ApiError::bad_request(format!("the object provided is unrecognized: {why}"));
    let (tree, duplicates) = match format {
        BodyFormat::Json => {
            let (tree, paths) = apart(bytes, || untyped(bytes)).map_err(|error| bad(&error))?;
            (tree, paths.iter().map(|path| format!("duplicate field \"{path}\"")).collect())
        }
        BodyFormat::Yaml => apart(bytes, || yaml::tree(bytes)).map_err(|why| bad(&why))?,
        BodyFormat::Protobuf => (protobuf::decode(bytes).map_err(|error| bad(&error))?, Vec::new()),
    };
    match tree {
        Value::Object(_) => Ok((tree, duplicates)),
        _ => Err(bad(&"it is not an object")),
    }
}

/// Decodes where it keeps no other request waiting: a big body holds no worker that others need.
fn apart<T>(bytes: &[u8], decode: impl FnOnce() -> T) -> T {
    let has_other_workers =
        Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
    if bytes.len() > IN_PLACE_MAX && has_other_workers { tokio::task::block_in_place(decode) } else { decode() }
}

/// An object of the call's kind. Returns warnings for fields that are unknown or given twice.
pub fn object(call: &Call<'_>, bytes: &[u8], format: BodyFormat) -> Result<(Value, Vec<String>), ApiError> {
    let (decoded, duplicates) = match format {
        BodyFormat::Json => (apart(bytes, || call.kind.decode(bytes, strictness(call))), Vec::new()),
        BodyFormat::Yaml | BodyFormat::Protobuf => {
            let (tree, duplicates) = tree_and_duplicates(bytes, format)?;
            check_type(call, &tree)?;
            (call.kind.decode_tree(tree, strictness(call)), duplicates)
        }
    };
    let decoded = decoded.map_err(|error| undecodable(call, &error, bytes))?;
    check_type(call, &decoded.object)?;
    let complaints = duplicates.into_iter().chain(decoded.complaints()).collect();
    let (kind, version) = (&call.row().kind, &call.row().version);
    complain(call, decoded.object, complaints, |why| {
        ApiError::bad_request(format!("{kind} in version {version:?} cannot be handled as a {kind}: {why}"))
    })
}

/// What a subresource takes where that is no object of its parent's kind: a Binding, a TokenRequest. Warnings as for [`object`].
pub fn part(call: &Call<'_>, bytes: &[u8], format: BodyFormat) -> Result<(Value, Vec<String>), ApiError> {
    let taken =
        call.row().subresource(call.subresource).and_then(|part| Some((part.body.as_ref()?, part.body_schema()?)));
    let Some(((_, version, kind), schema)) = taken else {
        return Err(ApiError::internal(format!("what {} takes is not known", call.subresource)));
    };
    let (tree, duplicates) = tree_and_duplicates(bytes, format)?;
    let cannot = |why: &dyn std::fmt::Display| {
        ApiError::bad_request(format!("{kind} in version {version:?} cannot be handled as a {kind}: {why}"))
    };
    let decoded = schema.decode_tree(tree, strictness(call)).map_err(|error| cannot(&error))?;
    let complaints = duplicates.into_iter().chain(decoded.complaints()).collect();
    complain(call, decoded.object, complaints, |why| cannot(&why))
}

/// k8s: transformDecodeError
fn undecodable(call: &Call<'_>, error: &DecodeError, body: &[u8]) -> ApiError {
    let kind = &call.row().kind;
    match error {
        DecodeError::Syntax(why) => ApiError::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; json parse error: \
             {why} ({})",
            summary(body)
        )),
        DecodeError::Type { .. } | DecodeError::Content(_) => {
            let version = &call.row().version;
            ApiError::bad_request(format!("{kind} in version {version:?} cannot be handled as a {kind}: {error}"))
        }
    }
}

/// The start of a body that is nothing we know, readable where it may be JSON.
/// k8s: summarizeData
fn summary(body: &[u8]) -> String {
    const SHOWN_MAX: usize = 30;
    let start = &body[..body.len().min(SHOWN_MAX)];
    let more = if body.len() > SHOWN_MAX { " ..." } else { "" };
    match body.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => format!("{}{more}", String::from_utf8_lossy(start)),
        Some(_) => {
            let hex: String = start.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{hex}{more}")
        }
    }
}

/// What a patch made of an object. `duplicates` is what the patch itself gave twice, `shown` the patch for the message
/// that refuses it.
pub fn patched(
    call: &Call<'_>,
    tree: Value,
    duplicates: &[String],
    shown: &dyn Fn() -> String,
    why: &dyn Fn(&DecodeError) -> String,
) -> Result<(Value, Vec<String>), ApiError> {
    // k8s: a patch that leaves something undecodable is invalid, not a bad request
    let invalid = |why: String| {
        let errors = vec![FieldError::invalid("patch", shown(), why)];
        ApiError::Invalid { kind: Qualified::default(), name: String::new(), errors }
    };
    check_type(call, &tree)?;
    let decoded = call.kind.decode_tree(tree, strictness(call)).map_err(|error| invalid(why(&error)))?;
    let complaints = duplicates.iter().cloned().chain(decoded.complaints()).collect();
    complain(call, decoded.object, complaints, invalid)
}

/// What is said of an applied configuration: unknown fields have been refused before, in any mode.
pub fn yaml_complaints(call: &Call<'_>, duplicates: &[String]) -> Result<Vec<String>, ApiError> {
    match (call.options.field_validation, duplicates) {
        (FieldValidation::Ignore, _) | (_, []) => Ok(Vec::new()),
        (FieldValidation::Warn, duplicates) => Ok(duplicates.to_vec()),
        (FieldValidation::Strict, duplicates) => {
            Err(ApiError::bad_request(format!("error strict decoding YAML: {}", duplicates.join(", "))))
        }
    }
}

fn strictness(call: &Call<'_>) -> Strictness {
    match call.options.field_validation {
        FieldValidation::Ignore => Strictness::Ignore,
        FieldValidation::Warn | FieldValidation::Strict => Strictness::Report,
    }
}

/// Complaints end a strict request, by `refuse`, and warn every other.
fn complain(
    call: &Call<'_>,
    tree: Value,
    complaints: Vec<String>,
    refuse: impl FnOnce(String) -> ApiError,
) -> Result<(Value, Vec<String>), ApiError> {
    match call.options.field_validation {
        FieldValidation::Strict if !complaints.is_empty() => {
            Err(refuse(format!("strict decoding error: {}", complaints.join(", "))))
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
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        let known = kinds::table::builtin().iter().any(|known| {
            let known = known.row();
            known.kind == kind && known.group == group && known.version == version
        });
        let why = if known {
            let internal = row.group.split('.').next().filter(|group| !group.is_empty()).unwrap_or("core");
            format!("converting ({version}.{kind}) to ({internal}.{}): unknown conversion", row.kind)
        } else {
            let version = text("apiVersion");
            let scheme = "pkg/api/legacyscheme/scheme.go:30";
            format!("no kind {kind:?} is registered for version {version:?} in scheme {scheme:?}")
        };
        return Err(ApiError::bad_request(format!(
            "{kind} in version {version:?} cannot be handled as a {}: {why}",
            row.kind
        )));
    }
    if !version.is_empty() && version != wanted {
        return Err(ApiError::bad_request(format!(
            "the API version in the data ({version}) does not match the expected API version ({wanted})"
        )));
    }
    Ok(())
}
