//! Addresses that this machine answers for beside its own: those of load balancers that are announced here.
//!
//! The kernel answers for them itself, since they are put on the link that has the node's address: no packet of others is
//! read here, and what arrives finds the proxy's rules before it is delivered. A label says which addresses are ours, so
//! that a process which starts finds what the last one left. Neighbours that asked earlier are told by gratuitous ARP.

use super::netlink::{Connection, Request};
use super::{NetError, doing, index_of};
use crate::sys::packet;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// What our addresses are called; tools show it behind them.
const LABEL: &str = "drover-lb";
/// Everybody on a link.
const BROADCAST: [u8; 6] = [0xff; 6];
const REQUEST: u16 = 1;
const REPLY: u16 = 2;

#[derive(Debug, Clone, Copy)]
pub struct Announcer {
    node_ip: Ipv4Addr,
}

impl Announcer {
    /// On the link of this address.
    pub fn new(node_ip: Ipv4Addr) -> Self {
        Self { node_ip }
    }

    /// Makes this machine answer for exactly these addresses. Neighbours are told of all of them, since they may have
    /// heard of another machine meanwhile.
    pub fn tell(self, wanted: &BTreeSet<Ipv4Addr>) -> Result<(), NetError> {
        let held = held()?;
        if wanted.is_empty() && held.is_empty() {
            return Ok(());
        }
        let index = self.link()?;
        let mut netlink = Connection::open().map_err(doing("open netlink"))?;
        for ip in held.difference(wanted) {
            netlink.run(&[Request::delete_address(index, *ip, LABEL)]).map_err(doing(format!("give up {ip}")))?;
        }
        for ip in wanted.difference(&held) {
            netlink.run(&[Request::add_labelled(index, *ip, LABEL)]).map_err(doing(format!("answer for {ip}")))?;
        }
        let hardware = netlink.hardware(index).map_err(doing("read the link's hardware address"))?;
        for ip in wanted {
            // Some listen to questions, some to answers.
            for kind in [REQUEST, REPLY] {
                packet::send_arp(index, BROADCAST, &gratuitous(kind, hardware, *ip))
                    .map_err(doing(format!("announce {ip}")))?;
            }
        }
        Ok(())
    }

    fn link(self) -> Result<u32, NetError> {
        let name = super::overlay::link_name(self.node_ip);
        let what = || format!("find the link that has {}", self.node_ip);
        let name = name.ok_or_else(|| doing(what())(std::io::ErrorKind::NotFound.into()))?;
        index_of(&name).map_err(doing(what()))
    }
}

/// Addresses with our label.
fn held() -> Result<BTreeSet<Ipv4Addr>, NetError> {
    let all = nix::ifaddrs::getifaddrs().map_err(|error| doing("list addresses")(error.into()))?;
    let ours = all.filter(|entry| entry.interface_name == LABEL);
    Ok(ours.filter_map(|entry| Some(entry.address?.as_sockaddr_in()?.ip())).collect())
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
