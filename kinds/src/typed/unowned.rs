//! A tree as typed code reads it: all of it but `metadata.managedFields`, without taking that out of the tree first.

use crate::tree::MANAGED_FIELDS;
use serde::de::value::MapDeserializer;
use serde::de::{Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Error, Map, Value};

/// An object without its managed fields.
#[derive(Clone, Copy)]
pub(super) struct Unowned<'a>(pub(super) &'a Value);

impl<'de> Deserializer<'de> for Unowned<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Value::Object(fields) = self.0 else { return self.0.deserialize_any(visitor) };
        let parts = fields.iter().map(|(name, value)| match value {
            Value::Object(metadata) if name == "metadata" => (name.as_str(), Part::Metadata(metadata)),
            value => (name.as_str(), Part::Whole(value)),
        });
        visitor.visit_map(MapDeserializer::new(parts))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// A field of an object.
#[derive(Clone, Copy)]
enum Part<'a> {
    Metadata(&'a Map<String, Value>),
    Whole(&'a Value),
}

impl<'de> IntoDeserializer<'de, Error> for Part<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Part<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Metadata(fields) => {
                let kept = fields.iter().filter(|(name, _)| *name != MANAGED_FIELDS);
                visitor.visit_map(MapDeserializer::new(kept.map(|(name, value)| (name.as_str(), value))))
            }
            Self::Whole(value) => value.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Metadata(_) => visitor.visit_some(self),
            Self::Whole(value) => value.deserialize_option(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Metadata(_) => visitor.visit_newtype_struct(self),
            Self::Whole(value) => value.deserialize_newtype_struct(name, visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self {
            Self::Metadata(_) => self.deserialize_any(visitor),
            Self::Whole(value) => value.deserialize_enum(name, variants, visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::Pod;
    use serde::Deserialize;
    use serde_json::json;

    #[test]
    fn everything_but_managed_fields_is_read() {
        let mut tree = json!({
            "apiVersion": "v1", "kind": "Pod", "spec": {"nodeName": "n", "containers": [{"name": "c"}]},
            "metadata": {"name": "a", "labels": {"managedFields": "x"}},
        });
        let plain: Pod = serde_json::from_value(tree.clone()).unwrap();
        tree["metadata"]["managedFields"] = json!([{"manager": "m", "fieldsV1": {"f:spec": {}}}]);
        assert_eq!(Pod::deserialize(Unowned(&tree)).unwrap(), plain);
        assert!(Pod::deserialize(Unowned(&json!({"metadata": 1}))).is_err());
        assert!(Pod::deserialize(Unowned(&json!([]))).is_err());
    }
}
