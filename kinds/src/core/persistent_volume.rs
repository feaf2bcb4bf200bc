//! PersistentVolume (v1).

use crate::cells;
use crate::core::persistent_volume_claim::{ACCESS_MODES, VOLUME_MODES};
use crate::errors::{FieldError, FieldErrors};
use crate::row::{AGE, Column, NAME, Row, STATUS, row};
use crate::tree;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{each, given, one_of, resources, selector, volume};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeSpec, PersistentVolumeStatus};
use serde_json::Value;

pub(crate) struct PersistentVolumeKind;

impl TypedKind for PersistentVolumeKind {
    type Object = PersistentVolume;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] = &[Hook::PrepareUpdate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = Some(cells);

    fn default(volume: &mut PersistentVolume) {
        let spec = volume.spec.get_or_insert_default();
        spec.persistent_volume_reclaim_policy.get_or_insert_with(|| "Retain".to_owned());
        spec.volume_mode.get_or_insert_with(|| "Filesystem".to_owned());
        if let Some(host) = &mut spec.host_path {
            host.type_.get_or_insert_default();
        }
        let status = volume.status.get_or_insert_default();
        status.phase.get_or_insert_with(|| "Pending".to_owned());
    }

    fn prepare_create(volume: &mut PersistentVolume) {
        let phase = Some("Pending".to_owned());
        volume.status = Some(PersistentVolumeStatus { phase, ..PersistentVolumeStatus::default() });
    }

    fn validate(volume: &PersistentVolume) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let empty = PersistentVolumeSpec::default();
        spec(volume.spec.as_ref().unwrap_or(&empty), &mut errors);
        errors
    }

    fn validate_update(volume: &PersistentVolume, old: &PersistentVolume) -> FieldErrors {
        let source = |volume: &PersistentVolume| {
            let spec = volume.spec.clone().unwrap_or_default();
            (
                spec.host_path,
                spec.local,
                spec.nfs,
                spec.csi.map(|csi| (csi.driver, csi.volume_handle)),
                spec.volume_mode,
            )
        };
        let mut errors = FieldErrors::new();
        if source(volume) != source(old) {
            let detail = "spec.persistentvolumesource is immutable after creation";
            errors.push(FieldError::forbidden("spec.persistentvolumesource", detail));
        }
        errors
    }
}

const SPEC: Path<'static> = Path::new("spec");

fn spec(spec: &PersistentVolumeSpec, errors: &mut FieldErrors) {
    let modes = SPEC.child("accessModes");
    if each(&spec.access_modes).len() == 0 {
        errors.push(FieldError::required(modes, ""));
    }
    for mode in each(&spec.access_modes) {
        one_of(mode, &ACCESS_MODES, &modes, errors);
    }
    let at = SPEC.child("capacity");
    match spec.capacity.as_ref().and_then(|capacity| capacity.get("storage")) {
        None => errors.push(FieldError::required(at, "")),
        Some(size) => resources::positive(size, &at.key("storage"), errors),
    }
    source(spec, errors);
    let policy = given(spec.persistent_volume_reclaim_policy.as_ref()).unwrap_or("Retain");
    one_of(policy, &["Delete", "Recycle", "Retain"], &SPEC.child("persistentVolumeReclaimPolicy"), errors);
    if let Some(mode) = given(spec.volume_mode.as_ref()) {
        one_of(mode, &VOLUME_MODES, &SPEC.child("volumeMode"), errors);
    }
    if let Some(required) = spec.node_affinity.as_ref().and_then(|affinity| affinity.required.as_ref()) {
        selector::node_selector(required, &SPEC.child("nodeAffinity").child("required"), errors);
    }
}

