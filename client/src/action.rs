//! What a pure reconcile asks the driver to do. Actions are data: the driver executes them in order, and the first
//! failure ends the batch (the key is retried with back-off).

use jiff::Timestamp;
use serde_json::Value;
use std::borrow::Cow;

/// Which resource: enough to build the URL, without discovery.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Resource {
    /// `v1`, `apps/v1`
    pub api_version: Cow<'static, str>,
    pub kind: Cow<'static, str>,
    pub plural: Cow<'static, str>,
}

impl Resource {
    /// The resource of a typed object.
    pub const fn of<K: k8s_openapi::Resource>() -> Self {
        Self {
            api_version: Cow::Borrowed(K::API_VERSION),
            kind: Cow::Borrowed(K::KIND),
            plural: Cow::Borrowed(K::URL_PATH_SEGMENT),
        }
    }
}

/// Namespace (empty for cluster-scoped objects) and name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub ns: String,
    pub name: String,
}

impl Key {
    pub fn new(ns: impl Into<String>, name: impl Into<String>) -> Self {
        Self { ns: ns.into(), name: name.into() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    Background,
    Foreground,
    Orphan,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchKind {
    Merge,
    Strategic,
    Json,
    /// Server-side apply, forced, with the controller's name as field manager.
    Apply,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    Create {
        resource: Resource,
        ns: String,
        object: Value,
    },
    /// PUT with the resourceVersion inside `object`; `subresource` is `""`, `status`, `scale`, `finalize`, ..
    Update {
        resource: Resource,
        key: Key,
        subresource: &'static str,
        object: Value,
    },
    Patch {
        resource: Resource,
        key: Key,
        subresource: &'static str,
        kind: PatchKind,
        body: Value,
    },
    Delete {
        resource: Resource,
        key: Key,
        /// Precondition: the object that was seen, not one that took its name.
        uid: String,
        /// `None`: the kind's default.
        grace_seconds: Option<i64>,
        propagation: Option<Propagation>,
    },
    /// Deletes every object of a kind in a namespace, each with its default grace; dependents in the background.
    DeleteCollection {
        resource: Resource,
        ns: String,
    },
    /// POST to a subresource: `binding`, `eviction`.
    Post {
        resource: Resource,
        key: Key,
        subresource: &'static str,
        body: Value,
    },
    /// Recorded by the event recorder (aggregated, rate-limited); never fails the batch.
    Event(Event),
    /// Run this key again at this time even if nothing changes; the earliest wins.
    RequeueAt(Timestamp),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// What it is about: `apiVersion`, `kind`, `namespace`, `name`, `uid`, `resourceVersion`, `fieldPath`.
    pub regarding: k8s_openapi::api::core::v1::ObjectReference,
    /// `Normal` or `Warning`.
    pub type_: &'static str,
    /// `SuccessfulCreate`, `FailedScheduling`, ..
    pub reason: Cow<'static, str>,
    pub message: String,
    /// What was done or failed, for events.k8s.io (`Scheduling`, `Binding`); may be empty.
    pub action: &'static str,
}
