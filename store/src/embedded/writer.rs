//! The one thread that writes: it takes the transactions that wait, makes them durable with one sync, and only then
//! answers and shows them.

use super::device::FolderLock;
use super::disk::{self, Disk, Nth, Usable};
use crate::group::Group;
use crate::versioned::Versioned;
use crate::{Committed, Expect, ReadError, Rev, TxnError, Write};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Transactions in one durable commit. Enough that syncs are not what limits; few enough that the first caller
/// does not wait for long.
const GROUP_TXNS_MAX: usize = 256;

/// Bytes in one durable commit, so that a group of large objects does not hold everybody up either.
const GROUP_BYTES_MAX: usize = 4 << 20;

/// Callers that wrote together a moment ago write together again: while they keep coming, a group waits for them in steps of
/// this length. A sync costs several times what a transaction does, so that a loaded machine writes more, and sooner.
const GATHER_STEP: Duration = Duration::from_micros(200);
/// Steps at most: a group's first caller waits a millisecond for the others, never more.
const GATHER_STEPS_MAX: usize = 5;
/// Fewer callers than this are not waited for.
const CROWD_MIN: usize = 4;

/// Writes erased per turn of the thread, so that a compaction delays no transaction by more than some milliseconds.
const ERASE_STEP: usize = 1024;

pub(super) type Reply<T> = oneshot::Sender<T>;

pub(super) enum Command {
    Txn { writes: Vec<Write>, reply: Reply<Result<Committed, TxnError>> },
    Compact { rev: Rev, reply: Reply<Result<(), ReadError>> },
    Close,
}

/// What bounds the store's use of the machine, and is asked before each group.
pub(super) struct Limits {
    pub(super) free_min_bytes: u64,
    pub(super) history_writes_max: usize,
}

pub(super) struct Writer {
    versioned: Arc<Versioned<Disk>>,
    commands: mpsc::Receiver<Command>,
    limits: Limits,
    /// Held as long as the thread runs; `None` on a storage that is not a folder.
    lock: Option<FolderLock>,
    /// Why nothing can be written any more.
    broken: Option<String>,
    /// The last group met a disk without room.
    is_short: bool,
    /// The index has forgotten records that may still be on disk.
    erasing: bool,
    /// Callers that have written lately, at the same time.
    crowd: usize,
}

/// What the disk has room for.
enum Room {
    Plenty,
    /// Not for new keys, but for changes and deletions: leases are renewed, statuses told, and who wants to make room can.
    ForWhatIsThere(String),
    None(String),
}

/// The part of the least free space that even changes and deletions must leave to compaction.
const LAST_RESERVE: u64 = 4;

/// Whether a transaction may add keys.
fn makes_something_new(writes: &[Write]) -> bool {
    writes.iter().any(|write| write.value.is_some() && !matches!(write.expect, Expect::Rev(_)))
}

struct Waiting {
    writes: Vec<Write>,
    reply: Reply<Result<Committed, TxnError>>,
}

impl Writer {
    pub(super) fn new(
        versioned: Arc<Versioned<Disk>>,
        commands: mpsc::Receiver<Command>,
        limits: Limits,
        lock: Option<FolderLock>,
    ) -> Self {
        Self { versioned, commands, limits, lock, broken: None, is_short: false, erasing: false, crowd: 0 }
    }

    pub(super) fn run(mut self) {
        loop {
            let mut next = match self.turn() {
                Turn::Obey(command) => Some(command),
                Turn::Erase => None,
                Turn::End => break,
            };
            while let Some(command) = next.take() {
                match command {
                    Command::Txn { writes, reply } => next = self.write_group(Waiting { writes, reply }),
                    Command::Compact { rev, reply } => answer(reply, self.compact(rev)),
                    Command::Close => return self.close(),
                }
            }
            self.bound_history();
            if self.erasing {
                self.erase();
            }
        }
        self.close();
    }

    /// What to do next: callers come first, and are waited for only where there is nothing to erase.
    fn turn(&mut self) -> Turn {
        if !self.erasing {
            return self.commands.blocking_recv().map_or(Turn::End, Turn::Obey);
        }
        match self.commands.try_recv() {
            Ok(command) => Turn::Obey(command),
            Err(mpsc::error::TryRecvError::Empty) => Turn::Erase,
            Err(mpsc::error::TryRecvError::Disconnected) => Turn::End,
        }
    }

