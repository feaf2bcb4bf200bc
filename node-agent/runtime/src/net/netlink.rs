//! Just enough of rtnetlink: links, addresses and routes, several requests in one datagram and one round through the
//! kernel's lock. Messages are built by hand because all of them together are shorter than their declaration in a
//! library would be.

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};
use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;

const NLM_F_REQUEST: u16 = 0x01;
const NLM_F_ACK: u16 = 0x04;
const NLM_F_DUMP: u16 = 0x300;
/// In answers: what is listed has changed meanwhile.
const NLM_F_DUMP_INTR: u16 = 0x10;
const NLM_F_REPLACE: u16 = 0x100;
const NLM_F_EXCL: u16 = 0x200;
const NLM_F_CREATE: u16 = 0x400;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const RTM_GETADDR: u16 = 22;
const RTM_GETLINK: u16 = 18;
const RTM_NEWROUTE: u16 = 24;
const RTM_DELROUTE: u16 = 25;
const RTM_NEWNEIGH: u16 = 28;
const RTM_DELNEIGH: u16 = 29;
const RTM_NEWQDISC: u16 = 36;
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_NET_NS_PID: u16 = 19;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_INFO_SLAVE_KIND: u16 = 4;
const IFLA_INFO_SLAVE_DATA: u16 = 5;
const IFLA_BRPORT_MODE: u16 = 4;
const VETH_INFO_PEER: u16 = 1;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_LABEL: u16 = 3;
const IFA_CACHEINFO: u16 = 6;
const IFA_FLAGS: u16 = 8;
/// Who put an address there; since Linux 5.18.
const IFA_PROTO: u16 = 11;
const IFA_F_NODAD: u8 = 0x02;
/// No route to the address's network comes with it.
const IFA_F_NOPREFIXROUTE: u32 = 0x200;
/// Bytes of what precedes the attributes in a message about an address.
const ADDRESS_HEADER: usize = 8;
const IFLA_VXLAN_ID: u16 = 1;
const IFLA_VXLAN_LOCAL: u16 = 4;
const IFLA_VXLAN_LEARNING: u16 = 7;
const IFLA_VXLAN_PORT: u16 = 15;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
/// The gateway counts as reachable though no route leads to it.
const RTNH_F_ONLINK: u32 = 4;
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
const NUD_PERMANENT: u16 = 0x80;
/// The entry is the device's own, not that of a bridge above it.
const NTF_SELF: u8 = 0x02;
/// Bytes of what precedes the attributes in a message about a link.
const LINK_HEADER: usize = 16;
const RTA_GATEWAY: u16 = 5;
const TCA_KIND: u16 = 1;
const TCA_OPTIONS: u16 = 2;
const TCA_TBF_PARMS: u16 = 1;
const TCA_TBF_RATE64: u16 = 4;
const TCA_TBF_BURST: u16 = 6;
/// `1:0`, at the root of a link.
const SHAPER: (u32, u32) = (0x1_0000, u32::MAX);
const LINKLAYER_ETHERNET: u8 = 1;
/// What may go at once: a tenth of a second's worth, and not less than what a card takes in one piece.
const BURST_PARTS: u64 = 10;
const BURST_BYTES_MIN: u64 = 64 << 10;
/// What may wait beyond that: a twentieth of a second's worth; the rest is dropped, and TCP goes slower.
const WAIT_PARTS: u64 = 20;
/// Bytes of a message's header.
const HEADER: usize = 16;
/// Answers to a handful of requests fit in this.
const ANSWER_BYTES: usize = 8 * 1024;

/// One request: its type, flags and body.
#[derive(Debug)]
pub(super) struct Request {
    kind: u16,
    flags: u16,
    body: Vec<u8>,
}

/// A pair of interfaces, one on the bridge and one in a pod.
pub(super) struct Veth<'a> {
    pub(super) host: &'a str,
    /// Given by the caller: the kernel takes a wish for the pod's index only together with one for this.
    pub(super) host_index: u32,
    pub(super) bridge: u32,
    pub(super) mtu: u32,
    pub(super) pod: &'a str,
    pub(super) pod_index: u32,
    pub(super) pod_address: [u8; 6],
    pub(super) pod_pid: u32,
}

/// An overlay device. It learns nothing by itself: all entries are given to it.
pub(super) struct Vxlan<'a> {
    pub(super) name: &'a str,
    pub(super) id: u32,
    pub(super) port: u16,
    pub(super) local: Ipv4Addr,
    pub(super) mtu: u32,
    pub(super) hardware: [u8; 6],
}

