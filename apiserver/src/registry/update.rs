//! PUT, and the loop that every change of a stored object goes through.

use super::admit::Operation;
use super::charge::Known;
use super::commit::Commit;
use super::metadata::By;
use super::{Call, Registry, Stored, Written, exceptions, managed, metadata};
use crate::admission::Warnings;
use crate::error::{ApiError, Qualified};
use crate::request::Verb;
use bytes::Bytes;
use kinds::errors::{FieldError, FieldErrors};
use kinds::row::Row;
use kinds::validate::metadata as rules;
use serde_json::Value;
use store::Write;

/// Attempts of a write that others keep overtaking; each loss means that somebody else made progress.
const TRIES_MAX: usize = 10;

/// Doors through which a write leaves the generation as it is: what they change is no wish of a user.
const KEEPS_GENERATION: &[&str] = &["status", "binding"];

/// Doors through which the server itself makes the new version, out of the stored one: that is prepared, owned and valid
/// already, but for the metadata that a request may hand on.
/// k8s: BindingREST writes past the strategy of pods, and tracks no owners
const SERVERS_OWN: &[&str] = &["binding"];

/// How the new version comes from the stored one.
pub type Make<'a> = &'a (dyn Fn(&Value) -> Result<Value, ApiError> + Send + Sync);

impl Registry {
    /// Replaces an object, or a part of it through a subresource. `object` passed [`super::decode`].
    pub async fn update(&self, call: &Call<'_>, object: Value) -> Result<Written, ApiError> {
        let row = call.row();
        check_name(call, &object)?;
        let make = |_: &Value| Ok(object.clone());
        match self.change(call, Verb::Update, &make).await {
            Err(ApiError::NotFound { .. }) if row.create_on_update && call.subresource.is_empty() => {
                if !matches!(metadata::text(&object, "resourceVersion"), "" | "0") {
                    return Err(ApiError::modified(row, call.name));
                }
                // Who names one that is gone does not want another.
                let uid = metadata::text(&object, "uid");
                if !uid.is_empty() {
                    let why = format!("Precondition failed: UID in precondition: {uid}, UID in object meta: ");
                    return Err(ApiError::Conflict {
                        resource: Qualified::resource(row),
                        name: call.name.to_owned(),
                        why,
                    });
                }
                self.check_may_create(call).await?;
                let mut object = object;
                metadata::set(&mut object, "name", call.name);
                self.create(call, object).await
            }
            result => result,
        }
    }

    /// Reads, changes and writes until nobody came between. A new version that carries a resourceVersion or uid is
    /// bound to it.
    pub async fn change(&self, call: &Call<'_>, verb: Verb, make: Make<'_>) -> Result<Written, ApiError> {
        // k8s: GuaranteedUpdate with a cached existing object
        let cached = if call.options.dry_run { None } else { self.read_cached(call) };
        let mut refused = None;
        if let Some(old) = cached {
            let rev = old.rev;
            let tried = match make(&old.tree) {
                Ok(new) => self.try_change(call, verb, old, new).await,
                Err(error) => Err(error),
            };
            match tried {
                Ok(Some(written)) => return Ok(written),
                Ok(None) => {}
                // The write may have happened, or somebody else has failed: no newer version changes that.
                Err(error) if error.code() >= 500 => return Err(error),
                Err(error) => refused = Some((rev, error)),
            }
        }
        for _ in 0..TRIES_MAX {
            let old = self.read(call).await?.ok_or_else(|| call.not_found())?;
            // What was refused was the newest version.
            if let Some((_, error)) = refused.take_if(|(rev, _)| *rev == old.rev) {
                return Err(error);
            }
            let new = make(&old.tree)?;
            if let Some(written) = self.try_change(call, verb, old, new).await? {
                return Ok(written);
            }
        }
        Err(ApiError::modified(call.row(), call.name))
    }

