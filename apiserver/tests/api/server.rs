//! A server on an empty store, and requests to it.

use apiserver::bootstrap::Membership;
use apiserver::pki::Pki;
use apiserver::server::Limits;
use apiserver::{ApiServer, Config, Deps};
use axum::Router;
use axum::body::{Body, BodyDataStream};
use client::clock::{Clock, SystemClock};
use client::identity::Identity;
use futures::StreamExt;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT, WARNING};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use store::mem::MemStore;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// No address of this machine: pods of a cluster could not use a loopback one.
pub(crate) const ADVERTISED: &str = "192.0.2.1";

pub(crate) struct Server {
    api: ApiServer,
    pub(crate) store: Arc<dyn Store>,
    folder: tempfile::TempDir,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with(ADVERTISED, Arc::new(SystemClock)).await
    }

    pub(crate) async fn start_limited(limits: Limits) -> Self {
        Self::start_on(Arc::new(MemStore::new()), ADVERTISED, Arc::new(SystemClock), limits).await
    }

    pub(crate) async fn start_with(advertise_address: &str, clock: Arc<dyn Clock>) -> Self {
        Self::start_on(Arc::new(MemStore::new()), advertise_address, clock, Limits::default()).await
    }

    /// Another server on the same store.
    pub(crate) async fn another(&self) -> Self {
        Self::start_on(Arc::clone(&self.store), ADVERTISED, Arc::new(SystemClock), Limits::default()).await
    }

    pub(crate) async fn start_on(
        store: Arc<dyn Store>,
        advertise_address: &str,
        clock: Arc<dyn Clock>,
        limits: Limits,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = Config {
            data_dir: folder.path().to_owned(),
            bind: "127.0.0.1:0".parse().unwrap(),
            advertise_address: advertise_address.parse().unwrap(),
            hostname: "test".into(),
            extra_sans: Vec::new(),
            service_cidr: "10.43.0.0/16".into(),
            cluster_cidr: "10.42.0.0/16".into(),
            cluster_dns: ([10, 43, 0, 10]).into(),
            node_port_range: "30000-32767".into(),
            token_file: None,
            access: apiserver::access::Access::default(),
            local_storage: true,
            cluster_domain: "cluster.local".into(),
            history: Duration::from_mins(5),
            membership: Membership::Sole,
            limits,
        };
        let deps = Deps { store: Arc::clone(&store), clock };
        let api = ApiServer::open(config, deps).await.expect("the server opens");
        Self { api, store, folder }
    }

    /// Over TLS, with the admin's certificate. [`Server::run`] must run beside it.
    pub(crate) async fn https(&self) -> kube::Client {
        let path = self.folder.path().join("admin.kubeconfig");
        let text = std::fs::read_to_string(&path).expect("the server writes the kubeconfig");
        let here = self.folder.path().join("here.kubeconfig");
        std::fs::write(&here, text.replace(ADVERTISED, "127.0.0.1")).expect("the folder is writable");
        client::transport::https(&here).await.expect("the kubeconfig works")
    }

    /// A kubeconfig for programs beside this one, which reads what [`Server::run`] serves.
    pub(crate) fn kubeconfig(&self) -> std::path::PathBuf {
        let port = self.api.local_addr().expect("the server listens").port();
        let text = std::fs::read_to_string(self.folder.path().join("admin.kubeconfig")).expect("it was written");
        let here = self.folder.path().join("here.kubeconfig");
        let text = text.replace(ADVERTISED, "127.0.0.1").replace(":0\n", &format!(":{port}\n"));
        std::fs::write(&here, text).expect("the folder is writable");
        here
    }

    /// Where [`Server::run`] listens, and the keys that open it.
    pub(crate) fn door(&self) -> (SocketAddr, Arc<Pki>) {
        (self.api.local_addr().expect("the server listens"), Arc::clone(self.api.pki()))
    }

    pub(crate) async fn run(self, drain: CancellationToken) {
        self.api.run(drain).await.expect("the drain is clean");
    }

    /// As a member of `system:masters`.
    pub(crate) fn admin(&self) -> Client {
        self.user("admin", &["system:masters"])
    }

    pub(crate) fn user(&self, name: &str, groups: &[&str]) -> Client {
        Client { router: self.api.router(), identity: Identity::new(name, groups.iter().copied()) }
    }
}

/// A clock that stands still until a test moves it.
pub(crate) struct HandClock(Mutex<Timestamp>);

impl HandClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(SystemClock.now())))
    }

    pub(crate) fn advance(&self, seconds: i64) {
        let mut now = self.0.lock();
        *now = now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        *self.0.lock()
    }
}

#[derive(Clone)]
pub(crate) struct Client {
    router: Router,
    identity: Identity,
}

/// A whole response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn reason(&self) -> &str {
        self.body["reason"].as_str().unwrap_or("")
    }

    pub(crate) fn rev(&self) -> u64 {
        self.body["metadata"]["resourceVersion"].as_str().and_then(|rev| rev.parse().ok()).unwrap_or(0)
    }

    pub(crate) fn warnings(&self) -> Vec<&str> {
        self.headers.get_all(WARNING).iter().filter_map(|value| value.to_str().ok()).collect()
    }

    #[track_caller]
    pub(crate) fn expect(self, code: u16) -> Self {
        assert_eq!(self.code.as_u16(), code, "{}", self.text);
        self
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let items = self.body["items"].as_array().cloned().unwrap_or_default();
        items.iter().map(|item| item["metadata"]["name"].as_str().unwrap_or("").to_owned()).collect()
    }
}

