//! Service load balancing on one node: Services and EndpointSlices become a rule set (`compile`), the rule set becomes
//! packet-filter text (`iptables`), and what changed is applied in one restore (`apply`).
//!
//! `compile`, `iptables` and `conntrack` are pure; `run` is the loop between the caches and the kernel. The proxy keeps no
//! state of its own: a fresh start reads what its predecessor left in the kernel and replaces it.
#![forbid(unsafe_code)]

mod apply;
pub mod compile;
pub mod conntrack;
mod dns;
pub mod iptables;
pub mod ruleset;

use apply::ApplyError;
use client::action::Key;
use client::cache::{Caches, Change};
use client::clock::Clock;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use ruleset::Ruleset;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

/// Changes that arrive within this time go into one restore: a rolling update touches a slice many times a second.
const COALESCE: Duration = Duration::from_millis(10);

/// After a failed restore; something else may hold the lock or have broken a table.
const RETRY: Duration = Duration::from_secs(1);

/// The label that names a slice's Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// Slices by `namespace/service`.
const BY_SERVICE: &str = "service";

#[derive(Clone, Debug)]
pub struct Config {
    /// This node's name: endpoints on it are local.
    pub node_name: String,
    /// Pods' addresses; other sources are masqueraded.
    pub cluster_cidr: String,
    /// The DNS server of this node, once it answers: pods here ask it, whatever servers the cluster has.
    pub own_dns: Option<watch::Receiver<Option<SocketAddr>>>,
}

