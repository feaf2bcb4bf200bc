//! YAML bodies: what may reach the parser, and the keys that a mapping has twice. The parser takes the last one of these
//! and says nothing, so the text is read again for them.

use kinds::schema::decode::untyped;
use kinds::yaml::{FLOW_DEPTH_MAX, FLOW_WORK_MAX, flow, with_octals};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

/// Duplicates that are reported; each costs a reading of the text.
const REPORTS_MAX: usize = 20;
const MARK: &str = "already set in map";

/// The tree of a body and what is said of keys that are given twice; else why it is none.
pub(super) fn tree(bytes: &[u8]) -> Result<(Value, Vec<String>), String> {
    // Most clients that apply say YAML and send JSON.
    if let Ok((tree, paths)) = untyped(bytes)
        && paths.is_empty()
    {
        return Ok((tree, Vec::new()));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| format!("YAML must be UTF-8: {error}"))?;
    let found = flow(bytes);
    if found.deepest > FLOW_DEPTH_MAX || found.work > FLOW_WORK_MAX {
        return Err(format!("brackets nest too deep: {} are open at once", found.deepest));
    }
    let tree = serde_norway::from_str(&with_octals(text)).map_err(|error| error.to_string())?;
    Ok((tree, duplicates(bytes).into_iter().collect()))
}

/// What Go's parser says of all of them, in one text: `line 11: key "foo" already set in map`. `None` where there are none.
fn duplicates(bytes: &[u8]) -> Option<String> {
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
    use super::{duplicates, tree};

    #[test]
    fn deep_nesting_of_any_form_is_refused_without_being_parsed() {
        let deep = 1 << 20;
        let flow = format!("apiVersion: v1\nkind: {}", "[".repeat(deep));
        let hidden = format!("a: \"[\"\nb: {}", "{x: [\"}\", ".repeat(deep / 8));
        let blocks = "- ".repeat(deep);
        let bomb = (1..30)
            .fold("a0: &a0 [x, x]\n".to_owned(), |text, n| format!("{text}a{n}: &a{n} [*a{}, *a{}]\n", n - 1, n - 1));
        for text in [flow, hidden, blocks, bomb] {
            assert!(tree(text.as_bytes()).is_err(), "{}", &text[..20]);
        }
    }

    #[test]
    fn json_is_yaml_and_a_key_given_twice_is_still_told() {
        let (tree_, told) = tree(br#"{"a": {"b": [1, 1.5, "x"]}}"#).unwrap();
        assert_eq!((tree_.to_string().as_str(), told.len()), (r#"{"a":{"b":[1,1.5,"x"]}}"#, 0));
        assert_eq!(tree(br#"{"a": 1, "a": 2}"#).unwrap().1.len(), 1);
    }

    #[test]
    fn modes_of_files_are_octal() {
        assert_eq!(tree(b"mode: 0640\nname: '0640'\n").unwrap().0, serde_json::json!({"mode": 416, "name": "0640"}));
    }

    #[test]
    fn each_key_that_comes_again_is_named_with_its_line() {
        let text = "\na: 1\nspec:\n  foo: x\n  foo: y\n  list:\n  - b: 1\n    b: 2\n";
        let expected = "error converting YAML to JSON: yaml: unmarshal errors:\n  \
            line 5: key \"foo\" already set in map\n  line 8: key \"b\" already set in map";
        assert_eq!(duplicates(text.as_bytes()).as_deref(), Some(expected));
        assert_eq!(duplicates(b"a: 1\nb: {a: 1}\n"), None);
    }
}
