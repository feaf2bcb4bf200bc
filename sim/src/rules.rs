//! What must hold after every commit, whatever happens. Each rule looks at one change in the world that it made; what must
//! hold only in the end is each scenario's own matter.

mod job;
mod node;
mod rollout;
mod set;

use crate::world::{Change, World, controlled, controller, is_active, is_evicted, is_ready, is_terminating, text};
use crate::{kernel, world};
use kinds::selector::LabelSelector;
use serde_json::Value;
use std::time::Duration;

/// What is wrong, if something is.
type Rule = fn(&Change, &World) -> Option<String>;

/// What holds at every commit. A failure names the rule.
const ALWAYS: &[(&str, Rule)] = &[
    ("one controller", one_controller),
    ("bound once", bound_once),
    ("over is over", over_is_over),
    ("who goes stays on the way", who_goes_stays_on_the_way),
    ("no node above its allocatable", node::is_not_overfull),
    ("preempted for the more important", node::is_preempted_for_the_more_important),
    ("volumes are bound once", node::volumes_are_bound_once),
    ("devices are given once", node::devices_are_given_once),
    ("evictions keep the budget", evictions_keep_the_budget),
    ("quota", keeps_the_quota),
    ("identity", set::identities_are_their_own),
    ("counts of a Job", job::counts_what_happened),
    ("one Job a time", job::runs_each_time_once),
];

/// How many there are: controllers decide that by what they see, and so it holds as long as nothing was written behind their
/// backs by one who works no longer, or by themselves without their hearing of it.
const UNDISTURBED: &[(&str, Rule)] = &[
    ("surge", rollout::keeps_its_surge),
    ("replicas", rollout::keeps_its_replicas),
    ("available while rolling out", rollout::keeps_the_available),
    ("ordered sets wait", set::waits_in_order),
    ("one daemon a node", set::one_daemon_a_node),
    ("available daemons", set::daemons_stay_available),
    ("parallelism", job::keeps_its_parallelism),
    ("Jobs do not overlap", job::does_not_overlap),
];

/// How long a working controller may not see a write that was not its own.
pub(crate) const CACHES_LAG: Duration = Duration::from_mins(2);

/// The first rule that a change breaks.
pub(crate) fn broken(change: &Change, world: &World) -> Option<String> {
    let undisturbed: &[(&str, Rule)] = if lately(world.untimely_write, CACHES_LAG) { &[] } else { UNDISTURBED };
    let mut rules = ALWAYS.iter().chain(undisturbed);
    rules.find_map(|(name, rule)| rule(change, world).map(|why| format!("[{name}] {why}")))
}

fn name(object: &Value) -> String {
    format!("{} {}", text(object, "/kind"), text(object, "/metadata/name"))
}

fn is(object: &Value, kind: &str) -> bool {
    text(object, "/kind") == kind
}

/// An object before and after, where it was changed.
fn updated<'a>(change: &Change<'a>, kind: &str) -> Option<(&'a Value, &'a Value)> {
    Some((change.old?, change.new.filter(|new| is(new, kind))?))
}

/// A new pod, and the owner in `collection` that controls it.
fn made<'a>(change: &Change<'a>, world: &'a World, collection: &str) -> Option<(&'a Value, &'a Value)> {
    let pod = change.new.filter(|new| change.old.is_none() && is(new, "Pod"))?;
    Some((pod, owner_in(pod, world, collection)?))
}

/// A ready pod that is asked to go, by others than evictions and preemptions, while all nodes are well, no other has been
/// lost lately, and its namespace stays.
fn taken<'a>(change: &Change<'a>, world: &World) -> Option<&'a Value> {
    let (old, new) = updated(change, "Pod")?;
    let taken = is_active(old) && is_ready(old) && !is_active(new) && world::truth(new, "DisruptionTarget").is_none();
    let ns = world.named("namespaces", text(new, "/metadata/namespace"));
    (taken
        && ns.is_some_and(|ns| !is_terminating(ns))
        && world.of("nodes").all(is_ready)
        && !lately(world.disturbed, CACHES_LAG))
    .then_some(new)
}

fn owner_in<'a>(object: &Value, world: &'a World, collection: &str) -> Option<&'a Value> {
    let owner = controller(object)?;
    world.of(collection).find(|one| one["metadata"]["uid"] == owner["uid"])
}

