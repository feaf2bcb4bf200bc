//! What must hold after every commit, whatever happens. Each rule looks at one change in the world that it made; what must
//! hold only in the end is each scenario's own matter.

use crate::world::{Change, World, controlled, controller, count, is_active, is_ready, text};
use serde_json::Value;

type Rule = fn(&Change, &World) -> Option<String>;

const RULES: &[Rule] = &[
    one_controller,
    bound_once,
    nothing_becomes_again_what_it_was,
    rollouts_keep_their_surge,
    sets_keep_their_replicas,
    scale_down_keeps_the_available,
    ordered_sets_wait,
    jobs_keep_their_parallelism,
    job_counts_never_go_back,
    tracked_pods_stay_until_counted,
    one_daemon_a_node,
];

/// The first rule that a change breaks.
pub(crate) fn broken(change: &Change, world: &World) -> Option<String> {
    RULES.iter().find_map(|rule| rule(change, world))
}

fn name(object: &Value) -> String {
    format!("{} {}", text(object, "/kind"), text(object, "/metadata/name"))
}

/// A new pod, and the owner in `collection` that controls it.
fn made<'a>(change: &Change<'a>, world: &'a World, collection: &str) -> Option<(&'a Value, &'a Value)> {
    let pod = change.new.filter(|new| change.old.is_none() && text(new, "/kind") == "Pod")?;
    Some((pod, owner_in(pod, world, collection)?))
}

fn owner_in<'a>(object: &Value, world: &'a World, collection: &str) -> Option<&'a Value> {
    let owner = controller(object)?;
    world.of(collection).find(|one| one["metadata"]["uid"] == owner["uid"])
}

fn one_controller(change: &Change, _: &World) -> Option<String> {
    let new = change.new?;
    let owners = new.pointer("/metadata/ownerReferences").and_then(Value::as_array)?;
    let controllers = owners.iter().filter(|owner| owner["controller"] == true).count();
    if controllers > 1 {
        return Some(format!("{} has {controllers} controllers", name(new)));
    }
    let (before, after) = (controller(change.old?)?, controller(new)?);
    (before["uid"] != after["uid"]).then(|| format!("{} went from one controller to another", name(new)))
}

fn bound_once(change: &Change, _: &World) -> Option<String> {
    let (old, new) = (change.old?, change.new?);
    let (before, after) = (text(old, "/spec/nodeName"), text(new, "/spec/nodeName"));
    let moved = text(new, "/kind") == "Pod" && !before.is_empty() && before != after;
    moved.then(|| format!("{} was bound to {before} and then to {after}", name(new)))
}

fn nothing_becomes_again_what_it_was(change: &Change, _: &World) -> Option<String> {
    let (old, new) = (change.old?, change.new?);
    let (before, after) = (text(old, "/status/phase"), text(new, "/status/phase"));
    let over = text(new, "/kind") == "Pod" && matches!(before, "Succeeded" | "Failed") && before != after;
    over.then(|| format!("{} was {before} and became {after}", name(new)))
}

fn share(value: Option<&Value>, total: i64, up: bool, default: i64) -> i64 {
    match value {
        Some(Value::String(text)) => {
            let percent = text.trim_end_matches('%').parse::<i64>().unwrap_or(0) * total;
            if up { (percent + 99) / 100 } else { percent / 100 }
        }
        Some(value) => value.as_i64().unwrap_or(default),
        None => default,
    }
}

/// What is asked for, over all ReplicaSets; pods that are to go may still be there (k8s counts the same).
fn rollouts_keep_their_surge(change: &Change, world: &World) -> Option<String> {
    let set = change.new.filter(|new| text(new, "/kind") == "ReplicaSet")?;
    let deployment = owner_in(set, world, "apps/deployments")?;
    let uid = text(deployment, "/metadata/uid");
    let most = *world.replicas_max.get(uid)?;
    let surge = share(deployment.pointer("/spec/strategy/rollingUpdate/maxSurge"), most, true, 0);
    let sets = controlled(world.of("apps/replicasets"), uid);
    let asked: i64 = sets.map(|set| count(set, "/spec/replicas")).sum();
    (asked > most + surge)
        .then(|| format!("{} asks for {asked} pods with {most} replicas and a surge of {surge}", name(deployment)))
}

fn sets_keep_their_replicas(change: &Change, world: &World) -> Option<String> {
    let (_, set) = made(change, world, "apps/replicasets")?;
    let uid = text(set, "/metadata/uid");
    let most = *world.replicas_max.get(uid)?;
    let active = controlled(world.of("pods"), uid).filter(|pod| is_active(pod)).count() as i64;
    (active > most).then(|| format!("{} has {active} pods and never asked for more than {most}", name(set)))
}

