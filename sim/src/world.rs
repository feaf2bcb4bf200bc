//! The cluster as it is committed: every object at the newest revision, fed by the store itself, so that checkers see each
//! write at once and in order, before any watcher does.

use crate::kernel;
use crate::network::Asked;
use crate::rules;
use crate::trace::Trace;
use parking_lot::Mutex;
use serde_json::Value;
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;
use store::Write;

/// One object's change.
pub(crate) struct Change<'a> {
    pub(crate) old: Option<&'a Value>,
    pub(crate) new: Option<&'a Value>,
}

#[derive(Default)]
pub(crate) struct World {
    /// `/registry/pods/default/web-1` -> the object, without resourceVersion.
    objects: BTreeMap<String, Arc<Value>>,
    /// Commits so far that are no heartbeat.
    pub(crate) commits: u64,
    /// Commits by collection, such as `pods` or `apps/deployments`.
    pub(crate) written: BTreeMap<String, u64>,
    /// By uid, how each pod ended that was seen to end.
    ends: BTreeMap<String, End>,
    /// By uid, pods that came when their Job was over.
    belated: BTreeSet<String>,
    /// The most replicas that each workload ever asked for.
    pub(crate) replicas_max: BTreeMap<String, i64>,
    /// When each workload asked for more last, and for how many before.
    raised: BTreeMap<String, (Duration, i64)>,
    /// Pods that each quota's first count has missed: they came between the count and the moment from which it holds.
    pub(crate) uncounted: BTreeMap<String, i64>,
    /// How often a Job was made for a time of a CronJob, by its uid and that time.
    pub(crate) runs: BTreeMap<(String, String), u32>,
    /// When a binding arrived last of which the working scheduler may not know.
    pub(crate) doubtful_binding: Option<Duration>,
    /// When a write of a controller arrived last of which the working one may not know.
    pub(crate) untimely_write: Option<Duration>,
    /// When a ready pod was lost last by nobody's decision, or by an eviction or a preemption.
    pub(crate) disturbed: Option<Duration>,
    /// When a ready pod was lost last that nobody had evicted.
    pub(crate) lost: Option<Duration>,
    /// What names that were made up stand for: `web-7d4b9-x2x4z` is a `web-7d4b9-*`.
    made_up: BTreeMap<String, String>,
    /// Names of pods that have been ready once.
    been_ready: BTreeSet<String>,
    /// When each lease was written last.
    renewed: BTreeMap<String, Duration>,
    /// The first rule that was broken.
    pub(crate) broken: Option<String>,
}

/// How a pod ended.
struct End {
    job: String,
    succeeded: bool,
    /// Whether it had been told to go before.
    told: bool,
}

/// How many pods of a Job were seen to succeed.
pub(crate) struct Successes {
    pub(crate) really: i64,
    /// Those of them that had been told to go before.
    pub(crate) told: i64,
    /// Those of them that came when the Job was over: a leader had asked for them that led no longer when it was heard. Nobody
    /// counts them, and nobody stops them. k8s: syncJob leaves a Job that has finished alone
    pub(crate) belated: i64,
}

pub(crate) type SharedWorld = Arc<Mutex<World>>;

/// What is at a path such as `/metadata/name`: as `Value::pointer`, which makes two texts for every segment of every path. In
/// keys, `~1` stands for a `/`.
pub(crate) fn at<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('/').skip(1).try_fold(object, |inner, segment| match inner {
        Value::Object(map) if segment.contains('~') => map.get(&segment.replace("~1", "/")),
        Value::Object(map) => map.get(segment),
        Value::Array(list) => list.get(segment.parse::<usize>().ok()?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    })
}

/// A text at a path, or nothing.
pub(crate) fn text<'a>(object: &'a Value, path: &str) -> &'a str {
    at(object, path).and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn count(object: &Value, path: &str) -> i64 {
    at(object, path).and_then(Value::as_i64).unwrap_or_default()
}

pub(crate) fn is_terminating(object: &Value) -> bool {
    at(object, "/metadata/deletionTimestamp").is_some()
}

pub(crate) fn is_over(pod: &Value) -> bool {
    matches!(text(pod, "/status/phase"), "Succeeded" | "Failed")
}

/// Neither over nor on its way out.
pub(crate) fn is_active(pod: &Value) -> bool {
    !is_terminating(pod) && !is_over(pod)
}

/// The condition of this type, where it is true.
pub(crate) fn truth<'a>(object: &'a Value, type_: &str) -> Option<&'a Value> {
    let mut conditions = at(object, "/status/conditions").and_then(Value::as_array).into_iter().flatten();
    conditions.find(|one| one["type"] == *type_ && one["status"] == "True")
}

