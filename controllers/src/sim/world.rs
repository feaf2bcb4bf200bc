//! The API server of a simulation: objects, revisions, conflicts, finalizers, and what each cache has not seen yet.

use client::action::{Action, Key, PatchKind, Resource};
use client::cache::Caches;
use client::controller::{Look, Sight};
use client::driver::{Effect, Ending};
use jiff::Timestamp;
use kinds::schema::merge;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};

enum Told {
    Put(Value),
    Gone(Value),
}

pub(crate) struct World {
    pub(crate) now: Timestamp,
    objects: BTreeMap<(Resource, Key), Value>,
    pending: BTreeMap<Resource, VecDeque<Told>>,
    rev: u64,
    /// Writes by controllers.
    pub(crate) writes: usize,
    /// Pods that are gone: whoever counts must not miss them.
    pub(crate) lost_pods: usize,
    log: VecDeque<String>,
}

/// Writes that are remembered for a failure's message.
const LOG_MAX: usize = 12;

fn resource_of(object: &Value) -> Resource {
    let text = |field: &str| object[field].as_str().unwrap_or_default().to_owned();
    let kind = text("kind");
    let lower = kind.to_lowercase();
    let plural = if lower.ends_with('s') { format!("{lower}es") } else { format!("{lower}s") };
    Resource { api_version: text("apiVersion").into(), kind: kind.into(), plural: plural.into() }
}

fn key_of(object: &Value) -> Key {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
    Key::new(text("namespace"), text("name"))
}

fn has_finalizers(object: &Value) -> bool {
    object["metadata"]["finalizers"].as_array().is_some_and(|list| !list.is_empty())
}

impl World {
    pub(super) fn new() -> Self {
        let now = Timestamp::from_second(1_000_000).expect("in range");
        Self {
            now,
            objects: BTreeMap::new(),
            pending: BTreeMap::new(),
            rev: 0,
            writes: 0,
            lost_pods: 0,
            log: VecDeque::new(),
        }
    }

    pub(crate) fn of(&self, resource: &Resource) -> impl Iterator<Item = &Value> {
        self.objects.iter().filter(move |((one, _), _)| one == resource).map(|(_, object)| object)
    }

    pub(crate) fn nodes(&self) -> usize {
        self.objects.keys().filter(|(resource, _)| resource.kind == "Node").count()
    }

    pub(super) fn keys(&self) -> Vec<Key> {
        self.objects.keys().map(|(_, key)| key.clone()).collect()
    }

    pub(super) fn last_writes(&self) -> Vec<&String> {
        self.log.iter().collect()
    }

    pub(crate) fn time(&self) -> Value {
        json!(Timestamp::from_second(self.now.as_second()).expect("in range"))
    }

    /// Puts an object as somebody other than a controller, new or changed.
    pub(crate) fn apply(&mut self, mut object: Value) -> Resource {
        let resource = resource_of(&object);
        let fresh = object["metadata"]["uid"].is_null();
        if fresh {
            object["metadata"]["uid"] = json!(format!("uid-{}", self.rev));
        }
        if object["metadata"]["creationTimestamp"].is_null() {
            object["metadata"]["creationTimestamp"] = self.time();
            object["metadata"]["generation"] = json!(1);
        }
        self.put(resource.clone(), object);
        resource
    }

    /// Changes an object as somebody other than a controller; a changed spec is a new generation.
    pub(crate) fn edit(&mut self, resource: &Resource, key: &Key, change: impl FnOnce(&mut Value)) {
        let Some(mut object) = self.objects.get(&(resource.clone(), key.clone())).cloned() else { return };
        let spec = object["spec"].clone();
        change(&mut object);
        if object["spec"] != spec {
            object["metadata"]["generation"] = json!(object["metadata"]["generation"].as_i64().unwrap_or(0) + 1);
        }
        self.put(resource.clone(), object);
    }

    /// Stores it at the next revision; what is marked for deletion and held by nobody is gone.
    fn put(&mut self, resource: Resource, mut object: Value) -> u64 {
        self.rev += 1;
        object["metadata"]["resourceVersion"] = json!(self.rev.to_string());
        let key = key_of(&object);
        let waits_for_agent = object["kind"] == "Pod" && object["metadata"]["deletionGracePeriodSeconds"] != 0;
        let gone = !object["metadata"]["deletionTimestamp"].is_null() && !has_finalizers(&object) && !waits_for_agent;
        let told = if gone {
            self.lost_pods += usize::from(object["kind"] == "Pod");
            self.objects.remove(&(resource.clone(), key));
            Told::Gone(object)
        } else {
            self.objects.insert((resource.clone(), key), object.clone());
            Told::Put(object)
        };
        self.pending.entry(resource).or_default().push_back(told);
        self.rev
    }

