//! The schema table of the built-in types: one generated, static table that drives strict decoding, the merges, OpenAPI,
//! and later protobuf and server-side apply. This file is its reading side; it holds no rules of any of those.

mod context;
pub mod decode;
#[path = "schema/generated/table.rs"]
#[rustfmt::skip] // one row a line
mod generated;
mod json;
pub mod merge;
mod row;

pub use context::{Context, Implied, Parts};
pub use row::{Leaf, Shape, Topology};

use flate2::read::DeflateDecoder;
use generated::{DEFINITIONS, FIELDS, MERGING, NAME_ENDS, NAMES};
use serde_json::Value;
use std::fmt;
use std::io::Read;
use std::ops::Range;

static DESCRIPTIONS: &[u8] = include_bytes!("schema/generated/descriptions.bin");

/// Between two descriptions in the packed text.
const SEPARATOR: char = '\u{1f}';

/// A definition of the table: a type with fields.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Schema(u16);

/// A field of a [`Schema`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Field(u16);

/// The definition of that name, `io.k8s.api.core.v1.Pod`.
pub fn lookup(definition: &str) -> Option<Schema> {
    let found = DEFINITIONS.binary_search_by(|row| text(row.name).cmp(definition));
    found.ok().map(|index| Schema(index as u16))
}

/// The name of a built-in type's definition: `io.k8s.api.autoscaling.v1.Scale`.
pub fn definition(group: &str, version: &str, kind: &str) -> String {
    let package = if group.is_empty() { "core" } else { group.split('.').next().unwrap_or_default() };
    format!("io.k8s.api.{package}.{version}.{kind}")
}

/// Every definition, by name.
pub fn all() -> impl Iterator<Item = Schema> {
    (0..DEFINITIONS.len()).map(|index| Schema(index as u16))
}

fn text(name: u16) -> &'static str {
    &NAMES[span(name)]
}

/// As bytes, which are compared without looking for the borders of characters.
fn bytes(name: u16) -> &'static [u8] {
    &NAMES.as_bytes()[span(name)]
}

/// The first name is the empty one, so that each begins where the one before it ends.
fn span(name: u16) -> Range<usize> {
    let index = usize::from(name);
    usize::from(NAME_ENDS[index.saturating_sub(1)])..usize::from(NAME_ENDS[index])
}

impl Schema {
    pub fn name(self) -> &'static str {
        text(DEFINITIONS[usize::from(self.0)].name)
    }

    /// `Pod` of `io.k8s.api.core.v1.Pod`.
    pub fn short_name(self) -> &'static str {
        self.name().rsplit('.').next().unwrap_or("")
    }

    /// How Go code calls the type: `v1.Pod`.
    pub fn go_name(self) -> &'static str {
        let name = self.name();
        let mut dots = name.rmatch_indices('.').map(|(at, _)| at);
        dots.nth(1).map_or(name, |at| &name[at + 1..])
    }

    /// What the definition is: [`Leaf::Object`] but for the types that JSON writes otherwise.
    pub fn leaf(self) -> Leaf {
        DEFINITIONS[usize::from(self.0)].leaf
    }

    /// Whether server-side apply owns it as a whole.
    pub fn is_atomic(self) -> bool {
        DEFINITIONS[usize::from(self.0)].atomic
    }

    fn range(self) -> Range<u16> {
        let row = &DEFINITIONS[usize::from(self.0)];
        row.first..row.first + row.count
    }

    /// The fields, by name.
    pub fn fields(self) -> impl Iterator<Item = Field> {
        self.range().map(Field)
    }

    pub fn field(self, name: &str) -> Option<Field> {
        let range = self.range();
        let rows = &FIELDS[usize::from(range.start)..usize::from(range.end)];
        let found = rows.binary_search_by(|row| bytes(row.name).cmp(name.as_bytes()));
        found.ok().map(|index| Field(range.start + index as u16))
    }

    /// The field at a dotted path of objects.
    pub fn at(self, path: &str) -> Option<Field> {
        let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
        let field = self.field(first)?;
        match rest {
            Some(rest) => field.schema()?.at(rest),
            None => Some(field),
        }
    }
}

