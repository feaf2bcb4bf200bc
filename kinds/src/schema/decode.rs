//! Strict decoding: a body becomes a tree in which every value has the type its schema says, written canonically.
//!
//! Unknown fields are taken out and reported, repeated ones reported; nulls and what Go's JSON leaves out are taken out; numbers in place of quantities,
//! fractions and offsets in times and the like are accepted and written as upstream writes them. Rules about content
//! (validation) are not here.

use super::json::{self, JsonError};
use super::{Field, Leaf, Schema, Shape, lookup};
use crate::quantity::Quantity;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Number, Value};
use std::fmt;
use std::sync::LazyLock;
use thiserror::Error;

pub use super::json::DEPTH_MAX;

/// Reported fields at most: enough to see what is wrong, bounded because clients choose how many there are.
const REPORTS_MAX: usize = 100;

/// The only type that holds a time by value, where a client may well leave it out: others have a null there.
static CONDITION: LazyLock<Option<Schema>> = LazyLock::new(|| lookup("io.k8s.apimachinery.pkg.apis.meta.v1.Condition"));
const SINCE: &str = "lastTransitionTime";
/// What Go's clients read as a time that is not set, and write so in protobuf.
const ZERO_TIME: &str = "0001-01-01T00:00:00Z";

/// Whether fields that the schema does not know are worth reporting (they are taken out either way).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    Ignore,
    Report,
    /// Reports, and leaves values that say as little as their absence does (`""`, `false`): whoever applies them owns them.
    Stated,
}

impl Strictness {
    pub(crate) const fn reports(self) -> bool {
        match self {
            Self::Ignore => false,
            Self::Report | Self::Stated => true,
        }
    }
}

/// A decoded object.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    pub object: Value,
    /// Paths, `spec.template.spec.containers[0].imagePullPolice`.
    pub unknown: Vec<String>,
    pub duplicate: Vec<String>,
}

impl Decoded {
    /// What upstream says of each: `unknown field "spec.foo"`, `duplicate field "spec.x"`.
    pub fn complaints(&self) -> Vec<String> {
        let unknown = self.unknown.iter().map(|path| format!("unknown field \"{path}\""));
        let duplicate = self.duplicate.iter().map(|path| format!("duplicate field \"{path}\""));
        unknown.chain(duplicate).collect()
    }
}

/// Why a body is refused. `Display` is the text that upstream's decoder gives.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DecodeError {
    #[error(transparent)]
    Syntax(#[from] JsonError),
    /// A value of another JSON type than the schema says.
    #[error("json: cannot unmarshal {found} into Go {place} of type {expected}")]
    Type { found: String, place: String, expected: String },
    /// A string whose content its type does not allow.
    #[error("{0}")]
    Content(String),
}

/// Types that read themselves, with either decoder.
const OWN_DECODERS: &[&str] =
    &["v1.Time", "v1.MicroTime", "resource.Quantity", "intstr.IntOrString", "runtime.RawExtension"];

impl DecodeError {
    /// The words for the same of upstream's other decoder, which puts the result of a strategic merge together.
    /// k8s: `fromUnstructured`
    pub fn of_restoring(&self) -> String {
        let Self::Type { found, expected, .. } = self else { return self.to_string() };
        let kind = match found.as_str() {
            "array" => "slice",
            "object" => "map",
            "number" => "int64",
            found if found.starts_with("number ") => "float64",
            found => found,
        };
        if OWN_DECODERS.contains(&expected.as_str()) {
            self.to_string()
        } else if expected.starts_with("map[") {
            format!("cannot restore map from {kind}")
        } else if expected.starts_with("[]") {
            format!("cannot restore slice from {kind}")
        } else if expected.contains('.') || expected == "struct" {
            format!("cannot restore struct from: {kind}")
        } else {
            let kind = match kind {
                "slice" => "[]interface {}",
                "map" => "map[string]interface {}",
                kind => kind,
            };
            format!("cannot convert {kind} to {expected}")
        }
    }
}

