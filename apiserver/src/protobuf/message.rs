//! A message to the tree that its JSON form would be.
//!
//! Go writes every field that is not a pointer, also when it is zero, and leaves such zeros out of JSON; pointers it writes
//! only when they are set, and then zero means zero. The wire does not tell them apart, the schema table does
//! ([`Field::is_left_out`]).

use super::plan::{Node, plan};
use super::wire::{Fields, Wire, text, varint};
use super::{MAGIC, ProtobufError};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use kinds::schema::{Field, Leaf, Schema, Shape};
use serde_json::{Map, Value, json};

/// As deep as JSON bodies may be.
pub(super) const DEPTH_MAX: usize = kinds::schema::decode::DEPTH_MAX;

/// `depth` counts the messages around it.
pub(super) fn read(schema: Schema, message: &[u8], depth: usize) -> Result<Value, ProtobufError> {
    let mut object = Map::new();
    let reader = Reader { depth };
    reader.fields(message, &plan(schema).nodes, &mut object)?;
    Ok(Value::Object(object))
}

struct Reader {
    depth: usize,
}

impl Reader {
    /// Fields of the message, or of one that it embeds and JSON does not show.
    fn fields(&self, message: &[u8], nodes: &[Node], object: &mut Map<String, Value>) -> Result<(), ProtobufError> {
        if self.depth > DEPTH_MAX {
            return Err(ProtobufError::Depth(DEPTH_MAX));
        }
        for field in Fields::new(message) {
            let (number, wire) = field?;
            let known = nodes.binary_search_by_key(&number, |node| u32::from(node.number()));
            match (known.map(|at| &nodes[at]), wire) {
                (Ok(Node::Field(_, field)), wire) => self.field(*field, wire, object)?,
                (Ok(Node::Inside(_, nodes)), Wire::Bytes(embedded)) => self.fields(embedded, nodes, object)?,
                // A field newer than the table: left out, as an older upstream would.
                (Ok(Node::Inside(..)) | Err(_), _) => {}
            }
        }
        Ok(())
    }

    fn field(&self, field: Field, wire: Wire<'_>, object: &mut Map<String, Value>) -> Result<(), ProtobufError> {
        let name = field.name();
        match field.shape() {
            Shape::One => {
                let value = self.leaf(field, wire)?;
                if !value.is_null() && !field.is_left_out(&value) {
                    object.insert(name.to_owned(), value);
                }
            }
            Shape::List => {
                let slot = object.entry(name).or_insert_with(|| json!([]));
                if let Value::Array(items) = slot {
                    self.item(field, wire, items)?;
                }
            }
            Shape::Map | Shape::MapOfLists => {
                let (key, value) = self.entry(field, wire)?;
                let slot = object.entry(name).or_insert_with(|| json!({}));
                slot[key] = value;
            }
        }
        Ok(())
    }

    fn item(&self, field: Field, wire: Wire<'_>, items: &mut Vec<Value>) -> Result<(), ProtobufError> {
        let packs = matches!(field.leaf(), Leaf::Int32 | Leaf::Int64 | Leaf::Boolean);
        match wire {
            Wire::Bytes(mut packed) if packs => {
                while !packed.is_empty() {
                    items.push(self.leaf(field, Wire::Varint(varint(&mut packed)?))?);
                }
            }
            wire => items.push(self.leaf(field, wire)?),
        }
        Ok(())
    }

    fn entry(&self, field: Field, wire: Wire<'_>) -> Result<(String, Value), ProtobufError> {
        let Wire::Bytes(entry) = wire else { return Err(wrong(field)) };
        let mut key = String::new();
        let mut value = None;
        for part in Fields::new(entry) {
            match part? {
                (1, Wire::Bytes(bytes)) => key = text(bytes)?,
                (2, Wire::Bytes(list)) if field.shape() == Shape::MapOfLists => {
                    let mut items = Vec::new();
                    for item in Fields::new(list) {
                        if let (1, wire) = item? {
                            items.push(self.leaf(field, wire)?);
                        }
                    }
                    value = Some(Value::Array(items));
                }
                (2, wire) => value = Some(self.leaf(field, wire)?),
                _ => {}
            }
        }
        let empty = match (field.shape(), field.leaf()) {
            (Shape::MapOfLists, _) => json!([]),
            (_, Leaf::String | Leaf::Bytes) => json!(""),
            (_, Leaf::Object) => json!({}),
            _ => Value::Null,
        };
        Ok((key, value.unwrap_or(empty)))
    }

