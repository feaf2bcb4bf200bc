//! One version of one object as all its readers share it: the bytes, encoded once, and what selectors ask.

use crate::protobuf::{self, Frame};
use crate::registry::{metadata, view};
use crate::stored;
use bytes::Bytes;
use kinds::kind::Kind;
use kinds::row::paths;
use kinds::selector::Labels;
use serde::de::DeserializeOwned;
use serde_json::Value;
use smallvec::SmallVec;
use std::sync::{Arc, OnceLock};
use store::{Entry, Rev};

use super::event::{EventType, FRAME_END};

/// One version of an object. Immutable; readers hold it in an `Arc`.
pub struct Object {
    /// The watch frame of the event that brought this version; the object's JSON is a part of it.
    frame: Bytes,
    start: u32,
    end: u32,
    revision_at: u32,
    pub rev: Rev,
    /// `ns/name`, or `name` for cluster-scoped kinds: the key below the kind's prefix.
    pub key: Box<str>,
    labels: stored::Labels,
    /// Values of the kind's selectable fields, in the order of its row.
    fields: Box<[Box<str>]>,
    kind: Arc<dyn Kind>,
    /// The other wire format, made for the first who asks for it.
    protobuf: OnceLock<Option<Box<Frame>>>,
}

impl Object {
    /// Decodes once what selectors need. `ty` is the event whose frame is kept ready.
    pub fn decode(kind: &Arc<dyn Kind>, prefix_len: usize, entry: &Entry, ty: EventType) -> Self {
        Self::build(kind, &entry.key[prefix_len..], &entry.value, entry.mod_rev, ty)
    }

    /// The last version of a deleted object, at the revision of the delete.
    pub fn deleted(kind: &Arc<dyn Kind>, prefix_len: usize, prev: &Entry, rev: Rev) -> Self {
        Self::build(kind, &prev.key[prefix_len..], &prev.value, rev, EventType::Deleted)
    }

    fn build(kind: &Arc<dyn Kind>, key: &str, value: &[u8], rev: Rev, ty: EventType) -> Self {
        let (viewed, labels, fields) = if view::is_as_stored(kind.as_ref(), value) {
            let (labels, fields) = selected(kind.as_ref(), value);
            (None, labels, fields)
        } else {
            let tree: Value = serde_json::from_slice(value).unwrap_or_default();
            let viewed = view::to_kind(kind.as_ref(), &tree);
            let shown = viewed.as_ref().unwrap_or(&tree);
            let (labels, fields) = (labels_of(shown), fields_of(kind.as_ref(), shown));
            (viewed.as_ref().map(stored::encode), labels, fields)
        };
        let spliced = stored::splice(ty.frame_start(), viewed.as_deref().unwrap_or(value), rev, FRAME_END);
        Self {
            start: spliced.start as u32,
            end: spliced.end as u32,
            revision_at: spliced.revision_at as u32,
            frame: spliced.whole,
            rev,
            key: key.into(),
            labels,
            fields,
            kind: Arc::clone(kind),
            protobuf: OnceLock::new(),
        }
    }

    /// In protobuf, shared; `None` where the kind has no such form.
    pub fn protobuf(&self) -> Option<&Frame> {
        let room = self.json_slice().len();
        self.protobuf.get_or_init(|| protobuf::event(self.ty().as_str(), &self.value(), room).map(Box::new)).as_deref()
    }

    /// A protobuf frame of another type or revision; see [`Self::frame_as`].
    pub(crate) fn protobuf_as(&self, ty: EventType, rev: Rev) -> Option<Bytes> {
        if rev == self.rev {
            let frame = self.protobuf()?;
            return Some(if ty == self.ty() { frame.event() } else { frame.event_as(ty.as_str()) });
        }
        let mut tree = self.value();
        tree["metadata"]["resourceVersion"] = rev.to_string().into();
        protobuf::event(ty.as_str(), &tree, self.json_slice().len()).map(|frame| frame.event())
    }

    /// The event that brought this version.
    fn ty(&self) -> EventType {
        let is = |ty: &EventType| self.frame.starts_with(ty.frame_start());
        [EventType::Added, EventType::Deleted].into_iter().find(is).unwrap_or(EventType::Modified)
    }

