//! Waiting for descriptors in tokio.
#![expect(unsafe_code, reason = "tokio takes a promise about the descriptor's life")]

use std::io;
use std::os::fd::OwnedFd;
use tokio::io::unix::AsyncFd;

/// Registers a descriptor with the reactor.
pub(crate) fn register(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an owned descriptor stays open, and the same, until it is dropped with its registration; nobody else can
    // close it.
    unsafe { AsyncFd::register(fd) }.map_err(io::Error::from)
}