fn active_of<'a>(world: &'a World, owner: &Value) -> impl Iterator<Item = &'a Value> + use<'a> {
    let uid = text(owner, "/metadata/uid").to_owned();
    controlled(world.of("pods"), uid).filter(|pod| is_active(pod))
}

/// Whether something happened within the last `window`.
pub(crate) fn lately(at: Option<Duration>, window: Duration) -> bool {
    at.is_some_and(|at| kernel::elapsed() < at + window)
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

fn one_controller(change: &Change, _: &World) -> Option<String> {
    let new = change.new?;
    let owners = world::at(new, "/metadata/ownerReferences").and_then(Value::as_array)?;
    let controllers = owners.iter().filter(|owner| owner["controller"] == true).count();
    if controllers > 1 {
        return Some(format!("{} has {controllers} controllers", name(new)));
    }
    let (before, after) = (controller(change.old?)?, controller(new)?);
    (before["uid"] != after["uid"]).then(|| format!("{} went from one controller to another", name(new)))
}

fn bound_once(change: &Change, _: &World) -> Option<String> {
    let (old, new) = updated(change, "Pod")?;
    let (before, after) = (text(old, "/spec/nodeName"), text(new, "/spec/nodeName"));
    let moved = !before.is_empty() && before != after;
    moved.then(|| format!("{} was bound to {before} and then to {after}", name(new)))
}

fn over_is_over(change: &Change, _: &World) -> Option<String> {
    let (old, new) = updated(change, "Pod")?;
    let (before, after) = (text(old, "/status/phase"), text(new, "/status/phase"));
    (world::is_over(old) && before != after).then(|| format!("{} was {before} and became {after}", name(new)))
}

fn who_goes_stays_on_the_way(change: &Change, _: &World) -> Option<String> {
    let (old, new) = (change.old?, change.new?);
    let comes_back = is_terminating(old) && !is_terminating(new) && old["metadata"]["uid"] == new["metadata"]["uid"];
    comes_back.then(|| format!("{} was to go and is not any more", name(new)))
}

/// How long a budget may not know of a pod that was lost otherwise.
const BUDGET_LAGS: Duration = Duration::from_mins(2);

/// An eviction leaves as many healthy pods as a budget asks for in numbers.
fn evictions_keep_the_budget(change: &Change, world: &World) -> Option<String> {
    let (old, new) = updated(change, "Pod")?;
    if is_terminating(old) || !is_ready(old) || !is_evicted(new) || lately(world.lost, BUDGET_LAGS) {
        return None;
    }
    world.of("policy/poddisruptionbudgets").find_map(|budget| {
        let least = world::at(budget, "/spec/minAvailable").and_then(Value::as_i64)?;
        let selector = serde_json::from_value(world::at(budget, "/spec/selector")?.clone()).ok()?;
        let selector = LabelSelector::from_meta(&selector).ok()?;
        if !selector.matches(&new["metadata"]["labels"]) {
            return None;
        }
        let mine = world.of("pods").filter(|pod| selector.matches(&pod["metadata"]["labels"]));
        let healthy = mine.filter(|pod| is_active(pod) && is_ready(pod)).count() as i64;
        (healthy < least).then(|| format!("{} leaves {healthy} of {least} healthy pods", name(new)))
    })
}

/// No pod more than a quota allows; those that are over do not count.
fn keeps_the_quota(change: &Change, world: &World) -> Option<String> {
    let pod = change.new.filter(|new| change.old.is_none() && is(new, "Pod"))?;
    let ns = text(pod, "/metadata/namespace");
    let mine = |object: &&Value| text(object, "/metadata/namespace") == ns;
    let pods = world.of("pods").filter(mine).filter(|pod| !world::is_over(pod)).count() as i64;
    world.of("resourcequotas").filter(mine).find_map(|quota| {
        // k8s: a quota holds from the moment that its controller has counted.
        let missed = world.uncounted.get(text(quota, "/metadata/uid"))?;
        let hard: i64 = text(quota, "/spec/hard/pods").parse().ok()?;
        (pods > hard + missed).then(|| format!("{} is one of {pods} pods in {ns}, where {hard} may be", name(pod)))
    })
}
