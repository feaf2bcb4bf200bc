//! What a connection writes in one turn, gathered. HTTP/2 flushes every DATA frame by itself; through TLS each flush is a
//! record and a system call, which cost more than an answer. Here the bytes of a turn are held, and leave together when the
//! turn is over: ten events for ten streams, or four frames of a list, in one record and one call.

use parking_lot::Mutex;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes held at most: four TLS records, and as much as rustls takes at once.
const HELD_MAX: usize = 64 << 10;
/// Room that an idle connection keeps.
const KEPT: usize = 2 << 10;

/// The stream that the connection reads and writes. A flush does nothing: [`Cork::release`] does it.
pub(super) struct Corked<S>(Arc<Mutex<Inner<S>>>);

/// Lets go of what is held; belongs to whoever polls the connection.
pub(super) struct Cork<S>(Arc<Mutex<Inner<S>>>);

struct Inner<S> {
    stream: S,
    held: Vec<u8>,
    /// How much of `held` has left.
    gone: usize,
}

pub(super) fn cork<S>(stream: S) -> (Corked<S>, Cork<S>) {
    // One task has both halves, so nobody ever waits for the lock.
    let inner = Arc::new(Mutex::new(Inner { stream, held: Vec::new(), gone: 0 }));
    (Corked(Arc::clone(&inner)), Cork(inner))
}

impl<S: AsyncWrite + Unpin> Inner<S> {
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.gone < self.held.len() {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, &self.held[self.gone..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.gone += written,
            }
        }
        self.held.clear();
        self.gone = 0;
        Poll::Ready(Ok(()))
    }

    /// Makes room for `more` bytes; a single write may be longer than what is held at most.
    fn poll_room(&mut self, cx: &mut Context<'_>, more: usize) -> Poll<io::Result<()>> {
        if !self.held.is_empty() && self.held.len() + more > HELD_MAX {
            return self.poll_drain(cx);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> Cork<S> {
    /// To be called after each turn. Where the stream takes no more, the task is woken when it does.
    pub(super) fn release(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.0.lock();
        ready!(inner.poll_drain(cx))?;
        if inner.held.capacity() > KEPT {
            inner.held = Vec::new();
        }
        Pin::new(&mut inner.stream).poll_flush(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Corked<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.lock().stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Corked<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut inner = self.0.lock();
        ready!(inner.poll_room(cx, bytes.len()))?;
        inner.held.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut inner = self.0.lock();
        let len = parts.iter().map(|part| part.len()).sum();
        ready!(inner.poll_room(cx, len))?;
        parts.iter().for_each(|part| inner.held.extend_from_slice(part));
        Poll::Ready(Ok(len))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.0.lock();
        ready!(inner.poll_drain(cx))?;
        Pin::new(&mut inner.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::task::noop_waker;
    use std::collections::VecDeque;

    /// A stream that takes what it is told to take, and notes each write.
    struct Pipe {
        takes: VecDeque<usize>,
        writes: Vec<Vec<u8>>,
    }

    impl AsyncWrite for Pipe {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            let Some(takes) = self.takes.pop_front() else { return Poll::Pending };
            let taken = takes.min(bytes.len());
            self.writes.push(bytes[..taken].to_vec());
            Poll::Ready(Ok(taken))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn a_turn_leaves_in_one_write_and_nothing_is_lost_by_a_slow_stream() {
        let waker = noop_waker();
        let mut cx = Context::from_waker(&waker);
        let (mut corked, cork) = cork(Pipe { takes: [3].into(), writes: Vec::new() });
        for part in [b"ab", b"cd"] {
            assert!(Pin::new(&mut corked).poll_write(&mut cx, part).is_ready());
            assert!(Pin::new(&mut corked).poll_flush(&mut cx).is_ready());
        }
        assert!(cork.0.lock().stream.writes.is_empty(), "a flush waits for the end of the turn");
        assert!(cork.release(&mut cx).is_pending());
        cork.0.lock().stream.takes.push_back(9);
        assert!(cork.release(&mut cx).is_ready());
        assert_eq!(cork.0.lock().stream.writes, [b"abc".to_vec(), b"d".to_vec()]);
    }

    #[test]
    fn a_full_hand_waits_for_the_stream() {
        let waker = noop_waker();
        let mut cx = Context::from_waker(&waker);
        let (mut corked, cork) = cork(Pipe { takes: VecDeque::new(), writes: Vec::new() });
        let big = vec![7; HELD_MAX];
        assert!(Pin::new(&mut corked).poll_write(&mut cx, &big).is_ready());
        assert!(Pin::new(&mut corked).poll_write(&mut cx, b"x").is_pending());
        cork.0.lock().stream.takes.push_back(HELD_MAX);
        assert!(Pin::new(&mut corked).poll_write(&mut cx, b"x").is_ready());
        assert_eq!(cork.0.lock().held, b"x");
    }
}
