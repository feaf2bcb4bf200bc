//! The parts of `metadata` that the server owns: what a create fills in and what an update must not change. Pure.

use crate::error::ApiError;
use jiff::Timestamp;
use kinds::row::{Row, Scope};
use serde_json::{Map, Value};

/// Characters of generated names: no vowels, so that no words come out, and none that look alike.
/// k8s: k8s.io/apimachinery/pkg/util/rand
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
const SUFFIX_LEN: usize = 5;
/// k8s: names are cut so that base and suffix fit a DNS label.
const GENERATED_NAME_MAX: usize = 63;

pub fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object.get("metadata").and_then(|metadata| metadata.get(field)).and_then(Value::as_str).unwrap_or("")
}

pub fn get<'a>(object: &'a Value, field: &str) -> Option<&'a Value> {
    object.get("metadata")?.get(field)
}

/// The metadata map; made if it is missing.
pub fn map(object: &mut Value) -> &mut Map<String, Value> {
    if !object.get("metadata").is_some_and(Value::is_object) {
        object["metadata"] = Value::Object(Map::new());
    }
    object["metadata"].as_object_mut().expect("made an object above")
}

pub fn set(object: &mut Value, field: &str, value: impl Into<Value>) {
    map(object).insert(field.to_owned(), value.into());
}

pub fn unset(object: &mut Value, field: &str) {
    map(object).remove(field);
}

/// Times in metadata have whole seconds.
pub fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

pub fn finalizers(object: &Value) -> Vec<&str> {
    let list = get(object, "finalizers").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).collect()
}

pub fn is_deleting(object: &Value) -> bool {
    get(object, "deletionTimestamp").is_some_and(|at| !at.is_null())
}

/// A name for `generateName`; `random` yields numbers below its argument.
pub fn generate_name(base: &str, mut random: impl FnMut(usize) -> usize) -> String {
    let cut = base.len().min(GENERATED_NAME_MAX - SUFFIX_LEN);
    let cut = (0..=cut).rev().find(|&at| base.is_char_boundary(at)).unwrap_or(0);
    let mut name = base[..cut].to_owned();
    name.extend((0..SUFFIX_LEN).map(|_| char::from(ALPHABET[random(ALPHABET.len())])));
    name
}

