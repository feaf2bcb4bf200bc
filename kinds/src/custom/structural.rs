//! A structural schema, compiled: the shape of a custom resource's values, as pruning, defaulting and server-side apply ask
//! for it. Rules about content are not here (`values`), and whether the schema itself is acceptable was settled when its
//! CustomResourceDefinition was written: what makes no sense here is read as if it were absent.

use super::values::{Format, Type};
use serde_json::Value;
use std::collections::BTreeMap;

/// Schemas inside schemas that are looked at. A CustomResourceDefinition that nests deeper does not decode.
pub(crate) const DEPTH_MAX: usize = crate::schema::decode::DEPTH_MAX;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Structural {
    /// `None`: a value of any type, or an int-or-string.
    pub(crate) ty: Option<Type>,
    pub(crate) format: Option<Format>,
    pub(crate) properties: BTreeMap<String, Structural>,
    pub(crate) additional: Additional,
    pub(crate) items: Option<Box<Structural>>,
    pub(crate) list: ListType,
    /// What tells the items of a [`ListType::Map`] apart.
    pub(crate) list_keys: Vec<String>,
    pub(crate) map: MapType,
    /// The value is an object with `apiVersion`, `kind` and `metadata`.
    pub(crate) is_embedded: bool,
    /// Fields that are not declared stay.
    pub(crate) preserves: bool,
    pub(crate) nullable: bool,
    pub(crate) default: Option<Value>,
}

/// What an object may hold beside its declared properties.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Additional {
    #[default]
    No,
    Any,
    Of(Box<Structural>),
}

/// `x-kubernetes-map-type`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum MapType {
    #[default]
    Granular,
    /// The object is owned and replaced as a whole.
    Atomic,
}

/// `x-kubernetes-list-type`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ListType {
    #[default]
    Atomic,
    Set,
    Map,
}

impl Structural {
    /// Reads an OpenAPI v3 schema.
    pub fn compile(schema: &Value) -> Self {
        Self::at_depth(schema, 0)
    }

    fn at_depth(schema: &Value, depth: usize) -> Self {
        if depth == DEPTH_MAX {
            return Self::default();
        }
        let inner = |schema: &Value| Self::at_depth(schema, depth + 1);
        let properties = schema.get("properties").and_then(Value::as_object);
        let properties: BTreeMap<_, _> =
            properties.into_iter().flatten().map(|(name, schema)| (name.clone(), inner(schema))).collect();
        let additional = match schema.get("additionalProperties") {
            None | Some(Value::Bool(false) | Value::Null) => Additional::No,
            Some(schema @ Value::Object(_)) => Additional::Of(Box::new(inner(schema))),
            Some(_) => Additional::Any,
        };
        let list = match text(schema, "x-kubernetes-list-type") {
            "set" => ListType::Set,
            "map" => ListType::Map,
            _ => ListType::Atomic,
        };
        let keys = schema.get("x-kubernetes-list-map-keys").and_then(Value::as_array);
        let items = schema.get("items").filter(|items| items.is_object()).map(|items| Box::new(inner(items)));
        let is_embedded = flag(schema, "x-kubernetes-embedded-resource");
        Self {
            ty: Type::parse(text(schema, "type")),
            format: Format::parse(text(schema, "format")),
            properties,
            additional,
            items,
            list,
            list_keys: keys.into_iter().flatten().filter_map(|key| key.as_str().map(str::to_owned)).collect(),
            map: if text(schema, "x-kubernetes-map-type") == "atomic" { MapType::Atomic } else { MapType::Granular },
            is_embedded,
            preserves: flag(schema, "x-kubernetes-preserve-unknown-fields"),
            nullable: flag(schema, "nullable"),
            default: schema.get("default").filter(|default| !default.is_null()).cloned(),
        }
    }

    /// What a property's value is; `None` where nothing is known of it.
    pub(crate) fn property(&self, name: &str) -> Option<&Self> {
        self.properties.get(name).or(match &self.additional {
            Additional::Of(schema) => Some(schema),
            Additional::Any | Additional::No => None,
        })
    }

    /// Path of the value called `name` in an object of this schema at `path`: what is no declared property is an entry of
    /// a map.
    /// k8s: field.Path's Child and Key
    pub(crate) fn path_of(&self, name: &str, path: &str) -> String {
        match (self.properties.contains_key(name), path) {
            (true, "") => name.to_owned(),
            (true, path) => format!("{path}.{name}"),
            (false, path) => format!("{path}[{name}]"),
        }
    }

    /// Of a whole object: its `apiVersion`, `kind` and `metadata` are what they are for every object.
    pub(crate) fn of_object(schema: &Value) -> Self {
        Self { is_embedded: true, ..Self::compile(schema) }
    }
}

pub(crate) fn text<'a>(schema: &'a Value, keyword: &str) -> &'a str {
    schema.get(keyword).and_then(Value::as_str).unwrap_or("")
}

pub(crate) fn flag(schema: &Value, keyword: &str) -> bool {
    schema.get(keyword).and_then(Value::as_bool).unwrap_or(false)
}