/// Appends an attribute; its length always fits, as all values are short.
fn attribute(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let len = u16::try_from(4 + value.len()).expect("attributes are short");
    out.extend(len.to_ne_bytes());
    out.extend(kind.to_ne_bytes());
    out.extend_from_slice(value);
    out.resize(out.len().next_multiple_of(4), 0);
}

fn nested(out: &mut Vec<u8>, kind: u16, fill: impl FnOnce(&mut Vec<u8>)) {
    let mut inner = Vec::new();
    fill(&mut inner);
    attribute(out, kind, &inner);
}

fn name(out: &mut Vec<u8>, kind: u16, text: &str) {
    let mut bytes = text.as_bytes().to_vec();
    bytes.push(0);
    attribute(out, kind, &bytes);
}

/// The header of a message about a link.
fn link(index: u32, flags: u32) -> Vec<u8> {
    let mut body = vec![0; 4];
    body.extend(index.to_ne_bytes());
    body.extend(flags.to_ne_bytes());
    // Which flags change.
    body.extend(flags.to_ne_bytes());
    body
}

fn family(ip: IpAddr) -> u8 {
    let family = if ip.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    family as u8
}

fn ip_attribute(out: &mut Vec<u8>, kind: u16, ip: IpAddr) {
    match ip {
        IpAddr::V4(ip) => attribute(out, kind, &ip.octets()),
        IpAddr::V6(ip) => attribute(out, kind, &ip.octets()),
    }
}

/// A message about an address. One of IPv6 can be used at once: nobody else has it, and nobody is asked.
fn address(index: u32, ip: IpAddr, prefix: u8) -> Vec<u8> {
    let flags = if ip.is_ipv6() { IFA_F_NODAD } else { 0 };
    let mut body = vec![family(ip), prefix, flags, 0];
    body.extend(index.to_ne_bytes());
    ip_attribute(&mut body, IFA_LOCAL, ip);
    ip_attribute(&mut body, IFA_ADDRESS, ip);
    body
}

/// The header of a message about a route: main table, set at boot (as tools do for static routes), anywhere, unicast.
fn route(of: IpAddr, prefix: u8, flags: u32) -> Vec<u8> {
    let mut body = vec![family(of), prefix, 0, 0];
    body.extend([254, 3, 0, 1]);
    body.extend(flags.to_ne_bytes());
    body
}

/// The header of a message about a neighbour that stays.
fn neighbour(family: u8, index: u32, flags: u8) -> Vec<u8> {
    let mut body = vec![family, 0, 0, 0];
    body.extend(index.to_ne_bytes());
    body.extend(NUD_PERMANENT.to_ne_bytes());
    body.extend([flags, 0]);
    body
}

const UP: u32 = libc::IFF_UP as u32;

impl Request {
    pub(super) fn new_bridge(bridge: &str, mtu: u32, address: [u8; 6]) -> Self {
        let mut body = link(0, UP);
        name(&mut body, IFLA_IFNAME, bridge);
        attribute(&mut body, IFLA_MTU, &mtu.to_ne_bytes());
        attribute(&mut body, IFLA_ADDRESS, &address);
        nested(&mut body, IFLA_LINKINFO, |info| name(info, IFLA_INFO_KIND, "bridge"));
        Self { kind: RTM_NEWLINK, flags: NLM_F_CREATE | NLM_F_EXCL, body }
    }

    pub(super) fn new_veth(veth: &Veth<'_>) -> Self {
        let mut body = link(veth.host_index, UP);
        name(&mut body, IFLA_IFNAME, veth.host);
        attribute(&mut body, IFLA_MTU, &veth.mtu.to_ne_bytes());
        attribute(&mut body, IFLA_MASTER, &veth.bridge.to_ne_bytes());
        nested(&mut body, IFLA_LINKINFO, |info| {
            name(info, IFLA_INFO_KIND, "veth");
            nested(info, IFLA_INFO_DATA, |data| {
                let mut peer = link(veth.pod_index, 0);
                name(&mut peer, IFLA_IFNAME, veth.pod);
                attribute(&mut peer, IFLA_MTU, &veth.mtu.to_ne_bytes());
                attribute(&mut peer, IFLA_ADDRESS, &veth.pod_address);
                attribute(&mut peer, IFLA_NET_NS_PID, &veth.pod_pid.to_ne_bytes());
                attribute(data, VETH_INFO_PEER, &peer);
            });
        });
        Self { kind: RTM_NEWLINK, flags: NLM_F_CREATE | NLM_F_EXCL, body }
    }

