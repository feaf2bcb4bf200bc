//! ResourceClaimTemplate (resource.k8s.io/v1).

use crate::cells;
use crate::errors::FieldErrors;
use crate::row::{AGE, NAME, Row, row};
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{device, immutable, metadata};
use k8s_openapi::api::resource::v1::ResourceClaimTemplate;
use serde_json::Value;

pub(crate) struct ResourceClaimTemplateKind;

impl TypedKind for ResourceClaimTemplateKind {
    type Object = ResourceClaimTemplate;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] = &[Hook::PrepareCreate, Hook::PrepareUpdate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = Some(cells);

    fn default(template: &mut ResourceClaimTemplate) {
        let claim = template.spec.as_mut().and_then(|spec| spec.spec.as_mut());
        if let Some(devices) = claim.and_then(|claim| claim.devices.as_mut()) {
            device::default_claim(devices);
        }
    }

    fn validate(template: &ResourceClaimTemplate) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let path = Path::new("spec");
        let Some(spec) = &template.spec else { return errors };
        if let Some(meta) = &spec.metadata {
            let at = path.child("metadata");
            metadata::labels(meta.labels.as_ref(), &at.child("labels"), &mut errors);
            metadata::annotations(meta.annotations.as_ref(), &at.child("annotations"), &mut errors);
        }
        if let Some(devices) = spec.spec.as_ref().and_then(|claim| claim.devices.as_ref()) {
            device::claim(devices, &path.child("spec").child("devices"), &mut errors);
        }
        errors
    }

    fn validate_update(template: &ResourceClaimTemplate, old: &ResourceClaimTemplate) -> FieldErrors {
        let mut errors = FieldErrors::new();
        immutable(&template.spec, &old.spec, &Path::new("spec"), &mut errors);
        errors
    }
}

pub(crate) const ROW: Row = row! {
    "io.k8s.api.resource.v1.ResourceClaimTemplate" "resource.k8s.io" "v1" "ResourceClaimTemplate" "resourceclaimtemplates" "resourceclaimtemplate" Namespaced,
    columns: [NAME, AGE],

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
    fn a_template_holds_a_valid_claim_for_good() {
        let template =
            json!({"spec": {"spec": {"devices": {"requests": [{"name": "a", "exactly": {"deviceClassName": "c"}}]}}}});
        let stored = check::defaulted::<ResourceClaimTemplateKind>(template.clone());
        assert_eq!(stored["spec"]["spec"]["devices"]["requests"][0]["exactly"]["allocationMode"], "ExactCount");
        expect!["spec.spec.devices.requests[0].name: Required value"].assert_eq(&check::create::<
            ResourceClaimTemplateKind,
        >(
            json!({"spec": {"spec": {"devices": {"requests": [{"name": "", "exactly": {"deviceClassName": "c"}}]}}}}),
        ));
        let changed =
            check::update::<ResourceClaimTemplateKind>(template, &json!({"spec": {"spec": {"devices": null}}}));
        assert!(changed.ends_with("field is immutable"), "{changed}");
    }
}