pub(crate) fn is_ready(object: &Value) -> bool {
    truth(object, "Ready").is_some()
}

/// The owner that controls it.
pub(crate) fn controller(object: &Value) -> Option<&Value> {
    let owners = at(object, "/metadata/ownerReferences").and_then(Value::as_array);
    owners.into_iter().flatten().find(|owner| owner["controller"] == true)
}

/// Those of `objects` that the object with this uid controls.
pub(crate) fn controlled<'a>(objects: impl Iterator<Item = &'a Value>, uid: String) -> impl Iterator<Item = &'a Value> {
    objects.filter(move |object| controller(object).is_some_and(|owner| owner["uid"] == *uid))
}

impl World {
    /// Every object of a collection, `apps/deployments` or `pods`.
    pub(crate) fn of(&self, collection: &str) -> impl Iterator<Item = &Value> + use<'_> {
        let prefix = format!("/registry/{collection}/");
        let mine = prefix.clone();
        self.objects.range(prefix..).take_while(move |(key, _)| key.starts_with(&mine)).map(|(_, object)| &**object)
    }

    pub(crate) fn named(&self, collection: &str, name: &str) -> Option<&Value> {
        self.of(collection).find(|object| text(object, "/metadata/name") == name)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Value> {
        self.objects.values().map(|object| &**object)
    }

    /// The object behind `/api/v1/namespaces/default/pods/web-1`, in words, if one of its owners is there to stay.
    pub(crate) fn owned(&self, path: &str) -> Option<String> {
        let mut segments = path.rsplit('/');
        let (name, plural) = (segments.next()?, segments.next()?);
        let ns = path.split_once("/namespaces/").and_then(|(_, rest)| rest.split('/').next());
        let found = self.objects.iter().find(|(key, object)| {
            let place = key.rsplit('/').nth(if ns.is_some() { 2 } else { 1 });
            let is_there = place == Some(plural) && text(object, "/metadata/name") == name;
            is_there && ns.is_none_or(|ns| text(object, "/metadata/namespace") == ns)
        });
        let owners = at(found?.1, "/metadata/ownerReferences").and_then(Value::as_array)?;
        let stays = |owner: &&Value| {
            self.objects.values().any(|one| one["metadata"]["uid"] == owner["uid"] && !is_terminating(one))
        };
        let owner = owners.iter().find(stays)?;
        Some(format!("{plural} {name}, which {} {} owns", text(owner, "/kind"), text(owner, "/name")))
    }

    /// Takes one write, committed in the course of such a request; heartbeats do not count as commits.
    pub(crate) fn commit(&mut self, write: &Write, new: Option<Value>, asked: Asked, trace: &Trace) {
        let key = write.key.as_str();
        let new = new.map(Arc::new);
        let old = match &new {
            Some(new) => self.objects.insert(key.to_owned(), Arc::clone(new)),
            None => self.objects.remove(key),
        };
        let (old, new) = (old.as_deref(), new.as_deref());
        if key.starts_with(LEASES) {
            if let Some(broken) = self.taken_too_soon(key, old, new) {
                self.fail(broken, trace);
            }
            return;
        }
        self.commits += 1;
        // Events that are over go by themselves.
        if new.is_some() || !key.starts_with("/registry/events/") {
            *self.written.entry(collection(key).to_owned()).or_default() += 1;
        }
        trace.note(&format!(
            "  {} {key}{}{}",
            verb(old, new),
            new.map(summary).unwrap_or_default(),
            write.value.as_deref().map(fingerprint).unwrap_or_default()
        ));
        // Whoever takes the last one away lets it go, but no deletion does.
        if let Some(holds) = old.and_then(holds)
            && new.is_none()
            && asked == Asked::Deletion
        {
            self.fail(format!("[finalizers hold] {key} is deleted though {holds} holds it"), trace);
        }
        self.remember(old, new);
        let change = Change { old, new };
        if let Some(broken) = rules::broken(&change, self) {
            self.fail(broken, trace);
        }
    }

    pub(crate) fn fail(&mut self, broken: String, trace: &Trace) {
        trace.note(&format!("BROKEN {broken}"));
        let (seconds, commit) = (kernel::elapsed().as_secs(), self.commits);
        self.broken.get_or_insert_with(|| format!("at {seconds} s, commit {commit}: {broken}"));
    }

    fn remember(&mut self, old: Option<&Value>, new: Option<&Value>) {
        if let Some(old) = old.filter(|old| text(old, "/kind") == "Pod" && is_active(old) && is_ready(old)) {
            let now = kernel::elapsed();
            self.lost = if is_lost(new) { Some(now) } else { self.lost };
            self.disturbed = if is_disturbed(old, new) { Some(now) } else { self.disturbed };
        }
        let Some(new) = new else { return };
        let uid = text(new, "/metadata/uid").to_owned();
        let (name, prefix) = (text(new, "/metadata/name"), text(new, "/metadata/generateName"));
        if old.is_none() && !prefix.is_empty() {
            self.made_up.insert(name.to_owned(), format!("{prefix}*"));
        }
        if text(new, "/kind") == "Pod" && is_ready(new) && !self.been_ready.contains(name) {
            self.been_ready.insert(name.to_owned());
        }
        match text(new, "/kind") {
            "Pod" if old.is_none() => {
                let job = controller(new)
                    .and_then(|owner| self.of("batch/jobs").find(|job| job["metadata"]["uid"] == owner["uid"]));
                if job.is_some_and(|job| truth(job, "Complete").or_else(|| truth(job, "Failed")).is_some()) {
                    self.belated.insert(uid);
                }
            }
            "Pod" if is_over(new) => {
                let job = controller(new).map(|owner| text(owner, "/uid").to_owned()).unwrap_or_default();
                let succeeded = text(new, "/status/phase") == "Succeeded";
                let told = old.is_some_and(is_terminating);
                self.ends.entry(uid).or_insert(End { job, succeeded, told });
            }
            "Deployment" | "ReplicaSet" | "ReplicationController" | "StatefulSet" => {
                let before = old.map_or(0, |old| count(old, "/spec/replicas"));
                if old.is_some() && before < count(new, "/spec/replicas") {
                    let least = self.asked_lately(old.unwrap_or(new));
                    self.raised.insert(uid.clone(), (kernel::elapsed(), least));
                }
                let most = self.replicas_max.entry(uid).or_default();
                *most = count(new, "/spec/replicas").max(*most);
            }
            "ResourceQuota" => {
                const USED: &str = "/status/used/pods";
                if old.is_none_or(|old| at(old, USED).is_none())
                    && let Ok(counted) = text(new, USED).parse::<i64>()
                {
                    let ns = text(new, "/metadata/namespace");
                    let mine = |pod: &&Value| text(pod, "/metadata/namespace") == ns && !is_over(pod);
                    let missed = self.of("pods").filter(mine).count() as i64 - counted;
                    self.uncounted.insert(uid, missed.max(0));
                }
            }
            "Job" if old.is_none() => {
                let cron = controller(new).map(|owner| text(owner, "/uid").to_owned());
                let time = text(new, "/metadata/annotations/batch.kubernetes.io~1cronjob-scheduled-timestamp");
                if let Some(cron) = cron {
                    *self.runs.entry((cron, time.to_owned())).or_default() += 1;
                }
            }
            _ => {}
        }
    }

    /// Whether a replica takes a lease that another one holds, and has renewed not long ago.
    fn taken_too_soon(&mut self, key: &str, old: Option<&Value>, new: Option<&Value>) -> Option<String> {
        const HOLDER: &str = "/spec/holderIdentity";
        let now = kernel::elapsed();
        let renewed = self.renewed.insert(key.to_owned(), now)?;
        let (old, new) = (old?, new?);
        // That of an API server says who is there, and who starts again is another at once.
        if new.pointer("/metadata/labels/apiserver.kubernetes.io~1identity").is_some() {
            return None;
        }
        let (before, after) = (text(old, HOLDER), text(new, HOLDER));
        let lasts = Duration::from_secs(count(old, "/spec/leaseDurationSeconds").unsigned_abs());
        // A second less: durations are compared in whole ones, and clocks are set meanwhile.
        let until = (renewed + lasts).saturating_sub(CLOCKS_DIFFER);
        let early = !before.is_empty() && !after.is_empty() && before != after && now < until;
        early.then(|| format!("[one leader] {after} takes {key} of {before} after {:?}", now.saturating_sub(renewed)))
    }

    /// The fewest replicas that a workload has asked for lately: a controller may not have heard of more.
    pub(crate) fn asked_lately(&self, workload: &Value) -> i64 {
        let asked = count(workload, "/spec/replicas");
        let raised = self.raised.get(text(workload, "/metadata/uid"));
        let lately = raised.filter(|(at, _)| rules::lately(Some(*at), rules::CACHES_LAG));
        lately.map_or(asked, |(_, before)| asked.min(*before))
    }

    pub(crate) fn has_been_ready(&self, pod: &str) -> bool {
        self.been_ready.contains(pod)
    }

    pub(crate) fn succeeded(&self, job: &str) -> Successes {
        let ends = || self.ends.iter().filter(|(_, end)| end.job == job && end.succeeded);
        Successes {
            really: ends().count() as i64,
            told: ends().filter(|(_, end)| end.told).count() as i64,
            belated: ends().filter(|(pod, _)| self.belated.contains(*pod)).count() as i64,
        }
    }

    /// The text with every name that was made up replaced by what it stands for.
    pub(crate) fn masked(&self, text: &str) -> String {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        let mut masked = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(is_part) {
            let (before, from) = rest.split_at(at);
            let (word, after) = from.split_at(from.find(|c| !is_part(c)).unwrap_or(from.len()));
            masked.push_str(before);
            match self.made_up.get(word) {
                Some(stands_for) => masked.push_str(stands_for),
                // A name that was made up for what was refused.
                None => masked.push_str(&without_chance(word)),
            }
            rest = after;
        }
        masked + rest
    }
}

