//! Images on this node: a store of unpacked layers shared by all images, archives that are imported, registries that
//! are pulled from and pushed to. Knows nothing about containers but which layers they use.

pub(crate) mod archive;
pub(crate) mod cache;
mod gc;
pub(crate) mod layer;
mod mirror;
pub(crate) mod pull;
pub(crate) mod pulls;
pub(crate) mod push;
mod recipe;
mod reference;
mod remove;
pub(crate) mod save;
pub(crate) mod store;

use serde::{Deserialize, Serialize};
use std::io;
use thiserror::Error;

pub use mirror::{Mirror, MirrorError};
pub(crate) use reference::{parse_reference, repository};
pub(crate) use remove::path as remove_tree;
pub(crate) use store::Store;

/// Why an image is not there; each tells what an operator can do.
#[derive(Debug, Error)]
pub enum ImageError {
    #[error("{0:?} is not an image reference")]
    BadReference(String),
    #[error("no image {0:?} on this node (pull or import it)")]
    NotFound(String),
    #[error("the archive is neither a docker-archive nor an OCI layout: {0}")]
    BadArchive(String),
    #[error("archive entry {path:?} is refused: {reason}")]
    UnsafePath { path: String, reason: &'static str },
    #[error("{what} has digest {found}, expected {expected}")]
    Digest { what: String, expected: String, found: String },
    #[error("image has no variant for this machine ({0})")]
    Platform(String),
    #[error("image has {0} layers, more than {max} cannot be mounted", max = store::LAYERS_MAX)]
    TooManyLayers(usize),
    #[error("layer {0} cannot be written again as it was unpacked (remove the image, then pull or import it again)")]
    NotAsUnpacked(String),
    #[error("{0:?} is not a name of an image (give it one with `drover image tag`)")]
    NotTagged(String),
    #[error("registry refused credentials for {0} (check imagePullSecrets)")]
    Unauthorized(String),
    #[error("registry has no {0}")]
    NotInRegistry(String),
    #[error("registry of {image}: {reason}")]
    Registry { image: String, reason: String },
    #[error("no space left on the disk of the image store (remove images, or free space)")]
    DiskFull,
    #[error("cannot {what}")]
    Io { what: String, source: io::Error },
}

impl ImageError {
    /// Adds what was being done to an I/O error.
    pub(crate) fn doing(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Io { what, source },
        }
    }
}

/// What an image says about how to run it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RunConfig {
    #[serde(rename = "User", deserialize_with = "nullable")]
    pub(crate) user: String,
    #[serde(rename = "Env", deserialize_with = "nullable")]
    pub(crate) env: Vec<String>,
    #[serde(rename = "Entrypoint", deserialize_with = "nullable")]
    pub(crate) entrypoint: Vec<String>,
    #[serde(rename = "Cmd", deserialize_with = "nullable")]
    pub(crate) cmd: Vec<String>,
    #[serde(rename = "WorkingDir", deserialize_with = "nullable")]
    pub(crate) working_dir: String,
    #[serde(rename = "StopSignal", deserialize_with = "nullable")]
    pub(crate) stop_signal: String,
}

/// Builders write null for what they have not.
pub(crate) fn nullable<'de, D: serde::Deserializer<'de>, T: Default + Deserialize<'de>>(d: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(d)?.unwrap_or_default())
}

/// The parts of an image's configuration file that matter here.
#[derive(Debug, Deserialize)]
pub(crate) struct ConfigFile {
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) config: RunConfig,
    pub(crate) rootfs: RootFs,
}

#[derive(Debug, Deserialize)]
pub(crate) struct RootFs {
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) diff_ids: Vec<String>,
}

/// An image as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Digest of its configuration.
    pub(crate) id: String,
    pub(crate) tags: Vec<String>,
    pub(crate) digests: Vec<String>,
    pub(crate) size: u64,
    /// Folders of its layers, the lowest first.
    pub(crate) layers: Vec<String>,
    pub(crate) config: RunConfig,
    pub(crate) raw_config: String,
}

/// Hexadecimal digits of bytes.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, b| {
        write!(text, "{b:02x}").expect("writing to a string cannot fail");
        text
    })
}

/// `sha256:` and the digest of `bytes`.
pub(crate) fn digest(bytes: &[u8]) -> String {
    use sha2::Digest;
    format!("sha256:{}", hex(&sha2::Sha256::digest(bytes)))
}
