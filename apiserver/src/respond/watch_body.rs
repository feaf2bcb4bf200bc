//! A WATCH as it goes out: frames of shared bytes, bookmarks, and an end that clients can resume from; as the body of the
//! response or as messages of a WebSocket.

use super::web_socket::{self, Upgrade};
use super::{View, status, table};
use crate::cache::{Delivery, EventType};
use crate::error::ApiError;
use crate::negotiate::{self, Answer, Format, Shape};
use crate::protobuf;
use crate::publish::metrics::InFlight;
use crate::registry::watch::{Source, Watch};
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use http::Response;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use store::Rev;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Deliveries that are ready together travel together, up to this many bytes.
const BATCH_BYTES: usize = 64 << 10;

/// Deliveries after which even a watch that always has more looks at its deadline, its bookmark and the drain.
const LOOK_EVERY: u32 = 64;

/// On the bookmark behind the initial objects.
const INITIAL_END: &str = "k8s.io/initial-events-end";
const BLUEPRINT: &str = "kubernetes.io/initial-events-list-blueprint";

/// How a watch is served.
pub struct WatchParams {
    pub timeout: Duration,
    /// For clients that asked for bookmarks.
    pub bookmark_every: Option<Duration>,
    /// Ends the watch early, with a bookmark.
    pub drain: CancellationToken,
    /// Counts the watch for as long as it is open.
    pub open: Option<InFlight>,
}

/// Revision that all caches have reached, when asked.
pub type Reached = Arc<dyn Fn() -> Rev + Send + Sync>;

/// How frames travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carrier {
    /// One after the other; those that are ready together go together.
    Body,
    /// Each in a message of its own.
    Messages,
}

/// Wakes only for what it has to do: a delivery, the next bookmark or the deadline, the drain.
pub(super) struct State {
    carrier: Carrier,
    source: Source,
    encoder: Encoder,
    params: WatchParams,
    reached: Reached,
    deadline: Instant,
    /// At the deadline or at the next bookmark, whichever is earlier.
    timer: Pin<Box<Sleep>>,
    drain: Pin<Box<WaitForCancellationFutureOwned>>,
    /// To be announced when the initial objects are through.
    announce: Option<Rev>,
    /// Deliveries since anything else was looked at.
    busy: u32,
    ended: bool,
}

/// A format without a stream form (YAML) is a 406.
/// k8s: NegotiateOutputMediaTypeStream
pub fn watch(
    view: View,
    watch: Watch,
    params: WatchParams,
    reached: Reached,
    upgrade: Option<Upgrade>,
) -> Result<Response<Body>, ApiError> {
    let Some(media) = view.answer.format.stream_type() else {
        return Err(ApiError::not_acceptable(negotiate::STREAMS));
    };
    if let Shape::MetadataList(_) = view.answer.shape {
        return Err(ApiError::WrongShape {
            message: "you requested PartialObjectMetadataList, but the requested object is not a list".to_owned(),
        });
    }
    let now = Instant::now();
    let format = view.answer.format;
    let deadline = now + params.timeout;
    let first = params.bookmark_every.map_or(deadline, |every| deadline.min(now + every));
    let state = State {
        carrier: if upgrade.is_some() { Carrier::Messages } else { Carrier::Body },
        announce: watch.announce_initial.then_some(watch.rev),
        source: watch.source,
        encoder: Encoder { view, first: true },
        deadline,
        timer: Box::pin(tokio::time::sleep_until(first)),
        drain: Box::pin(params.drain.clone().cancelled_owned()),
        params,
        reached,
        busy: 0,
        ended: false,
    };
    if let Some(upgrade) = upgrade {
        return Ok(web_socket::serve(upgrade, format, state));
    }
    let mut response = Response::new(Body::new(state));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    Ok(response)
}

impl http_body::Body for State {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        self.get_mut().poll_bytes(cx).map(|bytes| bytes.map(|bytes| Ok(http_body::Frame::data(bytes))))
    }
}

