//! Rules of what containers share: the pod's device claims, and resources stated for the pod as a whole.

use super::path::Path;
use super::{each, format, invalid_each};
use crate::errors::{FieldError, FieldErrors};
use crate::pod_resources::{self, Overhead, amounts};
use crate::quantity::Quantity;
use k8s_openapi::api::core::v1::{Container, PodResourceClaim, PodSpec, ResourceRequirements};
use std::collections::{BTreeMap, BTreeSet};

/// The pod's claims, and that its containers name no others.
pub fn claims(spec: &PodSpec, path: &Path<'_>, errors: &mut FieldErrors) {
    let list = path.child("resourceClaims");
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for (i, claim) in each(&spec.resource_claims).enumerate() {
        let at = list.index(i);
        let name = at.child("name");
        if claim.name.is_empty() {
            errors.push(FieldError::required(name, ""));
        } else if !names.insert(&claim.name) {
            errors.push(FieldError::duplicate(name, &claim.name));
        } else {
            invalid_each(&claim.name, format::dns_label(&claim.name), &name, errors);
        }
        source(claim, &at, errors);
    }
    let lists =
        [("containers", spec.containers.as_slice()), ("initContainers", each(&spec.init_containers).as_slice())];
    for (list, containers) in lists {
        let at = path.child(list);
        for (i, container) in containers.iter().enumerate() {
            used(container, &names, &at.index(i).child("resources").child("claims"), errors);
        }
    }
}

fn source(claim: &PodResourceClaim, path: &Path<'_>, errors: &mut FieldErrors) {
    let forms = [
        ("resourceClaimName", &claim.resource_claim_name),
        ("resourceClaimTemplateName", &claim.resource_claim_template_name),
    ];
    for (field, name) in forms {
        if let Some(name) = name {
            invalid_each(name, format::dns_subdomain(name), &path.child(field), errors);
        }
    }
    let detail = match forms.into_iter().filter(|(_, name)| name.is_some()).count() {
        0 => "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`",
        1 => return,
        _ => "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified",
    };
    errors.push(FieldError::invalid(path, claim, detail));
}

fn used(container: &Container, names: &BTreeSet<&str>, path: &Path<'_>, errors: &mut FieldErrors) {
    let claims = container.resources.as_ref().and_then(|resources| resources.claims.as_ref());
    for (i, claim) in claims.into_iter().flatten().enumerate() {
        if claim.name.is_empty() || names.contains(claim.name.as_str()) {
            continue;
        }
        let mut detail = "must be one of the names in pod.spec.resourceClaims".to_owned();
        if names.is_empty() {
            detail.push_str(" which is empty");
        } else {
            let known: Vec<&str> = names.iter().copied().collect();
            detail.push_str(": ");
            detail.push_str(&known.join(", "));
        }
        errors.push(FieldError { detail, ..FieldError::not_found(path.index(i), &claim.name) });
    }
}

/// Resources that a pod can state as a whole.
const POD_LEVEL: &[&str] = &["cpu", "hugepages-", "memory"];

/// Resources of the pod as a whole: enough for its containers together, and not less than any of them may take.
pub fn resources(spec: &PodSpec, path: &Path<'_>, errors: &mut FieldErrors) {
    let Some(stated) = &spec.resources else { return };
    let at = path.child("resources");
    super::resources::requirements(stated, &at, errors);
    if stated.claims.is_some() {
        errors.push(FieldError::forbidden(at.child("claims"), "claims cannot be set for Resources at pod-level"));
    }
    for (field, list) in [("limits", &stated.limits), ("requests", &stated.requests)] {
        for name in list.iter().flat_map(BTreeMap::keys) {
            if !POD_LEVEL.iter().any(|known| name == known || (known.ends_with('-') && name.starts_with(known))) {
                errors.push(FieldError::not_supported(at.child(field).key(name), name, POD_LEVEL));
            }
        }
    }
    let alone = PodSpec { resources: None, ..spec.clone() };
    let together = pod_resources::requests(&alone, Overhead::LeftOut);
    for (name, amount) in amounts(stated.requests.as_ref()) {
        if let Some(sum) = together.get(&name).filter(|sum| **sum > amount) {
            let detail = format!("must be greater than or equal to aggregate container requests of {sum}");
            errors.push(FieldError::invalid(at.child("requests").key(&name), amount.to_string(), detail));
        }
    }
    let most = amounts(stated.limits.as_ref());
    let lists =
        [("containers", spec.containers.as_slice()), ("initContainers", each(&spec.init_containers).as_slice())];
    for (list, containers) in lists {
        let at = path.child(list);
        for (i, container) in containers.iter().enumerate() {
            within(container.resources.as_ref(), &most, &at.index(i).child("resources").child("limits"), errors);
        }
    }
}

fn within(
    resources: Option<&ResourceRequirements>,
    most: &BTreeMap<String, Quantity>,
    path: &Path<'_>,
    errors: &mut FieldErrors,
) {
    for (name, limit) in amounts(resources.and_then(|all| all.limits.as_ref())) {
        if let Some(most) = most.get(&name).filter(|most| limit > **most) {
            let detail = format!("must be less than or equal to pod limits of {most}");
            errors.push(FieldError::invalid(path.key(&name), limit.to_string(), detail));
        }
    }
}
