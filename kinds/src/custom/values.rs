//! Value validation: the rules of an OpenAPI v3 schema, compiled once, with the error texts that clients know.
//! k8s: kube-openapi's validation, and apiextensions' translation of its errors
//!
//! An update is held to the rules only where it changes something: a value that is what it was before passes.

mod check;
mod formats;

pub(crate) use check::validate;
pub(crate) use formats::Format;

use super::structural::{DEPTH_MAX, flag, text};
use regex::Regex;
use serde_json::{Number, Value};
use std::collections::BTreeMap;

/// A compiled schema.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values {
    /// Empty: any.
    types: Vec<Type>,
    nullable: bool,
    format: Option<Format>,
    enumeration: Vec<Value>,
    numbers: Option<Box<Numbers>>,
    strings: Option<Box<Strings>>,
    items_min: Option<u64>,
    items_max: Option<u64>,
    properties_min: Option<u64>,
    properties_max: Option<u64>,
    required: Vec<String>,
    properties: BTreeMap<String, Values>,
    additional: Option<Box<Values>>,
    items: Option<Box<Values>>,
    /// What tells the items of a list of the type `map` apart; empty for other lists.
    list_keys: Vec<String>,
    all_of: Vec<Values>,
    any_of: Vec<Values>,
    one_of: Vec<Values>,
    not: Option<Box<Values>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Array,
    Boolean,
    Integer,
    Number,
    Object,
    String,
}

#[derive(Clone, Debug, Default)]
struct Numbers {
    minimum: Option<Number>,
    exclusive_minimum: bool,
    maximum: Option<Number>,
    exclusive_maximum: bool,
    multiple_of: Option<Number>,
}

#[derive(Clone, Debug, Default)]
struct Strings {
    length_min: Option<u64>,
    length_max: Option<u64>,
    pattern: Option<Regex>,
}

/// Types by name, in the order in which upstream lists them.
pub(crate) const TYPES: &[(&str, Type)] = &[
    ("array", Type::Array),
    ("boolean", Type::Boolean),
    ("integer", Type::Integer),
    ("number", Type::Number),
    ("object", Type::Object),
    ("string", Type::String),
];

impl Type {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        TYPES.iter().find(|(known, _)| *known == name).map(|(_, ty)| *ty)
    }

    pub(crate) fn name(self) -> &'static str {
        TYPES.iter().find(|(_, ty)| *ty == self).map_or("", |(name, _)| name)
    }
}

impl Values {
    /// Reads an OpenAPI v3 schema. What makes no sense in it was refused when it was written, and is no rule.
    pub(crate) fn compile(schema: &Value) -> Self {
        Self::at_depth(schema, 0)
    }

    fn at_depth(schema: &Value, depth: usize) -> Self {
        if depth == DEPTH_MAX {
            return Self::default();
        }
        let inner = |schema: &Value| Self::at_depth(schema, depth + 1);
        let boxed = |keyword: &str| {
            schema.get(keyword).filter(|schema| schema.is_object()).map(|schema| Box::new(inner(schema)))
        };
        let all = |keyword: &str| list(schema, keyword).map(inner).collect();
        let count = |keyword: &str| schema.get(keyword).and_then(Value::as_u64);
        let names = |keyword: &str| list(schema, keyword).filter_map(|name| name.as_str().map(str::to_owned)).collect();
        let types = if flag(schema, "x-kubernetes-int-or-string") {
            vec![Type::Integer, Type::String]
        } else {
            Type::parse(text(schema, "type")).into_iter().collect()
        };
        let properties = schema.get("properties").and_then(Value::as_object);
        Self {
            types,
            nullable: flag(schema, "nullable"),
            format: Format::parse(text(schema, "format")),
            enumeration: list(schema, "enum").cloned().collect(),
            numbers: Numbers::compile(schema),
            strings: Strings::compile(schema),
            items_min: count("minItems"),
            items_max: count("maxItems"),
            properties_min: count("minProperties"),
            properties_max: count("maxProperties"),
            required: names("required"),
            properties: properties.into_iter().flatten().map(|(name, schema)| (name.clone(), inner(schema))).collect(),
            additional: boxed("additionalProperties"),
            items: boxed("items"),
            list_keys: match text(schema, "x-kubernetes-list-type") {
                "map" => names("x-kubernetes-list-map-keys"),
                _ => Vec::new(),
            },
            all_of: all("allOf"),
            any_of: all("anyOf"),
            one_of: all("oneOf"),
            not: boxed("not"),
        }
    }

    /// The whole object: what `metadata` holds is not for the schema to say, but for `name` and `generateName`.
    pub(crate) fn of_object(schema: &Value) -> Self {
        let mut values = Self::compile(schema);
        if let Some(metadata) = values.properties.get_mut("metadata") {
            metadata.required.clear();
        }
        values
    }
}

impl Numbers {
    fn compile(schema: &Value) -> Option<Box<Self>> {
        let number = |keyword: &str| schema.get(keyword).and_then(Value::as_number).cloned();
        let numbers = Self {
            minimum: number("minimum"),
            exclusive_minimum: flag(schema, "exclusiveMinimum"),
            maximum: number("maximum"),
            exclusive_maximum: flag(schema, "exclusiveMaximum"),
            multiple_of: number("multipleOf"),
        };
        let any = numbers.minimum.is_some() || numbers.maximum.is_some() || numbers.multiple_of.is_some();
        any.then(|| Box::new(numbers))
    }
}

impl Strings {
    fn compile(schema: &Value) -> Option<Box<Self>> {
        let count = |keyword: &str| schema.get(keyword).and_then(Value::as_u64);
        let strings = Self {
            length_min: count("minLength"),
            length_max: count("maxLength"),
            pattern: Some(text(schema, "pattern")).filter(|text| !text.is_empty()).and_then(|text| pattern(text).ok()),
        };
        let any = strings.length_min.is_some() || strings.length_max.is_some() || strings.pattern.is_some();
        any.then(|| Box::new(strings))
    }
}

/// Compiled patterns may take this much memory each; a CustomResourceDefinition has thousands at most.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// A pattern as Go's regexp reads it, nearly: both are the syntax of RE2.
pub(crate) fn pattern(text: &str) -> Result<Regex, regex::Error> {
    regex::RegexBuilder::new(text).size_limit(PATTERN_BYTES_MAX).build()
}

fn list<'a>(schema: &'a Value, keyword: &str) -> impl Iterator<Item = &'a Value> {
    schema.get(keyword).and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests;
