//! Sets of field paths, as FieldsV1 nests them: `f:name` leads into an object or map, `k:{..}` to an item of a list that
//! its keys tell apart, `v:..` to an item of a set, and `.` is the thing itself. An empty set is a leaf: owned as a whole.
//!
//! Which lists are taken apart is the kind's to say ([`Context`]).

use kinds::schema::{Context, Parts};
use serde_json::{Map, Value, json};

/// A node of a path tree.
pub type Set = Map<String, Value>;

/// The items of a list with the path elements that name them; none where the list is a leaf.
pub fn elements<'v>(context: Context<'_>, items: &'v [Value]) -> Vec<(String, &'v Value)> {
    match context.parts(&Value::Array(Vec::new())) {
        Parts::Keyed(keys) => items.iter().filter_map(|item| Some((key_element(item, &keys)?, item))).collect(),
        Parts::Values => items.iter().map(|item| (format!("v:{item}"), item)).collect(),
        Parts::Leaf | Parts::Keys => Vec::new(),
    }
}

/// Every path that is set in `value`.
pub fn of(value: &Value, context: Context<'_>) -> Set {
    let mut set = Set::new();
    match (context.parts(value), value) {
        (Parts::Keys, Value::Object(map)) => {
            for (key, value) in map {
                set.insert(format!("f:{key}"), Value::Object(of(value, context.field(key))));
            }
        }
        (Parts::Keyed(keys), Value::Array(items)) => {
            for item in items {
                let Some(element) = key_element(item, &keys) else { return Set::new() };
                let mut below = of(item, context.item());
                below.insert(".".into(), json!({}));
                set.insert(element, Value::Object(below));
            }
        }
        (Parts::Values, Value::Array(items)) => {
            for item in items {
                set.insert(format!("v:{item}"), json!({}));
            }
        }
        _ => {}
    }
    set
}

/// `k:{"name":"x"}`; `None` where no key is given.
fn key_element(item: &Value, keys: &[&str]) -> Option<String> {
    let given: Map<String, Value> =
        keys.iter().filter_map(|&key| Some((key.to_owned(), item.get(key)?.clone()))).collect();
    (!given.is_empty()).then(|| format!("k:{}", Value::Object(given)))
}

/// The value behind one path element.
pub fn resolve<'a>(value: &'a Value, element: &str) -> Option<&'a Value> {
    if let Some(field) = element.strip_prefix("f:") {
        return value.get(field);
    }
    let items = value.as_array()?;
    items.get(position(items, element)?)
}

pub fn resolve_mut<'a>(value: &'a mut Value, element: &str) -> Option<&'a mut Value> {
    if let Some(field) = element.strip_prefix("f:") {
        return value.get_mut(field);
    }
    let items = value.as_array_mut()?;
    let at = position(items, element)?;
    items.get_mut(at)
}

/// Where in a list the item of a `k:` or `v:` element is.
pub fn position(items: &[Value], element: &str) -> Option<usize> {
    if let Some(wanted) = element.strip_prefix("v:") {
        let wanted: Value = serde_json::from_str(wanted).ok()?;
        return items.iter().position(|item| *item == wanted);
    }
    let key: Map<String, Value> = serde_json::from_str(element.strip_prefix("k:")?).ok()?;
    items.iter().position(|item| key.iter().all(|(name, wanted)| item.get(name) == Some(wanted)))
}

/// The part of `set` whose values in `new` are not those in `old`.
pub fn changed(new: &Value, old: &Value, set: &Set) -> Set {
    let mut changed = Set::new();
    for (element, below) in set.iter().filter(|(element, _)| *element != ".") {
        let (Some(now), before) = (resolve(new, element), resolve(old, element)) else { continue };
        if Some(now) == before {
            continue;
        }
        let below = below.as_object().cloned().unwrap_or_default();
        let part = match before {
            None => below,
            Some(before) => {
                let part = self::changed(now, before, &below);
                // Only something that no path names went away or moved.
                if part.is_empty() && !below.is_empty() {
                    continue;
                }
                part
            }
        };
        changed.insert(element.clone(), Value::Object(part));
    }
    changed
}

pub fn union(into: &mut Set, other: &Set) {
    for (element, below) in other {
        match (into.get_mut(element).and_then(Value::as_object_mut), below.as_object()) {
            (Some(mine), Some(theirs)) => union(mine, theirs),
            _ => {
                into.insert(element.clone(), below.clone());
            }
        }
    }
}