    /// Writes `first` and all that waits behind it. A command that is not a transaction ends the group and is
    /// handed back.
    fn write_group(&mut self, first: Waiting) -> Option<Command> {
        let mut waiting = vec![first];
        let next = self.gather(&mut waiting);
        let waiting = self.refuse_what_has_no_room(waiting);
        if waiting.is_empty() {
            return next;
        }
        let (writes, replies): (Vec<_>, Vec<_>) =
            waiting.into_iter().map(|Waiting { writes, reply }| (writes, reply)).unzip();
        let together = replies.len();
        match self.commit(writes) {
            Ok((group, outcomes)) => {
                self.versioned.publish(group.into_commits(), |nth, _| nth as Nth);
                for (reply, outcome) in replies.into_iter().zip(outcomes) {
                    answer(reply, outcome);
                }
            }
            Err(error) => {
                let failure = self.recover(&error);
                for reply in replies {
                    answer(reply, Err(failure.to_error()));
                }
            }
        }
        self.crowd = (together + self.commands.len()).max(self.crowd / 2);
        next
    }

    /// Takes what waits behind the first of `waiting`, and what comes while more of the crowd is on its way.
    fn gather(&mut self, waiting: &mut Vec<Waiting>) -> Option<Command> {
        let mut bytes = waiting.iter().map(|first| bytes_of(&first.writes)).sum();
        let mut next = self.take(waiting, &mut bytes);
        for _ in 0..GATHER_STEPS_MAX {
            let before = waiting.len();
            let full = before >= GROUP_TXNS_MAX || bytes >= GROUP_BYTES_MAX;
            if next.is_some() || full || self.crowd < CROWD_MIN || before >= self.crowd {
                break;
            }
            std::thread::sleep(GATHER_STEP);
            next = self.take(waiting, &mut bytes);
            if waiting.len() == before {
                break;
            }
        }
        next
    }

    /// Takes the transactions that wait, up to the first other command.
    fn take(&mut self, waiting: &mut Vec<Waiting>, bytes: &mut usize) -> Option<Command> {
        while waiting.len() < GROUP_TXNS_MAX && *bytes < GROUP_BYTES_MAX {
            match self.commands.try_recv() {
                Ok(Command::Txn { writes, reply }) => {
                    *bytes += bytes_of(&writes);
                    waiting.push(Waiting { writes, reply });
                }
                Ok(other) => return Some(other),
                Err(_) => break,
            }
        }
        None
    }

    /// Makes what holds of `transactions` durable, and says how each came out.
    fn commit(&self, transactions: Vec<Vec<Write>>) -> Result<(Group, Vec<Result<Committed, TxnError>>), redb::Error> {
        let history = self.versioned.history();
        let rev = history.read().rev();
        let mut group = Group::new(rev);
        let transaction = self.versioned.values().begin_write()?;
        let mut outcomes = Vec::with_capacity(transactions.len());
        {
            let mut writes = disk::open_writes(&transaction)?;
            for transaction in transactions {
                outcomes.push(group.stage(transaction, disk::Newest { history, writes: &writes })?);
            }
            for commit in group.commits() {
                disk::insert(&mut writes, commit)?;
            }
        }
        if group.commits().is_empty() {
            transaction.abort()?;
        } else {
            transaction.commit()?;
        }
        Ok((group, outcomes))
    }

