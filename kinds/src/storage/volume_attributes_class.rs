//! VolumeAttributesClass (storage.k8s.io/v1).

use crate::cells;
use crate::errors::{FieldError, FieldErrors};
use crate::row::{AGE, Column, NAME, Row, row};
use crate::tree;
use crate::typed::{Hook, TypedKind};
use crate::validate::immutable;
use crate::validate::path::Path;
use crate::validate::storage::{self, Parameters};
use k8s_openapi::api::storage::v1::VolumeAttributesClass;
use serde_json::Value;

pub(crate) struct VolumeAttributesClassKind;

impl TypedKind for VolumeAttributesClassKind {
    type Object = VolumeAttributesClass;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] = &[Hook::Default, Hook::PrepareCreate, Hook::PrepareUpdate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = Some(cells);

    fn validate(class: &VolumeAttributesClass) -> FieldErrors {
        let mut errors = FieldErrors::new();
        storage::driver_name(&class.driver_name, &Path::new("driverName"), &mut errors);
        let path = Path::new("parameters");
        storage::parameters(class.parameters.as_ref(), Parameters::Required, &path, &mut errors);
        errors
    }

    fn validate_update(class: &VolumeAttributesClass, old: &VolumeAttributesClass) -> FieldErrors {
        let mut errors = FieldErrors::new();
        immutable(&class.driver_name, &old.driver_name, &Path::new("driverName"), &mut errors);
        if class.parameters != old.parameters {
            errors.push(FieldError::forbidden("parameters", "updates to parameters are forbidden."));
        }
        errors
    }
}

pub(crate) const ROW: Row = row! {
    "io.k8s.api.storage.v1.VolumeAttributesClass" "storage.k8s.io" "v1" "VolumeAttributesClass" "volumeattributesclasses" "volumeattributesclass" Cluster,
    short: ["vac"],
    columns: [NAME, Column::new("DriverName", "string"), AGE],

};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    vec![
        cells::of::name_or_default(object, "volumeattributesclass.alpha.kubernetes.io/is-default-class").into(),
        tree::text(object, "driverName").into(),
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
    fn a_class_of_attributes_has_some_and_keeps_them() {
        let class = json!({"driverName": "csi.example.com", "parameters": {"iops": "100"}});
        assert_eq!(check::create::<VolumeAttributesClassKind>(class.clone()), "");
        expect!["parameters: Required value: must contain at least one key/value pair"].assert_eq(&check::create::<
            VolumeAttributesClassKind,
        >(
            json!({"driverName": "csi.example.com"}),
        ));
        expect!["parameters: Forbidden: updates to parameters are forbidden."].assert_eq(&check::update::<
            VolumeAttributesClassKind,
        >(
            class,
            &json!({"parameters": {"iops": "200"}}),
        ));
    }
}
