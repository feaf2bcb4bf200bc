//! The v2 document in gnostic's protobuf form (`openapi.v2.Document`), which client-go asks for. Pieces of the JSON form
//! are translated by the tables at the end; what a table does not name has no place in a Kubernetes document.

use crate::protobuf::Back;
use bytes::Bytes;
use serde_json::{Map, Value};

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
    Each(&'static Table),
    /// A map as a message of name and value pairs.
    Named(&'static Slot),
    /// One of several messages, each in a message of its own.
    Within(u16, &'static Slot),
    /// A parameter: which message it is depends on where it stands.
    Parameters,
    /// A text that the message has as a list.
    TextInList,
    /// A boolean or a schema.
    Additional,
}

/// Members in the order of their numbers.
struct Table {
    slots: &'static [(u16, &'static str, Slot)],
    /// Where members go whose name begins with `x-`.
    extensions: u16,
}

const NAME: u16 = 1;
const VALUE: u16 = 2;
const YAML: u16 = 2;

/// A document, put together from pieces as they come.
pub(super) struct Document {
    paths: Vec<u8>,
    definitions: Vec<u8>,
}

impl Document {
    pub(super) fn new() -> Self {
        Self { paths: Vec::new(), definitions: Vec::new() }
    }

    pub(super) fn path(&mut self, name: &str, item: &Value) {
        append(&mut self.paths, 2, name, &PATH_ITEM, item);
    }

    pub(super) fn definition(&mut self, name: &str, schema: &Value) {
        append(&mut self.definitions, 1, name, &SCHEMA, schema);
    }

    /// `head` has everything but paths and definitions.
    pub(super) fn finish(self, head: &Value) -> Bytes {
        let mut out = Back::new(self.paths.len() + self.definitions.len());
        let empty = Map::new();
        let head = head.as_object().unwrap_or(&empty);
        for (number, name, slot) in HEAD.slots.iter().rev() {
            match *name {
                "paths" => out.text(*number, &self.paths),
                "definitions" => out.text(*number, &self.definitions),
                name => {
                    if let Some(value) = head.get(name) {
                        write(&mut out, *number, slot, value);
                    }
                }
            }
        }
        out.finish()
    }
}

/// A named value, behind those that are there.
fn append(items: &mut Vec<u8>, number: u16, name: &str, table: &Table, value: &Value) {
    let mut out = Back::new(0);
    named(&mut out, number, name, |out| message(out, VALUE, table, value));
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
        let extensions = object.iter().filter(|(name, _)| name.starts_with("x-"));
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
        Slot::Each(table) => items().for_each(|item| message(out, number, table, item)),
        Slot::Named(slot) => {
            let mark = out.mark();
            for (name, value) in value.as_object().into_iter().flatten().rev() {
                named(out, 1, name, |out| write(out, VALUE, slot, value));
            }
            out.close(number, mark);
        }
        Slot::Within(inner, slot) => {
            let mark = out.mark();
            write(out, *inner, slot, value);
            out.close(number, mark);
        }
        Slot::Parameters => items().for_each(|item| parameter(out, number, item)),
        Slot::TextInList => {
            let mark = out.mark();
            out.text(1, value.as_str().unwrap_or_default().as_bytes());
            out.close(number, mark);
        }
        Slot::Additional => {
            let mark = out.mark();
            match value {
                Value::Bool(allowed) => out.int(2, i64::from(*allowed)),
                schema => message(out, 1, &SCHEMA, schema),
            }
            out.close(number, mark);
        }
    }
}

/// `ParametersItem { parameter { body_parameter | non_body_parameter { .. } } }`
fn parameter(out: &mut Back, number: u16, value: &Value) {
    let (item, parameter) = (out.mark(), out.mark());
    match value.get("in").and_then(Value::as_str) {
        Some("body") => message(out, 1, &BODY_PARAMETER, value),
        Some("path") => {
            let mark = out.mark();
            message(out, 4, &PATH_PARAMETER, value);
            out.close(2, mark);
        }
        _ => {
            let mark = out.mark();
            message(out, 3, &QUERY_PARAMETER, value);
            out.close(2, mark);
        }
    }
    out.close(1, parameter);
    out.close(number, item);
}

