//! Path elements of list items: how the items of a list are told apart, with the defaults that upstream's types declare
//! for keys that may be left out. A key without a default may be left out too (`shareID` of a claim's device), as long as
//! there is another.

use kinds::schema::{Context, Parts};
use serde::Serialize;
use serde_json::{Map, Value};
use smallvec::SmallVec;

/// An item that cannot be told from the others of its list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ElementError {
    #[error("associative list with keys may not have non-map elements")]
    NoObject,
    #[error(
        "associative list with keys has an element that omits all key fields [{}] (and doesn't have default values for \
         any key fields)", .0.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(" ")
    )]
    NoKey(Vec<String>),
    #[error("associative list without keys has an element that's {0}")]
    NoScalar(&'static str),
}

/// How the items of one list are named.
pub(super) struct Naming<'a> {
    parts: Parts<'a>,
    item: Context<'a>,
}

impl<'a> Naming<'a> {
    /// `None` where the list is owned as a whole.
    pub(super) fn of(context: Context<'a>) -> Option<Self> {
        let parts = context.parts(&Value::Array(Vec::new()));
        let item = context.item();
        matches!(parts, Parts::Keyed(_) | Parts::Values).then_some(Self { parts, item })
    }

    /// What is known of each item.
    pub(super) fn item(&self) -> Context<'a> {
        self.item
    }

    /// `k:{"name":"x"}` or `v:"x"`.
    pub(super) fn element(&self, item: &Value) -> Result<String, ElementError> {
        match (&self.parts, item) {
            (Parts::Keyed(keys), Value::Object(fields)) => self.key(keys, fields),
            (Parts::Keyed(_), _) => Err(ElementError::NoObject),
            (_, Value::Object(_)) => Err(ElementError::NoScalar("a map type")),
            (_, Value::Array(_)) => Err(ElementError::NoScalar("a list")),
            (_, Value::Null) => Err(ElementError::NoScalar("an explicit null")),
            (_, scalar) => Ok(format!("v:{scalar}")),
        }
    }

    /// `k:{"containerPort":80,"protocol":"TCP"}`: as JSON writes a map of these, in the order of their names.
    fn key(&self, names: &[&str], fields: &Map<String, Value>) -> Result<String, ElementError> {
        let mut sorted: SmallVec<[&str; 4]> = names.into();
        sorted.sort_unstable();
        let mut element = b"k:{".to_vec();
        for name in sorted {
            let default = if fields.contains_key(name) { None } else { self.item.field(name).key_default() };
            let Some(value) = fields.get(name).or(default.as_ref()) else { continue };
            if element.len() > b"k:{".len() {
                element.push(b',');
            }
            write_json(&mut element, name);
            element.push(b':');
            write_json(&mut element, value);
        }
        if element.len() == b"k:{".len() {
            return Err(ElementError::NoKey(names.iter().map(ToString::to_string).collect()));
        }
        element.push(b'}');
        Ok(String::from_utf8(element).expect("JSON is UTF-8"))
    }

    /// The items with their elements; items that cannot be named are passed over.
    pub(super) fn named<'v>(&self, items: &'v [Value]) -> Vec<(String, &'v Value)> {
        items.iter().filter_map(|item| Some((self.element(item).ok()?, item))).collect()
    }
}

fn write_json<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(out, value).expect("a JSON tree always encodes");
}
