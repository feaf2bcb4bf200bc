//! The node agent, what the kubelet is elsewhere: runs the pods that are bound to this node on a container runtime (CRI
//! v1), reports their status and the node's own, and serves the node API.
//!
//! What to do is decided by pure functions in [`pod`]; [`worker`] executes. Nothing here knows how containers are made:
//! that is the runtime's business, on the other side of a socket.
#![forbid(unsafe_code)]

pub mod cgroupfs;
pub mod config;
pub mod cri;
pub mod csi;
pub mod device;
pub mod device_claim;
mod dial;
pub mod evict;
pub mod hook;
pub mod image;
pub mod join;
pub mod log;
pub mod material;
pub mod message;
pub mod network;
pub mod node;
pub mod plugins;
pub mod pod;
pub mod pod_certificate;
pub mod pod_resources;
pub mod pods;
pub mod probe;
pub mod quantity;
pub mod server;
pub mod shutdown;
pub mod source;
pub mod static_pods;
mod turn;
pub mod users;
pub mod volume;
mod whole_file;
pub mod worker;

pub use config::{Config, Deps, Error, Reserved, Serving, Tls};

use client::cache::{Caches, WatchOptions};
use client::events::Recorder;
use cri::Cri;
use image::provider::Providers;
use k8s_openapi::api::core::v1 as core;
use node::ledger::Ledger;
use node::{Metrics, Node, capacity, heartbeat};
use pod::admit::Host;
use pod::cgroup::NodeSize;
use pod::dns::{Names, parse_resolv_conf};
use pod::observed::Doom;
use pod::sandbox::Places;
use pod::status::NodeFacts;
use proto::cri::VersionRequest;
use source::Sources;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Image pulls at the same time: enough to hide one slow registry, few enough to leave the disk to running pods.
const PULLS_MAX: usize = 5;
/// How long a runtime that starts beside the agent is waited for, and how often it is tried.
const RUNTIME_WAIT: Duration = Duration::from_secs(30);
const RUNTIME_TRY: Duration = Duration::from_millis(10);

/// Runs until it is asked to stop. Containers go on without the agent and are found again by the next one, unless the node
/// is to be shut down gracefully.
pub async fn run(mut config: Config, deps: Deps, asked: CancellationToken) -> Result<(), Error> {
    for folder in [&config.data_dir, &config.log_dir] {
        let made = tokio::fs::create_dir_all(folder).await;
        made.map_err(|source| Error::Folder { path: folder.clone(), source })?;
    }
    let providers = match &config.credential_providers {
        Some(place) => Providers::open(place).map_err(Error::CredentialProviders)?,
        None => Providers::default(),
    };
    let listener = server::listen(&config).await?;
    config.bind.set_port(listener.port);
    let config = Arc::new(config);
    let unusable = |source| Error::Runtime { path: config.cri_endpoint.clone(), source };
    let cri = Cri::new(&config.cri_endpoint);
    let Some(runtime) = runtime_name(&cri, &asked).await.map_err(unusable)? else { return Ok(()) };

    // Its parts go on while a shutdown ends the pods.
    let drain = CancellationToken::new();
    let tracker = TaskTracker::new();
    let (probes, commands) = mpsc::unbounded_channel();
    let (dooms, doomed) = mpsc::unbounded_channel();
    let machine = capacity::machine(&config.data_dir);
    let programs = Programs { cri, runtime, providers };
    let node = Arc::new(shared(&config, deps, programs, &machine, (probes, dooms), (&tracker, &drain)));
    let mut tasks = JoinSet::new();
    tasks.spawn(heartbeat::run(Arc::clone(&node), Arc::clone(&config), machine, drain.clone()));
    tasks.spawn(probe::prober::run(Arc::clone(&node), commands, drain.clone()));
    tasks.spawn(log::rotate::run(Arc::clone(&node), drain.clone()));
    tasks.spawn(image::gc::run(Arc::clone(&node), drain.clone()));
    tasks.spawn(plugins::run(Arc::clone(&node), drain.clone()));
    tasks.spawn(device_claim::run(Arc::clone(&node), drain.clone()));
    tasks.spawn(device::run(Arc::clone(&node), drain.clone()));
    tasks.spawn(pod_resources::run(Arc::clone(&node), drain.clone()));
    tasks.spawn(server::volumes::run(Arc::clone(&node), drain.clone()));
    if let Some(address) = config.healthz {
        tasks.spawn(server::health::run(address, drain.clone()));
    }
    let machine = config.logind.clone();
    tasks.spawn(shutdown::run(Arc::clone(&node), config.shutdown.clone(), machine, asked, drain.clone()));
    tasks.spawn(evict::run(Arc::clone(&node), drain.clone()));
    let statics = config.static_pod_dir.clone().map(|dir| {
        let (tell, told) = mpsc::unbounded_channel();
        tasks.spawn(static_pods::run(config.node_name.clone(), dir, tell, drain.clone()));
        told
    });
    tasks.spawn(pods::run(Arc::clone(&node), doomed, statics, drain.clone()));
    tasks.spawn(server::run(listener, Arc::clone(&node), drain.clone()));
    let mut outcome = Ok(());
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended
            && outcome.is_ok()
        {
            outcome = Err(Error::Task(error));
            drain.cancel();
        }
    }
    tracker.close();
    tracker.wait().await;
    outcome
}

