//! CSIDriver (storage.k8s.io/v1).

use crate::cells;
use crate::errors::FieldErrors;
use crate::row::{AGE, Column, NAME, Row, row};
use crate::tree;
use crate::typed::{Hook, TypedKind};
use crate::validate::immutable;
use crate::validate::path::Path;
use k8s_openapi::api::storage::v1::CSIDriver;
use serde_json::Value;

pub(crate) struct CSIDriverKind;

impl TypedKind for CSIDriverKind {
    type Object = CSIDriver;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] = &[Hook::PrepareCreate, Hook::PrepareUpdate, Hook::Validate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = Some(cells);

    fn default(driver: &mut CSIDriver) {
        let spec = &mut driver.spec;
        spec.attach_required.get_or_insert(true);
        spec.pod_info_on_mount.get_or_insert(false);
        spec.storage_capacity.get_or_insert(false);
        spec.requires_republish.get_or_insert(false);
        spec.se_linux_mount.get_or_insert(false);
        spec.fs_group_policy.get_or_insert_with(|| "ReadWriteOnceWithFSType".to_owned());
        let modes = spec.volume_lifecycle_modes.get_or_insert_default();
        if modes.is_empty() {
            modes.push("Persistent".to_owned());
        }
    }

    fn validate_update(driver: &CSIDriver, old: &CSIDriver) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let path = Path::new("spec");
        let (new, before) = (&driver.spec, &old.spec);
        immutable(&new.attach_required, &before.attach_required, &path.child("attachRequired"), &mut errors);
        let modes = path.child("volumeLifecycleModes");
        immutable(&new.volume_lifecycle_modes, &before.volume_lifecycle_modes, &modes, &mut errors);
        errors
    }
}

pub(crate) const ROW: Row = row! {
    "io.k8s.api.storage.v1.CSIDriver" "storage.k8s.io" "v1" "CSIDriver" "csidrivers" "csidriver" Cluster,
    columns: [
        NAME,
        Column::new("AttachRequired", "boolean"),
        Column::new("PodInfoOnMount", "boolean"),
        Column::new("StorageCapacity", "boolean"),
        Column::new("TokenRequests", "string"),
        Column::new("RequiresRepublish", "boolean"),
        Column::new("Modes", "string"),
        AGE,
    ],
    generation: true,
};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    let attach = tree::at(object, "spec.attachRequired").and_then(Value::as_bool).unwrap_or(true);
    let audiences: Vec<&str> =
        tree::list(object, "spec.tokenRequests").iter().map(|request| tree::text(request, "audience")).collect();
    let modes: Vec<&str> = tree::list(object, "spec.volumeLifecycleModes").iter().filter_map(Value::as_str).collect();
    let tokens = if audiences.is_empty() { cells::UNSET.to_owned() } else { audiences.join(",") };
    let modes = if modes.is_empty() { cells::NONE.to_owned() } else { modes.join(",") };
    vec![
        cells::of::name(object),
        attach.into(),
        tree::boolean(object, "spec.podInfoOnMount").into(),
        tree::boolean(object, "spec.storageCapacity").into(),
        tokens.into(),
        tree::boolean(object, "spec.requiresRepublish").into(),
        modes.into(),
        cells::of::age(object, now_unix_secs),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn a_driver_attaches_unless_it_says_otherwise() {
        let stored = check::defaulted::<CSIDriverKind>(json!({"spec": {}}));
        assert_eq!(
            (&stored["spec"]["attachRequired"], &stored["spec"]["volumeLifecycleModes"]),
            (&json!(true), &json!(["Persistent"]))
        );
        expect!["spec.attachRequired: Invalid value: false: field is immutable"].assert_eq(&check::update::<
            CSIDriverKind,
        >(
            json!({"spec": {}}),
            &json!({"spec": {"attachRequired": false}}),
        ));
    }
}
