//! Service load balancing on one node: Services and EndpointSlices become a rule set (`compile`), the rule set becomes
//! packet-filter text (`iptables` or `nftables`), and what changed is applied in one restore or transaction (`kernel`). `policy` does the same for
//! NetworkPolicies.
//!
//! `compile`, `iptables`, `nftables` and `conntrack` are pure; `program` is the loop between the caches and the kernel, `health` what
//! load balancers ask. The proxy keeps no state of its own: a fresh start reads what its predecessor left in the kernel
//! and replaces it.
#![forbid(unsafe_code)]

mod announce;
mod apply;
pub mod compile;
pub mod conntrack;
mod dns;
mod hash;
mod health;
pub mod iptables;
mod kernel;
mod netfilter;
pub mod nft;
pub mod nftables;
pub mod policy;
mod program;
pub mod ruleset;

pub use announce::Announce;
pub use kernel::Mode;

use apply::ApplyError;
use client::action::Key;
use client::cache::{Caches, WatchOptions};
use client::clock::Clock;
use k8s_openapi::api::core::v1::{Node, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kinds::ip::{Cidr, Family};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The label that names a slice's Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// Slices by `namespace/service`.
const BY_SERVICE: &str = "service";

/// Where load balancers ask whether a node takes traffic, on Kubernetes' nodes too.
pub const HEALTHZ_PORT: u16 = 10_256;

#[derive(Clone)]
pub struct Config {
    pub mode: Mode,
    /// This node's name: endpoints on it are local.
    pub node_name: String,
    /// Pods' addresses, a range or one of each family; other sources are masqueraded. Services are programmed for these
    /// families, each by itself.
    pub cluster_cidrs: Vec<Cidr>,
    /// The DNS server of this node, once it answers: pods here ask it, whatever servers the cluster has.
    pub own_dns: Option<watch::Receiver<Option<SocketAddr>>>,
    /// How this machine answers for addresses of load balancers; `None` where somebody else does.
    pub announce: Option<Arc<dyn Announce>>,
    /// Where `/healthz` is answered; health checks of Services are answered on the same address.
    pub healthz: SocketAddr,
}

impl Config {
    /// In their order: the primary one is the first.
    fn families(&self) -> Vec<Family> {
        self.cluster_cidrs.iter().map(|cidr| cidr.family()).collect()
    }
}

#[derive(Clone)]
pub struct Deps {
    pub client: kube::Client,
    pub clock: Arc<dyn Clock>,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot program Services")]
    Apply(#[from] ApplyError),
}

/// Programs Services and enforces NetworkPolicies until drained. Rules stay behind: connections outlive the proxy.
/// [`remove`] takes them away.
pub async fn run(config: Config, deps: Deps, drain: CancellationToken) -> Result<(), Error> {
    let tracker = TaskTracker::new();
    let clock = Arc::clone(&deps.clock);
    tracker.spawn(policy::program::run(config.node_name.clone(), config.families(), deps.clone(), drain.clone()));
    let caches = caches(&config, deps, &tracker, &drain);
    let (tell, answers) = watch::channel(health::Answers::none());
    tracker.spawn(health::serve((config.healthz, config.mode), answers, Arc::clone(&clock), drain.clone()));
    let announcing = async {
        match &config.announce {
            Some(how) => announce::run(&config.node_name, &caches, Arc::clone(how)).await,
            None => std::future::pending().await,
        }
    };
    let outcome = tokio::select! {
        () = drain.cancelled() => Ok(()),
        () = announcing => Ok(()),
        outcome = program::run(&config, &caches, clock.as_ref(), &tell) => outcome,
    };
    drain.cancel();
    tracker.close();
    tracker.wait().await;
    outcome
}

/// Takes away what proxies have programmed on this machine for these families, in whichever mode: for a node that is left
/// without pods.
pub async fn remove(families: impl IntoIterator<Item = Family>) -> Result<(), Error> {
    for family in families {
        kernel::unless_missing(apply::nft(&nft::removal(family, policy::TABLE)).await)?;
        kernel::unless_missing(apply::nft(&nft::removal(family, nftables::TABLE)).await)?;
        kernel::unless_missing(apply::remove_iptables(family).await)?;
    }
    Ok(())
}

fn caches(config: &Config, deps: Deps, tracker: &TaskTracker, drain: &CancellationToken) -> Arc<Caches> {
    let mut builder = Caches::builder(deps.client, deps.clock);
    builder.watch::<Service>();
    builder.watch::<EndpointSlice>();
    let this = format!("metadata.name={}", config.node_name);
    builder.watch_with::<Node>(WatchOptions { fields: Some(this), ..WatchOptions::default() });
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
