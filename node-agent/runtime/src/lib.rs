//! Drover's container runtime: a CRI v1 server on a Unix socket. Images, sandboxes, containers and the pod network of
//! one node. It knows nothing of the Kubernetes API; the node agent, or any CRI client, drives it.
//!
//! Three kinds of processes: the server ([`run`]), a small supervisor a pod ([`supervisor::main`]) that outlives the
//! server, and the containers, which are the supervisor's children.

#![deny(unsafe_code)]

mod build;
mod capability;
mod cdi;
mod cgroup;
mod image;
mod init;
mod label;
mod link;
mod net;
mod plan;
mod pods;
mod seccomp;
mod security_profile;
mod serve;
mod service;
mod spec;
mod stream;
pub mod supervisor;
mod sys;
mod wire;

pub use image::{Mirror, MirrorError};
pub use net::announce::Announcer;
pub use net::cni::{CniConfig, CniError};
pub use net::overlay::{OVERHEAD_BYTES, Overlay, OverlayConfig, OverlayPeer, Way, link_mtu};
pub use net::{Masquerade, NetConfig, NetError};
pub use serve::{AtEnd, Config, Error, run};
pub use sys::process::give_back_code;