    /// `None`: somebody else wrote first.
    async fn try_change(
        &self,
        call: &Call<'_>,
        verb: Verb,
        old: Stored,
        mut new: Value,
    ) -> Result<Option<Written>, ApiError> {
        let row = call.row();
        if SERVERS_OWN.contains(&call.subresource) {
            let (change, errors) = (Change { call, old: &old }, handed_on(row, &new, &old.tree));
            let done = self.write_change(&change, &mut new, errors, Vec::new()).await?;
            return Ok(done.map(|done| done.written(Warnings::new())));
        }
        metadata::settle_type(row, &mut new);
        metadata::settle_namespace(row, &mut new, call.ns)?;
        check_name(call, &new)?;
        check_bound(call, verb, &new, &old.tree)?;
        metadata::set(&mut new, "name", call.name);
        metadata::carry_over(&mut new, &old.tree);
        metadata::set(&mut new, "resourceVersion", metadata::text(&old.tree, "resourceVersion"));
        let sent = (verb != Verb::Patch).then(|| metadata::dedup_owners(&mut new, By::Client));
        let mut warnings: Warnings = sent.flatten().into_iter().collect();
        warnings.extend(call.kind.settle(&mut new));
        if crate::subresource::part::PARTS.contains(&call.subresource) && call.subresource != "status" {
            crate::subresource::part::keep_only(call.subresource, call.kind.as_ref(), &mut new, &old.tree);
        }
        self.settle_owners(call, &mut new, &old.tree).await;
        warnings.extend(self.admit_change(call, &mut new, &old.tree).await?);
        warnings.extend(metadata::dedup_owners(&mut new, By::Admission));
        metadata::carry_over(&mut new, &old.tree);
        let change = Change { call, old: &old };
        let effect = self.effects.of(row).filter(|_| call.subresource.is_empty());
        let Some(effect) = effect else {
            let errors = prepare_and_validate(call, &mut new, &old.tree);
            return Ok(self
                .write_change(&change, &mut new, errors, Vec::new())
                .await?
                .map(|done| done.written(warnings)));
        };
        call.kind.prepare_update(&mut new, &old.tree);
        let result = match effect.prepare(&mut new, Some(&old.tree), call.options.dry_run).await {
            Ok(more) => {
                let mut errors = call.kind.validate(&new);
                errors.extend(call.kind.validate_update(&new, &old.tree));
                self.write_change(&change, &mut new, errors, more).await
            }
            Err(error) => Err(error),
        };
        match &result {
            Ok(Some(Done { gone: true, .. })) if !call.options.dry_run => effect.commit(None, Some(&old.tree)).await,
            Ok(Some(_)) if !call.options.dry_run => effect.commit(Some(&new), Some(&old.tree)).await,
            Ok(_) | Err(_) => effect.abort(&new, Some(&old.tree)).await,
        }
        Ok(result?.map(|done| done.written(warnings)))
    }

    /// Gives a changed object its owners; as they were, where a version of theirs cannot be had.
    /// k8s: UpdateNoErrors
    async fn settle_owners(&self, call: &Call<'_>, new: &mut Value, old: &Value) {
        let (now, versions) = (self.now(), managed::Versions::default());
        while let Err(error) = managed::on_update(new, old, call, now, &versions) {
            // Boxed: rare, and a webhook's call would make every write's state larger.
            let error = match Box::pin(self.complete(&versions)).await {
                Ok(true) => continue,
                Ok(false) => error,
                Err(error) => error,
            };
            tracing::warn!(
                name = call.name,
                error = &error as &dyn std::error::Error,
                "cannot tell who owns what after a change"
            );
            return managed::keep(new, old);
        }
    }

    /// `None`: somebody else wrote first.
    async fn write_change(
        &self,
        change: &Change<'_>,
        new: &mut Value,
        errors: FieldErrors,
        more: Vec<Write>,
    ) -> Result<Option<Done>, ApiError> {
        let &Change { call, old } = change;
        let row = call.row();
        if !errors.is_empty() {
            return Err(ApiError::invalid(row, call.name, errors));
        }
        if row.generation
            && !KEEPS_GENERATION.contains(&call.subresource)
            && metadata::spec_changed(row, new, &old.tree)
        {
            metadata::bump_generation(new, &old.tree);
        }
        let warnings = self.admit_final_change(call, new, &old.tree).await?;
        let is_same = metadata::is_same(new, &old.tree) && !managed::differs(new, &old.tree) && !old.outdated;
        if is_same && old.maybe_old {
            return Ok(None);
        }
        if is_same {
            return Ok(Some(Done { json: old.json.clone(), gone: false, warnings }));
        }
        let gone = is_finished(call, new);
        if gone || call.options.dry_run {
            let json = crate::stored::with_revision(&crate::stored::encode(new), old.rev);
            if call.options.dry_run {
                self.charge(call, Operation::Update, new, Some(&old.tree), Known::Stored).await?;
                return Ok(Some(Done { json, gone, warnings }));
            }
            // The update took the last finalizer off a deleted object.
            return match self.remove(call, old.rev).await? {
                Commit::Done(_) => Ok(Some(Done { json, gone, warnings })),
                Commit::Lost | Commit::Crossed { .. } => Ok(None),
            };
        }
        match self.put_charged(call, new, Some(old), more).await? {
            (Commit::Done(_), json) => Ok(Some(Done { json, gone, warnings })),
            (Commit::Lost | Commit::Crossed { .. }, _) => Ok(None),
        }
    }
}

