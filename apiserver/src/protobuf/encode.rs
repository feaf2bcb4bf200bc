//! A tree to the message that upstream's generated code would write: fields in the order of their numbers, maps by key,
//! embedded structs and the parts of quantities and times always, other zeros only where the tree has them.
//!
//! A value that does not fit its field's type (bytes of another writer in the store) and a field without a known number
//! cannot be written; they are named in [`Encoded::left_out`], which is empty for everything that passed the schema.

use super::back::Back;
use super::message::DEPTH_MAX;
use super::plan::{Node, plan};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use kinds::schema::{Field, Leaf, Schema, Shape};
use serde_json::{Map, Value};

pub(super) struct Encoder {
    pub(super) out: Back,
    depth: usize,
    pub(super) left_out: Vec<&'static str>,
}

impl Encoder {
    /// `room` is a guess at the size of the whole.
    pub(super) fn new(room: usize) -> Self {
        Self { out: Back::new(room), depth: 0, left_out: Vec::new() }
    }

    /// Writes the fields of the object before what is there.
    pub(super) fn message(&mut self, schema: Schema, object: &Map<String, Value>) {
        let plan = plan(schema);
        let unknown = plan.untagged.iter().map(|field| field.name()).filter(|name| object.contains_key(*name));
        self.left_out.extend(unknown);
        for node in plan.nodes.iter().rev() {
            self.node(node, object);
        }
    }

    fn node(&mut self, node: &Node, object: &Map<String, Value>) {
        match node {
            Node::Field(number, field) => {
                if let Some(value) = object.get(field.name()) {
                    self.field(*number, *field, value);
                }
            }
            Node::Inside(number, nodes) => {
                let mark = self.out.mark();
                for node in nodes.iter().rev() {
                    self.node(node, object);
                }
                self.out.close(*number, mark);
            }
        }
    }

    fn field(&mut self, number: u16, field: Field, value: &Value) {
        match (field.shape(), value) {
            (_, Value::Null) => {}
            (Shape::One, value) => self.leaf(number, field, value),
            (Shape::List, Value::Array(items)) => items.iter().rev().for_each(|item| self.leaf(number, field, item)),
            (Shape::Map | Shape::MapOfLists, Value::Object(entries)) => {
                for (key, value) in entries.iter().rev() {
                    let mark = self.out.mark();
                    self.entry(field, value);
                    self.out.text(1, key.as_bytes());
                    self.out.close(number, mark);
                }
            }
            (Shape::List | Shape::Map | Shape::MapOfLists, _) => self.left_out.push(field.name()),
        }
    }

    fn entry(&mut self, field: Field, value: &Value) {
        match (field.shape(), value) {
            (Shape::MapOfLists, Value::Array(items)) => {
                let mark = self.out.mark();
                items.iter().rev().for_each(|item| self.leaf(1, field, item));
                self.out.close(2, mark);
            }
            (Shape::MapOfLists, _) => self.left_out.push(field.name()),
            _ => self.leaf(2, field, value),
        }
    }

    fn leaf(&mut self, number: u16, field: Field, value: &Value) {
        let written = match (field.leaf(), value) {
            (Leaf::String, Value::String(text)) => {
                self.out.text(number, text.as_bytes());
                true
            }
            (Leaf::Bytes, Value::String(text)) => self.base64(number, text),
            (Leaf::Boolean, Value::Bool(value)) => {
                self.out.int(number, i64::from(*value));
                true
            }
            (Leaf::Int32 | Leaf::Int64, Value::Number(value)) => {
                self.out.int(number, value.as_i64().unwrap_or_else(|| value.as_f64().unwrap_or_default() as i64));
                true
            }
            (Leaf::Double, Value::Number(value)) => {
                self.out.double(number, value.as_f64().unwrap_or_default());
                true
            }
            (Leaf::Object, Value::Object(object)) => self.object(number, field, object),
            (Leaf::Time | Leaf::MicroTime, Value::String(text)) => self.time(number, field.leaf(), text),
            (Leaf::Quantity, Value::String(text)) => self.quantity(number, text),
            (Leaf::Quantity, Value::Number(value)) => self.quantity(number, &value.to_string()),
            (Leaf::IntOrString, value) => self.int_or_string(number, value),
            (Leaf::Any, value) => self.raw(number, value),
            (Leaf::SchemaOrBool | Leaf::SchemaOrArray | Leaf::SchemaOrStrings, value) => {
                self.union(number, field, value)
            }
            _ => false,
        };
        if !written {
            self.left_out.push(field.name());
        }
    }

