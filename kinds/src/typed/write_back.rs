//! A typed object written over the tree that it was read from. What is as it was stays where it is, so that a few defaults cost
//! a few entries and not a whole new tree: no key is copied, no text, no map made again. What comes out is what
//! [`serde_json::to_value`] makes.

use serde::Serialize;
use serde::ser::{Error as _, Impossible, SerializeMap, SerializeSeq, SerializeStruct, SerializeTuple, Serializer};
use serde_json::{Error, Map, Value};
use smallvec::SmallVec;

/// Fields of most structs; more cost an allocation.
const FIELDS: usize = 24;

/// Makes `tree` say what `object` says. After an error, which only types that JSON has no plain form for bring about, part of
/// the tree may have been written.
pub(super) fn write<T: Serialize + ?Sized>(object: &T, tree: &mut Value) -> Result<(), Error> {
    object.serialize(Over(tree))
}

/// A value that is written over.
struct Over<'a>(&'a mut Value);

impl<'a> Over<'a> {
    fn scalar(self, value: Value) {
        if *self.0 != value {
            *self.0 = value;
        }
    }

    fn map(self) -> &'a mut Map<String, Value> {
        if !self.0.is_object() {
            *self.0 = Value::Object(Map::new());
        }
        match self.0 {
            Value::Object(map) => map,
            _ => unreachable!("made an object above"),
        }
    }

    fn items(self) -> Items<'a> {
        if !self.0.is_array() {
            *self.0 = Value::Array(Vec::new());
        }
        match self.0 {
            Value::Array(items) => Items { items, written: 0 },
            _ => unreachable!("made an array above"),
        }
    }
}

fn no_plain_form() -> Error {
    Error::custom("a variant that holds something")
}

macro_rules! scalars {
    ($($method:ident: $type:ty),* $(,)?) => {
        $(fn $method(self, value: $type) -> Result<(), Error> {
            self.scalar(Value::from(value));
            Ok(())
        })*
    };
}

impl<'a> Serializer for Over<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Items<'a>;
    type SerializeTupleStruct = Impossible<(), Error>;
    type SerializeTupleVariant = Impossible<(), Error>;
    type SerializeMap = Entries<'a>;
    type SerializeStruct = Fields<'a>;
    type SerializeStructVariant = Impossible<(), Error>;

    scalars! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_f32: f32,
        serialize_f64: f64,
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), Error> {
        match self.0 {
            Value::String(text) if text == value => {}
            Value::String(text) => value.clone_into(text),
            other => *other = Value::from(value),
        }
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Error> {
        self.scalar(Value::from(value));
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        *self.0 = Value::Null;
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Error> {
        Err(no_plain_form())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items<'a>, Error> {
        Ok(self.items())
    }

    fn serialize_tuple(self, _: usize) -> Result<Items<'a>, Error> {
        Ok(self.items())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Impossible<(), Error>, Error> {
        Err(no_plain_form())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Impossible<(), Error>, Error> {
        Err(no_plain_form())
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Entries<'a>, Error> {
        let map = self.map();
        let old = std::mem::take(map);
        Ok(Entries { map, old, key: Value::Null })
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields<'a>, Error> {
        Ok(Fields { map: self.map(), written: SmallVec::new() })
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Impossible<(), Error>, Error> {
        Err(no_plain_form())
    }
}

/// A list that is written over, item by item.
struct Items<'a> {
    items: &'a mut Vec<Value>,
    written: usize,
}

impl Items<'_> {
    fn write<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        if self.written == self.items.len() {
            self.items.push(Value::Null);
        }
        value.serialize(Over(&mut self.items[self.written]))?;
        self.written += 1;
        Ok(())
    }
}

impl SerializeSeq for Items<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.write(value)
    }

    fn end(self) -> Result<(), Error> {
        self.items.truncate(self.written);
        Ok(())
    }
}

impl SerializeTuple for Items<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.write(value)
    }

    fn end(self) -> Result<(), Error> {
        SerializeSeq::end(self)
    }
}

/// A struct's fields: those that are not written by its end go.
struct Fields<'a> {
    map: &'a mut Map<String, Value>,
    written: SmallVec<[&'static str; FIELDS]>,
}

impl SerializeStruct for Fields<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        self.written.push(name);
        if let Some(old) = self.map.get_mut(name) {
            return value.serialize(Over(old));
        }
        self.map.insert(name.to_owned(), serde_json::to_value(value)?);
        Ok(())
    }

    fn end(self) -> Result<(), Error> {
        if self.map.len() > self.written.len() {
            self.map.retain(|name, _| self.written.contains(&name.as_str()));
        }
        Ok(())
    }
}

/// A map's entries, which move over from the old one as they are written.
struct Entries<'a> {
    map: &'a mut Map<String, Value>,
    old: Map<String, Value>,
    key: Value,
}

impl SerializeMap for Entries<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        key.serialize(Over(&mut self.key))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let Value::String(key) = &self.key else { return Err(Error::custom("a key that is no string")) };
        let (key, mut slot) = self.old.remove_entry(key).unwrap_or_else(|| (key.clone(), Value::Null));
        value.serialize(Over(&mut slot))?;
        self.map.insert(key, slot);
        Ok(())
    }

    fn end(self) -> Result<(), Error> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::Pod;
    use proptest::prelude::*;
    use serde_json::json;
    use std::collections::BTreeMap;

    fn written(object: &impl Serialize, mut tree: Value) -> Value {
        write(object, &mut tree).unwrap();
        tree
    }

    #[test]
    fn what_is_left_out_goes_and_what_is_new_comes() {
        let before = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "labels": {"gone": "x", "kept": "y"}},
            "spec": {"hostNetwork": false, "containers": [{"name": "c", "args": ["x", "y"]}, {"name": "d"}]},
        });
        let mut pod: Pod = serde_json::from_value(before.clone()).unwrap();
        let labels = pod.metadata.labels.as_mut().unwrap();
        labels.remove("gone");
        labels.insert("new".to_owned(), "z".to_owned());
        let spec = pod.spec.as_mut().unwrap();
        spec.host_network = None;
        spec.containers.pop();
        spec.containers[0].args.as_mut().unwrap()[0] = "w".to_owned();
        spec.dns_policy = Some("ClusterFirst".to_owned());
        let after = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "labels": {"kept": "y", "new": "z"}},
            "spec": {"dnsPolicy": "ClusterFirst", "containers": [{"name": "c", "args": ["w", "y"]}]},
        });
        assert_eq!(written(&pod, before), after);
    }

    fn any_tree() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-2_i64..3).prop_map(Value::from),
            "[ab]{0,2}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[abc]", inner, 0..4).prop_map(Value::from_iter::<BTreeMap<String, Value>>),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_tree_becomes_what_is_written_over_it(before in any_tree(), after in any_tree()) {
            prop_assert_eq!(written(&after, before), after);
        }
    }
}
