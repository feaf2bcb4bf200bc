//! PersistentVolumeClaim (v1).

mod source;

use crate::cells;
use crate::errors::{FieldError, FieldErrors};
use crate::quantity::Quantity;
use crate::row::{AGE, Column, NAME, Row, STATUS, row};
use crate::tree;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{format, given, immutable, invalid_each, one_of, resources, selector, semantically_equal};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimSpec, PersistentVolumeClaimStatus};
use serde_json::Value;

pub(crate) struct PersistentVolumeClaimKind;

impl TypedKind for PersistentVolumeClaimKind {
    type Object = PersistentVolumeClaim;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] = &[Hook::PrepareUpdate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = Some(cells);

    fn default(claim: &mut PersistentVolumeClaim) {
        if let Some(spec) = &mut claim.spec {
            spec.volume_mode.get_or_insert_with(|| "Filesystem".to_owned());
        }
        let status = claim.status.get_or_insert_default();
        status.phase.get_or_insert_with(|| "Pending".to_owned());
    }

    fn prepare_create(claim: &mut PersistentVolumeClaim) {
        claim.spec.iter_mut().for_each(source::normalize);
        let phase = Some("Pending".to_owned());
        claim.status = Some(PersistentVolumeClaimStatus { phase, ..PersistentVolumeClaimStatus::default() });
    }

    fn validate(claim: &PersistentVolumeClaim) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let empty = PersistentVolumeClaimSpec::default();
        spec(claim.spec.as_ref().unwrap_or(&empty), &SPEC, &mut errors);
        errors
    }

    fn validate_update(claim: &PersistentVolumeClaim, old: &PersistentVolumeClaim) -> FieldErrors {
        let (Some(new), Some(before)) = (&claim.spec, &old.spec) else { return Vec::new() };
        let mut errors = FieldErrors::new();
        let upgraded = class_leaves_annotation(claim, old);
        if !upgraded {
            beta_class(claim, old, &mut errors);
        }
        let class_was_open = before.storage_class_name.is_none() && beta_class_of(old).is_empty();
        let may = May { class: upgraded || class_was_open, grow: claim_is_bound(old) };
        change(new, before, may, &mut errors);
        size(new, before, old.status.as_ref(), &mut errors);
        immutable(&new.volume_mode, &before.volume_mode, &Path::new("volumeMode"), &mut errors);
        attributes(new, before, old.status.as_ref(), &mut errors);
        errors
    }
}

const SPEC: Path<'static> = Path::new("spec");
pub(crate) const ACCESS_MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
pub(crate) const VOLUME_MODES: [&str; 2] = ["Block", "Filesystem"];
const BETA_CLASS: &str = "volume.beta.kubernetes.io/storage-class";
const FIXED: &str =
    "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";

fn claim_is_bound(claim: &PersistentVolumeClaim) -> bool {
    claim.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Bound")
}

/// What a claim asks for; the path is that of its spec, which may be a template's.
/// k8s: ValidatePersistentVolumeClaimSpec
pub(crate) fn spec(spec: &PersistentVolumeClaimSpec, path: &Path<'_>, errors: &mut FieldErrors) {
    access_modes(
        spec.access_modes.as_deref(),
        "at least 1 access mode is required",
        &path.child("accessModes"),
        errors,
    );
    if let Some(wanted) = &spec.selector {
        selector::label_selector(wanted, &path.child("selector"), errors);
    }
    let at = path.child("resources");
    let requests = spec.resources.as_ref().and_then(|resources| resources.requests.as_ref());
    match requests.and_then(|requests| requests.get("storage")) {
        None => errors.push(FieldError::required(at.key("storage"), "")),
        Some(size) => resources::positive(size, &at.key("storage"), errors),
    }
    if let Some(mode) = given(spec.volume_mode.as_ref()) {
        one_of(mode, &VOLUME_MODES, &path.child("volumeMode"), errors);
    }
    if let Some(class) = given(spec.storage_class_name.as_ref()) {
        invalid_each(class, format::dns_subdomain(class), &path.child("storageClassName"), errors);
    }
    if let Some(class) = given(spec.volume_attributes_class_name.as_ref()) {
        invalid_each(class, format::dns_subdomain(class), &path.child("volumeAttributesClassName"), errors);
    }
    source::check(spec, path, errors);
}