struct Change<'a> {
    call: &'a Call<'a>,
    old: &'a Stored,
}

/// A change that was made (or would be, in a dry run).
struct Done {
    json: Bytes,
    /// The object is gone with it.
    gone: bool,
    /// Admission's.
    warnings: Warnings,
}

impl Done {
    fn written(self, mut warnings: Warnings) -> Written {
        warnings.extend(self.warnings);
        Written { json: self.json, created: false, warnings }
    }
}

/// k8s: the name check of every PUT and PATCH
pub(super) fn check_name(call: &Call<'_>, object: &Value) -> Result<(), ApiError> {
    match metadata::text(object, "name") {
        "" => Err(ApiError::bad_request(format!(
            "the name of the object ({} based on URL) was undeterminable: name must be provided",
            call.name
        ))),
        name if name == call.name => Ok(()),
        name => Err(ApiError::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            call.name
        ))),
    }
}

/// A version that names a uid or revision may only replace that one.
fn check_bound(call: &Call<'_>, verb: Verb, new: &Value, old: &Value) -> Result<(), ApiError> {
    let row = call.row();
    let (uid, stored) = (metadata::text(new, "uid"), metadata::text(old, "uid"));
    if !uid.is_empty() && uid != stored {
        let why = format!(
            "StorageError: invalid object, Code: 4, Key: {}, ResourceVersion: 0, AdditionalErrorMsg: Precondition \
             failed: UID in precondition: {uid}, UID in object meta: {stored}",
            call.key()
        );
        return Err(ApiError::conflict(row, call.name, why));
    }
    match metadata::text(new, "resourceVersion") {
        // k8s: custom resources have to be bound too
        "" | "0" if verb == Verb::Update && (exceptions::revision_required(row) || call.kind.schema().is_none()) => {
            let why = "must be specified for an update";
            let errors = vec![FieldError::invalid("metadata.resourceVersion", 0, why)];
            // k8s: this one message names the resource where all others name the kind.
            Err(ApiError::Invalid { kind: Qualified::resource(row), name: call.name.to_owned(), errors })
        }
        "" | "0" => Ok(()),
        rev if rev == metadata::text(old, "resourceVersion") => Ok(()),
        rev if rev.parse::<u64>().is_err() => {
            let why = format!("strconv.ParseUint: parsing {rev:?}: invalid syntax");
            let errors = vec![FieldError::invalid("metadata.resourceVersion", rev, why)];
            Err(ApiError::invalid(row, call.name, errors))
        }
        _ => Err(ApiError::modified(row, call.name)),
    }
}

/// Rules of the labels and annotations that a request has handed on.
fn handed_on(row: &Row, new: &Value, old: &Value) -> FieldErrors {
    let is_same = |field| metadata::get(new, field) == metadata::get(old, field);
    if is_same("labels") && is_same("annotations") {
        return FieldErrors::new();
    }
    rules::of_object(row, rules::Origin::Builtin, new)
}

/// Puts back what a write through this subresource may not touch, then checks the rest.
fn prepare_and_validate(call: &Call<'_>, new: &mut Value, old: &Value) -> FieldErrors {
    match call.subresource {
        "" => call.kind.update(new, old),
        "status" => call.kind.update_status(new, old),
        part => {
            crate::subresource::part::keep_only(part, call.kind.as_ref(), new, old);
            crate::subresource::part::validate(part, call.kind.as_ref(), new, old)
        }
    }
}

/// A deleted object that nothing holds back any more.
/// k8s: ShouldDeleteDuringUpdate
fn is_finished(call: &Call<'_>, object: &Value) -> bool {
    let grace = metadata::get(object, "deletionGracePeriodSeconds").and_then(Value::as_i64).unwrap_or(0);
    let held = exceptions::has_spec_finalizers(call.row())
        && object.pointer("/spec/finalizers").and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    metadata::is_deleting(object) && grace == 0 && metadata::finalizers(object).is_empty() && !held
}
