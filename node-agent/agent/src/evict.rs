//! Keeps the node alive when it runs short of memory or disk: says so in the node's conditions, removes images that nobody
//! uses, and ends pods, those first that use more than they asked for. Ends pods, too, that use more disk than they may.
//! What is short and who goes is decided by pure functions below; this is the loop around them.

mod local;
mod rank;
mod signal;
pub mod threshold;

use crate::image::gc;
use crate::node::Node;
use crate::pod::ending::EVICTED;
use crate::pod::member::{describe, uid};
use crate::pod::observed::Doom;
use crate::pods::live;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use proto::cri::{ImageFsInfoRequest, ListContainerStatsRequest};
use rank::{Candidate, victim};
use signal::{Disk, Readings, Shortage};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use threshold::Signal;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

/// k8s: housekeeping-interval.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// k8s: a condition stays this long after its cause, so that it does not flap.
const PRESSURE_KEPT: SignedDuration = SignedDuration::from_mins(5);

/// What the node is short of, as its conditions show it and admission asks.
#[derive(Debug, Default)]
pub struct Pressure {
    pub memory: AtomicBool,
    pub disk: AtomicBool,
    pub pids: AtomicBool,
}

#[derive(Default)]
struct Kept {
    memory: Option<Timestamp>,
    disk: Option<Timestamp>,
    pids: Option<Timestamp>,
}

pub async fn run(node: Arc<Node>, drain: CancellationToken) {
    let mut kept = Kept::default();
    loop {
        tokio::select! {
            () = drain.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        if let Err(status) = look(&node, &mut kept).await {
            debug!(said = status.message(), "cannot look at what pods use");
        }
    }
}

async fn look(node: &Arc<Node>, kept: &mut Kept) -> Result<(), tonic::Status> {
    let shortages = signal::shortages(&read(node).await, &node.thresholds);
    announce(node, kept, &shortages);
    let pods = live(node);
    if pods.is_empty() {
        return Ok(());
    }
    let stats = node.cri.runtime().list_container_stats(ListContainerStatsRequest { filter: None }).await?;
    let stats = stats.into_inner().stats;
    let (places, all) = (node.places.clone(), pods.clone());
    let usages = stats.clone();
    let excesses = tokio::task::spawn_blocking(move || local::excesses(&all, &usages, &places)).await;
    for (pod, message) in excesses.unwrap_or_default() {
        end(node, &pod, message);
    }
    let Some(worst) = shortages.first() else { return Ok(()) };
    warn!(signal = worst.signal.resource(), available = worst.available, "the node is short");
    node.about_node("Warning", "EvictionThresholdMet", format!("Attempting to reclaim {}", worst.signal.resource()));
    if worst.signal != Signal::Memory && gc::remove_unused(node).await? > 0 {
        return Ok(()); // the next round sees whether that was enough
    }
    let usage = rank::usage(&pods, &stats);
    let candidates: Vec<Candidate<'_>> =
        pods.iter().map(|pod| Candidate { pod, usage: usage.get(uid(pod)).copied().unwrap_or_default() }).collect();
    if let Some(chosen) = victim(&candidates, worst.signal) {
        end(node, chosen.pod, rank::message(chosen, worst));
    } else {
        warn!("there is no pod to end that would help");
    }
    Ok(())
}

fn end(node: &Node, pod: &Arc<Pod>, message: String) {
    info!(pod = describe(pod), message, "evicting");
    node.warn(pod, None, "Evicted", message.clone());
    // k8s: a pod that the node ends to stay alive gets no grace.
    let doom = Doom { reason: EVICTED.to_owned(), message, grace: Some(SignedDuration::ZERO) };
    if node.dooms.send((uid(pod).to_owned(), doom)).is_err() {
        debug!("the agent ends");
    }
}

fn announce(node: &Node, kept: &mut Kept, shortages: &[Shortage]) {
    let now = node.clock.now();
    let any = |wanted: fn(Signal) -> bool| shortages.iter().any(|s| wanted(s.signal));
    for (is, since, flag) in [
        (any(|s| s == Signal::Memory), &mut kept.memory, &node.pressure.memory),
        (
            any(|s| matches!(s, Signal::NodeFs | Signal::NodeInodes | Signal::ImageFs)),
            &mut kept.disk,
            &node.pressure.disk,
        ),
        (any(|s| s == Signal::Pids), &mut kept.pids, &node.pressure.pids),
    ] {
        if is {
            *since = Some(now);
        }
        let shown = since.is_some_and(|at| now.duration_since(at) < PRESSURE_KEPT);
        if flag.swap(shown, Ordering::Relaxed) != shown {
            node.look_again.notify_one();
        }
    }
}

async fn read(node: &Arc<Node>) -> Readings {
    let image_fs = node.cri.images().image_fs_info(ImageFsInfoRequest {}).await.ok();
    let image_fs = image_fs.and_then(|i| i.into_inner().image_filesystems.into_iter().next()?.fs_id);
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let number = |path: &str| std::fs::read_to_string(path).ok().and_then(|t| t.trim().parse().ok());
    let loadavg = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    Readings {
        memory: signal::memory(&meminfo),
        node_fs: disk(&node.places.data_dir),
        image_fs: image_fs.and_then(|id| disk(Path::new(&id.mountpoint))),
        pids: signal::threads(&loadavg).zip(number("/proc/sys/kernel/pid_max")),
    }
}

fn disk(path: &Path) -> Option<Disk> {
    let found = rustix::fs::statvfs(path).ok()?;
    Some(Disk {
        // What nobody may use, such as the blocks kept for root or beyond a quota, is not a part of the disk.
        capacity: (found.f_blocks - found.f_bfree + found.f_bavail) * found.f_frsize,
        available: found.f_bavail * found.f_frsize,
        inodes: found.f_files,
        inodes_free: found.f_favail,
    })
}

/// Bytes by pod uid or container id.
type Bytes = BTreeMap<String, u64>;
