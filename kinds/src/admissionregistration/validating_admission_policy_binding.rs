//! ValidatingAdmissionPolicyBinding (admissionregistration.k8s.io/v1).

use super::policy::binding_cells;
use crate::errors::{FieldError, FieldErrors};
use crate::row::{AGE, Column, NAME, Row, row};
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{one_of, policy};
use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicyBinding;
use serde_json::Value;

pub(crate) struct ValidatingAdmissionPolicyBindingKind;

impl TypedKind for ValidatingAdmissionPolicyBindingKind {
    type Object = ValidatingAdmissionPolicyBinding;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] = &[Hook::PrepareCreate, Hook::PrepareUpdate, Hook::ValidateUpdate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = Some(binding_cells);

    fn default(binding: &mut ValidatingAdmissionPolicyBinding) {
        let spec = &mut binding.spec;
        policy::fill_binding!(spec);
    }

    fn validate(binding: &ValidatingAdmissionPolicyBinding) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let path = Path::new("spec");
        let spec = &binding.spec;
        let common = policy::Binding {
            policy_name: Some(&spec.policy_name),
            param: spec.param_ref.as_ref(),
            resources: spec.match_resources.as_ref(),
        };
        policy::binding(&common, &path, &mut errors);
        actions(&spec.validation_actions, &path.child("validationActions"), &mut errors);
        errors
    }
}

fn actions(actions: &[String], path: &Path<'_>, errors: &mut FieldErrors) {
    for (i, action) in actions.iter().enumerate() {
        one_of(action, &["Audit", "Deny", "Warn"], &path.index(i), errors);
        if actions[..i].contains(action) {
            errors.push(FieldError::duplicate(path.index(i), action));
        }
    }
    let has = |wanted: &str| actions.iter().any(|action| action == wanted);
    if has("Deny") && has("Warn") {
        let detail = "must not contain both Deny and Warn (repeating the same validation failure information in the API \
                      response and headers serves no purpose)";
        errors.push(FieldError::invalid(path, actions, detail));
    }
    if actions.is_empty() {
        errors.push(FieldError::required(path, "at least one validation action is required"));
    }
}

pub(crate) const ROW: Row = row! {
    "io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyBinding" "admissionregistration.k8s.io" "v1" "ValidatingAdmissionPolicyBinding" "validatingadmissionpolicybindings" "validatingadmissionpolicybinding" Cluster,
    categories: ["api-extensions"],
    columns: [
        NAME,
        Column::new("PolicyName", "string"),
        Column::new("ParamRef", "string"),
        AGE,
    ],
    generation: true,
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn a_binding_names_a_policy_and_says_what_happens() {
        let good = json!({"spec": {"policyName": "p", "validationActions": ["Deny"], "paramRef": {"name": "x"}}});
        let stored = check::defaulted::<ValidatingAdmissionPolicyBindingKind>(good);
        assert_eq!(stored["spec"]["paramRef"]["parameterNotFoundAction"], "Deny");
        assert_eq!(check::create::<ValidatingAdmissionPolicyBindingKind>(stored), "");
        expect![[r#"
            spec.policyName: Required value
            spec.paramRef: Required value: one of name or selector must be specified
            spec.validationActions[1]: Unsupported value: "Log": supported values: "Audit", "Deny", "Warn"
            spec.validationActions[2]: Duplicate value: "Audit""#]]
        .assert_eq(&check::create::<ValidatingAdmissionPolicyBindingKind>(
            json!({"spec": {"validationActions": ["Audit", "Log", "Audit"], "paramRef": {}}}),
        ));
    }
}
