//! How a kind's file is written: hooks on the typed object ([`TypedKind`]), or a row with cells only ([`Plain`]), and the
//! adapters that make either a [`Kind`] over JSON trees. Knows nothing of any kind.
//!
//! A tree is decoded once per call, whatever number of hooks runs; a hook that the kind does not have costs no decode
//! where the kind says so in [`TypedKind::LACKS`].

use crate::errors::{Cause, FieldError, FieldErrors};
use crate::kind::Kind;
use crate::row::Row;
use crate::tree;
use crate::validate::metadata::{self, Origin};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::marker::PhantomData;

/// Hooks that a kind may lack; see [`TypedKind::LACKS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    Default,
    PrepareCreate,
    PrepareUpdate,
    Validate,
    ValidateUpdate,
    Warnings,
}

/// What the file of a kind with hooks implements, on a unit struct of that file. Every hook is pure and total: objects
/// have passed the schema, but any field may hold anything its type allows.
pub trait TypedKind: Send + Sync + 'static {
    type Object: k8s_openapi::Resource + Serialize + DeserializeOwned;

    const ROW: Row;

    /// Hooks this kind has left empty, so that nothing is decoded for them. Leaving one out is only slower.
    const LACKS: &'static [Hook] = &[];

    /// Fills defaults. Idempotent.
    fn default(_object: &mut Self::Object) {}

    /// Before validation of a create. `status` is already gone where the kind has a `status` subresource.
    fn prepare_create(_object: &mut Self::Object) {}

    /// Before validation of an update of the main resource. `status` is already that of `old` where the kind has a
    /// `status` subresource.
    fn prepare_update(_object: &mut Self::Object, _old: &Self::Object) {}

    /// Before validation of an update through `status`. Everything but `status` and `metadata` is already that of `old`,
    /// and of `metadata` only managed fields, resource version, labels and annotations may differ.
    fn prepare_status(_object: &mut Self::Object, _old: &Self::Object) {}

    fn validate(_object: &Self::Object) -> FieldErrors {
        Vec::new()
    }

    /// Rules that compare with the object before. [`TypedKind::validate`] of the new object runs too.
    fn validate_update(_object: &Self::Object, _old: &Self::Object) -> FieldErrors {
        Vec::new()
    }

    /// Rules of an update through `status`.
    fn validate_status(_object: &Self::Object, _old: &Self::Object) -> FieldErrors {
        Vec::new()
    }

    fn warnings(_object: &Self::Object) -> Vec<String> {
        Vec::new()
    }

    /// Table cells in the order of `ROW.columns`. A kind with [`TypedKind::TREE_CELLS`] is not asked.
    fn cells(_object: &Self::Object, _now_unix_secs: i64) -> Vec<Value> {
        Vec::new()
    }

    /// Cells straight from the tree, where a printer needs no types: a list is then shown without decoding it.
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = None;

    /// Value of a selectable field that is not simply at its dotted path; `None` = ask the path.
    fn field(_object: &Self::Object, _field: &str) -> Option<String> {
        None
    }

    /// Fields for which [`TypedKind::field`] is asked.
    const OWN_FIELDS: &'static [&'static str] = &[];
}

/// A [`TypedKind`] as a [`Kind`].
pub struct Typed<K> {
    row: Row,
    kind: PhantomData<K>,
}

impl<K: TypedKind> Typed<K> {
    pub const fn new() -> Self {
        Typed { row: K::ROW, kind: PhantomData }
    }

    fn read(tree: &Value) -> Result<K::Object, FieldError> {
        K::Object::deserialize(tree).map_err(|error| unreadable(&error))
    }

    /// Like [`Typed::read`], moving what the tree holds. Where it fails nothing is left in the tree.
    fn take(tree: &mut Value) -> Result<K::Object, FieldError> {
        serde_json::from_value(tree.take()).map_err(|error| unreadable(&error))
    }

    fn edit(tree: &mut Value, edit: impl FnOnce(&mut K::Object)) {
        // A tree that passed the schema decodes; one that did not is left as it is, and `validate` reports it.
        let Ok(mut object) = Self::read(tree) else { return };
        edit(&mut object);
        *tree = encode(&object);
    }

    fn edit_with(tree: &mut Value, old: &Value, edit: impl FnOnce(&mut K::Object, &K::Object)) {
        let Ok(before) = Self::read(old) else { return };
        Self::edit(tree, |object| edit(object, &before));
    }

    fn lacks(hook: Hook) -> bool {
        K::LACKS.contains(&hook)
    }
}

impl<K: TypedKind> Default for Typed<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: TypedKind> Kind for Typed<K> {
    fn row(&self) -> &Row {
        &self.row
    }

    fn default(&self, object: &mut Value) {
        if !Self::lacks(Hook::Default) {
            Self::edit(object, K::default);
        }
    }

    fn prepare_create(&self, object: &mut Value) {
        tree::prepare_create(&self.row, object);
        if !Self::lacks(Hook::PrepareCreate) {
            Self::edit(object, K::prepare_create);
        }
    }

    fn prepare_update(&self, object: &mut Value, old: &Value) {
        tree::prepare_update(&self.row, object, old);
        if !Self::lacks(Hook::PrepareUpdate) {
            Self::edit_with(object, old, K::prepare_update);
        }
    }

    fn prepare_status(&self, object: &mut Value, old: &Value) {
        tree::prepare_status(object, old);
        Self::edit_with(object, old, K::prepare_status);
    }

