//! What is known of a value, whether the static table knows it or a custom resource's compiled schema: how it is taken
//! apart by server-side apply, and what lies inside it. What is not known at all goes key by key, its lists as a whole.

use super::{Field, Leaf, Schema, Shape, Topology, lookup};
use crate::custom::structural::{ListType, MapType, Structural};
use serde_json::Value;

const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/// What is known of a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Context<'a> {
    /// An object with declared fields.
    Object(Schema),
    /// What a field holds, in its shape.
    Field(Field),
    /// An item of a field's list or map.
    Item(Field),
    /// A value of a custom resource.
    Custom(&'a Structural),
    Unknown,
}

/// How a value is taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parts<'a> {
    /// Not at all: it is owned and replaced as a whole.
    Leaf,
    /// An object, key by key.
    Keys,
    /// A list whose items are told apart by these of their fields.
    Keyed(Vec<&'a str>),
    /// A list whose items are told apart by their value.
    Values,
}

/// What a field is that is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Implied {
    /// Not there.
    Nothing,
    /// An object without fields.
    Object,
    /// An empty list.
    List,
    /// The zero of its type.
    Zero,
}

/// Structs that upstream's types hold by value though no rule requires them: they are there at all times, so that no
/// write adds or removes them.
/// k8s: fields of these names without a pointer, in `k8s.io/api`
const HELD_BY_VALUE: &[&str] = &[
    "daemonEndpoints",
    "jobTemplate",
    "kubeletEndpoint",
    "lastState",
    "loadBalancer",
    "metadata",
    "nodeInfo",
    "source",
    "spec",
    "state",
    "status",
    "strategy",
    "template",
    "updateStrategy",
];

impl<'a> Context<'a> {
    pub fn of(schema: Option<Schema>) -> Self {
        schema.map_or(Self::Unknown, Self::Object)
    }

