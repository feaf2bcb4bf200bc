//! Objects that must not be deleted (`drover.dev/protected`): whoever asks, by name, by collection, by eviction or as the end of
//! an owner, is refused and told how to lift the protection. A namespace that holds one, and a definition with such an
//! instance, are refused before anything of them goes.

use super::{Call, Registry, metadata};
use crate::cache::Object;
use crate::error::ApiError;
use crate::request::Selection;
use kinds::kind::Kind;
use kinds::opt_in::{self, PROTECTED};
use kinds::row::{Row, Scope};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// More are counted and not named.
const NAMED_MAX: usize = 3;

impl Registry {
    /// Fails where the object, or something that would go with it, is protected. What is going already goes on.
    pub(super) async fn check_unprotected(&self, call: &Call<'_>, old: &Value) -> Result<(), ApiError> {
        if metadata::is_deleting(old) {
            return Ok(());
        }
        if opt_in::is_protected(&call.row().kind, old) {
            let place = if call.ns.is_empty() { String::new() } else { format!(" -n {}", call.ns) };
            let what = crate::error::Qualified::resource(call.row());
            let lift = format!("kubectl annotate {what} {}{place} {PROTECTED}-", call.name);
            return Err(refused(call, &format!("it is protected from deletion; to delete it, first: {lift}")));
        }
        let held = match (call.row().group.as_ref(), call.row().plural.as_ref()) {
            ("", "namespaces") => self.protected_in(call.name).await?,
            ("apiextensions.k8s.io", "customresourcedefinitions") => self.protected_of(old).await?,
            _ => return Ok(()),
        };
        match held.as_slice() {
            [] => Ok(()),
            held => Err(refused(
                call,
                &format!(
                    "it holds what is protected from deletion: {}; to delete it all, first take the annotation {PROTECTED} off them",
                    listed(held)
                ),
            )),
        }
    }

    /// Protected objects of a namespace. Of custom resources those that somebody has read, as the garbage collector reads
    /// them all; the others refuse their own deletion.
    async fn protected_in(&self, ns: &str) -> Result<Vec<String>, ApiError> {
        let builtin = kinds::table::builtin().iter();
        let deletable = builtin.filter(|kind| kind.row().scope == Scope::Namespaced && kind.row().has_verb("delete"));
        let mut all: Vec<Arc<dyn Kind>> = deletable.map(Arc::clone).collect();
        all.extend(self.caches.started_custom());
        let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
        for kind in all {
            if seen.insert(kind.row().storage.to_string()) {
                found.extend(self.protected(&kind, ns).await?);
            }
        }
        Ok(found)
    }

    /// Protected instances of a definition.
    async fn protected_of(&self, crd: &Value) -> Result<Vec<String>, ApiError> {
        match kinds::custom::storage_kind(crd) {
            Some(kind) => self.protected(&kind, "").await,
            None => Ok(Vec::new()),
        }
    }

    async fn protected(&self, kind: &Arc<dyn Kind>, ns: &str) -> Result<Vec<String>, ApiError> {
        let listed = self.caches.fresh(kind).await?.list(ns, &Selection::default()).objects;
        let protected = listed.iter().filter(|object| is_protected(kind.row(), object));
        Ok(protected.map(|object| format!("{}/{}", kind.row().plural, object.name())).collect())
    }
}

/// Of a collection either all may go or none does.
pub(super) fn check_none_protected(call: &Call<'_>, found: &[Arc<Object>]) -> Result<(), ApiError> {
    let protected = found.iter().filter(|object| is_protected(call.row(), object));
    let held: Vec<String> = protected.map(|object| object.name().to_owned()).collect();
    match held.as_slice() {
        [] => Ok(()),
        held => Err(refused(
            call,
            &format!(
                "of these, some are protected from deletion, and none was deleted: {}; first take the annotation {PROTECTED} off them",
                listed(held)
            ),
        )),
    }
}

/// Whether the object says so and is not on its way out.
fn is_protected(row: &Row, object: &Object) -> bool {
    // Most objects are never looked at closer.
    if !std::str::from_utf8(object.json_slice()).is_ok_and(|text| text.contains(PROTECTED)) {
        return false;
    }
    let value = object.value();
    opt_in::is_protected(&row.kind, &value) && !metadata::is_deleting(&value)
}

fn listed(names: &[String]) -> String {
    let named = names.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED_MAX) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

fn refused(call: &Call<'_>, why: &str) -> ApiError {
    ApiError::forbidden(call.row(), call.name, why)
}
