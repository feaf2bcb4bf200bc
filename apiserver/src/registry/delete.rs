//! DELETE of one object: at once, or marked and left to finalizers and to the node that runs it.

use super::admit::Operation;
use super::commit::Commit;
use super::{Call, Registry, exceptions, metadata};
use crate::error::ApiError;
use crate::request::{Options, Propagation};
use crate::stored;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use kinds::row::Row;
use serde_json::{Value, json};
use store::Expect;

const TRIES_MAX: usize = 10;
const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";
/// k8s: pods without the field are given this by defaulting.
const GRACE_DEFAULT_S: i64 = 30;

/// `DeleteOptions`, from the body and the query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    pub grace_seconds: Option<i64>,
    pub propagation: Option<Propagation>,
    pub uid: Option<String>,
    pub resource_version: Option<String>,
    pub dry_run: bool,
}

impl DeleteOptions {
    /// The body wins where it is given; an empty one leaves it to the query.
    pub fn of(options: &Options, body: Option<&Value>) -> Result<Self, ApiError> {
        let mut all = Self {
            grace_seconds: options.grace_period_seconds,
            propagation: options.propagation,
            dry_run: options.dry_run,
            ..Self::default()
        };
        if let Some(orphan) = options.raw("orphanDependents") {
            all.propagation = Some(if orphan == "false" { Propagation::Background } else { Propagation::Orphan });
        }
        let Some(body) = body else { return Ok(all) };
        if let Some(seconds) = body.get("gracePeriodSeconds").filter(|value| !value.is_null()) {
            let why = || ApiError::bad_request("gracePeriodSeconds must be a whole number");
            all.grace_seconds = Some(seconds.as_i64().ok_or_else(why)?);
        }
        if let Some(orphan) = body.get("orphanDependents").and_then(Value::as_bool) {
            all.propagation = Some(if orphan { Propagation::Orphan } else { Propagation::Background });
        }
        if let Some(policy) = body.get("propagationPolicy").and_then(Value::as_str) {
            let why = || ApiError::bad_request(format!("unknown propagationPolicy {policy:?}"));
            all.propagation = Some(Propagation::parse(policy).ok_or_else(why)?);
        }
        let condition = |field| body.pointer(field).and_then(Value::as_str).map(str::to_owned);
        all.uid = condition("/preconditions/uid");
        all.resource_version = condition("/preconditions/resourceVersion");
        all.dry_run |= body.get("dryRun").and_then(Value::as_array).is_some_and(|list| !list.is_empty());
        Ok(all)
    }
}

/// What became of a deleted object.
#[derive(Clone, Debug)]
pub struct Deleted {
    /// Its last version.
    pub json: Bytes,
    pub uid: String,
    /// Gone now; otherwise marked, and something else finishes it.
    pub gone: bool,
}

impl Registry {
    pub async fn delete(&self, call: &Call<'_>, options: &DeleteOptions) -> Result<Deleted, ApiError> {
        for _ in 0..TRIES_MAX {
            let old = self.read(call).await?.ok_or_else(|| call.not_found())?;
            check_preconditions(call, options, &old.tree)?;
            self.admit_final(call, Operation::Delete, None, Some(&old.tree)).await?;
            let uid = metadata::text(&old.tree, "uid").to_owned();
            let deleted = |json, gone| Ok(Deleted { json, uid: uid.clone(), gone });
            match plan(call.row(), &old.tree, options, self.now()) {
                Plan::Wait => return deleted(old.json, false),
                Plan::Remove if options.dry_run => return deleted(old.json, true),
                Plan::Remove => {
                    if let Commit::Done(_) = self.remove(call, old.rev).await? {
                        if let Some(effect) = self.effects.of(call.row()) {
                            effect.commit(None, Some(&old.tree)).await;
                        }
                        return deleted(old.json, true);
                    }
                }
                Plan::Mark(marked) if options.dry_run => {
                    return deleted(stored::with_revision(&stored::encode(&marked), old.rev), false);
                }
                Plan::Mark(marked) => {
                    if let (Commit::Done(_), json) = self.put(call, &marked, Expect::Rev(old.rev), Vec::new()).await? {
                        return deleted(json, false);
                    }
                }
            }
        }
        Err(ApiError::modified(call.row(), call.name))
    }
}

fn check_preconditions(call: &Call<'_>, options: &DeleteOptions, old: &Value) -> Result<(), ApiError> {
    let pairs = [("UID", &options.uid, "uid"), ("ResourceVersion", &options.resource_version, "resourceVersion")];
    for (name, wanted, field) in pairs {
        let found = metadata::text(old, field);
        if let Some(wanted) = wanted.as_deref().filter(|&wanted| wanted != found) {
            let why = format!("Precondition failed: {name} in precondition: {wanted}, {name} in object meta: {found}");
            return Err(ApiError::conflict(call.row(), call.name, why));
        }
    }
    Ok(())
}

