//! One identity for the API servers of one store: the first of them offers its authorities and its token key there, all
//! others take them. Who can read the store can read every Secret of the cluster anyway; see the ADR.

use super::files::{Secrecy, create_dir, read_optional, write_atomic};
use super::{Pki, PkiError};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use store::{Expect, ReadError, Store, TxnError, Write};

/// Outside of `/registry`, so that no request reaches it.
const KEY: &str = "/drover/identity";
/// What makes the cluster's identity; certificates of a server's own are made from these.
const FILES: &[(&str, Secrecy)] = &[
    ("ca.crt", Secrecy::Public),
    ("ca.key", Secrecy::Secret),
    ("front-proxy-ca.crt", Secrecy::Public),
    ("front-proxy-ca.key", Secrecy::Secret),
    ("sa.key", Secrecy::Secret),
];

#[derive(Debug, thiserror::Error)]
pub enum SharedError {
    #[error(transparent)]
    Pki(#[from] PkiError),
    #[error("cannot read the cluster's identity from the store")]
    Read(#[from] ReadError),
    #[error("cannot offer the cluster's identity in the store")]
    Write(#[from] TxnError),
    #[error("the cluster's identity in the store is damaged: {0} (restore the store from a backup)")]
    Damaged(String),
    #[error(
        "{file} in the data folder is not that of the cluster in the store: this server belongs to another cluster \
         (use another --data-dir, or move its pki folder away)"
    )]
    Other { file: &'static str },
}

#[derive(Serialize, Deserialize)]
struct Offered {
    files: BTreeMap<String, String>,
}

/// Takes the identity that the store has, if it has one.
pub async fn take(store: &dyn Store, dir: &Path) -> Result<(), SharedError> {
    let (Some(entry), _) = store.get(KEY, None).await? else { return Ok(()) };
    let offered: Offered =
        serde_json::from_slice(&entry.value).map_err(|error| SharedError::Damaged(error.to_string()))?;
    create_dir(dir)?;
    for (file, secrecy) in FILES {
        let wanted = offered.files.get(*file).ok_or_else(|| SharedError::Damaged(format!("{file} is missing")))?;
        match read_optional(&dir.join(file), *secrecy)? {
            Some(held) if held == *wanted => {}
            Some(_) => return Err(SharedError::Other { file }),
            None => write_atomic(&dir.join(file), wanted.as_bytes(), *secrecy)?,
        }
    }
    Ok(())
}

/// Offers the identity that was loaded or made; where another server was first, says so.
pub async fn offer(store: &dyn Store, pki: &Pki) -> Result<(), SharedError> {
    let mut files = BTreeMap::new();
    for (file, secrecy) in FILES {
        let text = read_optional(&pki.dir().join(file), *secrecy)?;
        let text = text.ok_or_else(|| SharedError::Damaged(format!("{file} has gone from the data folder")))?;
        files.insert((*file).to_owned(), text);
    }
    let value = serde_json::to_vec(&Offered { files }).expect("texts are always JSON");
    let write = Write { key: KEY.to_owned(), expect: Expect::Absent, value: Some(Bytes::from(value)) };
    match store.txn(vec![write]).await {
        Ok(_) => Ok(()),
        // There already, or a moment earlier by another server: it must be the same.
        Err(TxnError::Conflict { .. } | TxnError::Unknown(_)) => take(store, pki.dir()).await,
        Err(error) => Err(error.into()),
    }
}
