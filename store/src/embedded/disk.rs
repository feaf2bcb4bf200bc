//! The database file: one record per write, keyed by revision, so that writing is appending and reading is one look-up.
//!
//! Owns the record format and what the errors of redb mean. The index over the records is `History`, rebuilt at open.

use super::device::Device;
use crate::group::{Commit, Ground};
use crate::history::{Found, History, Version};
use crate::versioned::Values;
use crate::{Entry, Event, OpenError, ReadError, Rev, TXN_WRITES_MAX};
use bytes::Bytes;
use parking_lot::{MappedRwLockReadGuard, RwLock, RwLockReadGuard};
use redb::{
    Database, ReadOnlyTable, ReadableDatabase, ReadableTable, StorageError, Table, TableDefinition, WriteTransaction,
};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Revision and place in the transaction -> record.
const WRITES: TableDefinition<u64, &[u8]> = TableDefinition::new("writes");
const META: TableDefinition<&str, u64> = TableDefinition::new("meta");

const FORMAT: &str = "format";
const FORMAT_NOW: u64 = 1;
/// The last compaction that was asked for; records that it makes useless may still be there.
const COMPACTED: &str = "compacted";

/// The key that a restored store begins with.
pub(crate) const RESTORED: &str = "/drover/restored";

/// create revision (8), deleted (1), length of the key (2), then key and value.
const HEADER_BYTES: usize = 11;

/// Records erased in one transaction when old ones are found at open.
const ERASE_STEP: usize = 4096;

/// Number of a write within its transaction.
pub(crate) type Nth = u8;

/// The key of a record: revisions in order, and within one the writes in order.
fn record_key(rev: Rev, nth: Nth) -> u64 {
    rev * TXN_WRITES_MAX as u64 + u64::from(nth)
}

fn split_record_key(key: u64) -> (Rev, Nth) {
    let per_txn = TXN_WRITES_MAX as u64;
    (key / per_txn, (key % per_txn) as Nth)
}

struct Record<'a> {
    create_rev: Rev,
    deleted: bool,
    key: &'a str,
    value: &'a [u8],
}

impl<'a> Record<'a> {
    fn of(event: &'a Event) -> Self {
        match event {
            Event::Put { entry, .. } => {
                Self { create_rev: entry.create_rev, deleted: false, key: &entry.key, value: &entry.value }
            }
            Event::Delete { prev, .. } => {
                Self { create_rev: prev.create_rev, deleted: true, key: &prev.key, value: &[] }
            }
        }
    }

    fn bytes(&self) -> usize {
        HEADER_BYTES + self.key.len() + self.value.len()
    }

    fn write(&self, out: &mut [u8]) {
        let (header, rest) = out.split_at_mut(HEADER_BYTES);
        header[..8].copy_from_slice(&self.create_rev.to_le_bytes());
        header[8] = u8::from(self.deleted);
        header[9..].copy_from_slice(&(self.key.len() as u16).to_le_bytes());
        let (key, value) = rest.split_at_mut(self.key.len());
        key.copy_from_slice(self.key.as_bytes());
        value.copy_from_slice(self.value);
    }

    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (create_rev, rest) = bytes.split_first_chunk::<8>()?;
        let (&[deleted, low, high], rest) = rest.split_first_chunk::<3>()?;
        let (key, value) = rest.split_at_checked(usize::from(u16::from_le_bytes([low, high])))?;
        let key = std::str::from_utf8(key).ok()?;
        Some(Self { create_rev: u64::from_le_bytes(*create_rev), deleted: deleted != 0, key, value })
    }
}

enum State {
    Open(Database),
    /// A write has failed, and opening the file again has not worked so far.
    Failed,
    Closed,
}

/// The open database. It is replaced by a fresh one on the same file when a write has failed.
pub(crate) struct Disk {
    state: RwLock<State>,
    device: Device,
    cache_bytes: usize,
}

impl Disk {
    /// Opens the file, repairs what a crash has left, and rebuilds the history from the records.
    pub(crate) fn open(device: Device, cache_bytes: usize, path: &Path) -> Result<(Self, History<Nth>), OpenError> {
        let damaged = |error: redb::Error| match error {
            redb::Error::Io(source) if !means_damage(&source) => OpenError::Io { path: path.to_owned(), source },
            other => OpenError::Corrupt { path: path.to_owned(), detail: other.to_string() },
        };
        let database = open_database(&device, cache_bytes, Verify::Always).map_err(damaged)?;
        prepare(&database).map_err(damaged)?;
        let found = format(&database).map_err(damaged)?;
        if found != FORMAT_NOW {
            return Err(OpenError::Format { path: path.to_owned(), found, expected: FORMAT_NOW });
        }
        let mut history = read_history(&database).map_err(damaged)?;
        while let Some(gone) = history.forget(ERASE_STEP) {
            let transaction = database.begin_write().map_err(|error| damaged(error.into()))?;
            erase(&transaction, &gone).map_err(damaged)?;
            transaction.commit().map_err(|error| damaged(error.into()))?;
        }
        Ok((Self { state: RwLock::new(State::Open(database)), device, cache_bytes }, history))
    }

