//! Rules of `metadata` that hold for every kind, custom resources included.
//!
//! The generic adapter calls [`of_object`] and [`of_change`]; kinds add only what they alone demand of a name.

use super::format;
use super::path::Path;
use crate::errors::{FieldError, FieldErrors, go_quote};
use crate::row::{Row, Scope};
use crate::tree::MANAGED_FIELDS;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use serde::de::value::MapDeserializer;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// All annotations of an object together; what does not fit here belongs into a ConfigMap.
pub const ANNOTATIONS_MAX_BYTES: usize = 256 * 1024;
/// Field managers name themselves; longer names only bloat every object.
const FIELD_MANAGER_MAX_BYTES: usize = 128;

const METADATA: Path<'static> = Path::new("metadata");
const STANDARD_FINALIZERS: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];

/// What a name may look like. Names become segments of storage keys and URLs, so every rule excludes `/`, `.` and `..` alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameRule {
    DnsSubdomain,
    DnsLabel,
    Dns1035Label,
    /// RBAC kinds and others whose names hold colons: anything that is one path segment.
    PathSegment,
}

impl NameRule {
    pub fn check(self, name: &str) -> Vec<String> {
        match self {
            Self::DnsSubdomain => format::dns_subdomain(name),
            Self::DnsLabel => format::dns_label(name),
            Self::Dns1035Label => format::dns_1035_label(name),
            Self::PathSegment => format::path_segment(name),
        }
    }

    /// A `generateName` may end in a dash, because more follows.
    fn check_prefix(self, prefix: &str) -> Vec<String> {
        match self {
            Self::PathSegment => format::path_segment_prefix(prefix),
            rule => match prefix.strip_suffix('-') {
                // k8s: maskTrailingDash replaces the last two characters by a letter that always fits.
                Some(head) if !head.is_empty() => {
                    let cut = head.char_indices().next_back().map_or(0, |(at, _)| at);
                    rule.check(&format!("{}a", &head[..cut]))
                }
                _ => rule.check(prefix),
            },
        }
    }
}

impl NameRule {
    /// The rule of a kind's names; most are DNS subdomains.
    pub fn of(row: &Row) -> Self {
        match (row.group.as_ref(), row.kind.as_ref()) {
            ("", "Namespace") => Self::DnsLabel,
            ("", "Service") => Self::Dns1035Label,
            // Names that are no DNS names: roles of the system, addresses, signers, `v1.` for the core group.
            ("rbac.authorization.k8s.io", _)
            | ("networking.k8s.io", "IPAddress")
            | ("apiregistration.k8s.io", "APIService")
            | ("certificates.k8s.io", "CertificateSigningRequest" | "ClusterTrustBundle") => Self::PathSegment,
            _ => Self::DnsSubdomain,
        }
    }
}

/// Whose kind an object is of: built-in kinds take fewer finalizers than custom ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Builtin,
    Custom,
}

/// Rules of an object's metadata alone, after its name was generated. Reviews, which are not kept, have none.
pub fn of_object(row: &Row, origin: Origin, object: &Value) -> FieldErrors {
    match read(object) {
        Ok(meta) => of_meta(row, origin, &meta, object.get("metadata").and_then(|meta| meta.get(MANAGED_FIELDS))),
        Err(error) => vec![error],
    }
}

/// The same for metadata that is decoded already, but for its managed fields.
pub fn of_meta(row: &Row, origin: Origin, meta: &ObjectMeta, managed: Option<&Value>) -> FieldErrors {
    if !row.has_verb("get") {
        return FieldErrors::new();
    }
    let mut errors = on_create(meta, NameRule::of(row), row.scope);
    managed_fields(managed, &METADATA.child(MANAGED_FIELDS), &mut errors);
    if origin == Origin::Builtin {
        builtin_finalizers(meta, &mut errors);
    }
    errors
}

/// Rules that compare with the metadata before. [`of_object`] of the new object runs too.
pub fn of_change(object: &Value, old: &Value) -> FieldErrors {
    match (read(object), read(old)) {
        (Ok(new), Ok(old)) => on_update(&new, &old),
        (Err(error), _) | (_, Err(error)) => vec![error],
    }
}

