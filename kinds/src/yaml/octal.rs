//! Numbers with a leading zero, `defaultMode: 0640`: octal to YAML 1.1 and to everybody who writes manifests, a text to the
//! parser, which reads YAML 1.2. They are put into the form that both read as a number, `0o640`.

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;

/// `text` with its octal numbers in the newer form; only the parser knows which of them are numbers and not a part of some
/// text. One that cannot be parsed stays as it is, for the parser to say why.
pub fn with_octals(text: &str) -> Cow<'_, str> {
    if !has_candidate(text.as_bytes()) {
        return Cow::Borrowed(text);
    }
    let found = RefCell::new(BTreeSet::new());
    let walked = Walk { text, found: &found }.deserialize(serde_norway::Deserializer::from_str(text));
    let found = found.into_inner();
    if walked.is_err() || found.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut whole = String::with_capacity(text.len() + found.len());
    let mut done = 0;
    for at in found {
        whole.push_str(&text[done..=at]);
        whole.push('o');
        done = at + 1;
    }
    whole.push_str(&text[done..]);
    Cow::Owned(whole)
}

/// A zero, further octal digits, and nothing else.
fn is_octal(word: &[u8]) -> bool {
    word.len() > 1 && word[0] == b'0' && word.iter().all(|byte| matches!(byte, b'0'..=b'7'))
}

/// Whether any word looks like such a number: almost no manifest has one.
fn has_candidate(text: &[u8]) -> bool {
    text.split(|byte| byte.is_ascii_whitespace() || b",:[]{}".contains(byte)).any(is_octal)
}

/// Notes where octal numbers begin.
#[derive(Clone, Copy)]
struct Walk<'a> {
    text: &'a str,
    found: &'a RefCell<BTreeSet<usize>>,
}

impl<'a> DeserializeSeed<'a> for Walk<'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Walk<'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    /// What the parser gives back is a piece of the text, and before it stands whether it is quoted.
    fn visit_borrowed_str<E>(self, word: &'a str) -> Result<(), E> {
        let at = (word.as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize);
        if is_octal(word.as_bytes()) && self.text.get(at..).is_some_and(|rest| rest.starts_with(word)) {
            let before = &self.text[..at];
            let tagged = before.split_whitespace().next_back().is_some_and(|last| last.starts_with('!'));
            if !tagged && !before.ends_with(['"', '\'']) {
                self.found.borrow_mut().insert(at);
            }
        }
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
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

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'a>>(self, mut entries: A) -> Result<(), A::Error> {
        while entries.next_key::<IgnoredAny>()?.is_some() {
            entries.next_value_seed(self)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(text: &str) -> Value {
        serde_norway::from_str(&with_octals(text)).unwrap()
    }

    #[test]
    fn numbers_with_a_leading_zero_are_octal() {
        let text = "mode: 0640\nmore: [0400, {deep: 0777}, &a 0444, *a]\nzero: 0\nten: 10\nnew: 0o17\n";
        let want = json!({"mode": 416, "more": [256, {"deep": 511}, 292, 292], "zero": 0, "ten": 10, "new": 15});
        assert_eq!(read(text), want);
    }

    #[test]
    fn texts_that_look_like_one_stay_texts() {
        let text = "a: '0640'\nb: \"0640\"\nc: !!str 0640\nd: |\n  mode: 0640\ne: at 0640\nf: 0849\n0640: key\n";
        let want = json!({
            "a": "0640", "b": "0640", "c": "0640", "d": "mode: 0640\n", "e": "at 0640", "f": "0849", "0640": "key",
        });
        assert_eq!(read(text), want);
        for same in ["a: 1\n", "a: '0640'\n", "a: [0640\n"] {
            assert!(matches!(with_octals(same), Cow::Borrowed(_)), "{same}");
        }
    }
}
