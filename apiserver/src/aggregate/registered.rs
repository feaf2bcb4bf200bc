//! All APIServices as they are registered now: where the remote ones are, and in which order groups and versions are shown.

use super::remote::Remote;
use parking_lot::RwLock;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Notify;

/// Priorities of an APIService; higher comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Priority {
    pub group: i64,
    pub version: i64,
}

struct Entry {
    priority: Priority,
    remote: Option<Arc<Remote>>,
    /// Whether the object's status says that it is local and so available.
    settled: bool,
}

#[derive(Default)]
pub(super) struct Registered {
    /// By group and version.
    entries: RwLock<BTreeMap<(String, String), Entry>>,
    generation: AtomicU64,
    changed: Notify,
}

impl Registered {
    /// An APIService came, changed or went.
    pub(super) fn apply(&self, api_service: &Value, gone: super::available::Gone) {
        let spec = &api_service["spec"];
        let text = |field: &str| spec[field].as_str().unwrap_or_default().to_owned();
        let number = |field: &str| spec[field].as_i64().unwrap_or_default();
        let key = (text("group"), text("version"));
        let mut entries = self.entries.write();
        match gone {
            super::available::Gone::Yes => drop(entries.remove(&key)),
            super::available::Gone::No => {
                let remote = Remote::of(api_service).map(Arc::new);
                let old = entries.get(&key).and_then(|entry| entry.remote.as_ref());
                if let (Some(new), Some(old)) = (&remote, old) {
                    new.inherit(old);
                }
                let priority = Priority { group: number("groupPriorityMinimum"), version: number("versionPriority") };
                let settled = super::available::is_local(api_service);
                entries.insert(key, Entry { priority, remote, settled });
            }
        }
        drop(entries);
        self.touch();
        self.changed.notify_one();
    }

    pub(super) fn touch(&self) {
        self.generation.fetch_add(1, Ordering::Relaxed);
    }

    /// Another one whenever discovery may show something else.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    pub(super) fn remote(&self, group: &str, version: &str) -> Option<Arc<Remote>> {
        let entries = self.entries.read();
        entries.get(&(group.to_owned(), version.to_owned()))?.remote.clone()
    }

    pub(super) fn remotes(&self) -> Vec<Arc<Remote>> {
        self.entries.read().values().filter_map(|entry| entry.remote.clone()).collect()
    }

    /// Whether some version of the group is remote.
    pub(super) fn serves(&self, group: &str) -> bool {
        self.entries.read().iter().any(|((name, _), entry)| name == group && entry.remote.is_some())
    }

    /// Names of local ones whose status does not say so yet.
    pub(super) fn unsettled(&self) -> Vec<String> {
        let entries = self.entries.read();
        let open = entries.iter().filter(|(_, entry)| entry.remote.is_none() && !entry.settled);
        open.map(|((group, version), _)| format!("{version}.{group}")).collect()
    }

    pub(super) fn priority(&self, group: &str, version: &str) -> Option<Priority> {
        self.entries.read().get(&(group.to_owned(), version.to_owned())).map(|entry| entry.priority)
    }

    /// The highest priority that any version of a group has.
    pub(super) fn group_priority(&self, group: &str) -> Option<i64> {
        let entries = self.entries.read();
        entries.iter().filter(|((name, _), _)| name == group).map(|(_, entry)| entry.priority.group).max()
    }
}
