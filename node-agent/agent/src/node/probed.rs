//! How often each probe of a running container had which result, for `/metrics/probes`.

use crate::pod::member::{name, namespace, uid};
use crate::probe::prober::{Key, Watch};
use crate::probe::state::{Answer, Kind};
use parking_lot::Mutex;
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    successful: u64,
    failed: u64,
    unknown: u64,
}

impl Counts {
    /// k8s: the names of results.
    pub fn named(self) -> impl Iterator<Item = (&'static str, u64)> {
        let all = [("successful", self.successful), ("failed", self.failed), ("unknown", self.unknown)];
        all.into_iter().filter(|(_, count)| *count > 0)
    }
}

#[derive(Clone, Debug)]
pub struct Probed {
    pub kind: Kind,
    pub container: String,
    pub pod: String,
    pub ns: String,
    pub pod_uid: String,
    pub counts: Counts,
}

/// Bounded by the probes of containers that run: one that ends takes its counts along.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<BTreeMap<Key, Probed>>);

impl Ledger {
    pub fn count(&self, watch: &Watch, answer: &Answer) {
        let mut all = self.0.lock();
        let entry = all.entry(watch.key.clone()).or_insert_with(|| Probed {
            kind: watch.key.kind,
            container: watch.container.clone(),
            pod: name(&watch.pod).to_owned(),
            ns: namespace(&watch.pod).to_owned(),
            pod_uid: uid(&watch.pod).to_owned(),
            counts: Counts::default(),
        });
        match answer {
            Answer::Success | Answer::Warning(_) => entry.counts.successful += 1,
            Answer::Failure(_) => entry.counts.failed += 1,
            Answer::Unknown(_) => entry.counts.unknown += 1,
        }
    }

    pub fn forget(&self, key: &Key) {
        self.0.lock().remove(key);
    }

    pub fn each(&self, show: impl FnMut(&Probed)) {
        self.0.lock().values().for_each(show);
    }
}