    fn validate(&self, object: &Value) -> FieldErrors {
        let mut errors = metadata::of_object(&self.row, Origin::Builtin, object);
        if !Self::lacks(Hook::Validate) {
            match Self::read(object) {
                Ok(object) => errors.extend(K::validate(&object)),
                Err(error) => errors.push(error),
            }
        }
        errors
    }

    fn validate_update(&self, object: &Value, old: &Value) -> FieldErrors {
        let mut errors = metadata::of_change(object, old);
        if !Self::lacks(Hook::ValidateUpdate) {
            match (Self::read(object), Self::read(old)) {
                (Ok(object), Ok(old)) => errors.extend(K::validate_update(&object, &old)),
                (Err(error), _) | (_, Err(error)) => errors.push(error),
            }
        }
        errors
    }

    fn validate_status(&self, object: &Value, old: &Value) -> FieldErrors {
        let mut errors = metadata::of_object(&self.row, Origin::Builtin, object);
        errors.extend(metadata::of_change(object, old));
        match (Self::read(object), Self::read(old)) {
            (Ok(object), Ok(old)) => errors.extend(K::validate_status(&object, &old)),
            (Err(error), _) | (_, Err(error)) => errors.push(error),
        }
        errors
    }

    fn warnings(&self, object: &Value) -> Vec<String> {
        if Self::lacks(Hook::Warnings) {
            return Vec::new();
        }
        Self::read(object).map(|object| K::warnings(&object)).unwrap_or_default()
    }

    fn cells(&self, object: &Value, now_unix_secs: i64) -> Vec<Value> {
        if let Some(cells) = K::TREE_CELLS {
            return cells(object, now_unix_secs);
        }
        match Self::read(object) {
            Ok(object) => K::cells(&object, now_unix_secs),
            Err(_) => tree::name_and_blanks(object, self.row.columns.len()),
        }
    }

    fn field(&self, object: &Value, field: &str) -> Option<String> {
        if K::OWN_FIELDS.contains(&field) {
            let object = Self::read(object).ok()?;
            if let Some(value) = K::field(&object, field) {
                return Some(value);
            }
        }
        tree::field(&self.row, object, field)
    }

    fn create(&self, object: &mut Value) -> FieldErrors {
        tree::prepare_create(&self.row, object);
        let unchanged = Self::lacks(Hook::PrepareCreate);
        let read = if unchanged { Self::read(object) } else { Self::take(object) };
        let mut typed = match read {
            Ok(typed) => typed,
            Err(error) => return vec![error],
        };
        if !unchanged {
            K::prepare_create(&mut typed);
            *object = encode(&typed);
        }
        let mut errors = metadata::of_object(&self.row, Origin::Builtin, object);
        errors.extend(K::validate(&typed));
        errors
    }

    fn update(&self, object: &mut Value, old: &Value) -> FieldErrors {
        tree::prepare_update(&self.row, object, old);
        let unchanged = Self::lacks(Hook::PrepareUpdate);
        let read = if unchanged { Self::read(object) } else { Self::take(object) };
        let (mut typed, before) = match (read, Self::read(old)) {
            (Ok(typed), Ok(before)) => (typed, before),
            (Err(error), _) | (_, Err(error)) => return vec![error],
        };
        if !unchanged {
            K::prepare_update(&mut typed, &before);
            *object = encode(&typed);
        }
        let mut errors = metadata::of_object(&self.row, Origin::Builtin, object);
        errors.extend(metadata::of_change(object, old));
        errors.extend(K::validate(&typed));
        errors.extend(K::validate_update(&typed, &before));
        errors
    }
}

/// A kind without hooks on its content: a row, and cells over the tree.
pub struct Plain {
    row: Row,
    cells: fn(&Value, i64) -> Vec<Value>,
}

impl Plain {
    pub const fn new(row: Row, cells: fn(&Value, i64) -> Vec<Value>) -> Self {
        Plain { row, cells }
    }
}

impl Kind for Plain {
    fn row(&self) -> &Row {
        &self.row
    }

    fn default(&self, _object: &mut Value) {}

    fn prepare_create(&self, object: &mut Value) {
        tree::prepare_create(&self.row, object);
    }

    fn prepare_update(&self, object: &mut Value, old: &Value) {
        tree::prepare_update(&self.row, object, old);
    }

    fn prepare_status(&self, object: &mut Value, old: &Value) {
        tree::prepare_status(object, old);
    }

    fn validate(&self, object: &Value) -> FieldErrors {
        metadata::of_object(&self.row, Origin::Builtin, object)
    }

    fn validate_update(&self, object: &Value, old: &Value) -> FieldErrors {
        metadata::of_change(object, old)
    }

    fn validate_status(&self, object: &Value, old: &Value) -> FieldErrors {
        let mut errors = metadata::of_object(&self.row, Origin::Builtin, object);
        errors.extend(metadata::of_change(object, old));
        errors
    }

    fn warnings(&self, _object: &Value) -> Vec<String> {
        Vec::new()
    }

    fn cells(&self, object: &Value, now_unix_secs: i64) -> Vec<Value> {
        (self.cells)(object, now_unix_secs)
    }

    fn field(&self, object: &Value, field: &str) -> Option<String> {
        tree::field(&self.row, object, field)
    }
}

fn encode<T: Serialize>(object: &T) -> Value {
    serde_json::to_value(object).expect("k8s-openapi's types have string keys and no failing serializer")
}

/// The schema table and k8s-openapi describe the same types, so this says that the two drifted apart.
fn unreadable(error: &serde_json::Error) -> FieldError {
    FieldError { cause: Cause::TypeInvalid, path: String::new(), value: None, detail: error.to_string() }
}
