//! As much of an API server as a node talks to: objects by path, watches, merge patches, graceful deletion of pods.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

#[derive(Clone)]
struct Change {
    rev: u64,
    kind: &'static str,
    path: String,
    object: Value,
}

#[derive(Default)]
struct Store {
    rev: u64,
    objects: BTreeMap<String, Value>,
    history: Vec<Change>,
    /// Paths that are watched, or were.
    watched: Vec<String>,
    /// Nothing is answered, and watches that are open now stay silent for ever.
    away: bool,
    /// Questions that were asked meanwhile.
    missed: Vec<String>,
}

#[derive(Clone)]
pub(crate) struct FakeApi {
    store: Arc<Mutex<Store>>,
    moved: watch::Sender<u64>,
}

impl FakeApi {
    pub(crate) fn new() -> Self {
        Self { store: Arc::default(), moved: watch::Sender::new(0) }
    }

    pub(crate) fn router(&self) -> Router {
        Router::new().fallback(answer).with_state(self.clone())
    }

    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        self.store.lock().objects.get(path).cloned()
    }

    /// The object as it was last, also when it is gone.
    pub(crate) fn last(&self, path: &str) -> Option<Value> {
        self.store.lock().history.iter().rfind(|change| change.path == path).map(|change| change.object.clone())
    }

    /// Creates or replaces.
    pub(crate) fn put(&self, path: &str, mut object: Value) -> Value {
        let mut store = self.store.lock();
        store.rev += 1;
        let rev = store.rev;
        let old = store.objects.get(path).cloned();
        let meta = object["metadata"].as_object_mut().unwrap();
        meta.insert("resourceVersion".into(), json!(rev.to_string()));
        meta.entry("uid").or_insert_with(|| json!(format!("uid-{rev}")));
        meta.entry("generation").or_insert(json!(1));
        store.objects.insert(path.to_owned(), object.clone());
        let kind = if old.is_some() { "MODIFIED" } else { "ADDED" };
        store.history.push(Change { rev, kind, path: path.to_owned(), object: object.clone() });
        drop(store);
        self.moved.send_replace(rev);
        object
    }

    pub(crate) fn go_away(&self) {
        self.store.lock().away = true;
        self.moved.send_modify(|_| {});
    }

    pub(crate) fn come_back(&self) {
        self.store.lock().away = false;
    }

    /// Waits until somebody has asked for the path in vain.
    pub(crate) async fn until_missed(&self, path: &str) {
        self.until_some(|api| api.store.lock().missed.iter().any(|missed| missed == path).then_some(())).await;
    }

    pub(crate) fn remove(&self, path: &str) {
        let mut store = self.store.lock();
        let Some(mut object) = store.objects.remove(path) else { return };
        store.rev += 1;
        let rev = store.rev;
        object["metadata"]["resourceVersion"] = json!(rev.to_string());
        store.history.push(Change { rev, kind: "DELETED", path: path.to_owned(), object });
        drop(store);
        self.moved.send_replace(rev);
    }

    /// The messages of events with that reason, one for each that was made.
    pub(crate) fn events(&self, reason: &str) -> Vec<String> {
        let store = self.store.lock();
        let events = store.objects.iter().filter(|(path, o)| path.contains("/events/") && o["reason"] == reason);
        events.map(|(_, o)| o["message"].as_str().or(o["note"].as_str()).unwrap_or_default().to_owned()).collect()
    }

    /// The objects whose path begins like this, by path.
    pub(crate) fn all(&self, prefix: &str) -> Vec<(String, Value)> {
        let store = self.store.lock();
        store.objects.iter().filter(|(path, _)| path.starts_with(prefix)).map(|(p, o)| (p.clone(), o.clone())).collect()
    }

    /// Waits until somebody watches the path: they see what changes from then on.
    pub(crate) async fn until_watched(&self, path: &str) {
        let mut moved = self.moved.subscribe();
        loop {
            moved.borrow_and_update();
            if self.store.lock().watched.iter().any(|watched| watched == path) {
                return;
            }
            moved.changed().await.unwrap();
        }
    }

    pub(crate) fn is_watched(&self, path: &str) -> bool {
        self.store.lock().watched.iter().any(|watched| watched == path)
    }

    /// Waits until there is something that `find` finds.
    pub(crate) async fn until_some<T>(&self, find: impl Fn(&Self) -> Option<T>) -> T {
        let mut moved = self.moved.subscribe();
        loop {
            moved.borrow_and_update();
            if let Some(found) = find(self) {
                return found;
            }
            moved.changed().await.unwrap();
        }
    }

    /// Waits until `done` holds for the object, and returns it.
    pub(crate) async fn until(&self, path: &str, done: impl Fn(Option<&Value>) -> bool) -> Option<Value> {
        let mut moved = self.moved.subscribe();
        loop {
            moved.borrow_and_update();
            let now = self.get(path);
            if done(now.as_ref()) {
                return now;
            }
            moved.changed().await.unwrap();
        }
    }
}

