//! Defaults and rules that validating and mutating admission policies share, and their bindings.
//! k8s: `pkg/apis/admissionregistration/validation`

use super::path::Path;
use super::webhook::{self, Rule};
use super::{each, format, given, invalid_each, one_of, selector};
use crate::admission::Policy;
use crate::errors::{FieldError, FieldErrors};
use k8s_openapi::api::admissionregistration::v1::{
    MatchCondition, MatchResources, NamedRuleWithOperations, ParamKind, ParamRef, Variable,
};
use serde::Serialize;
use std::collections::BTreeSet;

/// Words of CEL that cannot name a variable.
const CEL_RESERVED: &[&str] = &[
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
];

/// What the specs of policies of both kinds have.
pub struct Common<'a> {
    pub failure: Option<&'a String>,
    pub param_kind: Option<&'a ParamKind>,
    pub constraints: Option<&'a MatchResources>,
    pub conditions: &'a [MatchCondition],
    pub variables: &'a [Variable],
}

/// [`Common`] of the spec of either kind: two Go types with the same fields.
macro_rules! common {
    ($spec:expr) => {
        $crate::validate::policy::Common {
            failure: $spec.failure_policy.as_ref(),
            param_kind: $spec.param_kind.as_ref(),
            constraints: $spec.match_constraints.as_ref(),
            conditions: $crate::validate::each(&$spec.match_conditions).as_slice(),
            variables: $crate::validate::each(&$spec.variables).as_slice(),
        }
    };
}
pub(crate) use common;

/// The defaults that the spec of either kind has.
macro_rules! fill {
    ($spec:expr) => {
        $spec.failure_policy.get_or_insert_with(|| $crate::validate::webhook::FAILURE_POLICY.to_owned());
        $spec.match_constraints.iter_mut().for_each($crate::validate::policy::default_match);
    };
}
pub(crate) use fill;

/// The defaults that the spec of a binding of either kind has.
macro_rules! fill_binding {
    ($spec:expr) => {
        $spec.match_resources.iter_mut().for_each($crate::validate::policy::default_match);
        $spec.param_ref.iter_mut().for_each($crate::validate::policy::default_param);
    };
}
pub(crate) use fill_binding;

pub fn check(spec: &Common<'_>, path: &Path<'_>, errors: &mut FieldErrors) {
    failure_policy(spec.failure, &path.child("failurePolicy"), errors);
    if let Some(kind) = spec.param_kind {
        param_kind(kind, &path.child("paramKind"), errors);
    }
    constraints(spec.constraints, &path.child("matchConstraints"), errors);
    webhook::conditions(spec.conditions, &path.child("matchConditions"), errors);
    variables(spec.variables, &path.child("variables"), errors);
}

/// What of a spec does not compile.
pub fn compile(spec: &impl Serialize, errors: &mut FieldErrors) {
    errors.extend(Policy::compile(&serde_json::json!(spec)).errors());
}

pub fn default_match(all: &mut MatchResources) {
    all.match_policy.get_or_insert_with(|| webhook::MATCH_POLICY.to_owned());
    all.namespace_selector.get_or_insert_default();
    all.object_selector.get_or_insert_default();
    let rules = all.resource_rules.iter_mut().flatten().chain(all.exclude_resource_rules.iter_mut().flatten());
    for rule in rules {
        rule.scope.get_or_insert_with(|| "*".to_owned());
    }
}

pub fn default_param(param: &mut ParamRef) {
    param.parameter_not_found_action.get_or_insert_with(|| "Deny".to_owned());
}

/// What a policy applies to; it must name resources, because they give expressions their types.
fn constraints(all: Option<&MatchResources>, path: &Path<'_>, errors: &mut FieldErrors) {
    let Some(all) = all else {
        errors.push(FieldError::required(path, ""));
        return;
    };
    match_resources(all, path, errors);
    if each(&all.resource_rules).len() == 0 {
        errors.push(FieldError::required(path.child("resourceRules"), ""));
    }
}

pub fn match_resources(all: &MatchResources, path: &Path<'_>, errors: &mut FieldErrors) {
    one_of(
        all.match_policy.as_deref().unwrap_or_default(),
        &["Equivalent", "Exact"],
        &path.child("matchPolicy"),
        errors,
    );
    for (field, wanted) in [("namespaceSelector", &all.namespace_selector), ("objectSelector", &all.object_selector)] {
        match wanted {
            Some(wanted) => selector::label_selector(wanted, &path.child(field), errors),
            None => errors.push(FieldError::required(path.child(field), "")),
        }
    }
    for (field, rules) in
        [("resourceRules", &all.resource_rules), ("excludeResourceRules", &all.exclude_resource_rules)]
    {
        let list = path.child(field);
        for (i, rule) in each(rules).enumerate() {
            named_rule(rule, &list.index(i), errors);
        }
    }
}