/// Metadata without its managed fields.
fn read(object: &Value) -> Result<ObjectMeta, FieldError> {
    let tree = object.get("metadata").unwrap_or(&Value::Null);
    let read = match tree {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(name, _)| *name != MANAGED_FIELDS);
            ObjectMeta::deserialize(MapDeserializer::new(kept.map(|(name, value)| (name.as_str(), value))))
        }
        other => Option::<ObjectMeta>::deserialize(other).map(Option::unwrap_or_default),
    };
    read.map_err(|error| FieldError::type_invalid(METADATA, tree, error.to_string()))
}

/// Rules of metadata alone.
pub fn on_create(meta: &ObjectMeta, rule: NameRule, scope: Scope) -> FieldErrors {
    let mut errors = FieldErrors::new();
    if let Some(prefix) = super::given(meta.generate_name.as_ref()) {
        super::invalid_each(prefix, rule.check_prefix(prefix), &METADATA.child("generateName"), &mut errors);
    }
    match super::given(meta.name.as_ref()) {
        None => errors.push(FieldError::required(METADATA.child("name"), "name or generateName is required")),
        Some(name) => super::invalid_each(name, rule.check(name), &METADATA.child("name"), &mut errors),
    }
    let namespace = super::given(meta.namespace.as_ref());
    match (scope, namespace) {
        (Scope::Namespaced, None) => errors.push(FieldError::required(METADATA.child("namespace"), "")),
        (Scope::Namespaced, Some(ns)) => {
            super::invalid_each(ns, format::dns_label(ns), &METADATA.child("namespace"), &mut errors);
        }
        (Scope::Cluster, Some(_)) => {
            errors.push(FieldError::forbidden(METADATA.child("namespace"), "not allowed on this type"));
        }
        (Scope::Cluster, None) => {}
    }
    super::non_negative(meta.generation.unwrap_or_default(), &METADATA.child("generation"), &mut errors);
    content(meta, &mut errors);
    finalizers(meta.finalizers.as_deref().unwrap_or_default(), &METADATA.child("finalizers"), &mut errors);
    errors
}

/// What the system owns stays. What clients own is checked by [`on_create`], which runs on updates too.
pub fn on_update(new: &ObjectMeta, old: &ObjectMeta) -> FieldErrors {
    let mut errors = FieldErrors::new();
    if old.deletion_timestamp.is_some() {
        no_new_finalizers(new, old, &mut errors);
    }
    if super::given(new.resource_version.as_ref()).is_none() {
        errors.push(FieldError::invalid(METADATA.child("resourceVersion"), "", "must be specified for an update"));
    }
    if new.generation.unwrap_or_default() < old.generation.unwrap_or_default() {
        let value = new.generation.unwrap_or_default();
        errors.push(FieldError::invalid(METADATA.child("generation"), value, "must not be decremented"));
    }
    same(&new.name, &old.name, "name", &mut errors);
    same(&new.namespace, &old.namespace, "namespace", &mut errors);
    same(&new.uid, &old.uid, "uid", &mut errors);
    same(&new.creation_timestamp, &old.creation_timestamp, "creationTimestamp", &mut errors);
    same(&new.deletion_timestamp, &old.deletion_timestamp, "deletionTimestamp", &mut errors);
    let (grace, grace_before) = (&new.deletion_grace_period_seconds, &old.deletion_grace_period_seconds);
    same(grace, grace_before, "deletionGracePeriodSeconds", &mut errors);
    errors
}

/// Built-in kinds take only standard or domain-qualified finalizers; custom resources may name theirs freely.
pub fn builtin_finalizers(meta: &ObjectMeta, errors: &mut FieldErrors) {
    for (i, name) in super::each(&meta.finalizers).enumerate() {
        if !name.contains('/') && !STANDARD_FINALIZERS.contains(&name.as_str()) {
            let detail = "name is neither a standard finalizer name nor is it fully qualified";
            errors.push(FieldError::invalid(METADATA.child("finalizers").index(i), name, detail));
        }
    }
}

fn same<T: Serialize + PartialEq>(new: &T, old: &T, field: &str, errors: &mut FieldErrors) {
    super::immutable(new, old, &METADATA.child(field), errors);
}

