//! What the parts of the server note of a request for its audit, each where it learns it. Where nobody asked, a note costs a
//! branch.

use super::policy::Level;
use parking_lot::Mutex;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Of one request, and of all who work on it.
#[derive(Clone, Debug, Default)]
pub struct Notes(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    level: Level,
    noted: Mutex<Noted>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Noted {
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) request_object: Option<Value>,
}

impl Notes {
    pub(super) fn new(level: Level) -> Self {
        Self(Some(Arc::new(Shared { level, noted: Mutex::default() })))
    }

    /// Whether anybody reads them.
    pub(crate) fn are_read(&self) -> bool {
        self.0.is_some()
    }

    /// What was said first stays. k8s: addAuditAnnotation
    pub(crate) fn annotate(&self, key: &str, value: impl FnOnce() -> String) {
        if let Some(shared) = &self.0 {
            shared.noted.lock().annotations.entry(key.to_owned()).or_insert_with(value);
        }
    }

    /// The body of the request, where it is to be told.
    pub(crate) fn request_object(&self, object: Value) {
        if let Some(shared) = &self.0 {
            shared.noted.lock().request_object = Some(object);
        }
    }

    pub(super) fn level(&self) -> Level {
        self.0.as_ref().map_or(Level::None, |shared| shared.level)
    }

    pub(super) fn noted(&self) -> Noted {
        self.0.as_ref().map(|shared| shared.noted.lock().clone()).unwrap_or_default()
    }
}
