//! What nodes and volumes hold, and who has to make room.

use super::{is, lately, name, updated};
use crate::world::{Change, World, at, count, is_over, is_terminating, text, truth};
use kinds::quantity::Quantity;
use serde_json::Value;
use std::time::Duration;

/// How long a scheduler may not know of a binding whose answer got lost, or that its predecessor had under way.
const BINDING_LAGS: Duration = Duration::from_mins(1);

fn milli(quantity: &Value) -> i64 {
    quantity.as_str().and_then(|text| text.parse::<Quantity>().ok()).map_or(0, |quantity| quantity.milli_value())
}

fn request(pod: &Value, resource: &str) -> i64 {
    let containers = at(pod, "/spec/containers").and_then(Value::as_array).into_iter().flatten();
    containers.map(|container| milli(&container["resources"]["requests"][resource])).sum()
}

/// A pod that is bound fits, as far as its scheduler can know.
pub(super) fn is_not_overfull(change: &Change, world: &World) -> Option<String> {
    let (old, new) = updated(change, "Pod")?;
    let bound = text(new, "/spec/nodeName");
    if bound.is_empty() || !text(old, "/spec/nodeName").is_empty() || lately(world.doubtful_binding, BINDING_LAGS) {
        return None;
    }
    let node = world.named("nodes", bound)?;
    let here = || world.of("pods").filter(|pod| text(pod, "/spec/nodeName") == bound && !is_over(pod));
    ["cpu", "memory"].into_iter().find_map(|resource| {
        let room = milli(&node["status"]["allocatable"][resource]);
        let taken: i64 = here().map(|pod| request(pod, resource)).sum();
        (taken > room).then(|| format!("{} makes {taken}m of {room}m {resource} on {bound}", name(new)))
    })
}

pub(super) fn is_preempted_for_the_more_important(change: &Change, world: &World) -> Option<String> {
    let (old, new) = updated(change, "Pod")?;
    let why = |pod: &Value| truth(pod, "DisruptionTarget").map(|one| one["reason"].clone());
    if why(old).is_some() || why(new).is_none_or(|reason| reason != "PreemptionByScheduler") {
        return None;
    }
    let waiting = world.of("pods").filter(|pod| text(pod, "/spec/nodeName").is_empty() && !is_terminating(pod));
    let most = waiting.map(|pod| count(pod, "/spec/priority")).max();
    // Who asked for the room may have found other room by now.
    let bound = world.of("pods").map(|pod| count(pod, "/spec/priority")).max();
    let mine = count(new, "/spec/priority");
    most.max(bound)
        .is_none_or(|most| most <= mine)
        .then(|| format!("{} of priority {mine} has to go for nobody", name(new)))
}

pub(super) fn volumes_are_bound_once(change: &Change, world: &World) -> Option<String> {
    let new = change.new.filter(|new| is(new, "PersistentVolume"))?;
    let claim = |volume: &Value| text(volume, "/spec/claimRef/uid").to_owned();
    let mine = claim(new);
    if mine.is_empty() {
        return None;
    }
    if let Some(old) = change.old.filter(|old| !claim(old).is_empty() && claim(old) != mine) {
        return Some(format!("{} was of claim {} and then of {mine}", name(new), claim(old)));
    }
    let volumes = world.of("persistentvolumes").filter(|volume| claim(volume) == mine).count();
    (volumes > 1).then(|| format!("the claim of {} has {volumes} volumes", name(new)))
}

/// A device is one claim's.
pub(super) fn devices_are_given_once(change: &Change, world: &World) -> Option<String> {
    let new = change.new.filter(|new| is(new, "ResourceClaim"))?;
    let devices = |claim: &Value| -> Vec<Value> {
        let results = at(claim, "/status/allocation/devices/results").and_then(Value::as_array);
        let owned = results.into_iter().flatten().filter(|one| one["adminAccess"] != true);
        owned.map(|one| [&one["driver"], &one["pool"], &one["device"]].into_iter().cloned().collect()).collect()
    };
    let mine = devices(new);
    let others = world.of("resource.k8s.io/resourceclaims");
    let other = others.filter(|other| other["metadata"]["uid"] != new["metadata"]["uid"]);
    let twice = other.flat_map(devices).find(|device| mine.contains(device));
    twice.map(|device| format!("{} has {device}, which another claim has too", name(new)))
}
