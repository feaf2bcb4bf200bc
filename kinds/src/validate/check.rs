//! Tests of kinds enter here: the same path as a request, from the tree to the printed errors.

use crate::errors::FieldErrors;
use crate::kind::Kind;
use crate::typed::{Typed, TypedKind};
use serde_json::Value;

/// An object that says nothing of itself is `a` in the namespace `default`.
fn named<K: TypedKind>(object: &mut Value) {
    let mut metadata = serde_json::json!({"name": "a"});
    if K::ROW.namespaced() {
        metadata["namespace"] = "default".into();
    }
    merge(&mut metadata, &object["metadata"].take().as_object().cloned().unwrap_or_default().into());
    object["metadata"] = metadata;
}

/// The errors of a create, one a line.
pub(crate) fn create<K: TypedKind>(mut object: Value) -> String {
    let kind = Typed::<K>::new();
    named::<K>(&mut object);
    kind.default(&mut object);
    lines(&kind.create(&mut object))
}

/// What a create stores.
pub(crate) fn created<K: TypedKind>(mut object: Value) -> Value {
    let kind = Typed::<K>::new();
    named::<K>(&mut object);
    kind.default(&mut object);
    kind.create(&mut object);
    object
}

/// The object with its defaults; asserts that defaulting again changes nothing.
pub(crate) fn defaulted<K: TypedKind>(mut object: Value) -> Value {
    let kind = Typed::<K>::new();
    kind.default(&mut object);
    let once = object.clone();
    kind.default(&mut object);
    assert_eq!(once, object, "defaulting twice is defaulting once");
    object
}

/// The errors of an update of the main resource, one a line. `old` is stored first, then `patch` is merged into it.
pub(crate) fn update<K: TypedKind>(old: Value, patch: &Value) -> String {
    let (new, old) = patched::<K>(old, patch);
    let (mut new, old) = (new, old);
    lines(&Typed::<K>::new().update(&mut new, &old))
}

/// What an update of the main resource stores.
pub(crate) fn updated<K: TypedKind>(old: Value, patch: &Value) -> Value {
    let (mut new, old) = patched::<K>(old, patch);
    Typed::<K>::new().update(&mut new, &old);
    new
}

/// The errors of an update through `status`.
pub(crate) fn status<K: TypedKind>(old: Value, patch: &Value) -> String {
    let (mut new, old) = patched::<K>(old, patch);
    let kind = Typed::<K>::new();
    kind.prepare_status(&mut new, &old);
    lines(&kind.validate_status(&new, &old))
}

pub(crate) fn warnings<K: TypedKind>(mut object: Value) -> String {
    let kind = Typed::<K>::new();
    kind.default(&mut object);
    kind.warnings(&object).join("\n")
}

fn patched<K: TypedKind>(old: Value, patch: &Value) -> (Value, Value) {
    let mut old = created::<K>(old);
    old["metadata"]["resourceVersion"] = "1".into();
    let mut new = old.clone();
    merge(&mut new, patch);
    Typed::<K>::new().default(&mut new);
    (new, old)
}

fn lines(errors: &FieldErrors) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// A JSON merge patch (RFC 7396).
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Value::Object(object) = target else { return };
    for (name, value) in fields {
        if value.is_null() {
            object.remove(name);
        } else {
            merge(object.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}