pub struct Deps {
    pub client: kube::Client,
    pub clock: Arc<dyn Clock>,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot program Services")]
    Apply(#[from] ApplyError),
}

/// Programs Services until drained. Rules stay behind: connections outlive the proxy.
pub async fn run(config: Config, deps: Deps, drain: CancellationToken) -> Result<(), Error> {
    let tracker = TaskTracker::new();
    let caches = caches(deps, &tracker, &drain);
    let outcome = tokio::select! {
        () = drain.cancelled() => Ok(()),
        outcome = program(&config, &caches) => outcome,
    };
    drain.cancel();
    tracker.close();
    tracker.wait().await;
    outcome
}

fn caches(deps: Deps, tracker: &TaskTracker, drain: &CancellationToken) -> Arc<Caches> {
    let mut builder = Caches::builder(deps.client, deps.clock);
    builder.watch::<Service>();
    builder.watch::<EndpointSlice>();
    builder.index::<EndpointSlice>(BY_SERVICE, |slice| {
        service_of(slice).map(|key| index_value(&key)).into_iter().collect()
    });
    builder.start(tracker, drain.clone())
}

fn service_of(slice: &EndpointSlice) -> Option<Key> {
    let name = slice.metadata.labels.as_ref()?.get(SERVICE_NAME)?;
    Some(Key::new(slice.metadata.namespace.clone().unwrap_or_default(), name.clone()))
}

fn index_value(key: &Key) -> String {
    format!("{}/{}", key.ns, key.name)
}

/// What this process has programmed, and what it should be.
struct Programmed {
    rules: Ruleset,
    wanted: Ruleset,
    tables: iptables::Tables,
}

async fn program(config: &Config, caches: &Caches) -> Result<(), Error> {
    if let Err(error) = apply::allow_local_node_ports() {
        warn!(%error, "NodePorts will not answer on 127.0.0.1");
    }
    let mut services = caches.of::<Service>().subscribe();
    let mut slices = caches.of::<EndpointSlice>().subscribe();
    caches.synced().await;
    let mut state = Programmed { rules: Ruleset::new(), wanted: Ruleset::new(), tables: apply::existing().await? };
    let mut dirty: BTreeSet<Key> = caches.of::<Service>().list().iter().map(|service| key_of(service)).collect();
    let mut jumps = false;
    let mut own_dns = config.own_dns.clone();
    loop {
        drain_changes(&mut services, &mut slices, &mut dirty);
        recompile(config, caches, &dirty, &mut state.wanted);
        dirty.clear();
        match sync(config, &mut state, &mut jumps).await {
            Ok(()) => {
                tokio::select! {
                    () = wait(&mut services, &mut slices, &mut dirty) => {}
                    () = dns_changed(&mut own_dns) => { dirty.insert(dns::key()); }
                }
            }
            Err(error) => {
                warn!(%error, "will program everything again");
                tokio::time::sleep(RETRY).await;
                state.tables = apply::existing().await?;
                jumps = false;
            }
        }
    }
}

fn key_of(service: &Service) -> Key {
    Key::new(service.metadata.namespace.clone().unwrap_or_default(), service.metadata.name.clone().unwrap_or_default())
}

/// Waits for the first change, then for those that follow closely.
async fn wait(
    services: &mut UnboundedReceiver<Change<Service>>,
    slices: &mut UnboundedReceiver<Change<EndpointSlice>>,
    dirty: &mut BTreeSet<Key>,
) {
    tokio::select! {
        Some(change) = services.recv() => { dirty.insert(change.key); }
        Some(change) = slices.recv() => dirty.extend(touched(&change)),
    }
    tokio::time::sleep(COALESCE).await;
}

/// Never where this node has no DNS server of its own.
async fn dns_changed(own_dns: &mut Option<watch::Receiver<Option<SocketAddr>>>) {
    if let Some(address) = own_dns
        && address.changed().await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}

fn drain_changes(
    services: &mut UnboundedReceiver<Change<Service>>,
    slices: &mut UnboundedReceiver<Change<EndpointSlice>>,
    dirty: &mut BTreeSet<Key>,
) {
    while let Ok(change) = services.try_recv() {
        dirty.insert(change.key);
    }
    while let Ok(change) = slices.try_recv() {
        dirty.extend(touched(&change));
    }
}

/// The Services that a slice belonged and belongs to.
fn touched(change: &Change<EndpointSlice>) -> impl Iterator<Item = Key> {
    [&change.old, &change.new].into_iter().flatten().filter_map(|slice| service_of(slice))
}

/// Compiles the Services of `dirty` again; all others keep their rules.
fn recompile(config: &Config, caches: &Caches, dirty: &BTreeSet<Key>, wanted: &mut Ruleset) {
    if dirty.is_empty() {
        return;
    }
    wanted.retain(|port, _| !dirty.contains(&Key::new(port.ns.clone(), port.service.clone())));
    for key in dirty {
        let Some(service) = caches.of::<Service>().get(&key.ns, &key.name) else { continue };
        let own_dns = config.own_dns.as_ref().and_then(|address| *address.borrow());
        if let Some(own) = own_dns.and_then(|address| dns::own_slice(&service, address, &config.node_name)) {
            wanted.extend(compile::service(&service, std::iter::once(&own), &config.node_name));
            continue;
        }
        let slices = caches.of::<EndpointSlice>().by_index(BY_SERVICE, &index_value(key));
        wanted.extend(compile::service(&service, slices.iter().map(AsRef::as_ref), &config.node_name));
    }
}

async fn sync(config: &Config, state: &mut Programmed, jumps: &mut bool) -> Result<(), ApplyError> {
    let tables = iptables::render(&state.wanted, &iptables::Node { cluster_cidr: config.cluster_cidr.clone() });
    if let Some(input) = iptables::difference(&state.tables, &tables) {
        apply::restore(&input).await?;
        debug!(bytes = input.len(), ports = state.wanted.len(), "programmed");
    }
    state.tables = tables;
    if !*jumps {
        apply::ensure_jumps().await?;
        *jumps = true;
        info!(ports = state.wanted.len(), "Services are programmed");
    }
    for deletion in conntrack::stale(&state.rules, &state.wanted) {
        if let Err(error) = apply::forget(&deletion).await {
            warn!(%error, "stale UDP flows may linger");
        }
    }
    state.rules.clone_from(&state.wanted);
    Ok(())
}