async fn answer(State(api): State<FakeApi>, method: Method, uri: Uri, body: Bytes) -> Response {
    let path = uri.path().to_owned();
    let query: BTreeMap<String, String> = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(k, v)| (k.to_owned(), percent_encoding::percent_decode_str(v).decode_utf8_lossy().into_owned()))
        .collect();
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    if api.store.lock().away {
        api.store.lock().missed.push(path);
        api.moved.send_modify(|_| {});
        return status(503, "ServiceUnavailable");
    }
    match method {
        Method::GET if query.contains_key("watch") => watch_stream(&api, path, query),
        Method::GET if is_collection(&path) => list(&api, &path, &query),
        Method::GET => api.get(&path).map_or_else(not_found, |o| ok(&o)),
        Method::POST => create(&api, &path, body),
        Method::PATCH => patch(&api, &path, &body),
        Method::DELETE if is_collection(&path) => delete_all(&api, &path, &query),
        Method::DELETE => delete(&api, &path, &body),
        _ => status(405, "MethodNotAllowed"),
    }
}

/// `/api/v1/pods`, `/api/v1/namespaces/x/pods`: an odd number of parts after the version.
fn is_collection(path: &str) -> bool {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let rest = if parts[0] == "api" { &parts[2..] } else { &parts[3..] };
    rest.len() % 2 == 1
}

fn ok(object: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], object.to_string()).into_response()
}

fn not_found() -> Response {
    status(404, "NotFound")
}

fn status(code: u16, reason: &str) -> Response {
    let body = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": reason, "code": code });
    (StatusCode::from_u16(code).unwrap(), [(header::CONTENT_TYPE, "application/json")], body.to_string())
        .into_response()
}

/// Whether an object is in a collection, namespaced or of all namespaces, and fits the field selector.
fn fits(collection: &str, query: &BTreeMap<String, String>, path: &str, object: &Value) -> bool {
    let (base, plural) = collection.rsplit_once('/').unwrap();
    let (parent, _) = path.rsplit_once('/').unwrap();
    let inside = parent == collection
        || (!base.contains("/namespaces/")
            && parent.starts_with(&format!("{base}/namespaces/"))
            && parent.ends_with(&format!("/{plural}")));
    let field = |selector: &String| {
        let (name, wanted) = selector.split_once('=').unwrap();
        object.pointer(&format!("/{}", name.replace('.', "/"))).and_then(Value::as_str) == Some(wanted)
    };
    let fields = query.get("fieldSelector").map(|all| all.split(',').map(str::to_owned).collect::<Vec<_>>());
    inside && fields.unwrap_or_default().iter().all(field)
}

fn list(api: &FakeApi, path: &str, query: &BTreeMap<String, String>) -> Response {
    let store = api.store.lock();
    let items: Vec<Value> =
        store.objects.iter().filter(|(p, o)| fits(path, query, p, o)).map(|(_, o)| o.clone()).collect();
    ok(
        &json!({ "kind": "List", "apiVersion": "v1", "metadata": { "resourceVersion": store.rev.to_string() }, "items": items }),
    )
}

