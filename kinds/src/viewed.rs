//! A kind that shows another one's objects in an older form: its hooks are those of the stored kind, seen through the
//! [`View`] between the two, so that defaults, rules and cells are written once.

use crate::errors::FieldErrors;
use crate::kind::Kind;
use crate::row::Row;
use crate::typed::{Typed, TypedKind};
use crate::view::View;
use serde_json::Value;

pub struct Viewed<K> {
    row: Row,
    view: &'static View,
    stored: Typed<K>,
}

impl<K: TypedKind> Viewed<K> {
    pub const fn new(row: Row, view: &'static View) -> Self {
        Viewed { row, view, stored: Typed::new() }
    }

    fn stored(&self, object: &Value) -> Value {
        let mut stored = object.clone();
        (self.view.to_stored)(&mut stored);
        stored
    }

    fn through(&self, object: &mut Value, edit: impl FnOnce(&mut Value)) {
        (self.view.to_stored)(object);
        edit(object);
        (self.view.from_stored)(object);
    }
}

impl<K: TypedKind> Kind for Viewed<K> {
    fn row(&self) -> &Row {
        &self.row
    }

    fn default(&self, object: &mut Value) {
        self.through(object, |stored| self.stored.default(stored));
    }

    fn prepare_create(&self, object: &mut Value) {
        self.through(object, |stored| self.stored.prepare_create(stored));
    }

    fn prepare_update(&self, object: &mut Value, old: &Value) {
        self.through(object, |stored| self.stored.prepare_update(stored, &self.stored(old)));
    }

    fn prepare_status(&self, object: &mut Value, old: &Value) {
        self.through(object, |stored| self.stored.prepare_status(stored, &self.stored(old)));
    }

    fn validate(&self, object: &Value) -> FieldErrors {
        self.stored.validate(&self.stored(object))
    }

    fn validate_update(&self, object: &Value, old: &Value) -> FieldErrors {
        self.stored.validate_update(&self.stored(object), &self.stored(old))
    }

    fn validate_status(&self, object: &Value, old: &Value) -> FieldErrors {
        self.stored.validate_status(&self.stored(object), &self.stored(old))
    }

    fn warnings(&self, object: &Value) -> Vec<String> {
        self.stored.warnings(&self.stored(object))
    }

    fn cells(&self, object: &Value, now_unix_secs: i64) -> Vec<Value> {
        self.stored.cells(&self.stored(object), now_unix_secs)
    }

    fn field(&self, object: &Value, field: &str) -> Option<String> {
        self.stored.field(&self.stored(object), field)
    }
}