    /// Lets an empty file count from `rev`: one record of that revision, which means nothing else.
    pub(crate) fn begin_at(&self, rev: Rev) -> Result<(), redb::Error> {
        let record = Record { create_rev: rev, deleted: false, key: RESTORED, value: b"" };
        let transaction = self.begin_write()?;
        {
            let mut writes = open_writes(&transaction)?;
            record.write(writes.insert_reserve(record_key(rev, 0), record.bytes())?.as_mut());
        }
        note_compaction(&transaction, rev)?;
        transaction.commit()?;
        Ok(())
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.device.bytes()
    }

    /// The database; opened again where that has not worked before.
    fn database(&self) -> Result<MappedRwLockReadGuard<'_, Database>, redb::Error> {
        if matches!(*self.state.read(), State::Failed) {
            self.reopen()?;
        }
        let open = RwLockReadGuard::try_map(self.state.read(), |state| match state {
            State::Open(database) => Some(database),
            State::Failed | State::Closed => None,
        });
        open.map_err(|_| redb::Error::DatabaseClosed)
    }

    pub(crate) fn begin_write(&self) -> Result<WriteTransaction, redb::Error> {
        Ok(self.database()?.begin_write()?)
    }

    /// After a failure: a database that shows what was committed before it. Whether writing may go on is the answer.
    pub(crate) fn reopen(&self) -> Result<Usable, redb::Error> {
        let mut state = self.state.write();
        if matches!(*state, State::Closed) {
            return Err(redb::Error::DatabaseClosed);
        }
        *state = State::Failed;
        *state = State::Open(open_database(&self.device, self.cache_bytes, Verify::AfterCrash)?);
        Ok(if self.device.sync_has_failed() { Usable::ReadOnly } else { Usable::Fully })
    }

    /// Gives the pages that nothing uses any more back to the file system. Takes time by the size of the file, so it is done at
    /// open, and only where the disk is nearly full.
    pub(crate) fn shrink(&self) {
        let before = self.device.bytes();
        let shrunk = match &mut *self.state.write() {
            State::Open(database) => database.compact(),
            State::Failed | State::Closed => return,
        };
        match shrunk {
            Ok(_) => tracing::info!(
                before,
                after = self.device.bytes(),
                "the disk is nearly full: the store's file was made smaller"
            ),
            Err(error) => {
                tracing::warn!(%error, "the disk is nearly full, and the store's file cannot be made smaller");
                // Where that does not work either, the next read or write says so.
                drop(self.reopen());
            }
        }
    }

    /// The newest revision in the file, known to the history or not.
    pub(crate) fn newest_rev(&self) -> Result<Rev, redb::Error> {
        let writes = self.database()?.begin_read()?.open_table(WRITES)?;
        Ok(writes.last()?.map_or(0, |(key, _)| split_record_key(key.value()).0))
    }

    pub(crate) fn sync_has_failed(&self) -> bool {
        self.device.sync_has_failed()
    }

    pub(crate) fn close(&self) {
        *self.state.write() = State::Closed;
    }
}

/// What a store can still do after a failed write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Usable {
    Fully,
    ReadOnly,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verify {
    /// Every checksum, whether or not the last run ended well.
    Always,
    /// Only what redb verifies by itself.
    AfterCrash,
}

fn open_database(device: &Device, cache_bytes: usize, verify: Verify) -> Result<Database, redb::Error> {
    let repaired = Arc::new(AtomicBool::new(false));
    let seen = repaired.clone();
    let mut database = Database::builder()
        .set_cache_size(cache_bytes)
        .set_repair_callback(move |_| seen.store(true, Ordering::Relaxed))
        .create_with_backend(device.clone())?;
    if repaired.load(Ordering::Relaxed) {
        tracing::warn!("the store was not closed cleanly: an unfinished last write, if any, is dropped");
    } else if verify == Verify::Always && !database.check_integrity()? {
        return Err(redb::Error::Corrupted("checksums do not match".to_owned()));
    }
    Ok(database)
}

/// Errors that redb gives for a file that is not, or no longer, a database.
fn means_damage(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}

/// Makes the tables of a new database.
fn prepare(database: &Database) -> Result<(), redb::Error> {
    let is_new = {
        let transaction = database.begin_read()?;
        matches!(transaction.open_table(META), Err(redb::TableError::TableDoesNotExist(_)))
    };
    if is_new {
        let transaction = database.begin_write()?;
        transaction.open_table(WRITES)?;
        transaction.open_table(META)?.insert(FORMAT, FORMAT_NOW)?;
        transaction.commit()?;
    }
    Ok(())
}