fn named_rule(rule: &NamedRuleWithOperations, path: &Path<'_>, errors: &mut FieldErrors) {
    let names = path.child("resourceNames");
    let mut seen = BTreeSet::new();
    for (i, name) in each(&rule.resource_names).enumerate() {
        invalid_each(name, format::path_segment(name), &names.index(i), errors);
        if !seen.insert(name) {
            errors.push(FieldError::duplicate(names.index(i), name));
        }
    }
    let rule = Rule {
        operations: &rule.operations,
        api_groups: &rule.api_groups,
        api_versions: &rule.api_versions,
        resources: &rule.resources,
        scope: rule.scope.as_deref(),
    };
    webhook::rule(&rule, path, errors);
}

fn param_kind(kind: &ParamKind, path: &Path<'_>, errors: &mut FieldErrors) {
    let (at, text) = (path.child("apiVersion"), given(kind.api_version.as_ref()));
    match text.map(|text| (text, text.split_once('/').unwrap_or(("", text)))) {
        None => errors.push(FieldError::required(at, "")),
        Some((text, (_, version))) if version.contains('/') => {
            errors.push(FieldError::invalid(at, text, format!("unexpected GroupVersion string: {text}")));
        }
        Some((text, (_, ""))) => errors.push(FieldError::invalid(at, text, "version must be specified")),
        Some((_, (group, version))) => {
            let wrong = |value: &str, details: Vec<String>, errors: &mut FieldErrors| {
                if !details.is_empty() {
                    errors.push(FieldError::invalid(at, value, details.join(",")));
                }
            };
            if !group.is_empty() {
                wrong(group, format::dns_subdomain(group), errors);
            }
            wrong(version, format::dns_1035_label(version), errors);
        }
    }
    let at = path.child("kind");
    let Some(name) = given(kind.kind.as_ref()) else {
        errors.push(FieldError::required(at, ""));
        return;
    };
    let details = format::dns_1035_label(&name.to_lowercase());
    if !details.is_empty() {
        let detail = format!("may have mixed case, but should otherwise match: {}", details.join(","));
        errors.push(FieldError::invalid(at, name, detail));
    }
}

fn variables(all: &[Variable], path: &Path<'_>, errors: &mut FieldErrors) {
    for (i, variable) in all.iter().enumerate() {
        let at = path.index(i);
        let name = variable.name.as_str();
        if name.trim().is_empty() {
            errors.push(FieldError::required(at.child("name"), "name is not specified"));
        } else if !is_cel_identifier(name) {
            errors.push(FieldError::invalid(at.child("name"), name, "name is not a valid CEL identifier"));
        }
        expression(&variable.expression, &at.child("expression"), errors);
    }
}

pub fn expression(text: &str, path: &Path<'_>, errors: &mut FieldErrors) {
    if text.trim().is_empty() {
        errors.push(FieldError::required(path, "expression is not specified"));
    }
}

fn is_cel_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    let first = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    first && chars.all(|c| c.is_ascii_alphanumeric() || c == '_') && !CEL_RESERVED.contains(&name)
}

fn failure_policy(policy: Option<&String>, path: &Path<'_>, errors: &mut FieldErrors) {
    match policy {
        None => errors.push(FieldError::required(path, "")),
        Some(policy) => one_of(policy, &["Fail", "Ignore"], path, errors),
    }
}

/// What the bindings of both kinds of policy have.
pub struct Binding<'a> {
    pub policy_name: Option<&'a String>,
    pub param: Option<&'a ParamRef>,
    pub resources: Option<&'a MatchResources>,
}

pub fn binding(binding: &Binding<'_>, path: &Path<'_>, errors: &mut FieldErrors) {
    let at = path.child("policyName");
    match given(binding.policy_name) {
        None => errors.push(FieldError::required(at, "")),
        Some(name) => invalid_each(name, format::dns_subdomain(name), &at, errors),
    }
    if let Some(param) = binding.param {
        param_ref(param, &path.child("paramRef"), errors);
    }
    if let Some(resources) = binding.resources {
        // k8s: the path says matchResouces, with upstream's own slip of the pen.
        match_resources(resources, &path.child("matchResouces"), errors);
    }
}

fn param_ref(param: &ParamRef, path: &Path<'_>, errors: &mut FieldErrors) {
    let name = given(param.name.as_ref());
    if let Some(name) = name {
        invalid_each(name, format::path_segment(name), &path.child("name"), errors);
    }
    match (name, &param.selector) {
        (Some(_), Some(_)) => {
            let detail = "name and selector are mutually exclusive";
            errors.push(FieldError::forbidden(path.child("name"), detail));
        }
        (None, None) => {
            errors.push(FieldError::required(path, "one of name or selector must be specified"));
        }
        (None, Some(wanted)) => selector::label_selector(wanted, &path.child("selector"), errors),
        (Some(_), None) => {}
    }
    let at = path.child("parameterNotFoundAction");
    match given(param.parameter_not_found_action.as_ref()) {
        None => errors.push(FieldError::required(at, "")),
        Some(action) => one_of(action, &["Allow", "Deny"], &at, errors),
    }
}
