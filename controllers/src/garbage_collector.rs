//! Deletes what belongs to nobody any more. Keys are uids: an object is judged when it, one of its owners or one of its
//! dependents changes. What the caches call absent is asked of the server before anything is deleted.

mod judge;
#[cfg(test)]
mod tests;

use client::action::{Action, Event, Key};
use client::cache::{Caches, Node, Owner};
use client::controller::{Controller, Look, Reconcile, Refusal, Sight, Watches};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;

pub(crate) const CONTROLLER: Controller = Controller {
    name: "garbage-collector",
    watches,
    reconcile: Reconcile::Looking { look, reconcile },
    refused: Some(refused),
};

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

fn watches(watches: &mut Watches) {
    watches.metadata(concerned);
}

fn key(uid: &str) -> Key {
    Key::new("", uid)
}

fn has(node: &Node, finalizer: &str) -> bool {
    node.meta.finalizers.iter().any(|name| name == finalizer)
}

/// Is going away, and waits for its dependents to go first.
fn waits_for_dependents(node: &Node) -> bool {
    node.meta.deleting && has(node, FOREGROUND)
}

fn orphans_dependents(node: &Node) -> bool {
    node.meta.deleting && has(node, ORPHAN)
}

/// The uids that a change concerns.
fn concerned(node: &Node, caches: &Caches) -> Vec<Key> {
    let graph = caches.metadata();
    let mut keys = Vec::new();
    if !node.gone && (!node.meta.owners.is_empty() || waits_for_dependents(node) || orphans_dependents(node)) {
        keys.push(key(&node.meta.uid));
    }
    if node.gone || waits_for_dependents(node) {
        keys.extend(graph.dependents(&node.meta.uid).iter().map(|dependent| key(&dependent.meta.uid)));
    }
    // An owner that waits may have waited for this one.
    let owners = node.meta.owners.iter().filter_map(|owner| graph.get(&owner.uid));
    keys.extend(owners.filter(|owner| owner.meta.deleting).map(|owner| key(&owner.meta.uid)));
    keys
}

/// Whether an object is judged by its owners.
fn is_dependent(node: &Node) -> bool {
    !node.meta.owners.is_empty() && !node.meta.deleting
}

/// An owner that the graph does not show: absent, or not seen yet.
fn unseen<'a>(node: &'a Node, caches: &Caches) -> Vec<&'a Owner> {
    node.meta.owners.iter().filter(|owner| caches.metadata().get(&owner.uid).is_none()).collect()
}

/// Where an owner is to be found; `None` for a kind that is not served.
fn place(node: &Node, owner: &Owner, caches: &Caches) -> Option<Look> {
    let served = caches.metadata().find(&owner.api_version, &owner.kind)?;
    let ns = if served.namespaced { node.meta.key.ns.clone() } else { String::new() };
    if served.namespaced && ns.is_empty() {
        return None; // k8s: a cluster-scoped object cannot have an owner in a namespace; it is left alone
    }
    Some(Look::Object { resource: served.resource, key: Key::new(ns, &owner.name) })
}

/// First the object itself, then each owner that is not seen; nothing where the graph decides alone.
fn look(uid: &Key, caches: &Caches, _: Timestamp) -> Vec<Look> {
    let Some(node) = caches.metadata().get(&uid.name).filter(is_dependent) else { return Vec::new() };
    let unseen = unseen(&node, caches);
    let waiting =
        node.meta.owners.iter().filter_map(|owner| caches.metadata().get(&owner.uid)).any(|o| waits_for_dependents(&o));
    if unseen.is_empty() && !waiting {
        return Vec::new();
    }
    let itself = Look::Object { resource: node.resource.as_ref().clone(), key: node.meta.key.clone() };
    std::iter::once(itself).chain(unseen.iter().filter_map(|owner| place(&node, owner, caches))).collect()
}

fn reconcile(uid: &Key, caches: &Caches, sights: &[Sight], now: Timestamp) -> Vec<Action> {
    let graph = caches.metadata();
    let Some(node) = graph.get(&uid.name) else { return Vec::new() };
    if orphans_dependents(&node) {
        return judge::orphan(&node, &graph.dependents(&node.meta.uid));
    }
    if waits_for_dependents(&node) {
        return judge::let_go_if_alone(&node, &graph.dependents(&node.meta.uid));
    }
    if !is_dependent(&node) {
        return Vec::new();
    }
    judge::dependent(&node, caches, sights, now)
}

/// What nobody may delete though its owner is gone stays, and says so.
fn refused(uid: &Key, caches: &Caches, refusal: &Refusal, _: Timestamp) -> Vec<Action> {
    const FORBIDDEN: u16 = 403;
    let Action::Delete { .. } = refusal.action else { return Vec::new() };
    let Some(node) = caches.metadata().get(&uid.name).filter(|_| refusal.status.code == FORBIDDEN) else {
        return Vec::new();
    };
    let regarding = ObjectReference {
        api_version: Some(node.resource.api_version.to_string()),
        kind: Some(node.resource.kind.to_string()),
        name: Some(node.meta.key.name.clone()),
        namespace: Some(node.meta.key.ns.clone()).filter(|ns| !ns.is_empty()),
        uid: Some(node.meta.uid.clone()),
        ..ObjectReference::default()
    };
    let message = format!("its owner is gone or going, and it is not deleted with it: {}", refusal.status.message);
    vec![Action::Event(Event { regarding, type_: "Warning", reason: "FailedDelete".into(), message, action: "" })]
}