impl State {
    /// The next bytes to send; `None` ends the stream.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        std::future::poll_fn(|cx| self.poll_bytes(cx)).await
    }

    fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if let Some(rev) = self.announce.filter(|_| self.source.initial_left() == 0) {
            self.announce = None;
            return Poll::Ready(Some(self.encoder.bookmark(rev, Bookmark::InitialEnd)));
        }
        if self.busy < LOOK_EVERY {
            match self.source.poll_next(cx) {
                Poll::Ready(Ok(delivery)) => {
                    self.busy += 1;
                    return Poll::Ready(Some(self.batch(&delivery)));
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Some(self.fail(&error))),
                Poll::Pending => {}
            }
        }
        let was_busy = std::mem::take(&mut self.busy) >= LOOK_EVERY;
        if self.drain.as_mut().poll(cx).is_ready() {
            return Poll::Ready(self.close());
        }
        if self.timer.as_mut().poll(cx).is_pending() {
            // Not asked this time, so it may have more: it is asked in the next turn.
            if was_busy {
                cx.waker().wake_by_ref();
            }
            return Poll::Pending;
        }
        let now = Instant::now();
        let Some(every) = self.params.bookmark_every.filter(|_| now < self.deadline) else {
            return Poll::Ready(self.close());
        };
        self.timer.as_mut().reset(self.deadline.min(now + every));
        Poll::Ready(Some(self.progress()))
    }

    /// A bookmark, or what came just now.
    fn progress(&mut self) -> Bytes {
        // Read before the queue is seen empty: everything up to it was queued before.
        let reached = (self.reached)();
        match self.source.try_next() {
            Some(delivery) => self.batch(&delivery),
            None => self.encoder.bookmark(self.source.complete_to(reached), Bookmark::Progress),
        }
    }

    /// A delivery and those that are ready behind it.
    fn batch(&mut self, first: &Delivery) -> Bytes {
        let frame = self.encoder.frame(first);
        if self.carrier == Carrier::Messages {
            return frame;
        }
        // A lone event goes out as the slice that all watchers share.
        let Some(second) = self.ready() else { return frame };
        let mut all = BytesMut::with_capacity(frame.len() * 2);
        all.extend_from_slice(&frame);
        let mut next = Some(second);
        while let Some(delivery) = next {
            all.extend_from_slice(&self.encoder.frame(&delivery));
            if all.len() >= BATCH_BYTES {
                break;
            }
            next = self.ready();
        }
        all.freeze()
    }

    /// What is ready; stops at the end of the initial objects, which has its own announcement.
    fn ready(&mut self) -> Option<Delivery> {
        if self.announce.is_some() && self.source.initial_left() == 0 {
            return None;
        }
        self.source.try_next()
    }

    fn fail(&mut self, error: &ApiError) -> Bytes {
        self.ended = true;
        self.encoder.error(error)
    }

    /// The regular end: what is queued, and how far that goes.
    fn close(&mut self) -> Option<Bytes> {
        if self.params.bookmark_every.is_none() || self.announce.is_some() {
            self.ended = true;
            return None;
        }
        if self.carrier == Carrier::Messages
            && let Some(delivery) = self.source.try_next()
        {
            return Some(self.encoder.frame(&delivery));
        }
        self.ended = true;
        let reached = (self.reached)();
        let mut all = BytesMut::new();
        while let Some(delivery) = self.source.try_next() {
            all.extend_from_slice(&self.encoder.frame(&delivery));
        }
        let rev = self.source.complete_to(reached);
        all.extend_from_slice(&self.encoder.bookmark(rev, Bookmark::Progress));
        Some(all.freeze())
    }
}

#[derive(Clone, Copy)]
enum Bookmark {
    Progress,
    InitialEnd,
}

/// How this client sees events.
struct Encoder {
    view: View,
    /// No Table was sent yet.
    first: bool,
}

