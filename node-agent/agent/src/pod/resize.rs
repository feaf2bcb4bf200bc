//! Whether a running container has other resources than its spec asks for, and how it gets them. Pure.

use k8s_openapi::api::core::v1::{Container, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resize {
    None,
    InPlace,
    /// The container asks to be restarted when one of the changed resources changes.
    Restart,
}

/// `applied` is what is in force; unknown counts as unchanged.
pub fn wanted(container: &Container, applied: Option<&ResourceRequirements>) -> Resize {
    let Some(applied) = applied else { return Resize::None };
    let spec = container.resources.clone().unwrap_or_default();
    let changed = |resource: &str| {
        let differs = |a: &Option<BTreeMap<String, Quantity>>, b: &Option<BTreeMap<String, Quantity>>| {
            let read = |map: &Option<BTreeMap<String, Quantity>>| {
                map.as_ref().and_then(|m| m.get(resource)).map(crate::quantity::milli)
            };
            read(a) != read(b)
        };
        differs(&spec.requests, &applied.requests) || differs(&spec.limits, &applied.limits)
    };
    // k8s: only these two can be changed in a running pod.
    let changed: Vec<&str> = ["cpu", "memory"].into_iter().filter(|r| changed(r)).collect();
    let restarts = |resource: &&str| {
        let policies = container.resize_policy.iter().flatten();
        policies.into_iter().any(|p| p.resource_name == **resource && p.restart_policy == "RestartContainer")
    };
    match changed.as_slice() {
        [] => Resize::None,
        some if some.iter().any(restarts) => Resize::Restart,
        _ => Resize::InPlace,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(container: &str, applied: &str) -> Resize {
        let container: Container = serde_norway::from_str(container).unwrap();
        wanted(&container, Some(&serde_norway::from_str(applied).unwrap()))
    }

    #[test]
    fn only_changed_amounts_ask_for_a_resize() {
        let container = "{name: a, resources: {limits: {cpu: 1, memory: 64Mi}}}";
        assert_eq!(check(container, "{limits: {cpu: 1000m, memory: 64Mi}}"), Resize::None);
        assert_eq!(check(container, "{limits: {cpu: 500m, memory: 64Mi}}"), Resize::InPlace);
        assert_eq!(wanted(&serde_norway::from_str(container).unwrap(), None), Resize::None);
    }

    #[test]
    fn the_policy_of_the_changed_resource_decides() {
        let container = "{name: a, resources: {limits: {cpu: 1, memory: 64Mi}}, resizePolicy: [{resourceName: memory, restartPolicy: RestartContainer}]}";
        assert_eq!(check(container, "{limits: {cpu: 2, memory: 64Mi}}"), Resize::InPlace);
        assert_eq!(check(container, "{limits: {cpu: 1, memory: 32Mi}}"), Resize::Restart);
    }
}
