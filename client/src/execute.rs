//! Turns actions into requests: in order, the first failure ends the batch. Runs of creations (and of deletions) go out
//! in batches of 1, 2, 4, .. at once, so that a server which refuses them is asked once and not five hundred times.

use crate::action::{Action, Key, PatchKind, Propagation, Resource};
use crate::controller::{Look, Refusal, Remaining, Sight};
use crate::driver::{Effect, Ending, Report};
use crate::events::Recorder;
use crate::wire::{self, WireError};
use futures::future::join_all;
use http::Method;
use jiff::Timestamp;
use kube::core::Status;
use serde::Deserialize;
use serde_json::{Value, json};

/// Requests of one key in flight at once, at most: keeps a big scale-up from filling the server's queue alone.
const BATCH_MAX: usize = 32;

/// Executes the actions of one controller, as that controller.
#[derive(Clone)]
pub(crate) struct Executor {
    pub(crate) client: kube::Client,
    /// Also the field manager.
    pub(crate) controller: &'static str,
    pub(crate) recorder: Recorder,
}

pub(crate) struct Executed {
    pub(crate) report: Report,
    pub(crate) refusal: Option<Box<Refusal>>,
}

/// How a single request ended.
enum Outcome {
    Done(Option<Effect>),
    /// Somebody was faster; the caches will show it.
    Stale,
    Refused(Box<Refusal>),
    Unreachable,
}

/// What of a response tells the revision.
#[derive(Deserialize)]
struct Written {
    #[serde(default)]
    metadata: wire::ListMeta,
}

impl Executor {
    pub(crate) async fn run(&self, actions: Vec<Action>) -> Executed {
        let mut report = Report { ending: Ending::Success, effects: Vec::new(), requeue_at: earliest(&actions) };
        let mut refusal = None;
        let mut rest = actions.as_slice();
        let mut batch_max = 1;
        while let Some(first) = rest.first() {
            let batch = rest.iter().take(batch_max).take_while(|action| alike(first, action)).count().max(1);
            let (now, later) = rest.split_at(batch);
            let outcomes = join_all(now.iter().map(|action| self.act(action))).await;
            for outcome in outcomes {
                match outcome {
                    Outcome::Done(effect) => report.effects.extend(effect),
                    Outcome::Stale => report.ending = worse(report.ending, Ending::Stale),
                    Outcome::Unreachable => report.ending = Ending::Failed,
                    Outcome::Refused(refused) => {
                        report.ending = Ending::Failed;
                        refusal.get_or_insert(refused);
                    }
                }
            }
            if report.ending != Ending::Success {
                break;
            }
            batch_max =
                if later.first().is_some_and(|next| alike(first, next)) { (batch_max * 2).min(BATCH_MAX) } else { 1 };
            rest = later;
        }
        Executed { report, refusal }
    }

    async fn act(&self, action: &Action) -> Outcome {
        let manager = self.controller;
        match action {
            Action::Create { resource, ns, object } => {
                let uri = format!("{}?fieldManager={manager}", wire::path(resource, ns, "", ""));
                let answer = self.send(Method::POST, &uri, wire::JSON, &typed(resource, object)).await;
                self.written(action, resource, answer)
            }
            Action::Update { resource, key, subresource, object } => {
                let uri = format!("{}?fieldManager={manager}", wire::path(resource, &key.ns, &key.name, subresource));
                let answer = self.send(Method::PUT, &uri, wire::JSON, &typed(resource, object)).await;
                self.written(action, resource, answer)
            }
            Action::Patch { resource, key, subresource, kind, body } => {
                let force = if *kind == PatchKind::Apply { "&force=true" } else { "" };
                let path = wire::path(resource, &key.ns, &key.name, subresource);
                let uri = format!("{path}?fieldManager={manager}{force}");
                let answer = self.send(Method::PATCH, &uri, patch_type(*kind), body).await;
                self.written(action, resource, answer)
            }
            Action::Delete { resource, key, uid, grace_seconds, propagation } => {
                let uri = wire::path(resource, &key.ns, &key.name, "");
                let options = delete_options(uid, *grace_seconds, *propagation);
                let answer = self.send(Method::DELETE, &uri, wire::JSON, &options).await;
                self.deleted(action, (resource, key, uid), answer)
            }
            Action::DeleteCollection { resource, ns } => {
                let uri = wire::path(resource, ns, "", "");
                let options = delete_options("", None, Some(Propagation::Background));
                let answer = self.send(Method::DELETE, &uri, wire::JSON, &options).await;
                match answer {
                    Ok(_) => Outcome::Done(None),
                    Err(error) => self.failed(action, error),
                }
            }
            Action::Post { resource, key, subresource, body } => {
                let uri = format!("{}?fieldManager={manager}", wire::path(resource, &key.ns, &key.name, subresource));
                let answer = self.send(Method::POST, &uri, wire::JSON, body).await;
                self.written(action, resource, answer)
            }
            Action::Event(event) => {
                self.recorder.record(event.clone());
                Outcome::Done(None)
            }
            Action::RequeueAt(_) => Outcome::Done(None),
        }
    }

