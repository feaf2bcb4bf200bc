//! MutatingAdmissionPolicy (admissionregistration.k8s.io/v1).

use super::policy::policy_cells;
use crate::errors::{FieldError, FieldErrors};
use crate::row::{AGE, Column, NAME, Row, row};
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{each, given, one_of, policy};
use k8s_openapi::api::admissionregistration::v1::{MutatingAdmissionPolicy, Mutation};
use serde_json::Value;

pub(crate) struct MutatingAdmissionPolicyKind;

impl TypedKind for MutatingAdmissionPolicyKind {
    type Object = MutatingAdmissionPolicy;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] = &[Hook::PrepareCreate, Hook::PrepareUpdate, Hook::ValidateUpdate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> =
        Some(|policy, now| policy_cells(policy, "spec.mutations", now));

    fn default(policy: &mut MutatingAdmissionPolicy) {
        let spec = policy.spec.get_or_insert_default();
        policy::fill!(spec);
    }

    fn validate(policy: &MutatingAdmissionPolicy) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let path = Path::new("spec");
        let spec = policy.spec.clone().unwrap_or_default();
        policy::check(&policy::common!(spec), &path, &mut errors);
        let mutations = path.child("mutations");
        if each(&spec.mutations).len() == 0 {
            errors.push(FieldError::required(mutations, "mutations must contain at least one item"));
        }
        for (i, mutation) in each(&spec.mutations).enumerate() {
            self::mutation(mutation, &mutations.index(i), &mut errors);
        }
        let at = path.child("reinvocationPolicy");
        match given(spec.reinvocation_policy.as_ref()) {
            None => errors.push(FieldError::required(at, "")),
            Some(policy) => one_of(policy, &["IfNeeded", "Never"], &at, &mut errors),
        }
        policy::compile(&spec, &mut errors);
        errors
    }
}

/// The expression of the kind of patch that is named, and no other.
fn mutation(mutation: &Mutation, path: &Path<'_>, errors: &mut FieldErrors) {
    let apply = mutation.apply_configuration.as_ref().map(|apply| &apply.expression);
    let patch = mutation.json_patch.as_ref().map(|patch| &patch.expression);
    let forms = [("ApplyConfiguration", "applyConfiguration", apply), ("JSONPatch", "jsonPatch", patch)];
    let kind = mutation.patch_type.as_str();
    if kind.is_empty() {
        errors.push(FieldError::required(path.child("patchType"), ""));
        return;
    }
    one_of(kind, &["ApplyConfiguration", "JSONPatch"], &path.child("patchType"), errors);
    for (name, field, expression) in forms {
        let at = path.child(field);
        match expression {
            Some(_) if name != kind => {
                errors.push(FieldError::invalid(
                    at,
                    "{}",
                    format!("{field} must not be specified when patchType is {kind}"),
                ));
            }
            Some(expression) => {
                policy::expression(expression.as_deref().unwrap_or_default(), &at.child("expression"), errors);
            }
            None if name == kind => {
                errors.push(FieldError::required(at, format!("{field} must be specified when patchType is {kind}")));
            }
            None => {}
        }
    }
}

pub(crate) const ROW: Row = row! {
    "io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicy" "admissionregistration.k8s.io" "v1" "MutatingAdmissionPolicy" "mutatingadmissionpolicies" "mutatingadmissionpolicy" Cluster,
    categories: ["api-extensions"],
    columns: [
        NAME,
        Column::new("Mutations", "integer"),
        Column::new("ParamKind", "string"),
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
    fn a_mutation_has_the_expression_of_its_kind() {
        let rule = json!({"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]});
        expect![[r"
            spec.mutations[0].applyConfiguration: Required value: applyConfiguration must be specified when patchType is ApplyConfiguration
            spec.mutations[1].patchType: Required value
            spec.reinvocationPolicy: Required value"]]
        .assert_eq(&check::create::<MutatingAdmissionPolicyKind>(json!({"spec": {
            "matchConstraints": {"resourceRules": [rule]},
            "mutations": [{"patchType": "ApplyConfiguration"}, {}, {"patchType": "JSONPatch", "jsonPatch": {"expression": "[]"}}],
        }})));
    }
}
