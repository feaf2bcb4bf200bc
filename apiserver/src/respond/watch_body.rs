//! A WATCH as it goes out: frames of shared bytes, bookmarks, and an end that clients can resume from; as the body of the
//! response or as messages of a WebSocket.

use super::web_socket::{self, Upgrade};
use super::{View, status, table};
use crate::cache::{Delivery, EventType, WatchError};
use crate::error::ApiError;
use crate::negotiate::{self, Answer, Format, Shape};
use crate::protobuf;
use crate::publish::metrics::InFlight;
use crate::registry::watch::{Source, Watch};
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures::stream;
use http::Response;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use store::Rev;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;

/// How often a quiet watch hears how far it is complete.
/// k8s: bookmarkFrequency
const BOOKMARK_EVERY: Duration = Duration::from_mins(1);
/// Deliveries that are ready together travel together, up to this many bytes.
const BATCH_BYTES: usize = 64 << 10;

/// How a watch is served.
pub struct WatchParams {
    pub timeout: Duration,
    pub bookmarks: bool,
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

pub(super) struct State {
    carrier: Carrier,
    source: Source,
    encoder: Encoder,
    params: WatchParams,
    reached: Reached,
    deadline: std::pin::Pin<Box<Sleep>>,
    bookmark: std::pin::Pin<Box<Sleep>>,
    /// To be announced when the initial objects are through.
    announce: Option<Rev>,
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
    let state = State {
        carrier: if upgrade.is_some() { Carrier::Messages } else { Carrier::Body },
        announce: watch.announce_initial.then_some(watch.rev),
        source: watch.source,
        encoder: Encoder { view, first: true },
        deadline: Box::pin(tokio::time::sleep_until(now + params.timeout)),
        bookmark: Box::pin(tokio::time::sleep_until(now + BOOKMARK_EVERY)),
        params,
        reached,
        ended: false,
    };
    if let Some(upgrade) = upgrade {
        return Ok(web_socket::serve(upgrade, format, state));
    }
    let frames = stream::unfold(state, |mut state| async move {
        let frame = state.next().await?;
        Some((Ok::<Bytes, Infallible>(frame), state))
    });
    let mut response = Response::new(Body::from_stream(frames));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    Ok(response)
}

impl State {
    /// The next bytes to send; `None` ends the stream.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        if let Some(rev) = self.announce.filter(|_| self.source.initial_left() == 0) {
            self.announce = None;
            return Some(self.encoder.bookmark(rev, Bookmark::InitialEnd));
        }
        tokio::select! {
            biased;
            delivery = self.source.next() => Some(match delivery {
                Ok(delivery) => self.batch(&delivery),
                Err(error) => self.fail(error),
            }),
            () = self.deadline.as_mut() => self.close(),
            () = self.params.drain.cancelled() => self.close(),
            () = self.bookmark.as_mut(), if self.params.bookmarks => {
                self.bookmark.as_mut().reset(Instant::now() + BOOKMARK_EVERY);
                // Read before the queue is seen empty: everything up to it was queued before.
                let reached = (self.reached)();
                Some(match self.source.try_next() {
                    Ok(Some(delivery)) => self.batch(&delivery),
                    Ok(None) => self.encoder.bookmark(self.source.complete_to(reached), Bookmark::Progress),
                    Err(error) => self.fail(error),
                })
            }
        }
    }

    /// A delivery and those that are ready behind it.
    fn batch(&mut self, first: &Delivery) -> Bytes {
        let frame = self.encoder.frame(first);
        if self.carrier == Carrier::Messages {
            return frame;
        }
        // A lone event goes out as the slice that all watchers share.
        let Ok(Some(second)) = self.ready() else { return frame };
        let mut all = BytesMut::with_capacity(frame.len() * 2);
        all.extend_from_slice(&frame);
        let mut next = Some(second);
        while let Some(delivery) = next {
            all.extend_from_slice(&self.encoder.frame(&delivery));
            if all.len() >= BATCH_BYTES {
                break;
            }
            next = self.ready().ok().flatten();
        }
        all.freeze()
    }

    /// What is ready; stops at the end of the initial objects, which has its own announcement. A broken source shows
    /// again, as an error, at the next turn.
    fn ready(&mut self) -> Result<Option<Delivery>, WatchError> {
        if self.announce.is_some() && self.source.initial_left() == 0 {
            return Ok(None);
        }
        self.source.try_next()
    }

    fn fail(&mut self, error: WatchError) -> Bytes {
        self.ended = true;
        self.encoder.error(&ApiError::expired(error.to_string()))
    }

    /// The regular end: what is queued, and how far that goes.
    fn close(&mut self) -> Option<Bytes> {
        if !self.params.bookmarks || self.announce.is_some() {
            self.ended = true;
            return None;
        }
        if self.carrier == Carrier::Messages
            && let Ok(Some(delivery)) = self.source.try_next()
        {
            return Some(self.encoder.frame(&delivery));
        }
        self.ended = true;
        let reached = (self.reached)();
        let mut all = BytesMut::new();
        while let Ok(Some(delivery)) = self.source.try_next() {
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
        let mut object = delivery.object().value();
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
        let mut metadata = json!({ "resourceVersion": rev.to_string(), "creationTimestamp": null });
        if let Bookmark::InitialEnd = why {
            metadata["annotations"] = json!({ "k8s.io/initial-events-end": "true" });
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
