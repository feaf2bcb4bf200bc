//! What the agent is told at its start.

use crate::join::Pair;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;

#[derive(Clone, Debug)]
pub struct Config {
    pub node_name: String,
    /// Where others reach this node: an address, or one of each family, the cluster's first family before.
    pub node_ips: Vec<IpAddr>,
    /// `<data-dir>/agent`
    pub data_dir: PathBuf,
    /// `/var/log/pods`
    pub log_dir: PathBuf,
    /// The Unix socket of the container runtime.
    pub cri_endpoint: PathBuf,
    /// `0.0.0.0:10250`
    pub bind: SocketAddr,
    /// Where programs of this machine ask whether the agent lives: `127.0.0.1:10248`
    pub healthz: Option<SocketAddr>,
    pub cluster_dns: Vec<IpAddr>,
    pub cluster_domain: String,
    pub max_pods: u32,
    pub reserved: Reserved,
    /// How little may be left before pods are ended.
    pub thresholds: crate::evict::threshold::Thresholds,
    pub tls: Tls,
    /// Prefix of all cgroups, usually empty.
    pub cgroup_root: String,
    /// Added to the node's own labels.
    pub labels: BTreeMap<String, String>,
    /// Set when the node registers, never afterwards.
    pub taints: Vec<k8s_openapi::api::core::v1::Taint>,
    /// A folder with pods in files.
    pub static_pod_dir: Option<PathBuf>,
    /// How long pods have to end when the agent is stopped; nothing: they are left alone.
    pub shutdown: crate::shutdown::Grace,
    /// Where to hear that the machine goes down, where pods have time to end.
    pub logind: Option<crate::shutdown::logind::Place>,
    /// Programs that are asked for registries' credentials.
    pub credential_providers: Option<crate::image::provider::Place>,
    /// How long others believe this node when it is silent; it speaks four times as often.
    pub lease_seconds: u32,
    /// The resolver configuration that pods with `dnsPolicy: Default` get.
    pub resolv_conf: PathBuf,
}

/// What pods cannot have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reserved {
    pub cpu_milli: i64,
    pub memory_bytes: i64,
}

/// The node API's certificate, which may be renewed, and the authority of its clients.
#[derive(Clone)]
pub struct Tls {
    pub serving: watch::Receiver<Arc<Serving>>,
    pub client_ca_pem: Vec<u8>,
}

/// A serving certificate with its key.
#[derive(Clone, PartialEq, Eq)]
pub struct Serving {
    pub cert_pem: Vec<u8>,
    pub key_pem: Vec<u8>,
}

impl Tls {
    /// With a certificate that stays.
    pub fn fixed(serving: Serving, client_ca_pem: Vec<u8>) -> Self {
        Self { serving: watch::channel(Arc::new(serving)).1, client_ca_pem }
    }
}

impl From<&Pair> for Serving {
    fn from(pair: &Pair) -> Self {
        Self { cert_pem: pair.cert_pem.clone().into_bytes(), key_pem: pair.key_pem.clone().into_bytes() }
    }
}

impl std::fmt::Debug for Serving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Serving").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

pub struct Deps {
    /// With the node's own identity, `system:node:<name>`.
    pub client: kube::Client,
    pub clock: Arc<dyn client::clock::Clock>,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot use the container runtime at {}", path.display())]
    Runtime {
        path: PathBuf,
        #[source]
        source: crate::cri::Error,
    },
    #[error("cannot listen on {address} (is another agent running?)")]
    Listen {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error("the node API's certificates are not usable: {reason}")]
    Tls { reason: String },
    #[error("cannot prepare {}", path.display())]
    Folder {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the credential providers cannot be used")]
    CredentialProviders(#[source] crate::image::provider::config::Error),
    #[error("a part of the agent ended early")]
    Task(#[source] tokio::task::JoinError),
}
