//! Which pods the node has taken on, and the room that they leave for others. Pods are admitted one at a time, so that two
//! that come at once do not both get the last of something.

use super::Node as Shared;
use crate::pod::demand::{Amounts, of_list};
use crate::pod::ending::phase_is_final;
use crate::pod::fit::{Room, fits};
use crate::pod::member::uid;
use crate::pod::observed::Doom;
use k8s_openapi::api::core::v1::{Node, Pod};
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::sync::Arc;

#[derive(Debug, Default)]
pub struct Ledger {
    /// By uid.
    admitted: Mutex<BTreeSet<String>>,
}

impl Ledger {
    /// Takes a pod on, or says why not.
    pub fn admit(&self, node: &Shared, pod: &Pod) -> Result<(), Doom> {
        let mut admitted = self.admitted.lock();
        fits(pod, &room(node, pod, &admitted))?;
        admitted.insert(uid(pod).to_owned());
        Ok(())
    }

    /// One that runs already, from an earlier life of the agent.
    pub fn keep(&self, pod: &Pod) {
        self.admitted.lock().insert(uid(pod).to_owned());
    }

    pub fn release(&self, pod_uid: &str) {
        self.admitted.lock().remove(pod_uid);
    }

    /// Whether the pod has been taken on and has not ended.
    pub fn is_live(&self, node: &Shared, pod_uid: &str) -> bool {
        let known = node.caches.of::<Pod>().list().into_iter().find(|p| uid(p) == pod_uid);
        match known {
            Some(pod) => !phase_is_final(&pod),
            None => self.admitted.lock().contains(pod_uid),
        }
    }

    /// The node without `pod`.
    pub fn room(&self, node: &Shared, pod: &Pod) -> Room {
        room(node, pod, &self.admitted.lock())
    }
}

fn room(node: &Shared, pod: &Pod, admitted: &BTreeSet<String>) -> Room {
    let object = node.caches.of::<Node>().get("", &node.name);
    let labels = object.as_ref().map(|n| n.metadata.labels.clone().unwrap_or_default());
    let listed = object.as_ref().and_then(|n| n.status.as_ref()?.allocatable.as_ref()).map(of_list);
    // What others added to the node's object, and what this node says itself.
    let mut allocatable: Amounts = listed.unwrap_or_default();
    allocatable.extend(of_list(&node.allocatable));
    // Devices of plugins are counted where they are given out.
    allocatable.retain(|resource, _| !node.devices.is_managed(resource));
    let taken = |other: &Arc<Pod>| {
        // A start time in the API is the sign of a pod that was taken on before this agent started.
        let started = other.status.as_ref().is_some_and(|s| s.start_time.is_some());
        uid(other) != uid(pod) && !phase_is_final(other) && (admitted.contains(uid(other)) || started)
    };
    let others = node.caches.of::<Pod>().list().into_iter().filter(taken).collect();
    Room { node_name: node.name.clone(), labels, allocatable, others }
}
