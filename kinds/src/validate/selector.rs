//! Rules of label selectors and node selectors. What they match is [`crate::selector`]'s work.

use super::path::Path;
use super::{each, format, invalid_each, metadata};
use crate::errors::{FieldError, FieldErrors};
use k8s_openapi::api::core::v1::{NodeSelector, NodeSelectorRequirement, NodeSelectorTerm};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use std::collections::BTreeMap;

const VALUES_REQUIRED: &str = "must be specified when `operator` is 'In' or 'NotIn'";
const VALUES_FORBIDDEN: &str = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
const NOT_AN_OPERATOR: &str = "not a valid selector operator";

pub fn label_selector(selector: &LabelSelector, path: &Path<'_>, errors: &mut FieldErrors) {
    metadata::labels(selector.match_labels.as_ref(), &path.child("matchLabels"), errors);
    let expressions = path.child("matchExpressions");
    for (i, requirement) in each(&selector.match_expressions).enumerate() {
        label_requirement(requirement, &expressions.index(i), errors);
    }
}

fn label_requirement(requirement: &LabelSelectorRequirement, path: &Path<'_>, errors: &mut FieldErrors) {
    let values = requirement.values.as_deref().unwrap_or_default();
    match requirement.operator.as_str() {
        "In" | "NotIn" if values.is_empty() => {
            errors.push(FieldError::required(path.child("values"), VALUES_REQUIRED));
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            errors.push(FieldError::forbidden(path.child("values"), VALUES_FORBIDDEN));
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        other => errors.push(FieldError::invalid(path.child("operator"), other, NOT_AN_OPERATOR)),
    }
    let key = &requirement.key;
    invalid_each(key, format::qualified_name(key), &path.child("key"), errors);
    for (i, value) in values.iter().enumerate() {
        invalid_each(value, format::label_value(value), &path.child("values").index(i), errors);
    }
}

/// A selector without any requirement: it selects everything, which no workload may.
pub fn is_empty(selector: &LabelSelector) -> bool {
    selector.match_labels.as_ref().is_none_or(BTreeMap::is_empty)
        && selector.match_expressions.as_ref().is_none_or(Vec::is_empty)
}

/// Whether a selector leaves `labels` out. A malformed one has been reported and says nothing here.
pub fn misses(selector: &LabelSelector, labels: Option<&BTreeMap<String, String>>) -> bool {
    let none = BTreeMap::new();
    crate::selector::LabelSelector::from_meta(selector).is_ok_and(|parsed| !parsed.matches(labels.unwrap_or(&none)))
}

pub fn node_selector(selector: &NodeSelector, path: &Path<'_>, errors: &mut FieldErrors) {
    let terms = path.child("nodeSelectorTerms");
    if selector.node_selector_terms.is_empty() {
        errors.push(FieldError::required(terms, "must have at least one node selector term"));
    }
    for (i, term) in selector.node_selector_terms.iter().enumerate() {
        node_selector_term(term, &terms.index(i), errors);
    }
}

pub fn node_selector_term(term: &NodeSelectorTerm, path: &Path<'_>, errors: &mut FieldErrors) {
    let expressions = path.child("matchExpressions");
    for (i, requirement) in each(&term.match_expressions).enumerate() {
        node_requirement(requirement, &expressions.index(i), errors);
    }
    let fields = path.child("matchFields");
    for (i, requirement) in each(&term.match_fields).enumerate() {
        node_field(requirement, &fields.index(i), errors);
    }
}

fn node_requirement(requirement: &NodeSelectorRequirement, path: &Path<'_>, errors: &mut FieldErrors) {
    let values = requirement.values.as_deref().unwrap_or_default();
    match requirement.operator.as_str() {
        "In" | "NotIn" if values.is_empty() => {
            errors.push(FieldError::required(path.child("values"), VALUES_REQUIRED));
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            errors.push(FieldError::forbidden(path.child("values"), VALUES_FORBIDDEN));
        }
        "Gt" | "Lt" if values.len() != 1 => {
            let detail = "must be specified single value when `operator` is 'Lt' or 'Gt'";
            errors.push(FieldError::required(path.child("values"), detail));
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
        other => errors.push(FieldError::invalid(path.child("operator"), other, NOT_AN_OPERATOR)),
    }
    let key = &requirement.key;
    invalid_each(key, format::qualified_name(key), &path.child("key"), errors);
    for (i, value) in values.iter().enumerate() {
        invalid_each(value, format::label_value(value), &path.child("values").index(i), errors);
    }
}

/// The only selectable field of a node is its name, and it has one value.
fn node_field(requirement: &NodeSelectorRequirement, path: &Path<'_>, errors: &mut FieldErrors) {
    let values = requirement.values.as_deref().unwrap_or_default();
    match requirement.operator.as_str() {
        "In" | "NotIn" if values.len() != 1 => {
            let detail = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
            errors.push(FieldError::required(path.child("values"), detail));
        }
        "In" | "NotIn" => {}
        other => errors.push(FieldError::invalid(path.child("operator"), other, NOT_AN_OPERATOR)),
    }
    if requirement.key == "metadata.name" {
        for (i, value) in values.iter().enumerate() {
            invalid_each(value, format::dns_subdomain(value), &path.child("values").index(i), errors);
        }
    } else {
        let detail = "not a valid field selector key";
        errors.push(FieldError::invalid(path.child("key"), &requirement.key, detail));
    }
}