fn active_pods<'a>(deployment: &Value, world: &'a World) -> impl Iterator<Item = &'a Value> + use<'a> {
    let uid = text(deployment, "/metadata/uid").to_owned();
    let sets = controlled(world.of("apps/replicasets"), &uid);
    let sets: Vec<&str> = sets.map(|set| text(set, "/metadata/uid")).collect();
    world
        .of("pods")
        .filter(move |pod| is_active(pod) && controller(pod).is_some_and(|owner| sets.contains(&text(owner, "/uid"))))
}

/// A ready pod that a rollout takes away leaves as many as must be available. Only pods that the Deployment's own
/// controllers delete count: evictions ask nobody but a budget.
fn scale_down_keeps_the_available(change: &Change, world: &World) -> Option<String> {
    let (old, new) = (change.old?, change.new?);
    let taken = text(new, "/kind") == "Pod" && is_active(old) && is_ready(old) && !is_active(new);
    if !taken || disrupted(new) || world.of("nodes").any(|node| !is_ready(node)) {
        return None;
    }
    let deployment = owner_in(owner_in(new, world, "apps/replicasets")?, world, "apps/deployments")?;
    let wanted = count(deployment, "/spec/replicas");
    let unavailable = share(deployment.pointer("/spec/strategy/rollingUpdate/maxUnavailable"), wanted, false, 0);
    let left = active_pods(deployment, world).filter(|pod| is_ready(pod)).count() as i64;
    (left < wanted - unavailable)
        .then(|| format!("{} went below its {} available pods: {left}", name(deployment), wanted - unavailable))
}

fn disrupted(pod: &Value) -> bool {
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().any(|one| one["type"] == "DisruptionTarget" && one["status"] == "True")
}

fn ordinal(pod: &Value) -> Option<i64> {
    text(pod, "/metadata/name").rsplit_once('-')?.1.parse().ok()
}

/// A set that starts its pods in order makes none before all lower ones are there.
fn ordered_sets_wait(change: &Change, world: &World) -> Option<String> {
    let (pod, set) = made(change, world, "apps/statefulsets")?;
    if text(set, "/spec/podManagementPolicy") == "Parallel" {
        return None;
    }
    let mine = ordinal(pod)?;
    let before = controlled(world.of("pods"), text(set, "/metadata/uid")).filter_map(ordinal);
    let before: Vec<i64> = before.filter(|other| *other < mine).collect();
    (before.len() as i64 != mine).then(|| format!("{} was made when only {before:?} were there", name(pod)))
}

fn jobs_keep_their_parallelism(change: &Change, world: &World) -> Option<String> {
    let (_, job) = made(change, world, "batch/jobs")?;
    let active = controlled(world.of("pods"), text(job, "/metadata/uid")).filter(|pod| is_active(pod)).count() as i64;
    let most = count(job, "/spec/parallelism");
    (active > most).then(|| format!("{} has {active} active pods and a parallelism of {most}", name(job)))
}

fn job_counts_never_go_back(change: &Change, world: &World) -> Option<String> {
    let (old, new) = (change.old?, change.new?);
    if text(new, "/kind") != "Job" {
        return None;
    }
    let (before, after) = (count(old, "/status/succeeded"), count(new, "/status/succeeded"));
    if after < before {
        return Some(format!("{} had {before} successes and now {after}", name(new)));
    }
    let really = world.succeeded.len() as i64;
    (after > really).then(|| format!("{} counts {after} successes of {really}", name(new)))
}

/// A pod that is tracked by a Job is not gone before the Job has let it go.
fn tracked_pods_stay_until_counted(change: &Change, _: &World) -> Option<String> {
    let old = change.old.filter(|_| change.new.is_none())?;
    let finalizers = old.pointer("/metadata/finalizers").and_then(Value::as_array)?;
    (!finalizers.is_empty()).then(|| format!("{} is gone with its finalizers {finalizers:?}", name(old)))
}

fn one_daemon_a_node(change: &Change, world: &World) -> Option<String> {
    let (_, set) = made(change, world, "apps/daemonsets")?;
    let surge = count(set, "/spec/updateStrategy/rollingUpdate/maxSurge");
    let mut nodes: Vec<&str> = controlled(world.of("pods"), text(set, "/metadata/uid"))
        .filter(|pod| is_active(pod))
        .map(|pod| text(pod, DAEMON_NODE))
        .collect();
    nodes.sort_unstable();
    let twice = nodes.windows(2).find(|pair| pair[0] == pair[1])?;
    (surge == 0).then(|| format!("{} has two pods for {}", name(set), twice[0]))
}

/// Where a DaemonSet says which node its pod is for.
const DAEMON_NODE: &str = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms/0/matchFields/0/values/0";
