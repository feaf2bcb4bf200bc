//! Objects in Kubernetes' protobuf form: the envelope, any message of the schema table, lists, metadata alone, and the
//! frames of watch events. There is no code for any one type.
//!
//! Reading gives the tree that the JSON form would be, writing takes it; both walk the schema table beside the other.

mod back;
mod encode;
mod frame;
mod message;
mod plan;
pub(crate) mod wire;

pub(crate) use back::Back;
pub use frame::Frame;

use bytes::Bytes;
use encode::Encoder;
use kinds::schema::{Schema, lookup};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;
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
    decode_within(bytes, 0)
}

fn decode_within(bytes: &[u8], depth: usize) -> Result<Value, ProtobufError> {
    if depth > kinds::schema::decode::DEPTH_MAX {
        return Err(ProtobufError::Depth(depth));
    }
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
    let mut object = message::read(schema, raw, depth)?;
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

/// The object in its envelope; `None` where its type has no protobuf form.
pub fn encode(tree: &Value) -> Option<Bytes> {
    let mut encoder = Encoder::new(0);
    frame::envelope(&mut encoder, tree)?;
    report(tree, &encoder.left_out);
    Some(encoder.out.finish())
}

/// The object as a watch event of that type. `room` is a guess at its size.
pub fn event(ty: &str, tree: &Value, room: usize) -> Option<Frame> {
    let (frame, left_out) = Frame::new(ty, tree, room)?;
    report(tree, &left_out);
    Some(frame)
}

/// What surrounds the items of a list: the bytes before them and after them. `items_len` is the sum of their sizes, each
/// with its [`item_head`].
pub fn list_ends(api_version: &str, kind: &str, metadata: &Value, items_len: usize) -> (Bytes, Bytes) {
    let mut encoder = Encoder::new(0);
    if let Some(metadata) = metadata.as_object() {
        encoder.message(*LIST_META, metadata);
    }
    frame::list_ends(api_version, kind, encoder.out.as_slice(), items_len)
}

/// What comes before an item of that many bytes.
pub fn item_head(length: usize) -> Bytes {
    frame::item_head(length)
}

fn report(tree: &Value, left_out: &[&str]) {
    if !left_out.is_empty() {
        let kind = tree.get("kind").and_then(Value::as_str).unwrap_or_default();
        tracing::warn!(kind, fields = left_out.join(","), "fields have no protobuf form and are left out");
    }
}

static OBJECT_META: LazyLock<Schema> = LazyLock::new(|| meta("ObjectMeta"));
static LIST_META: LazyLock<Schema> = LazyLock::new(|| meta("ListMeta"));

fn meta(kind: &str) -> Schema {
    lookup(&format!("io.k8s.apimachinery.pkg.apis.meta.v1.{kind}")).expect("a test looks every root of the table up")
}

/// The message of an object of any type: of the schema table, a list of those, or metadata alone.
fn body(encoder: &mut Encoder, api_version: &str, kind: &str, tree: &Value) -> Option<()> {
    let empty = Map::new();
    let object = tree.as_object().unwrap_or(&empty);
    let partial = api_version.starts_with("meta.k8s.io/");
    match kind {
        "PartialObjectMetadata" if partial => metadata_alone(encoder, object),
        "PartialObjectMetadataList" if partial => {
            // k8s: in v1beta1 this one list has its two fields the other way round
            let order = if api_version.ends_with("/v1beta1") { Order::ItemsFirst } else { Order::MetadataFirst };
            list(encoder, object, order, metadata_alone);
        }
        _ => {
            if let Some(schema) = schema_of(api_version, kind) {
                encoder.message(schema, object);
            } else {
                let item = schema_of(api_version, kind.strip_suffix("List")?)?;
                list(encoder, object, Order::MetadataFirst, |encoder, object| encoder.message(item, object));
            }
        }
    }
    Some(())
}

fn metadata_alone(encoder: &mut Encoder, object: &Map<String, Value>) {
    if let Some(Value::Object(metadata)) = object.get("metadata") {
        let mark = encoder.out.mark();
        encoder.message(*OBJECT_META, metadata);
        encoder.out.close(1, mark);
    }
}

/// Which of a list's two fields has number 1; the other one has 2.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    MetadataFirst,
    ItemsFirst,
}

fn list(
    encoder: &mut Encoder,
    object: &Map<String, Value>,
    order: Order,
    item: impl Fn(&mut Encoder, &Map<String, Value>),
) {
    let items = |encoder: &mut Encoder, number| {
        let items = object.get("items").and_then(Value::as_array);
        for object in items.into_iter().flatten().rev().filter_map(Value::as_object) {
            let mark = encoder.out.mark();
            item(encoder, object);
            encoder.out.close(number, mark);
        }
    };
    let metadata = |encoder: &mut Encoder, number| {
        let mark = encoder.out.mark();
        if let Some(Value::Object(metadata)) = object.get("metadata") {
            encoder.message(*LIST_META, metadata);
        }
        encoder.out.close(number, mark);
    };
    match order {
        Order::MetadataFirst => {
            items(encoder, 2);
            metadata(encoder, 1);
        }
        Order::ItemsFirst => {
            metadata(encoder, 2);
            items(encoder, 1);
        }
    }
}

#[cfg(test)]
mod tests;
