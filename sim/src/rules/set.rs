//! StatefulSets and DaemonSets: who is who, in what order, and where.

use super::{active_of, made, name, owner_in, share, taken};
use crate::world::{Change, World, at, controlled, count, is_ready, text};
use serde_json::Value;

fn ordinal(pod: &Value) -> Option<i64> {
    text(pod, "/metadata/name").rsplit_once('-')?.1.parse().ok()
}

/// A set that starts its pods in order makes none before all lower ones are there.
pub(super) fn waits_in_order(change: &Change, world: &World) -> Option<String> {
    let (pod, set) = made(change, world, "apps/statefulsets")?;
    if text(set, "/spec/podManagementPolicy") == "Parallel" {
        return None;
    }
    let mine = ordinal(pod)?;
    let before = controlled(world.of("pods"), text(set, "/metadata/uid").to_owned());
    let before: Vec<&Value> = before.filter(|other| ordinal(other).is_some_and(|other| other < mine)).collect();
    let there: Vec<_> = before.iter().filter_map(|pod| ordinal(pod)).collect();
    if there.len() as i64 != mine {
        return Some(format!("{} was made when only {there:?} were there", name(pod)));
    }
    // What has worked may have stopped meanwhile.
    let idle = before.iter().find(|other| !world.has_been_ready(text(other, "/metadata/name")))?;
    Some(format!("{} was made before {} ever worked", name(pod), name(idle)))
}

/// A pod of a set is called as its place is, in name, labels and claims.
pub(super) fn identities_are_their_own(change: &Change, world: &World) -> Option<String> {
    let (pod, set) = made(change, world, "apps/statefulsets")?;
    let (called, set_name) = (text(pod, "/metadata/name"), text(set, "/metadata/name"));
    let place = ordinal(pod);
    let most = *world.replicas_max.get(text(set, "/metadata/uid"))?;
    if place.is_none_or(|place| place >= most || called != format!("{set_name}-{place}")) {
        return Some(format!("{} has no place among {most} of {set_name}", name(pod)));
    }
    if text(pod, "/metadata/labels/statefulset.kubernetes.io~1pod-name") != called {
        return Some(format!("{} does not say its name in its labels", name(pod)));
    }
    let claims = at(pod, "/spec/volumes").and_then(Value::as_array).into_iter().flatten();
    let mut claims = claims.map(|volume| text(volume, "/persistentVolumeClaim/claimName"));
    let other = claims.find(|claim| !claim.is_empty() && !claim.ends_with(&format!("-{called}")))?;
    Some(format!("{} uses the claim {other} of another", name(pod)))
}

/// Where a DaemonSet says which node its pod is for.
const DAEMON_NODE: &str = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms/0/matchFields/0/values/0";

pub(super) fn one_daemon_a_node(change: &Change, world: &World) -> Option<String> {
    let (pod, set) = made(change, world, "apps/daemonsets")?;
    let node = text(pod, DAEMON_NODE);
    let may = if surge(set) == 0 { 1 } else { 2 };
    let there = active_of(world, set).filter(|pod| text(pod, DAEMON_NODE) == node).count();
    (there > may).then(|| format!("{} has {there} pods for {node}", name(set)))
}

fn surge(set: &Value) -> i64 {
    share(at(set, "/spec/updateStrategy/rollingUpdate/maxSurge"), 100, true, 0)
}

/// A DaemonSet that takes a ready pod away leaves as many nodes with one as must have one, unless the node is to have none.
pub(super) fn daemons_stay_available(change: &Change, world: &World) -> Option<String> {
    let pod = taken(change, world)?;
    let set = owner_in(pod, world, "apps/daemonsets")?;
    if at(set, "/spec/template/spec/nodeSelector").is_some() {
        return None;
    }
    let nodes = world.of("nodes").count() as i64;
    let default = i64::from(surge(set) == 0);
    let may_miss = share(at(set, "/spec/updateStrategy/rollingUpdate/maxUnavailable"), nodes, true, default);
    let mut there: Vec<&str> =
        active_of(world, set).filter(|pod| is_ready(pod)).map(|pod| text(pod, DAEMON_NODE)).collect();
    // Its successor is there, or it went without being missed.
    if there.contains(&text(pod, DAEMON_NODE)) {
        return None;
    }
    there.sort_unstable();
    there.dedup();
    let missing = nodes - there.len() as i64;
    let updating = count(set, "/status/desiredNumberScheduled") == nodes;
    (updating && missing > may_miss).then(|| format!("{} misses {missing} of {nodes} nodes", name(set)))
}
