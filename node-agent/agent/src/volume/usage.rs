//! How full volumes are, and where those are that have no folder of their pod's own.

use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tokio::sync::Notify;

/// What a volume holds and could hold, as far as somebody counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub capacity_bytes: Option<u64>,
    pub available_bytes: Option<u64>,
    pub used_bytes: Option<u64>,
    pub inodes: Option<u64>,
    pub inodes_free: Option<u64>,
    pub inodes_used: Option<u64>,
}

impl Usage {
    /// Of the file system that a folder is in. Blocking.
    pub fn of_file_system(path: &Path) -> Option<Self> {
        let found = rustix::fs::statvfs(path).ok()?;
        Some(Self {
            capacity_bytes: Some(found.f_blocks * found.f_frsize),
            available_bytes: Some(found.f_bavail * found.f_frsize),
            used_bytes: Some((found.f_blocks - found.f_bfree) * found.f_frsize),
            inodes: Some(found.f_files),
            inodes_free: Some(found.f_ffree),
            inodes_used: Some(found.f_files.saturating_sub(found.f_ffree)),
        })
    }

    /// By the names of the kubelet's summary.
    pub fn named(&self) -> [(&'static str, Option<u64>); 6] {
        [
            ("capacityBytes", self.capacity_bytes),
            ("availableBytes", self.available_bytes),
            ("usedBytes", self.used_bytes),
            ("inodes", self.inodes),
            ("inodesFree", self.inodes_free),
            ("inodesUsed", self.inodes_used),
        ]
    }

    pub fn fields(&self) -> Map<String, Value> {
        self.named().into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?)))).collect()
    }
}

/// Where volumes of claims and of storage drivers are, by the pod's uid and the volume's name.
#[derive(Debug, Default)]
pub struct VolumePlaces {
    places: Mutex<BTreeMap<String, BTreeMap<String, PathBuf>>>,
    changed: Notify,
}

impl VolumePlaces {
    pub fn set(&self, pod_uid: &str, volumes: &BTreeMap<String, PathBuf>) {
        if volumes.is_empty() {
            return self.forget(pod_uid);
        }
        let before = self.places.lock().insert(pod_uid.to_owned(), volumes.clone());
        if before.as_ref() != Some(volumes) {
            self.changed.notify_one();
        }
    }

    pub fn forget(&self, pod_uid: &str) {
        if self.places.lock().remove(pod_uid).is_some() {
            self.changed.notify_one();
        }
    }

    /// Waits for the next change, or for one that nobody has waited for.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    pub fn all(&self) -> BTreeMap<String, BTreeMap<String, PathBuf>> {
        self.places.lock().clone()
    }
}
