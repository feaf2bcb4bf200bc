//! Bodies in Kubernetes' protobuf form, read into JSON: the envelope, and any message of the schema table.
//!
//! Reading only: clients that write protobuf accept JSON answers. kubectl sends it for everything that it builds itself
//! (`create deployment`, `create token`, `auth can-i`).

mod message;
mod wire;

use kinds::schema::{Schema, lookup};
use serde_json::{Value, json};
use wire::{Fields, Wire};

const MAGIC: &[u8] = b"k8s\0";

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ProtobufError {
    #[error("it does not start with the protobuf envelope")]
    Envelope,
    #[error("{0:?} of {1:?} is not known")]
    Kind(String, String),
    #[error("it ends in the middle of a field")]
    Truncated,
    #[error("field {0} has a wire type that does not fit")]
    WireType(u32),
    #[error("a text is not UTF-8")]
    Text,
    #[error("a raw JSON field is malformed")]
    Json,
    #[error("it is nested deeper than {0} levels")]
    Depth(usize),
}

/// The object as its JSON form would be, with `apiVersion` and `kind` of the envelope.
pub fn decode(bytes: &[u8]) -> Result<Value, ProtobufError> {
    let unknown = bytes.strip_prefix(MAGIC).ok_or(ProtobufError::Envelope)?;
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    for field in Fields::new(unknown) {
        match field? {
            (1, Wire::Bytes(type_meta)) => {
                for field in Fields::new(type_meta) {
                    match field? {
                        (1, Wire::Bytes(text)) => api_version = wire::text(text)?,
                        (2, Wire::Bytes(text)) => kind = wire::text(text)?,
                        _ => {}
                    }
                }
            }
            (2, Wire::Bytes(object)) => raw = object,
            _ => {}
        }
    }
    let schema =
        schema_of(&api_version, &kind).ok_or_else(|| ProtobufError::Kind(kind.clone(), api_version.clone()))?;
    let mut object = message::object(schema, raw)?;
    object["apiVersion"] = json!(api_version);
    object["kind"] = json!(kind);
    Ok(object)
}

/// Kinds of the table, bodies of subresources, and what belongs to no group.
fn schema_of(api_version: &str, kind: &str) -> Option<Schema> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    if let Some(known) = kinds::table::find_kind(group, version, kind) {
        return lookup(&known.row().schema);
    }
    let package = if group.is_empty() { "core" } else { group.split('.').next().unwrap_or_default() };
    lookup(&format!("io.k8s.api.{package}.{version}.{kind}"))
        .or_else(|| lookup(&format!("io.k8s.apimachinery.pkg.apis.meta.v1.{kind}")))
}

#[cfg(test)]
mod tests;