/// The namespace of the path counts; an object that names another one is refused. One that needs none loses it.
/// k8s: EnsureObjectNamespaceMatchesRequestNamespace
pub fn settle_namespace(row: &Row, object: &mut Value, ns: &str) -> Result<(), ApiError> {
    let given = text(object, "namespace");
    match row.scope {
        Scope::Cluster => unset(object, "namespace"),
        Scope::Namespaced if given.is_empty() || given == ns => set(object, "namespace", ns),
        Scope::Namespaced => {
            return Err(ApiError::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
    }
    Ok(())
}

/// apiVersion and kind as the row says: hooks and readers rely on them.
pub fn settle_type(row: &Row, object: &mut Value) {
    object["apiVersion"] = Value::String(row.api_version());
    object["kind"] = Value::String(row.kind.to_string());
}

/// What a new object starts with.
pub fn stamp_create(object: &mut Value, uid: String, now: Timestamp) {
    let metadata = map(object);
    for gone in ["selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "resourceVersion", "generation"] {
        metadata.remove(gone);
    }
    metadata.insert("uid".into(), uid.into());
    metadata.insert("creationTimestamp".into(), time(now).into());
}

/// Who may have named an owner twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Client,
    /// Or a patch: what it makes is not looked at before.
    Admission,
}

/// References to owners that come twice count once; the client is told.
/// k8s: dedupOwnerReferencesAndAddWarning
pub fn dedup_owners(object: &mut Value, by: By) -> Option<String> {
    let list = object.get_mut("metadata")?.get_mut("ownerReferences")?.as_array_mut()?;
    let mut kept: Vec<Value> = Vec::with_capacity(list.len());
    let mut twice = Vec::new();
    for owner in list.drain(..) {
        if kept.contains(&owner) {
            twice.push(owner.get("uid").and_then(Value::as_str).unwrap_or("").to_owned());
        } else {
            kept.push(owner);
        }
    }
    *list = kept;
    twice.dedup();
    let when = match by {
        By::Client => "",
        By::Admission => " after mutating admission happens",
    };
    (!twice.is_empty()).then(|| {
        format!(
            ".metadata.ownerReferences contains duplicate entries{when}; API server dedups owner references in 1.20+, and \
             may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: {}",
            twice.join(", ")
        )
    })
}

/// Fields that an update takes from the version before, whatever the client sent.
const SERVER_OWNED: &[&str] =
    &["uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "generateName"];

pub fn carry_over(object: &mut Value, old: &Value) {
    let metadata = map(object);
    metadata.remove("selfLink");
    for &field in SERVER_OWNED {
        match get(old, field) {
            Some(value) => metadata.insert(field.into(), value.clone()),
            None => metadata.remove(field),
        };
    }
}

/// Whether anything but metadata and status differs: what `generation` counts. Without a door of its own `status` is a field
/// like others.
pub fn spec_changed(row: &Row, object: &Value, old: &Value) -> bool {
    let has_status = row.subresource("status").is_some();
    let counted = |key: &str| !matches!(key, "metadata" | "apiVersion" | "kind") && (key != "status" || !has_status);
    !same_members(object.as_object(), old.as_object(), counted)
}

/// Whether two maps agree on the keys that count.
fn same_members(
    a: Option<&Map<String, Value>>,
    b: Option<&Map<String, Value>>,
    counted: impl Fn(&str) -> bool,
) -> bool {
    let members = |map| Option::<&Map<String, Value>>::into_iter(map).flatten().filter(|(key, _)| counted(key));
    members(a).count() == members(b).count() && members(a).all(|(key, value)| b.and_then(|b| b.get(key)) == Some(value))
}

pub fn bump_generation(object: &mut Value, old: &Value) {
    let generation = get(old, "generation").and_then(Value::as_i64).unwrap_or(0);
    set(object, "generation", generation + 1);
}

/// Whether two versions are the same to their readers: managed fields and the revision do not count.
pub fn is_same(object: &Value, old: &Value) -> bool {
    let loud = |key: &str| key != "managedFields" && key != "resourceVersion";
    same_members(object.as_object(), old.as_object(), |key| key != "metadata")
        && same_members(metadata_of(object), metadata_of(old), loud)
}

fn metadata_of(object: &Value) -> Option<&Map<String, Value>> {
    object.get("metadata")?.as_object()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn owners_that_come_twice_count_once() {
        let owner = |uid: &str| json!({"kind": "Pod", "uid": uid});
        let mut object = json!({"metadata": {"ownerReferences": [owner("a"), owner("b"), owner("a")]}});
        assert!(dedup_owners(&mut object, By::Client).unwrap().ends_with("observed: a"));
        assert_eq!(object, json!({"metadata": {"ownerReferences": [owner("a"), owner("b")]}}));
        assert_eq!(dedup_owners(&mut object, By::Client), None);
    }

    #[test]
    fn generated_names_fit_a_dns_label() {
        assert_eq!(generate_name("web-", |_| 0), "web-bbbbb");
        assert_eq!(generate_name(&"x".repeat(80), |n| n - 1).len(), 63);
    }

    #[test]
    fn generation_counts_what_is_neither_metadata_nor_status() {
        let old = json!({"metadata": {"labels": {}}, "spec": {"a": 1}, "status": {}});
        let relabelled = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"a": 1}, "status": {"x": 1}});
        let changed = json!({"metadata": {"labels": {}}, "spec": {"a": 2}, "status": {}});
        let row = kinds::table::find("apps", "v1", "deployments").unwrap().row();
        assert!(!spec_changed(row, &relabelled, &old));
        assert!(spec_changed(row, &changed, &old));
    }

    #[test]
    fn managed_fields_alone_are_no_change() {
        let old = json!({"metadata": {"name": "a", "resourceVersion": "1"}, "data": {}});
        let new = json!({"metadata": {"name": "a", "managedFields": []}, "data": {}});
        assert!(is_same(&new, &old));
        assert!(!is_same(&json!({"metadata": {"name": "a"}, "data": {"x": ""}}), &old));
        assert!(!is_same(&json!({"metadata": {"name": "a"}}), &old));
    }
}
