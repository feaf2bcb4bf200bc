//! An etcd of a benchmark's own.

use super::process::Process;
use anyhow::{Context, Result};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

/// A single member that keeps its data in `folder`.
pub fn start(folder: &Path) -> Result<Process> {
    // Two free ports; nothing else on this machine takes ports while it measures.
    let free = || TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let (client, peer) = (free()?, free()?);
    let (client_url, peer_url) = (format!("http://{client}"), format!("http://{peer}"));
    let mut command = Command::new("etcd");
    command.args(["--name=bench", "--data-dir", &folder.join("etcd").to_string_lossy()]);
    command.args(["--listen-client-urls", &client_url, "--advertise-client-urls", &client_url]);
    command.args(["--listen-peer-urls", &peer_url, "--initial-advertise-peer-urls", &peer_url]);
    command.args(["--initial-cluster", &format!("bench={peer_url}")]);
    Process::other(command, client).context("cannot start etcd")
}