impl Client {
    pub(crate) async fn send(
        &self,
        method: Method,
        uri: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Response<Body> {
        let mut request = Request::builder().method(method).uri(uri);
        if headers.iter().all(|(name, _)| *name != USER_AGENT) {
            request = request.header(USER_AGENT, "suite/1.0");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::from(body)).unwrap();
        request.extensions_mut().insert(self.identity.clone());
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn ask(&self, method: Method, uri: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        let response = self.send(method, uri, headers, body).await;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer { code: parts.status, headers: parts.headers, body, text: String::from_utf8_lossy(&bytes).into_owned() }
    }

    pub(crate) async fn get(&self, uri: &str) -> Answer {
        self.ask(Method::GET, uri, &[], Vec::new()).await
    }

    pub(crate) async fn get_as(&self, uri: &str, accept: &str) -> Answer {
        self.ask(Method::GET, uri, &[(ACCEPT.as_str(), accept)], Vec::new()).await
    }

    pub(crate) async fn post(&self, uri: &str, body: &Value) -> Answer {
        self.ask(Method::POST, uri, &[(CONTENT_TYPE.as_str(), "application/json")], body.to_string().into()).await
    }

    /// A request whose body does not end.
    pub(crate) async fn post_for_ever(&self, uri: &str) -> Response<Body> {
        let body = Body::from_stream(futures::stream::pending::<Result<Vec<u8>, std::convert::Infallible>>());
        let request = Request::post(uri).header(CONTENT_TYPE, "application/json").extension(self.identity.clone());
        self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap()
    }

    pub(crate) async fn put(&self, uri: &str, body: &Value) -> Answer {
        self.ask(Method::PUT, uri, &[(CONTENT_TYPE.as_str(), "application/json")], body.to_string().into()).await
    }

    /// `kind` is `merge`, `json` or `strategic`.
    pub(crate) async fn patch(&self, uri: &str, kind: &str, body: &Value) -> Answer {
        let media = match kind {
            "strategic" => "application/strategic-merge-patch+json".to_owned(),
            kind => format!("application/{kind}-patch+json"),
        };
        self.ask(Method::PATCH, uri, &[(CONTENT_TYPE.as_str(), &media)], body.to_string().into()).await
    }

    /// Server-side apply; `uri` has the field manager.
    pub(crate) async fn apply(&self, uri: &str, config: &Value) -> Answer {
        let media = [(CONTENT_TYPE.as_str(), "application/apply-patch+yaml")];
        self.ask(Method::PATCH, uri, &media, config.to_string().into()).await
    }

    pub(crate) async fn delete(&self, uri: &str) -> Answer {
        self.ask(Method::DELETE, uri, &[], Vec::new()).await
    }

    pub(crate) async fn delete_with(&self, uri: &str, options: &Value) -> Answer {
        self.ask(Method::DELETE, uri, &[(CONTENT_TYPE.as_str(), "application/json")], options.to_string().into()).await
    }

    pub(crate) async fn namespace(&self, name: &str) {
        self.post("/api/v1/namespaces", &json!({"metadata": {"name": name}})).await.expect(201);
        self.service_account(name).await;
    }

    /// The account that pods run as; a controller makes it in a whole cluster.
    pub(crate) async fn service_account(&self, ns: &str) {
        let uri = format!("/api/v1/namespaces/{ns}/serviceaccounts");
        self.post(&uri, &json!({"metadata": {"name": "default"}})).await.expect(201);
    }

    pub(crate) async fn watch(&self, uri: &str) -> Lines {
        self.watch_as(uri, "application/json").await
    }

    pub(crate) async fn watch_as(&self, uri: &str, accept: &str) -> Lines {
        let response = self.send(Method::GET, uri, &[(ACCEPT.as_str(), accept)], Vec::new()).await;
        assert_eq!(response.status(), 200, "{uri}");
        Lines { stream: response.into_body().into_data_stream(), buffer: Vec::new() }
    }
}

/// The events of a watch.
pub(crate) struct Lines {
    stream: BodyDataStream,
    buffer: Vec<u8>,
}

/// Longer than any answer takes; only a broken server gets here.
const PATIENCE: Duration = Duration::from_secs(10);

impl Lines {
    /// The next event; `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        tokio::time::timeout(PATIENCE, self.patient()).await.expect("the watch is silent")
    }

    /// The same, however long it takes.
    async fn patient(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.buffer.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).expect("a line is an event"));
            }
            let chunk = self.stream.next().await;
            self.buffer.extend_from_slice(&chunk?.expect("the body goes on"));
        }
    }

    /// `TYPE name` of the next event.
    pub(crate) async fn word(&mut self) -> String {
        let Some(event) = self.next().await else { return "end".into() };
        let name = event["object"]["metadata"]["name"].as_str().unwrap_or("").to_owned();
        format!("{} {name}", event["type"].as_str().unwrap_or("")).trim().to_owned()
    }
}