/// `missing` is what to say where there is no mode at all.
pub(crate) fn access_modes(modes: Option<&[String]>, missing: &str, path: &Path<'_>, errors: &mut FieldErrors) {
    let modes = modes.unwrap_or_default();
    if modes.is_empty() {
        errors.push(FieldError::required(path, missing));
    }
    for mode in modes {
        one_of(mode, &ACCESS_MODES, path, errors);
    }
    let alone = |mode: &String| mode == "ReadWriteOncePod";
    if modes.iter().any(alone) && !modes.iter().all(alone) {
        errors.push(FieldError::forbidden(path, "may not use ReadWriteOncePod with other access modes"));
    }
}

/// A claim that asks for less than before takes back a wish, never what it has.
fn size(
    new: &PersistentVolumeClaimSpec,
    old: &PersistentVolumeClaimSpec,
    status: Option<&PersistentVolumeClaimStatus>,
    errors: &mut FieldErrors,
) {
    let storage = |list: Option<&List>| -> Option<Quantity> { list?.get("storage")?.0.parse().ok() };
    let asked =
        |spec: &PersistentVolumeClaimSpec| storage(spec.resources.as_ref().and_then(|all| all.requests.as_ref()));
    let has = storage(status.and_then(|status| status.capacity.as_ref())).unwrap_or(Quantity::ZERO);
    let (Some(now), Some(before)) = (asked(new), asked(old)) else { return };
    if now < before && now <= has {
        let at = SPEC.child("resources");
        let detail = "field can not be less than status.capacity";
        errors.push(FieldError::forbidden(at.child("requests").child("storage"), detail));
    }
}

type List = std::collections::BTreeMap<String, k8s_openapi::apimachinery::pkg::api::resource::Quantity>;

/// The class in the annotation that came before the field.
fn beta_class_of(claim: &PersistentVolumeClaim) -> &str {
    let annotations = claim.metadata.annotations.as_ref();
    annotations.and_then(|annotations| annotations.get(BETA_CLASS)).map_or("", String::as_str)
}

/// Whether the update only says in the field what the annotation has said, which may go then.
/// k8s: validateStorageClassUpgradeFromAnnotation
fn class_leaves_annotation(new: &PersistentVolumeClaim, old: &PersistentVolumeClaim) -> bool {
    let class = |claim: &PersistentVolumeClaim| claim.spec.as_ref().and_then(|spec| spec.storage_class_name.clone());
    let annotation = old.metadata.annotations.as_ref().and_then(|annotations| annotations.get(BETA_CLASS));
    class(old).is_none()
        && annotation.is_some()
        && class(new).as_ref() == annotation
        && matches!(beta_class_of(new), after if after.is_empty() || Some(after) == annotation.map(String::as_str))
}

fn beta_class(new: &PersistentVolumeClaim, old: &PersistentVolumeClaim, errors: &mut FieldErrors) {
    let at = Path::new("metadata.annotations");
    immutable(&beta_class_of(new), &beta_class_of(old), &at.child(BETA_CLASS), errors);
}

/// What an update may change beyond the one volume that the binder fills in.
#[derive(Clone, Copy)]
struct May {
    class: bool,
    grow: bool,
}

/// A claim asks once; the binder fills in the volume, and a bound claim may ask for another size or other attributes.
fn change(new: &PersistentVolumeClaimSpec, old: &PersistentVolumeClaimSpec, may: May, errors: &mut FieldErrors) {
    let mut munged = new.clone();
    if given(old.volume_name.as_ref()).is_none() {
        munged.volume_name.clone_from(&old.volume_name);
    }
    if may.class && new.storage_class_name.is_some() {
        munged.storage_class_name.clone_from(&old.storage_class_name);
    }
    if may.grow {
        let requests =
            |spec: &PersistentVolumeClaimSpec| spec.resources.as_ref()?.requests.as_ref()?.get("storage").cloned();
        if let Some(now) = munged.resources.as_mut().and_then(|all| all.requests.as_mut()) {
            now.remove("storage");
            now.extend(requests(old).map(|size| ("storage".to_owned(), size)));
        }
        if new.volume_attributes_class_name.is_some() {
            munged.volume_attributes_class_name.clone_from(&old.volume_attributes_class_name);
        }
    }
    // No class and the class "" are two things, so these fields are compared as they are.
    let classes =
        |spec: &PersistentVolumeClaimSpec| (spec.storage_class_name.clone(), spec.volume_attributes_class_name.clone());
    if !semantically_equal(&munged, old) || classes(&munged) != classes(old) {
        errors.push(FieldError::forbidden(SPEC, FIXED));
    }
}

