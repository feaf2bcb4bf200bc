//! ValidatingAdmissionPolicy (admissionregistration.k8s.io/v1).

use super::policy::policy_cells;
use crate::errors::{FieldError, FieldErrors};
use crate::row::{AGE, Column, NAME, Row, STATUS, row};
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{each, given, one_of, policy};
use k8s_openapi::api::admissionregistration::v1::{AuditAnnotation, ValidatingAdmissionPolicy, Validation};
use serde_json::Value;

/// k8s: maxAuditAnnotations
const AUDIT_ANNOTATIONS_MAX: usize = 20;
/// k8s: maxAuditAnnotationValueExpressionLength
const AUDIT_EXPRESSION_BYTES_MAX: usize = 5 * 1024;

pub(crate) struct ValidatingAdmissionPolicyKind;

impl TypedKind for ValidatingAdmissionPolicyKind {
    type Object = ValidatingAdmissionPolicy;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] = &[Hook::PrepareCreate, Hook::PrepareUpdate, Hook::ValidateUpdate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> =
        Some(|policy, now| policy_cells(policy, "spec.validations", now));

    fn default(policy: &mut ValidatingAdmissionPolicy) {
        let spec = policy.spec.get_or_insert_default();
        policy::fill!(spec);
    }

    fn validate(policy: &ValidatingAdmissionPolicy) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let path = Path::new("spec");
        let spec = policy.spec.clone().unwrap_or_default();
        policy::check(&policy::common!(spec), &path, &mut errors);
        let (validations, annotations) = (path.child("validations"), path.child("auditAnnotations"));
        if each(&spec.validations).len() == 0 && each(&spec.audit_annotations).len() == 0 {
            let detail = "validations or auditAnnotations must contain at least one item";
            errors.extend([validations, annotations].map(|at| FieldError::required(at, detail)));
        }
        for (i, validation) in each(&spec.validations).enumerate() {
            self::validation(validation, &validations.index(i), &mut errors);
        }
        audit_annotations(each(&spec.audit_annotations).as_slice(), &annotations, &mut errors);
        policy::compile(&spec, &mut errors);
        errors
    }
}

fn validation(validation: &Validation, path: &Path<'_>, errors: &mut FieldErrors) {
    policy::expression(&validation.expression, &path.child("expression"), errors);
    if let Some(text) = given(validation.message_expression.as_ref())
        && text.trim().is_empty()
    {
        errors.push(FieldError::invalid(path.child("messageExpression"), text, "must be non-empty if specified"));
    }
    if let Some(text) = given(validation.message.as_ref()) {
        let at = path.child("message");
        if text.trim().is_empty() {
            errors.push(FieldError::invalid(at, text, "message must be non-empty if specified"));
        } else if text.trim().contains(['\n', '\r']) {
            errors.push(FieldError::invalid(at, text, "message must not contain line breaks"));
        }
    }
    if let Some(reason) = given(validation.reason.as_ref()) {
        let known = ["Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"];
        one_of(reason, &known, &path.child("reason"), errors);
    }
}

fn audit_annotations(all: &[AuditAnnotation], path: &Path<'_>, errors: &mut FieldErrors) {
    if all.len() > AUDIT_ANNOTATIONS_MAX {
        let detail = format!("must not have more than {AUDIT_ANNOTATIONS_MAX} auditAnnotations");
        errors.push(FieldError::invalid(path, all, detail));
    }
    let mut keys = std::collections::BTreeSet::new();
    for (i, annotation) in all.iter().enumerate() {
        let at = path.index(i);
        if annotation.key.is_empty() {
            errors.push(FieldError::required(at.child("key"), ""));
        } else if !keys.insert(&annotation.key) {
            errors.push(FieldError::duplicate(at.child("key"), &annotation.key));
        }
        let value = at.child("valueExpression");
        if annotation.value_expression.trim().is_empty() {
            errors.push(FieldError::required(value, "valueExpression is not specified"));
        } else if annotation.value_expression.len() > AUDIT_EXPRESSION_BYTES_MAX {
            let detail = format!("must not exceed {AUDIT_EXPRESSION_BYTES_MAX} bytes in length");
            errors.push(FieldError::required(value, detail));
        }
    }
}

pub(crate) const ROW: Row = row! {
    "io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicy" "admissionregistration.k8s.io" "v1" "ValidatingAdmissionPolicy" "validatingadmissionpolicies" "validatingadmissionpolicy" Cluster,
    categories: ["api-extensions"],
    subresources: [STATUS],
    columns: [
        NAME,
        Column::new("Validations", "integer"),
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
    fn a_policy_says_what_it_applies_to_and_what_it_checks() {
        let rule = json!({"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["deployments"]});
        let policy =
            json!({"spec": {"matchConstraints": {"resourceRules": [rule]}, "validations": [{"expression": "true"}]}});
        let stored = check::defaulted::<ValidatingAdmissionPolicyKind>(policy);
        assert_eq!(stored["spec"]["failurePolicy"], "Fail");
        assert_eq!(stored["spec"]["matchConstraints"]["resourceRules"][0]["scope"], "*");
        assert_eq!(check::create::<ValidatingAdmissionPolicyKind>(stored), "");
        expect![[r#"
            spec.paramKind.apiVersion: Invalid value: "a/": version must be specified
            spec.paramKind.kind: Required value
            spec.matchConstraints: Required value
            spec.variables[0].name: Invalid value: "for": name is not a valid CEL identifier
            spec.validations[0].expression: Required value: expression is not specified
            spec.validations[0].reason: Unsupported value: "Bad": supported values: "Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized""#]]
        .assert_eq(&check::create::<ValidatingAdmissionPolicyKind>(json!({"spec": {
            "paramKind": {"apiVersion": "a/"}, "variables": [{"name": "for", "expression": "1"}],
            "validations": [{"expression": " ", "reason": "Bad"}],
        }})));
    }

    #[test]
    fn what_does_not_compile_is_refused_where_it_stands() {
        let rule = json!({"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["deployments"], "scope": "*"});
        let resources =
            json!({"resourceRules": [rule], "matchPolicy": "Exact", "namespaceSelector": {}, "objectSelector": {}});
        let refused = check::create::<ValidatingAdmissionPolicyKind>(json!({"spec": {
            "failurePolicy": "Fail", "matchConstraints": resources,
            "matchConditions": [{"name": "c", "expression": "variables.x"}],
            "variables": [{"name": "x", "expression": "object.spec.replicas + "}, {"name": "y", "expression": "1"}],
            "validations": [
                {"expression": "params.x == 1"}, {"expression": "1 + 1"},
                {"expression": "variables.y > 1 && variables.x && variables.z", "messageExpression": "authorizer.path('/').check('get').allowed()"}],
        }}));
        for part in [
            "spec.matchConditions[0].expression: Invalid value: \"variables.x\": compilation failed: ERROR: <input>:1:1: undeclared reference to 'variables' (in container '')",
            "spec.variables[0].expression: Invalid value: \"object.spec.replicas +\": compilation failed: ERROR: <input>:1:23: Syntax error",
            "spec.validations[0].expression: Invalid value: \"params.x == 1\": compilation failed: ERROR: <input>:1:1: undeclared reference to 'params' (in container '')",
            "spec.validations[1].expression: Invalid value: \"1 + 1\": must evaluate to bool but got int",
            "undefined field 'z'",
            "spec.validations[2].messageExpression: Invalid value: \"authorizer.path('/').check('get').allowed()\": compilation failed: ERROR: <input>:1:1: undeclared reference to 'authorizer'",
        ] {
            assert!(refused.contains(part), "{part}\n{refused}");
        }
    }
}
