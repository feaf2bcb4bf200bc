//! The loop between the caches and the kernel: what changed is compiled again and written, and what others took out of
//! the kernel is put back.

use crate::apply::{self, ApplyError};
use crate::compile::{self, Place};
use crate::health::{self, Answers, Eligibility};
use crate::kernel::Kernel;
use crate::ruleset::{self, PortKey, Ruleset};
use crate::{BY_SERVICE, Config, Error, conntrack, dns, index_value, service_of};
use client::action::Key;
use client::cache::{Caches, Change};
use client::clock::Clock;
use k8s_openapi::api::core::v1::{Node, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kinds::ip::{Cidr, Family};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch::{self, Sender};
use tracing::warn;

/// Changes that arrive within this time go into one restore: a rolling update touches a slice many times a second.
const COALESCE: Duration = Duration::from_millis(10);

/// After a failed restore; something else may hold the lock or have broken a table.
const RETRY: Duration = Duration::from_secs(1);

/// How often the kernel is asked whether our rules are still there: one small message while nobody has changed anything.
const INSPECT: Duration = Duration::from_secs(3);

/// Autoscalers taint a node that they are about to delete.
const TO_BE_DELETED: &str = "ToBeDeletedByClusterAutoscaler";

/// Changes that have not been programmed yet.
struct Inbox {
    services: UnboundedReceiver<Change<Service>>,
    slices: UnboundedReceiver<Change<EndpointSlice>>,
    nodes: UnboundedReceiver<Change<Node>>,
    own_dns: Option<watch::Receiver<Option<SocketAddr>>>,
    dirty: BTreeSet<Key>,
    /// When to look whether somebody took our rules, however much changes meanwhile.
    inspections: tokio::time::Interval,
}

/// Why the loop goes on.
enum Woken {
    Changed,
    TimeToInspect,
}

impl Inbox {
    /// Waits for the first change, then for those that follow closely.
    async fn wait(&mut self) -> Woken {
        tokio::select! {
            Some(change) = self.services.recv() => { self.dirty.insert(change.key); }
            Some(change) = self.slices.recv() => self.dirty.extend(touched(&change)),
            Some(_) = self.nodes.recv() => {}
            () = changed(&mut self.own_dns) => { self.dirty.insert(dns::key()); }
            _ = self.inspections.tick() => return Woken::TimeToInspect,
        }
        tokio::time::sleep(COALESCE).await;
        Woken::Changed
    }

    fn drain(&mut self) {
        while let Ok(change) = self.services.try_recv() {
            self.dirty.insert(change.key);
        }
        while let Ok(change) = self.slices.try_recv() {
            self.dirty.extend(touched(&change));
        }
        while self.nodes.try_recv().is_ok() {}
    }
}

fn inspections() -> tokio::time::Interval {
    let mut interval = tokio::time::interval(INSPECT);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    interval
}

/// Never where this node has no DNS server of its own.
async fn changed(own_dns: &mut Option<watch::Receiver<Option<SocketAddr>>>) {
    if let Some(address) = own_dns
        && address.changed().await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}

/// The Services that a slice belonged and belongs to.
fn touched(change: &Change<EndpointSlice>) -> impl Iterator<Item = Key> {
    [&change.old, &change.new].into_iter().flatten().filter_map(|slice| service_of(slice))
}

/// What this process has programmed for an address family, and what it should be.
struct Programmed {
    cluster_cidr: Cidr,
    rules: Ruleset,
    wanted: Ruleset,
    /// Ports that were compiled again since.
    touched: BTreeSet<PortKey>,
    kernel: Kernel,
    place: Place,
    node: ruleset::Node,
}

pub(crate) async fn run(
    config: &Config,
    caches: &Caches,
    clock: &dyn Clock,
    tell: &Sender<Answers>,
) -> Result<(), Error> {
    if let Err(error) = apply::allow_local_node_ports() {
        warn!(%error, "NodePorts will not answer on 127.0.0.1");
    }
    let mut inbox = Inbox {
        services: caches.of::<Service>().subscribe(),
        slices: caches.of::<EndpointSlice>().subscribe(),
        nodes: caches.of::<Node>().subscribe(),
        own_dns: config.own_dns.clone(),
        dirty: BTreeSet::new(),
        inspections: inspections(),
    };
    caches.synced().await;
    let mut families = loop {
        if let Some(opened) = unless_refused(open_all(config).await).await? {
            break opened;
        }
    };
    loop {
        inbox.drain();
        let dirty = std::mem::take(&mut inbox.dirty);
        for state in &mut families {
            recompile(config, caches, dirty.clone(), state);
        }
        let outcome = sync_all(&mut families).await;
        tell.send_modify(|answers| report(answers, &outcome, &families, eligibility(config, caches), clock));
        if let Err(error) = outcome {
            warn!(%error, "will program everything again");
            tokio::time::sleep(RETRY).await;
            while unless_refused(forget_all(&mut families).await).await?.is_none() {}
            continue;
        }
        while let Woken::TimeToInspect = inbox.wait().await {
            if let Err(error) = inspect_all(&mut families).await {
                warn!(%error, "somebody took Service rules away; will program everything again");
                while unless_refused(forget_all(&mut families).await).await?.is_none() {}
                break;
            }
        }
    }
}

/// `None` after a pause where another try may help: a kernel may refuse while it loads its modules, or while somebody else
/// holds a lock. Only a program that is not installed is final.
async fn unless_refused<T>(outcome: Result<T, ApplyError>) -> Result<Option<T>, ApplyError> {
    match outcome {
        Ok(done) => Ok(Some(done)),
        Err(missing @ ApplyError::Missing { .. }) => Err(missing),
        Err(error) => {
            warn!(%error, "cannot look at Service rules; will try again");
            tokio::time::sleep(RETRY).await;
            Ok(None)
        }
    }
}

async fn open_all(config: &Config) -> Result<Vec<Programmed>, ApplyError> {
    let mut families = Vec::new();
    for cidr in &config.cluster_cidrs {
        families.push(Programmed::open(config, *cidr).await?);
    }
    Ok(families)
}

async fn sync_all(families: &mut [Programmed]) -> Result<(), ApplyError> {
    let mut outcome = Ok(());
    for state in families {
        // One family is not to suffer from what the other's programs refuse.
        outcome = outcome.and(sync(state).await);
    }
    outcome
}

async fn inspect_all(families: &mut [Programmed]) -> Result<(), ApplyError> {
    for state in families {
        state.kernel.inspect().await?;
    }
    Ok(())
}

async fn forget_all(families: &mut [Programmed]) -> Result<(), ApplyError> {
    for state in families {
        state.kernel.forget().await?;
    }
    Ok(())
}

impl Programmed {
    async fn open(config: &Config, cluster_cidr: Cidr) -> Result<Self, ApplyError> {
        let family = cluster_cidr.family();
        Ok(Self {
            cluster_cidr,
            rules: Ruleset::new(),
            wanted: Ruleset::new(),
            touched: BTreeSet::new(),
            kernel: Kernel::open(config.mode, family).await?,
            place: Place::of(&config.node_name, None, family),
            node: ruleset::Node { family, ..ruleset::Node::default() },
        })
    }
}

/// Compiles the Services of `dirty` again, and all of them where the node has moved; others keep their rules.
fn recompile(config: &Config, caches: &Caches, mut dirty: BTreeSet<Key>, state: &mut Programmed) {
    let family = state.cluster_cidr.family();
    let node = caches.of::<Node>().get("", &config.node_name);
    state.node = ruleset::Node {
        family,
        cluster_cidr: state.cluster_cidr.to_string(),
        addresses: node.as_deref().map(|node| addresses(node, family)).unwrap_or_default(),
    };
    let place = Place::of(&config.node_name, node.as_deref(), family);
    if place != state.place {
        dirty.extend(caches.of::<Service>().list().iter().map(|service| key_of(service)));
        state.place = place;
    }
    for key in dirty {
        forget(state, &key);
        let Some(service) = caches.of::<Service>().get(&key.ns, &key.name) else { continue };
        let own_dns = config.own_dns.as_ref().and_then(|address| *address.borrow());
        if let Some(own) = own_dns.and_then(|address| dns::own_slice(&service, address, &config.node_name)) {
            want(state, compile::service(&service, std::iter::once(&own), &state.place));
            continue;
        }
        let slices = caches.of::<EndpointSlice>().by_index(BY_SERVICE, &index_value(&key));
        want(state, compile::service(&service, slices.iter().map(AsRef::as_ref), &state.place));
    }
}

/// Takes the ports of a Service out of what is wanted.
fn forget(state: &mut Programmed, service: &Key) {
    let is_of = |port: &PortKey| port.ns == service.ns && port.service == service.name;
    let ports: Vec<PortKey> = state
        .wanted
        .range(PortKey::first_of(&service.ns, &service.name)..)
        .map(|(port, _)| port.clone())
        .take_while(is_of)
        .collect();
    for port in ports {
        state.wanted.remove(&port);
        state.touched.insert(port);
    }
}

fn want(state: &mut Programmed, ports: Ruleset) {
    state.touched.extend(ports.keys().cloned());
    state.wanted.extend(ports);
}

fn key_of(service: &Service) -> Key {
    Key::new(service.metadata.namespace.clone().unwrap_or_default(), service.metadata.name.clone().unwrap_or_default())
}

fn addresses(node: &Node, family: Family) -> BTreeSet<IpAddr> {
    let addresses = node.status.iter().flat_map(|status| status.addresses.iter().flatten());
    let parsed = addresses.filter_map(|address| address.address.parse().ok());
    parsed.filter(|ip: &IpAddr| Family::of(*ip) == family).collect()
}

fn eligibility(config: &Config, caches: &Caches) -> Eligibility {
    let Some(node) = caches.of::<Node>().get("", &config.node_name) else { return Eligibility::Eligible };
    let mut taints = node.spec.iter().flat_map(|spec| spec.taints.iter().flatten());
    if node.metadata.deletion_timestamp.is_some() || taints.any(|taint| taint.key == TO_BE_DELETED) {
        Eligibility::Leaving
    } else {
        Eligibility::Eligible
    }
}

fn report(
    answers: &mut Answers,
    outcome: &Result<(), ApplyError>,
    families: &[Programmed],
    node: Eligibility,
    clock: &dyn Clock,
) {
    answers.node = node;
    match outcome {
        Ok(()) => {
            answers.programmed = Some(clock.now());
            answers.failing_since = None;
            answers.checks = health::checks(families.iter().map(|state| &state.rules));
        }
        Err(_) => {
            answers.failing_since.get_or_insert(clock.now());
        }
    }
}

async fn sync(state: &mut Programmed) -> Result<(), ApplyError> {
    if state.kernel.takes_all(&state.wanted, &state.node) {
        state.touched.extend(state.rules.keys().chain(state.wanted.keys()).cloned());
    } else {
        let Programmed { rules, wanted, touched, .. } = state;
        touched.retain(|port| rules.get(port) != wanted.get(port));
    }
    let (old, new) = (part(&state.rules, &state.touched), part(&state.wanted, &state.touched));
    state.kernel.program((&old, &new), &state.wanted, &state.node).await?;
    for deletion in conntrack::stale(&old, &new) {
        if let Err(error) = apply::forget(state.node.family, &deletion).await {
            warn!(%error, "stale UDP flows may linger");
        }
    }
    old.keys().for_each(|port| drop(state.rules.remove(port)));
    state.rules.extend(new);
    state.touched.clear();
    Ok(())
}

/// The ports of a rule set that are named.
fn part(rules: &Ruleset, ports: &BTreeSet<PortKey>) -> Ruleset {
    ports.iter().filter_map(|port| Some((port.clone(), rules.get(port)?.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_program_that_is_missing_is_final() {
        let message = "cache initialization failed: Invalid argument".to_owned();
        let refused = Err::<(), _>(ApplyError::Failed { program: "nft", message });
        assert_eq!(unless_refused(refused).await.unwrap(), None);
        let missing = Err::<(), _>(ApplyError::Missing { program: "nft", source: std::io::ErrorKind::NotFound.into() });
        assert!(matches!(unless_refused(missing).await, Err(ApplyError::Missing { .. })));
    }
}
