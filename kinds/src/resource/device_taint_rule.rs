//! DeviceTaintRule (resource.k8s.io/v1).

use crate::cells;
use crate::errors::FieldErrors;
use crate::row::{AGE, NAME, Row, STATUS, row};
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{device, format, given, invalid_each};
use k8s_openapi::api::resource::v1::DeviceTaintRule;
use serde_json::Value;

pub(crate) struct DeviceTaintRuleKind;

impl TypedKind for DeviceTaintRuleKind {
    type Object = DeviceTaintRule;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] =
        &[Hook::Default, Hook::PrepareCreate, Hook::PrepareUpdate, Hook::ValidateUpdate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = Some(cells);

    fn validate(rule: &DeviceTaintRule) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let path = Path::new("spec");
        if let Some(selector) = &rule.spec.device_selector {
            let at = path.child("deviceSelector");
            if let Some(driver) = given(selector.driver.as_ref()) {
                device::driver(driver, &at.child("driver"), &mut errors);
            }
            if let Some(pool) = given(selector.pool.as_ref()) {
                device::pool(pool, &at.child("pool"), &mut errors);
            }
            if let Some(name) = given(selector.device.as_ref()) {
                invalid_each(name, format::dns_label(name), &at.child("device"), &mut errors);
            }
        }
        device::taint(&rule.spec.taint, &path.child("taint"), &mut errors);
        errors
    }
}

pub(crate) const ROW: Row = row! {
    "io.k8s.api.resource.v1.DeviceTaintRule" "resource.k8s.io" "v1" "DeviceTaintRule" "devicetaintrules" "devicetaintrule" Cluster,
    subresources: [STATUS],
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
    fn a_rule_taints_with_a_key_and_an_effect() {
        let rule = json!({"spec": {"taint": {"key": "example.com/broken", "effect": "NoExecute"}}});
        assert_eq!(check::create::<DeviceTaintRuleKind>(rule), "");
        expect![[r#"
            spec.deviceSelector.device: Invalid value: "A": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
            spec.taint.key: Required value: name part must be non-empty
            spec.taint.effect: Unsupported value: "Evict": supported values: "NoExecute", "NoSchedule", "None""#]]
        .assert_eq(&check::create::<DeviceTaintRuleKind>(
            json!({"spec": {"deviceSelector": {"device": "A"}, "taint": {"key": "", "effect": "Evict"}}}),
        ));
    }
}
