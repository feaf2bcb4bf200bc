//! The form of an object in the store and on the wire: JSON with `apiVersion`, `kind` and `metadata` first. The store
//! keeps no resourceVersion (it is the revision of the write); it is spliced in here, without parsing, when an object is read.

use bytes::{Bytes, BytesMut};
use serde::Serialize;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::fmt;
use store::Rev;

const METADATA: &[u8] = b"\"metadata\":{";
const HEAD: &[u8] = b"{\"apiVersion\":\"";
const REVISION: &str = "\"resourceVersion\":\"";

/// Bytes that most objects take.
const ROOM: usize = 2 << 10;

/// The bytes to store. `metadata.resourceVersion` is left out.
pub fn encode(object: &Value) -> Bytes {
    let mut out = Vec::with_capacity(ROOM);
    let empty = Map::new();
    let map = object.as_object().unwrap_or(&empty);
    out.push(b'{');
    for key in ["apiVersion", "kind"] {
        if let Some(value) = map.get(key) {
            member(&mut out, key, value);
        }
    }
    if let Some(metadata) = map.get("metadata").and_then(Value::as_object) {
        name(&mut out, "metadata");
        out.push(b'{');
        for (key, value) in metadata.iter().filter(|(key, _)| *key != "resourceVersion") {
            member(&mut out, key, value);
        }
        out.push(b'}');
    }
    for (key, value) in map.iter().filter(|(key, _)| !matches!(key.as_str(), "apiVersion" | "kind" | "metadata")) {
        member(&mut out, key, value);
    }
    out.push(b'}');
    out.into()
}

fn name(out: &mut Vec<u8>, key: &str) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    out.push(b'"');
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
}

fn member(out: &mut Vec<u8>, key: &str, value: &Value) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    text(out, key);
    out.push(b':');
    write(out, value);
}

/// As `serde_json` writes it.
fn write(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::String(string) => text(out, string),
        Value::Array(items) => {
            out.push(b'[');
            for (nth, item) in items.iter().enumerate() {
                if nth > 0 {
                    out.push(b',');
                }
                write(out, item);
            }
            out.push(b']');
        }
        Value::Object(fields) => {
            out.push(b'{');
            for (key, value) in fields {
                member(out, key, value);
            }
            out.push(b'}');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => encoded(out, value),
    }
}

/// Nearly no text has anything to escape, and to see that takes a fraction of looking at each character.
fn text(out: &mut Vec<u8>, text: &str) {
    if has_escapes(text.as_bytes()) {
        return encoded(out, text);
    }
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

/// Whether any byte is a control character, a quote or a backslash; eight at a time.
fn has_escapes(bytes: &[u8]) -> bool {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    // The highest bit of some byte is set where any byte is below `limit`.
    let any_below = |word: u64, limit: u8| word.wrapping_sub(ONES * u64::from(limit)) & !word & HIGH;
    let found = |word: u64| {
        let quotes = any_below(word ^ (ONES * u64::from(b'"')), 1);
        let backslashes = any_below(word ^ (ONES * u64::from(b'\\')), 1);
        any_below(word, b' ') | quotes | backslashes
    };
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [b'-'; 8];
    last[..rest.len()].copy_from_slice(rest);
    words.iter().chain([&last]).fold(0, |all, word| all | found(u64::from_le_bytes(*word))) != 0
}

fn encoded<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(out, value).expect("a JSON tree always encodes");
}

/// Where the members of `metadata` start; `None` where the bytes were not written by [`encode`].
fn metadata_at(stored: &[u8]) -> Option<usize> {
    if !stored.starts_with(HEAD) {
        return None;
    }
    // The two strings before it are an apiVersion and a kind: neither can hold a quote, so the first match is the one.
    let window = stored.get(..HEAD_MAX.min(stored.len()))?;
    let at = window.windows(METADATA.len()).position(|part| part == METADATA)?;
    Some(at + METADATA.len())
}

/// Labels of an object, in the order of its bytes.
pub type Labels = Box<[(Box<str>, Box<str>)]>;

/// The labels of stored bytes, read from their metadata alone; `None` where the bytes were not written by [`encode`].
pub fn labels(stored: &[u8]) -> Option<Labels> {
    let start = metadata_at(stored)? - 1;
    let metadata = Metadata::deserialize(&mut serde_json::Deserializer::from_slice(&stored[start..])).ok()?;
    Some(metadata.labels.0)
}