    pub fn parts(self, value: &Value) -> Parts<'a> {
        match (value, self) {
            (Value::Object(_), Self::Object(schema)) if schema.is_atomic() => Parts::Leaf,
            (Value::Object(_), Self::Field(field)) if field.topology() == Topology::Atomic => Parts::Leaf,
            (Value::Object(_), Self::Field(field)) if field.topology() == Topology::Granular => Parts::Keys,
            (Value::Object(_), Self::Field(field)) if field.shape() == Shape::One => Self::Item(field).parts(value),
            (Value::Object(_), Self::Item(field)) => match field.schema() {
                Some(schema) if schema.is_atomic() => Parts::Leaf,
                _ => Parts::Keys,
            },
            (Value::Object(_), Self::Custom(schema)) if schema.map == MapType::Atomic => Parts::Leaf,
            (Value::Object(_), _) => Parts::Keys,
            (Value::Array(_), Self::Field(field)) => match field.topology() {
                Topology::Map => Parts::Keyed(field.list_keys().collect()),
                Topology::Set => Parts::Values,
                Topology::Atomic | Topology::Granular | Topology::Unmarked => Parts::Leaf,
            },
            (Value::Array(_), Self::Custom(schema)) => match schema.list {
                ListType::Map => Parts::Keyed(schema.list_keys.iter().map(String::as_str).collect()),
                ListType::Set => Parts::Values,
                ListType::Atomic => Parts::Leaf,
            },
            _ => Parts::Leaf,
        }
    }

    /// Whether the value is owned and replaced as a whole.
    pub fn is_leaf(self, value: &Value) -> bool {
        // Asked of every value: nobody wants to know the keys of a list for it.
        match (value, self) {
            (Value::Array(_), Self::Field(field)) => !matches!(field.topology(), Topology::Map | Topology::Set),
            (Value::Array(_), Self::Custom(schema)) => schema.list == ListType::Atomic,
            (Value::Array(_), _) => true,
            (value, _) => self.parts(value) == Parts::Leaf,
        }
    }

    /// What is known of the value at a key of this object or map.
    pub fn field(self, name: &str) -> Self {
        match self {
            Self::Object(schema) => schema.field(name).map_or(Self::Unknown, Self::Field),
            Self::Field(field) if field.shape() == Shape::One => Self::Item(field).field(name),
            Self::Field(field) => Self::Item(field),
            Self::Item(field) => {
                field.schema().and_then(|schema| schema.field(name)).map_or(Self::Unknown, Self::Field)
            }
            // k8s: metadata of a custom or embedded object is always ObjectMeta, whatever its schema says of it
            Self::Custom(schema) if schema.is_embedded && name == "metadata" => Self::of(lookup(OBJECT_META)),
            Self::Custom(schema) => schema.property(name).map_or(Self::Unknown, Self::Custom),
            Self::Unknown => Self::Unknown,
        }
    }

    /// Whether `name` is a declared field of this object, not an entry of a map.
    pub fn declares(self, name: &str) -> bool {
        match self {
            Self::Object(schema) => schema.field(name).is_some(),
            Self::Field(field) if field.shape() == Shape::One => Self::Item(field).declares(name),
            Self::Item(field) => field.schema().is_some_and(|schema| schema.field(name).is_some()),
            Self::Custom(schema) => (schema.is_embedded && name == "metadata") || schema.properties.contains_key(name),
            Self::Field(_) | Self::Unknown => false,
        }
    }

    /// What this field is for readers where it is not written.
    pub fn implied(self) -> Implied {
        let Self::Field(field) = self else { return Implied::Nothing };
        let required = field.is_required();
        match (field.shape(), field.leaf()) {
            (Shape::One, Leaf::Object) if required || HELD_BY_VALUE.contains(&field.name()) => Implied::Object,
            (Shape::List, _) if required => Implied::List,
            (Shape::Map | Shape::MapOfLists, _) if required => Implied::Object,
            (Shape::One, Leaf::String | Leaf::Boolean | Leaf::Int32 | Leaf::Int64) if required => Implied::Zero,
            _ => Implied::Nothing,
        }
    }

    /// The value of this field where it is a key of a list and left out.
    pub fn key_default(self) -> Option<Value> {
        match self {
            Self::Field(field) => serde_json::from_str(field.default()?).ok(),
            Self::Object(_) | Self::Item(_) | Self::Custom(_) | Self::Unknown => None,
        }
    }

    /// What is known of the items of this list.
    pub fn item(self) -> Self {
        match self {
            Self::Field(field) => Self::Item(field),
            Self::Custom(schema) => schema.items.as_deref().map_or(Self::Unknown, Self::Custom),
            Self::Object(_) | Self::Item(_) | Self::Unknown => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_custom_schema_says_what_the_table_says_of_built_in_types() {
        let schema = Structural::compile(
            &json!({"type": "object", "x-kubernetes-embedded-resource": true, "properties": {
            "ports": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["port", "protocol"],
                "items": {"type": "object", "properties": {"tags": {"type": "array", "x-kubernetes-list-type": "set"}}}},
            "whole": {"type": "object", "x-kubernetes-map-type": "atomic"},
            "map": {"type": "object", "additionalProperties": {"type": "array", "x-kubernetes-list-type": "set"}},
            "list": {"type": "array"}, "metadata": {"type": "object", "x-kubernetes-map-type": "atomic"}}}),
        );
        let root = Context::Custom(&schema);
        let (object, list) = (json!({}), json!([]));
        assert_eq!(root.field("ports").parts(&list), Parts::Keyed(vec!["port", "protocol"]));
        assert_eq!(root.field("ports").item().field("tags").parts(&list), Parts::Values);
        assert_eq!(root.field("whole").parts(&object), Parts::Leaf);
        assert_eq!(root.field("map").parts(&object), Parts::Keys);
        assert_eq!(root.field("map").field("any").parts(&list), Parts::Values);
        assert_eq!(root.field("list").parts(&list), Parts::Leaf);
        assert_eq!(root.field("metadata").field("finalizers").parts(&list), Parts::Values);
        assert_eq!(root.field("metadata").field("ownerReferences").parts(&list), Parts::Keyed(vec!["uid"]));
        assert_eq!(root.field("unheard").field("of").parts(&object), Parts::Keys);
        assert_eq!(root.field("unheard").parts(&list), Parts::Leaf);
    }
}