fn delete_all(api: &FakeApi, path: &str, query: &BTreeMap<String, String>) -> Response {
    let store = api.store.lock();
    let gone: Vec<String> =
        store.objects.iter().filter(|(p, o)| fits(path, query, p, o)).map(|(p, _)| p.clone()).collect();
    drop(store);
    gone.iter().for_each(|path| api.remove(path));
    ok(&json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success" }))
}

fn watch_stream(api: &FakeApi, path: String, query: BTreeMap<String, String>) -> Response {
    let from: u64 = query.get("resourceVersion").and_then(|v| v.parse().ok()).unwrap_or(0);
    let rev = {
        let mut store = api.store.lock();
        store.watched.push(path.clone());
        store.rev
    };
    api.moved.send_replace(rev);
    let (api, moved) = (api.clone(), api.moved.subscribe());
    let stream =
        futures::stream::unfold((api, moved, from, path, query), |(api, mut moved, from, path, query)| async move {
            loop {
                moved.borrow_and_update();
                if api.store.lock().away {
                    std::future::pending::<()>().await;
                }
                let news: Vec<Change> = api.store.lock().history.iter().filter(|c| c.rev > from).cloned().collect();
                if let Some(last) = news.last().map(|c| c.rev) {
                    let mut lines = String::new();
                    for change in news.iter().filter(|c| fits(&path, &query, &c.path, &c.object)) {
                        lines.push_str(&json!({ "type": change.kind, "object": change.object }).to_string());
                        lines.push('\n');
                    }
                    return Some((Ok::<_, std::io::Error>(Bytes::from(lines)), (api, moved, last, path, query)));
                }
                moved.changed().await.ok()?;
            }
        });
    ([(header::CONTENT_TYPE, "application/json")], Body::from_stream(stream)).into_response()
}

fn create(api: &FakeApi, path: &str, mut object: Value) -> Response {
    if path.ends_with("/token") {
        let expires = "2100-01-01T00:00:00Z";
        return ok(
            &json!({ "kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "metadata": {}, "spec": {}, "status": { "token": "jwt", "expirationTimestamp": expires } }),
        );
    }
    if path.ends_with("/tokenreviews") {
        let known = object["spec"]["token"] == "reader";
        let user = json!({ "username": "reader", "groups": ["system:authenticated"] });
        return ok(
            &json!({ "metadata": {}, "spec": { "token": "" }, "status": { "authenticated": known, "user": user } }),
        );
    }
    if path.ends_with("/subjectaccessreviews") {
        let allowed = object["spec"]["resourceAttributes"]["subresource"] == "metrics";
        return ok(&json!({ "metadata": {}, "spec": {}, "status": { "allowed": allowed } }));
    }
    if let Some(prefix) = object["metadata"]["generateName"].as_str() {
        object["metadata"]["name"] = json!(format!("{prefix}{}", api.store.lock().rev));
    }
    if let Some((_, ns)) = path.split_once("/namespaces/") {
        object["metadata"]["namespace"] = json!(ns.split('/').next());
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let full = format!("{path}/{name}");
    if api.get(&full).is_some() {
        return status(409, "AlreadyExists");
    }
    ok(&api.put(&full, object))
}

fn patch(api: &FakeApi, path: &str, patch: &Value) -> Response {
    let path = path.strip_suffix("/status").unwrap_or(path);
    let Some(mut object) = api.get(path) else { return not_found() };
    let other = patch["metadata"].get("uid").is_some_and(|uid| uid != &object["metadata"]["uid"]);
    if other {
        return status(409, "Conflict");
    }
    merge(&mut object, patch);
    ok(&api.put(path, object))
}

/// Maps merge, conditions merge by type, other lists are replaced.
fn merge(base: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else { return };
    if !base.is_object() {
        *base = Value::Object(Map::new());
    }
    let base = base.as_object_mut().unwrap();
    for (key, value) in patch {
        match (key.as_str(), value) {
            (_, Value::Null) => drop(base.remove(key)),
            (_, Value::Object(_)) => merge(base.entry(key).or_insert(Value::Null), value),
            ("conditions", Value::Array(items)) => {
                let list = base.entry(key).or_insert(json!([])).as_array_mut().unwrap();
                for item in items {
                    if item["$patch"] == "delete" {
                        list.retain(|c| c["type"] != item["type"]);
                        continue;
                    }
                    match list.iter_mut().find(|c| c["type"] == item["type"]) {
                        Some(found) => merge(found, item),
                        None => list.push(item.clone()),
                    }
                }
            }
            (_, Value::Array(items)) => {
                let plain: Vec<Value> = items.iter().filter(|i| i.get("$patch").is_none()).cloned().collect();
                base.insert(key.clone(), Value::Array(plain));
            }
            _ => drop(base.insert(key.clone(), value.clone())),
        }
    }
}

fn delete(api: &FakeApi, path: &str, options: &Value) -> Response {
    let Some(mut object) = api.get(path) else { return not_found() };
    if options["preconditions"].get("uid").is_some_and(|uid| uid != &object["metadata"]["uid"]) {
        return status(409, "Conflict");
    }
    let grace = options["gracePeriodSeconds"].as_i64().unwrap_or(30);
    if grace == 0 || !path.contains("/pods/") {
        api.remove(path);
    } else {
        object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:30Z");
        object["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
        object = api.put(path, object);
    }
    ok(&object)
}
