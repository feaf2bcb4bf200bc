//! What this machine is called, at which address others reach it, and whom it asks for names.

use crate::args::NodeIps;
use anyhow::{Context, Result, ensure};
use kinds::ip::Family;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};

/// The host name, as Kubernetes wants node names: lower case.
pub(crate) fn hostname() -> Result<String> {
    let name = nix::unistd::gethostname().context("cannot read the host name")?;
    Ok(name.to_string_lossy().to_lowercase())
}

/// The address from which this machine would reach the world over IPv4; the loopback one where it has no route.
pub(crate) fn address() -> IpAddr {
    // Addresses of the documentation ranges.
    source(Ipv4Addr::new(203, 0, 113, 1).into()).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

/// That of IPv6, where this machine has one that others may use.
fn address6() -> Option<IpAddr> {
    let ip = source(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into())?;
    let usable =
        matches!(ip, IpAddr::V6(ip) if !ip.is_loopback() && !ip.is_unspecified() && !ip.is_unicast_link_local());
    usable.then_some(ip)
}

/// From where this machine would send. Connecting a UDP socket sends nothing: it only asks the routing table.
fn source(to: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((to, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// Where others reach this machine: what was asked for, or an address of IPv4 and one of IPv6 where there is one.
pub(crate) fn addresses(asked: Option<&NodeIps>) -> Vec<IpAddr> {
    asked.map_or_else(|| [address()].into_iter().chain(address6()).collect(), |asked| asked.all().to_vec())
}

/// Those that matter in a cluster of these families, in their order; all where none does.
pub(crate) fn of_families(addresses: &[IpAddr], families: impl Iterator<Item = Family>) -> Vec<IpAddr> {
    let of = |family| addresses.iter().copied().find(|ip| Family::of(*ip) == family);
    let found: Vec<IpAddr> = families.filter_map(of).collect();
    if found.is_empty() { addresses.to_vec() } else { found }
}

/// Every address of a machine in a cluster of these families.
pub(crate) fn any_address(mut families: impl Iterator<Item = Family>) -> IpAddr {
    // Takes IPv4 too.
    if families.any(|family| family == Family::V6) {
        Ipv6Addr::UNSPECIFIED.into()
    } else {
        Ipv4Addr::UNSPECIFIED.into()
    }
}

/// Two nodes in one network namespace would take each other's rules and addresses away: the second one is to do nothing.
pub(crate) fn require_free_port(port: u16) -> Result<()> {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).map(drop).with_context(|| {
        format!("cannot listen on port {port}, the node's own: does another node run on this machine?")
    })
}

/// Others are to reach this machine there.
pub(crate) fn require_own_address(ip: IpAddr) -> Result<()> {
    UdpSocket::bind((ip, 0)).map(drop).with_context(|| format!("--node-ip {ip} is not an address of this machine"))
}

/// Namespaces, mounts and iptables need root.
pub(crate) fn require_root(what: &str) -> Result<()> {
    ensure!(nix::unistd::geteuid().is_root(), "{what} needs root (try: sudo drover ..)");
    Ok(())
}

/// Says which name servers the machine asks.
pub(crate) const RESOLV_CONF: &str = "/etc/resolv.conf";

/// The name servers of this machine, and the domains in which it looks for names.
pub(crate) fn name_servers() -> (Vec<IpAddr>, Vec<String>) {
    match std::fs::read_to_string(RESOLV_CONF) {
        Ok(text) => {
            let config = agent::pod::dns::parse_resolv_conf(&text);
            (config.servers.iter().filter_map(|server| server.parse().ok()).collect(), config.searches)
        }
        Err(error) => {
            tracing::warn!(%error, "cannot read {RESOLV_CONF}: pods will find no names outside of the cluster");
            (Vec::new(), Vec::new())
        }
    }
}