/// The runtime's name, as soon as it answers; `None` when drained before.
async fn runtime_name(cri: &Cri, drain: &CancellationToken) -> Result<Option<String>, cri::Error> {
    let ask = async {
        loop {
            match cri.runtime().version(VersionRequest { version: String::new() }).await {
                Ok(answer) => return answer.into_inner().runtime_name,
                Err(status) => tracing::debug!(said = status.message(), "the runtime does not answer yet"),
            }
            tokio::time::sleep(RUNTIME_TRY).await;
        }
    };
    tokio::select! {
        () = drain.cancelled() => Ok(None),
        name = tokio::time::timeout(RUNTIME_WAIT, ask) => match name {
            Ok(name) => Ok(Some(name)),
            Err(_) => Err(tonic::Status::unavailable("no answer (is the runtime running?)").into()),
        },
    }
}

/// What the agent has found of other programs.
struct Programs {
    cri: Cri,
    /// The name of the runtime.
    runtime: String,
    providers: Providers,
}

/// The one place where the agent's parts meet.
fn shared(
    config: &Config,
    deps: Deps,
    programs: Programs,
    machine: &capacity::Machine,
    (probes, dooms): (mpsc::UnboundedSender<probe::prober::Command>, mpsc::UnboundedSender<(String, Doom)>),
    (tracker, drain): (&TaskTracker, &CancellationToken),
) -> Node {
    let only = |fields: String| WatchOptions { fields: Some(fields), ..WatchOptions::default() };
    let mut builder = Caches::builder(deps.client.clone(), Arc::clone(&deps.clock));
    builder.watch_with::<core::Pod>(only(format!("spec.nodeName={}", config.node_name)));
    builder.watch_with::<core::Node>(only(format!("metadata.name={}", config.node_name)));
    builder.watch::<core::Service>();
    let caches = builder.start(tracker, drain.clone());
    let recorder = Recorder::start(
        deps.client.clone(),
        "kubelet",
        &config.node_name,
        Arc::clone(&deps.clock),
        tracker,
        drain.clone(),
    );
    let host_ips = config.node_ips.iter().map(ToString::to_string).collect();
    Node {
        name: config.node_name.clone(),
        cri: programs.cri,
        caches,
        recorder,
        places: Places {
            data_dir: config.data_dir.clone(),
            log_dir: config.log_dir.clone(),
            cgroup_root: config.cgroup_root.clone(),
        },
        names: names(config),
        facts: NodeFacts { host_ips, runtime: programs.runtime },
        allocatable: capacity::allocatable(machine, config.max_pods, config.reserved, &config.thresholds),
        thresholds: config.thresholds.clone(),
        size: NodeSize {
            memory_bytes: machine.memory_bytes,
            hugepages: machine.hugepages.keys().cloned().collect(),
            swap: capacity::swap(),
        },
        host: Host { apparmor: capacity::apparmor() },
        ledger: Ledger::default(),
        pressure: evict::Pressure::default(),
        leaving: AtomicBool::new(false),
        dooms,
        look_again: Notify::new(),
        samples: server::Samples::default(),
        drivers: csi::Drivers::default(),
        volume_places: volume::usage::VolumePlaces::default(),
        volumes_found: server::VolumesFound::default(),
        devices: device::Devices::open(&config.data_dir, deps.clock.now()),
        claims: device_claim::Claims::open(&config.data_dir),
        started: deps.clock.now(),
        sources: Sources::new(deps.client.clone(), config.node_name.clone(), tracker.clone(), drain.clone()),
        probes,
        pulls: Semaphore::new(PULLS_MAX),
        credential_providers: programs.providers,
        image_records: image::record::Records::open(&config.data_dir),
        hosts_file: read(Path::new("/etc/hosts")),
        metrics: Metrics::default(),
        tracker: tracker.clone(),
        drain: drain.clone(),
        client: deps.client,
        clock: deps.clock,
    }
}

fn names(config: &Config) -> Names {
    Names {
        cluster_dns: config.cluster_dns.iter().map(ToString::to_string).collect(),
        cluster_domain: config.cluster_domain.clone(),
        host: parse_resolv_conf(&read(&config.resolv_conf)),
    }
}

/// What a file of the machine says, if it is there.
fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}