/// Of an object's bytes the values at these dotted paths alone, where they are; the rest is passed over without being
/// kept. `Null` for what is no object.
pub fn pick(json: &[u8], paths: &[&str]) -> Value {
    Pick { paths }.deserialize(&mut serde_json::Deserializer::from_slice(json)).unwrap_or_default()
}

/// Reads a value of which these paths are wanted.
struct Pick<'a> {
    paths: &'a [&'a str],
}

impl<'de> DeserializeSeed<'de> for Pick<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Pick<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut picked = Map::new();
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            let below: SmallVec<[&str; 8]> = self.paths.iter().filter_map(|path| path.strip_prefix(&*key)).collect();
            let deeper: SmallVec<[&str; 8]> = below.iter().filter_map(|rest| rest.strip_prefix('.')).collect();
            if below.contains(&"") {
                picked.insert(key.into_owned(), map.next_value()?);
            } else if deeper.is_empty() {
                map.next_value::<IgnoredAny>()?;
            } else {
                picked.insert(key.into_owned(), map.next_value_seed(Pick { paths: &deeper })?);
            }
        }
        Ok(Value::Object(picked))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_str<E>(self, _: &str) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
}

#[derive(serde::Deserialize)]
struct Metadata {
    #[serde(default)]
    labels: Pairs,
}

#[derive(Default)]
struct Pairs(Labels);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(PairsVisitor)
    }
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Pairs;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
        let mut pairs = Vec::with_capacity(map.size_hint().unwrap_or(4));
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Pairs(pairs.into()))
    }
}

/// apiVersion and kind of the longest group name (253 bytes) and kind (63) end before this.
const HEAD_MAX: usize = 512;

/// The object as clients see it, between `before` and `after` in one buffer; `whole.slice(range)` is the object alone.
pub struct Spliced {
    pub whole: Bytes,
    pub start: usize,
    pub end: usize,
    /// Where the digits of the resourceVersion start in `whole`.
    pub revision_at: usize,
}

/// Adds the resourceVersion.
pub fn splice(before: &[u8], stored: &[u8], rev: Rev, after: &[u8]) -> Spliced {
    let owned;
    let (stored, at) = if let Some(at) = metadata_at(stored) {
        (stored, at)
    } else {
        owned = canonical(stored);
        (owned.as_ref(), metadata_at(&owned).unwrap_or(1))
    };
    let digits = rev.to_string();
    let mut out =
        BytesMut::with_capacity(before.len() + stored.len() + REVISION.len() + digits.len() + 2 + after.len());
    out.extend_from_slice(before);
    out.extend_from_slice(&stored[..at]);
    out.extend_from_slice(REVISION.as_bytes());
    let revision_at = out.len();
    out.extend_from_slice(digits.as_bytes());
    out.extend_from_slice(b"\"");
    if stored.get(at) != Some(&b'}') {
        out.extend_from_slice(b",");
    }
    out.extend_from_slice(&stored[at..]);
    let end = out.len();
    out.extend_from_slice(after);
    Spliced { whole: out.freeze(), start: before.len(), end, revision_at }
}

/// The object alone, with its resourceVersion.
pub fn with_revision(stored: &[u8], rev: Rev) -> Bytes {
    splice(&[], stored, rev, &[]).whole
}

