//! Informer caches: one watch per kind and process, shared by every consumer in it; typed, indexed, revisioned.
//!
//! A [`Cache`] is read without awaiting. Objects are `Arc`s and never change. `revision()` is the highest resourceVersion the
//! cache is known to reflect (events and bookmarks); the driver's fence compares it with the revisions of its own writes.

/// Filled in by the client crate: `get::<K>() -> Arc<Cache<K>>`.
pub struct Caches {
    _private: (),
}
