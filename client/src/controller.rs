//! The shape of a controller: a name, what it watches, and one pure function. No loop, no sleep, no client, no clock.

use crate::action::{Action, Key};
use crate::cache::Caches;
use jiff::Timestamp;

/// A row of `controllers::table::CONTROLLERS`.
pub struct Controller {
    /// `deployment`; also the identity `system:serviceaccount:kube-system:<name>-controller` and the field manager.
    pub name: &'static str,
    /// Declares the kinds it reads and how a change of each becomes keys: `w.primary::<Deployment>()`,
    /// `w.owned::<ReplicaSet, Deployment>()`, `w.mapped::<Node>(|node, caches| ..keys..)`, `w.reads::<Pod>()`.
    pub watches: fn(&mut Watches),
    /// `observe` + `reconcile`. Level-triggered: looks at what is, not at what happened. The key may be gone.
    pub reconcile: fn(&Key, &Caches, Timestamp) -> Vec<Action>,
}

/// Collects the watch declarations of a controller.
pub struct Watches {
    _private: (),
}
