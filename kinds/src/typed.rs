//! How a kind's file is written: hooks on the typed object ([`TypedKind`]), or a row with cells only ([`Plain`]), and the
//! adapters that make either a [`Kind`] over JSON trees. Knows nothing of any kind.
//!
//! A tree is decoded once per call, whatever number of hooks runs; a hook that the kind does not have costs no decode
//! where the kind says so in [`TypedKind::LACKS`]. What hooks have changed is written over the tree that was read
//! ([`write_back`]), and nobody's typed object has managed fields ([`unowned`]).

mod unowned;
mod write_back;

use crate::errors::{Cause, FieldError, FieldErrors};
use crate::kind::Kind;
use crate::row::Row;
use crate::tree;
use crate::validate::metadata::{self, Origin};
use k8s_openapi::Metadata;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::marker::PhantomData;
use unowned::Unowned;

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
    type Object: Metadata<Ty = ObjectMeta> + Serialize + DeserializeOwned;

    const ROW: Row;

    /// Hooks this kind has left empty, so that nothing is decoded for them. Leaving one out is only slower.
    const LACKS: &'static [Hook] = &[];

    /// Fills defaults. Idempotent.
    fn default(_object: &mut Self::Object) {}

    /// Before validation of a create. `status` is already gone where the kind has a `status` subresource, unless
    /// its row lets a create bring one.
    fn prepare_create(_object: &mut Self::Object) {}

    /// The status that a new object starts with, where that is all that there is to prepare: then the rest of the object is not
    /// encoded again.
    const FIRST_STATUS: Option<fn(&Self::Object) -> Value> = None;

    /// Before validation of an update of the main resource. `status` is already that of `old` where the kind has a
    /// `status` subresource.
    fn prepare_update(_object: &mut Self::Object, _old: &Self::Object) {}

    /// Before validation of an update through `status`. Everything but `status` and `metadata` is already that of `old`,
    /// and of `metadata` only managed fields, resource version, labels and annotations may differ.
    fn prepare_status(_object: &mut Self::Object, _old: &Self::Object) {}

    fn validate(_object: &Self::Object) -> FieldErrors {
        Vec::new()
    }

    /// Rules that a new object keeps and an old one need not. [`TypedKind::validate`] runs too.
    fn validate_create(_object: &Self::Object) -> FieldErrors {
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
}

/// A hook on an object and the one that it replaces.
type Prepare<K> = fn(&mut <K as TypedKind>::Object, &<K as TypedKind>::Object);

/// A [`TypedKind`] as a [`Kind`].
pub struct Typed<K> {
    row: Row,
    kind: PhantomData<K>,
}

impl<K: TypedKind> Typed<K> {
    pub const fn new() -> Self {
        Typed { row: K::ROW, kind: PhantomData }
    }

    /// Without managed fields: no hook looks at them, and to decode them would cost as much as all the rest.
    fn read(tree: &Value) -> Result<K::Object, FieldError> {
        K::Object::deserialize(Unowned(tree)).map_err(|error| unreadable(&error))
    }

    fn write(object: &K::Object, tree: &mut Value) {
        let managed = tree::take_managed_fields(tree);
        if write_back::write(object, tree).is_err() {
            *tree = encode(object);
        }
        tree::put_managed_fields(tree, managed);
    }

    fn edit<R>(tree: &mut Value, edit: impl FnOnce(&mut K::Object) -> R) -> Option<R> {
        // A tree that passed the schema decodes; one that did not is left as it is, and `validate` reports it.
        let mut object = Self::read(tree).ok()?;
        let result = edit(&mut object);
        Self::write(&object, tree);
        Some(result)
    }

    fn edit_with(tree: &mut Value, old: &Value, edit: impl FnOnce(&mut K::Object, &K::Object)) {
        let Ok(before) = Self::read(old) else { return };
        Self::edit(tree, |object| edit(object, &before));
    }

    /// What a write brings, prepared. `prepare` is `None` where there is nothing to do, so that the tree stays as it is.
    fn prepared(tree: &mut Value, prepare: Option<impl FnOnce(&mut K::Object)>) -> Result<K::Object, FieldError> {
        let mut object = Self::read(tree)?;
        if let Some(prepare) = prepare {
            prepare(&mut object);
            Self::write(&object, tree);
        }
        Ok(object)
    }

    /// The same for a change of `old`, which comes typed too.
    fn prepared_with(
        tree: &mut Value,
        old: &Value,
        prepare: Option<Prepare<K>>,
    ) -> Result<(K::Object, K::Object), FieldError> {
        let before = Self::read(old)?;
        let typed = match prepare {
            Some(prepare) => Self::prepared(tree, Some(|typed: &mut K::Object| prepare(typed, &before)))?,
            None => Self::read(tree)?,
        };
        Ok((typed, before))
    }

