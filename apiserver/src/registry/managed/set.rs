//! Sets of field paths, as FieldsV1 nests them: `f:name` leads into an object or map, `k:{..}` to an item of a list that
//! its keys tell apart, `v:..` to an item of a set. A path is in the set or not whatever is below it, so that owning an
//! item and owning its fields are two things.
//!
//! k8s: structured-merge-diff's `fieldpath.Set`

use super::below::Below;
use serde_json::{Map, Value, json};

/// A node of a path tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set {
    /// The path that leads here is in the set.
    pub is_member: bool,
    pub below: Below,
}

impl Set {
    /// Reads `fieldsV1`: an empty object is a member, one with entries only where `.` is among them.
    pub fn of_json(fields: &Value) -> Self {
        let mut set = Self::default();
        for (element, value) in fields.as_object().into_iter().flatten() {
            if element == "." {
                set.is_member = true;
                continue;
            }
            let mut inner = Self::of_json(value);
            inner.is_member |= inner.below.is_empty();
            set.below.insert(element.clone(), inner);
        }
        set
    }

    pub fn into_json(self) -> Value {
        let shown = |(element, inner): (String, Set)| {
            let is_struct = inner.is_member && !inner.below.is_empty();
            let mut shown = inner.into_json();
            if is_struct {
                shown["."] = json!({});
            }
            (element, shown)
        };
        // In order already, so that the map is made in one go.
        Value::Object(self.below.into_iter().map(shown).collect())
    }

    pub fn is_empty(&self) -> bool {
        !self.is_member && self.below.is_empty()
    }

    /// Puts a subtree at one element; an empty one is left out.
    pub fn put(&mut self, element: String, inner: Set) {
        if !inner.is_empty() {
            self.below.insert(element, inner);
        }
    }

    pub fn add(&mut self, other: Set) {
        self.is_member |= other.is_member;
        if self.below.is_empty() {
            self.below = other.below;
            return;
        }
        for (element, theirs) in other.below {
            match self.below.get_mut(&element) {
                Some(mine) => mine.add(theirs),
                None => self.below.insert(element, theirs),
            }
        }
    }

    /// Takes out the paths of `other`, and nothing below them.
    pub fn subtract(&mut self, other: &Set) {
        self.is_member &= !other.is_member;
        for (element, theirs) in other.below.elements() {
            if let Some(mine) = self.below.get_mut(element) {
                mine.subtract(theirs);
                if mine.is_empty() {
                    self.below.remove(element);
                }
            }
        }
    }

    /// The paths that both have.
    #[must_use]
    pub fn common(&self, other: &Set) -> Set {
        let mut both = Set { is_member: self.is_member && other.is_member, below: Below::default() };
        for (element, mine) in self.below.elements() {
            if let Some(theirs) = other.below.get(element) {
                both.put(element.to_owned(), mine.common(theirs));
            }
        }
        both
    }

    /// Forgets a path of fields and everything below it.
    pub fn forget(&mut self, path: &[&str]) {
        let [name, rest @ ..] = path else { return };
        let Some(inner) = self.below.field_mut(name) else { return };
        if !rest.is_empty() {
            inner.forget(rest);
        }
        if rest.is_empty() || inner.is_empty() {
            self.below.remove_field(name);
        }
    }

    /// Each path as people read it: `.spec.containers[name="web"].image`.
    pub fn paths(&self) -> Vec<String> {
        let mut all = Vec::new();
        self.collect(&mut String::new(), &mut all);
        all
    }

    fn collect(&self, path: &mut String, all: &mut Vec<String>) {
        if self.is_member {
            all.push(path.clone());
        }
        for (element, inner) in self.below.elements() {
            let length = path.len();
            path.push_str(&shown(element));
            inner.collect(path, all);
            path.truncate(length);
        }
    }
}

/// k8s: `PathElement.String`
pub fn shown(element: &str) -> String {
    if let Some(name) = element.strip_prefix("f:") {
        return format!(".{name}");
    }
    if let Some(key) = element.strip_prefix("k:") {
        let key: Map<String, Value> = serde_json::from_str(key).unwrap_or_default();
        let pairs: Vec<String> = key.iter().map(|(name, value)| format!("{name}={value}")).collect();
        return format!("[{}]", pairs.join(","));
    }
    match element.strip_prefix("v:") {
        Some(value) => format!("[={value}]"),
        None => format!("[{}]", element.trim_start_matches("i:")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(fields: &Value) -> Set {
        Set::of_json(fields)
    }

    #[test]
    fn what_is_read_is_written_again() {
        let fields = json!({
            "f:metadata": {"f:finalizers": {".": {}, "v:\"f\"": {}}, "f:labels": {"f:x": {}}},
            "f:spec": {"f:containers": {"k:{\"name\":\"a\"}": {".": {}, "f:name": {}, "f:args": {}}}},
        });
        assert_eq!(set(&fields).into_json(), fields);
        assert_eq!(
            set(&fields).paths(),
            [
                ".metadata.finalizers",
                ".metadata.finalizers[=\"f\"]",
                ".metadata.labels.x",
                ".spec.containers[name=\"a\"]",
                ".spec.containers[name=\"a\"].args",
                ".spec.containers[name=\"a\"].name",
            ]
        );
    }

    #[test]
    fn an_item_and_its_fields_are_owned_apart() {
        let mut mine = set(&json!({"f:a": {".": {}, "f:b": {}}}));
        mine.subtract(&set(&json!({"f:a": {}})));
        assert_eq!(mine.paths(), [".a.b"]);
        let both = set(&json!({"f:a": {"f:b": {}}, "f:c": {}}));
        assert_eq!(mine.common(&both).paths(), [".a.b"]);
        mine.add(set(&json!({"f:a": {}})));
        assert_eq!(mine.paths(), [".a", ".a.b"]);
        mine.forget(&["a", "b"]);
        assert_eq!(mine.paths(), [".a"]);
    }
}
