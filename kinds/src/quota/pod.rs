//! What a pod counts for: one pod and its compute resources as long as it lives, one object as long as it is stored.

use crate::pod_resources::{self, Amounts, Overhead};
use crate::quantity::Quantity;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};
use std::collections::{BTreeMap, BTreeSet};

const NAMES: &[&str] = &[
    "count/pods",
    "cpu",
    "ephemeral-storage",
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "memory",
    "pods",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];
/// Under a quota on one of these, every container must say what it wants.
/// k8s: validationSet, kept for compatibility
const MUST_BE_STATED: &[&str] = &["cpu", "limits.cpu", "limits.memory", "memory", "requests.cpu", "requests.memory"];

pub(super) fn concerns(name: &str) -> bool {
    NAMES.contains(&name)
        || name.starts_with("hugepages-")
        || name.starts_with("requests.hugepages-")
        || name.strip_prefix("requests.").is_some_and(is_extended)
}

fn is_extended(name: &str) -> bool {
    name.contains('/') && !name.contains("kubernetes.io/")
}

pub(super) fn usage(pod: &Pod, now_unix_secs: i64) -> Amounts {
    let mut all = Amounts::from([("count/pods".to_owned(), Quantity::from_int(1))]);
    if is_over(pod, now_unix_secs) {
        return all;
    }
    let empty = PodSpec::default();
    let spec = pod.spec.as_ref().unwrap_or(&empty);
    all.insert("pods".to_owned(), Quantity::from_int(1));
    compute(
        &pod_resources::requests(spec, Overhead::Counted),
        &pod_resources::limits(spec, Overhead::Counted),
        &mut all,
    );
    all
}

fn compute(requests: &Amounts, limits: &Amounts, all: &mut Amounts) {
    for (name, amount) in requests {
        match name.as_str() {
            "cpu" | "memory" | "ephemeral-storage" => {
                all.insert(name.clone(), *amount);
                all.insert(format!("requests.{name}"), *amount);
            }
            huge if huge.starts_with("hugepages-") => {
                all.insert(name.clone(), *amount);
                all.insert(format!("requests.{name}"), *amount);
            }
            extended if is_extended(extended) => {
                all.insert(format!("requests.{name}"), *amount);
            }
            _ => {}
        }
    }
    for name in ["cpu", "memory", "ephemeral-storage"] {
        if let Some(amount) = limits.get(name) {
            all.insert(format!("limits.{name}"), *amount);
        }
    }
}

/// k8s: QuotaV1Pod; a pod whose node is lost must not keep its owner from starting another.
fn is_over(pod: &Pod, now_unix_secs: i64) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    if matches!(phase, Some("Succeeded" | "Failed")) {
        return true;
    }
    let deleted: Option<Timestamp> = pod.metadata.deletion_timestamp.as_ref().map(|time| time.0);
    let (Some(deleted), Some(grace)) = (deleted, pod.metadata.deletion_grace_period_seconds) else { return false };
    now_unix_secs > deleted.as_second().saturating_add(grace)
}

/// Says which of `required` some container does not state; `None` where all is said.
pub fn unspecified(pod: &Pod, required: &BTreeSet<&str>) -> Option<String> {
    let spec = pod.spec.as_ref()?;
    let mut required: BTreeSet<&str> = required.iter().copied().filter(|name| MUST_BE_STATED.contains(name)).collect();
    // What the pod states for itself, its containers need not.
    for name in stated(spec.resources.as_ref().map(|all| (all.requests.as_ref(), all.limits.as_ref()))).keys() {
        required.remove(name.as_str());
    }
    let mut missing: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for container in spec.containers.iter().chain(spec.init_containers.iter().flatten()) {
        let states = states(container);
        for name in required.iter().filter(|name| !states.contains_key(**name)) {
            missing.entry(name).or_default().insert(&container.name);
        }
    }
    let line = |(name, containers): (&&str, &BTreeSet<&str>)| {
        format!("{name} for: {}", containers.iter().copied().collect::<Vec<_>>().join(","))
    };
    let lines: Vec<String> = missing.iter().map(line).collect();
    (!lines.is_empty()).then(|| format!("must specify {}", lines.join("; ")))
}

fn states(container: &Container) -> Amounts {
    stated(container.resources.as_ref().map(|all| (all.requests.as_ref(), all.limits.as_ref())))
}

type List = BTreeMap<String, k8s_openapi::apimachinery::pkg::api::resource::Quantity>;

fn stated(lists: Option<(Option<&List>, Option<&List>)>) -> Amounts {
    let mut all = Amounts::new();
    if let Some((requests, limits)) = lists {
        compute(&pod_resources::amounts(requests), &pod_resources::amounts(limits), &mut all);
    }
    all
}
