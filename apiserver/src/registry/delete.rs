//! DELETE of one object: at once, or marked and left to finalizers and to the node that runs it.

mod options;

pub use options::DeleteOptions;

use super::commit::Commit;
use super::{Call, Registry, exceptions, metadata};
use crate::error::{ApiError, Qualified};
use crate::request::Propagation;
use crate::stored;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use kinds::kind::Kind;
use kinds::moment::later;
use kinds::row::Row;
use serde_json::{Value, json};
use store::{Expect, Rev};

const TRIES_MAX: usize = 10;
const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";
/// k8s: pods without the field are given this by defaulting.
const GRACE_DEFAULT_S: i64 = 30;

/// What became of a deleted object.
#[derive(Clone, Debug)]
pub struct Deleted {
    /// Its last version; what is gone carries the revision of the deletion.
    pub json: Bytes,
    pub rev: Rev,
    pub uid: String,
    /// Gone now; otherwise marked, and something else finishes it.
    pub gone: bool,
    /// For the client, as `Warning` headers.
    pub warnings: Vec<String>,
}

impl Registry {
    pub async fn delete(&self, call: &Call<'_>, options: &DeleteOptions) -> Result<Deleted, ApiError> {
        for _ in 0..TRIES_MAX {
            let old = self.read(call).await?.ok_or_else(|| call.not_found())?;
            check_preconditions(call, options, &old.tree)?;
            self.check_unprotected(call, &old.tree).await?;
            let warnings = self.admit_delete(call, &old.tree).await?;
            let uid = metadata::text(&old.tree, "uid").to_owned();
            let deleted = |json, rev, gone| Ok(Deleted { json, rev, uid, gone, warnings });
            match plan(call.kind.as_ref(), &old.tree, options, self.now()) {
                Plan::Wait => return deleted(old.json, old.rev, false),
                Plan::Remove(last) => {
                    let last = |rev| stored::with_revision(&stored::encode(&last), rev);
                    if options.dry_run {
                        return deleted(last(old.rev), old.rev, true);
                    }
                    if let Commit::Done(rev) = self.remove(call, old.rev).await? {
                        if let Some(effect) = self.effects.of(call.row()) {
                            effect.commit(None, Some(&old.tree)).await;
                        }
                        return deleted(last(rev), rev, true);
                    }
                }
                Plan::Mark(marked) if options.dry_run => {
                    return deleted(stored::with_revision(&stored::encode(&marked), old.rev), old.rev, false);
                }
                Plan::Mark(marked) => {
                    let (commit, json) = self.put(call, &marked, Expect::Rev(old.rev), Vec::new()).await?;
                    if let Commit::Done(rev) = commit {
                        if exceptions::has_spec_finalizers(call.row()) {
                            // Admission reads namespaces from the cache, and lets nothing new into one that ends.
                            self.caches.wait(rev).await?;
                        }
                        return deleted(json, rev, false);
                    }
                }
            }
        }
        Err(ApiError::modified(call.row(), call.name))
    }
}

/// k8s: `rest.BeforeDelete`
pub(crate) fn check_preconditions(call: &Call<'_>, options: &DeleteOptions, old: &Value) -> Result<(), ApiError> {
    let checks = [
        ("UID", &options.uid, "uid", "The object might have been deleted and then recreated"),
        ("ResourceVersion", &options.resource_version, "resourceVersion", "The object might have been modified"),
    ];
    for (name, wanted, field, hint) in checks {
        let found = metadata::text(old, field);
        if let Some(wanted) = wanted.as_deref().filter(|&wanted| wanted != found) {
            let why = format!(
                "the {name} in the precondition ({wanted}) does not match the {name} in record ({found}). {hint}"
            );
            let resource = Qualified::kind(call.row());
            return Err(ApiError::Conflict { resource, name: call.name.to_owned(), why });
        }
    }
    Ok(())
}

#[derive(Debug, PartialEq)]
enum Plan {
    /// Gone now; this is how the object looked last.
    Remove(Value),
    /// Stored again with the marks of a deletion.
    Mark(Value),
    /// Already on its way; nothing to add.
    Wait,
}

