//! Custom resources: a version of a CustomResourceDefinition becomes a [`Kind`] at run time, from its schema.
//!
//! Each file below reads the schema for one purpose; [`Definition`] holds what they made of it. Nothing here does I/O: who
//! serves the kinds, and who asks a conversion webhook, is the API server's matter.

pub mod condition;
pub(crate) mod defaults;
pub mod definition;
mod embedded;
mod lists;
pub(crate) mod path;
mod printer;
pub(crate) mod prune;
pub(crate) mod rules;
pub mod structural;
pub(crate) mod values;
pub mod version;

pub use definition::{Conversion, Definition, ScalePaths};

use crate::errors::{Cause, FieldError, FieldErrors};
use crate::kind::Kind;
use crate::row::Row;
use crate::schema::decode::{self, DecodeError, Decoded, Strictness};
use crate::schema::{Context, Schema};
use crate::tree;
use crate::validate::metadata::{self, Origin};
use definition::Version;
use serde_json::Value;
use std::sync::Arc;

/// A version of a definition, as a kind.
pub struct Custom {
    row: Row,
    definition: Arc<Definition>,
    /// Which of its versions.
    at: usize,
}

/// The kinds of a CustomResourceDefinition's served versions, the preferred one first.
pub fn kinds_of(crd: &Value) -> Vec<Arc<dyn Kind>> {
    let definition = Arc::new(Definition::compile(crd));
    let served = definition.versions.iter().enumerate().filter(|(_, version)| version.served);
    let kind = |(at, _)| -> Arc<dyn Kind> { Arc::new(Custom::new(&definition, at)) };
    served.map(kind).collect()
}

/// The kind of the version that objects are kept in, served or not.
pub fn storage_kind(crd: &Value) -> Option<Arc<dyn Kind>> {
    let definition = Arc::new(Definition::compile(crd));
    let at = definition.versions.iter().position(|version| version.storage)?;
    Some(Arc::new(Custom::new(&definition, at)))
}

impl Custom {
    fn new(definition: &Arc<Definition>, at: usize) -> Self {
        Self { row: definition.row(at), definition: Arc::clone(definition), at }
    }

    fn version(&self) -> &Version {
        &self.definition.versions[self.at]
    }

    /// The kind of the same objects in another version of the definition, served or not.
    pub fn sibling(&self, version: &str) -> Option<Arc<Self>> {
        let at = self.definition.versions.iter().position(|known| known.name == version)?;
        Some(Arc::new(Self::new(&self.definition, at)))
    }

    /// Another number whenever the definition's spec is another one: what was cached under it is of no use any more.
    pub fn edition(&self) -> u64 {
        self.definition.edition
    }

    pub fn conversion(&self) -> &Conversion {
        &self.definition.conversion
    }

    /// Where the replicas are that `scale` shows and changes.
    pub fn scale(&self) -> Option<&ScalePaths> {
        self.version().scale.as_ref()
    }

    /// The `apiVersion` in which objects are kept.
    pub fn stored_api_version(&self) -> String {
        let definition = &self.definition;
        let stored = definition.versions.iter().find(|version| version.storage).unwrap_or_else(|| self.version());
        format!("{}/{}", definition.group, stored.name)
    }

    /// A stored object as this version shows it, pruned and defaulted by the schemas of today. One that a webhook has to
    /// convert stays in its version: its `apiVersion` tells.
    pub fn shown(&self, stored: &Value) -> Value {
        let mut object = stored.clone();
        let version = tree::text(stored, "apiVersion").rsplit('/').next().unwrap_or_default();
        let own = self.version().name.as_str();
        if let Some(of) = self.definition.versions.iter().find(|known| known.name == version) {
            of.settle(&mut object);
        }
        if version != own && self.definition.conversion == Conversion::None {
            object["apiVersion"] = Value::String(self.row.api_version());
            self.version().settle(&mut object);
        }
        object
    }

    /// An object that a webhook made, as the schema of its version has it.
    pub fn settled(&self, mut object: Value) -> Value {
        self.version().settle(&mut object);
        object
    }

    /// Every rule, with the version before where there is one.
    fn rules(&self, object: &Value, old: Option<&Value>) -> FieldErrors {
        let version = self.version();
        let mut errors = values::validate(object, old, &version.values, "");
        errors.extend(version.check_scale(object));
        errors.extend(embedded::check(object, &version.structural));
        // k8s: an update of a list that had duplicates before may keep them
        if old.is_none_or(|old| lists::check(old, &version.structural).is_empty()) {
            errors.extend(lists::check(object, &version.structural));
        }
        if version.rules.is_empty() {
            return errors;
        }
        if blocks(&errors) {
            errors.push(FieldError::invalid("<nil>", Value::Null, NOT_CHECKED));
        } else {
            errors.extend(rules::validate(object, old, &version.rules, &version.structural));
        }
        errors
    }