#[derive(Debug, PartialEq)]
enum Plan {
    Remove,
    /// Stored again with the marks of a deletion.
    Mark(Value),
    /// Already on its way; nothing to add.
    Wait,
}

/// k8s: BeforeDelete and deletionFinalizersForGarbageCollection
fn plan(row: &Row, old: &Value, options: &DeleteOptions, now: Timestamp) -> Plan {
    let deleting = metadata::is_deleting(old);
    let grace = if exceptions::deletes_gracefully(row) { grace_seconds(old, options) } else { 0 };
    let mut marked = old.clone();
    set_finalizers(&mut marked, &propagation_finalizers(row, old, options));
    let namespace_holds = exceptions::has_spec_finalizers(row)
        && old.pointer("/spec/finalizers").and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    let held = !metadata::finalizers(&marked).is_empty() || namespace_holds;

    let current = metadata::get(old, "deletionGracePeriodSeconds").and_then(Value::as_i64);
    let shorter = deleting && current.is_some_and(|current| grace < current);
    if grace == 0 && !held {
        // A second delete without a shorter grace waits for the node like the first one.
        let waits = deleting && current.is_some_and(|current| current > 0) && options.grace_seconds.is_none();
        return if waits { Plan::Wait } else { Plan::Remove };
    }
    if !deleting {
        let at = now + SignedDuration::from_secs(grace);
        metadata::set(&mut marked, "deletionTimestamp", metadata::time(at));
        metadata::set(&mut marked, "deletionGracePeriodSeconds", grace);
        // k8s: a deletion is a new generation, so that controllers observe it.
        if metadata::get(old, "generation").and_then(Value::as_i64).is_some_and(|generation| generation > 0) {
            metadata::bump_generation(&mut marked, old);
        }
    } else if shorter {
        let at = now + SignedDuration::from_secs(grace);
        metadata::set(&mut marked, "deletionTimestamp", metadata::time(at));
        metadata::set(&mut marked, "deletionGracePeriodSeconds", grace);
    }
    if namespace_holds {
        // k8s: the namespace's registry sets the phase together with the timestamp.
        if !marked.get("status").is_some_and(Value::is_object) {
            marked["status"] = json!({});
        }
        marked["status"]["phase"] = json!("Terminating");
    }
    if metadata::is_same(&marked, old) { Plan::Wait } else { Plan::Mark(marked) }
}

/// How long the node may take. Pods that no node runs, or that have ended, need none.
fn grace_seconds(old: &Value, options: &DeleteOptions) -> i64 {
    let text = |path| old.pointer(path).and_then(Value::as_str).unwrap_or("");
    if let Some(current) = metadata::get(old, "deletionGracePeriodSeconds").and_then(Value::as_i64)
        && metadata::is_deleting(old)
    {
        // The period only ever gets shorter.
        return options.grace_seconds.map_or(current, |asked| asked.max(0).min(current));
    }
    if text("/spec/nodeName").is_empty() || matches!(text("/status/phase"), "Succeeded" | "Failed") {
        return 0;
    }
    let own = old.pointer("/spec/terminationGracePeriodSeconds").and_then(Value::as_i64);
    match options.grace_seconds.or(own).unwrap_or(GRACE_DEFAULT_S) {
        negative if negative < 0 => 1,
        seconds => seconds,
    }
}

/// The finalizers that the object has from now on: its own, and the one of the propagation policy.
fn propagation_finalizers(row: &Row, old: &Value, options: &DeleteOptions) -> Vec<String> {
    let own = metadata::finalizers(old);
    let has = |name: &str| own.contains(&name);
    let policy = options.propagation.unwrap_or_else(|| {
        // Without a word from the client an earlier decision stands.
        if has(ORPHAN) {
            Propagation::Orphan
        } else if has(FOREGROUND) {
            Propagation::Foreground
        } else {
            exceptions::default_propagation(row)
        }
    });
    let mut all: Vec<String> =
        own.iter().filter(|&&name| name != FOREGROUND && name != ORPHAN).map(|&name| name.to_owned()).collect();
    match policy {
        Propagation::Background => {}
        Propagation::Foreground => all.push(FOREGROUND.to_owned()),
        Propagation::Orphan => all.push(ORPHAN.to_owned()),
    }
    all
}

fn set_finalizers(object: &mut Value, finalizers: &[String]) {
    match finalizers {
        [] => metadata::unset(object, "finalizers"),
        list => metadata::set(object, "finalizers", list.to_vec()),
    }
}

#[cfg(test)]
mod tests;