    /// Lets a bridge's port send back out what came in: a pod that reaches itself through a Service.
    pub(super) fn hairpin(port: &str) -> Self {
        let mut body = link(0, 0);
        name(&mut body, IFLA_IFNAME, port);
        nested(&mut body, IFLA_LINKINFO, |info| {
            name(info, IFLA_INFO_SLAVE_KIND, "bridge");
            nested(info, IFLA_INFO_SLAVE_DATA, |data| attribute(data, IFLA_BRPORT_MODE, &[1]));
        });
        Self { kind: RTM_NEWLINK, flags: 0, body }
    }

    /// Puts a link on a bridge.
    pub(super) fn enslave(port: &str, bridge: u32) -> Self {
        let mut body = link(0, 0);
        name(&mut body, IFLA_IFNAME, port);
        attribute(&mut body, IFLA_MASTER, &bridge.to_ne_bytes());
        Self { kind: RTM_NEWLINK, flags: 0, body }
    }

    pub(super) fn delete_link(link_name: &str) -> Self {
        let mut body = link(0, 0);
        name(&mut body, IFLA_IFNAME, link_name);
        Self { kind: RTM_DELLINK, flags: 0, body }
    }

    pub(super) fn link_up(index: u32) -> Self {
        Self { kind: RTM_NEWLINK, flags: 0, body: link(index, UP) }
    }

    pub(super) fn add_address(index: u32, ip: IpAddr, prefix: u8) -> Self {
        Self { kind: RTM_NEWADDR, flags: NLM_F_CREATE | NLM_F_EXCL, body: address(index, ip, prefix) }
    }

    /// One address, under a label of its own.
    pub(super) fn add_labelled(index: u32, ip: Ipv4Addr, label: &str) -> Self {
        let mut request = Self::add_address(index, ip.into(), 32);
        name(&mut request.body, IFA_LABEL, label);
        request
    }

    pub(super) fn delete_address(index: u32, ip: Ipv4Addr, label: &str) -> Self {
        let mut body = address(index, ip.into(), 32);
        name(&mut body, IFA_LABEL, label);
        Self { kind: RTM_DELADDR, flags: 0, body }
    }

    /// One address of IPv6 under a number that says whose it is. Nothing is sent from it unless it answers.
    pub(super) fn add_marked(index: u32, ip: Ipv6Addr, mark: u8) -> Self {
        let mut request = Self::add_address(index, ip.into(), 128);
        attribute(&mut request.body, IFA_FLAGS, &(u32::from(IFA_F_NODAD) | IFA_F_NOPREFIXROUTE).to_ne_bytes());
        // Preferred for no time, valid for ever: what is deprecated is no source of new connections.
        let lifetimes = [0, u32::MAX, 0, 0].map(u32::to_ne_bytes);
        attribute(&mut request.body, IFA_CACHEINFO, lifetimes.as_flattened());
        attribute(&mut request.body, IFA_PROTO, &[mark]);
        request
    }

    pub(super) fn delete_marked(index: u32, ip: Ipv6Addr) -> Self {
        Self { kind: RTM_DELADDR, flags: 0, body: address(index, ip.into(), 128) }
    }

    pub(super) fn default_route(index: u32, gateway: IpAddr) -> Self {
        let mut body = route(gateway, 0, 0);
        attribute(&mut body, RTA_OIF, &index.to_ne_bytes());
        ip_attribute(&mut body, RTA_GATEWAY, gateway);
        Self { kind: RTM_NEWROUTE, flags: NLM_F_CREATE | NLM_F_EXCL, body }
    }

    /// A route by a gateway of the same family, which must be on one of our links.
    pub(super) fn route_via(base: IpAddr, prefix: u8, gateway: IpAddr) -> Self {
        let mut body = route(base, prefix, 0);
        ip_attribute(&mut body, RTA_DST, base);
        ip_attribute(&mut body, RTA_GATEWAY, gateway);
        Self { kind: RTM_NEWROUTE, flags: NLM_F_CREATE | NLM_F_REPLACE, body }
    }

