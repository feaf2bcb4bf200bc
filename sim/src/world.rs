//! The cluster as it is committed: every object at the newest revision, fed by the store itself, so that checkers see each
//! write at once and in order, before any watcher does.

use crate::rules;
use crate::trace::Trace;
use parking_lot::Mutex;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One object's change.
pub(crate) struct Change<'a> {
    pub(crate) old: Option<&'a Value>,
    pub(crate) new: Option<&'a Value>,
}

#[derive(Default)]
pub(crate) struct World {
    /// `/registry/pods/default/web-1` -> the object, without resourceVersion.
    objects: BTreeMap<String, Value>,
    /// Commits so far that are no heartbeat.
    pub(crate) commits: u64,
    /// Uids of pods that were seen to succeed, and of those that failed.
    pub(crate) succeeded: BTreeSet<String>,
    pub(crate) failed: BTreeSet<String>,
    /// The most replicas that each workload ever asked for.
    pub(crate) replicas_max: BTreeMap<String, i64>,
    /// The first rule that was broken.
    pub(crate) broken: Option<String>,
}

pub(crate) type SharedWorld = Arc<Mutex<World>>;

/// A text at a path such as `/metadata/name`, or nothing.
pub(crate) fn text<'a>(object: &'a Value, path: &str) -> &'a str {
    object.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn count(object: &Value, path: &str) -> i64 {
    object.pointer(path).and_then(Value::as_i64).unwrap_or_default()
}

pub(crate) fn is_terminating(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some()
}

/// Neither over nor on its way out.
pub(crate) fn is_active(pod: &Value) -> bool {
    !is_terminating(pod) && !matches!(text(pod, "/status/phase"), "Succeeded" | "Failed")
}

pub(crate) fn is_ready(pod: &Value) -> bool {
    let mut conditions = pod.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    conditions.any(|one| one["type"] == "Ready" && one["status"] == "True")
}

/// The owner that controls it.
pub(crate) fn controller(object: &Value) -> Option<&Value> {
    let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    owners.into_iter().flatten().find(|owner| owner["controller"] == true)
}

/// The pods among `pods` that the object with this uid controls.
pub(crate) fn controlled<'a>(objects: impl Iterator<Item = &'a Value>, uid: &str) -> impl Iterator<Item = &'a Value> {
    objects.filter(move |object| controller(object).is_some_and(|owner| owner["uid"] == *uid))
}

impl World {
    /// Every object of a collection, `apps/deployments` or `pods`.
    pub(crate) fn of(&self, collection: &str) -> impl Iterator<Item = &Value> + use<'_> {
        let prefix = format!("/registry/{collection}/");
        let mine = prefix.clone();
        self.objects.range(prefix..).take_while(move |(key, _)| key.starts_with(&mine)).map(|(_, object)| object)
    }

    pub(crate) fn named(&self, collection: &str, name: &str) -> Option<&Value> {
        self.of(collection).find(|object| text(object, "/metadata/name") == name)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Value> {
        self.objects.values()
    }

    /// Takes one committed write; heartbeats do not count as commits.
    pub(crate) fn commit(&mut self, key: &str, new: Option<Value>, trace: &Trace) {
        let old = match &new {
            Some(new) => self.objects.insert(key.to_owned(), new.clone()),
            None => self.objects.remove(key),
        };
        if key.starts_with("/registry/coordination.k8s.io/leases/") {
            return;
        }
        self.commits += 1;
        trace.note(&format!(
            "  {} {key}{}",
            verb(old.as_ref(), new.as_ref()),
            new.as_ref().map(summary).unwrap_or_default()
        ));
        self.remember(new.as_ref());
        let change = Change { old: old.as_ref(), new: new.as_ref() };
        if let Some(broken) = rules::broken(&change, self) {
            self.fail(broken, trace);
        }
    }

    pub(crate) fn fail(&mut self, broken: String, trace: &Trace) {
        trace.note(&format!("BROKEN {broken}"));
        self.broken.get_or_insert(broken);
    }

    fn remember(&mut self, new: Option<&Value>) {
        let Some(new) = new else { return };
        let uid = text(new, "/metadata/uid").to_owned();
        match (text(new, "/kind"), text(new, "/status/phase")) {
            ("Pod", "Succeeded") => drop(self.succeeded.insert(uid)),
            ("Pod", "Failed") => drop(self.failed.insert(uid)),
            ("Deployment" | "ReplicaSet" | "StatefulSet", _) => {
                let most = self.replicas_max.entry(uid).or_default();
                *most = count(new, "/spec/replicas").max(*most);
            }
            _ => {}
        }
    }
}

fn verb(old: Option<&Value>, new: Option<&Value>) -> &'static str {
    match (old, new) {
        (None, _) => "+",
        (Some(_), Some(_)) => "~",
        (Some(_), None) => "-",
    }
}

/// What a line says of an object.
fn summary(object: &Value) -> String {
    let facts = [("node", "/spec/nodeName"), ("phase", "/status/phase"), ("replicas", "/spec/replicas")];
    let facts = facts.iter().filter_map(|(label, path)| Some((label, object.pointer(path)?)));
    let mut said: String =
        facts.map(|(label, value)| format!(" {label}={}", value.to_string().trim_matches('"'))).collect();
    if text(object, "/kind") == "Pod" && is_ready(object) {
        said.push_str(" ready");
    }
    if is_terminating(object) {
        said.push_str(" terminating");
    }
    said
}
