//! What this machine is called, at which address others reach it, and whom it asks for names.

use anyhow::{Context, Result, ensure};
use std::net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket};

/// The host name, as Kubernetes wants node names: lower case.
pub(crate) fn hostname() -> Result<String> {
    let name = nix::unistd::gethostname().context("cannot read the host name")?;
    Ok(name.to_string_lossy().to_lowercase())
}

/// The address from which this machine would reach the world; the loopback one where it has no route.
pub(crate) fn address() -> IpAddr {
    // Connecting a UDP socket sends nothing: it only asks the routing table. The address is of the documentation range.
    let probe = || -> std::io::Result<IpAddr> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.connect((Ipv4Addr::new(203, 0, 113, 1), 9))?;
        Ok(socket.local_addr()?.ip())
    };
    probe().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
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

/// The name servers of this machine.
pub(crate) fn name_servers() -> Vec<IpAddr> {
    match std::fs::read_to_string(RESOLV_CONF) {
        Ok(text) => {
            let servers = agent::pod::dns::parse_resolv_conf(&text).servers;
            servers.iter().filter_map(|server| server.parse().ok()).collect()
        }
        Err(error) => {
            tracing::warn!(%error, "cannot read {RESOLV_CONF}: pods will find no names outside of the cluster");
            Vec::new()
        }
    }
}
