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
        let peer = |peer: &agent::network::Peer| OverlayPeer {
            node_ips: peer.node_ips.clone(),
            pod_cidrs: peer.pod_cidrs.clone(),
        };
        let peers: Vec<OverlayPeer> = map.peers.iter().map(peer).collect();
        Ok(self.0.tell(&map.own, &peers)?)
    }

    fn remove(&self) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(self.0.remove()?)
    }
}

struct Announced(Announcer);

impl proxy::Announce for Announced {
    fn tell(&self, addresses: &BTreeSet<IpAddr>) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(self.0.tell(addresses)?)
    }
}

/// On the links of the node's addresses.
pub(crate) fn announcer(node_ips: &[IpAddr]) -> Arc<dyn proxy::Announce> {
    Arc::new(Announced(Announcer::new(node_ips.to_vec())))
}

fn ipv4(node_ips: &[IpAddr]) -> Option<Ipv4Addr> {
    node_ips.iter().find_map(|ip| match ip {
        IpAddr::V4(ip) => Some(*ip),
        IpAddr::V6(_) => None,
    })
}

/// `None` where something else does it, or nothing may.
pub(crate) fn kernel(how: PodNetwork, node_ips: &[IpAddr]) -> Result<Option<Arc<dyn Kernel>>> {
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
    let Some(node_ip) = ipv4(node_ips) else {
        bail!("nodes reach each other over IPv4 so far: give an IPv4 address too with --node-ip");
    };
    Ok(Some(Arc::new(Wired(Overlay::new(OverlayConfig { way, node_ip, mtu: overlay_mtu(node_ip) })))))
}

/// Largest packet of pods: what fits through the overlay, unless there will be none.
pub(crate) fn pod_mtu(how: PodNetwork, node_ips: &[IpAddr]) -> u32 {
    let Some(node_ip) = ipv4(node_ips) else { return LINK_MTU - OVERHEAD_BYTES };
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