    /// Answers the transactions that the disk has no room for, and hands back the others.
    fn refuse_what_has_no_room(&mut self, waiting: Vec<Waiting>) -> Vec<Waiting> {
        let room = self.room();
        let was_short = std::mem::replace(&mut self.is_short, !matches!(room, Room::Plenty));
        let (reason, refused): (String, fn(&[Write]) -> bool) = match room {
            Room::Plenty => {
                if was_short {
                    tracing::info!("the store takes all writes again");
                }
                return waiting;
            }
            Room::ForWhatIsThere(reason) => (reason, makes_something_new),
            Room::None(reason) => (reason, |_| true),
        };
        if !was_short {
            tracing::error!(%reason, "the store refuses writes");
        }
        let (refused, taken): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|waiting| refused(&waiting.writes));
        for Waiting { reply, .. } in refused {
            answer(reply, Err(TxnError::Full(reason.clone())));
        }
        taken
    }

    fn room(&self) -> Room {
        if let Some(reason) = &self.broken {
            return Room::None(reason.clone());
        }
        let Some(lock) = &self.lock else { return Room::Plenty };
        let (free, least) = match lock.free_bytes() {
            Ok(free) => (free, self.limits.free_min_bytes),
            Err(error) => return Room::None(error.to_string()),
        };
        let folder = lock.folder().display();
        if free >= least {
            Room::Plenty
        } else if free >= least / LAST_RESERVE {
            Room::ForWhatIsThere(format!(
                "{free} bytes free in {folder}, {least} needed for anything new; changes and deletions are still taken"
            ))
        } else {
            Room::None(format!("{free} bytes free in {folder}, {least} needed"))
        }
    }

    /// After a failed write: brings the last durable state back, and says what became of the group.
    fn recover(&mut self, error: &redb::Error) -> Failure {
        let shown = self.versioned.history().read().rev();
        let disk = self.versioned.values();
        match disk.reopen().and_then(|usable| Ok((usable, disk.newest_rev()?))) {
            Ok((Usable::Fully, newest)) if newest <= shown => {
                tracing::warn!(%error, "a write to the store failed; nothing of it was kept");
                Failure::NotWritten(error.to_string())
            }
            Ok(_) => {
                tracing::error!(%error, "the store cannot write any more: restart drover once its disk works");
                self.broken = Some(error.to_string());
                Failure::Unknown(error.to_string())
            }
            // Reads and writes try again to open it; this group will be known then, by its revisions.
            Err(reopen) => {
                tracing::error!(%error, %reopen, "a write to the store failed, and so did opening it again");
                self.broken = self.versioned.values().sync_has_failed().then(|| error.to_string());
                Failure::Unknown(format!("{error}; then {reopen}"))
            }
        }
    }

    fn compact(&mut self, rev: Rev) -> Result<(), ReadError> {
        let history = self.versioned.history();
        history.read().knows(rev)?;
        if rev <= history.read().compacted() {
            return Ok(());
        }
        if let Some(reason) = &self.broken {
            return Err(ReadError::Unavailable(reason.clone()));
        }
        let noted = self.transact(|transaction| disk::note_compaction(transaction, rev));
        if let Err(error) = noted {
            self.recover(&error);
            return Err(ReadError::Unavailable(error.to_string()));
        }
        self.versioned.history().write().compact(rev);
        self.erasing = true;
        Ok(())
    }

    /// Compacts by itself where nobody else does.
    fn bound_history(&mut self) {
        let overflow = self.versioned.history().read().overflow(self.limits.history_writes_max);
        let Some(rev) = overflow.filter(|_| self.broken.is_none() && !self.erasing) else { return };
        tracing::warn!(rev, "nobody compacts the store: forgetting the older half of its history");
        if let Err(error) = self.compact(rev) {
            tracing::warn!(%error, "the store cannot forget its history");
        }
    }

    /// Erases some of what the history has forgotten.
    fn erase(&mut self) {
        let Some(gone) = self.versioned.history().write().forget(ERASE_STEP) else {
            self.erasing = false;
            return;
        };
        if gone.is_empty() {
            return;
        }
        if let Err(error) = self.transact(|transaction| disk::erase(transaction, &gone)) {
            // What stays is found and erased at the next open.
            self.erasing = false;
            self.recover(&error);
        }
    }

    fn transact(
        &self,
        work: impl FnOnce(&redb::WriteTransaction) -> Result<(), redb::Error>,
    ) -> Result<(), redb::Error> {
        let transaction = self.versioned.values().begin_write()?;
        work(&transaction)?;
        transaction.commit()?;
        Ok(())
    }

    fn close(self) {
        self.versioned.close();
        self.versioned.values().close();
    }
}

enum Turn {
    Obey(Command),
    Erase,
    End,
}

enum Failure {
    NotWritten(String),
    Unknown(String),
}

impl Failure {
    fn to_error(&self) -> TxnError {
        match self {
            Failure::NotWritten(reason) => TxnError::Full(reason.clone()),
            Failure::Unknown(reason) => TxnError::Unknown(reason.clone()),
        }
    }
}

fn bytes_of(writes: &[Write]) -> usize {
    writes.iter().map(|write| write.key.len() + write.value.as_ref().map_or(0, bytes::Bytes::len)).sum()
}

/// Answers a caller that may have gone: then nobody wants to know.
fn answer<T>(reply: Reply<T>, outcome: T) {
    drop(reply.send(outcome));
}
