//! Which pods the node has taken on, what it has promised each of them, and the room that they leave for others. Pods are
//! admitted and resized one at a time, so that two that come at once do not both get the last of something.
//!
//! A resize that there is no room for waits here. When room is made, those that wait get it in upstream's order, whichever
//! pod's worker looks first. k8s: `pkg/kubelet/allocation`, sortPendingResizes

use super::Node as Shared;
use crate::pod::demand::{Amounts, of_list, of_pod};
use crate::pod::ending::phase_is_final;
use crate::pod::fit::{Room, fits};
use crate::pod::member::{spec, uid};
use crate::pod::observed::{Doom, Hold};
use crate::pod::resize;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, Pod};
use parking_lot::Mutex;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedSender;

#[derive(Debug, Default)]
pub struct Ledger {
    books: Mutex<Books>,
}

/// Both by uid.
#[derive(Debug, Default)]
struct Books {
    /// Pods with the resources that they were promised, without status.
    promised: BTreeMap<String, Arc<Pod>>,
    waiting: BTreeMap<String, Waiting>,
}

/// A resize that the node has no room for yet.
#[derive(Debug)]
struct Waiting {
    pod: Arc<Pod>,
    since: Timestamp,
    wake: UnboundedSender<Granted>,
}

/// Tells a pod's worker that its resize has got room.
#[derive(Debug)]
pub struct Granted;

impl Ledger {
    /// Takes a pod on, or says why not.
    pub fn admit(&self, node: &Shared, pod: &Pod) -> Result<(), Doom> {
        let mut books = self.books.lock();
        fits(pod, &room(node, pod, &books))?;
        books.promise(pod);
        Ok(())
    }

    /// One that runs already, from an earlier life of the agent: it has what its status says.
    pub fn keep(&self, pod: &Pod) {
        self.books.lock().promise(&resize::promised(pod));
    }

    pub fn release(&self, node: &Shared, pod_uid: &str) {
        let mut books = self.books.lock();
        books.promised.remove(pod_uid);
        books.waiting.remove(pod_uid);
        books.grant(node);
    }

    /// Whether the pod has been taken on and has not ended.
    pub fn is_live(&self, node: &Shared, pod_uid: &str) -> bool {
        let known = node.caches.of::<Pod>().list().into_iter().find(|p| uid(p) == pod_uid);
        match known {
            Some(pod) => !phase_is_final(&pod),
            None => self.books.lock().promised.contains_key(pod_uid),
        }
    }

    /// Gives the pod the resources that its spec asks for now, or says what keeps the node from it.
    pub fn resize(&self, node: &Shared, pod: &Arc<Pod>, wake: &UnboundedSender<Granted>) -> Option<Hold> {
        let mut books = self.books.lock();
        let own = uid(pod);
        if books.promised.get(own).is_some_and(|promised| of_pod(promised) == of_pod(pod)) {
            books.promise(pod);
            return None;
        }
        let since = books.waiting.get(own).map_or_else(|| node.clock.now(), |waiting| waiting.since);
        books.waiting.insert(own.to_owned(), Waiting { pod: Arc::clone(pod), since, wake: wake.clone() });
        books.grant(node);
        let waits = books.waiting.get(own)?;
        resize::hold(&waits.pod, &room(node, &waits.pod, &books))
    }

    /// The pod has what its spec asks for.
    pub fn settle(&self, node: &Shared, pod: &Pod) {
        let mut books = self.books.lock();
        let changed = books.promised.get(uid(pod)).is_some_and(|promised| of_pod(promised) != of_pod(pod));
        if changed || books.waiting.contains_key(uid(pod)) {
            books.promise(pod);
            books.grant(node);
        }
    }

    /// The pod with what it was promised last.
    pub fn promised(&self, pod_uid: &str) -> Option<Arc<Pod>> {
        self.books.lock().promised.get(pod_uid).cloned()
    }

    /// Whether the pod has been taken on and asks for more of something now than it was promised.
    pub fn grows(&self, pod: &Pod) -> bool {
        self.books.lock().promised.get(uid(pod)).is_some_and(|promised| grows(&of_pod(promised), pod))
    }
}

impl Books {
    fn promise(&mut self, pod: &Pod) {
        let promised = Pod { metadata: pod.metadata.clone(), spec: pod.spec.clone(), status: None };
        self.waiting.remove(uid(pod));
        self.promised.insert(uid(pod).to_owned(), Arc::new(promised));
    }

    /// Gives what room there is to those that wait. One that gets it may leave some of another resource to the next.
    fn grant(&mut self, node: &Shared) {
        loop {
            let mut order: Vec<&Waiting> = self.waiting.values().collect();
            order.sort_by_key(|waiting| self.rank(waiting));
            let fits = |waiting: &&Waiting| resize::hold(&waiting.pod, &room(node, &waiting.pod, self)).is_none();
            let Some(next) = order.into_iter().find(fits) else { return };
            let (pod, wake) = (Arc::clone(&next.pod), next.wake.clone());
            self.promise(&pod);
            // A worker that has ended needs no news.
            wake.send(Granted).unwrap_or_default();
        }
    }

    /// The lowest is served first.
    fn rank(&self, waiting: &Waiting) -> (bool, Reverse<i32>, u8, Timestamp) {
        let pod = &waiting.pod;
        let before = self.promised.get(uid(pod)).map(|promised| of_pod(promised)).unwrap_or_default();
        let class = pod.status.as_ref().and_then(|status| status.qos_class.as_deref());
        let class = match class {
            Some("Guaranteed") => 0,
            Some("Burstable") => 1,
            Some(_) | None => 2,
        };
        (grows(&before, pod), Reverse(spec(pod).priority.unwrap_or(0)), class, waiting.since)
    }
}

fn grows(before: &Amounts, pod: &Pod) -> bool {
    of_pod(pod).iter().any(|(name, amount)| *amount > before.get(name).copied().unwrap_or(0))
}

/// The node without `pod`.
fn room(node: &Shared, pod: &Pod, books: &Books) -> Room {
    let object = node.caches.of::<Node>().get("", &node.name);
    let labels = object.as_ref().map(|n| n.metadata.labels.clone().unwrap_or_default());
    let listed = object.as_ref().and_then(|n| n.status.as_ref()?.allocatable.as_ref()).map(of_list);
    // What others added to the node's object, and what this node says itself.
    let mut allocatable: Amounts = listed.unwrap_or_default();
    allocatable.extend(of_list(&node.allocatable));
    // Devices of plugins are counted where they are given out.
    allocatable.retain(|resource, _| !node.devices.is_managed(resource));
    let taken = |other: Arc<Pod>| {
        if uid(&other) == uid(pod) || phase_is_final(&other) {
            return None;
        }
        // A start time in the API is the sign of a pod that was taken on before this agent started.
        let started = other.status.as_ref().is_some_and(|s| s.start_time.is_some());
        books.promised.get(uid(&other)).cloned().or_else(|| started.then_some(other))
    };
    let others = node.caches.of::<Pod>().list().into_iter().filter_map(taken).collect();
    Room { node_name: node.name.clone(), labels, allocatable, others }
}
