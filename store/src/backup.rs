//! Everything that a store holds at one revision, as bytes: what a backup carries from one store into another, of
//! whichever kind.
//!
//! The form: a line of magic, then for each entry the lengths of key and value (4 and 8 bytes, little endian) with both,
//! and at the end two lengths of zero, the revision, and the SHA-256 of all before it. What is cut off has no end.

use crate::embedded::RESTORED;
use crate::{Expect, RangeRequest, ReadError, Rest as Following, Rev, Store, TXN_WRITES_MAX, TxnError, Write};
use bytes::{BufMut, Bytes, BytesMut};
use futures::Stream;
use sha2::{Digest as _, Sha256};
use std::io::{self, Read};
use std::sync::Arc;

const MAGIC: &[u8] = b"drover-backup 1\n";
/// Entries read at once: bounds what a backup holds in memory.
const PAGE_ENTRIES: usize = 200;
/// Marks of servers that live; those of another time mean nothing.
const MARKS: &str = "/drover/servers/";
/// What a cluster has in its store.
const OURS: [&str; 2] = ["/registry/", "/drover/"];
/// Bytes that are written at once: etcd refuses requests of more than 1.5 MiB.
const WRITE_BYTES_MAX: usize = 1 << 20;
/// Longer keys are none of ours.
const KEY_BYTES_MAX: u32 = 4096;
/// Longer values are none of ours.
const VALUE_BYTES_MAX: u64 = 64 << 20;

