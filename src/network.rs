//! Wires what components read from the API of the network to what the runtime's library tells the kernel: the way to other
//! machines' pods, and the addresses of load balancers that this machine answers for.

use crate::args::PodNetwork;
use agent::network::{Kernel, Map};
use anyhow::{Result, bail};
use runtime::{Announcer, OVERHEAD_BYTES, Overlay, OverlayConfig, OverlayPeer, Way};
use std::collections::BTreeSet;
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// Ethernet's, where the link does not say.
const LINK_MTU: u32 = 1500;

struct Wired(Overlay);

impl Kernel for Wired {
    fn tell(&self, map: &Map) -> Result<(), Box<dyn Error + Send + Sync>> {
        let peers: Vec<OverlayPeer> = map.peers.iter().filter_map(peer).collect();
        Ok(self.0.tell(map.own.as_deref(), &peers)?)
    }

    fn remove(&self) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(self.0.remove()?)
    }
}

struct Announced(Announcer);

impl proxy::Announce for Announced {
    fn tell(&self, addresses: &BTreeSet<Ipv4Addr>) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(self.0.tell(addresses)?)
    }
}

/// `None` for a machine that is reached by IPv6 only: the pool has IPv4 addresses.
pub(crate) fn announcer(node_ip: IpAddr) -> Option<Arc<dyn proxy::Announce>> {
    let IpAddr::V4(node_ip) = node_ip else { return None };
    Some(Arc::new(Announced(Announcer::new(node_ip))))
}

/// Of a node that is reached by IPv6 only, nothing is known here yet.
fn peer(peer: &agent::network::Peer) -> Option<OverlayPeer> {
    let IpAddr::V4(node_ip) = peer.node_ip else { return None };
    Some(OverlayPeer { node_ip, pod_cidr: peer.pod_cidr.clone() })
}

/// `None` where something else does it, or nothing may.
pub(crate) fn kernel(how: PodNetwork, node_ip: IpAddr) -> Result<Option<Arc<dyn Kernel>>> {
    let way = match how {
        PodNetwork::Auto => Way::Auto,
        PodNetwork::Routes => Way::Routes,
        PodNetwork::Vxlan => Way::Vxlan,
        PodNetwork::None => return Ok(None),
    };
    if !nix::unistd::geteuid().is_root() {
        tracing::warn!("not root: this server will not reach pods (webhooks and proxied pods on other machines)");
        return Ok(None);
    }
    let IpAddr::V4(node_ip) = node_ip else {
        bail!("the pod network works over IPv4 so far: give an IPv4 address with --node-ip");
    };
    Ok(Some(Arc::new(Wired(Overlay::new(OverlayConfig { way, node_ip, mtu: overlay_mtu(node_ip) })))))
}

/// Largest packet of pods: what fits through the overlay, unless there will be none.
pub(crate) fn pod_mtu(how: PodNetwork, node_ip: IpAddr) -> u32 {
    let IpAddr::V4(node_ip) = node_ip else { return LINK_MTU - OVERHEAD_BYTES };
    match how {
        PodNetwork::Auto | PodNetwork::Vxlan => overlay_mtu(node_ip),
        PodNetwork::Routes | PodNetwork::None => link_mtu(node_ip),
    }
}

fn overlay_mtu(node_ip: Ipv4Addr) -> u32 {
    link_mtu(node_ip).saturating_sub(OVERHEAD_BYTES)
}

fn link_mtu(node_ip: Ipv4Addr) -> u32 {
    // A loopback link takes packets that no other does.
    runtime::link_mtu(node_ip).filter(|_| !node_ip.is_loopback()).unwrap_or(LINK_MTU)
}