    /// A route out of a device, to a gateway that only its entries know.
    pub(super) fn route_through(base: IpAddr, prefix: u8, index: u32, gateway: IpAddr) -> Self {
        let mut body = route(base, prefix, RTNH_F_ONLINK);
        ip_attribute(&mut body, RTA_DST, base);
        attribute(&mut body, RTA_OIF, &index.to_ne_bytes());
        ip_attribute(&mut body, RTA_GATEWAY, gateway);
        Self { kind: RTM_NEWROUTE, flags: NLM_F_CREATE | NLM_F_REPLACE, body }
    }

    pub(super) fn delete_route(base: IpAddr, prefix: u8) -> Self {
        let mut body = route(base, prefix, 0);
        ip_attribute(&mut body, RTA_DST, base);
        Self { kind: RTM_DELROUTE, flags: 0, body }
    }

    pub(super) fn new_vxlan(vxlan: &Vxlan<'_>) -> Self {
        let mut body = link(0, 0);
        name(&mut body, IFLA_IFNAME, vxlan.name);
        attribute(&mut body, IFLA_MTU, &vxlan.mtu.to_ne_bytes());
        attribute(&mut body, IFLA_ADDRESS, &vxlan.hardware);
        nested(&mut body, IFLA_LINKINFO, |info| {
            name(info, IFLA_INFO_KIND, "vxlan");
            nested(info, IFLA_INFO_DATA, |data| {
                attribute(data, IFLA_VXLAN_ID, &vxlan.id.to_ne_bytes());
                attribute(data, IFLA_VXLAN_LOCAL, &vxlan.local.octets());
                attribute(data, IFLA_VXLAN_LEARNING, &[0]);
                attribute(data, IFLA_VXLAN_PORT, &vxlan.port.to_be_bytes());
            });
        });
        Self { kind: RTM_NEWLINK, flags: NLM_F_CREATE | NLM_F_EXCL, body }
    }

    /// Who has an address on a device.
    pub(super) fn neighbour(index: u32, ip: IpAddr, hardware: [u8; 6]) -> Self {
        let mut body = neighbour(family(ip), index, 0);
        ip_attribute(&mut body, NDA_DST, ip);
        attribute(&mut body, NDA_LLADDR, &hardware);
        Self { kind: RTM_NEWNEIGH, flags: NLM_F_CREATE | NLM_F_REPLACE, body }
    }

    pub(super) fn delete_neighbour(index: u32, ip: IpAddr) -> Self {
        let mut body = neighbour(family(ip), index, 0);
        ip_attribute(&mut body, NDA_DST, ip);
        Self { kind: RTM_DELNEIGH, flags: 0, body }
    }

    /// To which machine an overlay device sends what is for a hardware address.
    pub(super) fn forwarding(index: u32, hardware: [u8; 6], machine: Ipv4Addr) -> Self {
        let mut body = neighbour(libc::AF_BRIDGE as u8, index, NTF_SELF);
        attribute(&mut body, NDA_LLADDR, &hardware);
        attribute(&mut body, NDA_DST, &machine.octets());
        Self { kind: RTM_NEWNEIGH, flags: NLM_F_CREATE | NLM_F_REPLACE, body }
    }

    pub(super) fn delete_forwarding(index: u32, hardware: [u8; 6], machine: Ipv4Addr) -> Self {
        let mut body = neighbour(libc::AF_BRIDGE as u8, index, NTF_SELF);
        attribute(&mut body, NDA_LLADDR, &hardware);
        attribute(&mut body, NDA_DST, &machine.octets());
        Self { kind: RTM_DELNEIGH, flags: 0, body }
    }

