//! The body of a LIST: a walk over the objects' shared bytes, written out in pieces as the connection takes them, so that
//! a list of any size costs one piece of memory beyond the objects themselves.

use crate::cache::Object;
use bytes::{BufMut, Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Bytes copied at once: big enough that frames are few, small enough to be reused by the allocator.
const PIECE: usize = 128 << 10;
const END: &[u8] = b"]}\n";

pub(super) struct ListBody {
    head: Option<Bytes>,
    objects: Vec<Arc<Object>>,
    next: usize,
    left: u64,
}

impl ListBody {
    pub(super) fn new(head: Bytes, objects: Vec<Arc<Object>>) -> Self {
        let items: usize = objects.iter().map(|object| object.json_slice().len()).sum();
        let commas = objects.len().saturating_sub(1);
        let left = (head.len() + items + commas + END.len()) as u64;
        Self { head: Some(head), objects, next: 0, left }
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
            let json = object.json_slice();
            if !piece.is_empty() && piece.len() + json.len() >= PIECE {
                break;
            }
            if self.next > 0 {
                piece.put_u8(b',');
            }
            piece.put_slice(json);
            self.next += 1;
        }
        if self.next == self.objects.len() {
            piece.put_slice(END);
            self.objects = Vec::new();
            self.next = 0;
        }
        self.left -= piece.len() as u64;
        Some(piece.freeze())
    }
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