/// The same object at another revision (a delete carries the revision of the delete).
pub fn replace_revision(object: &[u8], revision_at: usize, rev: Rev, before: &[u8], after: &[u8]) -> Bytes {
    let digits = object[revision_at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let new = rev.to_string();
    let mut out = BytesMut::with_capacity(before.len() + object.len() + new.len() + after.len());
    out.extend_from_slice(before);
    out.extend_from_slice(&object[..revision_at]);
    out.extend_from_slice(new.as_bytes());
    out.extend_from_slice(&object[revision_at + digits..]);
    out.extend_from_slice(after);
    out.freeze()
}

/// Bytes of another writer (a restored etcd) in our order; what is no object at all is shown as an empty one.
fn canonical(stored: &[u8]) -> Bytes {
    let mut tree: Value = serde_json::from_slice(stored).unwrap_or_default();
    if !tree.is_object() {
        tree = Value::Object(Map::new());
    }
    if !tree["metadata"].is_object() {
        tree["metadata"] = Value::Object(Map::new());
    }
    if !tree["apiVersion"].is_string() {
        tree["apiVersion"] = Value::String(String::new());
    }
    encode(&tree)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_revision_is_spliced_into_the_object_s_own_metadata() {
        let object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "data": {"metadata": {"a": 1}},
            "metadata": {"name": "x", "resourceVersion": "9"},
            "spec": {"template": {"metadata": {"labels": {}}}},
        });
        let stored = encode(&object);
        let read: Value = serde_json::from_slice(&with_revision(&stored, 42)).unwrap();
        let mut expected = object;
        expected["metadata"]["resourceVersion"] = json!("42");
        assert_eq!(read, expected);
    }

    #[test]
    fn stored_bytes_are_json_whatever_texts_hold() {
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "list": [], "map": {}, "null": null,
            "data": {"a\"b": "\u{1}\n\t", "back\\slash": "\u{7f}é\u{2028}", "": ["", [1, -2.5, true], {"k": 1e300}]},
        });
        let stored = encode(&object);
        assert_eq!(serde_json::from_slice::<Value>(&stored).unwrap(), object);
        let rest = serde_json::to_string(&object["data"]).unwrap();
        assert!(String::from_utf8(stored.to_vec()).unwrap().contains(&rest));
    }

    #[test]
    fn a_text_is_escaped_wherever_its_one_odd_character_is() {
        for length in 0..20 {
            for at in 0..=length {
                for odd in ["\u{0}", "\u{1f}", "\"", "\\", " ", "!", "~", "\u{7f}", "é", "\u{ff}"] {
                    let string = ["x".repeat(at).as_str(), odd, &"y".repeat(length - at)].concat();
                    let mut out = Vec::new();
                    text(&mut out, &string);
                    assert_eq!(out, serde_json::to_vec(&string).unwrap(), "{string:?}");
                }
            }
        }
    }

    #[test]
    fn labels_are_read_without_the_rest() {
        let labelled =
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": {"a": "b", "c": "\"d"}}, "labels": 1});
        let pair = |key: &str, value: &str| (Box::from(key), Box::from(value));
        assert_eq!(*labels(&encode(&labelled)).unwrap(), [pair("a", "b"), pair("c", "\"d")]);
        assert_eq!(*labels(&encode(&json!({"apiVersion": "v1", "kind": "Pod", "metadata": {}}))).unwrap(), []);
        assert_eq!(labels(b"{}"), None);
    }

    #[test]
    fn fields_are_picked_without_the_rest() {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "labels": {"a": "b"}},
            "spec": {"nodeName": "n", "containers": [{"name": "c"}], "hostNetwork": true}, "status": "no object",
        });
        let paths = ["metadata.labels", "spec.nodeName", "spec.host", "status.phase", "kind"];
        let picked = json!({
            "kind": "Pod", "metadata": {"labels": {"a": "b"}}, "spec": {"nodeName": "n"}, "status": null,
        });
        assert_eq!(pick(&encode(&pod), &paths), picked);
        assert_eq!(pick(b"[1, ", &paths), Value::Null);
    }

    #[test]
    fn foreign_bytes_are_put_in_order_first() {
        let stored = br#"{"kind":"ConfigMap","data":{"metadata":{}},"apiVersion":"v1","metadata":{"name":"x"}}"#;
        let read: Value = serde_json::from_slice(&with_revision(stored, 7)).unwrap();
        assert_eq!(read["metadata"], json!({"name": "x", "resourceVersion": "7"}));
        assert_eq!(read["data"], json!({"metadata": {}}));
    }

    #[test]
    fn a_delete_shows_its_own_revision_inside_a_frame() {
        let stored = encode(&json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}}));
        let spliced = splice(b"<", &stored, 99, b">");
        let object = spliced.whole.slice(spliced.start..spliced.end);
        let frame = replace_revision(&object, spliced.revision_at - spliced.start, 100, b"[", b"]");
        let text = String::from_utf8(frame.to_vec()).unwrap();
        assert!(text.starts_with('[') && text.ends_with(']') && text.contains("\"resourceVersion\":\"100\""), "{text}");
    }
}
