//! Notices nodes that fell silent: their conditions become Unknown, taints keep pods away and drive them off, and their
//! pods stop being ready. A node is as fresh as its Lease or its Ready condition, whichever is newer.

mod heard;
mod taints;
#[cfg(test)]
mod tests;

use crate::pod::{self, BY_NODE};
use crate::run::Config;
use crate::write::{self, time};
use client::action::{Action, Key, PatchKind};
use client::cache::{Caches, Tracked as _};
use client::controller::{Controller, Reconcile, Watches};
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node, NodeCondition, Pod, PodCondition};
use kinds::moment::later;
use serde_json::json;
use std::sync::Arc;

pub(crate) use heard::Heard;
use heard::Sign;

pub(crate) const CONTROLLER: Controller = Controller {
    name: "node-lifecycle",
    watches,
    reconcile: Reconcile::Cached(|key, caches, now| {
        let heard = caches.fact::<Heard>();
        let Some(seen) = observe(key, caches) else {
            heard.forget(&key.name);
            return Vec::new();
        };
        let last = heard.last(&key.name, last_sign(&seen.node, seen.lease.as_deref()), seen.grace, now);
        reconcile(&seen, last, now)
    }),
    refused: None,
};

const LEASES: &str = "kube-node-lease";
/// Conditions that nobody but the node can know. k8s: a pressure that is not reported any more is Unknown
const OF_THE_NODE: &[&str] = &["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];

fn watches(watches: &mut Watches) {
    watches.primary::<Node>();
    watches.mapped::<Lease>(
        |lease, _| {
            if lease.ns() == LEASES { vec![Key::new("", lease.name())] } else { Vec::new() }
        },
    );
    // A pod bound to a node that is not ready must not count as ready.
    watches.mapped::<Pod>(|pod, caches| {
        let node = caches.of::<Node>().get("", pod::node_name(pod));
        let unready = node.filter(|node| !is_ready(node));
        unready.filter(|_| pod::is_ready(pod)).map(|node| node.key()).into_iter().collect()
    });
    watches.index::<Pod>(BY_NODE, pod::node_values);
}

struct Seen {
    node: Arc<Node>,
    lease: Option<Arc<Lease>>,
    ready_pods: Vec<Arc<Pod>>,
    grace: jiff::SignedDuration,
}

fn observe(key: &Key, caches: &Caches) -> Option<Seen> {
    let node = caches.of::<Node>().get("", &key.name)?;
    let lease = caches.of::<Lease>().get(LEASES, &key.name);
    // Of a node that is well nobody asks: most looks are at its heartbeats.
    let mut ready_pods = if is_ready(&node) { Vec::new() } else { caches.of::<Pod>().by_index(BY_NODE, &key.name) };
    let silent = condition(&node, "Ready").and_then(|ready| ready.last_transition_time.as_ref()).map(|since| since.0);
    ready_pods.retain(|pod| pod::is_ready(pod) && !said_since(pod, silent));
    Some(Seen { node, lease, ready_pods, grace: caches.fact::<Config>().node_grace })
}

pub(crate) fn condition<'a>(node: &'a Node, type_: &str) -> Option<&'a NodeCondition> {
    node.status.as_ref()?.conditions.iter().flatten().find(|condition| condition.type_ == type_)
}

pub(crate) fn is_ready(node: &Node) -> bool {
    condition(node, "Ready").is_some_and(|ready| ready.status == "True")
}

fn reconcile(seen: &Seen, last: Timestamp, now: Timestamp) -> Vec<Action> {
    let node = seen.node.as_ref();
    let silent_at = later(last, seen.grace);
    if silent_at <= now
        && let Some(unknown) = silenced(node, now)
    {
        let told =
            write::event(node, "Normal", "NodeNotReady", format!("Node {} status is now: NodeNotReady", node.name()));
        return vec![write::update(&unknown, "status"), told]; // the taints follow when the caches show it
    }
    let mut actions = Vec::new();
    if let Some(wanted) = taints::changed(node, now) {
        let body = json!({"metadata": {"resourceVersion": node.metadata.resource_version}, "spec": {"taints": wanted}});
        actions.push(write::patch(node, "", PatchKind::Merge, body));
    }
    if !is_ready(node) {
        actions.extend(seen.ready_pods.iter().map(|pod| not_ready(pod, now)));
    }
    if silent_at > now {
        actions.push(Action::RequeueAt(silent_at));
    }
    actions
}

/// The node's signs of life, by its own clock: its lease and its heartbeat.
fn last_sign(node: &Node, lease: Option<&Lease>) -> Sign {
    let renewed = lease.and_then(|lease| lease.spec.as_ref()?.renew_time.as_ref()).map(|time| time.0);
    let heartbeat = condition(node, "Ready").and_then(|ready| ready.last_heartbeat_time.as_ref()).map(|time| time.0);
    // What we write of a node that never spoke has the time of its creation.
    let created = node.metadata.creation_timestamp.as_ref().map(|time| time.0);
    [renewed, heartbeat.filter(|time| Some(*time) != created)]
}

/// The node with what only it could know made Unknown; `None` if it is so already.
fn silenced(node: &Node, now: Timestamp) -> Option<Node> {
    let mut changed = node.clone();
    let conditions = changed.status.get_or_insert_default().conditions.get_or_insert_default();
    for type_ in OF_THE_NODE {
        match conditions.iter_mut().find(|condition| condition.type_ == *type_) {
            None => conditions.push(NodeCondition {
                type_: (*type_).to_owned(),
                status: "Unknown".to_owned(),
                reason: Some("NodeStatusNeverUpdated".to_owned()),
                message: Some("Kubelet never posted node status.".to_owned()),
                last_heartbeat_time: node.metadata.creation_timestamp.clone(),
                last_transition_time: Some(time(now)),
            }),
            Some(held) if held.status != "Unknown" => {
                "Unknown".clone_into(&mut held.status);
                held.reason = Some("NodeStatusUnknown".to_owned());
                held.message = Some("Kubelet stopped posting node status.".to_owned());
                held.last_transition_time = Some(time(now));
            }
            Some(_) => {}
        }
    }
    (changed.status != node.status).then_some(changed)
}

/// Whether the pod got ready after its node fell silent. Then its agent is there and says so, and the node's own word is on
/// its way: to contradict it would begin a quarrel that lasts until that word is heard.
fn said_since(pod: &Pod, silent: Option<Timestamp>) -> bool {
    pod::ready_since(pod).zip(silent).is_some_and(|(ready, silent)| ready > silent)
}

/// k8s: MarkPodsNotReady, so that Services stop sending there
fn not_ready(pod: &Arc<Pod>, now: Timestamp) -> Action {
    let held = pod::condition(pod, "Ready").cloned().unwrap_or_default();
    let condition = PodCondition { status: "False".to_owned(), last_transition_time: Some(time(now)), ..held };
    write::patch(pod.as_ref(), "status", PatchKind::Strategic, pod::condition_patch(&condition))
}
