//! One committed change of one object, shared by all watchers of its kind, and how it looks on the wire.

use super::object::Object;
use bytes::Bytes;
use std::sync::{Arc, OnceLock};
use store::Rev;

/// Ends every frame: watch streams are lines.
pub(super) const FRAME_END: &[u8] = b"}\n";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    Added,
    Modified,
    Deleted,
}

impl EventType {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
        }
    }

    pub(super) const fn frame_start(self) -> &'static [u8] {
        match self {
            Self::Added => b"{\"type\":\"ADDED\",\"object\":",
            Self::Modified => b"{\"type\":\"MODIFIED\",\"object\":",
            Self::Deleted => b"{\"type\":\"DELETED\",\"object\":",
        }
    }
}

/// A commit as seen by watchers without selectors.
pub struct Event {
    pub ty: EventType,
    pub rev: Rev,
    /// For a delete: the last version, at the revision of the delete.
    pub object: Arc<Object>,
    pub prev: Option<Arc<Object>>,
    /// For watchers whose selector the object left: `prev` as a DELETED at this revision.
    left: OnceLock<Bytes>,
    /// For watchers whose selector the object entered by an update.
    entered: OnceLock<Bytes>,
    /// The same two in protobuf.
    left_protobuf: OnceLock<Option<Bytes>>,
    entered_protobuf: OnceLock<Option<Bytes>>,
}

impl Event {
    pub fn new(ty: EventType, object: Arc<Object>, prev: Option<Arc<Object>>) -> Self {
        Self {
            ty,
            rev: object.rev,
            object,
            prev,
            left: OnceLock::new(),
            entered: OnceLock::new(),
            left_protobuf: OnceLock::new(),
            entered_protobuf: OnceLock::new(),
        }
    }

    /// [`Self::frame`] in protobuf; `None` where the kind has no such form.
    pub fn protobuf_frame(&self, ty: EventType) -> Option<Bytes> {
        let again =
            |cell: &OnceLock<Option<Bytes>>| cell.get_or_init(|| self.shown(ty).protobuf_as(ty, self.rev)).clone();
        match (self.ty, ty) {
            (own, ty) if own == ty => self.object.protobuf_as(ty, self.rev),
            (_, EventType::Deleted) => again(&self.left_protobuf),
            _ => again(&self.entered_protobuf),
        }
    }

    /// The line to send to a watcher that sees this change as `ty`.
    pub fn frame(&self, ty: EventType) -> Bytes {
        match (self.ty, ty) {
            (own, ty) if own == ty => self.object.frame(),
            (_, EventType::Deleted) => {
                let shown = self.prev.as_ref().unwrap_or(&self.object);
                self.left.get_or_init(|| shown.frame_as(EventType::Deleted, self.rev)).clone()
            }
            (_, ty) => self.entered.get_or_init(|| self.object.frame_as(ty, self.rev)).clone(),
        }
    }

    /// The object to show to a watcher that sees this change as `ty`, and the revision it is shown at.
    pub fn shown(&self, ty: EventType) -> &Arc<Object> {
        match ty {
            EventType::Deleted if self.ty != EventType::Deleted => self.prev.as_ref().unwrap_or(&self.object),
            EventType::Added | EventType::Modified | EventType::Deleted => &self.object,
        }
    }

    /// Bytes that keeping this event costs, nearly: the version before lives on in it.
    pub(super) fn size(&self) -> usize {
        let before = self.prev.as_ref().map_or(0, |prev| prev.json_slice().len());
        self.object.json_slice().len() + before + EVENT_OVERHEAD
    }
}

/// Structs and allocations beside the object's bytes.
const EVENT_OVERHEAD: usize = 400;
