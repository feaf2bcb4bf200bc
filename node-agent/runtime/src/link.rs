//! The runtime's side of its connection to a pod's supervisor: requests and their answers, and news of exits.

use crate::sys::channel;
use crate::wire::{Answer, Call, Message, Request};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use thiserror::Error;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;

#[derive(Debug, Error)]
pub(crate) enum LinkError {
    #[error("the pod's supervisor is gone")]
    Gone,
    /// What the supervisor says.
    #[error("{0}")]
    Refused(String),
    #[error("cannot talk to the pod's supervisor")]
    Io(#[from] io::Error),
}

/// What a call brought.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) answer: Answer,
    pub(crate) fds: Vec<OwnedFd>,
    /// The exit code to come, of a command.
    pub(crate) exit: Option<oneshot::Receiver<i32>>,
}

type Waiting = oneshot::Sender<Result<Reply, LinkError>>;

#[derive(Debug, Default)]
struct Pending {
    calls: HashMap<u64, Waiting>,
    execs: HashMap<u64, oneshot::Sender<i32>>,
    gone: bool,
}

/// A connection to one supervisor.
#[derive(Debug)]
pub(crate) struct Link {
    socket: AsyncFd<OwnedFd>,
    next: AtomicU64,
    pending: Mutex<Pending>,
}

impl Link {
    pub(crate) fn new(socket: OwnedFd) -> io::Result<Arc<Self>> {
        let flags = rustix::fs::fcntl_getfl(&socket)?;
        rustix::fs::fcntl_setfl(&socket, flags | rustix::fs::OFlags::NONBLOCK)?;
        Ok(Arc::new(Self {
            socket: crate::sys::register::register(socket)?,
            next: AtomicU64::new(1),
            pending: Mutex::default(),
        }))
    }

    pub(crate) async fn call(&self, call: Call, fds: &[BorrowedFd<'_>]) -> Result<Reply, LinkError> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let bytes = serde_json::to_vec(&Request { id, call }).map_err(io::Error::from)?;
        let (tell, told) = oneshot::channel();
        {
            let mut pending = self.pending.lock();
            if pending.gone {
                return Err(LinkError::Gone);
            }
            pending.calls.insert(id, tell);
        }
        let sent = self.socket.async_io(Interest::WRITABLE, |socket| channel::send(socket, &bytes, fds)).await;
        if let Err(e) = sent {
            self.pending.lock().calls.remove(&id);
            return Err(match e.kind() {
                io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => LinkError::Gone,
                _ => e.into(),
            });
        }
        told.await.unwrap_or(Err(LinkError::Gone))
    }

    /// Reads what the supervisor says until it is gone, passing on what is not an answer.
    pub(crate) async fn listen(&self, mut news: impl FnMut(Message)) {
        while let Ok((message, fds)) = self.socket.async_io(Interest::READABLE, |socket| channel::receive(socket)).await
        {
            if message.is_empty() {
                break;
            }
            match serde_json::from_slice(&message) {
                Ok(message) => self.dispatch(message, fds, &mut news),
                Err(error) => tracing::warn!(%error, "message of a pod's supervisor is not understood"),
            }
        }
        let (calls, execs) = {
            let mut pending = self.pending.lock();
            pending.gone = true;
            (std::mem::take(&mut pending.calls), std::mem::take(&mut pending.execs))
        };
        // Dropping what they wait on tells the callers.
        drop((calls, execs));
    }

    fn dispatch(&self, message: Message, fds: Vec<OwnedFd>, news: &mut impl FnMut(Message)) {
        let (waiting, result) = match message {
            Message::Answer { id, answer } => {
                let mut pending = self.pending.lock();
                let exit = match answer {
                    Answer::Executing { exec } => {
                        let (tell, told) = oneshot::channel();
                        pending.execs.insert(exec, tell);
                        Some(told)
                    }
                    Answer::Done | Answer::Started { .. } | Answer::Snapshot(_) => None,
                };
                (pending.calls.remove(&id), Ok(Reply { answer, fds, exit }))
            }
            Message::Failed { id, error } => (self.pending.lock().calls.remove(&id), Err(LinkError::Refused(error))),
            Message::ExecExited { exec, code } => {
                if let Some(tell) = self.pending.lock().execs.remove(&exec)
                    && tell.send(code).is_err()
                {
                    tracing::debug!(exec, code, "nobody waits for this command any more");
                }
                return;
            }
            other @ Message::ContainerExited { .. } => return news(other),
        };
        if let Some(waiting) = waiting {
            // A caller that gave up does not need to know.
            drop(waiting.send(result));
        }
    }
}
