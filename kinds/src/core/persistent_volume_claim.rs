//! PersistentVolumeClaim (v1).

mod source;

use crate::cells;
use crate::errors::{FieldError, FieldErrors};
use crate::quantity::Quantity;
use crate::row::{AGE, Column, NAME, Row, STATUS, row};
use crate::tree;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{each, format, given, invalid_each, one_of, resources, selector, semantically_equal};
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
        spec(claim.spec.as_ref().unwrap_or(&empty), &mut errors);
        errors
    }

    fn validate_update(claim: &PersistentVolumeClaim, old: &PersistentVolumeClaim) -> FieldErrors {
        match (&claim.spec, &old.spec) {
            (Some(new), Some(before)) => {
                let mut errors = change(new, before, claim_is_bound(old));
                size(new, before, old.status.as_ref(), &mut errors);
                errors
            }
            _ => Vec::new(),
        }
    }
}

const SPEC: Path<'static> = Path::new("spec");
pub(crate) const ACCESS_MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
pub(crate) const VOLUME_MODES: [&str; 2] = ["Block", "Filesystem"];
const FIXED: &str =
    "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";

fn claim_is_bound(claim: &PersistentVolumeClaim) -> bool {
    claim.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Bound")
}

fn spec(spec: &PersistentVolumeClaimSpec, errors: &mut FieldErrors) {
    let modes = SPEC.child("accessModes");
    if each(&spec.access_modes).len() == 0 {
        errors.push(FieldError::required(modes, "at least 1 access mode is required"));
    }
    for mode in each(&spec.access_modes) {
        one_of(mode, &ACCESS_MODES, &modes, errors);
    }
    if each(&spec.access_modes).len() > 1 && each(&spec.access_modes).any(|mode| mode == "ReadWriteOncePod") {
        errors.push(FieldError::forbidden(modes, "may not use ReadWriteOncePod with other access modes"));
    }
    if let Some(wanted) = &spec.selector {
        selector::label_selector(wanted, &SPEC.child("selector"), errors);
    }
    let at = SPEC.child("resources");
    let requests = spec.resources.as_ref().and_then(|resources| resources.requests.as_ref());
    match requests.and_then(|requests| requests.get("storage")) {
        None => errors.push(FieldError::required(at.key("storage"), "")),
        Some(size) => resources::positive(size, &at.key("storage"), errors),
    }
    if let Some(mode) = given(spec.volume_mode.as_ref()) {
        one_of(mode, &VOLUME_MODES, &SPEC.child("volumeMode"), errors);
    }
    if let Some(class) = given(spec.storage_class_name.as_ref()) {
        invalid_each(class, format::dns_subdomain(class), &SPEC.child("storageClassName"), errors);
    }
    if let Some(class) = given(spec.volume_attributes_class_name.as_ref()) {
        invalid_each(class, format::dns_subdomain(class), &SPEC.child("volumeAttributesClassName"), errors);
    }
    source::check(spec, &SPEC, errors);
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
    if now < before && (has == Quantity::ZERO || now <= has) {
        let at = SPEC.child("resources");
        let detail = "field can not be less than status.capacity";
        errors.push(FieldError::forbidden(at.child("requests").child("storage"), detail));
    }
}

type List = std::collections::BTreeMap<String, k8s_openapi::apimachinery::pkg::api::resource::Quantity>;

/// A claim asks once; the binder fills in the volume, and a bound claim may grow.
fn change(new: &PersistentVolumeClaimSpec, old: &PersistentVolumeClaimSpec, bound: bool) -> FieldErrors {
    let mut munged = new.clone();
    if given(old.volume_name.as_ref()).is_none() {
        munged.volume_name.clone_from(&old.volume_name);
    }
    if given(old.storage_class_name.as_ref()).is_none() {
        // k8s: the default class may be filled in later.
        munged.storage_class_name.clone_from(&old.storage_class_name);
    }
    if bound {
        munged.resources.clone_from(&old.resources);
        munged.volume_attributes_class_name.clone_from(&old.volume_attributes_class_name);
    }
    let mut errors = FieldErrors::new();
    if !semantically_equal(&munged, old) {
        errors.push(FieldError::forbidden(SPEC, FIXED));
    }
    errors
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
        let mut old = check::created::<PersistentVolumeClaimKind>(claim(json!({})));
        old["metadata"]["resourceVersion"] = "1".into();
        old["status"] = json!({"phase": "Bound", "capacity": {"storage": "2Gi"}});
        let mut new = claim(json!({"resources": {"requests": {"storage": "1Gi"}}, "volumeMode": "Filesystem"}));
        new["metadata"] = old["metadata"].clone();
        let errors = crate::typed::Typed::<PersistentVolumeClaimKind>::new();
        let errors: Vec<String> =
            crate::kind::Kind::validate_update(&errors, &new, &old).iter().map(ToString::to_string).collect();
        expect!["spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"]
            .assert_eq(&errors.join("\n"));
    }
}
