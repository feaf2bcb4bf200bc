//! A small API server as a tower service: pods and config maps in memory, list in pages, watch from a revision, create,
//! delete, a history that can be cut, watches that can be cut or held back.

use bytes::Bytes;
use futures::StreamExt as _;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::BoxBody};
use hyper::body::Frame;
use kube::client::Body;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

#[derive(Default)]
struct State {
    rev: u64,
    /// path of the collection -> "ns/name" -> object
    objects: BTreeMap<String, BTreeMap<String, Value>>,
    /// (revision, collection, line)
    log: Vec<(u64, String, Value)>,
    compacted: u64,
    requests: Vec<String>,
    /// Group, version, plural and kind of what discovery names.
    served: Vec<[&'static str; 4]>,
}

#[derive(Clone)]
pub(crate) struct Fake {
    state: Arc<Mutex<State>>,
    /// Watches deliver events up to this revision.
    horizon: Arc<watch::Sender<u64>>,
    /// Watches of an older epoch end.
    epoch: Arc<watch::Sender<u64>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Core {
    Yes,
    No,
}

type Answer = Response<BoxBody<Bytes, Infallible>>;

impl Fake {
    pub(crate) fn new() -> Self {
        Self {
            state: Arc::default(),
            horizon: Arc::new(watch::Sender::new(u64::MAX)),
            epoch: Arc::new(watch::Sender::new(0)),
        }
    }

    pub(crate) fn client(&self) -> kube::Client {
        let fake = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let fake = fake.clone();
            async move { Ok::<_, Infallible>(fake.answer(request).await) }
        });
        client::transport::in_process(service, client::identity::Identity::new("test", []))
    }

