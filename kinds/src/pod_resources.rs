//! What a whole pod asks for and is limited to: sums over its containers as admission and quota count them.
//!
//! k8s: containers and sidecars run together; an init container runs beside the sidecars started before it; the pod needs
//! the larger of the two phases. Amounts that the pod states for itself stand in place of the sum.

use crate::quantity::Quantity;
use k8s_openapi::api::core::v1::{Container, PodSpec, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Text;
use std::collections::BTreeMap;

/// Amounts by resource name.
pub type Amounts = BTreeMap<String, Quantity>;

type List = BTreeMap<String, Text>;

/// Whether the overhead of the runtime class counts: it does where the pod is charged for, not where its author is held
/// to a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overhead {
    Counted,
    LeftOut,
}

/// A list of the API; quantities that validation would have refused count as nothing.
pub fn amounts(list: Option<&List>) -> Amounts {
    let read = |(name, text): (&String, &Text)| Some((name.clone(), text.0.parse().ok()?));
    list.into_iter().flatten().filter_map(read).collect()
}

pub fn requests(spec: &PodSpec, overhead: Overhead) -> Amounts {
    let mut all = total(spec, |resources| resources.requests.as_ref());
    if overhead == Overhead::Counted {
        add(&mut all, &amounts(spec.overhead.as_ref()));
    }
    all
}

/// Overhead is added to limits that exist only: a pod without a limit has none.
pub fn limits(spec: &PodSpec, overhead: Overhead) -> Amounts {
    let mut all = total(spec, |resources| resources.limits.as_ref());
    if overhead == Overhead::Counted {
        for (name, amount) in amounts(spec.overhead.as_ref()) {
            all.entry(name).and_modify(|limit| *limit += amount);
        }
    }
    all
}

/// Adds each amount of `more`.
pub fn add(all: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        all.entry(name.clone()).and_modify(|sum| *sum += *amount).or_insert(*amount);
    }
}

fn cover(all: &mut Amounts, other: &Amounts) {
    for (name, amount) in other {
        all.entry(name.clone()).and_modify(|most| *most = (*most).max(*amount)).or_insert(*amount);
    }
}

fn total(spec: &PodSpec, list: fn(&ResourceRequirements) -> Option<&List>) -> Amounts {
    let of = |container: &Container| amounts(container.resources.as_ref().and_then(list));
    let mut running = Amounts::new();
    spec.containers.iter().for_each(|container| add(&mut running, &of(container)));
    let (mut sidecars, mut starting) = (Amounts::new(), Amounts::new());
    for container in spec.init_containers.iter().flatten() {
        let mut phase = of(container);
        add(&mut phase, &sidecars);
        cover(&mut starting, &phase);
        if container.restart_policy.as_deref() == Some("Always") {
            add(&mut sidecars, &of(container));
        }
    }
    add(&mut running, &sidecars);
    cover(&mut running, &starting);
    running.extend(amounts(spec.resources.as_ref().and_then(list)));
    running
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn shown(spec: Value) -> String {
        let spec: PodSpec = serde_json::from_value(spec).unwrap();
        let text =
            |all: Amounts| all.iter().map(|(name, amount)| format!("{name}={amount}")).collect::<Vec<_>>().join(",");
        format!("{} | {}", text(requests(&spec, Overhead::Counted)), text(limits(&spec, Overhead::LeftOut)))
    }

    #[test]
    fn a_pod_needs_the_larger_of_its_phases() {
        let asks = |cpu: &str| json!({"name": "c", "resources": {"requests": {"cpu": cpu}, "limits": {"cpu": cpu}}});
        let mut sidecar = asks("100m");
        sidecar["restartPolicy"] = "Always".into();
        assert_eq!(shown(json!({"containers": [asks("200m"), asks("50m")]})), "cpu=250m | cpu=250m");
        assert_eq!(
            shown(json!({"containers": [asks("200m")], "initContainers": [sidecar, asks("2")]})),
            "cpu=2100m | cpu=2100m"
        );
        assert_eq!(
            shown(json!({"containers": [asks("1")], "overhead": {"cpu": "10m", "memory": "1Mi"}})),
            "cpu=1010m,memory=1Mi | cpu=1"
        );
        assert_eq!(
            shown(json!({"containers": [asks("1")], "resources": {"requests": {"cpu": "3"}, "limits": {"cpu": "4"}}})),
            "cpu=3 | cpu=4"
        );
    }
}
