//! How full the volumes of claims and of storage drivers are, asked for at most once a minute.

use crate::csi::{self, Counted};
use crate::material::of_claims;
use crate::node::Node;
use crate::pod::member::{name, namespace, uid};
use crate::pods::live;
use crate::volume::usage::Usage;
use futures::stream::{self, StreamExt};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tracing::debug;

/// k8s: volumeStatsAggPeriod
const KEPT: SignedDuration = SignedDuration::from_mins(1);
/// A driver that takes longer does not hold up what is said of the others.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Drivers are asked about so many volumes at the same time.
const ASKED_AT_ONCE: usize = 8;

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
pub struct Found(Mutex<Option<(Timestamp, Arc<Vec<VolumeUse>>)>>);

pub(super) async fn all(node: &Node) -> Arc<Vec<VolumeUse>> {
    let mut found = node.volumes_found.0.lock().await;
    let now = node.clock.now();
    if let Some((at, known)) = found.as_ref().filter(|(at, _)| now.duration_since(*at) < KEPT) {
        debug!(%at, "volumes were looked at before");
        return Arc::clone(known);
    }
    let pods = live(node);
    let mut wanted: Vec<(Arc<Pod>, String, PathBuf)> = Vec::new();
    for (pod_uid, volumes) in node.volume_places.all() {
        let Some(pod) = pods.iter().find(|pod| uid(pod) == pod_uid) else { continue };
        wanted.extend(volumes.into_iter().map(|(volume, path)| (Arc::clone(pod), volume, path)));
    }
    let asked = stream::iter(wanted).map(|(pod, volume, path)| one(node, pod, volume, path));
    let fresh: Vec<Option<VolumeUse>> = asked.buffered(ASKED_AT_ONCE).collect().await;
    let fresh = Arc::new(fresh.into_iter().flatten().collect::<Vec<_>>());
    *found = Some((now, Arc::clone(&fresh)));
    fresh
}

async fn one(node: &Node, pod: Arc<Pod>, volume: String, path: PathBuf) -> Option<VolumeUse> {
    let usage = usage(node, &pod, &path).await?;
    let claim = of_claims(&pod).remove(&volume).map(|claim| claim.name);
    Some(VolumeUse { ns: namespace(&pod).to_owned(), pod: name(&pod).to_owned(), volume, claim, usage })
}

async fn usage(node: &Node, pod: &Pod, path: &Path) -> Option<Usage> {
    let asked = tokio::time::timeout(ANSWER_MAX, csi::usage(node, uid(pod), path)).await;
    match asked {
        Ok(Ok(Counted::ByDriver(usage))) => usage,
        Ok(Ok(Counted::ByFileSystem)) => {
            let path = path.to_owned();
            let look = move || path.is_dir().then(|| Usage::of_file_system(&path)).flatten();
            tokio::task::spawn_blocking(look).await.ok().flatten()
        }
        Ok(Err(error)) => {
            debug!(path = %path.display(), error = &error as &dyn std::error::Error, "a volume is not counted");
            None
        }
        Err(_) => {
            debug!(path = %path.display(), "a storage driver does not count a volume in time");
            None
        }
    }
}
