//! CSIDriver (storage.k8s.io/v1).

use crate::cells;
use crate::errors::{FieldError, FieldErrors};
use crate::row::{AGE, Column, NAME, Row, row};
use crate::tree;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{each, immutable, one_of, volume};
use k8s_openapi::api::storage::v1::{CSIDriver, TokenRequest};
use serde_json::Value;
use std::collections::BTreeSet;

pub(crate) struct CSIDriverKind;

impl TypedKind for CSIDriverKind {
    type Object = CSIDriver;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] = &[Hook::PrepareCreate, Hook::PrepareUpdate, Hook::Warnings];
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

    fn validate(driver: &CSIDriver) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let name = driver.metadata.name.as_deref().unwrap_or_default();
        if name.len() > NAME_BYTES_MAX {
            let detail = format!("must be no more than {NAME_BYTES_MAX} bytes");
            errors.push(FieldError::invalid("metadata.name", name, detail));
        }
        let path = Path::new("spec");
        let spec = &driver.spec;
        if let Some(policy) = &spec.fs_group_policy {
            let known = ["File", "None", "ReadWriteOnceWithFSType"];
            one_of(policy, &known, &path.child("fsGroupPolicy"), &mut errors);
        }
        tokens(each(&spec.token_requests).as_slice(), &path.child("tokenRequests"), &mut errors);
        for mode in each(&spec.volume_lifecycle_modes) {
            one_of(mode, &["Persistent", "Ephemeral"], &path.child("volumeLifecycleModes"), &mut errors);
        }
        let at = path.child("nodeAllocatableUpdatePeriodSeconds");
        if let Some(secs) = spec.node_allocatable_update_period_seconds.filter(|secs| *secs < UPDATE_SECS_MIN) {
            let detail = format!("must be greater than or equal to {UPDATE_SECS_MIN} seconds");
            errors.push(FieldError::invalid(at, secs, detail));
        }
        errors
    }

    fn validate_update(driver: &CSIDriver, old: &CSIDriver) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let path = Path::new("spec");
        let (new, before) = (&driver.spec, &old.spec);
        // k8s: `attachedRequired` is how upstream spells the path.
        immutable(&new.attach_required, &before.attach_required, &path.child("attachedRequired"), &mut errors);
        let modes = path.child("volumeLifecycleModes");
        immutable(&new.volume_lifecycle_modes, &before.volume_lifecycle_modes, &modes, &mut errors);
        errors
    }
}

/// A driver's name becomes a part of names that are labels.
const NAME_BYTES_MAX: usize = 63;
/// More often than this a driver would only keep its node busy.
const UPDATE_SECS_MIN: i64 = 10;

/// Each token is for another audience, and at most one for that of the API server (`""`).
fn tokens(requests: &[TokenRequest], path: &Path<'_>, errors: &mut FieldErrors) {
    let mut audiences = BTreeSet::new();
    for (i, request) in requests.iter().enumerate() {
        let at = path.index(i);
        if !audiences.insert(&request.audience) {
            errors.push(FieldError::duplicate(at.child("audience"), &request.audience));
            continue;
        }
        volume::token_seconds(request.expiration_seconds, &at.child("expirationSeconds"), errors);
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
        expect!["spec.attachedRequired: Invalid value: false: field is immutable"].assert_eq(&check::update::<
            CSIDriverKind,
        >(
            json!({"spec": {}}),
            &json!({"spec": {"attachRequired": false}}),
        ));
    }

    #[test]
    fn a_driver_says_what_it_needs_within_bounds() {
        assert_eq!(check::create::<CSIDriverKind>(json!({"spec": {"tokenRequests": [{"audience": ""}]}})), "");
        expect![[r#"
            spec.fsGroupPolicy: Unsupported value: "All": supported values: "File", "None", "ReadWriteOnceWithFSType"
            spec.tokenRequests[0].expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes
            spec.tokenRequests[1].audience: Duplicate value: "a"
            spec.volumeLifecycleModes: Unsupported value: "Late": supported values: "Persistent", "Ephemeral"
            spec.nodeAllocatableUpdatePeriodSeconds: Invalid value: 9: must be greater than or equal to 10 seconds"#]]
        .assert_eq(&check::create::<CSIDriverKind>(json!({"spec": {
            "fsGroupPolicy": "All",
            "tokenRequests": [{"audience": "a", "expirationSeconds": 599}, {"audience": "a"}],
            "volumeLifecycleModes": ["Late"],
            "nodeAllocatableUpdatePeriodSeconds": 9,
        }})));
        let long = json!({"metadata": {"name": "d".repeat(64)}, "spec": {}});
        assert!(check::create::<CSIDriverKind>(long).ends_with("must be no more than 63 bytes"));
    }
}