/// A volume that has taken on the attributes of a class does not lose them.
fn attributes(
    new: &PersistentVolumeClaimSpec,
    old: &PersistentVolumeClaimSpec,
    status: Option<&PersistentVolumeClaimStatus>,
    errors: &mut FieldErrors,
) {
    let applied = status.is_some_and(|status| status.current_volume_attributes_class_name.is_some());
    if !applied || new.volume_attributes_class_name == old.volume_attributes_class_name {
        return;
    }
    let to = match new.volume_attributes_class_name.as_deref() {
        None => "nil",
        Some("") => "an empty string",
        Some(_) => return,
    };
    let detail = format!("update from non-nil value to {to} is forbidden");
    errors.push(FieldError::forbidden(SPEC.child("volumeAttributesClassName"), detail));
}

pub(crate) const ROW: Row = row! {
    "io.k8s.api.core.v1.PersistentVolumeClaim" "" "v1" "PersistentVolumeClaim" "persistentvolumeclaims" "persistentvolumeclaim" Namespaced,
    short: ["pvc"],
    subresources: [STATUS],
    columns: [
        NAME,
        Column::new("Status", "string"),
        Column::new("Volume", "string"),
        Column::new("Capacity", "string"),
        Column::new("Access Modes", "string"),
        Column::new("StorageClass", "string"),
        Column::new("VolumeAttributesClass", "string"),
        AGE,
        Column::wide("VolumeMode", "string"),
    ],

};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    let volume = tree::text(object, "spec.volumeName");
    let (capacity, modes) = match volume {
        "" => ("", String::new()),
        _ => (
            tree::text(object, "status.capacity.storage"),
            cells::of::access_modes(tree::list(object, "status.accessModes")),
        ),
    };
    vec![
        cells::of::name(object),
        cells::of::phase(object).into(),
        volume.into(),
        capacity.into(),
        modes.into(),
        cells::of::storage_class(object).into(),
        cells::of::or_unset(object, "spec.volumeAttributesClassName").into(),
        cells::of::age(object, now_unix_secs),
        cells::of::or_unset(object, "spec.volumeMode").into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::expect;
    use serde_json::json;

    fn claim() -> Value {
        json!({"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}})
    }

    #[test]
    fn a_claim_asks_for_modes_and_space_once() {
        let stored = check::created::<PersistentVolumeClaimKind>(claim());
        assert_eq!(
            (&stored["spec"]["volumeMode"], &stored["status"]["phase"]),
            (&json!("Filesystem"), &json!("Pending"))
        );
        assert_eq!(check::create::<PersistentVolumeClaimKind>(claim()), "");
        expect![[r#"
            spec.accessModes: Unsupported value: "X": supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"
            spec.resources[storage]: Required value"#]]
        .assert_eq(&check::create::<PersistentVolumeClaimKind>(json!({"spec": {"accessModes": ["X"]}})));
        assert_eq!(check::update::<PersistentVolumeClaimKind>(claim(), &json!({"spec": {"volumeName": "v"}})), "");
        expect!["spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"]
            .assert_eq(&check::update::<PersistentVolumeClaimKind>(claim(), &json!({"spec": {"accessModes": ["ReadWriteMany"]}})));
    }

    #[test]
    fn a_source_has_two_names_and_a_size_does_not_shrink() {
        let claim = |more: Value| {
            let mut claim =
                json!({"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}}});
            check::merge(&mut claim["spec"], &more);
            claim
        };
        let stored = check::created::<PersistentVolumeClaimKind>(claim(
            json!({"dataSource": {"kind": "PersistentVolumeClaim", "name": "a"}}),
        ));
        assert_eq!(stored["spec"]["dataSourceRef"], json!({"kind": "PersistentVolumeClaim", "name": "a"}));
        expect![[r#"
            spec.dataSource.name: Required value
            spec.dataSource: Invalid value: "Pod": must be 'PersistentVolumeClaim' when referencing the default apiGroup
            spec.dataSourceRef.name: Required value
            spec.dataSourceRef: Invalid value: "Pod": must be 'PersistentVolumeClaim' when referencing the default apiGroup"#]]
        .assert_eq(&check::create::<PersistentVolumeClaimKind>(claim(json!({"dataSource": {"kind": "Pod", "name": ""}}))));
        let wish = |size: &str| json!({"spec": {"resources": {"requests": {"storage": size}}}});
        expect!["spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"]
            .assert_eq(&bound(json!({}), &wish("1Gi")));
        assert_eq!(bound(json!({}), &wish("3Gi")), "");
    }

    /// The errors of an update of a claim that has its volume of 2Gi.
    fn bound(spec: Value, patch: &Value) -> String {
        let mut claim = claim();
        check::merge(&mut claim, &json!({"spec": {"resources": {"requests": {"storage": "2Gi"}}}}));
        check::merge(&mut claim["spec"], &spec);
        let mut old = check::created::<PersistentVolumeClaimKind>(claim);
        old["metadata"]["resourceVersion"] = "1".into();
        old["status"] = json!({"phase": "Bound", "capacity": {"storage": "2Gi"}});
        if let Some(class) = old["spec"].get("volumeAttributesClassName").cloned() {
            old["status"]["currentVolumeAttributesClassName"] = class;
        }
        let mut new = old.clone();
        check::merge(&mut new, patch);
        let kind = crate::typed::Typed::<PersistentVolumeClaimKind>::new();
        let errors = crate::kind::Kind::validate_update(&kind, &new, &old);
        errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_bound_claim_may_grow_and_take_other_attributes_and_nothing_else() {
        let attributes = |class: Value| json!({"spec": {"volumeAttributesClassName": class}});
        assert_eq!(bound(json!({}), &attributes(json!("gold"))), "");
        assert_eq!(bound(json!({"volumeAttributesClassName": "gold"}), &attributes(json!("iron"))), "");
        expect![[r"
            spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims
            spec.volumeAttributesClassName: Forbidden: update from non-nil value to nil is forbidden"]]
        .assert_eq(&bound(json!({"volumeAttributesClassName": "gold"}), &attributes(Value::Null)));
        expect!["spec.volumeAttributesClassName: Forbidden: update from non-nil value to an empty string is forbidden"]
            .assert_eq(&bound(json!({"volumeAttributesClassName": "gold"}), &attributes(json!(""))));
        assert_eq!(
            bound(json!({}), &json!({"spec": {"resources": {"limits": {"storage": "9Gi"}}}})),
            format!("spec: Forbidden: {FIXED}")
        );
        expect![[r#"
            spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims
            volumeMode: Invalid value: "Block": field is immutable"#]]
        .assert_eq(&bound(json!({}), &json!({"spec": {"volumeMode": "Block"}})));
    }

    #[test]
    fn the_class_of_a_claim_is_settled_once_and_no_class_is_a_class() {
        let class = |class: Value| json!({"spec": {"storageClassName": class}});
        let fixed = format!("spec: Forbidden: {FIXED}");
        assert_eq!(bound(json!({}), &class(json!("fast"))), "", "the default class may be filled in later");
        assert_eq!(bound(json!({}), &class(json!(""))), "");
        assert_eq!(bound(json!({"storageClassName": ""}), &class(json!("fast"))), fixed);
        assert_eq!(bound(json!({"storageClassName": ""}), &class(Value::Null)), fixed);
        assert_eq!(bound(json!({"storageClassName": "fast"}), &class(Value::Null)), fixed);
        let annotated = |class: Value| json!({"metadata": {"annotations": {BETA_CLASS: class}}});
        expect![[
            r#"metadata.annotations.volume.beta.kubernetes.io/storage-class: Invalid value: "slow": field is immutable"#
        ]]
        .assert_eq(&bound(json!({}), &annotated(json!("slow"))));
        let mut old = claim();
        old["metadata"] = annotated(json!("slow"))["metadata"].clone();
        let field =
            |name: &str| json!({"metadata": {"annotations": {BETA_CLASS: null}}, "spec": {"storageClassName": name}});
        assert_eq!(check::update::<PersistentVolumeClaimKind>(old.clone(), &field("slow")), "");
        expect![[r#"
            metadata.annotations.volume.beta.kubernetes.io/storage-class: Invalid value: "": field is immutable
            spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"#]]
        .assert_eq(&check::update::<PersistentVolumeClaimKind>(old, &field("fast")));
    }
}