    async fn send(
        &self,
        method: Method,
        uri: &str,
        content_type: &'static str,
        body: &Value,
    ) -> Result<bytes::Bytes, WireError> {
        let body = serde_json::to_vec(body).expect("a JSON tree can always be written");
        wire::call(&self.client, method, uri, wire::JSON, Some((content_type, body))).await
    }

    fn written(&self, action: &Action, resource: &Resource, answer: Result<bytes::Bytes, WireError>) -> Outcome {
        match answer {
            Ok(body) => {
                let rev = wire::decode::<Written>(&body, "an object")
                    .ok()
                    .and_then(|written| written.metadata.resource_version.parse().ok());
                Outcome::Done(rev.map(|rev| Effect::Wrote { resource: resource.clone(), rev }))
            }
            Err(error) => self.failed(action, error),
        }
    }

    fn deleted(
        &self,
        action: &Action,
        (resource, key, uid): (&Resource, &Key, &str),
        answer: Result<bytes::Bytes, WireError>,
    ) -> Outcome {
        let effect = || Effect::Deleted { resource: resource.clone(), key: key.clone(), uid: uid.to_owned() };
        match answer {
            Ok(_) => Outcome::Done(Some(effect())),
            // Gone, or its name is another object's by now: what was wanted is so.
            Err(error) if error.is_not_found() || (is_conflict(&error) && !uid.is_empty()) => {
                Outcome::Done(Some(effect()))
            }
            Err(error) => self.failed(action, error),
        }
    }

    fn failed(&self, action: &Action, error: WireError) -> Outcome {
        match error {
            WireError::Api(status) if is_stale(action, &status) => {
                tracing::debug!(
                    controller = self.controller,
                    reason = status.reason,
                    message = status.message,
                    "stale"
                );
                Outcome::Stale
            }
            // A namespace that goes away refuses what is made in it; its content goes too, and the key with it.
            WireError::Api(status) if is_namespace_terminating(&status) => Outcome::Stale,
            WireError::Api(status) => Outcome::Refused(Box::new(Refusal { action: action.clone(), status: *status })),
            error @ (WireError::Transport(_) | WireError::Malformed { .. } | WireError::LineTooLong) => {
                tracing::warn!(controller = self.controller, error = &error as &dyn std::error::Error, "cannot act");
                Outcome::Unreachable
            }
        }
    }

    /// Answers the questions of a reconcile.
    pub(crate) async fn look(&self, looks: &[Look]) -> Vec<Sight> {
        let mut sights = Vec::with_capacity(looks.len());
        for batch in looks.chunks(BATCH_MAX) {
            sights.extend(join_all(batch.iter().map(|look| self.look_at(look))).await);
        }
        sights
    }

    async fn document(&self, path: &str) -> Result<Sight, WireError> {
        let body = wire::call(&self.client, Method::GET, path, wire::JSON, None).await?;
        wire::decode(&body, "a document").map(Sight::Object)
    }

