//! etcd's watch, followed once for the whole process.
//!
//! It covers the whole keyspace on purpose. Every revision of etcd is then seen as an event, so the hub knows without
//! asking how far it is complete, for every prefix. Progress notifications cannot say that: before etcd 3.4.25 and
//! 3.5.8 they may overtake events.

use super::convert::{Keyspace, ReadFault, read_fault};
use crate::recent::{Recent, below};
use crate::watch::{Source, Tip};
use crate::{Batch, ReadError, Rev};
use async_trait::async_trait;
use etcd_client::{WatchClient, WatchOptions, WatchResponse, WatchStream};
use parking_lot::RwLock;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How long to wait before following again after the connection is lost.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Events of the past that a watcher far behind reads in one step.
const CATCH_UP_EVENTS_MAX: usize = 4096;

/// Events of the past are there: so etcd sends the next ones soon or is not well.
const CATCH_UP_PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Hub {
    client: WatchClient,
    keyspace: Keyspace,
    recent: RwLock<Recent>,
    tip: watch::Sender<Tip>,
}

/// Why following ended.
enum Lost {
    Connection(String),
    /// etcd has forgotten what follows the last revision that was seen.
    Compacted(Rev),
}

impl Hub {
    pub(super) fn new(client: WatchClient, keyspace: Keyspace, rev: Rev) -> Arc<Self> {
        let tip = watch::Sender::new(Tip { rev, closed: false });
        Arc::new(Self { client, keyspace, recent: RwLock::new(Recent::starting_after(rev)), tip })
    }

    /// Follows etcd for ever; ends by being dropped.
    pub(super) async fn follow(self: Arc<Self>) {
        loop {
            match self.follow_once().await {
                Lost::Connection(reason) => {
                    tracing::warn!(reason, "lost etcd's watch; following again from the same revision");
                    tokio::time::sleep(RETRY_AFTER).await;
                }
                Lost::Compacted(rev) => {
                    tracing::warn!(rev, "etcd has compacted what this process has not seen; watches start over");
                    *self.recent.write() = Recent::starting_after(rev);
                    self.tip.send_modify(|tip| tip.rev = rev);
                }
            }
        }
    }

    async fn follow_once(&self) -> Lost {
        let after = self.recent.read().rev();
        let mut stream = match self.open(after).await {
            Ok(stream) => stream,
            Err(error) => return Lost::Connection(error.to_string()),
        };
        loop {
            let response = match stream.message().await {
                Ok(Some(response)) => response,
                Ok(None) => return Lost::Connection("etcd ended the stream".to_owned()),
                Err(error) => return Lost::Connection(error.to_string()),
            };
            if response.canceled() {
                return match response.compact_revision() {
                    0 => Lost::Connection(response.cancel_reason().to_owned()),
                    compacted => Lost::Compacted(compacted as Rev),
                };
            }
            if let Err(error) = self.take(&response) {
                return match error {
                    ReadError::Compacted { oldest, .. } => Lost::Compacted(oldest),
                    other => Lost::Connection(other.to_string()),
                };
            }
        }
    }

    /// etcd's events of the whole keyspace after `after`.
    async fn open(&self, after: Rev) -> Result<WatchStream, etcd_client::Error> {
        let options = WatchOptions::new().with_all_keys().with_start_revision(after as i64 + 1).with_prev_key();
        self.client.clone().watch("", Some(options)).await
    }

    fn take(&self, response: &WatchResponse) -> Result<(), ReadError> {
        let commits = self.keyspace.commits(response)?;
        let Some(rev) = commits.last().map(|last| last.rev) else { return Ok(()) };
        {
            let mut recent = self.recent.write();
            for commit in commits {
                recent.push(Arc::new(commit));
            }
        }
        self.tip.send_modify(|tip| tip.rev = rev);
        Ok(())
    }

    /// Reads from etcd what is no longer at hand, up to where it is again or the step is full.
    async fn catch_up(&self, prefix: &str, cursor: Rev, until: Rev) -> Result<(Vec<Batch>, Rev), ReadError> {
        let unavailable = |reason: String| ReadError::Unavailable(reason);
        let mut stream = self.open(cursor).await.map_err(|error| unavailable(error.to_string()))?;
        let (mut batches, mut to, mut events) = (Vec::new(), cursor, 0);
        while to < until && events < CATCH_UP_EVENTS_MAX {
            let response = tokio::time::timeout(CATCH_UP_PATIENCE, stream.message()).await;
            let response = response.map_err(|_| unavailable("etcd does not send its past events".to_owned()))?;
            let response = match response {
                Ok(Some(response)) => response,
                Ok(None) => return Err(unavailable("etcd ended the stream".to_owned())),
                Err(error) if read_fault(&error) == ReadFault::Compacted => {
                    return Err(ReadError::Compacted { asked: cursor, oldest: cursor + 1 });
                }
                Err(error) => return Err(unavailable(error.to_string())),
            };
            if response.canceled() {
                return Err(match response.compact_revision() {
                    0 => unavailable(response.cancel_reason().to_owned()),
                    compacted => ReadError::Compacted { asked: cursor, oldest: compacted as Rev },
                });
            }
            events += response.events().len();
            let commits: Vec<_> = self.keyspace.commits(&response)?.into_iter().map(Arc::new).collect();
            to = commits.last().map_or(to, |last| last.rev);
            batches.extend(below(&commits, prefix));
        }
        Ok((batches, to))
    }
}

#[async_trait]
impl Source for Hub {
    fn tips(&self) -> watch::Receiver<Tip> {
        self.tip.subscribe()
    }

    async fn step(self: Arc<Self>, prefix: &str, cursor: Rev) -> Result<(Vec<Batch>, Rev), ReadError> {
        let until = {
            let recent = self.recent.read();
            match recent.since(cursor) {
                Some((commits, to)) => return Ok((below(&commits, prefix), to)),
                None => recent.before(),
            }
        };
        self.catch_up(prefix, cursor, until).await
    }
}