impl Schema {
    /// Decodes JSON.
    pub fn decode(self, bytes: &[u8], strictness: Strictness) -> Result<Decoded, DecodeError> {
        let parsed = json::parse(bytes)?;
        let mut decoded = self.decode_tree(parsed.tree, strictness)?;
        if strictness.reports() {
            let inside = |path: &str, unknown: &String| {
                path.strip_prefix(unknown.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            };
            let known = |path: &String| !decoded.unknown.iter().any(|unknown| inside(path, unknown));
            decoded.duplicate = parsed.duplicates.into_iter().filter(known).take(REPORTS_MAX).collect();
        }
        Ok(decoded)
    }

    /// Decodes what another format's parser has read (YAML), or checks a tree again after a patch.
    pub fn decode_tree(self, mut tree: Value, strictness: Strictness) -> Result<Decoded, DecodeError> {
        let mut walk = Walk { strictness, unknown: Vec::new(), error: None };
        match &mut tree {
            Value::Object(fields) => walk.object(fields, self, None),
            other => {
                let (found, expected) = (type_name(other), self.go_name().to_owned());
                return Err(DecodeError::Type { found, place: "value".to_owned(), expected });
            }
        }
        match walk.error {
            Some(error) => Err(error),
            None => Ok(Decoded { object: tree, unknown: walk.unknown, duplicate: Vec::new() }),
        }
    }
}

/// JSON text to a tree without a schema; repeated keys by path.
pub fn untyped(bytes: &[u8]) -> Result<(Value, Vec<String>), DecodeError> {
    let parsed = json::parse(bytes)?;
    Ok((parsed.tree, parsed.duplicates))
}

/// Where a value is: a list on the stack, made text only where something is reported.
#[derive(Clone, Copy)]
struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            write!(f, "{parent}")?;
        }
        match self.step {
            Step::Key(key) if self.parent.is_none() => f.write_str(key),
            Step::Key(key) => write!(f, ".{key}"),
            Step::Index(index) => write!(f, "[{index}]"),
        }
    }
}

impl Path<'_> {
    /// Go names fields without indexes.
    fn without_indexes(&self) -> String {
        let mut path = self.parent.map(Path::without_indexes).unwrap_or_default();
        if let Step::Key(key) = self.step {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(key);
        }
        path
    }
}

/// What a value is an instance of: a field of an owner, or an item in it.
#[derive(Clone, Copy)]
struct Place<'a> {
    owner: Schema,
    field: Field,
    path: &'a Path<'a>,
}

impl Place<'_> {
    /// An object's own empty list of owners means that they are to be forgotten; none at all, that the client knows none.
    fn says_by_nothing(&self) -> bool {
        self.field.name() == "managedFields" && self.path.parent.is_some_and(|parent| parent.parent.is_none())
    }
}

/// Whether a field stays in its object.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    Yes,
    No,
}

struct Walk {
    strictness: Strictness,
    unknown: Vec<String>,
    error: Option<DecodeError>,
}

impl Walk {
    fn object(&mut self, fields: &mut Map<String, Value>, schema: Schema, parent: Option<&Path<'_>>) {
        fields.retain(|key, value| {
            let path = Path { parent, step: Step::Key(key) };
            let Some(field) = schema.field(key) else {
                if self.strictness.reports() && self.unknown.len() < REPORTS_MAX {
                    self.unknown.push(path.to_string());
                }
                return false;
            };
            !value.is_null() && self.field(value, Place { owner: schema, field, path: &path }) == Keep::Yes
        });
        if Some(schema) == *CONDITION && !fields.contains_key(SINCE) {
            fields.insert(SINCE.to_owned(), Value::from(ZERO_TIME));
        }
    }

    /// k8s: what is empty and optional is not written (`omitempty`)
    fn field(&mut self, value: &mut Value, place: Place<'_>) -> Keep {
        self.inside(value, place);
        let stays = self.strictness == Strictness::Stated && place.field.shape() == Shape::One;
        let leaves = !stays && place.field.is_left_out(value);
        if leaves && !place.says_by_nothing() { Keep::No } else { Keep::Yes }
    }