const LEASES: &str = "/registry/coordination.k8s.io/leases/";

/// The finalizers that a deletion has to respect: the others say how it is meant, and a later one may mean it otherwise.
fn holds(object: &Value) -> Option<&str> {
    let all = at(object, "/metadata/finalizers").and_then(Value::as_array);
    let mut names = all.into_iter().flatten().filter_map(Value::as_str);
    names.find(|name| !matches!(*name, "foregroundDeletion" | "orphan"))
}

/// Two clocks that are set while one waits may differ by so much more.
const CLOCKS_DIFFER: Duration = Duration::from_secs(5);

/// `web-x2x4z` -> `web-*`
fn without_chance(word: &str) -> String {
    const MADE_OF: &str = "bcdfghjklmnpqrstvwxz2456789";
    match word.rsplit_once('-') {
        Some((before, end)) if end.len() == 5 && end.chars().all(|c| MADE_OF.contains(c)) => format!("{before}-*"),
        Some(_) | None => word.to_owned(),
    }
}

/// `/registry/apps/deployments/default/web` -> `apps/deployments`: what comes before namespace and name.
fn collection(key: &str) -> &str {
    let key = key.trim_start_matches("/registry/");
    let segments = key.matches('/').count();
    let is_core = key.split('/').next().is_some_and(|first| !CORE_GROUPS.contains(&first) && !first.contains('.'));
    let wanted = if is_core || segments < 2 { 1 } else { 2 };
    key.match_indices('/').nth(wanted - 1).map_or(key, |(at, _)| &key[..at])
}