fn content(meta: &ObjectMeta, errors: &mut FieldErrors) {
    labels(meta.labels.as_ref(), &METADATA.child("labels"), errors);
    annotations(meta.annotations.as_ref(), &METADATA.child("annotations"), errors);
    let owners = meta.owner_references.as_deref().unwrap_or_default();
    owner_references(owners, &METADATA.child("ownerReferences"), errors);
}

pub fn labels(labels: Option<&BTreeMap<String, String>>, path: &Path<'_>, errors: &mut FieldErrors) {
    for (key, value) in labels.into_iter().flatten() {
        super::invalid_each(key, format::qualified_name(key), path, errors);
        super::invalid_each(value, format::label_value(value), path, errors);
    }
}

pub fn annotations(annotations: Option<&BTreeMap<String, String>>, path: &Path<'_>, errors: &mut FieldErrors) {
    let mut bytes = 0;
    for (key, value) in annotations.into_iter().flatten() {
        bytes += key.len() + value.len();
        super::invalid_each(key, format::qualified_name(&key.to_lowercase()), path, errors);
    }
    if bytes > ANNOTATIONS_MAX_BYTES {
        errors.push(FieldError::too_long(path, ANNOTATIONS_MAX_BYTES));
    }
}

fn owner_references(owners: &[OwnerReference], path: &Path<'_>, errors: &mut FieldErrors) {
    let mut controller: Option<String> = None;
    for owner in owners {
        owner_reference(owner, path, errors);
        if owner.controller != Some(true) {
            continue;
        }
        let this = format!("{}/{}", owner.kind, owner.name);
        match &controller {
            None => controller = Some(this),
            Some(first) => {
                let detail = format!(
                    "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {this}"
                );
                errors.push(FieldError::invalid(path, owners, detail));
            }
        }
    }
}

fn owner_reference(owner: &OwnerReference, path: &Path<'_>, errors: &mut FieldErrors) {
    let version = owner.api_version.rsplit('/').next().unwrap_or_default();
    if version.is_empty() || owner.api_version.matches('/').count() > 1 {
        errors.push(FieldError::invalid(path.child("apiVersion"), &owner.api_version, "version must not be empty"));
    }
    for (field, value) in [("kind", &owner.kind), ("name", &owner.name), ("uid", &owner.uid)] {
        if value.is_empty() {
            errors.push(FieldError::invalid(path.child(field), value, "must not be empty"));
        }
    }
    // k8s: events come and go too fast to hold anything alive (BannedOwners).
    if owner.api_version == "v1" && owner.kind == "Event" {
        errors.push(FieldError::invalid(path, owner, "/v1, Kind=Event is disallowed from being an owner"));
    }
}

fn finalizers(names: &[String], path: &Path<'_>, errors: &mut FieldErrors) {
    for name in names {
        super::invalid_each(name, format::qualified_name(name), path, errors);
    }
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    if has("orphan") && has("foregroundDeletion") {
        let detail = "finalizer orphan and foregroundDeletion cannot be both set";
        errors.push(FieldError::invalid(path, names, detail));
    }
}

fn no_new_finalizers(new: &ObjectMeta, old: &ObjectMeta, errors: &mut FieldErrors) {
    let before = old.finalizers.as_deref().unwrap_or_default();
    let mut extra: Vec<String> =
        super::each(&new.finalizers).filter(|name| !before.contains(name)).map(|name| go_quote(name)).collect();
    if !extra.is_empty() {
        extra.sort();
        let detail = format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
            extra.join(", ")
        );
        errors.push(FieldError::forbidden(METADATA.child("finalizers"), detail));
    }
}

