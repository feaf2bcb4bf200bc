//! Addresses that this machine answers for beside its own: those of load balancers that are announced here.
//!
//! The kernel answers for them itself, since they are put on the link that has the node's address of their family: no packet of
//! others is read here, and what arrives finds the proxy's rules before it is delivered. A label says which addresses of IPv4
//! are ours, a number those of IPv6, so that a process which starts finds what the last one left. Neighbours that asked earlier
//! are told by gratuitous ARP, and by neighbour advertisements that nobody asked for.

use super::netlink::{Connection, Request};
use super::{NetError, doing, index_of};
use crate::sys::packet;
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, ipproto, sendto, socket_with, sockopt};
use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV6};

/// What our addresses are called; tools show it behind them.
const LABEL: &str = "drover-lb";
/// The same for IPv6, whose addresses have no labels; `ip address` shows it as `proto 0xd7`. Small numbers are the kernel's.
const MARK: u8 = 0xd7;
/// Everybody on a link.
const BROADCAST: [u8; 6] = [0xff; 6];
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const REQUEST: u16 = 1;
const REPLY: u16 = 2;
/// RFC 4861, 7.1.2: what came through a router has less, and is thrown away.
const HOPS: u8 = 255;

#[derive(Debug, Clone)]
pub struct Announcer {
    node_ips: Vec<IpAddr>,
}

impl Announcer {
    /// On the links of these addresses, at most one a family.
    pub fn new(node_ips: Vec<IpAddr>) -> Self {
        Self { node_ips }
    }

    /// Makes this machine answer for exactly these addresses. Neighbours are told of all of them, since they may have
    /// heard of another machine meanwhile. What fails for one address keeps none of the others; the error is the first.
    pub fn tell(&self, wanted: &BTreeSet<IpAddr>) -> Result<(), NetError> {
        let mut netlink = Connection::open().map_err(doing("open netlink"))?;
        let held = netlink.marked(LABEL, MARK).map_err(doing("list addresses"))?;
        let mut outcome = Ok(());
        let mut places = BTreeSet::new();
        for ip in wanted {
            match self.link(*ip) {
                Ok(index) => drop(places.insert((index, *ip))),
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        for (index, ip) in held.difference(&places) {
            outcome = outcome.and(give_up(&mut netlink, *index, *ip));
        }
        for (index, ip) in places {
            let told = if held.contains(&(index, ip)) { Ok(()) } else { answer_for(&mut netlink, index, ip) };
            outcome = outcome.and(told.and_then(|()| tell_neighbours(&mut netlink, index, ip)));
        }
        outcome
    }

    /// The link of the node's address of the same family.
    fn link(&self, ip: IpAddr) -> Result<u32, NetError> {
        let own = self.node_ips.iter().find(|own| own.is_ipv4() == ip.is_ipv4());
        let name = own.and_then(|own| super::overlay::link_name(*own));
        let what = || format!("find the link of the node's own address, to answer for {ip} there");
        let name = name.ok_or_else(|| doing(what())(io::ErrorKind::NotFound.into()))?;
        index_of(&name).map_err(doing(what()))
    }
}

fn give_up(netlink: &mut Connection, index: u32, ip: IpAddr) -> Result<(), NetError> {
    let request = match ip {
        IpAddr::V4(ip) => Request::delete_address(index, ip, LABEL),
        IpAddr::V6(ip) => Request::delete_marked(index, ip),
    };
    netlink.run(&[request]).map_err(doing(format!("give up {ip}")))
}

fn answer_for(netlink: &mut Connection, index: u32, ip: IpAddr) -> Result<(), NetError> {
    let request = match ip {
        IpAddr::V4(ip) => Request::add_labelled(index, ip, LABEL),
        IpAddr::V6(ip) => Request::add_marked(index, ip, MARK),
    };
    netlink.run(&[request]).map_err(doing(format!("answer for {ip}")))?;
    // An older kernel takes an address of IPv6 and not the mark: nobody would find it again to give it up.
    if ip.is_ipv4() || netlink.marked(LABEL, MARK).map_err(doing("list addresses"))?.contains(&(index, ip)) {
        return Ok(());
    }
    give_up(netlink, index, ip)?;
    let old = io::Error::new(io::ErrorKind::Unsupported, "IPv6 needs Linux 5.18 or newer for this");
    Err(doing(format!("mark {ip} as an address of a load balancer"))(old))
}

fn tell_neighbours(netlink: &mut Connection, index: u32, ip: IpAddr) -> Result<(), NetError> {
    let hardware = netlink.hardware(index).map_err(doing("read the link's hardware address"))?;
    send_to_all(index, hardware, ip).map_err(doing(format!("announce {ip}")))
}

fn send_to_all(index: u32, hardware: [u8; 6], ip: IpAddr) -> io::Result<()> {
    match ip {
        // Some listen to questions, some to answers.
        IpAddr::V4(ip) => [REQUEST, REPLY]
            .into_iter()
            .try_for_each(|kind| packet::send_arp(index, BROADCAST, &gratuitous(kind, hardware, ip))),
        IpAddr::V6(ip) => {
            let socket =
                socket_with(AddressFamily::INET6, SocketType::RAW, SocketFlags::CLOEXEC, Some(ipproto::ICMPV6))?;
            sockopt::set_ipv6_multicast_hops(&socket, HOPS.into())?;
            let to = SocketAddrV6::new(ALL_NODES, 0, 0, index);
            sendto(&socket, &unsolicited(hardware, ip), SendFlags::empty(), &to)?;
            Ok(())
        }
    }
}

/// "Who has `ip`? `ip` is at `hardware`": the packet behind the Ethernet header.
fn gratuitous(kind: u16, hardware: [u8; 6], ip: Ipv4Addr) -> Vec<u8> {
    // Ethernet, IPv4, and the lengths of their addresses.
    let mut packet = vec![0, 1, 8, 0, 6, 4];
    packet.extend(kind.to_be_bytes());
    packet.extend(hardware);
    packet.extend(ip.octets());
    packet.extend(if kind == REPLY { hardware } else { [0; 6] });
    packet.extend(ip.octets());
    packet
}

/// "`ip` is at `hardware`, whatever you heard": RFC 4861, 4.4. The kernel puts the checksum in.
fn unsolicited(hardware: [u8; 6], ip: Ipv6Addr) -> Vec<u8> {
    const ADVERTISEMENT: u8 = 136;
    const OVERRIDE: u8 = 0x20;
    // The target's address of the link, in units of eight bytes.
    const HARDWARE: [u8; 2] = [2, 1];
    let mut packet = vec![ADVERTISEMENT, 0, 0, 0, OVERRIDE, 0, 0, 0];
    packet.extend(ip.octets());
    packet.extend(HARDWARE);
    packet.extend(hardware);
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announcement_says_where_the_address_is() {
        let packet = gratuitous(REPLY, [2, 0, 0, 0, 0, 9], Ipv4Addr::new(192, 0, 2, 7));
        assert_eq!(packet.len(), 28);
        assert_eq!(packet[6..8], [0, 2], "an answer");
        assert_eq!(packet[8..18], [2, 0, 0, 0, 0, 9, 192, 0, 2, 7]);
        assert_eq!(packet[18..], packet[8..18]);
    }
}
