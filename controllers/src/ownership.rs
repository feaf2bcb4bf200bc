//! Which objects belong to a controller's object: those it owns and whose labels still match, those it must let go, and
//! orphans that match and are to be adopted. k8s: ControllerRefManager.

use crate::write::{self, Object};
use client::action::{Action, Key};
use client::cache::{Caches, Typed};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kinds::selector::LabelSelector;
use std::sync::Arc;

/// Objects without a controller, by namespace. Declared with [`orphan_values`].
pub(crate) const ORPHANS: &str = "orphans by namespace";

pub(crate) fn orphan_values<K: Typed>(object: &K) -> Vec<String> {
    match object.controller_uid() {
        None => vec![object.ns().to_owned()],
        Some(_) => Vec::new(),
    }
}

/// The claimed objects, ordered by name, and the actions that settle who owns what.
pub(crate) struct Claim<K> {
    pub(crate) mine: Vec<Arc<K>>,
    pub(crate) actions: Vec<Action>,
}

/// `may_adopt` says of an orphan whether it is worth having (a finished pod is not).
pub(crate) fn claim<K: Object, O: Object>(
    caches: &Caches,
    owner: &O,
    selector: &LabelSelector,
    may_adopt: impl Fn(&K) -> bool,
) -> Claim<K> {
    claim_with(caches, owner, selector, may_adopt, None)
}

/// As [`claim`], for owners that put a finalizer on what is theirs.
pub(crate) fn claim_with<K: Object, O: Object>(
    caches: &Caches,
    owner: &O,
    selector: &LabelSelector,
    may_adopt: impl Fn(&K) -> bool,
    finalizer: Option<&'static str>,
) -> Claim<K> {
    let mut claim = Claim { mine: Vec::new(), actions: Vec::new() };
    for object in caches.of::<K>().by_owner(owner.uid()) {
        if matches(selector, object.metadata()) {
            claim.mine.push(object);
        } else if !owner.deleting() && !object.deleting() {
            claim.actions.push(write::release(object.as_ref(), owner, finalizer));
        }
    }
    if owner.deleting() {
        return claim;
    }
    for orphan in caches.of::<K>().by_index(ORPHANS, owner.ns()) {
        if matches(selector, orphan.metadata()) && !orphan.deleting() && may_adopt(&orphan) {
            claim.actions.push(write::adopt(orphan.as_ref(), owner, finalizer));
            claim.mine.push(orphan);
        }
    }
    claim
}

pub(crate) fn matches(selector: &LabelSelector, meta: &ObjectMeta) -> bool {
    match &meta.labels {
        Some(labels) => selector.matches(labels),
        None => selector.matches(&std::collections::BTreeMap::new()),
    }
}

/// Keys of the owners that would adopt this orphan: those of its namespace whose selector matches its labels.
pub(crate) fn adopters<K: Object, O: Typed>(
    orphan: &K,
    caches: &Caches,
    selector: fn(&O) -> Option<LabelSelector>,
) -> Vec<Key> {
    if orphan.controller_uid().is_some() || orphan.deleting() {
        return Vec::new();
    }
    selected_by(orphan, caches, selector)
}

/// Keys of the objects of its namespace whose selector matches its labels.
pub(crate) fn selected_by<K: Object, O: Typed>(
    object: &K,
    caches: &Caches,
    selector: fn(&O) -> Option<LabelSelector>,
) -> Vec<Key> {
    let selecting = caches.of::<O>().list_in(object.ns());
    let matching = selecting.iter().filter(|one| selector(one).is_some_and(|s| matches(&s, object.metadata())));
    matching.map(|one| one.key()).collect()
}
