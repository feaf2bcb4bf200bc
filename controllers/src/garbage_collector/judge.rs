//! What is to become of an object, given its owners and dependents.

use super::{FOREGROUND, ORPHAN, has, place, unseen, waits_for_dependents};
use client::action::{Action, PatchKind, Propagation};
use client::cache::{Caches, Meta, Node, Owner};
use client::controller::Sight;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// When the server's answer and the caches disagree, look again after this long; the caches will have caught up.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_millis(500);
/// When the server could not say whether an owner exists, ask again after this long.
const ASK_AGAIN: SignedDuration = SignedDuration::from_secs(5);

/// Takes the owner away from its dependents, then lets it go.
pub(super) fn orphan(owner: &Node, dependents: &[Node]) -> Vec<Action> {
    let freed = dependents.iter().map(|dependent| {
        let kept: Vec<&Owner> = dependent.meta.owners.iter().filter(|o| o.uid != owner.meta.uid).collect();
        patch_owners(dependent, &kept)
    });
    freed.chain([without_finalizer(owner, ORPHAN)]).collect()
}

/// Lets an owner go once no dependent blocks it.
pub(super) fn let_go_if_alone(owner: &Node, dependents: &[Node]) -> Vec<Action> {
    let blocks = |dependent: &&Node| {
        dependent.meta.owners.iter().any(|o| o.uid == owner.meta.uid && o.block_owner_deletion == Some(true))
    };
    if dependents.iter().any(|dependent| blocks(&dependent)) {
        return Vec::new(); // each dependent is judged by its own key
    }
    vec![without_finalizer(owner, FOREGROUND)]
}

/// What an owner reference is worth.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Worth {
    Solid,
    Waiting,
    Dangling,
    /// The owner has gone so that its dependents stay, and this one was not seen to be among them.
    Released,
    /// The server did not say.
    Unknown,
    /// Its kind is not served: it may come back, and until then nothing is concluded.
    Unserved,
}

pub(super) fn dependent(node: &Node, caches: &Caches, sights: &[Sight], now: Timestamp) -> Vec<Action> {
    let Some((itself, of_owners)) = sights.split_first() else { return Vec::new() };
    match itself {
        Sight::Object(object) if is_same(object, &node.meta) => {}
        Sight::Absent => return Vec::new(),
        _ => return vec![Action::RequeueAt(now + LOOK_AGAIN)],
    }
    let placed: Vec<&Owner> =
        unseen(node, caches).into_iter().filter(|owner| place(node, owner, caches).is_some()).collect();
    if placed.len() != of_owners.len() {
        return vec![Action::RequeueAt(now + LOOK_AGAIN)]; // the caches moved on while the server was asked
    }
    let worth = |owner: &Owner| match caches.metadata().get(&owner.uid) {
        Some(seen) if waits_for_dependents(&seen) => Worth::Waiting,
        Some(_) => Worth::Solid,
        None => {
            let asked = placed.iter().position(|placed| placed.uid == owner.uid);
            match asked {
                Some(at) => match worth_of(owner, &of_owners[at]) {
                    Worth::Dangling if caches.metadata().has_released(&owner.uid) => Worth::Released,
                    worth => worth,
                },
                // k8s: absentOwnerCache; it went before its kind did.
                None if caches.metadata().is_gone(&owner.uid) && !is_served(owner, caches) => Worth::Dangling,
                None => Worth::Unserved,
            }
        }
    };
    let worths: Vec<Worth> = node.meta.owners.iter().map(worth).collect();
    let any = |wanted: Worth| worths.contains(&wanted);
    if any(Worth::Unserved) {
        return Vec::new();
    }
    if any(Worth::Unknown) {
        return vec![Action::RequeueAt(now + ASK_AGAIN)];
    }
    if any(Worth::Released) {
        let others = node.meta.owners.iter().zip(&worths).filter(|(_, worth)| **worth != Worth::Released);
        return vec![patch_owners(node, &others.map(|(owner, _)| owner).collect::<Vec<_>>())];
    }
    if any(Worth::Solid) {
        if worths.iter().all(|worth| *worth == Worth::Solid) {
            return Vec::new();
        }
        let solid = node.meta.owners.iter().zip(&worths).filter(|(_, worth)| **worth == Worth::Solid);
        return vec![patch_owners(node, &solid.map(|(owner, _)| owner).collect::<Vec<_>>())];
    }
    let dependents = caches.metadata().dependents(&node.meta.uid);
    if any(Worth::Waiting) && !dependents.is_empty() {
        return foreground(node, &dependents);
    }
    vec![delete(node, policy(node))]
}

