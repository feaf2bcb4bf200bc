//! What pods ask of a node, in whole numbers by resource name: thousandths of a CPU, units of everything else. Pure.

use super::member::{Role, members, spec};
use crate::quantity::{milli, request, whole};
use k8s_openapi::api::core::v1::{Container, Pod};
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

/// k8s: the sum over what runs together, or the largest init container beside the sidecars before it, if that is more;
/// requests of the pod as a whole replace it; the overhead comes on top.
pub fn of_pod(pod: &Pod) -> Amounts {
    let (mut running, mut sidecars, mut starting) = (Amounts::new(), Amounts::new(), Amounts::new());
    for member in members(pod) {
        let own = of_container(&member.spec);
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
    let whole_pod = spec(pod).resources.as_ref().and_then(|r| r.requests.as_ref());
    running.extend(whole_pod.map(of_list).unwrap_or_default());
    add(&mut running, &spec(pod).overhead.as_ref().map(of_list).unwrap_or_default());
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
}