    /// Bounds what a link sends, in bits a second, by a token bucket. tc-tbf(8)
    pub(super) fn shape(index: u32, bits: u64) -> Self {
        let short = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX);
        let rate = (bits / 8).max(1);
        let burst = short((rate / BURST_PARTS).max(BURST_BYTES_MIN));
        let limit = burst.saturating_add(short(rate / WAIT_PARTS));
        let mut body = vec![0; 4];
        body.extend(index.to_ne_bytes());
        body.extend(SHAPER.0.to_ne_bytes());
        body.extend(SHAPER.1.to_ne_bytes());
        body.extend(0_u32.to_ne_bytes());
        name(&mut body, TCA_KIND, "tbf");
        nested(&mut body, TCA_OPTIONS, |options| {
            let mut parameters = vec![0, LINKLAYER_ETHERNET, 0, 0, 0, 0, 0, 0];
            parameters.extend(short(rate).to_ne_bytes());
            // No peak rate.
            parameters.extend([0; 12]);
            // The time that the burst lasts and the largest packet follow from what is given below.
            parameters.extend(limit.to_ne_bytes());
            parameters.extend([0; 8]);
            attribute(options, TCA_TBF_PARMS, &parameters);
            attribute(options, TCA_TBF_BURST, &burst.to_ne_bytes());
            attribute(options, TCA_TBF_RATE64, &rate.to_ne_bytes());
        });
        Self { kind: RTM_NEWQDISC, flags: NLM_F_CREATE | NLM_F_REPLACE, body }
    }

    fn write(&self, out: &mut Vec<u8>, sequence: u32) {
        let len = u32::try_from(HEADER + self.body.len()).expect("requests are short");
        out.extend(len.to_ne_bytes());
        out.extend(self.kind.to_ne_bytes());
        out.extend((NLM_F_REQUEST | NLM_F_ACK | self.flags).to_ne_bytes());
        out.extend(sequence.to_ne_bytes());
        out.extend(0_u32.to_ne_bytes());
        out.extend_from_slice(&self.body);
        out.resize(out.len().next_multiple_of(4), 0);
    }
}

/// A netlink socket, of the namespace that it was made in.
#[derive(Debug)]
pub(super) struct Connection {
    socket: OwnedFd,
}

impl Connection {
    pub(super) fn open() -> io::Result<Self> {
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
        Ok(Self { socket })
    }

    pub(super) fn over(socket: OwnedFd) -> Self {
        Self { socket }
    }

    /// Largest packet of a link.
    pub(super) fn mtu(&mut self, index: u32) -> io::Result<u32> {
        self.of_link(index, IFLA_MTU).map(u32::from_ne_bytes)
    }

    /// Hardware address of a link.
    pub(super) fn hardware(&mut self, index: u32) -> io::Result<[u8; 6]> {
        self.of_link(index, IFLA_ADDRESS)
    }

    /// The addresses of IPv4 under that label and those of IPv6 with that mark, and the links that have them.
    pub(super) fn marked(&mut self, label: &str, mark: u8) -> io::Result<BTreeSet<(u32, IpAddr)>> {
        let mut bytes = Vec::new();
        Request { kind: RTM_GETADDR, flags: NLM_F_DUMP, body: vec![0; ADDRESS_HEADER] }.write(&mut bytes, 0);
        loop {
            send(&self.socket, &bytes, SendFlags::empty())?;
            // Addresses came or went meanwhile, and one may be missing.
            if let Some(found) = self.listed(|message| message.marked(label, mark))? {
                return Ok(found);
            }
        }
    }

