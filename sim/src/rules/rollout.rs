//! Deployments and what they are made of: never more than may surge, never fewer than must be available.

use super::{active_of, is, made, name, owner_in, share, taken};
use crate::world::{Change, World, at, controlled, count, is_ready, text};
use serde_json::Value;

/// What is asked for, over all ReplicaSets; pods that are to go may still be there (k8s counts the same).
pub(super) fn keeps_its_surge(change: &Change, world: &World) -> Option<String> {
    let set = change.new.filter(|new| is(new, "ReplicaSet"))?;
    let deployment = owner_in(set, world, "apps/deployments")?;
    let uid = text(deployment, "/metadata/uid");
    let most = *world.replicas_max.get(uid)?;
    let surge = share(at(deployment, "/spec/strategy/rollingUpdate/maxSurge"), most, true, 0);
    let sets = controlled(world.of("apps/replicasets"), uid.to_owned());
    let asked: i64 = sets.map(|set| count(set, "/spec/replicas")).sum();
    (asked > most + surge)
        .then(|| format!("{} asks for {asked} pods with {most} replicas and a surge of {surge}", name(deployment)))
}

pub(super) fn keeps_its_replicas(change: &Change, world: &World) -> Option<String> {
    let owners = ["apps/replicasets", "replicationcontrollers", "apps/statefulsets"];
    let (_, set) = owners.iter().find_map(|owners| made(change, world, owners))?;
    let most = *world.replicas_max.get(text(set, "/metadata/uid"))?;
    // A pod that leaves as soon as it is replaced is there beside the others.
    let active = active_of(world, set).filter(|pod| !leaves(pod)).count() as i64;
    (active > most).then(|| format!("{} has {active} pods and never asked for more than {most}", name(set)))
}

fn leaves(pod: &Value) -> bool {
    let conditions = at(pod, "/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().any(|condition| condition["type"] == kinds::opt_in::surge::LEAVING)
}

fn pods_of<'a>(deployment: &Value, world: &'a World) -> impl Iterator<Item = &'a Value> + use<'a> {
    let sets = controlled(world.of("apps/replicasets"), text(deployment, "/metadata/uid").to_owned());
    sets.flat_map(move |set| active_of(world, set))
}

/// A ready pod that a rollout takes away leaves as many as must be available. Evictions ask nobody but a budget.
pub(super) fn keeps_the_available(change: &Change, world: &World) -> Option<String> {
    let pod = taken(change, world)?;
    let deployment = owner_in(owner_in(pod, world, "apps/replicasets")?, world, "apps/deployments")?;
    if text(deployment, "/spec/strategy/type") == "Recreate" {
        return None;
    }
    let wanted = world.asked_lately(deployment);
    let unavailable = share(at(deployment, "/spec/strategy/rollingUpdate/maxUnavailable"), wanted, false, 0);
    let left = pods_of(deployment, world).filter(|pod| is_ready(pod)).count() as i64;
    (left < wanted - unavailable)
        .then(|| format!("{} went below its {} available pods: {left}", name(deployment), wanted - unavailable))
}
