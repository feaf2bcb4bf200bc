//! What everybody else does in a simulation: the scheduler and the node agents with pods, the garbage collector with
//! what lost its owner, and nodes that go away and come back.

use super::World;
use client::action::{Key, Resource};
use k8s_openapi::api::core::v1::{Node, Pod};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// How pods may end by themselves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    /// They run for ever, but may fail (an eviction, a bad node) while the world is wild.
    Failing,
    /// They do their work: some fail, in the end all succeed.
    Working,
}

fn key_of(object: &Value) -> Key {
    Key::new(
        object["metadata"]["namespace"].as_str().unwrap_or_default(),
        object["metadata"]["name"].as_str().unwrap_or_default(),
    )
}

fn pods() -> Resource {
    Resource::of::<Pod>()
}

fn node_names(world: &World) -> Vec<String> {
    world.of(&Resource::of::<Node>()).map(|node| key_of(node).name).collect()
}

/// The node that a pod is bound for, or any.
fn node_for(world: &World, pod: &Value, pick: u8) -> Option<String> {
    let terms = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms/0/matchFields/0/values/0";
    let names = node_names(world);
    match pod.pointer(terms).and_then(Value::as_str) {
        Some(name) => names.into_iter().find(|one| one == name),
        None => names.get(usize::from(pick) % names.len().max(1)).cloned(),
    }
}

fn ready(world: &World, truth: &str) -> Value {
    json!([{"type": "Ready", "status": truth, "lastTransitionTime": world.time()}])
}

fn is_over(pod: &Value) -> bool {
    matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

fn end(world: &mut World, key: &Key, phase: &str) {
    let (now, unready) = (world.time(), ready(world, "False"));
    let code = i32::from(phase == "Failed");
    world.edit(&pods(), key, |pod| {
        pod["status"]["phase"] = json!(phase);
        pod["status"]["conditions"] = unready;
        let terminated = json!({"exitCode": code, "finishedAt": now});
        pod["status"]["containerStatuses"] =
            json!([{"name": "c", "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": {"terminated": terminated}}]);
    });
}

/// The agent is done with a pod that was deleted.
fn let_go(world: &mut World, key: &Key) {
    world.edit(&pods(), key, |pod| pod["metadata"]["deletionGracePeriodSeconds"] = json!(0));
}

/// A next step of a healthy pod, if it has one.
fn get_on(world: &mut World, pod: &Value, pick: u8) -> bool {
    let key = key_of(pod);
    if !pod["metadata"]["deletionTimestamp"].is_null() {
        // The agent ends it; of one that no agent has, the pod garbage collector says that it failed.
        let waits = pod["metadata"]["deletionGracePeriodSeconds"] != 0;
        let over = is_over(pod);
        if !over {
            end(world, &key, "Failed");
        }
        if waits {
            let_go(world, &key);
        }
        return waits || !over;
    }
    if is_over(pod) {
        return false;
    }
    if pod["spec"]["nodeName"].is_null() {
        let Some(node) = node_for(world, pod, pick) else { return false };
        world.edit(&pods(), &key, |pod| pod["spec"]["nodeName"] = json!(node));
        return true;
    }
    let is_ready = pod.pointer("/status/conditions/0/status") == Some(&json!("True"));
    if is_ready && pod["status"]["phase"] == "Running" {
        return false;
    }
    let conditions = ready(world, "True");
    world.edit(&pods(), &key, |pod| {
        pod["status"]["phase"] = json!("Running");
        pod["status"]["conditions"] = conditions;
    });
    true
}

/// Something happens to some pod.
pub(super) fn something(world: &mut World, which: u8, what: u8, ends: Ends) {
    let all: Vec<Value> = world.of(&pods()).cloned().collect();
    let Some(pod) = all.get(usize::from(which) % all.len().max(1)) else {
        collect(world);
        return;
    };
    let key = key_of(pod);
    let runs = pod["status"]["phase"] == "Running" && pod["metadata"]["deletionTimestamp"].is_null();
    match (what % 16, ends) {
        (0, _) if runs => end(world, &key, "Failed"),
        (1, _) if runs => {
            let conditions = ready(world, "False");
            world.edit(&pods(), &key, |pod| pod["status"]["conditions"] = conditions);
        }
        (2, _) => world.delete(&pods(), &key),
        (3, _) => {
            collect(world);
        }
        (4..8, Ends::Working) if runs => end(world, &key, "Succeeded"),
        _ => drop(get_on(world, pod, what)),
    }
}

/// Every pod takes its next step; work that runs succeeds. Whether anything changed.
pub(super) fn everything_gets_on(world: &mut World, ends: Ends) -> bool {
    let mut changed = collect(world);
    let all: Vec<Value> = world.of(&pods()).cloned().collect();
    for (at, pod) in all.iter().enumerate() {
        let went_on = get_on(world, pod, at as u8);
        changed |= went_on;
        let works = ends == Ends::Working && pod["status"]["phase"] == "Running" && !went_on;
        if works && pod["metadata"]["deletionTimestamp"].is_null() {
            end(world, &key_of(pod), "Succeeded");
            changed = true;
        }
    }
    changed
}

/// The garbage collector: what is left without its owner goes. Whether anything went.
fn collect(world: &mut World) -> bool {
    let kinds = [
        pods(),
        Resource::of::<k8s_openapi::api::core::v1::PersistentVolumeClaim>(),
        Resource::of::<k8s_openapi::api::batch::v1::Job>(),
        Resource::of::<k8s_openapi::api::apps::v1::StatefulSet>(),
        Resource::of::<k8s_openapi::api::apps::v1::DaemonSet>(),
        Resource::of::<k8s_openapi::api::apps::v1::ReplicaSet>(),
        Resource::of::<k8s_openapi::api::apps::v1::Deployment>(),
    ];
    let uids: BTreeSet<String> = kinds
        .iter()
        .flat_map(|kind| world.of(kind))
        .filter_map(|object| object["metadata"]["uid"].as_str().map(ToOwned::to_owned))
        .collect();
    let mut changed = false;
    for kind in &kinds {
        let orphaned = |object: &&Value| {
            let owners = object["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default();
            let goes = !object["metadata"]["deletionTimestamp"].is_null();
            !goes
                && !owners.is_empty()
                && owners.iter().all(|one| !uids.contains(one["uid"].as_str().unwrap_or_default()))
        };
        let lost: Vec<Key> = world.of(kind).filter(orphaned).map(key_of).collect();
        changed |= !lost.is_empty();
        for key in lost {
            world.delete(kind, &key);
        }
    }
    changed
}

/// Node `n0`..`n3`: gone with its pods if it is there, back if it is not.
pub(super) fn node_comes_or_goes(world: &mut World, which: u8) {
    let name = format!("n{}", which % 4);
    let nodes = Resource::of::<Node>();
    if node_names(world).contains(&name) {
        world.delete(&nodes, &Key::new("", &*name));
        let on_it: Vec<Key> = world.of(&pods()).filter(|pod| pod["spec"]["nodeName"] == *name).map(key_of).collect();
        for key in on_it {
            world.delete(&pods(), &key);
            let_go(world, &key);
        }
    } else {
        world.apply(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}));
    }
}
