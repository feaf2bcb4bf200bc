//! Objects by uid and dependents by owner uid. Pure data; filled by [`super::Metadata`].

use crate::action::Resource;
use crate::cache::tracked::Meta;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

/// An object of any kind.
#[derive(Clone, Debug)]
pub struct Node {
    pub resource: Arc<Resource>,
    pub meta: Arc<Meta>,
    /// Gone: this is what it last was.
    pub gone: bool,
}

/// The finalizer of an object whose dependents are to stay when it goes.
const ORPHAN: &str = "orphan";
/// Owners that went so of which it is remembered: a watch that lags tells of a dependent soon after, or is begun anew.
const RELEASED_MAX: usize = 1000;

#[derive(Default)]
pub(super) struct Graph {
    by_uid: HashMap<String, (Arc<Resource>, Arc<Meta>)>,
    /// Owner uid -> uids of its dependents.
    dependents: HashMap<String, Vec<String>>,
    /// Owners that are gone for certain, while somebody names them still: no other object will ever have their uid.
    gone: HashSet<String>,
    /// Owners that went and let their dependents stay, the last ones.
    released: VecDeque<String>,
}

/// Why an object is not in a cache any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaving {
    /// The server says that it is gone.
    Gone,
    /// Its kind is not served any more, which says nothing about it.
    Unserved,
}

impl Graph {
    pub(super) fn get(&self, uid: &str) -> Option<Node> {
        let (resource, meta) = self.by_uid.get(uid)?;
        Some(Node { resource: Arc::clone(resource), meta: Arc::clone(meta), gone: false })
    }

    pub(super) fn dependents(&self, uid: &str) -> Vec<Node> {
        let uids = self.dependents.get(uid).map(Vec::as_slice).unwrap_or_default();
        let mut nodes: Vec<Node> = uids.iter().filter_map(|uid| self.get(uid)).collect();
        nodes.sort_by(|a, b| (&a.resource, &a.meta.key).cmp(&(&b.resource, &b.meta.key)));
        nodes
    }

    pub(super) fn all(&self) -> impl Iterator<Item = Node> {
        self.by_uid.values().map(|(resource, meta)| Node {
            resource: Arc::clone(resource),
            meta: Arc::clone(meta),
            gone: false,
        })
    }

    /// Whether an owner that somebody names has been here, and is gone for certain.
    pub(super) fn is_gone(&self, uid: &str) -> bool {
        self.gone.contains(uid)
    }

    /// Whether an owner has been here that went and let its dependents stay.
    pub(super) fn has_released(&self, uid: &str) -> bool {
        self.released.iter().any(|released| released == uid)
    }

    /// Takes one step of a cache in; returns the nodes that changed (a name taken over by a new uid is two).
    pub(super) fn change(
        &mut self,
        resource: &Arc<Resource>,
        old: Option<&Meta>,
        new: Option<Meta>,
        leaving: Leaving,
    ) -> Vec<Node> {
        if old == new.as_ref() {
            return Vec::new();
        }
        let mut changed = Vec::new();
        if let Some(old) = old {
            self.unlink(old);
            if new.as_ref().is_none_or(|new| new.uid != old.uid) {
                self.by_uid.remove(&old.uid);
                if leaving == Leaving::Gone && self.dependents.contains_key(&old.uid) {
                    self.gone.insert(old.uid.clone());
                }
                if leaving == Leaving::Gone && old.deleting && old.finalizers.iter().any(|name| name == ORPHAN) {
                    self.released.push_back(old.uid.clone());
                    if self.released.len() > RELEASED_MAX {
                        self.released.pop_front();
                    }
                }
                changed.push(Node { resource: Arc::clone(resource), meta: Arc::new(old.clone()), gone: true });
            }
        }
        if let Some(new) = new {
            for owner in &new.owners {
                self.dependents.entry(owner.uid.clone()).or_default().push(new.uid.clone());
            }
            let meta = Arc::new(new);
            self.gone.remove(&meta.uid);
            self.by_uid.insert(meta.uid.clone(), (Arc::clone(resource), Arc::clone(&meta)));
            changed.push(Node { resource: Arc::clone(resource), meta, gone: false });
        }
        for owner in old.iter().flat_map(|old| &old.owners) {
            if !self.dependents.contains_key(&owner.uid) {
                self.gone.remove(&owner.uid);
            }
        }
        changed
    }

    fn unlink(&mut self, meta: &Meta) {
        for owner in &meta.owners {
            let Some(uids) = self.dependents.get_mut(&owner.uid) else { continue };
            uids.retain(|uid| *uid != meta.uid);
            if uids.is_empty() {
                self.dependents.remove(&owner.uid);
            }
        }
    }
}
