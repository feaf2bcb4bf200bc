//! The way to pods of other nodes: a plain route where the other node is on the same link, VXLAN where it is not.
//!
//! Nothing is exchanged between nodes for it: the hardware address of a node's end of the overlay follows from its pod
//! network, so everybody can work it out. Which nodes there are is told from outside.

use super::address::Cidr4;
use super::netlink::{Connection, Request};
use super::{NetError, doing, index_of};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;

/// What packets of the overlay carry beside their own: outer IPv4, UDP and VXLAN headers and the inner Ethernet one.
pub const OVERHEAD_BYTES: u32 = 50;
/// Others use 8472 for this too (the kernel's own default), but not on a node that runs no other overlay.
const UDP_PORT: u16 = 8472;
const NETWORK_ID: u32 = 1;
const DEVICE: &str = "drover-vxlan";

/// How nodes reach each other's pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// A route where the other node is on a link of ours, else VXLAN.
    Auto,
    /// Routes only; a node that is not on a link of ours is an error.
    Routes,
    /// VXLAN to all, for networks that look like one link but drop addresses that they do not know.
    Vxlan,
}

#[derive(Debug, Clone)]
pub struct OverlayConfig {
    pub way: Way,
    /// Where other nodes reach this one.
    pub node_ip: Ipv4Addr,
    /// Largest packet inside of the overlay.
    pub mtu: u32,
}

/// Another node's pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverlayPeer {
    pub node_ip: Ipv4Addr,
    /// `10.42.3.0/24`
    pub pod_cidr: String,
}

/// What one peer's pods are reached by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hop {
    Route(Ipv4Addr),
    Vxlan(Ipv4Addr),
}

#[derive(Debug, Default)]
struct Told {
    /// The device's index and its address, once it is needed.
    device: Option<(u32, Ipv4Addr)>,
    peers: BTreeMap<Cidr4, Hop>,
}

#[derive(Debug)]
pub struct Overlay {
    config: OverlayConfig,
    told: Mutex<Told>,
}

impl Overlay {
    pub fn new(config: OverlayConfig) -> Self {
        Self { config, told: Mutex::default() }
    }

    /// Makes the kernel know exactly these peers; `own` is the network of this node's pods, if it has any.
    pub fn tell(&self, own: Option<&str>, peers: &[OverlayPeer]) -> Result<(), NetError> {
        let own = own.map(network).transpose()?;
        let wanted: Result<BTreeMap<Cidr4, Ipv4Addr>, NetError> =
            peers.iter().map(|peer| Ok((network(&peer.pod_cidr)?, peer.node_ip))).collect();
        let mut wanted = wanted?;
        if let Some(own) = own {
            wanted.remove(&own); // a stale object: our own bridge has it
        }
        let mut told = self.told.lock();
        let mut netlink = Connection::open().map_err(doing("open netlink"))?;
        let gone: Vec<Cidr4> = told.peers.keys().filter(|cidr| !wanted.contains_key(*cidr)).copied().collect();
        for cidr in gone {
            forget(&mut netlink, &told, cidr)?;
            told.peers.remove(&cidr);
        }
        for (cidr, node_ip) in wanted {
            let hop = self.reach(&mut netlink, &mut told, own, cidr, node_ip)?;
            told.peers.insert(cidr, hop);
        }
        Ok(())
    }

    /// Takes all of it away; for a node that is taken down.
    pub fn remove(&self) -> Result<(), NetError> {
        let mut told = self.told.lock();
        let mut netlink = Connection::open().map_err(doing("open netlink"))?;
        for cidr in told.peers.keys() {
            forget(&mut netlink, &told, *cidr)?;
        }
        told.peers.clear();
        if told.device.take().is_some() {
            delete_device(&mut netlink)?;
        }
        Ok(())
    }