#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error("the backup cannot be read")]
    Read(#[source] io::Error),
    #[error("this is not a backup of drover, or of another version")]
    Magic,
    #[error("the backup is damaged: {0}")]
    Damaged(&'static str),
    #[error("the store holds {key} already: restore into an empty one")]
    NotEmpty { key: String },
    #[error("the store cannot be read")]
    Store(#[from] ReadError),
    #[error("the store cannot be written")]
    Write(#[from] TxnError),
}

/// What is left to say.
enum Rest {
    Pages { rev: Option<Rev>, after: Option<String> },
    End,
}

/// The backup of what `store` shows now, piece by piece. Writes go on meanwhile.
pub fn stream(store: Arc<dyn Store>) -> impl Stream<Item = Result<Bytes, ReadError>> + Send {
    let start = (Rest::Pages { rev: None, after: None }, Sha256::new());
    futures::stream::unfold(Some((store, start)), |state| async move {
        let (store, (rest, mut digest)) = state?;
        let Rest::Pages { rev, after } = rest else { return None };
        let first = rev.is_none();
        let request =
            RangeRequest { prefix: String::new(), after, limit: PAGE_ENTRIES, at: rev, rest: Following::Whether };
        let page = match store.range(request).await {
            Ok(page) => page,
            Err(error) => return Some((Err(error), None)),
        };
        let mut out = BytesMut::new();
        if first {
            out.put_slice(MAGIC);
        }
        for entry in page.entries.iter().filter(|entry| !entry.key.starts_with(MARKS)) {
            out.put_u32_le(entry.key.len() as u32);
            out.put_u64_le(entry.value.len() as u64);
            out.put_slice(entry.key.as_bytes());
            out.put_slice(&entry.value);
        }
        let last = page.entries.last().map(|entry| entry.key.to_string());
        let next = if page.remaining == 0 || last.is_none() {
            out.put_u32_le(0);
            out.put_u64_le(0);
            out.put_u64_le(page.rev);
            digest.update(&out);
            out.put_slice(&digest.finalize_reset());
            Rest::End
        } else {
            digest.update(&out);
            Rest::Pages { rev: Some(page.rev), after: last }
        };
        Some((Ok(out.freeze()), Some((store, (next, digest)))))
    })
}

/// Reads a whole backup; what it calls itself is checked before anything is done with it.
pub struct Backup {
    entries: Vec<(String, Bytes)>,
    /// The revision that it shows.
    pub rev: Rev,
}

impl Backup {
    pub fn read(mut from: impl Read) -> Result<Self, RestoreError> {
        let mut digest = Sha256::new();
        let mut magic = [0; MAGIC.len()];
        take(&mut from, &mut digest, &mut magic)?;
        if magic != MAGIC {
            return Err(RestoreError::Magic);
        }
        let mut entries = Vec::new();
        loop {
            let (mut key_len, mut value_len) = ([0; 4], [0; 8]);
            take(&mut from, &mut digest, &mut key_len)?;
            take(&mut from, &mut digest, &mut value_len)?;
            let (key_len, value_len) = (u32::from_le_bytes(key_len), u64::from_le_bytes(value_len));
            if key_len == 0 {
                break;
            }
            if key_len > KEY_BYTES_MAX || value_len > VALUE_BYTES_MAX {
                return Err(RestoreError::Damaged("an entry is too long"));
            }
            let (mut key, mut value) = (vec![0; key_len as usize], vec![0; value_len as usize]);
            take(&mut from, &mut digest, &mut key)?;
            take(&mut from, &mut digest, &mut value)?;
            let key = String::from_utf8(key).map_err(|_| RestoreError::Damaged("a key is not text"))?;
            entries.push((key, Bytes::from(value)));
        }
        let mut rev = [0; 8];
        take(&mut from, &mut digest, &mut rev)?;
        let mut sum = [0; 32];
        from.read_exact(&mut sum).map_err(cut_off)?;
        if digest.finalize().as_slice() != sum {
            return Err(RestoreError::Damaged("its checksum does not match"));
        }
        Ok(Self { entries, rev: Rev::from_le_bytes(rev) })
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether `store` has nothing of a cluster yet, be it objects or another cluster's identity.
    pub async fn check_empty(store: &dyn Store) -> Result<(), RestoreError> {
        for prefix in OURS {
            // A store that is made to be restored into begins with a mark.
            let request =
                RangeRequest { prefix: prefix.to_owned(), after: None, limit: 2, at: None, rest: Following::Whether };
            let found = store.range(request).await?.entries.into_iter().find(|entry| *entry.key != *RESTORED);
            if let Some(entry) = found {
                return Err(RestoreError::NotEmpty { key: entry.key.to_string() });
            }
        }
        Ok(())
    }

    /// Writes all of it into a store that has nothing of a cluster yet.
    pub async fn restore(&self, store: &dyn Store) -> Result<(), RestoreError> {
        Self::check_empty(store).await?;
        for part in parts(&self.entries) {
            let write = |(key, value): &(String, Bytes)| Write {
                key: key.clone(),
                expect: Expect::Any,
                value: Some(value.clone()),
            };
            store.txn(part.iter().map(write).collect()).await?;
        }
        Ok(())
    }
}

/// In their order, each so small that every store takes it at once.
fn parts(mut entries: &[(String, Bytes)]) -> impl Iterator<Item = &[(String, Bytes)]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fit = entries.iter().take(TXN_WRITES_MAX).take_while(|(key, value)| {
            bytes += key.len() + value.len();
            bytes <= WRITE_BYTES_MAX
        });
        // One that is too large for itself goes alone.
        let (part, rest) = entries.split_at(fit.count().max(1).min(entries.len()));
        entries = rest;
        (!part.is_empty()).then_some(part)
    })
}

fn take(from: &mut impl Read, digest: &mut Sha256, into: &mut [u8]) -> Result<(), RestoreError> {
    from.read_exact(into).map_err(cut_off)?;
    digest.update(&*into);
    Ok(())
}

fn cut_off(error: io::Error) -> RestoreError {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        RestoreError::Damaged("it is cut off")
    } else {
        RestoreError::Read(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mem::MemStore;
    use futures::TryStreamExt;

    async fn filled(count: usize) -> Arc<dyn Store> {
        let store: Arc<dyn Store> = Arc::new(MemStore::new());
        for at in 0..count {
            let value = Some(Bytes::from(vec![at as u8; at]));
            let write = Write { key: format!("/registry/pods/a/{at:04}"), expect: Expect::Absent, value };
            store.txn(vec![write]).await.unwrap();
        }
        store
    }

    async fn all(store: &Arc<dyn Store>) -> Vec<(String, Bytes)> {
        let request = RangeRequest { prefix: String::new(), after: None, limit: 0, at: None, rest: Following::Whether };
        let page = store.range(request).await.unwrap();
        page.entries.into_iter().map(|entry| (entry.key.to_string(), entry.value)).collect()
    }

    #[tokio::test]
    async fn what_was_backed_up_comes_back_whole_or_not_at_all() {
        let store = filled(450).await;
        let pieces: Vec<Bytes> = stream(Arc::clone(&store)).try_collect().await.unwrap();
        let bytes = pieces.concat();
        let backup = Backup::read(bytes.as_slice()).unwrap();
        assert_eq!((backup.len(), backup.rev), (450, 450));
        let other: Arc<dyn Store> = Arc::new(MemStore::new());
        backup.restore(other.as_ref()).await.unwrap();
        assert_eq!(all(&other).await, all(&store).await);
        assert!(matches!(backup.restore(other.as_ref()).await, Err(RestoreError::NotEmpty { .. })));

        let mut flipped = bytes.clone();
        flipped[1000] ^= 1;
        assert!(matches!(Backup::read(flipped.as_slice()), Err(RestoreError::Damaged(_))));
        assert!(matches!(Backup::read(&bytes[..bytes.len() - 1]), Err(RestoreError::Damaged("it is cut off"))));
        assert!(matches!(Backup::read(&b"something else entirely"[..]), Err(RestoreError::Magic)));
    }

    #[test]
    fn what_is_written_at_once_is_few_and_small() {
        let entry = |bytes: usize| (String::new(), Bytes::from(vec![0; bytes]));
        let sizes = |entries: &[(String, Bytes)]| parts(entries).map(<[_]>::len).collect::<Vec<_>>();
        assert_eq!(sizes(&vec![entry(1); 300]), [128, 128, 44]);
        assert_eq!(sizes(&vec![entry(400_000); 5]), [2, 2, 1]);
        assert_eq!(sizes(&[entry(1), entry(2 << 20), entry(1)]), [1, 1, 1]);
        assert_eq!(sizes(&[]), [0; 0]);
    }

    #[tokio::test]
    async fn the_identity_of_another_cluster_is_in_the_way_too() {
        let store = MemStore::new();
        let write = Write { key: "/drover/identity".to_owned(), expect: Expect::Absent, value: Some(Bytes::new()) };
        store.txn(vec![write]).await.unwrap();
        let refused = Backup { entries: Vec::new(), rev: 1 }.restore(&store).await.unwrap_err();
        assert_eq!(refused.to_string(), "the store holds /drover/identity already: restore into an empty one");
    }
}
