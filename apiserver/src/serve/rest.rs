//! What is left of a request's body when its answer is ready. A client that is still sending would miss the answer if the
//! stream was torn down under it, so a bounded amount is read and thrown away first.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::oneshot;

/// A body that is somewhat too long gets through whole; who sends more may lose the answer.
const DISCARD_MAX: usize = 16 << 20;
/// How long a sender has for it.
const DISCARD_WAIT: Duration = Duration::from_secs(5);

/// A body that comes back to the connection when its reader lets go of it before its end.
pub(super) struct Lent {
    body: Option<Incoming>,
    owner: Option<oneshot::Sender<Incoming>>,
}

/// Where a [`Lent`] body comes back to.
pub(super) struct Rest(oneshot::Receiver<Incoming>);

/// `asked`: the client has been told to send (it did not wait for `100 Continue`).
pub(super) fn lend(body: Incoming, asked: bool) -> (Lent, Rest) {
    let (owner, rest) = oneshot::channel();
    let owner = Some(owner).filter(|_| asked);
    (Lent { body: Some(body), owner }, Rest(rest))
}

impl Body for Lent {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) else { return };
        if let Some(owner) = self.owner.take()
            && owner.send(body).is_err()
        {
            tracing::debug!("a request ended before its body");
        }
    }
}

impl Rest {
    /// Reads what the sender still has, within bounds.
    pub(super) async fn discard(mut self) {
        let Ok(mut body) = self.0.try_recv() else { return };
        let mut left = DISCARD_MAX;
        let read = async {
            while let Some(Ok(frame)) = body.frame().await {
                left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
                if left == 0 {
                    return;
                }
            }
        };
        if tokio::time::timeout(DISCARD_WAIT, read).await.is_err() {
            tracing::debug!("a client sends its body too slowly to be waited for");
        }
    }
}