fn is_served(owner: &Owner, caches: &Caches) -> bool {
    caches.metadata().find(&owner.api_version, &owner.kind).is_some()
}

fn is_same(object: &Value, meta: &Meta) -> bool {
    let meta_of = &object["metadata"];
    let uids = |owners: &Value| -> Vec<String> {
        owners.as_array().into_iter().flatten().filter_map(|o| o["uid"].as_str().map(str::to_owned)).collect()
    };
    let held: Vec<String> = meta.owners.iter().map(|owner| owner.uid.clone()).collect();
    meta_of["uid"] == json!(meta.uid)
        && uids(&meta_of["ownerReferences"]) == held
        && meta_of.get("deletionTimestamp").is_none_or(Value::is_null)
}

fn worth_of(owner: &Owner, sight: &Sight) -> Worth {
    match sight {
        Sight::Absent => Worth::Dangling,
        Sight::Object(object) if object["metadata"]["uid"] != json!(owner.uid) => Worth::Dangling,
        Sight::Object(object) => {
            let meta = &object["metadata"];
            let waits = meta["finalizers"].as_array().is_some_and(|list| list.iter().any(|name| name == FOREGROUND));
            let deleting = meta.get("deletionTimestamp").is_some_and(|at| !at.is_null());
            if waits && deleting { Worth::Waiting } else { Worth::Solid }
        }
        Sight::Unknown(_) | Sight::Remaining(_) => Worth::Unknown,
    }
}

/// The owner waits: so does this one, for its own dependents. In a ring of owners each would wait for the next; there
/// this one stops blocking its owner.
fn foreground(node: &Node, dependents: &[Node]) -> Vec<Action> {
    let ring = dependents.iter().any(waits_for_dependents);
    let mut actions = Vec::new();
    if ring {
        let freed: Vec<Owner> =
            node.meta.owners.iter().map(|owner| Owner { block_owner_deletion: Some(false), ..owner.clone() }).collect();
        actions.push(patch_owners(node, &freed.iter().collect::<Vec<_>>()));
    }
    actions.push(delete(node, Propagation::Foreground));
    actions
}

/// k8s: finalizers that the client put on decide how the object's own dependents fare
fn policy(node: &Node) -> Propagation {
    if has(node, ORPHAN) {
        Propagation::Orphan
    } else if has(node, FOREGROUND) {
        Propagation::Foreground
    } else {
        Propagation::Background
    }
}

fn delete(node: &Node, propagation: Propagation) -> Action {
    Action::Delete {
        resource: node.resource.as_ref().clone(),
        key: node.meta.key.clone(),
        uid: node.meta.uid.clone(),
        grace_seconds: None,
        propagation: Some(propagation),
    }
}

fn patch(node: &Node, fields: Value) -> Action {
    let mut metadata = fields;
    metadata["uid"] = json!(node.meta.uid);
    metadata["resourceVersion"] = json!(node.meta.rev.to_string());
    Action::Patch {
        resource: node.resource.as_ref().clone(),
        key: node.meta.key.clone(),
        subresource: "",
        kind: PatchKind::Merge,
        body: json!({"metadata": metadata}),
    }
}

fn patch_owners(node: &Node, owners: &[&Owner]) -> Action {
    let reference = |owner: &&Owner| {
        let mut reference =
            json!({"apiVersion": owner.api_version, "kind": owner.kind, "name": owner.name, "uid": owner.uid});
        if let Some(blocks) = owner.block_owner_deletion {
            reference["blockOwnerDeletion"] = json!(blocks);
        }
        if let Some(controller) = owner.controller {
            reference["controller"] = json!(controller);
        }
        reference
    };
    let list: Vec<Value> = owners.iter().map(reference).collect();
    patch(node, json!({"ownerReferences": if list.is_empty() { Value::Null } else { json!(list) }}))
}

fn without_finalizer(node: &Node, finalizer: &str) -> Action {
    let rest: Vec<&String> = node.meta.finalizers.iter().filter(|name| *name != finalizer).collect();
    patch(node, json!({"finalizers": if rest.is_empty() { Value::Null } else { json!(rest) }}))
}
