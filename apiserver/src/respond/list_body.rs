//! The body of a LIST: a walk over the objects' shared bytes, written out in pieces as the connection takes them, so that
//! a list of any size costs one piece of memory beyond the objects themselves.

use crate::cache::Object;
use crate::protobuf;
use bytes::{BufMut, Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use serde_json::Value;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Bytes copied at once: big enough that frames are few, small enough to be reused by the allocator.
const PIECE: usize = 128 << 10;
const JSON_END: &[u8] = b"]}\n";

/// How items stand in the list.
#[derive(Clone, Copy)]
enum Wire {
    /// With commas between them.
    Json,
    /// Each behind its key and length.
    Protobuf,
}

pub(super) struct ListBody {
    wire: Wire,
    head: Option<Bytes>,
    end: Bytes,
    objects: Vec<Arc<Object>>,
    next: usize,
    left: u64,
}

impl ListBody {
    pub(super) fn json(head: Bytes, objects: Vec<Arc<Object>>) -> Self {
        let items: usize = objects.iter().map(|object| object.json_slice().len()).sum();
        let commas = objects.len().saturating_sub(1);
        let left = (head.len() + items + commas + JSON_END.len()) as u64;
        Self { wire: Wire::Json, head: Some(head), end: Bytes::from_static(JSON_END), objects, next: 0, left }
    }

    pub(super) fn protobuf(api_version: &str, kind: &str, metadata: &Value, objects: Vec<Arc<Object>>) -> Self {
        let size = |object: &Arc<Object>| {
            let length = message(object).len();
            protobuf::item_head(length).len() + length
        };
        let items: usize = objects.iter().map(size).sum();
        let (head, end) = protobuf::list_ends(api_version, kind, metadata, items);
        let left = (head.len() + items + end.len()) as u64;
        Self { wire: Wire::Protobuf, head: Some(head), end, objects, next: 0, left }
    }

    fn piece(&mut self) -> Option<Bytes> {
        if self.left == 0 {
            return None;
        }
        let mut piece = BytesMut::with_capacity(PIECE.min(self.left as usize));
        if let Some(head) = self.head.take() {
            piece.put_slice(&head);
        }
        while let Some(object) = self.objects.get(self.next) {
            let item = match self.wire {
                Wire::Json => object.json_slice(),
                Wire::Protobuf => message(object),
            };
            if !piece.is_empty() && piece.len() + item.len() >= PIECE {
                break;
            }
            match self.wire {
                Wire::Json if self.next > 0 => piece.put_u8(b','),
                Wire::Json => {}
                Wire::Protobuf => piece.put_slice(&protobuf::item_head(item.len())),
            }
            piece.put_slice(item);
            self.next += 1;
        }
        if self.next == self.objects.len() {
            piece.put_slice(&self.end);
            self.objects = Vec::new();
            self.next = 0;
        }
        self.left -= piece.len() as u64;
        Some(piece.freeze())
    }
}

/// Only kinds that have this form get here; see `negotiate::Offer`.
fn message(object: &Object) -> &[u8] {
    object.protobuf().map_or(&[], protobuf::Frame::message)
}

impl Body for ListBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.get_mut().piece().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
