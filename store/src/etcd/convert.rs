//! Between etcd's words and the contract's: keys, entries, events, errors.

use crate::group::Commit;
use crate::{Entry, Event, ReadError, Rev, TxnError};
use bytes::Bytes;
use etcd_client::{Error, EventType, KeyValue, ResponseHeader, WatchResponse};
use std::sync::Arc;

/// The keys of this store within etcd: those below a prefix.
#[derive(Clone, Debug)]
pub(super) struct Keyspace {
    prefix: Arc<str>,
}

impl Keyspace {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.into() }
    }

    /// etcd's name for `key`. The empty key does not exist in etcd: a NUL stands for it, and sorts as early.
    pub(super) fn key(&self, key: &str) -> Vec<u8> {
        let name = [self.prefix.as_bytes(), key.as_bytes()].concat();
        if name.is_empty() { vec![0] } else { name }
    }

    /// The first name after that of `key`.
    pub(super) fn key_after(&self, key: &str) -> Vec<u8> {
        let mut name = self.key(key);
        name.push(0);
        name
    }

    /// First name and end (exclusive) of the keys below `prefix` and after `after`.
    pub(super) fn range(&self, prefix: &str, after: Option<&str>) -> (Vec<u8>, Vec<u8>) {
        let start = match after {
            Some(after) if after >= prefix => self.key_after(after),
            _ => self.key(prefix),
        };
        (start, end_of(&self.key(prefix)))
    }

    pub(super) fn entry(&self, found: KeyValue) -> Result<Entry, ReadError> {
        let (create_rev, mod_rev) = (found.create_revision() as Rev, found.mod_revision() as Rev);
        let (name, value) = found.into_key_value();
        let key = self.own(&name).ok_or_else(|| foreign(&name))?;
        Ok(Entry { key, value: Bytes::from(value), create_rev, mod_rev })
    }

    /// Our key of that name; `None` where it is not one of ours.
    fn own(&self, name: &[u8]) -> Option<Arc<str>> {
        let key = name.strip_prefix(self.prefix.as_bytes())?;
        std::str::from_utf8(key).ok().map(Arc::from)
    }

    /// The commits of a watch response, whole revisions; events of foreign keys are left out, their revisions are not.
    pub(super) fn commits(&self, response: &WatchResponse) -> Result<Vec<Commit>, ReadError> {
        let mut commits: Vec<Commit> = Vec::new();
        for event in response.events() {
            let Some(now) = event.kv() else { continue };
            let rev = now.mod_revision() as Rev;
            if commits.last().is_none_or(|last| last.rev != rev) {
                commits.push(Commit { rev, events: Vec::new() });
            }
            if self.own(now.key()).is_none() {
                continue;
            }
            let prev = event.prev_kv().map(|prev| self.entry(prev.clone())).transpose()?;
            let lost = || ReadError::Compacted { asked: rev - 1, oldest: rev };
            let event = match event.event_type() {
                // A second version whose first is gone: compacted between the write and the watch.
                EventType::Put if prev.is_none() && now.version() > 1 => return Err(lost()),
                EventType::Put => Event::Put { entry: self.entry(now.clone())?, prev },
                EventType::Delete => Event::Delete { prev: prev.ok_or_else(lost)?, rev },
            };
            if let Some(last) = commits.last_mut() {
                last.events.push(event);
            }
        }
        Ok(commits)
    }
}

/// The first name after all that start with `prefix`; a NUL is etcd's "no end".
fn end_of(prefix: &[u8]) -> Vec<u8> {
    let kept = prefix.iter().rposition(|byte| *byte < 0xff);
    match kept {
        Some(last) if prefix != [0] => {
            let mut end = prefix[..=last].to_vec();
            end[last] += 1;
            end
        }
        _ => vec![0],
    }
}

fn foreign(name: &[u8]) -> ReadError {
    ReadError::Unavailable(format!("etcd holds a key that is not text: {}", name.escape_ascii()))
}

pub(super) fn header_rev(header: Option<&ResponseHeader>) -> Rev {
    header.map_or(0, |header| header.revision() as Rev)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReadFault {
    Compacted,
    Future,
    Unavailable,
}

pub(super) fn read_fault(error: &Error) -> ReadFault {
    // etcd: api/v3/rpctypes: ErrGRPCCompacted and ErrGRPCFutureRev share the code OUT_OF_RANGE.
    match error {
        Error::GRpcStatus(status) if status.message().contains("revision has been compacted") => ReadFault::Compacted,
        Error::GRpcStatus(status) if status.message().contains("is a future revision") => ReadFault::Future,
        _ => ReadFault::Unavailable,
    }
}

/// Only what etcd itself refused is known not to be written; every other reply may be one that was lost on the way.
pub(super) fn txn_error(error: &Error) -> TxnError {
    let Error::GRpcStatus(status) = error else { return TxnError::Unknown(error.to_string()) };
    let message = status.message();
    if message.contains("database space exceeded") {
        return TxnError::Full(message.to_owned());
    }
    let refused = ["request is too large", "too many requests", "permission denied", "too many operations"];
    if refused.iter().any(|refusal| message.contains(refusal)) {
        return TxnError::Unavailable(message.to_owned());
    }
    TxnError::Unknown(message.to_owned())
}
