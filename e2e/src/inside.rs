//! The examples that are about the inside of containers: which pods they make, and what host they are tested on.

use crate::Host;
use anyhow::Result;

pub const FILES: [&str; 6] =
    ["volumes.yaml", "security.yaml", "resources.yaml", "names.yaml", "lifecycle.yaml", "probes.yaml"];

/// A pod with users of its own, which not every kernel can have.
pub const USERS: &str = "newer/users.yaml";

pub const PODS: [&str; 13] = [
    "volumes",
    "confined",
    "strict",
    "together",
    "node",
    "guaranteed",
    "burstable",
    "best-effort",
    "whole",
    "names",
    "lifecycle",
    "again",
    "probes",
];

/// A host as systemd leaves it, whose mounts are passed on to whoever has a copy of them; and with a folder for the
/// examples' host paths that is not this machine's.
pub fn host() -> Result<Host> {
    let host = Host::new()?;
    host.read("mount", &["--make-rshared", "/"])?;
    host.read("mount", &["-t", "tmpfs", "tmpfs", "/srv"])?;
    Ok(host)
}
