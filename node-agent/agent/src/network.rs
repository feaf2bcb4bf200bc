//! The way to the pods of other nodes: from all Node objects to what the kernel must know, whenever they change. How the
//! kernel is told is not its business.
//!
//! Also for a machine that runs no pods but reaches them: one with an API server alone.

use client::cache::{Caches, Change};
use client::clock::Clock;
use k8s_openapi::api::core::v1::Node;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Nodes that come together are told of together.
const COALESCE: Duration = Duration::from_millis(20);
/// After a failure; the device or the route to the other node may appear.
const RETRY: Duration = Duration::from_secs(1);
/// What somebody else removed comes back within this time.
const REPAIR_EVERY: Duration = Duration::from_mins(1);

/// Another node, and the addresses of its pods.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peer {
    pub node: String,
    /// In the order in which the node says them.
    pub node_ips: Vec<IpAddr>,
    /// `10.42.3.0/24`, or a network of each family.
    pub pod_cidrs: Vec<String>,
}

/// What there is to reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Map {
    /// Networks of this node's own pods, once it has them.
    pub own: Vec<String>,
    pub peers: BTreeSet<Peer>,
}

/// Tells the kernel. Called with the whole map each time; what is not in it any more is to go.
pub trait Kernel: Send + Sync + 'static {
    fn tell(&self, map: &Map) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;

    /// Takes away all that was told.
    fn remove(&self) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;
}

pub struct Config {
    /// This node; `None` where no pods run here.
    pub node_name: Option<String>,
    pub node_ips: Vec<IpAddr>,
}

pub struct Deps {
    pub client: kube::Client,
    pub clock: Arc<dyn Clock>,
    pub kernel: Arc<dyn Kernel>,
}

/// Until drained. What the kernel was told stays: connections outlive this process.
pub async fn run(config: Config, deps: Deps, drain: CancellationToken) {
    let tracker = TaskTracker::new();
    let mut builder = Caches::builder(deps.client, deps.clock);
    builder.watch::<Node>();
    let caches = builder.start(&tracker, drain.clone());
    tokio::select! {
        () = drain.cancelled() => {}
        () = follow(&config, &caches, &deps.kernel) => {}
    }
    tracker.close();
    tracker.wait().await;
}

async fn follow(config: &Config, caches: &Caches, kernel: &Arc<dyn Kernel>) {
    let mut changes = caches.of::<Node>().subscribe();
    caches.synced().await;
    let mut told = None;
    loop {
        while changes.try_recv().is_ok() {}
        let map = map(config, caches.of::<Node>().list().iter().map(AsRef::as_ref));
        let (kernel, wanted) = (Arc::clone(kernel), map.clone());
        let outcome = tokio::task::spawn_blocking(move || kernel.tell(&wanted)).await;
        match outcome.expect("telling the kernel does not panic") {
            Ok(()) => {
                if told.as_ref() != Some(&map) {
                    tracing::info!(
                        peers = map.peers.len(),
                        own = map.own.join(","),
                        "the way to other nodes' pods is set"
                    );
                }
                told = Some(map);
                tokio::select! {
                    () = changed(config, caches, &mut changes, told.as_ref()) => {}
                    () = tokio::time::sleep(REPAIR_EVERY) => {}
                }
            }
            Err(error) => {
                tracing::warn!(%error, "cannot set the way to other nodes' pods; will try again");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// Waits until the nodes ask for another map: most changes of a node are heartbeats.
async fn changed(config: &Config, caches: &Caches, changes: &mut UnboundedReceiver<Change<Node>>, told: Option<&Map>) {
    loop {
        if changes.recv().await.is_none() {
            // The caches have ended: this process is about to.
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(COALESCE).await;
        while changes.try_recv().is_ok() {}
        if told != Some(&map(config, caches.of::<Node>().list().iter().map(AsRef::as_ref))) {
            return;
        }
    }
}

/// What the nodes say. One that has no pods yet, or no address, is not reached yet; nor is what shares our address.
fn map<'a>(config: &Config, nodes: impl Iterator<Item = &'a Node>) -> Map {
    let mut map = Map::default();
    for node in nodes {
        let Some(name) = node.metadata.name.clone() else { continue };
        let pod_cidrs = pod_cidrs(node);
        if pod_cidrs.is_empty() {
            continue;
        }
        if config.node_name.as_ref() == Some(&name) {
            map.own = pod_cidrs;
            continue;
        }
        let node_ips = addresses(node);
        if !node_ips.is_empty() && !node_ips.iter().any(|ip| config.node_ips.contains(ip)) {
            map.peers.insert(Peer { node: name, node_ips, pod_cidrs });
        }
    }
    map
}

/// The networks of a node's pods: one, or one of each family; none until it has them.
pub(crate) fn pod_cidrs(node: &Node) -> Vec<String> {
    let Some(spec) = &node.spec else { return Vec::new() };
    let all = spec.pod_cidrs.clone().filter(|all| !all.is_empty());
    all.unwrap_or_else(|| spec.pod_cidr.clone().filter(|cidr| !cidr.is_empty()).into_iter().collect())
}

fn addresses(node: &Node) -> Vec<IpAddr> {
    let addresses = node.status.iter().flat_map(|status| status.addresses.iter().flatten());
    let internal = addresses.filter(|address| address.type_ == "InternalIP");
    internal.filter_map(|address| address.address.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn node(name: &str, ips: &[&str], cidrs: &[&str]) -> Node {
        let internal = ips.iter().map(|ip| json!({ "type": "InternalIP", "address": ip }));
        let addresses: Vec<_> = [json!({ "type": "Hostname", "address": name })].into_iter().chain(internal).collect();
        let tree = json!({
            "metadata": { "name": name }, "spec": { "podCIDR": cidrs.first(), "podCIDRs": cidrs },
            "status": { "addresses": addresses },
        });
        serde_json::from_value(tree).unwrap()
    }

    #[test]
    fn a_node_reaches_all_others_that_have_pods_and_an_address() {
        let config = Config { node_name: Some("a".into()), node_ips: vec!["192.0.2.1".parse().unwrap()] };
        let nodes = [
            node("a", &["192.0.2.1"], &["10.42.0.0/24"]),
            node("b", &["192.0.2.2", "2001:db8::2"], &["10.42.1.0/24", "fd00:42:0:1::/64"]),
            node("new", &["192.0.2.3"], &[]),
            node("nowhere", &[], &["10.42.3.0/24"]),
            node("twin", &["192.0.2.1"], &["10.42.4.0/24"]),
        ];
        let map = map(&config, nodes.iter());
        assert_eq!(map.own, ["10.42.0.0/24"]);
        let peers: Vec<String> = map
            .peers
            .iter()
            .map(|peer| format!("{} {:?} {}", peer.node, peer.node_ips, peer.pod_cidrs.join(",")))
            .collect();
        assert_eq!(peers, ["b [192.0.2.2, 2001:db8::2] 10.42.1.0/24,fd00:42:0:1::/64"]);
    }
}