    /// Marks for deletion, or removes at once where nothing has to be waited for.
    pub(crate) fn delete(&mut self, resource: &Resource, key: &Key) {
        let now = self.time();
        let Some(mut object) = self.objects.get(&(resource.clone(), key.clone())).cloned() else { return };
        if object["metadata"]["deletionTimestamp"].is_null() {
            object["metadata"]["deletionTimestamp"] = now;
            let runs = object["kind"] == "Pod"
                && !object["spec"]["nodeName"].is_null()
                && !matches!(object["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
            object["metadata"]["deletionGracePeriodSeconds"] = json!(if runs { 30 } else { 0 });
            self.put(resource.clone(), object);
        }
    }

    /// The cache of one kind takes in one event. Whether there was one.
    pub(super) fn deliver(&mut self, caches: &Caches, which: usize) -> bool {
        self.pending.retain(|_, told| !told.is_empty());
        let count = self.pending.len();
        let Some((_, told)) = self.pending.iter_mut().nth(which.checked_rem(count).unwrap_or(0)) else { return false };
        let refused = match told.pop_front() {
            Some(Told::Put(object)) => caches.insert(object),
            Some(Told::Gone(object)) => caches.remove(object),
            None => return false,
        };
        // A kind that no controller watches is nobody's to see.
        drop(refused);
        true
    }

    pub(super) fn look(&self, look: &Look) -> Sight {
        match look {
            Look::Object { resource, key } => {
                let found = self.objects.iter().find(|((one, at), _)| one.kind == resource.kind && at == key);
                found.map_or(Sight::Absent, |(_, object)| Sight::Object(object.clone()))
            }
            _ => Sight::Unknown("not in this world".to_owned()),
        }
    }

    /// What the server does with a controller's action.
    pub(super) fn act(&mut self, action: &Action) -> Result<Option<Effect>, Ending> {
        if matches!(action, Action::Event(_) | Action::RequeueAt(_)) {
            return Ok(None);
        }
        let text: String = crate::testing::lines(std::slice::from_ref(action));
        self.log.push_back(text);
        self.log.drain(..self.log.len().saturating_sub(LOG_MAX));
        self.writes += 1;
        match action {
            Action::Create { resource, ns, object } => self.create(resource, ns, object),
            Action::Update { resource, key, subresource, object } => self.update(resource, key, subresource, object),
            Action::Patch { resource, key, kind, body, .. } => self.patch(resource, key, *kind, body),
            Action::Delete { resource, key, uid, .. } => {
                if self.found(resource, key).is_some_and(|object| object["metadata"]["uid"] == **uid) {
                    self.delete(resource, key);
                }
                let (resource, key, uid) = (resource.clone(), key.clone(), uid.clone());
                Ok(Some(Effect::Deleted { resource, key, uid }))
            }
            other => panic!("no controller in this world does {other:?}"),
        }
    }

    fn found(&self, resource: &Resource, key: &Key) -> Option<&Value> {
        self.objects.get(&(resource.clone(), key.clone()))
    }

    fn wrote(&mut self, resource: &Resource, object: Value) -> Effect {
        let rev = self.put(resource.clone(), object);
        Effect::Wrote { resource: resource.clone(), rev }
    }

    fn create(&mut self, resource: &Resource, ns: &str, object: &Value) -> Result<Option<Effect>, Ending> {
        let mut object = object.clone();
        object["apiVersion"] = json!(resource.api_version);
        object["kind"] = json!(resource.kind);
        let key = Key::new(ns, object["metadata"]["name"].as_str().expect("controllers name what they make"));
        if self.found(resource, &key).is_some() {
            return Err(Ending::Stale);
        }
        object["metadata"]["uid"] = json!(format!("uid-{}", self.rev));
        object["metadata"]["creationTimestamp"] = self.time();
        object["metadata"]["generation"] = json!(1);
        if resource.kind == "Pod" {
            object["status"] = json!({"phase": "Pending"});
        }
        Ok(Some(self.wrote(resource, object)))
    }

    fn update(&mut self, resource: &Resource, key: &Key, part: &str, new: &Value) -> Result<Option<Effect>, Ending> {
        let held = self.found(resource, key).cloned().ok_or(Ending::Stale)?;
        if held["metadata"]["resourceVersion"] != new["metadata"]["resourceVersion"] {
            return Err(Ending::Stale);
        }
        let mut object = new.clone();
        object["apiVersion"] = json!(resource.api_version);
        object["kind"] = json!(resource.kind);
        if part == "status" {
            let status = object["status"].take();
            object = held;
            object["status"] = status;
        } else {
            object["status"] = held["status"].clone();
            if object["spec"] != held["spec"] {
                object["metadata"]["generation"] = json!(held["metadata"]["generation"].as_i64().unwrap_or(0) + 1);
            }
        }
        Ok(Some(self.wrote(resource, object)))
    }

    fn patch(
        &mut self,
        resource: &Resource,
        key: &Key,
        kind: PatchKind,
        body: &Value,
    ) -> Result<Option<Effect>, Ending> {
        let held = self.found(resource, key).cloned().ok_or(Ending::Stale)?;
        for precondition in ["uid", "resourceVersion"] {
            let wanted = &body["metadata"][precondition];
            if !wanted.is_null() && *wanted != held["metadata"][precondition] {
                return Err(Ending::Stale);
            }
        }
        let object = match kind {
            PatchKind::Strategic => {
                let group = if resource.api_version == "v1" {
                    "core.v1".to_owned()
                } else {
                    resource.api_version.replace('/', ".")
                };
                let schema = kinds::schema::lookup(&format!("io.k8s.api.{group}.{}", resource.kind));
                merge::strategic(&held, body, schema).expect("a patch that the server would take")
            }
            PatchKind::Merge => {
                let mut object = held.clone();
                merge::json_merge(&mut object, body);
                object
            }
            PatchKind::Json | PatchKind::Apply => panic!("no controller in this world patches like that"),
        };
        if object == held {
            let rev = held["metadata"]["resourceVersion"].as_str().and_then(|rev| rev.parse().ok()).unwrap_or(0);
            return Ok(Some(Effect::Wrote { resource: resource.clone(), rev }));
        }
        Ok(Some(self.wrote(resource, object)))
    }
}
