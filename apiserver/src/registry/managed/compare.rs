//! What a write changed, path by path.
//!
//! k8s: structured-merge-diff's `TypedValue.Compare`

use super::element::Naming;
use super::set::Set;
use kinds::schema::{Context, Implied};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The paths that differ between two versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    pub added: Set,
    pub modified: Set,
    pub removed: Set,
}

impl Comparison {
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.modified.is_empty() && self.removed.is_empty()
    }

    /// What the writer has set, and what went.
    pub fn into_touched_and_removed(self) -> (Set, Set) {
        let Self { added: mut touched, modified, removed } = self;
        touched.add(modified);
        (touched, removed)
    }

    /// Applies a filter to all three.
    pub fn restrict(&mut self, filter: impl Fn(&mut Set)) {
        [&mut self.added, &mut self.modified, &mut self.removed].into_iter().for_each(filter);
    }

    fn put(&mut self, element: String, inner: Comparison) {
        let Comparison { added, modified, removed } = inner;
        // Mostly there is but one of them, which takes the element.
        if !modified.is_empty() {
            self.modified.put(element.clone(), modified);
        }
        if !removed.is_empty() {
            self.removed.put(element.clone(), removed);
        }
        self.added.put(element, added);
    }
}

static NO_FIELDS: LazyLock<Value> = LazyLock::new(|| Value::Object(Map::new()));
static NO_ITEMS: LazyLock<Value> = LazyLock::new(|| Value::Array(Vec::new()));

/// Compares two objects.
pub fn compare(old: &Value, new: &Value, context: Context<'_>) -> Comparison {
    walk(Some(old), Some(new), context)
}

fn walk(old: Option<&Value>, new: Option<&Value>, context: Context<'_>) -> Comparison {
    if old == new { Comparison::default() } else { difference(old, new, context) }
}

/// Of two that are not equal, which is not asked again.
fn difference(old: Option<&Value>, new: Option<&Value>, context: Context<'_>) -> Comparison {
    let mut found = Comparison::default();
    let is_leaf = |value: Option<&Value>| value.is_none_or(|value| context.is_leaf(value));
    // k8s: emptyPromoteToLeaf
    if is_hollow(old) && is_hollow(new) || is_leaf(old) && is_leaf(new) {
        mark(&mut found, old, new);
        return found;
    }
    match (old.unwrap_or(&Value::Null), new.unwrap_or(&Value::Null)) {
        (Value::Object(_) | Value::Null, Value::Object(_) | Value::Null) => {
            fields(&mut found, old.and_then(Value::as_object), new.and_then(Value::as_object), context);
        }
        (Value::Array(_) | Value::Null, Value::Array(_) | Value::Null) => items(&mut found, old, new, context),
        // Another type than before, where the schema allows both.
        _ => {
            found.modified.is_member = true;
            found.added.add(walk(None, new, context).added);
            found.added.is_member = false;
            return found;
        }
    }
    // A struct, map or list as such comes and goes too.
    match (old, new) {
        (None, _) => found.added.is_member = true,
        (_, None) => found.removed.is_member = true,
        (Some(_), Some(_)) => {}
    }
    found
}

fn mark(found: &mut Comparison, old: Option<&Value>, new: Option<&Value>) {
    match (old, new) {
        (None, _) => found.added.is_member = true,
        (_, None) => found.removed.is_member = true,
        (Some(_), Some(_)) => found.modified.is_member = true,
    }
}

/// Absent, null, or a container of nothing.
pub(super) fn is_hollow(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::Object(fields)) => fields.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(_) => false,
    }
}

fn fields(
    found: &mut Comparison,
    old: Option<&Map<String, Value>>,
    new: Option<&Map<String, Value>>,
    context: Context<'_>,
) {
    let mut visit = |name: &str| {
        let inside = context.field(name);
        let [before, after] =
            [old, new].map(|side| side.and_then(|side| side.get(name).or_else(|| implied(inside, old, new, name))));
        if before != after {
            found.put(["f:", name].concat(), difference(before, after, inside));
        }
    };
    old.into_iter().flatten().for_each(|(name, _)| visit(name));
    let known = |name: &String| old.is_some_and(|old| old.contains_key(name));
    new.into_iter().flatten().filter(|(name, _)| !known(name)).for_each(|(name, _)| visit(name));
}

/// What a field that is not written is all the same: upstream's structs hold their non-pointer fields at all times, so that
/// nobody adds or removes those.
fn implied<'v>(
    field: Context<'_>,
    old: Option<&'v Map<String, Value>>,
    new: Option<&'v Map<String, Value>>,
    name: &str,
) -> Option<&'v Value> {
    match field.implied() {
        Implied::Nothing => None,
        Implied::Object => Some(&NO_FIELDS),
        Implied::List => Some(&NO_ITEMS),
        // The zero value is what the other side has, if that is zero.
        Implied::Zero => {
            [old, new].into_iter().flatten().find_map(|side| side.get(name)).filter(|value| is_zero(value))
        }
    }
}

pub(super) fn is_zero(value: &Value) -> bool {
    match value {
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

/// Items by element. Items that a list has twice are compared as one thing.
fn items(found: &mut Comparison, old: Option<&Value>, new: Option<&Value>, context: Context<'_>) {
    let Some(naming) = Naming::of(context) else { return };
    let mut both: BTreeMap<String, [Vec<&Value>; 2]> = BTreeMap::new();
    for (side, list) in [old, new].into_iter().enumerate() {
        let list = list.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for (element, item) in naming.named(list) {
            both.entry(element).or_default()[side].push(item);
        }
    }
    for (element, [before, after]) in both {
        let [first_before, first_after] = [&before, &after].map(|list| list.first().copied());
        let inner = match (before.as_slice(), after.as_slice()) {
            ([] | [_], [] | [_]) => walk(first_before, first_after, naming.item()),
            ([_, _, ..], [_, _, ..]) => {
                let mut inner = Comparison::default();
                inner.modified.is_member = before != after;
                inner
            }
            ([_, _, ..], _) => {
                let mut inner = walk(None, first_after, naming.item());
                inner.removed.is_member = true;
                inner
            }
            (_, [_, _, ..]) => {
                let mut inner = walk(first_before, None, naming.item());
                inner.added.is_member = true;
                inner
            }
        };
        found.put(element, inner);
    }
}
