//! MutatingAdmissionPolicyBinding (admissionregistration.k8s.io/v1).

use super::policy::binding_cells;
use crate::errors::FieldErrors;
use crate::row::{AGE, Column, NAME, Row, row};
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::policy;
use k8s_openapi::api::admissionregistration::v1::MutatingAdmissionPolicyBinding;
use serde_json::Value;

pub(crate) struct MutatingAdmissionPolicyBindingKind;

impl TypedKind for MutatingAdmissionPolicyBindingKind {
    type Object = MutatingAdmissionPolicyBinding;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] = &[Hook::PrepareCreate, Hook::PrepareUpdate, Hook::ValidateUpdate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = Some(binding_cells);

    fn default(binding: &mut MutatingAdmissionPolicyBinding) {
        let spec = binding.spec.get_or_insert_default();
        policy::fill_binding!(spec);
    }

    fn validate(binding: &MutatingAdmissionPolicyBinding) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let spec = binding.spec.clone().unwrap_or_default();
        let common = policy::Binding {
            policy_name: spec.policy_name.as_ref(),
            param: spec.param_ref.as_ref(),
            resources: spec.match_resources.as_ref(),
        };
        policy::binding(&common, &Path::new("spec"), &mut errors);
        errors
    }
}

pub(crate) const ROW: Row = row! {
    "io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicyBinding" "admissionregistration.k8s.io" "v1" "MutatingAdmissionPolicyBinding" "mutatingadmissionpolicybindings" "mutatingadmissionpolicybinding" Cluster,
    categories: ["api-extensions"],
    columns: [
        NAME,
        Column::new("PolicyName", "string"),
        Column::new("ParamRef", "string"),
        AGE,
    ],
    generation: true,
};
