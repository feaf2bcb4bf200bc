//! Documents in gnostic's protobuf forms (`openapi.v2.Document`, `openapi.v3.Document`), which client-go asks for. Pieces of
//! the JSON form are translated by the tables below; what a table does not name has no place in a Kubernetes document.

mod v2;
mod v3;

pub(super) use v2::V2;
pub(super) use v3::V3;

use crate::protobuf::Back;
use bytes::Bytes;
use serde_json::Value;

/// Where a member of a JSON object goes in the message.
enum Slot {
    Text,
    Texts,
    Flag,
    Int,
    Double,
    /// Any value, as YAML text, of which JSON is a part.
    Any,
    Anys,
    One(&'static Table),
    Each(&'static Slot),
    /// A map as a message of name and value pairs, which have this number in it.
    Named(u16, &'static Slot),
    /// One of several messages, each in a message of its own.
    Within(u16, &'static Slot),
    /// A message, or a reference to one.
    OrReference(&'static Table),
    /// A parameter of v2: which message it is depends on where it stands.
    Parameter,
    /// A text that the message has as a list.
    TextInList,
    /// A boolean or a schema.
    Additional(&'static Slot),
    /// A default of v3, which has a place for scalars alone.
    Scalar,
    /// The document's paths, or its definitions, which are there in pieces.
    Paths,
    Definitions,
}

/// Members in the order of their numbers.
struct Table {
    slots: &'static [(u16, &'static str, Slot)],
    /// Where members go whose name begins with `x-`.
    extensions: u16,
}

/// A dialect: where a document's pieces go.
pub(super) struct Form {
    head: Table,
    path: (u16, &'static Slot),
    definition: &'static Slot,
}

const NAME: u16 = 1;
const VALUE: u16 = 2;
const YAML: u16 = 2;

/// A document, put together from pieces as they come.
pub(super) struct Document {
    form: &'static Form,
    paths: Vec<u8>,
    definitions: Vec<u8>,
}

impl Document {
    pub(super) fn new(form: &'static Form) -> Self {
        Self { form, paths: Vec::new(), definitions: Vec::new() }
    }

    pub(super) fn path(&mut self, name: &str, item: &Value) {
        let (number, slot) = self.form.path;
        append(&mut self.paths, number, name, slot, item);
    }

    pub(super) fn definition(&mut self, name: &str, schema: &Value) {
        append(&mut self.definitions, 1, name, self.form.definition, schema);
    }

    /// `head` has everything but paths and definitions.
    pub(super) fn finish(self, head: &Value) -> Bytes {
        let mut out = Back::new(self.paths.len() + self.definitions.len());
        self.members(&mut out, &self.form.head, head);
        out.finish()
    }

    fn members(&self, out: &mut Back, table: &Table, value: &Value) {
        for (number, name, slot) in table.slots.iter().rev() {
            match (slot, value.get(*name)) {
                (Slot::Paths, _) => out.text(*number, &self.paths),
                (Slot::Definitions, _) => out.text(*number, &self.definitions),
                // What leads to a place for pieces.
                (Slot::One(table), value)
                    if table.slots.iter().any(|(_, _, slot)| matches!(slot, Slot::Definitions)) =>
                {
                    let mark = out.mark();
                    self.members(out, table, value.unwrap_or(&Value::Null));
                    out.close(*number, mark);
                }
                (slot, Some(value)) => write(out, *number, slot, value),
                (_, None) => {}
            }
        }
    }
}

/// A named value, behind those that are there.
fn append(items: &mut Vec<u8>, number: u16, name: &str, slot: &Slot, value: &Value) {
    let mut out = Back::new(0);
    named(&mut out, number, name, |out| write(out, VALUE, slot, value));
    items.extend_from_slice(out.as_slice());
}

fn named(out: &mut Back, number: u16, name: &str, value: impl FnOnce(&mut Back)) {
    let mark = out.mark();
    value(out);
    out.text(NAME, name.as_bytes());
    out.close(number, mark);
}

fn message(out: &mut Back, number: u16, table: &Table, value: &Value) {
    let mark = out.mark();
    if let Some(object) = value.as_object() {
        let extensions = object.iter().filter(|(name, _)| table.extensions > 0 && name.starts_with("x-"));
        for (name, value) in extensions.rev() {
            named(out, table.extensions, name, |out| any(out, VALUE, value));
        }
        for (number, name, slot) in table.slots.iter().rev() {
            if let Some(value) = object.get(*name) {
                write(out, *number, slot, value);
            }
        }
    }
    out.close(number, mark);
}

fn any(out: &mut Back, number: u16, value: &Value) {
    let mark = out.mark();
    out.text(YAML, format!("{value}\n").as_bytes());
    out.close(number, mark);
}

fn write(out: &mut Back, number: u16, slot: &Slot, value: &Value) {
    let items = || value.as_array().into_iter().flatten().rev();
    match slot {
        Slot::Text => out.text(number, value.as_str().unwrap_or_default().as_bytes()),
        Slot::Texts => items().filter_map(Value::as_str).for_each(|text| out.text(number, text.as_bytes())),
        Slot::Flag => {
            if value == true {
                out.int(number, 1);
            }
        }
        Slot::Int => out.int(number, value.as_i64().unwrap_or_default()),
        Slot::Double => out.double(number, value.as_f64().unwrap_or_default()),
        Slot::Any => any(out, number, value),
        Slot::Anys => items().for_each(|item| any(out, number, item)),
        Slot::One(table) => message(out, number, table, value),
        Slot::Each(slot) => items().for_each(|item| write(out, number, slot, item)),
        Slot::Named(at, slot) => {
            let mark = out.mark();
            for (name, value) in value.as_object().into_iter().flatten().rev() {
                named(out, *at, name, |out| write(out, VALUE, slot, value));
            }
            out.close(number, mark);
        }
        Slot::Within(inner, slot) => {
            let mark = out.mark();
            write(out, *inner, slot, value);
            out.close(number, mark);
        }
        Slot::OrReference(table) => {
            let mark = out.mark();
            match value.get("$ref") {
                Some(_) => message(out, 2, &REFERENCE, value),
                None => message(out, 1, table, value),
            }
            out.close(number, mark);
        }
        Slot::Parameter => v2::parameter(out, number, value),
        Slot::TextInList => {
            let mark = out.mark();
            out.text(1, value.as_str().unwrap_or_default().as_bytes());
            out.close(number, mark);
        }
        Slot::Additional(schema) => {
            let mark = out.mark();
            match value {
                Value::Bool(allowed) => out.int(2, i64::from(*allowed)),
                value => write(out, 1, schema, value),
            }
            out.close(number, mark);
        }
        Slot::Scalar => scalar(out, number, value),
        // Known to the document alone.
        Slot::Paths | Slot::Definitions => {}
    }
}

fn scalar(out: &mut Back, number: u16, value: &Value) {
    let mark = out.mark();
    match value {
        Value::Number(value) => out.double(1, value.as_f64().unwrap_or_default()),
        Value::Bool(value) => out.int(2, i64::from(*value)),
        Value::String(text) => out.text(3, text.as_bytes()),
        Value::Null | Value::Array(_) | Value::Object(_) => return,
    }
    out.close(number, mark);
}

static REFERENCE: Table = Table { slots: &[(1, "$ref", Slot::Text)], extensions: 0 };
