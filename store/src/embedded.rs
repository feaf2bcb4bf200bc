//! The store in a folder of this machine: no other service, durable writes, bounded memory.
//!
//! Values are in a redb file, one record per write (see `docs/adr/001-embedded-store.md`); the index over them is in
//! memory. Writers wait for one thread that makes whole groups durable with one sync.

mod device;
mod disk;
mod writer;

pub(crate) use disk::RESTORED;

use crate::group::assert_well_formed;
use crate::versioned::Versioned;
use crate::watch::closed;
use crate::{Committed, Entry, OpenError, Page, RangeRequest, ReadError, Rev, Store, TxnError, WatchStream, Write};
use async_trait::async_trait;
use device::{DataFile, Device, FolderLock};
use disk::Disk;
use parking_lot::Mutex;
use redb::StorageBackend;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot};
use writer::{Command, Limits, Writer};

/// Transactions that wait for the writer; more callers wait to be let in.
const QUEUE_MAX: usize = 1024;

/// What the embedded store may take of the machine.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Memory of the database for pages; the index comes on top, about 200 bytes per key.
    pub cache_bytes: usize,
    /// Below so much free space in the folder nothing new is taken; below a quarter of it nothing at all, so that compaction
    /// still has room to work.
    pub free_min_bytes: u64,
    /// Writes that history holds before the store compacts by itself (about 60 bytes of memory each).
    pub history_writes_max: usize,
}

impl Options {
    pub fn standard() -> Self {
        Self { cache_bytes: 8 << 20, free_min_bytes: 32 << 20, history_writes_max: 1_000_000 }
    }
}

/// Closes when dropped; [`EmbeddedStore::close`] does it where the end should be waited for on purpose.
pub struct EmbeddedStore {
    versioned: Arc<Versioned<Disk>>,
    commands: mpsc::Sender<Command>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl EmbeddedStore {
    /// Opens or makes the store in `folder`. Blocks: it reads every record once.
    pub fn open(folder: &Path, options: Options) -> Result<Arc<Self>, OpenError> {
        let io_error = |path: &Path| {
            let path = path.to_owned();
            move |source| OpenError::Io { path, source }
        };
        std::fs::create_dir_all(folder).map_err(io_error(folder))?;
        let lock = FolderLock::take(folder)?;
        let path = folder.join("data.redb");
        let file = DataFile::open(&path).map_err(io_error(&path))?;
        Self::start(Arc::new(file), &path, Some(lock), options)
    }

    /// Makes a new store in `folder` whose first revision comes after `rev`: what is restored must not look older to clients
    /// than what they have seen. Blocks.
    pub fn create_after(folder: &Path, rev: Rev, options: Options) -> Result<(), OpenError> {
        let path = folder.join("data.redb");
        let io_error = |source| OpenError::Io { path: path.clone(), source };
        std::fs::create_dir_all(folder).map_err(io_error)?;
        if path.exists() {
            return Err(io_error(std::io::ErrorKind::AlreadyExists.into()));
        }
        let _lock = FolderLock::take(folder)?;
        let file: Arc<dyn StorageBackend> = Arc::new(DataFile::open(&path).map_err(io_error)?);
        let device = Device::new(file).map_err(io_error)?;
        let (disk, _) = Disk::open(device, options.cache_bytes, &path)?;
        let begun =
            disk.begin_at(rev).map_err(|error| OpenError::Corrupt { path: path.clone(), detail: error.to_string() });
        disk.close();
        begun
    }

    /// Opens the store on any storage, without a lock and without a look at free space: the seam for fault injection.
    pub fn open_on(storage: Arc<dyn StorageBackend>, options: Options) -> Result<Arc<Self>, OpenError> {
        Self::start(storage, Path::new("storage"), None, options)
    }

    fn start(
        storage: Arc<dyn StorageBackend>,
        path: &Path,
        lock: Option<FolderLock>,
        options: Options,
    ) -> Result<Arc<Self>, OpenError> {
        let io_error = |source| OpenError::Io { path: path.to_owned(), source };
        let device = Device::new(storage).map_err(io_error)?;
        let (disk, history) = Disk::open(device, options.cache_bytes, path)?;
        let is_short = |lock: &FolderLock| lock.free_bytes().is_ok_and(|free| free < options.free_min_bytes);
        if lock.as_ref().is_some_and(is_short) {
            disk.shrink();
        }
        let versioned = Versioned::new(history, disk);
        let (commands, receiver) = mpsc::channel(QUEUE_MAX);
        let limits = Limits { free_min_bytes: options.free_min_bytes, history_writes_max: options.history_writes_max };
        let writer = Writer::new(versioned.clone(), receiver, limits, lock);
        let thread = std::thread::Builder::new().name("store-writer".to_owned());
        let writer = thread.spawn(move || writer.run()).map_err(io_error)?;
        Ok(Arc::new(Self { versioned, commands, writer: Mutex::new(Some(writer)) }))
    }

    /// Lets what waits finish, then closes the file. Later calls fail, watches end.
    pub async fn close(&self) {
        // A writer that has gone already has closed everything.
        drop(self.commands.send(Command::Close).await);
        let writer = self.writer.lock().take();
        if let Some(writer) = writer {
            let joined = tokio::task::spawn_blocking(move || writer.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                tracing::error!("the store's writer ended in a panic");
            }
        }
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        let Some(writer) = self.writer.lock().take() else { return };
        // The writer ends when its queue does: swap in one that nobody reads.
        self.commands = mpsc::channel(1).0;
        if writer.join().is_err() {
            tracing::error!("the store's writer ended in a panic");
        }
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    async fn get(&self, key: &str, at: Option<Rev>) -> Result<(Option<Entry>, Rev), ReadError> {
        self.versioned.get(key, at)
    }

    async fn range(&self, request: RangeRequest) -> Result<Page, ReadError> {
        self.versioned.range(&request).await
    }

    async fn txn(&self, writes: Vec<Write>) -> Result<Committed, TxnError> {
        assert_well_formed(&writes);
        let (reply, outcome) = oneshot::channel();
        let sent = self.commands.send(Command::Txn { writes, reply }).await;
        sent.map_err(|_| TxnError::Unavailable("the store is closed".to_owned()))?;
        outcome.await.unwrap_or_else(|_| Err(TxnError::Unknown("the store was closed meanwhile".to_owned())))
    }

    async fn watch(&self, prefix: &str, after_rev: Rev) -> Result<WatchStream, ReadError> {
        self.versioned.watch(prefix, after_rev)
    }

    async fn rev(&self) -> Result<Rev, ReadError> {
        Ok(self.versioned.history().read().rev())
    }

    fn rev_at_hand(&self) -> Option<Rev> {
        Some(self.versioned.history().read().rev())
    }

    fn oldest_at_hand(&self) -> Option<Rev> {
        Some(self.versioned.history().read().compacted())
    }

    async fn compact(&self, rev: Rev) -> Result<(), ReadError> {
        let (reply, outcome) = oneshot::channel();
        self.commands.send(Command::Compact { rev, reply }).await.map_err(|_| closed())?;
        outcome.await.unwrap_or_else(|_| Err(closed()))
    }

    /// The length of the file. It does not shrink: what a compaction frees is used again.
    async fn size(&self) -> Result<u64, ReadError> {
        Ok(self.versioned.values().bytes())
    }
}