impl Field {
    fn row(self) -> &'static row::FieldRow {
        &FIELDS[usize::from(self.0)]
    }

    fn merging(self) -> &'static row::MergingRow {
        &MERGING[usize::from(self.row().merging)]
    }

    pub fn name(self) -> &'static str {
        text(self.row().name)
    }

    /// What it holds, inside its [`Field::shape`].
    pub fn leaf(self) -> Leaf {
        self.row().leaf
    }

    pub fn shape(self) -> Shape {
        self.row().shape
    }

    /// The definition of what it holds; for unions inside JSON schemas, the JSON schema.
    pub fn schema(self) -> Option<Schema> {
        match self.leaf() {
            Leaf::Object => Some(Schema(self.row().target)),
            Leaf::SchemaOrBool | Leaf::SchemaOrArray | Leaf::SchemaOrStrings => {
                lookup("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps")
            }
            _ => None,
        }
    }

    pub fn is_required(self) -> bool {
        self.row().required
    }

    /// Whether zero, false or an empty text is a value of its own, not the same as none (Go holds it by pointer, or
    /// always writes it).
    pub fn zero_counts(self) -> bool {
        self.row().zero_counts
    }

    /// Whether Go's JSON leaves the field out where it holds this; structs (an int-or-string, a JSON schema) it shows always.
    pub fn is_left_out(self, value: &Value) -> bool {
        match (self.shape(), value) {
            (Shape::One, Value::Bool(it)) => !it && self.leaf() == Leaf::Boolean && !self.zero_counts(),
            (Shape::One, Value::String(text)) => {
                text.is_empty() && matches!(self.leaf(), Leaf::String | Leaf::Bytes) && !self.zero_counts()
            }
            (Shape::One, Value::Number(number)) => {
                let is_number = matches!(self.leaf(), Leaf::Int32 | Leaf::Int64 | Leaf::Double);
                is_number && !self.zero_counts() && number.as_f64() == Some(0.0)
            }
            (Shape::List, Value::Array(items)) => items.is_empty() && !self.is_required(),
            (Shape::Map | Shape::MapOfLists, Value::Object(entries)) => entries.is_empty() && !self.is_required(),
            _ => false,
        }
    }

    /// The default that upstream's types declare, as JSON.
    pub fn default(self) -> Option<&'static str> {
        Some(text(self.row().default)).filter(|text| !text.is_empty())
    }

    /// The protobuf field number; `None` where it is not known (a field newer than the source of tags).
    pub fn tag(self) -> Option<u16> {
        Some(self.row().tag).filter(|tag| *tag != 0)
    }

    /// The field numbers of the messages that it is embedded in on the wire, from outside in; JSON shows none of them.
    pub fn embedded_in(self) -> impl Iterator<Item = u16> {
        let via = self.row().via;
        [via >> 8, via & 0xff].into_iter().filter(|tag| *tag != 0)
    }

    pub fn topology(self) -> Topology {
        match self.merging().topology {
            1 => Topology::Atomic,
            2 => Topology::Set,
            3 => Topology::Map,
            4 => Topology::Granular,
            _ => Topology::Unmarked,
        }
    }

    /// What tells the items of a [`Topology::Map`] list apart.
    pub fn list_keys(self) -> impl Iterator<Item = &'static str> {
        self.merging().list_keys.iter().filter(|key| **key != 0).map(|key| text(*key))
    }

    /// Strategic merge patch: what items are merged by. Empty for a list of scalars.
    pub fn merge_key(self) -> &'static str {
        text(self.merging().merge_key)
    }

    /// Strategic merge patch: lists are merged, not replaced.
    pub fn merges(self) -> bool {
        self.merging().merge
    }

    /// Strategic merge patch: a patch names the keys that stay.
    pub fn retains_keys(self) -> bool {
        self.merging().retain_keys
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} {:?}", self.name(), self.shape(), self.leaf())
    }
}

/// The descriptions of all definitions and fields, unpacked: about a megabyte, to be dropped after use.
pub struct Descriptions {
    text: String,
    /// Where each begins.
    starts: Vec<u32>,
}

impl Descriptions {
    pub fn unpack() -> Self {
        let mut text = String::new();
        DeflateDecoder::new(DESCRIPTIONS).read_to_string(&mut text).expect("a test unpacks what is checked in");
        let mut starts = vec![0];
        starts.extend(text.match_indices(SEPARATOR).map(|(at, _)| at as u32 + 1));
        Descriptions { text, starts }
    }

    pub fn of(&self, schema: Schema) -> &str {
        self.nth(usize::from(schema.0) + usize::from(schema.range().start))
    }

    pub fn of_field(&self, field: Field) -> &str {
        // Each definition's own description comes before its fields'.
        let owner = DEFINITIONS.partition_point(|row| row.first + row.count <= field.0);
        self.nth(owner + 1 + usize::from(field.0))
    }

    fn nth(&self, index: usize) -> &str {
        let start = self.starts[index] as usize;
        let end = self.starts.get(index + 1).map_or(self.text.len(), |next| *next as usize - SEPARATOR.len_utf8());
        &self.text[start..end]
    }
}