    fn check_update(&self, object: &Value, old: &Value) -> FieldErrors {
        let mut errors = metadata::of_object(&self.row, Origin::Custom, object);
        errors.extend(metadata::of_change(object, old));
        errors.extend(self.rules(object, Some(old)));
        errors
    }
}

/// k8s: what is said where rules were not evaluated
const NOT_CHECKED: &str = "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation";

/// Errors after which rules cannot be evaluated.
/// k8s: hasBlockingErr
fn blocks(errors: &[FieldError]) -> bool {
    let blocking = [Cause::Required, Cause::TooLong, Cause::TooMany, Cause::TypeInvalid];
    errors.iter().any(|error| blocking.contains(&error.cause))
}

impl Kind for Custom {
    fn row(&self) -> &Row {
        &self.row
    }

    fn schema(&self) -> Option<Schema> {
        None
    }

    fn custom(&self) -> Option<&Custom> {
        Some(self)
    }

    fn openapi(&self) -> Option<Value> {
        Some(self.version().schema.clone())
    }

    fn context(&self) -> Context<'_> {
        Context::Custom(&self.version().structural)
    }

    fn decode(&self, json: &[u8], strictness: Strictness) -> Result<Decoded, DecodeError> {
        let (tree, duplicates) = decode::untyped(json)?;
        let mut decoded = self.decode_tree(tree, strictness)?;
        if strictness.reports() {
            decoded.duplicate = duplicates;
        }
        Ok(decoded)
    }

    fn decode_tree(&self, mut tree: Value, strictness: Strictness) -> Result<Decoded, DecodeError> {
        let unknown = prune::prune(&mut tree, &self.version().structural, strictness)?;
        Ok(Decoded { object: tree, unknown, duplicate: Vec::new() })
    }

    fn default(&self, object: &mut Value) {
        defaults::fill(object, &self.version().structural);
    }

    fn prepare_create(&self, object: &mut Value) {
        tree::prepare_create(&self.row, object);
    }

    fn prepare_update(&self, object: &mut Value, old: &Value) {
        tree::prepare_update(&self.row, object, old);
    }

    /// k8s: of the metadata only managed fields may change with the status of a custom resource
    fn prepare_status(&self, object: &mut Value, old: &Value) {
        let sent = std::mem::replace(object, old.clone());
        let (Value::Object(kept), Value::Object(mut sent)) = (object, sent) else { return };
        match sent.remove("status") {
            Some(status) => kept.insert("status".to_owned(), status),
            None => kept.remove("status"),
        };
        let sent = sent.remove("metadata");
        let Some(metadata) = kept.get_mut("metadata").and_then(Value::as_object_mut) else { return };
        for field in ["managedFields", "resourceVersion"] {
            match sent.as_ref().and_then(|metadata| metadata.get(field)) {
                Some(value) => metadata.insert(field.to_owned(), value.clone()),
                None => metadata.remove(field),
            };
        }
    }

    fn validate(&self, object: &Value) -> FieldErrors {
        let mut errors = metadata::of_object(&self.row, Origin::Custom, object);
        errors.extend(self.rules(object, None));
        errors
    }

    fn validate_update(&self, object: &Value, old: &Value) -> FieldErrors {
        self.check_update(object, old)
    }

    fn validate_status(&self, object: &Value, old: &Value) -> FieldErrors {
        self.check_update(object, old)
    }

    fn cells(&self, object: &Value, now_unix_secs: i64) -> Vec<Value> {
        let name = Value::String(tree::text(object, "metadata.name").to_owned());
        let columns = self.version().columns.iter();
        std::iter::once(name).chain(columns.map(|column| column.cell(object, now_unix_secs))).collect()
    }

    fn field(&self, object: &Value, field: &str) -> Option<String> {
        let path = match field {
            "metadata.name" | "metadata.namespace" => field,
            _ => self.row.fields.iter().find(|(label, _)| label == field).map(|(_, path)| path.as_ref())?,
        };
        Some(match tree::at(object, path) {
            Some(Value::String(text)) => text.clone(),
            Some(value @ (Value::Bool(_) | Value::Number(_))) => value.to_string(),
            _ => String::new(),
        })
    }

    /// Only what changes is held to the rules, so that an object may outlive stricter ones.
    fn update(&self, object: &mut Value, old: &Value) -> FieldErrors {
        self.prepare_update(object, old);
        self.check_update(object, old)
    }
}