    /// What a list that was asked for holds; `None` where it is not of one moment.
    fn listed<T: Ord>(&mut self, pick: impl Fn(&Message<'_>) -> Option<T>) -> io::Result<Option<BTreeSet<T>>> {
        let mut buffer = vec![0_u8; 4 * ANSWER_BYTES];
        let mut found = BTreeSet::new();
        let mut whole = true;
        loop {
            let (n, _) = recv(&self.socket, buffer.as_mut_slice(), RecvFlags::empty())?;
            for message in messages(&buffer[..n]) {
                let message = message?;
                whole &= message.flags & NLM_F_DUMP_INTR == 0;
                match message.kind {
                    NLMSG_DONE => return Ok(whole.then_some(found)),
                    NLMSG_ERROR => return Err(io::Error::other("the kernel does not list its addresses")),
                    RTM_NEWADDR => found.extend(pick(&message)),
                    _ => {}
                }
            }
        }
    }

    fn of_link<const N: usize>(&mut self, index: u32, wanted: u16) -> io::Result<[u8; N]> {
        let request = Request { kind: RTM_GETLINK, flags: 0, body: link(index, 0) };
        let mut bytes = Vec::new();
        request.write(&mut bytes, 0);
        send(&self.socket, &bytes, SendFlags::empty())?;
        let mut buffer = vec![0_u8; 4 * ANSWER_BYTES];
        let (n, _) = recv(&self.socket, buffer.as_mut_slice(), RecvFlags::empty())?;
        let found = find_attribute(&buffer[..n], HEADER + LINK_HEADER, wanted);
        let bytes = found.and_then(|value| value.try_into().ok());
        bytes.ok_or_else(|| io::Error::other(format!("the kernel did not tell attribute {wanted} of link {index}")))
    }

    /// Runs the requests in order; the first that fails is the error.
    pub(super) fn run(&mut self, requests: &[Request]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for (sequence, request) in requests.iter().enumerate() {
            request.write(&mut bytes, sequence as u32);
        }
        send(&self.socket, &bytes, SendFlags::empty())?;
        let mut failed = None;
        let mut answered = 0;
        let mut buffer = vec![0_u8; ANSWER_BYTES];
        while answered < requests.len() {
            let (n, _) = recv(&self.socket, buffer.as_mut_slice(), RecvFlags::empty())?;
            for code in answers(&buffer[..n])? {
                answered += 1;
                if code != 0 && failed.is_none() {
                    failed = Some(io::Error::from_raw_os_error(-code));
                }
            }
        }
        failed.map_or(Ok(()), Err)
    }
}

/// The value of an attribute in the first message of a datagram, whose attributes begin at `at`.
fn find_attribute(bytes: &[u8], mut at: usize, wanted: u16) -> Option<&[u8]> {
    let message = u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
    let bytes = bytes.get(..message)?;
    loop {
        let len = usize::from(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(bytes.get(at + 2..at + 4)?.try_into().ok()?);
        let value = bytes.get(at + 4..at + len)?;
        if kind == wanted {
            return Some(value);
        }
        at += len.next_multiple_of(4);
    }
}

/// One message of a datagram, header included.
struct Message<'a> {
    kind: u16,
    flags: u16,
    bytes: &'a [u8],
}

impl Message<'_> {
    /// The address of this message and its link, where it has that label or mark.
    fn marked(&self, label: &str, mark: u8) -> Option<(u32, IpAddr)> {
        let attribute = |wanted| find_attribute(self.bytes, HEADER + ADDRESS_HEADER, wanted);
        let index = u32::from_ne_bytes(self.bytes.get(HEADER + 4..HEADER + ADDRESS_HEADER)?.try_into().ok()?);
        if attribute(IFA_LABEL).and_then(|text| text.strip_suffix(&[0])) == Some(label.as_bytes()) {
            let octets: [u8; 4] = attribute(IFA_LOCAL)?.try_into().ok()?;
            return Some((index, octets.into()));
        }
        let octets: [u8; 16] = attribute(IFA_ADDRESS)?.try_into().ok()?;
        (attribute(IFA_PROTO) == Some(&[mark])).then_some((index, octets.into()))
    }
}

/// The messages of a datagram; an error where one is cut off.
fn messages(mut bytes: &[u8]) -> impl Iterator<Item = io::Result<Message<'_>>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let len = bytes.get(..4).map_or(0, |len| u32::from_ne_bytes([len[0], len[1], len[2], len[3]]) as usize);
        if len < HEADER || len > bytes.len() {
            bytes = &[];
            return Some(Err(io::Error::new(io::ErrorKind::InvalidData, "netlink answer is cut off")));
        }
        let number = |at: usize| u16::from_ne_bytes([bytes[at], bytes[at + 1]]);
        let message = Message { kind: number(4), flags: number(6), bytes: &bytes[..len] };
        bytes = &bytes[len.next_multiple_of(4).min(bytes.len())..];
        Some(Ok(message))
    })
}

/// The codes of the acknowledgements in a datagram.
fn answers(bytes: &[u8]) -> io::Result<Vec<i32>> {
    let mut codes = Vec::new();
    for message in messages(bytes) {
        let message = message?;
        if message.kind == NLMSG_ERROR {
            let code = message.bytes.get(HEADER..HEADER + 4).and_then(|code| code.try_into().ok());
            let code = code.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "netlink answer is cut off"))?;
            codes.push(i32::from_ne_bytes(code));
        }
    }
    Ok(codes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_and_cut_off_ones_refused() {
        let mut bytes = Vec::new();
        for code in [0_i32, -17] {
            bytes.extend(36_u32.to_ne_bytes());
            bytes.extend(NLMSG_ERROR.to_ne_bytes());
            bytes.extend([0; 10]);
            bytes.extend(code.to_ne_bytes());
            bytes.extend([0; 16]);
        }
        assert_eq!(answers(&bytes).unwrap(), [0, -17]);
        assert!(answers(&bytes[..50]).is_err());
        assert!(answers(&[4, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).is_err());
    }

    #[test]
    fn attributes_are_padded_to_four_bytes() {
        let mut out = Vec::new();
        name(&mut out, IFLA_IFNAME, "eth0");
        assert_eq!(out.len(), 12);
        assert_eq!(u16::from_ne_bytes([out[0], out[1]]), 9);
    }
}
