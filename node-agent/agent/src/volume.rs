//! The volumes of a pod. What a volume consists of is decided by pure functions, one file for each kind
//! ([`tree`] is their common result); [`writer`] is the one place that writes such a tree, atomically; [`mounter`] makes
//! a pod's volumes and takes them away again; [`sub_path`] hands parts of them to containers.

pub mod atomic;
pub mod empty_dir;
pub mod files;
pub mod host_path;
pub mod in_memory;
pub mod mount_table;
pub mod mounter;
pub mod mounts;
pub mod ownership;
pub mod persistent;
pub mod sub_path;
pub mod usage;
pub mod writer;

use std::collections::BTreeMap;
use std::path::PathBuf;

/// A volume of files: its desired content, whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// By path below the volume's root.
    pub files: BTreeMap<String, File>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    pub bytes: Vec<u8>,
    pub mode: u32,
    /// Who owns it, if not root.
    pub user: Option<u32>,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A ConfigMap, a Secret or a trust bundle is not there.
    #[error("{kind} \"{name}\" not found")]
    Missing { kind: &'static str, name: String },
    #[error("{kind} references non-existent config key: {key}")]
    Key { kind: &'static str, key: String },
    #[error("path {path:?} leaves the volume")]
    Path { path: String },
    #[error("{path:?} is not a regular file of at most {limit} bytes")]
    NotAFile { path: String, limit: u64 },
    #[error("no token of the service account for audience {audience:?} was issued")]
    Token { audience: String },
    #[error("combination of signerName and labelSelector matched zero ClusterTrustBundles")]
    NoBundles,
    #[error("cannot read clustertrustbundle {what}")]
    Bundle { what: String },
    #[error("signer {signer} has issued no certificate")]
    NoCertificate { signer: String },
    #[error("{kind} volumes are not supported yet")]
    Unsupported { kind: String },
    #[error("hostPath type check failed: {path} is not a {wanted}")]
    HostPath { path: String, wanted: &'static str },
    #[error("local volume path {path} does not exist on this node")]
    NoLocalPath { path: String },
    #[error("{path} is not a block device")]
    NotABlockDevice { path: String },
    #[error("{what} {}", path.display())]
    Io {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(transparent)]
    Downward(#[from] crate::pod::downward::Error),
}

impl Error {
    pub(crate) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }

    pub(crate) fn errno(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(rustix::io::Errno) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source: source.into() }
    }
}