    /// The same object in another API version, as the event `ty` at `rev` shows it.
    pub fn as_version(&self, encoded: &[u8], rev: Rev, ty: EventType) -> Self {
        Self::build(&self.kind, &self.key, encoded, rev, ty)
    }

    /// The object's JSON, shared.
    pub fn json(&self) -> Bytes {
        self.frame.slice(self.start as usize..self.end as usize)
    }

    pub fn json_slice(&self) -> &[u8] {
        &self.frame[self.start as usize..self.end as usize]
    }

    /// The frame of the event that brought this version, shared.
    pub(super) fn frame(&self) -> Bytes {
        self.frame.clone()
    }

    /// The frame of an object that was there when a watch began.
    pub(crate) fn initial_frame(&self) -> Bytes {
        if self.frame.starts_with(EventType::Added.frame_start()) {
            self.frame()
        } else {
            self.frame_as(EventType::Added, self.rev)
        }
    }

    /// A frame of another type or revision: made for watchers to whom the change means something else.
    pub(super) fn frame_as(&self, ty: EventType, rev: Rev) -> Bytes {
        let at = (self.revision_at - self.start) as usize;
        stored::replace_revision(self.json_slice(), at, rev, ty.frame_start(), FRAME_END)
    }

    pub fn value(&self) -> Value {
        serde_json::from_slice(self.json_slice()).unwrap_or_default()
    }

    /// A tree of its metadata and nothing else.
    pub(crate) fn metadata(&self) -> Value {
        stored::pick(self.json_slice(), &["metadata"])
    }

    /// `None` where the stored bytes do not have that type.
    pub fn typed<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(self.json_slice()).ok()
    }

    pub fn ns(&self) -> &str {
        self.key.split_once('/').map_or("", |(ns, _)| ns)
    }

    pub fn name(&self) -> &str {
        self.key.split_once('/').map_or(&self.key, |(_, name)| name)
    }

    /// Value of a selectable field; missing fields are empty.
    pub fn field(&self, field: &str) -> Option<&str> {
        match field {
            "metadata.name" => Some(self.name()),
            "metadata.namespace" => Some(self.ns()),
            field => {
                let at = self.kind.row().fields.iter().position(|(label, _)| label == field)?;
                self.fields.get(at).map(AsRef::as_ref)
            }
        }
    }

    /// Value of the row's field number `at`.
    pub(super) fn field_at(&self, at: usize) -> &str {
        self.fields.get(at).map_or("", AsRef::as_ref)
    }
}

impl Labels for Object {
    fn label(&self, key: &str) -> Option<&str> {
        self.labels.iter().find(|(name, _)| &**name == key).map(|(_, value)| &**value)
    }
}

/// Labels and selectable fields, without making a tree of the rest: most of an object is nothing that selectors ask.
fn selected(kind: &dyn Kind, value: &[u8]) -> (stored::Labels, Box<[Box<str>]>) {
    let fields = &kind.row().fields;
    if fields.is_empty()
        && let Some(labels) = stored::labels(value)
    {
        return (labels, Box::default());
    }
    if !kind.reads_row_paths() {
        let tree = serde_json::from_slice(value).unwrap_or_default();
        return (labels_of(&tree), fields_of(kind, &tree));
    }
    let paths: SmallVec<[&str; 16]> =
        std::iter::once("metadata.labels").chain(fields.iter().flat_map(|(_, path)| paths(path))).collect();
    let picked = stored::pick(value, &paths);
    (labels_of(&picked), fields_of(kind, &picked))
}

fn labels_of(tree: &Value) -> stored::Labels {
    let labels = metadata::get(tree, "labels").and_then(Value::as_object);
    let text = |(key, value): (&String, &Value)| Some((key.as_str().into(), value.as_str()?.into()));
    labels.into_iter().flatten().filter_map(text).collect()
}

fn fields_of(kind: &dyn Kind, tree: &Value) -> Box<[Box<str>]> {
    let fields = kind.row().fields.iter();
    fields.map(|(label, _)| kind.field(tree, label).unwrap_or_default().into_boxed_str()).collect()
}