static HEAD: Table = Table {
    slots: &[
        (1, "swagger", Slot::Text),
        (2, "info", Slot::One(&INFO)),
        (8, "paths", Slot::Any),
        (9, "definitions", Slot::Any),
        (13, "securityDefinitions", Slot::Named(&Slot::Within(2, &Slot::One(&API_KEY)))),
    ],
    extensions: 16,
};

static INFO: Table = Table {
    slots: &[(1, "title", Slot::Text), (2, "version", Slot::Text), (3, "description", Slot::Text)],
    extensions: 7,
};

static API_KEY: Table = Table {
    slots: &[(1, "type", Slot::Text), (2, "name", Slot::Text), (3, "in", Slot::Text), (4, "description", Slot::Text)],
    extensions: 5,
};

static PATH_ITEM: Table = Table {
    slots: &[
        (2, "get", Slot::One(&OPERATION)),
        (3, "put", Slot::One(&OPERATION)),
        (4, "post", Slot::One(&OPERATION)),
        (5, "delete", Slot::One(&OPERATION)),
        (6, "options", Slot::One(&OPERATION)),
        (7, "head", Slot::One(&OPERATION)),
        (8, "patch", Slot::One(&OPERATION)),
        (9, "parameters", Slot::Parameters),
    ],
    extensions: 10,
};

static OPERATION: Table = Table {
    slots: &[
        (1, "tags", Slot::Texts),
        (2, "summary", Slot::Text),
        (3, "description", Slot::Text),
        (5, "operationId", Slot::Text),
        (6, "produces", Slot::Texts),
        (7, "consumes", Slot::Texts),
        (8, "parameters", Slot::Parameters),
        (9, "responses", Slot::Named(&Slot::Within(1, &Slot::One(&RESPONSE)))),
        (10, "schemes", Slot::Texts),
        (11, "deprecated", Slot::Flag),
    ],
    extensions: 13,
};

static RESPONSE: Table = Table {
    slots: &[(1, "description", Slot::Text), (2, "schema", Slot::Within(1, &Slot::One(&SCHEMA)))],
    extensions: 5,
};

static BODY_PARAMETER: Table = Table {
    slots: &[
        (1, "description", Slot::Text),
        (2, "name", Slot::Text),
        (3, "in", Slot::Text),
        (4, "required", Slot::Flag),
        (5, "schema", Slot::One(&SCHEMA)),
    ],
    extensions: 6,
};

static PATH_PARAMETER: Table = Table {
    slots: &[
        (1, "required", Slot::Flag),
        (2, "in", Slot::Text),
        (3, "description", Slot::Text),
        (4, "name", Slot::Text),
        (5, "type", Slot::Text),
        (6, "format", Slot::Text),
        (19, "uniqueItems", Slot::Flag),
    ],
    extensions: 22,
};

static QUERY_PARAMETER: Table = Table {
    slots: &[
        (1, "required", Slot::Flag),
        (2, "in", Slot::Text),
        (3, "description", Slot::Text),
        (4, "name", Slot::Text),
        (6, "type", Slot::Text),
        (7, "format", Slot::Text),
        (20, "uniqueItems", Slot::Flag),
    ],
    extensions: 23,
};

static SCHEMA: Table = Table {
    slots: &[
        (1, "$ref", Slot::Text),
        (2, "format", Slot::Text),
        (3, "title", Slot::Text),
        (4, "description", Slot::Text),
        (5, "default", Slot::Any),
        (6, "multipleOf", Slot::Double),
        (7, "maximum", Slot::Double),
        (8, "exclusiveMaximum", Slot::Flag),
        (9, "minimum", Slot::Double),
        (10, "exclusiveMinimum", Slot::Flag),
        (11, "maxLength", Slot::Int),
        (12, "minLength", Slot::Int),
        (13, "pattern", Slot::Text),
        (14, "maxItems", Slot::Int),
        (15, "minItems", Slot::Int),
        (16, "uniqueItems", Slot::Flag),
        (17, "maxProperties", Slot::Int),
        (18, "minProperties", Slot::Int),
        (19, "required", Slot::Texts),
        (20, "enum", Slot::Anys),
        (21, "additionalProperties", Slot::Additional),
        (22, "type", Slot::TextInList),
        (23, "items", Slot::Within(1, &Slot::One(&SCHEMA))),
        (24, "allOf", Slot::Each(&SCHEMA)),
        (25, "properties", Slot::Named(&Slot::One(&SCHEMA))),
        (30, "example", Slot::Any),
    ],
    extensions: 31,
};