/// Groups without a dot; other first segments without one are kinds of the core group.
const CORE_GROUPS: &[&str] = &["apps", "batch", "autoscaling", "policy"];

/// What became of a ready pod: gone without an eviction.
fn is_lost(new: Option<&Value>) -> bool {
    !new.is_some_and(|new| (is_active(new) && is_ready(new)) || is_evicted(new))
}

/// What became of a ready pod: gone otherwise than by a plain deletion.
fn is_disturbed(old: &Value, new: Option<&Value>) -> bool {
    let Some(new) = new else { return !is_terminating(old) };
    is_over(new) || truth(new, "DisruptionTarget").is_some() || (!is_ready(new) && !is_terminating(new))
}

/// Whether the eviction subresource has told it to go.
pub(crate) fn is_evicted(pod: &Value) -> bool {
    is_terminating(pod)
        && truth(pod, "DisruptionTarget").is_some_and(|condition| condition["reason"] == "EvictionByEvictionAPI")
}

fn verb(old: Option<&Value>, new: Option<&Value>) -> &'static str {
    match (old, new) {
        (None, _) => "+",
        (Some(_), Some(_)) => "~",
        (Some(_), None) => "-",
    }
}

/// So that two games differ in their traces where they differ in an object, but for keys and certificates.
fn fingerprint(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut hasher = DefaultHasher::new();
    let mut rest = text.as_ref();
    while let Some(at) = PEM.iter().filter_map(|begin| rest.find(begin)).min() {
        rest[..at].hash(&mut hasher);
        rest = rest[at..].split_once('"').map_or("", |(_, after)| after);
    }
    rest.hash(&mut hasher);
    format!(" #{:08x}", hasher.finish() as u32)
}

/// How they begin: as they are, and in base64.
const PEM: [&str; 2] = ["-----BEGIN ", "LS0tLS1CRUdJTi"];

/// What a line says of an object.
fn summary(object: &Value) -> String {
    let facts = [("node", "/spec/nodeName"), ("phase", "/status/phase"), ("replicas", "/spec/replicas")];
    let facts = facts.iter().filter_map(|(label, path)| Some((label, at(object, path)?)));
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
