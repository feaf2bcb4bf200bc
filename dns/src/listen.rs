//! The sockets: on the address that the node has in the pod network, which may come into being later than they do.

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with, sockopt};
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use tokio::net::{TcpListener, UdpSocket};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;

pub(crate) struct Sockets {
    pub(crate) udp: UdpSocket,
    pub(crate) tcp: TcpListener,
}

/// Binds both, whether or not some interface has the address already: the bridge comes with the first pod.
pub(crate) fn open(address: SocketAddr) -> io::Result<Sockets> {
    let udp = std::net::UdpSocket::from(bound(address, SocketType::DGRAM)?);
    let tcp = bound(address, SocketType::STREAM)?;
    listen(&tcp, BACKLOG)?;
    let tcp = std::net::TcpListener::from(tcp);
    Ok(Sockets { udp: UdpSocket::from_std(udp)?, tcp: TcpListener::from_std(tcp)? })
}

fn bound(address: SocketAddr, ty: SocketType) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, ty, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    sockopt::set_ip_freebind(&socket, true)?;
    if ty == SocketType::STREAM {
        sockopt::set_socket_reuseaddr(&socket, true)?;
    }
    bind(&socket, &address)?;
    Ok(socket)
}
