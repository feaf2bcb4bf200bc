//! Nodes that exist in name only: each renews its lease, and whatever is bound to one runs at once and ends when it is told to.

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// As the kubelet's: a quarter of a lease's 40 seconds.
const RENEW_EVERY: Duration = Duration::from_secs(10);
const LEASE_SECONDS: i32 = 40;
const LEASES: &str = "kube-node-lease";
/// Requests that are under way at once.
const AT_ONCE: usize = 64;
/// The longest that a server lets a watch last.
const WATCH_SECONDS: u32 = 290;

/// Makes nodes and their leases, and renews those from then on.
pub(crate) async fn join(client: &kube::Client, count: usize, beats: &mut JoinSet<Result<()>>) -> Result<()> {
    let made = futures::stream::iter(0..count).map(|nth| one(client.clone(), nth)).buffer_unordered(AT_ONCE);
    let leases: Vec<(usize, Lease)> = made.try_collect().await?;
    let begin = Instant::now();
    let room = Arc::new(Semaphore::new(AT_ONCE));
    for (nth, lease) in leases {
        // Spread over the period, as those of machines that started at any time.
        let first = begin + RENEW_EVERY.mul_f64((nth + 1) as f64 / count as f64);
        beats.spawn(renew(Api::namespaced(client.clone(), LEASES), lease, first, Arc::clone(&room)));
    }
    Ok(())
}

async fn one(client: kube::Client, nth: usize) -> Result<(usize, Lease)> {
    let name = format!("node-{nth}");
    let amounts = json!({"cpu": "4", "memory": "32Gi", "pods": "110"});
    let node = json!({
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "status": {
            "capacity": amounts, "allocatable": amounts,
            "conditions": [{"type": "Ready", "status": "True", "reason": "Bench"}],
        },
    });
    let lease = json!({
        "metadata": {"name": name},
        "spec": {"holderIdentity": name, "leaseDurationSeconds": LEASE_SECONDS, "renewTime": now()},
    });
    Api::<Node>::all(client.clone()).create(&PostParams::default(), &serde_json::from_value(node)?).await?;
    let leases: Api<Lease> = Api::namespaced(client, LEASES);
    Ok((nth, leases.create(&PostParams::default(), &serde_json::from_value(lease)?).await?))
}

fn now() -> MicroTime {
    MicroTime(k8s_openapi::jiff::Timestamp::now())
}

async fn renew(leases: Api<Lease>, mut lease: Lease, first: Instant, room: Arc<Semaphore>) -> Result<()> {
    let name = lease.metadata.name.clone().context("a name")?;
    let mut next = first;
    loop {
        sleep_until(next).await;
        lease.spec.get_or_insert_default().renew_time = Some(now());
        let turn = room.acquire().await?;
        lease = leases.replace(&name, &PostParams::default(), &lease).await?;
        drop(turn);
        next += RENEW_EVERY;
    }
}

/// How far the pods are.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) bound: AtomicUsize,
    /// Told to have ended.
    pub(crate) gone: AtomicUsize,
}

/// Runs whatever is bound to a node, until it is aborted.
pub(crate) async fn run_pods(client: kube::Client, counts: Arc<Counts>) -> Result<()> {
    let all: Api<Pod> = Api::all(client.clone());
    let (room, mut tasks) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    let mut from = all.list_metadata(&kube::api::ListParams::default().limit(1)).await?.metadata.resource_version;
    loop {
        let version = from.clone().context("a resource version")?;
        let mut changes = all.watch(&WatchParams::default().timeout(WATCH_SECONDS), &version).await?.boxed();
        while let Some(change) = changes.try_next().await? {
            let pod = match change {
                WatchEvent::Added(pod) | WatchEvent::Modified(pod) => pod,
                WatchEvent::Deleted(pod) => {
                    counts.gone.fetch_add(1, Ordering::Relaxed);
                    from = pod.metadata.resource_version;
                    continue;
                }
                WatchEvent::Bookmark(_) => continue,
                WatchEvent::Error(error) => anyhow::bail!("{error:?}"),
            };
            from.clone_from(&pod.metadata.resource_version);
            if let Some(deed) = Deed::of(&pod, &counts) {
                let (client, room) = (client.clone(), Arc::clone(&room));
                tasks.spawn(async move {
                    let _turn = room.acquire().await?;
                    deed.send(client, &pod).await
                });
            }
            while let Some(ended) = tasks.try_join_next() {
                ended??;
            }
        }
    }
}

/// What a node has to do about a pod.
enum Deed {
    Run,
    End,
}

impl Deed {
    fn of(pod: &Pod, counts: &Counts) -> Option<Self> {
        pod.spec.as_ref()?.node_name.as_ref()?;
        if pod.metadata.deletion_timestamp.is_some() {
            return Some(Self::End);
        }
        let runs = pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Running");
        if runs {
            return None;
        }
        counts.bound.fetch_add(1, Ordering::Relaxed);
        Some(Self::Run)
    }

    async fn send(self, client: kube::Client, pod: &Pod) -> Result<()> {
        let (ns, name) = (pod.metadata.namespace.as_deref().unwrap_or_default(), pod.metadata.name.as_deref());
        let (pods, name): (Api<Pod>, _) = (Api::namespaced(client, ns), name.context("a name")?);
        let sent = match self {
            Self::Run => {
                let patch = Patch::Merge(json!({"metadata": {"uid": pod.metadata.uid}, "status": running()}));
                pods.patch_status(name, &PatchParams::default(), &patch).await.map(drop)
            }
            Self::End => pods.delete(name, &DeleteParams::default().grace_period(0)).await.map(drop),
        };
        match sent {
            // Gone already, or another one of that name.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
            other => Ok(other?),
        }
    }
}

fn running() -> Value {
    let at = now();
    let condition = |name: &str| json!({"type": name, "status": "True", "lastTransitionTime": at});
    let conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map(condition);
    json!({
        "phase": "Running", "hostIP": "192.0.2.1", "podIP": "192.0.2.2", "podIPs": [{"ip": "192.0.2.2"}], "startTime": at,
        "conditions": conditions,
        "containerStatuses": [{
            "name": "web", "ready": true, "started": true, "restartCount": 0, "image": "web", "imageID": "web",
            "containerID": "drover://1", "state": {"running": {"startedAt": at}},
        }],
    })
}
