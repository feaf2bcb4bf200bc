//! DeviceClass (resource.k8s.io/v1).

use crate::cells;
use crate::errors::FieldErrors;
use crate::row::{AGE, NAME, Row, row};
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{device, each, format, given, invalid_each};
use k8s_openapi::api::resource::v1::DeviceClass;
use serde_json::Value;

pub(crate) struct DeviceClassKind;

impl TypedKind for DeviceClassKind {
    type Object = DeviceClass;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] =
        &[Hook::Default, Hook::PrepareCreate, Hook::PrepareUpdate, Hook::ValidateUpdate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = Some(cells);

    fn validate(class: &DeviceClass) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let path = Path::new("spec");
        let spec = class.spec.clone().unwrap_or_default();
        device::selectors(each(&spec.selectors).as_slice(), &path.child("selectors"), &mut errors);
        let list = path.child("config");
        for (i, config) in each(&spec.config).enumerate() {
            device::configuration(config.opaque.as_ref(), &list.index(i), &mut errors);
        }
        if let Some(name) = given(spec.extended_resource_name.as_ref()) {
            invalid_each(name, format::qualified_name(name), &path.child("extendedResourceName"), &mut errors);
        }
        errors
    }
}

pub(crate) const ROW: Row = row! {
    "io.k8s.api.resource.v1.DeviceClass" "resource.k8s.io" "v1" "DeviceClass" "deviceclasses" "deviceclass" Cluster,
    columns: [NAME, AGE],
    generation: true,
};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    vec![cells::of::name(object), cells::of::age(object, now_unix_secs)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn a_class_selects_by_expressions_and_configures_by_driver() {
        let class = json!({"spec": {"selectors": [{"cel": {"expression": "true"}}], "config": [{"opaque": {"driver": "d.example.com", "parameters": {"a": 1}}}]}});
        assert_eq!(check::create::<DeviceClassKind>(class), "");
        expect![[r"
            spec.selectors[0].cel: Required value
            spec.config[0].opaque.driver: Required value
            spec.config[0].opaque.parameters: Required value"]]
        .assert_eq(&check::create::<DeviceClassKind>(
            json!({"spec": {"selectors": [{}], "config": [{"opaque": {"driver": "", "parameters": null}}]}}),
        ));
    }
}
