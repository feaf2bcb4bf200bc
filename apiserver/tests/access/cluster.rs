//! A whole API server without a listener, and requests to it in anybody's name.

use apiserver::bootstrap::Membership;
use apiserver::server::Limits;
use apiserver::{ApiServer, Config, Deps};
use axum::Router;
use axum::body::Body;
use client::clock::SystemClock;
use client::identity::Identity;
use http::{Method, Request};
use http_body_util::BodyExt;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use store::mem::MemStore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

pub(crate) fn config(data: &tempfile::TempDir, port: u16) -> Config {
    Config {
        data_dir: data.path().to_owned(),
        bind: ([127, 0, 0, 1], port).into(),
        advertise_address: "192.0.2.1".parse().unwrap(),
        hostname: "test".to_owned(),
        extra_sans: Vec::new(),
        service_cidr: "10.43.0.0/16".to_owned(),
        cluster_cidr: "10.42.0.0/16".to_owned(),
        cluster_dns: ([10, 43, 0, 10]).into(),
        node_port_range: "30000-32767".to_owned(),
        token_file: None,
        access: apiserver::access::Access::default(),
        local_storage: true,
        cluster_domain: "cluster.local".to_owned(),
        history: Duration::from_mins(5),
        membership: Membership::Shared,
        limits: Limits::default(),
    }
}

pub(crate) async fn open(store: &Arc<MemStore>, data: &tempfile::TempDir, port: u16) -> ApiServer {
    let config = config(data, port);
    let store: Arc<dyn Store> = Arc::clone(store) as Arc<dyn Store>;
    ApiServer::open(config, Deps { store, clock: Arc::new(SystemClock) }).await.unwrap()
}

pub(crate) struct Cluster {
    pub(crate) server: Option<ApiServer>,
    pub(crate) router: Router,
    pub(crate) _data: tempfile::TempDir,
}

pub(crate) async fn cluster() -> Cluster {
    let data = tempfile::tempdir().unwrap();
    let config = config(&data, 0);
    cluster_of(config, data).await
}

pub(crate) async fn cluster_of(config: Config, data: tempfile::TempDir) -> Cluster {
    let deps = Deps { store: Arc::new(MemStore::new()), clock: Arc::new(SystemClock) };
    let server = ApiServer::open(config, deps).await.unwrap();
    Cluster { router: server.router(), server: Some(server), _data: data }
}

pub(crate) enum As<'a> {
    User(&'a str, &'a [&'a str]),
    Token(&'a str),
}

pub(crate) const ADMIN: As<'_> = As::User("admin", &["system:masters"]);

impl Cluster {
    pub(crate) async fn send(&self, who: &As<'_>, method: Method, path: &str, body: &Value) -> (u16, Value) {
        self.send_with(who, method, path, body, &[]).await
    }

    pub(crate) async fn send_with(
        &self,
        who: &As<'_>,
        method: Method,
        path: &str,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> (u16, Value) {
        let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        match who {
            As::User(user, groups) => {
                request.extensions_mut().unwrap().insert(Identity::new(user, groups.iter().copied()));
            }
            As::Token(token) => request = request.header("authorization", format!("Bearer {token}")),
        }
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let code = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (code, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// The answer to somebody without credentials.
    pub(crate) async fn send_unknown(&self, method: Method, path: &str) -> u16 {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        self.router.clone().oneshot(request).await.unwrap().status().as_u16()
    }

    /// The body of an answer that is no JSON.
    pub(crate) async fn text(&self, who: &As<'_>, path: &str) -> String {
        let mut request = Request::get(path);
        if let As::User(user, groups) = who {
            request.extensions_mut().unwrap().insert(Identity::new(user, groups.iter().copied()));
        }
        let response = self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    pub(crate) async fn made(&self, path: &str, object: Value) -> Value {
        let (code, made) = self.send(&ADMIN, Method::POST, path, &object).await;
        assert_eq!(code, 201, "{path}: {made}");
        made
    }

    pub(crate) async fn get(&self, who: &As<'_>, path: &str) -> u16 {
        self.send(who, Method::GET, path, &Value::Null).await.0
    }

    /// Lets the server do what it does beside answering, until the token is cancelled.
    pub(crate) fn run(&mut self) -> CancellationToken {
        let (drain, server) = (CancellationToken::new(), self.server.take().expect("it runs once"));
        let mut task = JoinSet::new();
        let until = drain.clone();
        task.spawn(async move { server.run(until).await.expect("the drain is clean") });
        task.detach_all();
        drain
    }

    /// The answer to a GET that an admin makes until it is as it should be: what follows a watch does so soon, not at once.
    pub(crate) async fn until(&self, path: &str, is: impl Fn(&Value) -> bool) -> Value {
        let mut seen = Value::Null;
        for _ in 0..2000 {
            seen = self.send(&ADMIN, Method::GET, path, &Value::Null).await.1;
            if is(&seen) {
                return seen;
            }
            tokio::task::yield_now().await;
        }
        panic!("{path} did not become what it should: {seen}");
    }
}