    fn leaf(&self, field: Field, wire: Wire<'_>) -> Result<Value, ProtobufError> {
        match (field.leaf(), wire) {
            (Leaf::String, Wire::Bytes(bytes)) => text(bytes).map(Value::String),
            (Leaf::Bytes, Wire::Bytes(bytes)) => Ok(json!(STANDARD.encode(bytes))),
            (Leaf::Boolean, Wire::Varint(value)) => Ok(json!(value != 0)),
            (Leaf::Int32, Wire::Varint(value)) => Ok(json!(value as i32)),
            (Leaf::Int64, Wire::Varint(value)) => Ok(json!(value as i64)),
            (Leaf::Double, Wire::Fixed64(bits)) => Ok(json!(f64::from_bits(bits))),
            (Leaf::Time, Wire::Bytes(message)) => time(message, "%Y-%m-%dT%H:%M:%SZ"),
            (Leaf::MicroTime, Wire::Bytes(message)) => time(message, "%Y-%m-%dT%H:%M:%S%.6fZ"),
            (Leaf::Quantity, Wire::Bytes(message)) => quantity(message),
            (Leaf::IntOrString, Wire::Bytes(message)) => int_or_string(message),
            (Leaf::Any, Wire::Bytes(message)) => raw(message, self.depth),
            (Leaf::SchemaOrBool | Leaf::SchemaOrArray | Leaf::SchemaOrStrings, Wire::Bytes(message)) => {
                self.union(field, message)
            }
            (Leaf::Object, Wire::Bytes(message)) => match field.schema() {
                Some(schema) if self.depth < DEPTH_MAX => read(schema, message, self.depth + 1),
                Some(_) => Err(ProtobufError::Depth(DEPTH_MAX)),
                None => Ok(json!({})),
            },
            _ => Err(wrong(field)),
        }
    }

    /// The unions inside a JSON schema: 1 and 2 are the alternatives, in an order of each one's own.
    fn union(&self, field: Field, message: &[u8]) -> Result<Value, ProtobufError> {
        let schema = |bytes: &[u8]| match field.schema() {
            Some(schema) if self.depth < DEPTH_MAX => read(schema, bytes, self.depth + 1),
            _ => Err(ProtobufError::Depth(DEPTH_MAX)),
        };
        let mut list = Vec::new();
        let mut single = Value::Null;
        for part in Fields::new(message) {
            match (field.leaf(), part?) {
                (Leaf::SchemaOrBool, (1, Wire::Varint(allows))) if single.is_null() => single = json!(allows != 0),
                (Leaf::SchemaOrBool, (2, Wire::Bytes(bytes))) | (_, (1, Wire::Bytes(bytes))) => single = schema(bytes)?,
                (Leaf::SchemaOrArray, (2, Wire::Bytes(bytes))) => list.push(schema(bytes)?),
                (Leaf::SchemaOrStrings, (2, Wire::Bytes(bytes))) => list.push(Value::String(text(bytes)?)),
                _ => {}
            }
        }
        Ok(if list.is_empty() { single } else { Value::Array(list) })
    }
}

fn wrong(field: Field) -> ProtobufError {
    ProtobufError::WireType(u32::from(field.tag().unwrap_or_default()))
}

/// Seconds and nanoseconds; an empty message is a time that is not set.
fn time(message: &[u8], format: &str) -> Result<Value, ProtobufError> {
    let (mut seconds, mut nanos) = (None, 0);
    for part in Fields::new(message) {
        match part? {
            (1, Wire::Varint(value)) => seconds = Some(value as i64),
            (2, Wire::Varint(value)) => nanos = value as i32,
            _ => {}
        }
    }
    let time = seconds.and_then(|seconds| Timestamp::new(seconds, nanos).ok());
    Ok(time.map_or(Value::Null, |time| json!(time.strftime(format).to_string())))
}

fn quantity(message: &[u8]) -> Result<Value, ProtobufError> {
    let mut value = Value::Null;
    for part in Fields::new(message) {
        if let (1, Wire::Bytes(bytes)) = part? {
            value = Value::String(text(bytes)?);
        }
    }
    Ok(value)
}

fn int_or_string(message: &[u8]) -> Result<Value, ProtobufError> {
    let (mut is_text, mut number, mut string) = (false, 0, String::new());
    for part in Fields::new(message) {
        match part? {
            (1, Wire::Varint(kind)) => is_text = kind == 1,
            (2, Wire::Varint(value)) => number = value as i32,
            (3, Wire::Bytes(bytes)) => string = text(bytes)?,
            _ => {}
        }
    }
    Ok(if is_text { Value::String(string) } else { json!(number) })
}

/// JSON inside: a raw extension, a default value, managed fields. A raw extension may be a whole object in its envelope.
fn raw(message: &[u8], depth: usize) -> Result<Value, ProtobufError> {
    for part in Fields::new(message) {
        if let (1, Wire::Bytes(bytes)) = part? {
            if bytes.starts_with(MAGIC) {
                return super::decode_within(bytes, depth + 1);
            }
            return serde_json::from_slice(bytes).map_err(|_| ProtobufError::Json);
        }
    }
    Ok(Value::Null)
}