    fn inside(&mut self, value: &mut Value, place: Place<'_>) {
        match (place.field.shape(), &mut *value) {
            (Shape::One, value) => self.leaf(value, place),
            (Shape::List, Value::Array(items)) => self.items(items, place),
            (Shape::Map, Value::Object(entries)) => {
                for (key, value) in entries.iter_mut() {
                    let path = Path { parent: Some(place.path), step: Step::Key(key) };
                    self.item(value, Place { path: &path, ..place });
                }
            }
            (Shape::MapOfLists, Value::Object(entries)) => {
                for (key, value) in entries.iter_mut() {
                    let path = Path { parent: Some(place.path), step: Step::Key(key) };
                    let place = Place { path: &path, ..place };
                    match value {
                        Value::Array(items) => self.items(items, place),
                        Value::Null => *value = Value::Array(Vec::new()),
                        other => self.mismatch(other, place),
                    }
                }
            }
            (Shape::List | Shape::Map | Shape::MapOfLists, other) => self.mismatch(other, place),
        }
    }

    fn items(&mut self, items: &mut [Value], place: Place<'_>) {
        for (index, item) in items.iter_mut().enumerate() {
            let path = Path { parent: Some(place.path), step: Step::Index(index) };
            self.item(item, Place { path: &path, ..place });
        }
    }

    /// k8s: null inside a list or map is the zero value of its type
    fn item(&mut self, value: &mut Value, place: Place<'_>) {
        if value.is_null() {
            *value = zero(place.field.leaf());
        } else {
            self.leaf(value, place);
        }
    }

    fn leaf(&mut self, value: &mut Value, place: Place<'_>) {
        match (place.field.leaf(), &mut *value) {
            (
                Leaf::Object | Leaf::SchemaOrBool | Leaf::SchemaOrArray | Leaf::SchemaOrStrings,
                Value::Object(fields),
            ) => {
                if let Some(schema) = place.field.schema() {
                    self.object(fields, schema, Some(place.path));
                }
            }
            (Leaf::Any, _)
            | (Leaf::String | Leaf::IntOrString, Value::String(_))
            | (Leaf::Boolean | Leaf::SchemaOrBool, Value::Bool(_))
            | (Leaf::Double, Value::Number(_))
            | (Leaf::SchemaOrStrings, Value::Array(_)) => {}
            (Leaf::Int32 | Leaf::IntOrString, Value::Number(number)) if is_int32(number) => {}
            (Leaf::Int64, Value::Number(number)) if number.is_i64() => {}
            (Leaf::Bytes, Value::String(text)) => self.content(base64(text)),
            (Leaf::Time, Value::String(text)) => self.content(time(text, "%Y-%m-%dT%H:%M:%SZ", 20)),
            (Leaf::MicroTime, Value::String(text)) => self.content(time(text, "%Y-%m-%dT%H:%M:%S%.6fZ", 27)),
            (Leaf::Quantity, value @ (Value::String(_) | Value::Number(_))) => self.content(quantity(value)),
            (Leaf::SchemaOrArray, Value::Array(items)) => self.schemas(items, place),
            (_, other) => self.mismatch(other, place),
        }
    }

    /// The list form of `items` in a JSON schema.
    fn schemas(&mut self, items: &mut [Value], place: Place<'_>) {
        for (index, item) in items.iter_mut().enumerate() {
            let path = Path { parent: Some(place.path), step: Step::Index(index) };
            match (item, place.field.schema()) {
                (Value::Object(fields), Some(schema)) => self.object(fields, schema, Some(&path)),
                (other, _) => self.mismatch(other, Place { path: &path, ..place }),
            }
        }
    }

    fn content(&mut self, checked: Result<(), String>) {
        if let Err(text) = checked {
            self.error.get_or_insert(DecodeError::Content(text));
        }
    }

    fn mismatch(&mut self, found: &Value, place: Place<'_>) {
        self.error.get_or_insert_with(|| DecodeError::Type {
            found: type_name(found),
            place: format!("struct field {}.{}", place.owner.short_name(), place.path.without_indexes()),
            expected: go_type(place),
        });
    }
}

fn is_int32(number: &Number) -> bool {
    number.as_i64().is_some_and(|number| i32::try_from(number).is_ok())
}

fn zero(leaf: Leaf) -> Value {
    match leaf {
        Leaf::Object | Leaf::SchemaOrBool | Leaf::SchemaOrArray | Leaf::SchemaOrStrings => Value::Object(Map::new()),
        Leaf::String | Leaf::Bytes => Value::String(String::new()),
        Leaf::Boolean => Value::Bool(false),
        Leaf::Int32 | Leaf::Int64 | Leaf::Double | Leaf::IntOrString => 0.into(),
        Leaf::Quantity => "0".into(),
        Leaf::Time | Leaf::MicroTime | Leaf::Any => Value::Null,
    }
}

