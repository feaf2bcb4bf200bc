//! Rolls nodes to the current template, within maxUnavailable, or maxSurge where a newer pod may run beside the older.

use super::eligible::Eligible;
use super::place::Changes;
use super::{ByNode, Seen, min_ready_seconds};
use crate::history::REVISION_HASH;
use crate::pod;
use crate::share::{self, Round};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{DaemonSet, RollingUpdateDaemonSet};
use k8s_openapi::api::core::v1::Pod;
use std::sync::Arc;

/// Whether the pod is of the template with this hash.
pub(super) fn runs(pod: &Pod, hash: &str) -> bool {
    pod.metadata.labels.as_ref().and_then(|labels| labels.get(REVISION_HASH)).is_some_and(|held| held == hash)
}

fn strategy(set: &DaemonSet) -> Option<&RollingUpdateDaemonSet> {
    set.spec.update_strategy.as_ref()?.rolling_update.as_ref()
}

fn is_on_delete(set: &DaemonSet) -> bool {
    set.spec.update_strategy.as_ref().and_then(|strategy| strategy.type_.as_deref()) == Some("OnDelete")
}

/// Of `nodes` that are to run a pod.
pub(super) fn max_surge(set: &DaemonSet, nodes: i32) -> i32 {
    let wanted = strategy(set).and_then(|rolling| rolling.max_surge.as_ref());
    wanted.filter(|_| !is_on_delete(set)).map_or(0, |wanted| share::of(wanted, nodes, Round::Up))
}

/// k8s: one, where neither is allowed
fn max_unavailable(set: &DaemonSet, nodes: i32) -> i32 {
    let wanted = strategy(set).and_then(|rolling| rolling.max_unavailable.as_ref());
    let count = wanted.map_or(1, |wanted| share::of(wanted, nodes, Round::Up));
    if count == 0 && max_surge(set, nodes) == 0 { 1 } else { count }
}

/// The pod of the current template and that of another, on one node.
struct Pair {
    new: Option<Arc<Pod>>,
    old: Option<Arc<Pod>>,
}

/// `None` if there are more than one of either.
fn pair(pods: &[Arc<Pod>], hash: &str) -> Option<Pair> {
    let mut pair = Pair { new: None, old: None };
    for pod in pods.iter().filter(|pod| !pod::is_terminating(pod)) {
        let place = if runs(pod, hash) { &mut pair.new } else { &mut pair.old };
        if place.replace(Arc::clone(pod)).is_some() {
            return None;
        }
    }
    Some(pair)
}

pub(super) fn roll(seen: &Seen, by_node: &ByNode, hash: &str, now: Timestamp) -> Changes {
    let names: Vec<&String> =
        seen.nodes.iter().filter(|(_, eligible)| **eligible == Eligible::Run).map(|(name, _)| name).collect();
    let wanted = names.len() as i32;
    let none = Vec::new();
    let pairs = names.into_iter().map(|name| (name.as_str(), pair(by_node.get(name).unwrap_or(&none), hash)));
    let nodes: Vec<(&str, Option<Pair>)> = pairs.collect();
    if is_on_delete(&seen.set) {
        return Changes::default();
    }
    let surge = max_surge(&seen.set, wanted);
    if surge == 0 { replace(seen, nodes, wanted, now) } else { surge_over(seen, nodes, surge, now) }
}

/// Deletes old pods; their successors are made once they are gone.
fn replace(seen: &Seen, nodes: Vec<(&str, Option<Pair>)>, wanted: i32, now: Timestamp) -> Changes {
    let works = |pod: &Pod| pod::is_available(pod, min_ready_seconds(&seen.set), now);
    let mut missing = 0;
    let (mut broken, mut candidates) = (Vec::new(), Vec::new());
    for (_, pair) in nodes {
        match pair.map(|pair| (pair.new, pair.old)) {
            Some((Some(new), None)) => missing += i32::from(!works(&new)),
            Some((None, Some(old))) if works(&old) => candidates.push(old),
            Some((None, Some(old))) => {
                broken.push(old); // it does not work anyway
                missing += 1;
            }
            Some((None, None) | (Some(_), Some(_))) | None => missing += 1,
        }
    }
    let room = usize::try_from(max_unavailable(&seen.set, wanted) - missing).unwrap_or(0);
    broken.extend(candidates.into_iter().take(room));
    Changes { delete: broken, ..Changes::default() }
}

/// Creates new pods beside the old; an old one goes when the new one works.
fn surge_over(seen: &Seen, nodes: Vec<(&str, Option<Pair>)>, surge: i32, now: Timestamp) -> Changes {
    let works = |pod: &Pod| pod::is_available(pod, min_ready_seconds(&seen.set), now);
    let mut changes = Changes::default();
    let (mut surging, mut candidates) = (0, Vec::new());
    for (node, pair) in nodes {
        match pair.map(|pair| (pair.new, pair.old)) {
            Some((_, None)) => {}
            Some((None, Some(old))) if works(&old) => candidates.push((node.to_owned(), 0)),
            Some((None, Some(_))) => changes.create.push((node.to_owned(), 0)),
            Some((Some(new), Some(old))) if works(&new) => changes.delete.push(old),
            Some((Some(_), Some(_))) | None => surging += 1,
        }
    }
    let room = usize::try_from(surge - surging).unwrap_or(0);
    changes.create.extend(candidates.into_iter().take(room));
    changes
}
