//! Who has to go first. Pure.

use super::Bytes;
use super::signal::Shortage;
use super::threshold::Signal;
use crate::pod::demand;
use crate::pod::label;
use crate::pod::member::{spec, uid};
use k8s_openapi::api::core::v1::Pod;
use proto::cri::ContainerStats;
use std::sync::Arc;

/// k8s: critical pods are never evicted.
const CRITICAL_PRIORITY: i32 = 2_000_000_000;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) memory: u64,
    pub(super) disk: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate<'a> {
    pub(super) pod: &'a Arc<Pod>,
    pub(super) usage: Usage,
}

impl Candidate<'_> {
    fn used(&self, signal: Signal) -> u64 {
        match signal {
            Signal::Memory | Signal::Pids => self.usage.memory,
            Signal::NodeFs | Signal::NodeInodes | Signal::ImageFs => self.usage.disk,
        }
    }

    fn requested(&self, signal: Signal) -> u64 {
        let name = if signal == Signal::Memory { "memory" } else { "ephemeral-storage" };
        demand::of_pod(self.pod).get(name).and_then(|n| u64::try_from(*n).ok()).unwrap_or(0)
    }
}

/// What pods use, by uid.
pub(super) fn usage(pods: &[Arc<Pod>], stats: &[ContainerStats]) -> std::collections::BTreeMap<String, Usage> {
    let sum = |read: fn(&ContainerStats) -> u64| -> Bytes {
        let mut by_pod = Bytes::new();
        for one in stats {
            if let Some(found) = one.attributes.as_ref().and_then(|a| a.labels.get(label::POD_UID)) {
                *by_pod.entry(found.clone()).or_default() += read(one);
            }
        }
        by_pod
    };
    let memory = sum(|s| s.memory.as_ref().and_then(|m| m.working_set_bytes.as_ref()).map_or(0, |v| v.value));
    let disk = sum(|s| s.writable_layer.as_ref().and_then(|w| w.used_bytes.as_ref()).map_or(0, |v| v.value));
    let of = |all: &Bytes, pod: &Pod| all.get(uid(pod)).copied().unwrap_or(0);
    pods.iter().map(|p| (uid(p).to_owned(), Usage { memory: of(&memory, p), disk: of(&disk, p) })).collect()
}

/// k8s: those that use more than they asked for, then the least important, then the one that is furthest above.
pub(super) fn victim<'a>(candidates: &'a [Candidate<'a>], signal: Signal) -> Option<&'a Candidate<'a>> {
    let priority = |c: &Candidate<'_>| spec(c.pod).priority.unwrap_or(0);
    let evictable = |c: &&Candidate<'_>| priority(c) < CRITICAL_PRIORITY && !label::is_static(c.pod);
    candidates.iter().filter(evictable).max_by_key(|c| {
        let (used, requested) = (c.used(signal), c.requested(signal));
        (used > requested, -i64::from(priority(c)), i128::from(used) - i128::from(requested))
    })
}

/// k8s: the words of an eviction.
pub(super) fn message(chosen: &Candidate<'_>, shortage: &Shortage) -> String {
    let Shortage { signal, threshold, available } = *shortage;
    let resource = signal.resource();
    let low =
        format!("The node was low on resource: {resource}. Threshold quantity: {threshold}, available: {available}. ");
    let (used, requested) = (chosen.used(signal), chosen.requested(signal));
    if used > requested {
        return format!(
            "{low}The pod was using {used}, request is {requested}, has larger consumption of {resource}. "
        );
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::fixture::pod_yaml;

    #[test]
    fn the_one_that_takes_more_than_it_asked_for_goes_first() {
        let pod = |name: &str, priority: i32, request: &str| {
            Arc::new(pod_yaml(&format!(
                "metadata: {{uid: {name}}}\nspec: {{priority: {priority}, containers: [{{name: a, resources: {{requests: {{memory: {request}}}}}}}]}}"
            )))
        };
        let choose = |rows: &[(&str, i32, &str, u64)]| {
            let pods: Vec<_> = rows.iter().map(|(n, p, r, _)| pod(n, *p, r)).collect();
            let candidates: Vec<_> = pods
                .iter()
                .zip(rows)
                .map(|(pod, row)| Candidate { pod, usage: Usage { memory: row.3 << 20, disk: 0 } })
                .collect();
            victim(&candidates, Signal::Memory).map(|c| uid(c.pod).to_owned())
        };
        assert_eq!(choose(&[("big", 0, "100Mi", 90), ("over", 0, "10Mi", 20)]).as_deref(), Some("over"));
        assert_eq!(choose(&[("low", 1, "10Mi", 11), ("high", 2, "10Mi", 99)]).as_deref(), Some("low"));
        assert_eq!(choose(&[("a", 1, "10Mi", 30), ("b", 1, "10Mi", 20)]).as_deref(), Some("a"));
        assert_eq!(choose(&[("critical", 2_000_000_000, "1Mi", 99)]), None);
    }
}
