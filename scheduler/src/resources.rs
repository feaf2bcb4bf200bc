//! Amounts of node resources as integers: what pods ask for, what nodes have. Pure.

use k8s_openapi::api::core::v1::{Container, PodCondition, PodSpec, PodStatus};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;
use kinds::quantity::Quantity;
use std::collections::BTreeMap;

/// k8s: what a container without requests counts for in scores (never in filters).
const UNSTATED_MILLI_CPU: i64 = 100;
const UNSTATED_MEMORY_BYTES: i64 = 200 * 1024 * 1024;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    pub milli_cpu: i64,
    pub memory_bytes: i64,
    pub ephemeral_bytes: i64,
    /// Huge pages and extended resources by name.
    pub scalars: BTreeMap<String, i64>,
}

impl Resources {
    /// From a list of the API; quantities that validation would have refused count as nothing.
    pub fn of(list: Option<&BTreeMap<String, ApiQuantity>>) -> Self {
        let mut found = Self::default();
        for (name, quantity) in list.into_iter().flatten() {
            let Ok(quantity) = Quantity::parse(&quantity.0) else { continue };
            match name.as_str() {
                "cpu" => found.milli_cpu = quantity.milli_value(),
                "memory" => found.memory_bytes = quantity.value(),
                "ephemeral-storage" => found.ephemeral_bytes = quantity.value(),
                "pods" => {}
                _ => {
                    found.scalars.insert(name.clone(), quantity.value());
                }
            }
        }
        found
    }

    pub fn add(&mut self, other: &Self) {
        self.milli_cpu = self.milli_cpu.saturating_add(other.milli_cpu);
        self.memory_bytes = self.memory_bytes.saturating_add(other.memory_bytes);
        self.ephemeral_bytes = self.ephemeral_bytes.saturating_add(other.ephemeral_bytes);
        for (name, amount) in &other.scalars {
            let sum = self.scalars.entry(name.clone()).or_default();
            *sum = sum.saturating_add(*amount);
        }
    }

    pub fn subtract(&mut self, other: &Self) {
        self.milli_cpu -= other.milli_cpu;
        self.memory_bytes -= other.memory_bytes;
        self.ephemeral_bytes -= other.ephemeral_bytes;
        for (name, amount) in &other.scalars {
            *self.scalars.entry(name.clone()).or_default() -= amount;
        }
        self.scalars.retain(|_, amount| *amount != 0);
    }

    /// The larger of the two in each resource.
    fn cover(&mut self, other: &Self) {
        self.milli_cpu = self.milli_cpu.max(other.milli_cpu);
        self.memory_bytes = self.memory_bytes.max(other.memory_bytes);
        self.ephemeral_bytes = self.ephemeral_bytes.max(other.ephemeral_bytes);
        for (name, amount) in &other.scalars {
            let most = self.scalars.entry(name.clone()).or_default();
            *most = (*most).max(*amount);
        }
    }
}

/// What a pod asks for: (as stated, as counted in scores).
///
/// k8s: containers and sidecars run together; an init container runs beside the sidecars started before it; the pod
/// needs the larger of the two phases, plus its overhead. Pod-level requests replace the sum where they are given.
pub fn requests(spec: &PodSpec, status: Option<&PodStatus>) -> (Resources, Resources) {
    let stated = total(spec, |container| taken(container, status));
    let counted = total(spec, |container| {
        let requests = container.resources.as_ref().and_then(|r| r.requests.as_ref());
        let mut resources = taken(container, status);
        let states = |name: &str| requests.is_some_and(|list| list.contains_key(name));
        if !states("cpu") {
            resources.milli_cpu = UNSTATED_MILLI_CPU;
        }
        if !states("memory") {
            resources.memory_bytes = UNSTATED_MEMORY_BYTES;
        }
        resources
    });
    (stated, counted)
}

/// What a container takes: as its spec asks, or while it is resized the larger of before and after; what its node can
/// never give it does not count.
/// k8s: determineContainerReqs
fn taken(container: &Container, status: Option<&PodStatus>) -> Resources {
    let mut asked = Resources::of(container.resources.as_ref().and_then(|r| r.requests.as_ref()));
    let init = container.restart_policy.as_deref() == Some("Always");
    let Some(status) = status else { return asked };
    let list = if init { &status.init_container_statuses } else { &status.container_statuses };
    let Some(reported) = list.iter().flatten().find(|reported| reported.name == container.name) else { return asked };
    let mut held = Resources::of(reported.allocated_resources.as_ref());
    held.cover(&Resources::of(reported.resources.as_ref().and_then(|r| r.requests.as_ref())));
    let refused = |c: &PodCondition| c.type_ == "PodResizePending" && c.reason.as_deref() == Some("Infeasible");
    if status.conditions.iter().flatten().any(refused) {
        return held;
    }
    asked.cover(&held);
    asked
}

fn total(spec: &PodSpec, of: impl Fn(&Container) -> Resources) -> Resources {
    let mut running = Resources::default();
    spec.containers.iter().for_each(|container| running.add(&of(container)));
    let mut sidecars = Resources::default();
    let mut initialising = Resources::default();
    for container in spec.init_containers.iter().flatten() {
        let mut phase = of(container);
        phase.add(&sidecars);
        initialising.cover(&phase);
        if container.restart_policy.as_deref() == Some("Always") {
            sidecars.add(&of(container));
        }
    }
    running.add(&sidecars);
    running.cover(&initialising);
    if let Some(list) = spec.resources.as_ref().and_then(|resources| resources.requests.as_ref()) {
        let pod_level = Resources::of(Some(list));
        let given = |name: &str| list.contains_key(name);
        if given("cpu") {
            running.milli_cpu = pod_level.milli_cpu;
        }
        if given("memory") {
            running.memory_bytes = pod_level.memory_bytes;
        }
        running.scalars.extend(pod_level.scalars);
    }
    running.add(&Resources::of(spec.overhead.as_ref()));
    running
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::Pod;

    #[test]
    fn a_resized_pod_takes_the_larger_of_before_and_after_and_never_what_it_cannot_get() {
        let cpu = |reason: &str| {
            let pod: Pod = serde_json::from_value(serde_json::json!({
                "spec": {"containers": [{"name": "a", "resources": {"requests": {"cpu": "5"}}}]},
                "status": {
                    "conditions": [{"type": "PodResizePending", "status": "True", "reason": reason}],
                    "containerStatuses": [{
                        "name": "a", "image": "i", "imageID": "i", "ready": true, "restartCount": 0,
                        "allocatedResources": {"cpu": "1"}, "resources": {"requests": {"cpu": "2"}},
                    }],
                },
            }))
            .unwrap();
            requests(pod.spec.as_ref().unwrap(), pod.status.as_ref()).0.milli_cpu
        };
        assert_eq!(cpu("Deferred"), 5000);
        assert_eq!(cpu("Infeasible"), 2000);
    }
}