    /// Adds a kind to discovery.
    pub(crate) fn serve(&self, kind: [&'static str; 4]) {
        self.state.lock().unwrap().served.push(kind);
    }

    /// Takes a kind out of discovery.
    pub(crate) fn unserve(&self, plural: &str) {
        self.state.lock().unwrap().served.retain(|[.., held, _]| *held != plural);
    }

    /// Aggregated discovery of the core group or of all others.
    fn discovery(&self, core: Core) -> Answer {
        let state = self.state.lock().unwrap();
        let of_root = state.served.iter().filter(|[group, ..]| group.is_empty() == (core == Core::Yes));
        let group = |[group, version, plural, kind]: &[&'static str; 4]| {
            json!({"metadata": {"name": group}, "versions": [{"version": version, "resources": [{
                "resource": plural, "responseKind": {"group": group, "version": version, "kind": kind},
                "scope": "Namespaced", "verbs": ["list", "watch", "delete"]}]}]})
        };
        let items: Vec<Value> = of_root.map(group).collect();
        json_answer(StatusCode::OK, &json!({"kind": "APIGroupDiscoveryList", "items": items}))
    }

    /// Events after this revision are not delivered until the horizon moves on.
    pub(crate) fn hold_back_after(&self, rev: u64) {
        self.horizon.send_replace(rev);
    }

    pub(crate) fn deliver_all(&self) {
        self.horizon.send_replace(u64::MAX);
    }

    pub(crate) fn cut_watches(&self) {
        self.epoch.send_modify(|epoch| *epoch += 1);
    }

    /// Forgets the history: watches from before now get 410.
    pub(crate) fn compact(&self) {
        let mut state = self.state.lock().unwrap();
        state.compacted = state.rev;
        state.log.clear();
    }

    pub(crate) fn rev(&self) -> u64 {
        self.state.lock().unwrap().rev
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }

    pub(crate) fn count(&self, collection: &str) -> usize {
        self.state.lock().unwrap().objects.get(collection).map_or(0, BTreeMap::len)
    }

    pub(crate) fn put(&self, collection: &str, object: Value) -> u64 {
        let mut state = self.state.lock().unwrap();
        let known = state.objects.get(collection).is_some_and(|held| held.contains_key(&id(&object)));
        commit(&mut state, collection, object, if known { "MODIFIED" } else { "ADDED" })
    }

    pub(crate) fn delete(&self, collection: &str, id: &str) -> bool {
        let mut state = self.state.lock().unwrap();
        let Some(object) = state.objects.get_mut(collection).and_then(|held| held.remove(id)) else { return false };
        commit(&mut state, collection, object, "DELETED");
        true
    }

    /// A revision that touches nothing, told by a bookmark.
    pub(crate) fn bookmark(&self, collection: &str) -> u64 {
        let mut state = self.state.lock().unwrap();
        state.rev += 1;
        let rev = state.rev;
        let line = json!({"type": "BOOKMARK", "object": {"kind": "Pod", "apiVersion": "v1",
            "metadata": {"resourceVersion": rev.to_string()}}});
        state.log.push((rev, collection.to_owned(), line));
        self.horizon.send_modify(|_| {});
        rev
    }

    async fn answer(&self, request: Request<Body>) -> Answer {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let uri = parts.uri.to_string();
        self.state.lock().unwrap().requests.push(format!("{} {uri}", parts.method));
        let query: BTreeMap<String, String> = parts
            .uri
            .query()
            .unwrap_or_default()
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let path = parts.uri.path();
        let (collection, ns, name) = split(path);
        match parts.method {
            Method::GET if path == "/api" => self.discovery(Core::Yes),
            Method::GET if path == "/apis" => self.discovery(Core::No),
            Method::GET if query.contains_key("watch") => {
                self.watch(&collection, query["resourceVersion"].parse().unwrap())
            }
            Method::GET if !name.is_empty() => self.get(&collection, &format!("{ns}/{name}")),
            Method::PUT => self.replace(&collection, &serde_json::from_slice(&body).unwrap()),
            Method::GET => self.list(&collection, query.get("continue").map_or("", String::as_str)),
            Method::POST => {
                let mut object: Value = serde_json::from_slice(&body).unwrap();
                object["metadata"]["namespace"] = json!(ns);
                let mut state = self.state.lock().unwrap();
                if let Some(prefix) = object["metadata"]["generateName"].as_str() {
                    object["metadata"]["name"] = json!(format!("{prefix}{}", state.rev + 1));
                }
                if state.objects.get(&collection).is_some_and(|held| held.contains_key(&id(&object))) {
                    return status(409, "AlreadyExists");
                }
                object["metadata"]["uid"] = json!(format!("uid-{}", state.rev + 1));
                let rev = commit(&mut state, &collection, object.clone(), "ADDED");
                object["metadata"]["resourceVersion"] = json!(rev.to_string());
                self.horizon.send_modify(|_| {});
                json_answer(StatusCode::CREATED, &object)
            }
            Method::DELETE if self.delete(&collection, &format!("{ns}/{name}")) => {
                self.horizon.send_modify(|_| {});
                json_answer(StatusCode::OK, &json!({"kind": "Status", "status": "Success"}))
            }
            _ => status(404, "NotFound"),
        }
    }

    pub(crate) fn object(&self, collection: &str, id: &str) -> Option<Value> {
        self.state.lock().unwrap().objects.get(collection)?.get(id).cloned()
    }

    fn get(&self, collection: &str, id: &str) -> Answer {
        self.object(collection, id)
            .map_or_else(|| status(404, "NotFound"), |object| json_answer(StatusCode::OK, &object))
    }

    /// With the resourceVersion as precondition.
    fn replace(&self, collection: &str, object: &Value) -> Answer {
        let mut state = self.state.lock().unwrap();
        let held = state.objects.get(collection).and_then(|objects| objects.get(&id(object)));
        match held {
            None => status(404, "NotFound"),
            Some(held) if held["metadata"]["resourceVersion"] != object["metadata"]["resourceVersion"] => {
                status(409, "Conflict")
            }
            Some(_) => {
                commit(&mut state, collection, object.clone(), "MODIFIED");
                json_answer(StatusCode::OK, object)
            }
        }
    }

    fn list(&self, collection: &str, after: &str) -> Answer {
        const PAGE: usize = 2;
        let state = self.state.lock().unwrap();
        let empty = BTreeMap::new();
        let rest: Vec<(&String, &Value)> = state
            .objects
            .get(collection)
            .unwrap_or(&empty)
            .iter()
            .filter(|(id, _)| after.replace('_', "/") < **id)
            .collect();
        let next = if rest.len() > PAGE { rest[PAGE - 1].0.replace('/', "_") } else { String::new() };
        let items: Vec<&Value> = rest.iter().take(PAGE).map(|(_, object)| *object).collect();
        json_answer(
            StatusCode::OK,
            &json!({"kind": "PodList", "apiVersion": "v1", "items": items,
                "metadata": {"resourceVersion": state.rev.to_string(), "continue": next}}),
        )
    }

    fn watch(&self, collection: &str, from: u64) -> Answer {
        if from < self.state.lock().unwrap().compacted {
            return status(410, "Expired");
        }
        let (fake, collection) = (self.clone(), collection.to_owned());
        let mut horizon = self.horizon.subscribe();
        let mut epoch = self.epoch.subscribe();
        horizon.mark_changed();
        let lines = async_lines(
            from,
            move |sent| {
                let state = fake.state.lock().unwrap();
                let limit = *fake.horizon.borrow();
                let next = state.log.iter().find(|(rev, of, _)| *rev > sent && *rev <= limit && *of == collection);
                next.map(|(rev, _, line)| (*rev, format!("{line}\n")))
            },
            horizon,
        );
        let ended = async move { epoch.changed().await.is_ok() };
        let body = StreamBody::new(lines.take_until(Box::pin(ended)));
        Response::new(http_body_util::BodyExt::boxed(body))
    }
}

/// A stream of what `next` gives for the last revision sent, woken by `wake`.
fn async_lines(
    from: u64,
    next: impl Fn(u64) -> Option<(u64, String)> + Send + Sync + 'static,
    wake: watch::Receiver<u64>,
) -> impl futures::Stream<Item = Result<Frame<Bytes>, Infallible>> + Send + Sync {
    let next = Arc::new(next);
    futures::stream::unfold((from, wake), move |(sent, mut wake)| {
        let next = Arc::clone(&next);
        async move {
            loop {
                wake.mark_unchanged();
                if let Some((rev, line)) = next(sent) {
                    return Some((Ok(Frame::data(Bytes::from(line))), (rev, wake)));
                }
                wake.changed().await.ok()?;
            }
        }
    })
}

fn commit(state: &mut State, collection: &str, mut object: Value, kind: &str) -> u64 {
    state.rev += 1;
    let rev = state.rev;
    object["metadata"]["resourceVersion"] = json!(rev.to_string());
    if kind != "DELETED" {
        state.objects.entry(collection.to_owned()).or_default().insert(id(&object), object.clone());
    }
    state.log.push((rev, collection.to_owned(), json!({"type": kind, "object": object})));
    rev
}

fn id(object: &Value) -> String {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
    format!("{}/{}", text("namespace"), text("name"))
}

/// `/api/v1/namespaces/a/pods/b` -> (`/api/v1/pods`, `a`, `b`)
fn split(path: &str) -> (String, String, String) {
    let Some((root, rest)) = path.split_once("/namespaces/") else {
        return (path.to_owned(), String::new(), String::new());
    };
    let mut parts = rest.split('/').map(str::to_owned);
    let (ns, plural) = (parts.next().unwrap(), parts.next().unwrap());
    (format!("{root}/{plural}"), ns, parts.next().unwrap_or_default())
}

fn json_answer(code: StatusCode, body: &Value) -> Answer {
    Response::builder().status(code).body(Full::from(body.to_string()).boxed()).unwrap()
}

fn status(code: u16, reason: &str) -> Answer {
    let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code});
    json_answer(StatusCode::from_u16(code).unwrap(), &body)
}
