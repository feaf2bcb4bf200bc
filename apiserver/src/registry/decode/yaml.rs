//! Keys that a YAML mapping has twice. The parser takes the last one and says nothing, so the text is read again for them.

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

/// Duplicates that are reported; each costs a reading of the text.
const REPORTS_MAX: usize = 20;
const MARK: &str = "already set in map";

/// What Go's parser says of all of them, in one text: `line 11: key "foo" already set in map`. `None` where there are none.
pub(super) fn duplicates(bytes: &[u8]) -> Option<String> {
    let mut lines = Vec::new();
    for skip in 0..REPORTS_MAX {
        let left = Cell::new(skip);
        let read = Node { left: &left }.deserialize(serde_norway::Deserializer::from_slice(bytes));
        // Any other error has been reported by whoever read the text for its content.
        let Some(error) = read.err().filter(|error| error.to_string().contains(MARK)) else { break };
        let line = error.location().map_or(0, |at| at.line());
        let shown = error.to_string();
        let key = shown.split("key ").nth(1).and_then(|rest| rest.split(MARK).next()).unwrap_or("").trim_end();
        lines.push(format!("\n  line {line}: key {key} {MARK}"));
    }
    let told = || format!("error converting YAML to JSON: yaml: unmarshal errors:{}", lines.concat());
    (!lines.is_empty()).then(told)
}

/// Any value, walked for its keys. Fails at the first duplicate after `left` others.
#[derive(Clone, Copy)]
struct Node<'a> {
    left: &'a Cell<usize>,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while entries.next_key_seed(Key { seen: &mut seen, left: self.left })?.is_some() {
            entries.next_value_seed(self)?;
        }
        Ok(())
    }
}

/// A key of a mapping whose other keys are `seen`.
struct Key<'a> {
    seen: &'a mut HashSet<String>,
    left: &'a Cell<usize>,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<(), E> {
        if self.seen.insert(key.to_owned()) {
            return Ok(());
        }
        match self.left.get().checked_sub(1) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => Err(E::custom(format!("key {key:?} {MARK}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::duplicates;

    #[test]
    fn each_key_that_comes_again_is_named_with_its_line() {
        let text = "\na: 1\nspec:\n  foo: x\n  foo: y\n  list:\n  - b: 1\n    b: 2\n";
        let expected = "error converting YAML to JSON: yaml: unmarshal errors:\n  \
            line 5: key \"foo\" already set in map\n  line 8: key \"b\" already set in map";
        assert_eq!(duplicates(text.as_bytes()).as_deref(), Some(expected));
        assert_eq!(duplicates(b"a: 1\nb: {a: 1}\n"), None);
    }
}
