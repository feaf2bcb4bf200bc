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
    /// Some server came, or serves something else: its documents are to be read.
    news: Notify,
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
                let mut remote = Remote::of(api_service);
                let old = entries.get(&key).and_then(|entry| entry.remote.as_ref());
                if let (Some(new), Some(old)) = (&mut remote, old) {
                    new.inherit(old);
                }
                let priority = Priority { group: number("groupPriorityMinimum"), version: number("versionPriority") };
                let settled = super::available::is_local(api_service);
                entries.insert(key, Entry { priority, remote: remote.map(Arc::new), settled });
            }
        }
        drop(entries);
        self.touch();
        self.changed.notify_one();
    }

    /// Says that something was changed, after it was.
    pub(super) fn touch(&self) {
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Another one whenever discovery may show something else. To be read before what is shown: what comes in between is then
    /// shown under the older number, and made anew.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// What is read, and the generation that it is good for.
    pub(super) fn under_generation<T>(&self, read: impl FnOnce(&Self) -> T) -> (u64, T) {
        let generation = self.generation();
        (generation, read(self))
    }

    pub(super) fn tell_news(&self) {
        self.news.notify_one();
    }

    pub(super) async fn news(&self) {
        self.news.notified().await;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::available::Gone;
    use serde_json::json;

    #[test]
    fn what_goes_while_it_is_read_is_not_shown_under_the_generation_after() {
        let api_service = json!({"spec": {"group": "g", "version": "v1", "service": {"name": "s", "namespace": "n"}}});
        let registered = Registered::default();
        registered.apply(&api_service, Gone::No);
        let (generation, seen) = registered.under_generation(|registered| {
            let seen = registered.remotes();
            registered.apply(&api_service, Gone::Yes);
            seen
        });
        assert_eq!(seen.len(), 1);
        assert_ne!(generation, registered.generation());
    }
}
