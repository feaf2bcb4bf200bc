//! An object in its envelope and in the frame of a watch event, in one buffer: a list walks over the messages, a watch over
//! the frames, and neither encodes again.
//!
//! ```text
//! length | WatchEvent { type, object { raw: "k8s\0" Unknown { typeMeta, raw: MESSAGE, contentEncoding, contentType } } }
//! ```

use super::back::Back;
use super::encode::Encoder;
use super::{MAGIC, body};
use bytes::{BufMut, Bytes, BytesMut};
use serde_json::Value;
use std::ops::Range;

/// A frame begins with the length of what follows, big-endian.
const LENGTH: usize = 4;

/// One object on the wire. Immutable; readers share its bytes.
#[derive(Debug)]
pub struct Frame {
    whole: Bytes,
    /// Where what follows the event's type begins.
    object_at: usize,
    envelope_at: usize,
    message: Range<usize>,
}

/// Fields that could not be written, by name; see `encode`.
pub(super) type LeftOut = Vec<&'static str>;

impl Frame {
    /// `None` where the type has no protobuf form.
    pub(super) fn new(ty: &str, tree: &Value, room: usize) -> Option<(Self, LeftOut)> {
        let mut encoder = Encoder::new(room);
        let from_end = envelope(&mut encoder, tree)?;
        let Encoder { mut out, left_out, .. } = encoder;
        let envelope = out.len();
        let object = wrap(&mut out, ty);
        let whole = out.finish();
        let end = whole.len();
        let frame = Self {
            object_at: end - object,
            envelope_at: end - envelope,
            message: end - from_end.end..end - from_end.start,
            whole,
        };
        Some((frame, left_out))
    }

    /// The event of the type it was made with.
    pub fn event(&self) -> Bytes {
        self.whole.clone()
    }

    /// The same object in an event of another type.
    pub fn event_as(&self, ty: &str) -> Bytes {
        let object = &self.whole[self.object_at..];
        let mut head = Back::new(ty.len() + LENGTH * 2);
        head.text(1, ty.as_bytes());
        let length = head.len() + object.len();
        let mut out = BytesMut::with_capacity(LENGTH + length);
        out.put_u32(length as u32);
        out.put_slice(head.as_slice());
        out.put_slice(object);
        out.freeze()
    }

    /// The object as the answer to a GET.
    pub fn envelope(&self) -> Bytes {
        self.whole.slice(self.envelope_at..)
    }

    /// The message alone: an item of a list.
    pub fn message(&self) -> &[u8] {
        &self.whole[self.message.clone()]
    }
}

/// Writes the object in its envelope; returns where its message lies, counted from the end.
pub(super) fn envelope(encoder: &mut Encoder, tree: &Value) -> Option<Range<usize>> {
    let text = |name| tree.get(name).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    close_envelope(encoder);
    let start = encoder.out.len();
    let mark = encoder.out.mark();
    body(encoder, api_version, kind, tree)?;
    let end = encoder.out.len();
    encoder.out.close(2, mark);
    open_envelope(&mut encoder.out, api_version, kind);
    Some(start..end)
}

/// k8s: Unknown's content encoding and type are written though they are empty
fn close_envelope(encoder: &mut Encoder) {
    encoder.out.text(4, b"");
    encoder.out.text(3, b"");
}

fn open_envelope(out: &mut Back, api_version: &str, kind: &str) {
    let mark = out.mark();
    out.text(2, kind.as_bytes());
    out.text(1, api_version.as_bytes());
    out.close(1, mark);
    out.bytes(MAGIC);
}

/// Makes the envelope that is all there is the object of an event; returns the length without length and type.
fn wrap(out: &mut Back, ty: &str) -> usize {
    out.close(1, Back::START);
    out.close(2, Back::START);
    let object = out.len();
    out.text(1, ty.as_bytes());
    let length = out.len() as u32;
    out.bytes(&length.to_be_bytes());
    object
}

/// The envelope of a list whose items are messages that exist already: what comes before them and after them.
/// `items_len` counts the items with their keys and lengths.
pub(super) fn list_ends(api_version: &str, kind: &str, metadata: &[u8], items_len: usize) -> (Bytes, Bytes) {
    let mut before = Back::new(metadata.len());
    before.text(1, metadata);
    let raw = before.len() + items_len;
    before.varint(raw as u64);
    before.varint(2 << 3 | 2);
    open_envelope(&mut before, api_version, kind);
    (before.finish(), Bytes::from_static(&[3 << 3 | 2, 0, 4 << 3 | 2, 0]))
}

/// Key and length before an item of a list.
pub(super) fn item_head(length: usize) -> Bytes {
    let mut head = Back::new(0);
    head.varint(length as u64);
    head.varint(2 << 3 | 2);
    head.finish()
}