/// Takes the leaves of `taken` out.
pub fn subtract(set: &mut Set, taken: &Set) {
    for (element, below) in taken {
        let Some(mine) = set.get_mut(element).and_then(Value::as_object_mut) else { continue };
        match below.as_object().filter(|below| !below.is_empty()) {
            Some(below) if !mine.is_empty() => {
                subtract(mine, below);
                if mine.is_empty() {
                    set.remove(element);
                }
            }
            _ => {
                set.remove(element);
            }
        }
    }
}

/// Drops the paths that do not exist any more.
pub fn intersect(set: &mut Set, existing: &Set) {
    set.retain(|element, below| match (existing.get(element).and_then(Value::as_object), below.as_object_mut()) {
        (Some(existing), Some(below)) if !below.is_empty() && !existing.is_empty() => {
            intersect(below, existing);
            !below.is_empty()
        }
        (Some(_), _) => true,
        (None, _) => false,
    });
}

/// The common paths of two sets.
pub fn common(a: &Set, b: &Set) -> Set {
    let mut both = Set::new();
    for (element, below) in a {
        let Some(theirs) = b.get(element).and_then(Value::as_object) else { continue };
        let mine = below.as_object().cloned().unwrap_or_default();
        if mine.is_empty() || theirs.is_empty() {
            both.insert(element.clone(), json!({}));
            continue;
        }
        let part = common(&mine, theirs);
        if !part.is_empty() {
            both.insert(element.clone(), Value::Object(part));
        }
    }
    both
}

/// Each leaf as people read it: `.spec.containers[name="web"].image`.
pub fn leaves(set: &Set) -> Vec<String> {
    let mut all = Vec::new();
    collect(set, &mut String::new(), &mut all);
    all
}

fn collect(set: &Set, path: &mut String, all: &mut Vec<String>) {
    for (element, below) in set {
        let length = path.len();
        match (element.strip_prefix("f:"), element.strip_prefix("k:"), element.strip_prefix("v:")) {
            (Some(name), _, _) => {
                path.push('.');
                path.push_str(name);
            }
            (_, Some(key), _) => {
                let key: Map<String, Value> = serde_json::from_str(key).unwrap_or_default();
                let pairs: Vec<String> = key.iter().map(|(name, value)| format!("{name}={value}")).collect();
                path.push('[');
                path.push_str(&pairs.join(","));
                path.push(']');
            }
            (_, _, Some(value)) => {
                path.push_str("[=");
                path.push_str(value);
                path.push(']');
            }
            _ => {}
        }
        match below.as_object().filter(|below| !below.is_empty()) {
            Some(below) => collect(below, path, all),
            None => all.push(path.clone()),
        }
        path.truncate(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(text: &str) -> (Value, Context<'static>) {
        (serde_json::from_str(text).unwrap(), Context::of(kinds::schema::lookup("io.k8s.api.core.v1.Pod")))
    }

    #[test]
    fn lists_are_taken_apart_as_the_schema_says() {
        let (pod, context) =
            pod(r#"{"spec":{"containers":[{"name":"a","args":["x"],"ports":[{"containerPort":80,"protocol":"TCP"}]}]},
                "metadata":{"finalizers":["f"],"labels":{"x":"y"}}}"#);
        let expected = json!({
            "f:metadata": {"f:finalizers": {"v:\"f\"": {}}, "f:labels": {"f:x": {}}},
            "f:spec": {"f:containers": {"k:{\"name\":\"a\"}": {".": {}, "f:name": {}, "f:args": {},
                "f:ports": {"k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}, "f:protocol": {}}}}}},
        });
        assert_eq!(Value::Object(of(&pod, context)), expected);
    }

    #[test]
    fn a_change_is_the_leaves_that_differ() {
        let (old, context) = pod(r#"{"spec":{"containers":[{"name":"a","image":"1"},{"name":"b","image":"1"}]}}"#);
        let (new, _) =
            pod(r#"{"spec":{"containers":[{"name":"a","image":"2"},{"name":"b","image":"1"}],"nodeName":"n"}}"#);
        let set = changed(&new, &old, &of(&new, context));
        assert_eq!(leaves(&set), [r#".spec.containers[name="a"].image"#, ".spec.nodeName"]);
    }

    #[test]
    fn sets_subtract_and_meet() {
        let (a, context) = pod(r#"{"metadata":{"labels":{"x":"1","y":"1"}},"spec":{"nodeName":"n"}}"#);
        let (b, _) = pod(r#"{"metadata":{"labels":{"x":"1"}}}"#);
        let (a, b) = (of(&a, context), of(&b, context));
        assert_eq!(leaves(&common(&a, &b)), [".metadata.labels.x"]);
        let mut rest = a;
        subtract(&mut rest, &b);
        assert_eq!(leaves(&rest), [".metadata.labels.y", ".spec.nodeName"]);
    }
}
