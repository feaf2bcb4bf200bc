//! The file below the database: the seam where tests inject failing and torn writes, and where a failed sync is noted.

use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::OpenError;
use redb::StorageBackend;

/// A plain file as the database's storage. It grows sparsely; `free_bytes` is asked before it does.
#[derive(Debug)]
pub(crate) struct DataFile(File);

impl DataFile {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        // The name of a new file is durable only when its folder is.
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(Self(file))
    }
}

impl StorageBackend for DataFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_all_at(data, offset)
    }
}

/// A storage that outlives the database on it, so that after a failed write the database can be opened anew.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    storage: Arc<dyn StorageBackend>,
    len: Arc<AtomicU64>,
    sync_failed: Arc<AtomicBool>,
}

impl Device {
    pub(crate) fn new(storage: Arc<dyn StorageBackend>) -> io::Result<Self> {
        let len = Arc::new(AtomicU64::new(storage.len()?));
        Ok(Self { storage, len, sync_failed: Arc::default() })
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.len.load(Ordering::Relaxed)
    }

    /// After a failed sync nobody knows what is on the disk: the kernel may have dropped the dirty pages.
    pub(crate) fn sync_has_failed(&self) -> bool {
        self.sync_failed.load(Ordering::Acquire)
    }
}

impl StorageBackend for Device {
    fn len(&self) -> io::Result<u64> {
        self.storage.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.storage.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.storage.set_len(len)?;
        self.len.store(len, Ordering::Relaxed);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.storage.sync_data().inspect_err(|_| self.sync_failed.store(true, Ordering::Release))
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.storage.write(offset, data)
    }
}

/// Holds a store's folder for this process, by a lock that the kernel drops when the process ends.
#[derive(Debug)]
pub(crate) struct FolderLock {
    folder: PathBuf,
    file: File,
}

impl Drop for FolderLock {
    /// A child that another thread is about to start holds the file until it has become its program: closing alone would
    /// not let go of the lock at once.
    fn drop(&mut self) {
        if let Err(error) = flock(&self.file, FlockOperation::Unlock) {
            tracing::debug!(%error, "the folder's lock goes with the process");
        }
    }
}

impl FolderLock {
    pub(crate) fn take(folder: &Path) -> Result<Self, OpenError> {
        let path = folder.join("lock");
        let io_error = |source| OpenError::Io { path: path.clone(), source };
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(io_error)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut holder = String::new();
                let pid = file.read_to_string(&mut holder).ok().and_then(|_| holder.trim().parse().ok());
                return Err(OpenError::Locked { path: folder.to_owned(), pid });
            }
            Err(errno) => return Err(io_error(errno.into())),
        }
        file.set_len(0).map_err(io_error)?;
        file.rewind().map_err(io_error)?;
        writeln!(file, "{}", std::process::id()).map_err(io_error)?;
        Ok(Self { folder: folder.to_owned(), file })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Bytes that this process may still write in the folder.
    pub(crate) fn free_bytes(&self) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(&self.folder)?;
        Ok(stat.f_bavail * stat.f_frsize)
    }
}
