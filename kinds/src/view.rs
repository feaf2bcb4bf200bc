//! Two served forms of one stored object: how a kind that is a view of another (`row().storage` is the other's) is read
//! from and written to the stored form. Everything else is stored as it is served.

mod autoscaler;
mod event;

use crate::row::Row;
use serde_json::{Map, Value};

/// The two directions. Both are total: what the other form cannot say travels in annotations.
pub struct View {
    /// From what is served to what is stored.
    pub to_stored: fn(&mut Value),
    /// From what is stored to what is served.
    pub from_stored: fn(&mut Value),
}

static EVENT: View = View { to_stored: event::to_core, from_stored: event::from_core };
pub(crate) static AUTOSCALER: View = View { to_stored: autoscaler::to_v2, from_stored: autoscaler::from_v2 };

/// How objects of this row differ from what is stored; `None` where they do not.
pub fn of(row: &Row) -> Option<&'static View> {
    match (row.group.as_ref(), row.version.as_ref(), row.kind.as_ref()) {
        ("events.k8s.io", "v1", "Event") => Some(&EVENT),
        ("autoscaling", "v1", "HorizontalPodAutoscaler") => Some(&AUTOSCALER),
        _ => None,
    }
}

/// Moves a field to its other name.
fn rename(fields: &mut Map<String, Value>, from: &str, to: &str) {
    if let Some(value) = fields.remove(from) {
        fields.insert(to.to_owned(), value);
    }
}

fn set_api_version(object: &mut Value, api_version: &str) {
    if let Value::Object(fields) = object {
        fields.insert("apiVersion".to_owned(), api_version.into());
    }
}