    async fn look_at(&self, look: &Look) -> Sight {
        let found = match look {
            Look::Object { resource, key } => {
                let uri = wire::path(resource, &key.ns, &key.name, "");
                let answer = wire::call(&self.client, Method::GET, &uri, wire::PARTIAL, None).await;
                answer.and_then(|body| wire::decode(&body, "an object")).map(Sight::Object)
            }
            Look::Scale { resource, key } => self.document(&wire::path(resource, &key.ns, &key.name, "scale")).await,
            Look::Document { path } => self.document(path).await,
            Look::Remaining { resource, ns } => {
                let uri = wire::path(resource, ns, "", "");
                let answer = wire::call(&self.client, Method::GET, &uri, wire::PARTIAL_LIST, None).await;
                answer
                    .and_then(|body| wire::decode::<Leftovers>(&body, "a list"))
                    .map(|list| Sight::Remaining(list.count()))
            }
        };
        match found {
            Ok(sight) => sight,
            Err(error) if error.is_not_found() => match look {
                Look::Object { .. } | Look::Scale { .. } | Look::Document { .. } => Sight::Absent,
                Look::Remaining { .. } => Sight::Remaining(Remaining::default()), // the kind itself is gone
            },
            Err(error) => Sight::Unknown(error.to_string()),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Leftovers {
    metadata: wire::ListMeta,
    items: Option<Vec<Leftover>>,
}

#[derive(Deserialize)]
struct Leftover {
    #[serde(default)]
    metadata: LeftoverMeta,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct LeftoverMeta {
    finalizers: Option<Vec<String>>,
    deletion_grace_period_seconds: Option<i64>,
}

impl Leftovers {
    fn count(self) -> Remaining {
        let items = self.items.unwrap_or_default();
        let mut finalizers = std::collections::BTreeMap::<String, u64>::new();
        for name in items.iter().flat_map(|item| item.metadata.finalizers.iter().flatten()) {
            *finalizers.entry(name.clone()).or_default() += 1;
        }
        Remaining {
            objects: items.len() as u64,
            revision: self.metadata.resource_version.parse().unwrap_or(0),
            finalizers: finalizers.into_iter().collect(),
            grace_seconds_max: items.iter().filter_map(|i| i.metadata.deletion_grace_period_seconds).max().unwrap_or(0),
        }
    }
}

/// When the key wants to run again by itself.
pub(crate) fn earliest(actions: &[Action]) -> Option<Timestamp> {
    let times = actions.iter().filter_map(|action| match action {
        Action::RequeueAt(at) => Some(*at),
        _ => None,
    });
    times.min()
}

/// Whether two neighbours may be executed at once: creations with creations, deletions with deletions, of one kind.
fn alike(one: &Action, other: &Action) -> bool {
    match (one, other) {
        (Action::Create { resource: a, .. }, Action::Create { resource: b, .. })
        | (Action::Delete { resource: a, .. }, Action::Delete { resource: b, .. })
        | (Action::DeleteCollection { resource: a, .. }, Action::DeleteCollection { resource: b, .. }) => a == b,
        _ => false,
    }
}

fn worse(one: Ending, other: Ending) -> Ending {
    if one == Ending::Failed { one } else { other }
}

fn is_conflict(error: &WireError) -> bool {
    matches!(error, WireError::Api(status) if status.code == 409)
}

/// The caches were behind; the same reconcile on newer caches will do better.
fn is_stale(action: &Action, status: &Status) -> bool {
    match action {
        Action::Create { .. } => status.reason == "AlreadyExists",
        Action::Update { .. } | Action::Patch { .. } | Action::Post { .. } => matches!(status.code, 404 | 409),
        Action::Delete { .. } | Action::DeleteCollection { .. } => status.code == 409,
        Action::Event(_) | Action::RequeueAt(_) => false,
    }
}

fn is_namespace_terminating(status: &Status) -> bool {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    status.code == 403 && causes.into_iter().any(|cause| cause.reason == "NamespaceTerminating")
}

/// The object with its apiVersion and kind, which reconciles may leave out.
fn typed(resource: &Resource, object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.entry("apiVersion").or_insert_with(|| json!(resource.api_version));
        fields.entry("kind").or_insert_with(|| json!(resource.kind));
    }
    object
}

fn patch_type(kind: PatchKind) -> &'static str {
    match kind {
        PatchKind::Merge => "application/merge-patch+json",
        PatchKind::Strategic => "application/strategic-merge-patch+json",
        PatchKind::Json => "application/json-patch+json",
        PatchKind::Apply => "application/apply-patch+yaml",
    }
}

fn delete_options(uid: &str, grace_seconds: Option<i64>, propagation: Option<Propagation>) -> Value {
    let mut options = json!({"apiVersion": "v1", "kind": "DeleteOptions"});
    if !uid.is_empty() {
        options["preconditions"] = json!({"uid": uid});
    }
    if let Some(seconds) = grace_seconds {
        options["gracePeriodSeconds"] = json!(seconds);
    }
    if let Some(propagation) = propagation {
        options["propagationPolicy"] = json!(match propagation {
            Propagation::Background => "Background",
            Propagation::Foreground => "Foreground",
            Propagation::Orphan => "Orphan",
        });
    }
    options
}