/// What a node is still given to stop the object.
enum Grace {
    /// The kind is not stopped by a node, or has been told to go at once.
    None,
    /// An earlier delete gave no less.
    Pending,
    Seconds(i64),
}

/// k8s: `Store.Delete`
fn plan(kind: &dyn Kind, old: &Value, options: &DeleteOptions, now: Timestamp) -> Plan {
    let row = kind.row();
    let grace = if exceptions::deletes_gracefully(row) { grace(old, options) } else { Grace::None };
    let mut marked = old.clone();
    if !exceptions::ignores_propagation(row) {
        set_finalizers(&mut marked, &propagation_finalizers(row, old, options));
    }
    if !metadata::is_deleting(old) {
        kind.prepare_delete(&mut marked, &metadata::time(now));
    }
    let namespace_holds = exceptions::has_spec_finalizers(row)
        && old.pointer("/spec/finalizers").and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    let held = !metadata::finalizers(&marked).is_empty() || namespace_holds;
    match grace {
        Grace::Pending => return Plan::Wait,
        Grace::Seconds(seconds) => {
            mark_graceful(&mut marked, old, seconds, now);
            if seconds == 0 && !held {
                return Plan::Remove(marked);
            }
        }
        Grace::None if held => mark_at_once(&mut marked, old, now),
        Grace::None => return Plan::Remove(marked),
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

/// A first deletion, or one with a shorter grace: the time moves by what was taken off.
fn mark_graceful(marked: &mut Value, old: &Value, seconds: i64, now: Timestamp) {
    let secs = SignedDuration::from_secs;
    let first: Option<Timestamp> = metadata::text(old, "deletionTimestamp").parse().ok();
    let at = match first {
        Some(first) => later(first, secs(seconds.saturating_sub(current_grace(old).unwrap_or(0)))),
        None => later(now, secs(seconds)),
    };
    metadata::set(marked, "deletionTimestamp", metadata::time(at));
    metadata::set(marked, "deletionGracePeriodSeconds", seconds);
    if first.is_none() {
        new_generation(marked, old);
    }
}

/// k8s: `markAsDeleting`
fn mark_at_once(marked: &mut Value, old: &Value, now: Timestamp) {
    if current_grace(old).is_none() {
        new_generation(marked, old);
    }
    let past = metadata::text(old, "deletionTimestamp").parse().is_ok_and(|at: Timestamp| at <= now);
    if !past {
        metadata::set(marked, "deletionTimestamp", metadata::time(now));
    }
    metadata::set(marked, "deletionGracePeriodSeconds", 0);
}

/// k8s: a deletion is a new generation, so that controllers observe it.
fn new_generation(marked: &mut Value, old: &Value) {
    if metadata::get(old, "generation").and_then(Value::as_i64).is_some_and(|generation| generation > 0) {
        metadata::bump_generation(marked, old);
    }
}

fn current_grace(old: &Value) -> Option<i64> {
    metadata::get(old, "deletionGracePeriodSeconds").and_then(Value::as_i64)
}

/// How long the node may take. Pods that no node runs, or that have ended, need no time.
/// k8s: `BeforeDelete` and the pod strategy's `CheckGracefulDelete`
fn grace(old: &Value, options: &DeleteOptions) -> Grace {
    let asked = options.grace_seconds.map(|asked| if asked < 0 { 1 } else { asked });
    if metadata::is_deleting(old) {
        // The period only ever gets shorter.
        return match (current_grace(old), asked) {
            (None | Some(0), _) => Grace::None,
            (Some(current), Some(asked)) if asked < current => Grace::Seconds(asked),
            (Some(_), _) => Grace::Pending,
        };
    }
    let text = |path| old.pointer(path).and_then(Value::as_str).unwrap_or("");
    if text("/spec/nodeName").is_empty() || matches!(text("/status/phase"), "Succeeded" | "Failed") {
        return Grace::Seconds(0);
    }
    let own = old.pointer("/spec/terminationGracePeriodSeconds").and_then(Value::as_i64);
    match asked.or(own).unwrap_or(GRACE_DEFAULT_S) {
        negative if negative < 0 => Grace::Seconds(1),
        seconds => Grace::Seconds(seconds),
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