fn format(database: &Database) -> Result<u64, redb::Error> {
    let meta = database.begin_read()?.open_table(META)?;
    Ok(meta.get(FORMAT)?.map_or(0, |format| format.value()))
}

fn read_history(database: &Database) -> Result<History<Nth>, redb::Error> {
    let transaction = database.begin_read()?;
    let compacted = transaction.open_table(META)?.get(COMPACTED)?.map_or(0, |rev| rev.value());
    let writes = transaction.open_table(WRITES)?;
    let versions = writes.iter()?.map(|record| {
        let (key, record) = record?;
        let (mod_rev, place) = split_record_key(key.value());
        let Some(Record { create_rev, deleted, key, .. }) = Record::parse(record.value()) else {
            return Err(redb::Error::Corrupted(format!("the record of revision {mod_rev} has no meaning")));
        };
        Ok((key.into(), Version { mod_rev, create_rev, place, deleted }))
    });
    History::restored(versions, compacted)
}

pub(crate) type Writes<'t> = Table<'t, u64, &'static [u8]>;

pub(crate) fn open_writes(transaction: &WriteTransaction) -> Result<Writes<'_>, redb::Error> {
    Ok(transaction.open_table(WRITES)?)
}

pub(crate) fn insert(writes: &mut Writes<'_>, commit: &Commit) -> Result<(), redb::Error> {
    for (nth, event) in commit.events.iter().enumerate() {
        let record = Record::of(event);
        let mut out = writes.insert_reserve(record_key(commit.rev, nth as Nth), record.bytes())?;
        record.write(out.as_mut());
    }
    Ok(())
}

/// The value of a version, within a write transaction.
pub(crate) fn read(writes: &impl ReadableTable<u64, &'static [u8]>, rev: Rev, nth: Nth) -> Result<Bytes, StorageError> {
    let record = writes.get(record_key(rev, nth))?;
    let record = record.as_ref().and_then(|record| Record::parse(record.value()));
    let record = record.ok_or_else(|| StorageError::Corrupted(format!("the record of revision {rev} is not there")))?;
    Ok(Bytes::copy_from_slice(record.value))
}

pub(crate) fn erase(transaction: &WriteTransaction, gone: &[(Rev, Nth)]) -> Result<(), redb::Error> {
    let mut writes = open_writes(transaction)?;
    for (rev, nth) in gone {
        writes.remove(record_key(*rev, *nth))?;
    }
    Ok(())
}

pub(crate) fn note_compaction(transaction: &WriteTransaction, rev: Rev) -> Result<(), redb::Error> {
    transaction.open_table(META)?.insert(COMPACTED, rev)?;
    Ok(())
}

impl Values for Disk {
    type Place = Nth;
    type Snapshot = ReadOnlyTable<u64, &'static [u8]>;
    const ON_DISK: bool = true;

    fn snapshot(&self) -> Result<Self::Snapshot, ReadError> {
        let snapshot = || Ok::<_, redb::Error>(self.database()?.begin_read()?.open_table(WRITES)?);
        snapshot().map_err(|error| unavailable(&error))
    }

    fn load(&self, snapshot: &mut Self::Snapshot, mod_rev: Rev, place: &Nth) -> Result<Bytes, ReadError> {
        match read(snapshot, mod_rev, *place) {
            // A write has failed meanwhile, and with it the database that the snapshot is of; the file is fine.
            Err(StorageError::PreviousIo | StorageError::DatabaseClosed) => {
                *snapshot = self.snapshot()?;
                read(snapshot, mod_rev, *place)
            }
            loaded => loaded,
        }
        .map_err(|error| unavailable(&error.into()))
    }
}

fn unavailable(error: &redb::Error) -> ReadError {
    ReadError::Unavailable(error.to_string())
}

/// The committed state, within a write transaction.
pub(crate) struct Newest<'a, 't> {
    pub(crate) history: &'a RwLock<History<Nth>>,
    pub(crate) writes: &'a Writes<'t>,
}

impl Newest<'_, '_> {
    fn entry(&self, found: Option<Found<Nth>>) -> Result<Option<Entry>, redb::Error> {
        let Some(found) = found else { return Ok(None) };
        let value = read(self.writes, found.mod_rev, found.place)?;
        Ok(Some(Entry { key: found.key, value, create_rev: found.create_rev, mod_rev: found.mod_rev }))
    }
}

impl Ground for Newest<'_, '_> {
    type Error = redb::Error;

    fn get(&mut self, key: &str) -> Result<Option<Entry>, redb::Error> {
        let found = {
            let history = self.history.read();
            history.get(key, history.rev())
        };
        self.entry(found)
    }

    fn first_below(&mut self, prefix: &str, gone: &dyn Fn(&str) -> bool) -> Result<Option<Entry>, redb::Error> {
        let found = self.history.read().first_below(prefix, gone);
        self.entry(found)
    }
}