impl Encoder {
    fn frame(&mut self, delivery: &Delivery) -> Bytes {
        let shared = match self.view.answer {
            Answer { shape: Shape::Object, format: Format::Json, .. } => Some(delivery.frame()),
            Answer { shape: Shape::Object, format: Format::Protobuf, .. } => delivery.protobuf_frame(),
            _ => None,
        };
        if let Some(frame) = shared {
            return frame;
        }
        let mut object = match self.view.answer.shape {
            Shape::Metadata(_) | Shape::MetadataList(_) => delivery.object().metadata(),
            Shape::Object | Shape::Table(_) => delivery.object().value(),
        };
        object["metadata"]["resourceVersion"] = delivery.rev().to_string().into();
        let shown = match self.view.answer.shape {
            Shape::Object => object,
            Shape::Metadata(version) | Shape::MetadataList(version) => table::partial(version, object),
            Shape::Table(version) => {
                let columns = if self.first { table::Columns::With } else { table::Columns::Without };
                self.first = false;
                let meta = json!({ "resourceVersion": delivery.rev().to_string() });
                table::of(&self.view, version, &[&object], &meta, columns)
            }
        };
        self.event(delivery.ty().as_str(), &shown)
    }

    fn bookmark(&self, rev: Rev, why: Bookmark) -> Bytes {
        let row = self.view.kind.row();
        let mut metadata = json!({ "resourceVersion": rev.to_string() });
        if let Bookmark::InitialEnd = why {
            metadata["annotations"] = json!({ INITIAL_END: "true", BLUEPRINT: blueprint(&self.view) });
        }
        let object = json!({ "kind": row.kind, "apiVersion": row.api_version(), "metadata": metadata });
        let shown = match self.view.answer.shape {
            Shape::Object => object,
            Shape::Metadata(version) | Shape::MetadataList(version) => table::partial(version, object),
            Shape::Table(version) => {
                let meta = json!({ "resourceVersion": rev.to_string() });
                table::of(&self.view, version, &[&object], &meta, table::Columns::Without)
            }
        };
        self.event("BOOKMARK", &shown)
    }

    fn error(&self, error: &ApiError) -> Bytes {
        self.event("ERROR", &status(error))
    }

    fn event(&self, ty: &str, shown: &Value) -> Bytes {
        match self.view.answer.format {
            Format::Protobuf => match protobuf::event(ty, shown, 0) {
                Some(frame) => frame.event(),
                None => Bytes::new(),
            },
            Format::Json | Format::Yaml => line(&json!({ "type": ty, "object": shown })),
        }
    }
}

/// The empty list that the initial objects belong into, for clients that put one together without knowing the type.
/// k8s: watchListTransformer
fn blueprint(view: &View) -> String {
    let row = view.kind.row();
    let list = |api_version: &str, kind: &str| match view.answer.format {
        Format::Protobuf => {
            let (head, end) = protobuf::list_ends(api_version, kind, &json!({}), 0);
            STANDARD.encode([head, end].concat())
        }
        Format::Json | Format::Yaml => {
            let items = if kind == "Table" { "rows" } else { "items" };
            STANDARD.encode(line(&json!({ "kind": kind, "apiVersion": api_version, "metadata": {}, items: null })))
        }
    };
    match view.answer.shape {
        Shape::Object => list(&row.api_version(), &row.list_kind),
        Shape::Metadata(version) | Shape::MetadataList(version) => {
            list(version.api_version(), "PartialObjectMetadataList")
        }
        Shape::Table(version) => list(version.api_version(), "Table"),
    }
}

fn line(shown: &Value) -> Bytes {
    let mut text = serde_json::to_vec(shown).expect("a JSON tree always encodes");
    text.push(b'\n');
    text.into()
}

impl Delivery {
    /// The line for a client that takes objects as they are: shared with all others where possible.
    fn frame(&self) -> Bytes {
        match self {
            Self::Initial(object) => object.initial_frame(),
            Self::Change(event, ty) => event.frame(*ty),
        }
    }

    /// The same in protobuf; `None` where the kind has no such form.
    fn protobuf_frame(&self) -> Option<Bytes> {
        match self {
            Self::Initial(object) => object.protobuf_as(EventType::Added, object.rev),
            Self::Change(event, ty) => event.protobuf_frame(*ty),
        }
    }
}
