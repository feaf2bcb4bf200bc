//! Bytes and revisions: the one place where Drover's state lives.
//!
//! A [`Store`] is a flat map from keys (`/registry/<group/resource>/<ns>/<name>`) to bytes, with one revision counter.
//! It knows nothing of Kubernetes: no JSON, no namespaces, no expiry. Three backends (`mem`, `embedded`, `etcd`) obey the
//! contract below; `tests/contract` holds them to it.
//!
//! # Contract
//! - Every committed transaction that writes gets the next revision; all its writes carry that revision.
//! - A read names the revision it shows. `at: None` is linearizable: it shows every write acknowledged before the call.
//! - A watch delivers every committed write below its prefix after `after_rev`, once, in commit order, one [`Batch`] per
//!   revision; it never delivers a write that a crash could still undo. A watch that cannot keep its promise ends with an error.
//! - `compact(rev)` forgets history up to and including `rev`: reads `at < rev` and watches `after_rev < rev` then fail with
//!   `Compacted`. The newest version of every key is never forgotten. Reads at exactly `rev` work.
//! - Deleting an absent key writes nothing; a transaction that writes nothing takes no revision and answers with the
//!   newest one.
//! - Where the expectation of one write does not hold nothing is written; the first that does not is named, with what is there
//!   (for [`Expect::NoneBelow`] the first key of the range).
//! - A watcher that has caught up is told so by `Progress`, and again each time the store's revision moves on.
//! - Compacting what is already compacted does nothing; reading, watching or compacting the future is an error.
//! - An acknowledged write survives `kill -9` and a power cut (mem: nothing survives; etcd: etcd's promise).
#![forbid(unsafe_code)]

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use std::sync::Arc;

pub mod backup;
pub mod embedded;
pub mod etcd;
mod group;
mod history;
pub mod mem;
pub mod open;
mod recent;
mod versioned;
mod watch;

pub use open::{OpenError, open};

/// A store-wide revision: one decimal sequence, comparable as an integer; 0 means "before the first write".
pub type Rev = u64;

/// One key at one revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub key: Arc<str>,
    pub value: Bytes,
    /// Revision of the write that created this incarnation of the key.
    pub create_rev: Rev,
    /// Revision of the last write.
    pub mod_rev: Rev,
}

#[derive(Clone, Debug)]
pub struct RangeRequest {
    /// Keys starting with this; a prefix that ends in `/` names a resource or a namespace.
    pub prefix: String,
    /// Only keys strictly greater than this (the last key of the page before).
    pub after: Option<String>,
    /// At most so many entries; 0 = no limit.
    pub limit: usize,
    /// The state at this revision; `None` = now, linearizable.
    pub at: Option<Rev>,
    pub rest: Rest,
}

/// How exactly a page says what comes after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Whether anything does.
    Whether,
    /// How many entries do, which a backend may have to walk over.
    Counted,
}

#[derive(Clone, Debug)]
pub struct Page {
    pub entries: Vec<Entry>,
    /// Revision that the page shows.
    pub rev: Rev,
    /// Entries of the range that come after this page at the same revision: 0 = the page is the end. As many as there are
    /// only where the request has [`Rest::Counted`].
    pub remaining: u64,
}

/// What a write expects of the key before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    Absent,
    Rev(Rev),
    Any,
    /// No key begins with this one: what a transaction demands of a whole range, and writes nothing for. Comes with no value.
    NoneBelow,
}

#[derive(Clone, Debug)]
pub struct Write {
    pub key: String,
    pub expect: Expect,
    /// `None` deletes.
    pub value: Option<Bytes>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The revision of the transaction.
    pub rev: Rev,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// `prev` is the entry before the write (`None`: the key was created).
    Put { entry: Entry, prev: Option<Entry> },
    /// `prev` is the last version; `rev` the revision of the delete.
    Delete { prev: Entry, rev: Rev },
}

/// All events of one revision below the watched prefix, in the order of the transaction.
#[derive(Clone, Debug)]
pub struct Batch {
    pub rev: Rev,
    pub events: Vec<Event>,
}

#[derive(Clone, Debug)]
pub enum WatchItem {
    Batch(Batch),
    /// Nothing below the prefix changed up to and including this revision (keeps caches fresh for consistent reads).
    Progress(Rev),
}

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("revision {asked} is compacted; the oldest readable is {oldest}")]
    Compacted { asked: Rev, oldest: Rev },
    #[error("revision {asked} is in the future; the newest is {newest}")]
    Future { asked: Rev, newest: Rev },
    #[error("store is unavailable: {0}")]
    Unavailable(String),
}

#[derive(Debug, thiserror::Error)]
pub enum TxnError {
    /// The key of the first write whose expectation did not hold, with what is there now.
    #[error("{key}: expectation not met")]
    Conflict { key: String, found: Option<Entry> },
    #[error(
        "store is full or its disk failed: {0} (free space in the data folder; after an error of the disk, restart)"
    )]
    Full(String),
    /// The outcome is unknown: the caller reads and compares, it never retries blindly.
    #[error("outcome unknown: {0}")]
    Unknown(String),
    #[error("store is unavailable: {0}")]
    Unavailable(String),
}

pub type WatchStream = BoxStream<'static, Result<WatchItem, ReadError>>;

#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The entry and the revision shown; `None` where the key does not exist.
    async fn get(&self, key: &str, at: Option<Rev>) -> Result<(Option<Entry>, Rev), ReadError>;

    async fn range(&self, request: RangeRequest) -> Result<Page, ReadError>;

    /// All writes or none. An empty list is an error of the caller (panics). At most [`TXN_WRITES_MAX`] writes, each key once.
    async fn txn(&self, writes: Vec<Write>) -> Result<Committed, TxnError>;

    /// Events after `after_rev` (exclusive) below `prefix`.
    async fn watch(&self, prefix: &str, after_rev: Rev) -> Result<WatchStream, ReadError>;

    /// The newest committed revision, linearizable.
    async fn rev(&self) -> Result<Rev, ReadError>;

    /// The same where knowing it costs nothing, because the store is in this process; `None` where it would be a question
    /// to another.
    fn rev_at_hand(&self) -> Option<Rev> {
        None
    }

    /// The oldest readable revision, where knowing it costs nothing.
    fn oldest_at_hand(&self) -> Option<Rev> {
        None
    }

    async fn compact(&self, rev: Rev) -> Result<(), ReadError>;

    /// Bytes in use by the backend, for metrics and quotas.
    async fn size(&self) -> Result<u64, ReadError>;
}

/// etcd's default limit of operations in a transaction is 128; all backends keep it so that code cannot depend on more.
pub const TXN_WRITES_MAX: usize = 128;
