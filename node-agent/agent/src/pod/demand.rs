//! What pods ask of a node, in whole numbers by resource name: thousandths of a CPU, units of everything else. Pure.

use super::member::{Member, Role, members, spec};
use crate::quantity::{milli, request, whole};
use k8s_openapi::api::core::v1::{Container, ContainerStatus, Pod, PodCondition};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use std::collections::{BTreeMap, BTreeSet};

pub type Amounts = BTreeMap<String, i64>;

fn amount(resource: &str, quantity: &Quantity) -> i64 {
    if resource == "cpu" { milli(quantity) } else { whole(quantity) }
}

pub fn of_list(list: &BTreeMap<String, Quantity>) -> Amounts {
    list.iter().map(|(name, quantity)| (name.clone(), amount(name, quantity))).collect()
}

fn of_container(container: &Container) -> Amounts {
    let Some(resources) = &container.resources else { return Amounts::new() };
    let names: BTreeSet<&String> =
        resources.requests.iter().flatten().chain(resources.limits.iter().flatten()).map(|(name, _)| name).collect();
    let read = |name: &String| request(Some(resources), name).map(|q| (name.clone(), amount(name, q)));
    names.into_iter().filter_map(read).collect()
}

fn add(to: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        *to.entry(name.clone()).or_default() += amount;
    }
}

fn cover(to: &mut Amounts, other: &Amounts) {
    for (name, amount) in other {
        let most = to.entry(name.clone()).or_default();
        *most = (*most).max(*amount);
    }
}

/// What a container holds besides what it asks for: what the node reports as in force and as promised.
fn reported(statuses: &[ContainerStatus], name: &str) -> Option<Amounts> {
    let status = statuses.iter().find(|status| status.name == name)?;
    let mut held = status.allocated_resources.as_ref().map(of_list).unwrap_or_default();
    let in_force = status.resources.as_ref().and_then(|r| r.requests.as_ref()).map(of_list);
    cover(&mut held, &in_force.unwrap_or_default());
    Some(held)
}

/// What a pod that is there takes: while it is resized, the larger of before and after; what can never be given, never.
/// k8s: determineContainerReqs
pub fn held_by(pod: &Pod) -> Amounts {
    let status = pod.status.as_ref();
    let refused = |c: &PodCondition| c.type_ == "PodResizePending" && c.reason.as_deref() == Some("Infeasible");
    let infeasible = status.and_then(|s| s.conditions.as_ref()).is_some_and(|all| all.iter().any(refused));
    let statuses: Vec<ContainerStatus> = status
        .into_iter()
        .flat_map(|s| [&s.container_statuses, &s.init_container_statuses])
        .flatten()
        .flatten()
        .cloned()
        .collect();
    sum(pod, |member| {
        let asked = of_container(&member.spec);
        match reported(&statuses, member.name()).filter(|_| matches!(member.role, Role::App | Role::Sidecar)) {
            None => asked,
            Some(held) if infeasible => held,
            Some(mut held) => {
                cover(&mut held, &asked);
                held
            }
        }
    })
}

/// What a pod asks for.
pub fn of_pod(pod: &Pod) -> Amounts {
    sum(pod, |member| of_container(&member.spec))
}

/// What the containers of a pod ask for together.
pub fn of_containers(pod: &Pod) -> Amounts {
    together(pod, |member| of_container(&member.spec))
}

/// What a pod may use of `resource` at most, where that is limited: for the pod as a whole, or for each of its containers.
/// k8s: ResourceConfigForPod
pub fn limit_of_pod(pod: &Pod, resource: &str) -> Option<i64> {
    let of = |limits: Option<&BTreeMap<String, Quantity>>| {
        limits.and_then(|l| l.get(resource)).map(|q| amount(resource, q)).filter(|most| *most > 0)
    };
    let own = |member: &Member<'_>| of(member.spec.resources.as_ref().and_then(|r| r.limits.as_ref()));
    let whole_pod = of(spec(pod).resources.as_ref().and_then(|r| r.limits.as_ref()));
    let most = match whole_pod {
        Some(most) => most,
        // An unlimited container needs an unlimited pod, also while the others have not started yet.
        None if members(pod).iter().any(|m| m.role != Role::Ephemeral && own(m).is_none()) => return None,
        None => {
            together(pod, |m| own(m).map(|most| (resource.to_owned(), most)).into_iter().collect()).remove(resource)?
        }
    };
    Some(most + of(spec(pod).overhead.as_ref()).unwrap_or(0))
}

/// k8s: requests of the pod as a whole replace those of its containers; the overhead comes on top.
fn sum(pod: &Pod, of: impl Fn(&Member<'_>) -> Amounts) -> Amounts {
    let mut all = together(pod, of);
    let whole_pod = spec(pod).resources.as_ref().and_then(|r| r.requests.as_ref());
    all.extend(whole_pod.map(of_list).unwrap_or_default());
    add(&mut all, &spec(pod).overhead.as_ref().map(of_list).unwrap_or_default());
    all
}

/// k8s: the sum over what runs together, or the largest init container beside the sidecars before it, if that is more.
fn together(pod: &Pod, of: impl Fn(&Member<'_>) -> Amounts) -> Amounts {
    let (mut running, mut sidecars, mut starting) = (Amounts::new(), Amounts::new(), Amounts::new());
    for member in members(pod) {
        let own = of(&member);
        match member.role {
            Role::App => add(&mut running, &own),
            Role::Sidecar => add(&mut sidecars, &own),
            Role::Init => {
                let mut phase = own;
                add(&mut phase, &sidecars);
                cover(&mut starting, &phase);
            }
            Role::Ephemeral => {}
        }
    }
    add(&mut running, &sidecars);
    cover(&mut running, &starting);
    running
}

#[cfg(test)]
mod tests {
    use super::super::fixture::pod_yaml;
    use super::*;

    #[test]
    fn a_pod_asks_for_the_larger_of_its_start_and_its_run() {
        let pod = pod_yaml(
            "spec: {overhead: {cpu: 10m}, initContainers: [{name: i, resources: {requests: {cpu: 2}}}, {name: s, restartPolicy: Always, resources: {requests: {cpu: 100m}}}], containers: [{name: a, resources: {requests: {cpu: 500m, memory: 1Mi}}}, {name: b, resources: {limits: {cpu: 200m, x.y/gpu: 1}}}]}",
        );
        let want = [("cpu", 2010), ("memory", 1 << 20), ("x.y/gpu", 1)].map(|(n, v)| (n.to_owned(), v));
        assert_eq!(of_pod(&pod), Amounts::from(want));
    }

    #[test]
    fn a_resized_pod_holds_the_larger_of_before_and_after_and_never_what_it_cannot_get() {
        let pod = |pending: &str| {
            pod_yaml(&format!(
                "{{spec: {{containers: [{{name: a, resources: {{requests: {{cpu: 5, memory: 1}}}}}}]}}, status: {{conditions: [{pending}], containerStatuses: [{{name: a, image: x, imageID: x, ready: true, restartCount: 0, allocatedResources: {{cpu: 1, memory: 2}}, resources: {{requests: {{cpu: 2, memory: 2}}}}}}]}}}}"
            ))
        };
        let amounts = |cpu| Amounts::from([("cpu", cpu), ("memory", 2)].map(|(n, v)| (n.to_owned(), v)));
        assert_eq!(held_by(&pod("")), amounts(5000));
        assert_eq!(held_by(&pod("{type: PodResizePending, status: 'True', reason: Deferred}")), amounts(5000));
        assert_eq!(held_by(&pod("{type: PodResizePending, status: 'True', reason: Infeasible}")), amounts(2000));
    }
}