    fn object(&mut self, number: u16, field: Field, object: &Map<String, Value>) -> bool {
        let Some(schema) = field.schema().filter(|_| self.depth < DEPTH_MAX) else { return false };
        let mark = self.out.mark();
        self.depth += 1;
        self.message(schema, object);
        self.depth -= 1;
        self.out.close(number, mark);
        true
    }

    fn base64(&mut self, number: u16, text: &str) -> bool {
        let decoded = STANDARD.decode(text);
        decoded.is_ok_and(|bytes| {
            self.out.text(number, &bytes);
            true
        })
    }

    /// k8s: Time has whole seconds on this wire too, MicroTime microseconds
    fn time(&mut self, number: u16, leaf: Leaf, text: &str) -> bool {
        let Ok(time) = text.parse::<Timestamp>() else { return false };
        let nanos = if leaf == Leaf::MicroTime { time.subsec_nanosecond() / 1000 * 1000 } else { 0 };
        // Before 1970 the parts of a timestamp are both negative here; the wire wants seconds rounded down.
        let (seconds, nanos) = match (time.as_second(), nanos) {
            (seconds, nanos) if nanos < 0 => (seconds - 1, nanos + 1_000_000_000),
            parts => parts,
        };
        let mark = self.out.mark();
        self.out.int(2, i64::from(nanos));
        self.out.int(1, seconds);
        self.out.close(number, mark);
        true
    }

    fn quantity(&mut self, number: u16, text: &str) -> bool {
        let mark = self.out.mark();
        self.out.text(1, text.as_bytes());
        self.out.close(number, mark);
        true
    }

    fn int_or_string(&mut self, number: u16, value: &Value) -> bool {
        let (is_text, int, text) = match value {
            Value::String(text) => (1, 0, text.as_str()),
            Value::Number(int) => (0, int.as_i64().unwrap_or_default(), ""),
            _ => return false,
        };
        let mark = self.out.mark();
        self.out.text(3, text.as_bytes());
        self.out.int(2, int);
        self.out.int(1, is_text);
        self.out.close(number, mark);
        true
    }

    /// JSON inside: a raw extension, a default value, managed fields. Nothing at all stands for null.
    fn raw(&mut self, number: u16, value: &Value) -> bool {
        let mark = self.out.mark();
        if !value.is_null() {
            let text = serde_json::to_vec(value).expect("a JSON tree always encodes");
            self.out.text(1, &text);
        }
        self.out.close(number, mark);
        true
    }

    /// The unions inside a JSON schema: 1 and 2 are the alternatives, in an order of each one's own.
    fn union(&mut self, number: u16, field: Field, value: &Value) -> bool {
        let mark = self.out.mark();
        match (field.leaf(), value) {
            (Leaf::SchemaOrBool, Value::Bool(allows)) => self.out.int(1, i64::from(*allows)),
            (Leaf::SchemaOrBool, Value::Object(schema)) => {
                self.object(2, field, schema);
                self.out.int(1, 1);
            }
            (_, Value::Object(schema)) => {
                self.object(1, field, schema);
            }
            (Leaf::SchemaOrArray, Value::Array(items)) => {
                for item in items.iter().rev().filter_map(Value::as_object) {
                    self.object(2, field, item);
                }
            }
            (Leaf::SchemaOrStrings, Value::Array(items)) => {
                for item in items.iter().rev().filter_map(Value::as_str) {
                    self.out.text(2, item.as_bytes());
                }
            }
            _ => {}
        }
        self.out.close(number, mark);
        matches!(value, Value::Bool(_) | Value::Object(_) | Value::Array(_))
    }
}
