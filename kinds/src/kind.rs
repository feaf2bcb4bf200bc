//! The dyn face of a kind: what the generic registry, printers and collectors call, over JSON trees.

use crate::custom::Custom;
use crate::errors::FieldErrors;
use crate::row::Row;
use crate::schema::decode::{self, DecodeError, Decoded, Strictness};
use crate::schema::{self, Context, Schema};
use serde_json::Value;

/// Everything that generic code asks of a kind. Trees are `serde_json::Value` objects that already passed the schema
/// (decoded, types right, unknown fields gone); hooks never see malformed input and never do I/O.
pub trait Kind: Send + Sync + 'static {
    fn row(&self) -> &Row;

    /// The definition of its objects in the static schema table. `None` for custom resources: what needs it (strategic
    /// merge, protobuf) is refused for them.
    fn schema(&self) -> Option<Schema> {
        schema::lookup(&self.row().schema)
    }

    /// The custom resource behind it, for what only those have: conversion, their own `scale`, a store of several versions.
    fn custom(&self) -> Option<&Custom> {
        None
    }

    /// What is known of an object of this kind: where lists, maps and declared fields are.
    fn context(&self) -> Context<'_> {
        Context::of(self.schema())
    }

    /// Decodes JSON strictly; see [`decode`].
    fn decode(&self, json: &[u8], strictness: Strictness) -> Result<Decoded, DecodeError> {
        match self.schema() {
            Some(schema) => schema.decode(json, strictness),
            None => decode::untyped(json).map(|(object, duplicate)| Decoded { object, unknown: Vec::new(), duplicate }),
        }
    }

    /// Decodes what another format's parser has read (YAML), or checks a tree again after a patch.
    fn decode_tree(&self, tree: Value, strictness: Strictness) -> Result<Decoded, DecodeError> {
        match self.schema() {
            Some(schema) => schema.decode_tree(tree, strictness),
            None => Ok(Decoded { object: tree, unknown: Vec::new(), duplicate: Vec::new() }),
        }
    }

    /// Fills defaults in place. Idempotent. Runs on every write and on every read of an old object.
    fn default(&self, object: &mut Value);

    /// Before validation of a create: clears what clients may not set (`status`), sets what the kind owns.
    fn prepare_create(&self, object: &mut Value);

    /// Before validation of an update of the main resource: keeps `status` of `old`, kind-specific carry-overs
    /// (a Service keeps its clusterIP when the client left it out). Generation is the registry's work.
    fn prepare_update(&self, object: &mut Value, old: &Value);

    /// Before validation of an update of `status`: everything but `status` (and upstream's exceptions) is that of `old`.
    fn prepare_status(&self, object: &mut Value, old: &Value);

    /// When a first delete marks the object, which may not be held by anything yet. `now` is the time as metadata holds it.
    fn prepare_delete(&self, _object: &mut Value, _now: &str) {}

    fn validate(&self, object: &Value) -> FieldErrors;

    /// Rules that compare with the object before (immutability). [`Kind::validate`] of the new object runs too.
    fn validate_update(&self, object: &Value, old: &Value) -> FieldErrors;

    /// Rules of an update through `status`.
    fn validate_status(&self, object: &Value, old: &Value) -> FieldErrors;

    /// Warnings for the client (deprecated fields, duplicate env names), upstream's texts.
    fn warnings(&self, _object: &Value) -> Vec<String> {
        Vec::new()
    }

    /// Table cells in the order of `row().columns`. `now_unix_secs` is for ages.
    fn cells(&self, object: &Value, now_unix_secs: i64) -> Vec<Value>;

    /// Value of a selectable field (`spec.nodeName`); `None` = no such field for this kind.
    fn field(&self, object: &Value, field: &str) -> Option<String>;

    /// Whether [`Kind::field`] reads the row's paths and nothing else, so that it can be asked of a tree that holds only those.
    fn reads_row_paths(&self) -> bool {
        false
    }

    /// The OpenAPI v3 schema of a kind that is not in the schema table, as its author wrote it (`openAPIV3Schema`).
    /// `row().schema` is then the name of its definition: `com.example.stable.v1.CronTab`.
    fn openapi(&self) -> Option<Value> {
        None
    }

    /// [`Kind::warnings`], then [`Kind::default`], with one typed decode.
    fn settle(&self, object: &mut Value) -> Vec<String> {
        let texts = self.warnings(object);
        self.default(object);
        texts
    }

    /// [`Kind::prepare_create`], then [`Kind::validate`], with one typed decode.
    fn create(&self, object: &mut Value) -> FieldErrors {
        self.prepare_create(object);
        self.validate(object)
    }

    /// [`Kind::prepare_update`], then [`Kind::validate`] and [`Kind::validate_update`], with one typed decode of each.
    fn update(&self, object: &mut Value, old: &Value) -> FieldErrors {
        self.prepare_update(object, old);
        let mut errors = self.validate(object);
        errors.extend(self.validate_update(object, old));
        errors
    }

    /// [`Kind::prepare_status`], then [`Kind::validate_status`], with one typed decode of each.
    fn update_status(&self, object: &mut Value, old: &Value) -> FieldErrors {
        self.prepare_status(object, old);
        self.validate_status(object, old)
    }
}
