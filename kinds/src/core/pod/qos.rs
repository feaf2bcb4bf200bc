//! The quality-of-service class, computed once when the pod is created.

use crate::quantity::Quantity;
use k8s_openapi::api::core::v1::{Container, PodSpec, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Text;
use std::collections::BTreeMap;

const COMPUTE: [&str; 2] = ["cpu", "memory"];

type List = BTreeMap<String, Text>;

/// k8s: `Guaranteed` = every container limits cpu and memory to what it requests; `BestEffort` = nobody asks for
/// anything; the rest is `Burstable`. Resources of the whole pod decide alone where they are given.
pub(crate) fn class(spec: &PodSpec) -> &'static str {
    if let Some(all) = spec.resources.as_ref().filter(|all| asks(all)) {
        return if is_guaranteed(all) { "Guaranteed" } else { "Burstable" };
    }
    let containers = || spec.containers.iter().chain(spec.init_containers.iter().flatten());
    let resources = |container: &Container| container.resources.clone().unwrap_or_default();
    if !containers().any(|container| asks(&resources(container))) {
        "BestEffort"
    } else if containers().all(|container| is_guaranteed(&resources(container))) {
        "Guaranteed"
    } else {
        "Burstable"
    }
}

fn amount(list: Option<&List>, name: &str) -> Option<Quantity> {
    let quantity: Quantity = list?.get(name)?.0.parse().ok()?;
    (quantity > Quantity::ZERO).then_some(quantity)
}

fn asks(all: &ResourceRequirements) -> bool {
    COMPUTE
        .iter()
        .any(|name| amount(all.requests.as_ref(), name).is_some() || amount(all.limits.as_ref(), name).is_some())
}

fn is_guaranteed(all: &ResourceRequirements) -> bool {
    COMPUTE.iter().all(|name| {
        let limit = amount(all.limits.as_ref(), name);
        // A missing request is the limit: defaulting says so later for templates.
        let request = amount(all.requests.as_ref(), name).or(limit);
        limit.is_some() && request == limit
    })
}
