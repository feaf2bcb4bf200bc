//! Whether a running container has other resources than its spec asks for, and how it gets them. Pure.

use super::ending::must_end;
use super::fit::{Room, Short};
use super::member::{Member, Role, members};
use super::observed::{Hold, Observed};
use super::plan::wants_restart;
use k8s_openapi::api::core::v1::{Container, Pod, ResourceRequirements};
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

/// Whether a container that runs, or will run again, had other resources than its spec asks for.
pub fn is_asked_for(pod: &Pod, seen: &Observed) -> bool {
    let differs = |m: &Member<'_>| {
        let stays = seen.latest(m.name()).filter(|r| r.is_live() || wants_restart(pod, m, r, seen));
        stays.is_some_and(|r| wanted(&m.spec, seen.applied(r)) != Resize::None)
    };
    members(pod).iter().filter(|m| m.role != Role::Ephemeral).any(differs)
}

/// Whether a container of the pod has not been made yet and may be.
pub fn is_yet_to_come(pod: &Pod, seen: &Observed) -> bool {
    let missing = |m: &Member<'_>| m.role != Role::Ephemeral && seen.latest(m.name()).is_none();
    !must_end(pod, seen) && members(pod).iter().any(missing)
}

/// What keeps the node from it: too much for the node at all, or for now.
pub fn hold(pod: &Pod, room: &Room) -> Option<Hold> {
    if let Some(Short { resource, requested, capacity, .. }) = room.infeasible(pod) {
        let message =
            format!("Node didn't have enough capacity: {resource}, requested: {requested}, capacity: {capacity}");
        return Some(Hold { reason: "Infeasible", message });
    }
    let Short { resource, requested, used, capacity } = room.short(pod)?;
    let message = format!(
        "Node didn't have enough resource: {resource}, requested: {requested}, used: {used}, capacity: {capacity}"
    );
    Some(Hold { reason: "Deferred", message })
}

/// The pod with the requests that its node promised it last, as its status says.
pub fn promised(pod: &Pod) -> Pod {
    let mut promised = pod.clone();
    let statuses = pod.status.iter().flat_map(|s| [&s.container_statuses, &s.init_container_statuses]);
    let known: BTreeMap<&str, &BTreeMap<String, Quantity>> = statuses
        .flatten()
        .flatten()
        .filter_map(|status| Some((status.name.as_str(), status.allocated_resources.as_ref()?)))
        .collect();
    if let Some(spec) = &mut promised.spec {
        for container in spec.init_containers.iter_mut().flatten().chain(&mut spec.containers) {
            if let Some(requests) = known.get(container.name.as_str()) {
                let resources = container.resources.get_or_insert_default();
                resources.requests = Some((*requests).clone());
                // A limit counts as a request where there is none: a new one promises nothing.
                resources.limits.iter_mut().for_each(|limits| limits.retain(|name, _| requests.contains_key(name)));
            }
        }
    }
    promised
}

/// The pod with the resources that are in force instead of those that its spec asks for.
pub fn in_force(pod: &Pod, seen: &Observed) -> Pod {
    let mut old = pod.clone();
    let applied = |name: &str| seen.latest(name).and_then(|r| seen.applied(r)).cloned();
    if let Some(spec) = &mut old.spec {
        for container in spec.init_containers.iter_mut().flatten().chain(&mut spec.containers) {
            if let Some(resources) = applied(&container.name) {
                container.resources = Some(resources);
            }
        }
    }
    old
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{pod_yaml, prepared, with};
    use super::*;

    #[test]
    fn a_resize_is_held_where_the_node_has_no_room() {
        let pod = |cpu: &str| {
            pod_yaml(&format!("spec: {{containers: [{{name: a, resources: {{requests: {{cpu: {cpu}}}}}}}]}}"))
        };
        let mut other = pod("1");
        other.metadata.uid = Some("other".into());
        let room = Room {
            allocatable: [("cpu", 2000), ("memory", 1)].map(|(n, v)| (n.to_owned(), v)).into(),
            others: vec![std::sync::Arc::new(other)],
            ..Room::default()
        };
        assert_eq!(hold(&pod("1"), &room), None);
        let held = hold(&pod("1500m"), &room).unwrap();
        assert_eq!(
            (held.reason, held.message.as_str()),
            ("Deferred", "Node didn't have enough resource: cpu, requested: 1500, used: 1000, capacity: 2000")
        );
        let held = hold(&pod("3"), &room).unwrap();
        assert_eq!(held.message, "Node didn't have enough capacity: cpu, requested: 3000, capacity: 2000");
        let mut seen = with(prepared(&pod("3")), &["a#0 running"]);
        seen.containers[0].resources = serde_norway::from_str("{requests: {cpu: 1}}").ok();
        assert!(is_asked_for(&pod("3"), &seen));
        assert!(!is_asked_for(&in_force(&pod("3"), &seen), &seen));
    }

    #[test]
    fn what_was_promised_is_what_the_status_says_with_the_limits_of_the_spec() {
        let container = "{name: a, resources: {requests: {cpu: 2, memory: 1}, limits: {cpu: 2, memory: 1}}}";
        let status = "{name: a, image: i, imageID: i, ready: false, restartCount: 0, allocatedResources: {cpu: 1}}";
        let pod = pod_yaml(&format!("spec: {{containers: [{container}]}}\nstatus: {{containerStatuses: [{status}]}}"));
        let found = promised(&pod).spec.unwrap().containers.remove(0).resources;
        assert_eq!(found, serde_norway::from_str("{requests: {cpu: 1}, limits: {cpu: 2}}").ok());
        assert!(is_yet_to_come(&pod, &prepared(&pod)));
        assert!(!is_yet_to_come(&pod, &with(prepared(&pod), &["a#0 created"])));
        assert!(!is_yet_to_come(&pod, &Observed { gone: true, ..prepared(&pod) }));
    }

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
