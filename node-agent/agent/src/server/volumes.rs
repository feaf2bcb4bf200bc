//! How full the volumes of claims and of storage drivers are: looked at once a minute, so that requests only read what was
//! found last and no driver or mount that hangs holds them up.

use crate::csi::{self, Counted};
use crate::material::of_claims;
use crate::node::Node;
use crate::pod::member::{name, namespace, uid};
use crate::pods::live;
use crate::volume::usage::Usage;
use futures::stream::{self, StreamExt};
use k8s_openapi::api::core::v1::Pod;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::debug;

/// k8s: volumeStatsAggPeriod
const LOOK_EVERY: Duration = Duration::from_mins(1);
/// A volume that takes longer does not hold up what is said of the others.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// So many volumes are looked at at the same time.
const ASKED_AT_ONCE: usize = 8;

/// The uid of a pod and the name of its volume.
type Key = (String, String);

/// One volume of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct VolumeUse {
    pub(super) ns: String,
    pub(super) pod: String,
    pub(super) volume: String,
    /// The claim that it is of, in the pod's namespace.
    pub(super) claim: Option<String>,
    pub(super) usage: Usage,
}

/// What was found the last time.
#[derive(Debug, Default)]
pub struct Found {
    known: Mutex<BTreeMap<Key, VolumeUse>>,
    under_way: Arc<Mutex<BTreeSet<Key>>>,
}

/// A look at a volume, which ends when this is dropped: a mount that hangs keeps it, and costs one thread.
struct UnderWay {
    all: Arc<Mutex<BTreeSet<Key>>>,
    key: Key,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.all.lock().remove(&self.key);
    }
}

impl Found {
    /// `None` where the last look has not ended.
    fn begin(&self, key: &Key) -> Option<UnderWay> {
        let begun = self.under_way.lock().insert(key.clone());
        begun.then(|| UnderWay { all: Arc::clone(&self.under_way), key: key.clone() })
    }
}

struct Wanted {
    key: Key,
    pod: Arc<Pod>,
    path: PathBuf,
}

pub(super) fn all(node: &Node) -> Vec<VolumeUse> {
    node.volumes_found.known.lock().values().cloned().collect()
}

/// Looks until drained.
pub(crate) async fn run(node: Arc<Node>, drain: CancellationToken) {
    tokio::select! {
        () = drain.cancelled() => {}
        () = keep_looking(&node) => {}
    }
}

async fn keep_looking(node: &Node) {
    let mut every = tokio::time::interval(LOOK_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut looked: BTreeSet<Key> = BTreeSet::new();
    loop {
        // Volumes that are new do not wait for their first look.
        tokio::select! {
            _ = every.tick() => looked.clear(),
            () = node.volume_places.changed() => {}
        }
        let all = wanted(node);
        let keys: BTreeSet<Key> = all.iter().map(|wanted| wanted.key.clone()).collect();
        node.volumes_found.known.lock().retain(|key, _| keys.contains(key));
        let due = all.into_iter().filter(|wanted| !looked.contains(&wanted.key)).collect::<Vec<_>>();
        looked = keys;
        stream::iter(due).for_each_concurrent(ASKED_AT_ONCE, |wanted| look(node, wanted)).await;
    }
}

fn wanted(node: &Node) -> Vec<Wanted> {
    let pods = live(node);
    let mut all = Vec::new();
    for (pod_uid, volumes) in node.volume_places.all() {
        let Some(pod) = pods.iter().find(|pod| uid(pod) == pod_uid) else { continue };
        let one = |(volume, path)| Wanted { key: (pod_uid.clone(), volume), pod: Arc::clone(pod), path };
        all.extend(volumes.into_iter().map(one));
    }
    all
}

async fn look(node: &Node, wanted: Wanted) {
    let Some(under_way) = node.volumes_found.begin(&wanted.key) else { return };
    let asked = tokio::time::timeout(ANSWER_MAX, usage(node, &wanted, under_way)).await;
    let usage = asked.unwrap_or_else(|_| {
        debug!(path = %wanted.path.display(), "a volume is not counted in time");
        None
    });
    let Wanted { key, pod, .. } = wanted;
    let mut known = node.volumes_found.known.lock();
    let Some(usage) = usage else {
        known.remove(&key);
        return;
    };
    let volume = key.1.clone();
    let claim = of_claims(&pod).remove(&volume).map(|claim| claim.name);
    let found = VolumeUse { ns: namespace(&pod).to_owned(), pod: name(&pod).to_owned(), volume, claim, usage };
    known.insert(key, found);
}

async fn usage(node: &Node, wanted: &Wanted, under_way: UnderWay) -> Option<Usage> {
    match csi::usage(node, uid(&wanted.pod), &wanted.path).await {
        Ok(Counted::ByDriver(usage)) => usage,
        Ok(Counted::ByFileSystem) => {
            let path = wanted.path.clone();
            let look = move || {
                let usage = path.is_dir().then(|| Usage::of_file_system(&path)).flatten();
                drop(under_way);
                usage
            };
            tokio::task::spawn_blocking(look).await.ok().flatten()
        }
        Err(error) => {
            let path = wanted.path.display();
            debug!(%path, error = &error as &dyn std::error::Error, "a volume is not counted");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_is_not_looked_at_again_before_its_last_look_has_ended() {
        let found = Found::default();
        let key = |volume: &str| ("u".to_owned(), volume.to_owned());
        let first = found.begin(&key("v")).unwrap();
        assert!(found.begin(&key("v")).is_none());
        assert!(found.begin(&key("w")).is_some());
        drop(first);
        assert!(found.begin(&key("v")).is_some());
    }
}
