//! A store from its name on the command line: `embedded`, `mem`, or `etcd://host:port,host:port`.

use crate::Store;
use crate::embedded::{EmbeddedStore, Options};
use crate::etcd::{EtcdConfig, EtcdStore};
use crate::mem::MemStore;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("unknown store {0:?} (use `embedded`, `mem`, or `etcd://host:port,host:port`)")]
    Spec(String),
    #[error(
        "{} is in use by process {pid} (stop it, or use another data folder)",
        path.display(), pid = pid.map_or_else(|| "unknown".to_owned(), |pid| pid.to_string())
    )]
    Locked { path: PathBuf, pid: Option<u32> },
    #[error("{} is damaged: {detail} (move it away and restore a backup; nothing was changed)", path.display())]
    Corrupt { path: PathBuf, detail: String },
    #[error("{} was written by another version of drover: format {found}, expected {expected}", path.display())]
    Format { path: PathBuf, found: u64, expected: u64 },
    #[error("cannot use {} as the store (check that the folder exists, is writable, and has free space)", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("cannot reach etcd at {endpoints}: {detail} (check the addresses, and that etcd runs)")]
    Etcd { endpoints: String, detail: String },
}

/// Opens the store that `spec` names; `data_dir` is the folder of the embedded one, and made where it is missing.
pub async fn open(spec: &str, data_dir: &Path) -> Result<Arc<dyn Store>, OpenError> {
    match spec.split_once("://") {
        None if spec == "mem" => Ok(Arc::new(MemStore::new())),
        None if spec == "embedded" => {
            let data_dir = data_dir.to_owned();
            let opened = tokio::task::spawn_blocking(move || EmbeddedStore::open(&data_dir, Options::standard())).await;
            Ok(opened.expect("opening does not panic: every failure of it is an error")?)
        }
        Some(("etcd", hosts)) if !hosts.is_empty() => Ok(EtcdStore::connect(EtcdConfig::plain(hosts)).await?),
        _ => Err(OpenError::Spec(spec.to_owned())),
    }
}
