//! A request's body that can be offered to one backend after the other, as long as none has begun to read it.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Who keeps the body between two tries.
pub(crate) struct Lender(Arc<Shared>);

struct Shared {
    body: Mutex<Option<Incoming>>,
    hint: SizeHint,
    empty: bool,
    frames: AtomicU64,
}

/// The body of one try.
pub(crate) struct Upload {
    shared: Arc<Shared>,
    reading: Option<Incoming>,
}

impl Lender {
    pub(crate) fn new(body: Incoming) -> Self {
        let (hint, empty) = (body.size_hint(), body.is_end_stream());
        Self(Arc::new(Shared { body: Mutex::new(Some(body)), hint, empty, frames: AtomicU64::new(0) }))
    }

    pub(crate) fn lend(&self) -> Upload {
        Upload { shared: Arc::clone(&self.0), reading: None }
    }

    /// Bytes of the body, where that is known from the start.
    pub(crate) fn length(&self) -> Option<u64> {
        self.0.hint.exact()
    }

    /// Pieces that were read so far: tells an upload that goes on from one that stands still.
    pub(crate) fn frames(&self) -> u64 {
        self.0.frames.load(Ordering::Relaxed)
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.shared.empty {
            return Poll::Ready(None);
        }
        if self.reading.is_none() {
            let lent = self.shared.body.lock().unwrap_or_else(PoisonError::into_inner).take();
            self.reading = lent;
        }
        let Some(body) = &mut self.reading else {
            return Poll::Ready(Some(Err("another try has begun to read this body".into())));
        };
        let frame = ready!(Pin::new(body).poll_frame(cx));
        self.shared.frames.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.shared.empty || self.reading.as_ref().is_some_and(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.reading.as_ref().map_or(self.shared.hint, Body::size_hint)
    }
}
