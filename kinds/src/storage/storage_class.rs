//! StorageClass (storage.k8s.io/v1).

use crate::cells;
use crate::errors::{FieldError, FieldErrors};
use crate::row::{AGE, Column, NAME, Row, row};
use crate::tree;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{format, immutable, invalid_each, one_of, semantically_equal};
use k8s_openapi::api::storage::v1::StorageClass;
use serde_json::Value;

pub(crate) struct StorageClassKind;

impl TypedKind for StorageClassKind {
    type Object = StorageClass;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] = &[Hook::PrepareCreate, Hook::PrepareUpdate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = Some(cells);

    fn default(class: &mut StorageClass) {
        class.reclaim_policy.get_or_insert_with(|| "Delete".to_owned());
        class.volume_binding_mode.get_or_insert_with(|| "Immediate".to_owned());
    }

    fn validate(class: &StorageClass) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let at = Path::new("provisioner");
        if class.provisioner.is_empty() {
            errors.push(FieldError::required(at, ""));
        } else {
            let name = class.provisioner.to_lowercase();
            invalid_each(&class.provisioner, format::qualified_name(&name), &at, &mut errors);
        }
        let policy = class.reclaim_policy.as_deref().unwrap_or_default();
        one_of(policy, &["Delete", "Retain"], &Path::new("reclaimPolicy"), &mut errors);
        let mode = class.volume_binding_mode.as_deref().unwrap_or_default();
        one_of(mode, &["Immediate", "WaitForFirstConsumer"], &Path::new("volumeBindingMode"), &mut errors);
        errors
    }

    fn validate_update(class: &StorageClass, old: &StorageClass) -> FieldErrors {
        let mut errors = FieldErrors::new();
        if !semantically_equal(&class.parameters, &old.parameters) {
            errors.push(FieldError::forbidden("parameters", "updates to parameters are forbidden."));
        }
        if class.provisioner != old.provisioner {
            errors.push(FieldError::forbidden("provisioner", "updates to provisioner are forbidden."));
        }
        if class.reclaim_policy != old.reclaim_policy {
            errors.push(FieldError::forbidden("reclaimPolicy", "updates to reclaimPolicy are forbidden."));
        }
        let at = Path::new("volumeBindingMode");
        immutable(&class.volume_binding_mode, &old.volume_binding_mode, &at, &mut errors);
        errors
    }
}

pub(crate) const ROW: Row = row! {
    "io.k8s.api.storage.v1.StorageClass" "storage.k8s.io" "v1" "StorageClass" "storageclasses" "storageclass" Cluster,
    short: ["sc"],
    columns: [
        NAME,
        Column::new("Provisioner", "string"),
        Column::new("ReclaimPolicy", "string"),
        Column::new("VolumeBindingMode", "string"),
        Column::new("AllowVolumeExpansion", "string"),
        AGE,
    ],

};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    let reclaim = match tree::text(object, "reclaimPolicy") {
        "" => "Delete",
        policy => policy,
    };
    vec![
        cells::of::name_or_default(object, "storageclass.kubernetes.io/is-default-class").into(),
        tree::text(object, "provisioner").into(),
        reclaim.into(),
        cells::of::or_unset(object, "volumeBindingMode").into(),
        tree::boolean(object, "allowVolumeExpansion").into(),
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
    fn a_class_is_fixed() {
        let class = || json!({"provisioner": "example.com/p"});
        assert_eq!(check::defaulted::<StorageClassKind>(class())["reclaimPolicy"], "Delete");
        assert_eq!(check::create::<StorageClassKind>(class()), "");
        expect!["provisioner: Required value"].assert_eq(&check::create::<StorageClassKind>(json!({})));
        expect!["parameters: Forbidden: updates to parameters are forbidden."].assert_eq(&check::update::<
            StorageClassKind,
        >(
            class(),
            &json!({"parameters": {"a": "b"}}),
        ));
    }
}
