//! Rules of resource requests and limits.

use super::path::Path;
use super::{IS_NEGATIVE, each, format, invalid_each};
use crate::errors::{FieldError, FieldErrors};
use crate::quantity::Quantity;
use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Text;
use std::collections::BTreeMap;

const NATIVE_DOMAIN: &str = "kubernetes.io/";
const STANDARD: [&str; 3] = ["cpu", "ephemeral-storage", "memory"];

pub fn requirements(all: &ResourceRequirements, path: &Path<'_>, errors: &mut FieldErrors) {
    let (limits_at, requests_at) = (path.child("limits"), path.child("requests"));
    for (name, text) in all.limits.iter().flatten() {
        entry(name, text, &limits_at.key(name), errors);
    }
    for (name, text) in all.requests.iter().flatten() {
        entry(name, text, &requests_at.key(name), errors);
        let limit = all.limits.as_ref().and_then(|limits| limits.get(name));
        match limit {
            Some(limit) => request_within(name, text, limit, &requests_at, errors),
            None if !may_overcommit(name) => {
                errors.push(FieldError::required(limits_at, "Limit must be set for non overcommitable resources"));
            }
            None => {}
        }
    }
    let named = |wanted: &dyn Fn(&str) -> bool| {
        [&all.limits, &all.requests].into_iter().flatten().flat_map(BTreeMap::keys).any(|name| wanted(name))
    };
    if named(&is_huge_pages) && !named(&|name| matches!(name, "cpu" | "memory")) {
        errors.push(FieldError::forbidden(path, "HugePages require cpu or memory"));
    }
    let mut claims = std::collections::BTreeSet::new();
    for (i, claim) in each(&all.claims).enumerate() {
        let at = path.child("claims");
        let at = at.index(i);
        if claim.name.is_empty() {
            errors.push(FieldError::required(at.child("name"), ""));
        } else if !claims.insert((&claim.name, &claim.request)) {
            errors.push(FieldError::duplicate(at, &claim.name));
        }
    }
}

fn request_within(name: &str, request: &Text, limit: &Text, path: &Path<'_>, errors: &mut FieldErrors) {
    let (Ok(requested), Ok(limited)) = (request.0.parse::<Quantity>(), limit.0.parse::<Quantity>()) else { return };
    if requested != limited && !may_overcommit(name) {
        let detail = format!("must be equal to {name} limit of {}", limit.0);
        errors.push(FieldError::invalid(path, &request.0, detail));
    } else if requested > limited {
        let detail = format!("must be less than or equal to {name} limit of {}", limit.0);
        errors.push(FieldError::invalid(path, &request.0, detail));
    }
}

/// The name of something that a container may ask for.
/// k8s: ValidateContainerResourceName
pub fn container_resource(name: &str, path: &Path<'_>, errors: &mut FieldErrors) {
    invalid_each(name, format::qualified_name(name), path, errors);
    if !name.contains('/') {
        if !STANDARD.contains(&name) && !is_huge_pages(name) {
            errors.push(FieldError::invalid(path, name, "must be a standard resource for containers"));
        }
    } else if !is_native(name) && !is_extended(name) {
        errors.push(FieldError::invalid(path, name, "doesn't follow extended resource name standard"));
    }
}

fn entry(name: &str, text: &Text, path: &Path<'_>, errors: &mut FieldErrors) {
    container_resource(name, path, errors);
    quantity(name, text, path, errors);
}

/// A quantity of a resource: not negative, and whole where the resource cannot be split.
pub fn quantity(name: &str, text: &Text, path: &Path<'_>, errors: &mut FieldErrors) {
    let Ok(value) = text.0.parse::<Quantity>() else {
        errors.push(FieldError::invalid(path, &text.0, "must be a valid resource quantity"));
        return;
    };
    if value < Quantity::ZERO {
        errors.push(FieldError::invalid(path, &text.0, IS_NEGATIVE));
    }
    if is_extended(name) && value != Quantity::from_int(value.value()) {
        errors.push(FieldError::invalid(path, &text.0, "must be an integer"));
    }
}

/// A size that must be more than nothing.
pub fn positive(text: &Text, path: &Path<'_>, errors: &mut FieldErrors) {
    if !text.0.parse::<Quantity>().is_ok_and(|value| value > Quantity::ZERO) {
        errors.push(FieldError::invalid(path, &text.0, "must be greater than zero"));
    }
}

/// Resources of a node: capacities and allocatable.
pub fn node_resources(list: Option<&BTreeMap<String, Text>>, path: &Path<'_>, errors: &mut FieldErrors) {
    for (name, text) in list.into_iter().flatten() {
        let at = path.key(name);
        invalid_each(name, format::qualified_name(name), &at, errors);
        quantity(name, text, &at, errors);
    }
}

/// The overhead of a runtime class: names and sizes are those of a container's limits.
pub fn overhead(list: &BTreeMap<String, Text>, path: &Path<'_>, errors: &mut FieldErrors) {
    for (name, text) in list {
        entry(name, text, &path.key(name), errors);
    }
}

fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains(NATIVE_DOMAIN)
}

/// Whether a resource is a vendor's, counted in whole devices.
pub fn is_extended(name: &str) -> bool {
    !is_native(name) && !name.starts_with("requests.") && format::qualified_name(&format!("requests.{name}")).is_empty()
}

fn may_overcommit(name: &str) -> bool {
    is_native(name) && !is_huge_pages(name)
}

fn is_huge_pages(name: &str) -> bool {
    name.starts_with("hugepages-")
}
