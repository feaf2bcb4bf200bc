//! What an object is in the versions that its owners wrote. Fields are owned in a version (`targetCPUUtilizationPercentage`
//! is a field of autoscaling/v1 alone), so each owner's part of a change is seen in the owner's version.
//!
//! Ownership is settled by plain functions, and some conversions are a webhook's matter: what one of them lacks is noted
//! here, the registry asks for it, and the function runs again.
//! k8s: the field manager's versionConverter

use super::{Set, changes};
use crate::custom::convert;
use crate::error::ApiError;
use crate::registry::{Call, Registry, metadata, view};
use kinds::kind::Kind;
use kinds::table;
use parking_lot::Mutex;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Conversions that one write may need: a few for each version that somebody owns something in.
const ASKED_MAX: usize = 64;

/// The conversions that one write has needed so far.
#[derive(Default)]
pub struct Versions {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    known: Vec<Known>,
    /// What could not be answered.
    open: Option<(Value, Arc<dyn Kind>)>,
}

struct Known {
    object: Value,
    api_version: String,
    converted: Value,
}

/// The kind of an object in another version; `None` where there is no such version (any more).
pub fn kind_of(kind: &dyn Kind, api_version: &str) -> Option<Arc<dyn Kind>> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let row = kind.row();
    match kind.custom() {
        Some(custom) => custom.sibling(version).filter(|_| row.group == group).map(|kind| kind as Arc<dyn Kind>),
        None => table::find_kind(group, version, &row.kind).filter(|other| other.row().storage == row.storage).cloned(),
    }
}

impl Versions {
    /// `object` as `kind` shows it.
    pub fn form<'v>(&self, object: &'v Value, kind: &Arc<dyn Kind>) -> Result<Cow<'v, Value>, ApiError> {
        let wanted = kind.row().api_version();
        if object.get("apiVersion").is_some_and(|own| *own == wanted) {
            return Ok(Cow::Borrowed(object));
        }
        if !convert::is_needed(kind.as_ref()) {
            return Ok(view::to_kind(kind.as_ref(), object).map_or(Cow::Borrowed(object), Cow::Owned));
        }
        let mut state = self.state.lock();
        let answer = state.known.iter().find(|known| known.api_version == wanted && known.object == *object);
        if let Some(known) = answer {
            return Ok(Cow::Owned(known.converted.clone()));
        }
        state.open = Some((object.clone(), Arc::clone(kind)));
        Err(ApiError::internal(format!("the object is not known in {wanted} yet")))
    }
}

impl Registry {
    /// Whether something was missing, and is known now.
    pub(in crate::registry) async fn complete(&self, versions: &Versions) -> Result<bool, ApiError> {
        let Some((object, kind)) = versions.state.lock().open.take() else { return Ok(false) };
        if versions.state.lock().known.len() == ASKED_MAX {
            return Err(ApiError::internal("ownership takes too many conversions"));
        }
        let converted = convert::tree(self.conversions(), kind.as_ref(), &object).await?.unwrap_or_default();
        let known = Known { object, api_version: kind.row().api_version(), converted };
        versions.state.lock().known.push(known);
        Ok(true)
    }
}

/// One change, as each of the owners sees it.
pub struct Change<'a> {
    call: &'a Call<'a>,
    versions: &'a Versions,
    old: &'a Value,
    new: &'a Value,
    seen: BTreeMap<String, Option<Touched>>,
}

/// What the writer has set, and what went.
#[derive(Default)]
pub struct Touched {
    pub set: Set,
    pub removed: Set,
}

impl<'a> Change<'a> {
    /// `own` is what the call's own version shows of it.
    pub fn new(call: &'a Call<'a>, versions: &'a Versions, sides: [&'a Value; 2], own: Touched) -> Self {
        let [old, new] = sides;
        let seen = BTreeMap::from([(call.row().api_version(), Some(own))]);
        Self { call, versions, old, new, seen }
    }

    /// `None` where there is no such version.
    pub fn of(&mut self, api_version: &str) -> Result<Option<&Touched>, ApiError> {
        if !self.seen.contains_key(api_version) {
            let touched = self.converted(api_version)?;
            self.seen.insert(api_version.to_owned(), touched);
        }
        Ok(self.seen.get(api_version).and_then(Option::as_ref))
    }

    fn converted(&self, api_version: &str) -> Result<Option<Touched>, ApiError> {
        let Some(kind) = kind_of(self.call.kind.as_ref(), api_version) else { return Ok(None) };
        let form = |object: &Value| {
            let mut bare = object.clone();
            metadata::unset(&mut bare, "managedFields");
            self.versions.form(&bare, &kind).map(Cow::into_owned)
        };
        // Nothing becomes nothing.
        let old = if self.old.get("apiVersion").is_some() { form(self.old)? } else { self.old.clone() };
        let found = changes(&Call { kind: &kind, ..*self.call }, &old, &form(self.new)?);
        let (set, removed) = found.into_touched_and_removed();
        Ok(Some(Touched { set, removed }))
    }
}