    fn reach(
        &self,
        netlink: &mut Connection,
        told: &mut Told,
        own: Option<Cidr4>,
        cidr: Cidr4,
        node_ip: Ipv4Addr,
    ) -> Result<Hop, NetError> {
        if self.config.way != Way::Vxlan {
            match netlink.run(&[Request::route_via(cidr.base(), cidr.prefix, node_ip)]) {
                Ok(()) => return Ok(Hop::Route(node_ip)),
                Err(error) if self.config.way == Way::Auto && is_off_link(&error) => {}
                Err(error) => return Err(doing(format!("add a route to {cidr} by {node_ip}"))(error)),
            }
        }
        let (device, _) = self.device(netlink, told, own)?;
        let (end, hardware) = (cidr.base(), hardware_address(cidr.base()));
        let requests = [
            Request::forwarding(device, hardware, node_ip),
            Request::neighbour(device, end, hardware),
            Request::route_through(cidr.base(), cidr.prefix, device, end),
        ];
        netlink.run(&requests).map_err(doing(format!("reach {cidr} by VXLAN to {node_ip}")))?;
        Ok(Hop::Vxlan(node_ip))
    }

    /// The device, made anew where it is of an earlier process: its address or parameters may be others now.
    fn device(
        &self,
        netlink: &mut Connection,
        told: &mut Told,
        own: Option<Cidr4>,
    ) -> Result<(u32, Ipv4Addr), NetError> {
        // Without pods there is no network of ours to take an address from.
        let address = own.map_or(self.config.node_ip, Cidr4::base);
        if let Some(device) = told.device.filter(|device| device.1 == address) {
            return Ok(device);
        }
        delete_device(netlink)?;
        let OverlayConfig { node_ip, mtu, .. } = self.config;
        let vxlan = super::netlink::Vxlan {
            name: DEVICE,
            id: NETWORK_ID,
            port: UDP_PORT,
            local: node_ip,
            mtu,
            hardware: hardware_address(address),
        };
        netlink
            .run(&[Request::new_vxlan(&vxlan)])
            .map_err(doing("make the VXLAN device (is the kernel module there?)"))?;
        let index = index_of(DEVICE).map_err(doing(format!("find {DEVICE}")))?;
        let mut requests = vec![Request::link_up(index)];
        if own.is_some() {
            // What the node itself sends to other nodes' pods comes from here, so that answers find their way.
            requests.insert(0, Request::add_address(index, address, 32));
        }
        netlink.run(&requests).map_err(doing(format!("bring {DEVICE} up")))?;
        told.peers.retain(|_, hop| matches!(hop, Hop::Route(_)));
        told.device = Some((index, address));
        Ok((index, address))
    }
}

/// Takes one peer's entries away. What is gone is gone already.
fn forget(netlink: &mut Connection, told: &Told, cidr: Cidr4) -> Result<(), NetError> {
    let mut requests = vec![Request::delete_route(cidr.base(), cidr.prefix)];
    if let (Some(Hop::Vxlan(node_ip)), Some((device, _))) = (told.peers.get(&cidr), told.device) {
        let hardware = hardware_address(cidr.base());
        requests.push(Request::delete_neighbour(device, cidr.base()));
        requests.push(Request::delete_forwarding(device, hardware, *node_ip));
    }
    for request in requests {
        match netlink.run(&[request]) {
            Err(error) if !is_absent(&error) => return Err(doing(format!("forget the way to {cidr}"))(error)),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

fn delete_device(netlink: &mut Connection) -> Result<(), NetError> {
    match netlink.run(&[Request::delete_link(DEVICE)]) {
        Err(error) if error.raw_os_error() != Some(libc::ENODEV) => Err(doing(format!("remove {DEVICE}"))(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The kernel's word for a gateway that is on none of our links.
fn is_off_link(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENETUNREACH | libc::EHOSTUNREACH | libc::EINVAL))
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ESRCH | libc::ENOENT | libc::ENODEV))
}

fn network(text: &str) -> Result<Cidr4, NetError> {
    text.parse().map_err(|()| NetError::BadCidr(text.to_owned()))
}

/// The hardware address of the overlay's end at a node, from the first address of its pod network.
fn hardware_address(base: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = base.octets();
    [0x0a, 0x59, a, b, c, d]
}

/// Largest packet of the link that has this address.
pub fn link_mtu(address: Ipv4Addr) -> Option<u32> {
    Connection::open().ok()?.mtu(index_of(&link_name(address)?).ok()?).ok()
}

/// The link that has this address.
pub(super) fn link_name(address: Ipv4Addr) -> Option<String> {
    let all = nix::ifaddrs::getifaddrs().ok()?;
    let link = all.into_iter().find(|entry| {
        let own =
            entry.address.as_ref().and_then(|address| address.as_sockaddr_in().map(nix::sys::socket::SockaddrIn::ip));
        own == Some(address)
    })?;
    Some(link.interface_name)
}
