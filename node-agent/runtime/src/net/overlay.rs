//! The way to pods of other nodes: a plain route where the other node is on the same link, VXLAN where it is not.
//!
//! Nothing is exchanged between nodes for it: the hardware address of a node's end of the overlay follows from its pod
//! network, so everybody can work it out. Which nodes there are is told from outside.

use super::address::{self, Cidr, Family};
use super::netlink::{Connection, Request};
use super::{NetError, doing, index_of};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};

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
    /// Of each family one at most; a route leads to one of its own family, the overlay to that of IPv4.
    pub node_ips: Vec<IpAddr>,
    /// `10.42.3.0/24`, or one network of each family.
    pub pod_cidrs: Vec<String>,
}

/// How one network of a peer may be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reach {
    gateway: Option<IpAddr>,
    /// The machine and its end of the overlay.
    overlay: Option<(Ipv4Addr, [u8; 6])>,
}

/// What one network of a peer's pods is reached by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hop {
    Route(IpAddr),
    Vxlan(Ipv4Addr, [u8; 6]),
}

#[derive(Debug, Default)]
struct Told {
    /// The device's index and its addresses, once it is needed.
    device: Option<(u32, Vec<IpAddr>)>,
    peers: BTreeMap<Cidr, Hop>,
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

    /// Makes the kernel know exactly these peers; `own` are the networks of this node's pods, if it has any.
    pub fn tell(&self, own: &[String], peers: &[OverlayPeer]) -> Result<(), NetError> {
        let own = networks(own)?;
        let mut wanted: BTreeMap<Cidr, Reach> = BTreeMap::new();
        for peer in peers {
            let cidrs = networks(&peer.pod_cidrs)?;
            wanted.extend(cidrs.iter().map(|cidr| (*cidr, reach(peer, &cidrs, cidr.family()))));
        }
        for own in &own {
            wanted.remove(own); // a stale object: our own bridge has it
        }
        let mut told = self.told.lock();
        let mut netlink = Connection::open().map_err(doing("open netlink"))?;
        let gone: Vec<Cidr> = told.peers.keys().filter(|cidr| !wanted.contains_key(*cidr)).copied().collect();
        for cidr in gone {
            forget(&mut netlink, &told, cidr)?;
            told.peers.remove(&cidr);
        }
        for (cidr, reach) in wanted {
            let hop = self.reach(&mut netlink, &mut told, &own, cidr, reach)?;
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
        own: &[Cidr],
        cidr: Cidr,
        by: Reach,
    ) -> Result<Hop, NetError> {
        if self.config.way != Way::Vxlan
            && let Some(gateway) = by.gateway
        {
            match netlink.run(&[Request::route_via(cidr.base(), cidr.prefix, gateway)]) {
                Ok(()) => return Ok(Hop::Route(gateway)),
                Err(error) if self.config.way == Way::Auto && is_off_link(&error) => {}
                Err(error) => return Err(doing(format!("add a route to {cidr} by {gateway}"))(error)),
            }
        }
        let (Way::Auto | Way::Vxlan, Some((machine, hardware))) = (self.config.way, by.overlay) else {
            let missing = io::Error::other("its node has no address of a family that leads there");
            return Err(doing(format!("reach {cidr}"))(missing));
        };
        let device = self.device(netlink, told, own)?;
        let (end, hop) = (cidr.base(), Hop::Vxlan(machine, hardware));
        if told.peers.get(&cidr) != Some(&hop) {
            // IPv6 takes no gateway on a device while a route leads to it by another.
            forget(netlink, told, cidr)?;
        }
        let requests = [
            Request::forwarding(device, hardware, machine),
            Request::neighbour(device, end, hardware),
            Request::route_through(cidr.base(), cidr.prefix, device, end),
        ];
        netlink.run(&requests).map_err(doing(format!("reach {cidr} by VXLAN to {machine}")))?;
        Ok(hop)
    }

    /// The device's index, made anew where it is of an earlier process: its addresses or parameters may be others now.
    fn device(&self, netlink: &mut Connection, told: &mut Told, own: &[Cidr]) -> Result<u32, NetError> {
        let addresses: Vec<IpAddr> = own.iter().map(|own| own.base()).collect();
        if let Some((device, _)) = told.device.as_ref().filter(|device| device.1 == addresses) {
            return Ok(*device);
        }
        delete_device(netlink)?;
        let OverlayConfig { node_ip, mtu, .. } = self.config;
        let vxlan = super::netlink::Vxlan {
            name: DEVICE,
            id: NETWORK_ID,
            port: UDP_PORT,
            local: node_ip,
            mtu,
            // Without pods there is no network of ours to take an address from.
            hardware: hardware_address(addresses.first().copied().unwrap_or(node_ip.into())),
        };
        netlink
            .run(&[Request::new_vxlan(&vxlan)])
            .map_err(doing("make the VXLAN device (is the kernel module there?)"))?;
        let index = index_of(DEVICE).map_err(doing(format!("find {DEVICE}")))?;
        // What the node itself sends to other nodes' pods comes from here, so that answers find their way.
        let mut requests: Vec<Request> =
            own.iter().map(|own| Request::add_address(index, own.base(), own.family().bits())).collect();
        requests.push(Request::link_up(index));
        netlink.run(&requests).map_err(doing(format!("bring {DEVICE} up")))?;
        told.peers.retain(|_, hop| matches!(hop, Hop::Route(_)));
        told.device = Some((index, addresses));
        Ok(index)
    }
}

/// How the pods of a family on a peer are reached, of whose pods `cidrs` are all networks.
fn reach(peer: &OverlayPeer, cidrs: &[Cidr], family: Family) -> Reach {
    let machine = peer.node_ips.iter().find_map(|ip| match ip {
        IpAddr::V4(ip) => Some(*ip),
        IpAddr::V6(_) => None,
    });
    Reach {
        gateway: peer.node_ips.iter().find(|ip| Family::of(**ip) == family).copied(),
        // The end has one hardware address, whatever the number of its networks.
        overlay: machine.zip(cidrs.first().map(|cidr| hardware_address(cidr.base()))),
    }
}

/// Takes one peer's entries away. What is gone is gone already.
fn forget(netlink: &mut Connection, told: &Told, cidr: Cidr) -> Result<(), NetError> {
    let mut requests = vec![Request::delete_route(cidr.base(), cidr.prefix)];
    if let (Some(Hop::Vxlan(machine, hardware)), Some((device, _))) = (told.peers.get(&cidr), &told.device) {
        requests.push(Request::delete_neighbour(*device, cidr.base()));
        requests.push(Request::delete_forwarding(*device, *hardware, *machine));
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

fn networks(texts: &[String]) -> Result<Vec<Cidr>, NetError> {
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    let list = texts.join(",");
    address::networks(&list).map_err(|()| NetError::BadCidr(list))
}

/// The hardware address of the overlay's end at a node, from the first address of its pods' first network.
fn hardware_address(base: IpAddr) -> [u8; 6] {
    let [a, b, c, d] = match base {
        IpAddr::V4(base) => base.octets(),
        // Networks of nodes differ in what precedes the host's half.
        IpAddr::V6(base) => ((base.to_bits() >> 64) as u32).to_be_bytes(),
    };
    [0x0a, 0x59, a, b, c, d]
}

/// Largest packet of the link that has this address.
pub fn link_mtu(address: Ipv4Addr) -> Option<u32> {
    Connection::open().ok()?.mtu(index_of(&link_name(address.into())?).ok()?).ok()
}

/// The link that has this address.
pub(super) fn link_name(address: IpAddr) -> Option<String> {
    let all = nix::ifaddrs::getifaddrs().ok()?;
    let link = all.into_iter().find(|entry| match (entry.address.as_ref(), address) {
        (Some(own), IpAddr::V4(ip)) => own.as_sockaddr_in().is_some_and(|own| own.ip() == ip),
        (Some(own), IpAddr::V6(ip)) => own.as_sockaddr_in6().is_some_and(|own| own.ip() == ip),
        (None, _) => false,
    })?;
    Some(link.interface_name)
}
