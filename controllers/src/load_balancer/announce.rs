//! Which node answers for an address. The one that does goes on as long as it can: clients notice a change. Else it falls
//! to the node with the highest hash of its name and the address, which spreads addresses without anybody counting.

use super::{ANNOUNCED_BY, BY_SERVICE, announcer, is_local};
use crate::node_lifecycle::condition;
use client::cache::{Caches, Tracked as _};
use k8s_openapi::api::core::v1::{Node, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kinds::ip::Family;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

/// k8s: a node with this label is left out by load balancers.
const EXCLUDED: &str = "node.kubernetes.io/exclude-from-external-load-balancers";

/// The families of which a node may announce addresses: those that it has addresses of on its link.
pub(super) fn may_announce_for(node: &Node) -> BTreeSet<Family> {
    let excluded = node.metadata.labels.as_ref().is_some_and(|labels| labels.contains_key(EXCLUDED));
    let ready = condition(node, "Ready").is_some_and(|ready| ready.status == "True");
    if !ready || excluded || node.deleting() {
        return BTreeSet::new();
    }
    let addresses = node.status.as_ref().and_then(|status| status.addresses.as_deref()).unwrap_or_default();
    let internal = addresses.iter().filter(|address| address.type_ == "InternalIP");
    internal.filter_map(|address| address.address.parse().ok()).map(Family::of).collect()
}

/// The node for the addresses of a Service; `None` where no node may. Where the Service is for pods of one's own node only,
/// a node without any would drop what comes.
pub(super) fn choose<'a>(
    service: &Service,
    ips: &[IpAddr],
    nodes: &'a [Arc<Node>],
    caches: &Caches,
) -> Option<&'a str> {
    let first = *ips.first()?;
    let with_pods = is_local(service).then(|| nodes_with_pods(service, caches));
    let wanted: BTreeSet<Family> = ips.iter().map(|ip| Family::of(*ip)).collect();
    let may = |node: &&Arc<Node>| {
        may_announce_for(node).is_superset(&wanted)
            && with_pods.as_ref().is_none_or(|with_pods| with_pods.contains(node.name()))
    };
    let candidates: Vec<&str> = nodes.iter().filter(may).map(|node| node.name()).collect();
    let now = announcer(service).and_then(|now| candidates.iter().find(|name| **name == now).copied());
    now.or_else(|| candidates.into_iter().max_by_key(|name| (weight(name, first), *name)))
}

fn nodes_with_pods(service: &Service, caches: &Caches) -> BTreeSet<String> {
    let key = format!("{}/{}", service.ns(), service.name());
    let slices = caches.of::<EndpointSlice>().by_index(BY_SERVICE, &key);
    let endpoints = slices.iter().flat_map(|slice| slice.endpoints.iter().flatten());
    let ready = endpoints
        .filter(|endpoint| endpoint.conditions.as_ref().and_then(|conditions| conditions.ready).unwrap_or(true));
    ready.filter_map(|endpoint| endpoint.node_name.clone()).collect()
}

/// The same everywhere and ever: a node that leaves and comes back leaves the others' addresses where they are.
fn weight(node: &str, ip: IpAddr) -> u64 {
    let hash = |ip: &[u8]| crate::write::fnv64(&[ANNOUNCED_BY.as_bytes(), node.as_bytes(), ip]);
    match ip {
        IpAddr::V4(ip) => hash(&ip.octets()),
        IpAddr::V6(ip) => hash(&ip.octets()),
    }
}
