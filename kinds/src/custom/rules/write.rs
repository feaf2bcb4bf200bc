//! Rules when they are written: that they compile, and say what they should.
//! k8s: apiextensions' validation of x-kubernetes-validations

use super::super::structural::{Additional, DEPTH_MAX, ListType, Structural, flag, text};
use super::compile;
use crate::cel::Ty;
use crate::errors::{FieldError, FieldErrors};
use serde_json::Value;

const REASONS: &[&str] = &["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"];

/// Every rule of a schema; `structural` is the same schema, compiled.
pub(crate) fn check(schema: &Value, structural: &Structural, path: &str) -> FieldErrors {
    let mut errors = FieldErrors::new();
    walk(schema, structural, path, None, 0, &mut errors);
    errors
}

/// `uncorrelated` is the path of the list, if any, whose items have no identity from one version to the next.
fn walk(
    schema: &Value,
    structural: &Structural,
    path: &str,
    uncorrelated: Option<&str>,
    depth: usize,
    errors: &mut FieldErrors,
) {
    if depth == DEPTH_MAX {
        return;
    }
    let rules = schema.get("x-kubernetes-validations").and_then(Value::as_array).into_iter().flatten();
    for (index, rule) in rules.enumerate() {
        of_rule(rule, structural, &format!("{path}.x-kubernetes-validations[{index}]"), uncorrelated, errors);
    }
    for (name, property) in &structural.properties {
        let Some(schema) = schema.get("properties").and_then(|all| all.get(name)) else { continue };
        walk(schema, property, &format!("{path}.properties[{name}]"), uncorrelated, depth + 1, errors);
    }
    if let (Additional::Of(values), Some(schema)) = (&structural.additional, schema.get("additionalProperties")) {
        walk(schema, values, &format!("{path}.additionalProperties"), uncorrelated, depth + 1, errors);
    }
    if let (Some(items), Some(schema)) = (structural.items.as_deref(), schema.get("items")) {
        let here = if structural.list == ListType::Map { uncorrelated } else { uncorrelated.or(Some(path)) };
        walk(schema, items, &format!("{path}.items"), here, depth + 1, errors);
    }
}

fn of_rule(rule: &Value, structural: &Structural, path: &str, uncorrelated: Option<&str>, errors: &mut FieldErrors) {
    let source = text(rule, "rule");
    if source.trim().is_empty() {
        errors.push(FieldError::required(format!("{path}.rule"), "rule is not specified"));
        return;
    }
    let message = text(rule, "message");
    if rule.get("message").is_some() && message.trim().is_empty() {
        let why = "message must be non-empty if specified";
        errors.push(FieldError::invalid(format!("{path}.message"), message, why));
    }
    if message.trim().contains(['\n', '\r']) {
        errors.push(FieldError::invalid(format!("{path}.message"), message, "message must not contain line breaks"));
    }
    if source.trim().contains('\n') && message.is_empty() {
        let why = "message must be specified if rule contains line breaks";
        errors.push(FieldError::required(format!("{path}.message"), why));
    }
    let reason = text(rule, "reason");
    if !reason.is_empty() && !REASONS.contains(&reason) {
        errors.push(FieldError::not_supported(format!("{path}.reason"), reason, REASONS));
    }
    of_field_path(text(rule, "fieldPath"), structural, path, errors);
    let optional_old = flag(rule, "optionalOldSelf");
    match compile(source, structural, optional_old) {
        Err(error) => errors.push(FieldError::invalid(format!("{path}.rule"), rule, error)),
        Ok(program) => {
            if !matches!(program.result(), Ty::Bool | Ty::Dyn) {
                let why = "cel expression must evaluate to a bool";
                errors.push(FieldError::invalid(format!("{path}.rule"), rule, why));
            }
            if let (true, Some(list)) = (program.uses_old(), uncorrelated) {
                let why = format!("oldSelf cannot be used on the uncorrelatable portion of the schema within {list}");
                errors.push(FieldError::invalid(format!("{path}.rule"), source, why));
            }
            if optional_old && !program.uses_old() {
                let why = "may not be set if oldSelf is not used in rule";
                errors.push(FieldError::invalid(format!("{path}.optionalOldSelf"), true, why));
            }
        }
    }
    let source = text(rule, "messageExpression");
    if source.is_empty() {
        return;
    }
    match compile(source, structural, optional_old) {
        Err(error) => errors.push(FieldError::invalid(format!("{path}.messageExpression"), rule, error)),
        Ok(program) if !matches!(program.result(), Ty::Text | Ty::Dyn) => {
            let why = "messageExpression must evaluate to a string";
            errors.push(FieldError::invalid(format!("{path}.messageExpression"), rule, why));
        }
        Ok(_) => {}
    }
}

/// `.a.b['c']`: fields that the schema declares.
fn of_field_path(given: &str, structural: &Structural, path: &str, errors: &mut FieldErrors) {
    if given.is_empty() {
        return;
    }
    let mut at = Some(structural);
    let mut rest = given;
    while let (Some(schema), false) = (at, rest.is_empty()) {
        let name = match (rest.strip_prefix('.'), rest.strip_prefix("['").and_then(|rest| rest.split_once("']"))) {
            (Some(field), _) => {
                let end = field.find(['.', '[']).unwrap_or(field.len());
                rest = &field[end..];
                &field[..end]
            }
            (None, Some((name, after))) => {
                rest = after;
                name
            }
            (None, None) => {
                at = None;
                break;
            }
        };
        at = schema.property(name);
    }
    if at.is_none() {
        let why = "fieldPath must be a valid path: does not refer to a valid field";
        errors.push(FieldError::invalid(format!("{path}.fieldPath"), given, why));
    }
}