/// Volumes whose drivers are in the tree; all others are reached through CSI and checked by their driver.
fn source(spec: &PersistentVolumeSpec, errors: &mut FieldErrors) {
    if let Some(host) = &spec.host_path {
        let at = SPEC.child("hostPath");
        if host.path.is_empty() {
            errors.push(FieldError::required(at.child("path"), ""));
        }
        volume::no_backsteps(&host.path, &at.child("path"), errors);
    }
    if let Some(local) = &spec.local {
        let at = SPEC.child("local");
        if local.path.is_empty() {
            errors.push(FieldError::required(at.child("path"), ""));
        }
        volume::no_backsteps(&local.path, &at.child("path"), errors);
        if spec.node_affinity.is_none() {
            errors.push(FieldError::required(SPEC.child("nodeAffinity"), "Local volume requires node affinity"));
        }
    }
    if let Some(csi) = &spec.csi {
        let at = SPEC.child("csi");
        for (field, value) in [("driver", &csi.driver), ("volumeHandle", &csi.volume_handle)] {
            if value.is_empty() {
                errors.push(FieldError::required(at.child(field), ""));
            }
        }
    }
    let tree = serde_json::to_value(spec).expect("a volume's spec has string keys");
    let sources = tree.as_object().map_or(0, |fields| fields.keys().filter(|key| !is_common(key)).count());
    match sources {
        0 => errors.push(FieldError::required(SPEC, "must specify a volume type")),
        1 => {}
        _ => errors.push(FieldError::forbidden(SPEC, "may not specify more than 1 volume type")),
    }
}

/// Fields of a volume's spec that are not its source.
fn is_common(field: &str) -> bool {
    matches!(
        field,
        "accessModes"
            | "capacity"
            | "claimRef"
            | "mountOptions"
            | "nodeAffinity"
            | "persistentVolumeReclaimPolicy"
            | "storageClassName"
            | "volumeAttributesClassName"
            | "volumeMode"
    )
}

pub(crate) const ROW: Row = row! {
    "io.k8s.api.core.v1.PersistentVolume" "" "v1" "PersistentVolume" "persistentvolumes" "persistentvolume" Cluster,
    short: ["pv"],
    subresources: [STATUS],
    columns: [
        NAME,
        Column::new("Capacity", "string"),
        Column::new("Access Modes", "string"),
        Column::new("Reclaim Policy", "string"),
        Column::new("Status", "string"),
        Column::new("Claim", "string"),
        Column::new("StorageClass", "string"),
        Column::new("VolumeAttributesClass", "string"),
        Column::new("Reason", "string"),
        AGE,
        Column::wide("VolumeMode", "string"),
    ],

};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    vec![
        cells::of::name(object),
        tree::text(object, "spec.capacity.storage").into(),
        cells::of::access_modes(tree::list(object, "spec.accessModes")).into(),
        tree::text(object, "spec.persistentVolumeReclaimPolicy").into(),
        cells::of::phase(object).into(),
        claim(object).into(),
        cells::of::storage_class(object).into(),
        cells::of::or_unset(object, "spec.volumeAttributesClassName").into(),
        tree::text(object, "status.reason").into(),
        cells::of::age(object, now_unix_secs),
        cells::of::or_unset(object, "spec.volumeMode").into(),
    ]
}

fn claim(volume: &Value) -> String {
    match tree::at(volume, "spec.claimRef") {
        Some(claim) => format!("{}/{}", tree::text(claim, "namespace"), tree::text(claim, "name")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn a_volume_has_one_source_that_never_climbs() {
        let volume = |source: Value| {
            let mut volume = json!({"spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}}});
            check::merge(&mut volume["spec"], &source);
            check::create::<PersistentVolumeKind>(volume)
        };
        assert_eq!(volume(json!({"hostPath": {"path": "/data"}})), "");
        assert_eq!(volume(json!({})), "spec: Required value: must specify a volume type");
        expect![[r#"
            spec.hostPath.path: Invalid value: "/a/../b": must not contain '..'
            spec: Forbidden: may not specify more than 1 volume type"#]]
        .assert_eq(&volume(json!({"hostPath": {"path": "/a/../b"}, "nfs": {"server": "s", "path": "/"}})));
        assert_eq!(
            volume(json!({"local": {"path": "/x"}})),
            "spec.nodeAffinity: Required value: Local volume requires node affinity"
        );
    }
}