fn type_name(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Number(number) if number.is_i64() => "number".to_owned(),
        Value::Number(number) => format!("number {number}"),
        Value::String(_) => "string".to_owned(),
        Value::Array(_) => "array".to_owned(),
        Value::Object(_) => "object".to_owned(),
    }
}

fn go_type(place: Place<'_>) -> String {
    let leaf = match place.field.leaf() {
        Leaf::Object => place.field.schema().map_or("struct", Schema::go_name),
        Leaf::String => "string",
        Leaf::Bytes => "[]uint8",
        Leaf::Boolean => "bool",
        Leaf::Int32 => "int32",
        Leaf::Int64 => "int64",
        Leaf::Double => "float64",
        Leaf::Time => "v1.Time",
        Leaf::MicroTime => "v1.MicroTime",
        Leaf::Quantity => "resource.Quantity",
        Leaf::IntOrString => "intstr.IntOrString",
        Leaf::Any => "runtime.RawExtension",
        Leaf::SchemaOrBool => "v1.JSONSchemaPropsOrBool",
        Leaf::SchemaOrArray => "v1.JSONSchemaPropsOrArray",
        Leaf::SchemaOrStrings => "v1.JSONSchemaPropsOrStringArray",
    };
    // Inside a container the value is one item of it.
    let inside = matches!(place.path.step, Step::Index(_)) || place.path.parent.is_some_and(|_| !is_field(place));
    match place.field.shape() {
        _ if inside => leaf.to_owned(),
        Shape::One => leaf.to_owned(),
        Shape::List => format!("[]{leaf}"),
        Shape::Map => format!("map[string]{leaf}"),
        Shape::MapOfLists => format!("map[string][]{leaf}"),
    }
}

fn is_field(place: Place<'_>) -> bool {
    matches!(place.path.step, Step::Key(key) if key == place.field.name())
}

/// Standard alphabet, padded. Line breaks are taken out and bits that code for nothing cleared, as Go's decoding and
/// encoding again does.
fn base64(text: &mut String) -> Result<(), String> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if text.contains(['\r', '\n']) {
        text.retain(|char| !matches!(char, '\r' | '\n'));
    }
    let bytes = text.as_bytes();
    let padding = bytes.iter().rev().take(2).take_while(|byte| **byte == b'=').count();
    let body = &bytes[..bytes.len() - padding];
    let wrong = body.iter().position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')));
    if let Some(at) = wrong {
        return Err(format!("illegal base64 data at input byte {at}"));
    }
    if !bytes.len().is_multiple_of(4) {
        return Err(format!("illegal base64 data at input byte {}", bytes.len() / 4 * 4));
    }
    let unused_bits = if padding == 2 { 0b1111 } else { 0b11 };
    if let (1..=2, Some(last)) = (padding, body.last()) {
        let value = ALPHABET.iter().position(|known| known == last).unwrap_or(0);
        let canonical = char::from(ALPHABET[value & !unused_bits]);
        let at = body.len() - 1;
        text.replace_range(at..=at, canonical.encode_utf8(&mut [0; 4]));
    }
    Ok(())
}

/// Accepts any RFC 3339 time and writes it in UTC; one of canonical length and ending stays as it is.
fn time(text: &mut String, format: &str, canonical_length: usize) -> Result<(), String> {
    let Ok(parsed) = text.parse::<Timestamp>() else {
        let layout = "2006-01-02T15:04:05Z07:00";
        return Err(format!("parsing time {text:?} as {layout:?}: cannot parse {text:?} as {layout:?}"));
    };
    if text.len() != canonical_length || !text.ends_with('Z') || text.as_bytes()[10] != b'T' {
        *text = parsed.to_zoned(TimeZone::UTC).strftime(format).to_string();
    }
    Ok(())
}

fn quantity(value: &mut Value) -> Result<(), String> {
    let text = match &*value {
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    };
    let parsed = Quantity::parse(&text).map_err(|error| error.to_string())?;
    let canonical = parsed.to_string();
    if value.as_str() != Some(canonical.as_str()) {
        *value = Value::String(canonical);
    }
    Ok(())
}