    /// Rules of the metadata of `tree`, of which `object` is the typed form.
    fn rules_of_metadata(&self, object: &K::Object, tree: &Value) -> FieldErrors {
        metadata::of_meta(&self.row, Origin::Builtin, object.metadata(), tree::managed_fields(tree))
    }

    fn rules_of(&self, object: &K::Object, tree: &Value) -> FieldErrors {
        let mut errors = self.rules_of_metadata(object, tree);
        errors.extend(K::validate(object));
        errors
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
        if let Some(status) = K::FIRST_STATUS {
            if let Ok(typed) = Self::read(object) {
                object["status"] = status(&typed);
            }
        } else if !Self::lacks(Hook::PrepareCreate) {
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
        tree::prepare_status(&self.row, object, old);
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
        tree::field(&self.row, object, field)
    }

    fn reads_row_paths(&self) -> bool {
        true
    }

    fn settle(&self, object: &mut Value) -> Vec<String> {
        if Self::lacks(Hook::Default) {
            return self.warnings(object);
        }
        let settled = Self::edit(object, |typed| {
            let texts = K::warnings(typed);
            K::default(typed);
            texts
        });
        settled.unwrap_or_default()
    }

    fn create(&self, object: &mut Value) -> FieldErrors {
        tree::prepare_create(&self.row, object);
        let nothing = K::FIRST_STATUS.is_some() || Self::lacks(Hook::PrepareCreate);
        let typed = match Self::prepared(object, (!nothing).then_some(K::prepare_create)) {
            Ok(typed) => typed,
            Err(error) => return vec![error],
        };
        let mut errors = self.rules_of(&typed, object);
        errors.extend(K::validate_create(&typed));
        if let Some(status) = K::FIRST_STATUS {
            object["status"] = status(&typed);
        }
        errors
    }

    fn update(&self, object: &mut Value, old: &Value) -> FieldErrors {
        tree::prepare_update(&self.row, object, old);
        let prepare = (!Self::lacks(Hook::PrepareUpdate)).then_some(K::prepare_update as Prepare<K>);
        let (typed, before) = match Self::prepared_with(object, old, prepare) {
            Ok(both) => both,
            Err(error) => return vec![error],
        };
        let mut errors = self.rules_of(&typed, object);
        errors.extend(metadata::on_update(typed.metadata(), before.metadata()));
        errors.extend(K::validate_update(&typed, &before));
        errors
    }

    fn update_status(&self, object: &mut Value, old: &Value) -> FieldErrors {
        tree::prepare_status(&self.row, object, old);
        let (typed, before) = match Self::prepared_with(object, old, Some(K::prepare_status)) {
            Ok(both) => both,
            Err(error) => return vec![error],
        };
        let mut errors = self.rules_of_metadata(&typed, object);
        errors.extend(metadata::on_update(typed.metadata(), before.metadata()));
        errors.extend(K::validate_status(&typed, &before));
        errors
    }
}

/// A kind without hooks on its content: a row, and cells over the tree.
pub struct Plain {
    row: Row,
    cells: fn(&Value, i64) -> Vec<Value>,
    /// Of a kind that the schema table does not have.
    openapi: Option<fn() -> Value>,
}

impl Plain {
    pub const fn new(row: Row, cells: fn(&Value, i64) -> Vec<Value>) -> Self {
        Plain { row, cells, openapi: None }
    }

    pub const fn with_openapi(mut self, openapi: fn() -> Value) -> Self {
        self.openapi = Some(openapi);
        self
    }
}

impl Kind for Plain {
    fn row(&self) -> &Row {
        &self.row
    }

    fn openapi(&self) -> Option<Value> {
        self.openapi.map(|openapi| openapi())
    }

    fn default(&self, _object: &mut Value) {}

    fn prepare_create(&self, object: &mut Value) {
        tree::prepare_create(&self.row, object);
    }

    fn prepare_update(&self, object: &mut Value, old: &Value) {
        tree::prepare_update(&self.row, object, old);
    }

    fn prepare_status(&self, object: &mut Value, old: &Value) {
        tree::prepare_status(&self.row, object, old);
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

    fn cells(&self, object: &Value, now_unix_secs: i64) -> Vec<Value> {
        (self.cells)(object, now_unix_secs)
    }

    fn field(&self, object: &Value, field: &str) -> Option<String> {
        tree::field(&self.row, object, field)
    }

    fn reads_row_paths(&self) -> bool {
        true
    }
}

fn encode<T: Serialize>(object: &T) -> Value {
    serde_json::to_value(object).expect("k8s-openapi's types have string keys and no failing serializer")
}

/// The schema table and k8s-openapi describe the same types, so this says that the two drifted apart.
fn unreadable(error: &serde_json::Error) -> FieldError {
    FieldError { cause: Cause::TypeInvalid, path: String::new(), value: None, detail: error.to_string() }
}