fn managed_fields(list: Option<&Value>, path: &Path<'_>, errors: &mut FieldErrors) {
    for (i, entry) in list.and_then(Value::as_array).into_iter().flatten().enumerate() {
        let entry_path = path.index(i);
        let text = |field| entry.get(field).and_then(Value::as_str).unwrap_or_default();
        let operation = text("operation");
        if operation != "Apply" && operation != "Update" {
            errors.push(FieldError::invalid(entry_path.child("operation"), operation, "must be `Apply` or `Update`"));
        }
        let kind = text("fieldsType");
        if !kind.is_empty() && kind != "FieldsV1" {
            errors.push(FieldError::invalid(entry_path.child("fieldsType"), kind, "must be `FieldsV1`"));
        }
        if text("manager").len() > FIELD_MANAGER_MAX_BYTES {
            errors.push(FieldError::too_long(entry_path.child("manager"), FIELD_MANAGER_MAX_BYTES));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errors::aggregate;
    use expect_test::{Expect, expect};
    use serde_json::json;

    fn meta(value: Value) -> ObjectMeta {
        serde_json::from_value(value).unwrap()
    }

    #[expect(clippy::needless_pass_by_value, reason = "tables read better with values")]
    fn create(value: Value, rule: NameRule, want: Expect) {
        let mut errors = on_create(&meta(value.clone()), rule, Scope::Namespaced);
        managed_fields(value.get(MANAGED_FIELDS), &METADATA.child(MANAGED_FIELDS), &mut errors);
        want.assert_eq(&aggregate(&errors));
    }

    #[test]
    fn new_objects_need_a_name_that_fits() {
        let rule = NameRule::DnsSubdomain;
        create(json!({"name": "a", "namespace": "b"}), rule, expect![[""]]);
        create(json!({"name": "a", "generateName": "a-", "namespace": "b"}), rule, expect![[""]]);
        create(
            json!({}),
            rule,
            expect![
                "[metadata.name: Required value: name or generateName is required, metadata.namespace: Required value]"
            ],
        );
        create(json!({"name": "system:a", "namespace": "b"}), NameRule::PathSegment, expect![[""]]);
        create(
            json!({"name": "..", "namespace": "../x"}),
            NameRule::PathSegment,
            expect![[
                r#"[metadata.name: Invalid value: "..": may not be '..', metadata.namespace: Invalid value: "../x": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')]"#
            ]],
        );
        create(
            json!({"name": "A", "namespace": "b"}),
            rule,
            expect![[
                r#"metadata.name: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"#
            ]],
        );
    }

    #[test]
    fn labels_annotations_owners_and_finalizers_are_checked() {
        let rule = NameRule::DnsLabel;
        let with = |extra: Value| {
            let mut all = json!({"name": "a", "namespace": "b"});
            all.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            all
        };
        create(
            with(json!({"labels": {"a": "b c"}})),
            rule,
            expect![[
                r#"metadata.labels: Invalid value: "b c": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"#
            ]],
        );
        create(
            with(json!({"annotations": {"a": "x".repeat(262_144)}})),
            rule,
            expect!["metadata.annotations: Too long: may not be more than 262144 bytes"],
        );
        create(
            with(json!({"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "", "uid": "u"}]})),
            rule,
            expect![[r#"metadata.ownerReferences.name: Invalid value: "": must not be empty"#]],
        );
        create(
            with(json!({"finalizers": ["orphan", "foregroundDeletion"]})),
            rule,
            expect![[
                r#"metadata.finalizers: Invalid value: ["orphan","foregroundDeletion"]: finalizer orphan and foregroundDeletion cannot be both set"#
            ]],
        );
        create(
            with(json!({"managedFields": [{"operation": "Put"}]})),
            rule,
            expect![[r#"metadata.managedFields[0].operation: Invalid value: "Put": must be `Apply` or `Update`"#]],
        );
    }

    #[test]
    fn the_system_owns_identity_and_deletion() {
        let old = json!({"name": "a", "namespace": "b", "uid": "1", "resourceVersion": "5", "creationTimestamp": "2026-01-01T00:00:00Z",
            "deletionTimestamp": "2026-01-02T00:00:00Z", "generation": 3});
        let check = |patch: Value, want: Expect| {
            let mut new = old.clone();
            new.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
            want.assert_eq(&aggregate(&on_update(&meta(new), &meta(old.clone()))));
        };
        check(json!({}), expect![[""]]);
        check(json!({"uid": "2"}), expect![[r#"metadata.uid: Invalid value: "2": field is immutable"#]]);
        check(
            json!({"resourceVersion": ""}),
            expect![[r#"metadata.resourceVersion: Invalid value: "": must be specified for an update"#]],
        );
        check(json!({"generation": 2}), expect!["metadata.generation: Invalid value: 2: must not be decremented"]);
        check(
            json!({"finalizers": ["a/b"]}),
            expect![[
                r#"metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"a/b"}"#
            ]],
        );
        check(
            json!({"deletionTimestamp": null}),
            expect![[r#"metadata.deletionTimestamp: Invalid value: "null": field is immutable"#]],
        );
    }
}
