//! A whole API server on its HTTPS port with one node, which is only a TLS server, and one pod on it.

use crate::node;
use apiserver::bootstrap::Membership;
use apiserver::pki::Pki;
use apiserver::server::Limits;
use apiserver::{ApiServer, Config, Deps};
use axum::Router;
use axum::body::Body;
use client::clock::SystemClock;
use client::identity::Identity;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use store::mem::MemStore;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

pub(crate) const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

pub(crate) struct Cluster {
    address: SocketAddr,
    router: Router,
    pub(crate) roots: rustls::RootCertStore,
    admin: (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>),
    /// Requests as the node saw them.
    pub(crate) seen: mpsc::UnboundedReceiver<(String, HeaderMap)>,
    pub(crate) tasks: JoinSet<()>,
    pub(crate) pki: Arc<Pki>,
    _data: tempfile::TempDir,
}

/// A cluster with the node `n1` and the pod `web` on it. The node shows a certificate for `common_name`.
pub(crate) async fn cluster(common_name: &str) -> Cluster {
    let data = tempfile::tempdir().unwrap();
    let config = Config {
        data_dir: data.path().to_owned(),
        bind: SocketAddr::new(LOOPBACK, 0),
        advertise_address: LOOPBACK,
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
        membership: Membership::Sole,
        limits: Limits::default(),
    };
    let deps = Deps { store: Arc::new(MemStore::new()), clock: Arc::new(SystemClock) };
    let server = ApiServer::open(config, deps).await.unwrap();
    let (address, router, roots) = (server.local_addr().unwrap(), server.router(), server.pki().roots().unwrap());
    let admin = server.pki().admin().der().unwrap();
    let pki = Arc::clone(server.pki());
    let now = client::clock::Clock::now(&SystemClock);
    let serving = server.pki().issue_server(common_name, &["127.0.0.1".to_owned()], &["system:nodes"], now).unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { server.run(CancellationToken::new()).await.unwrap() });
    let (told, seen) = mpsc::unbounded_channel();
    let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tasks.spawn(node::serve(listener, serving.der().unwrap(), told));
    let cluster = Cluster { address, router, roots, admin, seen, tasks, pki, _data: data };
    cluster.populate(port).await;
    cluster
}

impl Cluster {
    async fn populate(&self, node_port: u16) {
        let node = json!({"metadata": {"name": "n1"}});
        self.write(Method::POST, "/api/v1/nodes", &node).await;
        let status = json!({"metadata": {"name": "n1"}, "status": {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": node_port}},
        }});
        self.write(Method::PUT, "/api/v1/nodes/n1/status", &status).await;
        self.write(
            Method::POST,
            "/api/v1/namespaces/default/serviceaccounts",
            &json!({"metadata": {"name": "default"}}),
        )
        .await;
        let pod = json!({"metadata": {"name": "web"}, "spec": {
            "nodeName": "n1", "containers": [{"name": "main", "image": "x"}, {"name": "side", "image": "x"}],
        }});
        self.write(Method::POST, "/api/v1/namespaces/default/pods", &pod).await;
    }

    /// As an admin of this process; it must succeed.
    pub(crate) async fn write(&self, method: Method, path: &str, object: &Value) -> Value {
        let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        request.extensions_mut().unwrap().insert(Identity::new("admin", ["system:masters"]));
        let response =
            self.router.clone().oneshot(request.body(Body::from(object.to_string())).unwrap()).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(status.is_success(), "{path}: {status} {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).unwrap()
    }

    /// As an admin of this process, whatever comes of it.
    pub(crate) async fn ask(&self, method: Method, path: &str, object: &Value) -> (u16, Value) {
        self.ask_in("application/json", method, path, object).await
    }

    pub(crate) async fn apply(&self, path: &str, object: &Value) -> (u16, Value) {
        self.ask_in("application/apply-patch+yaml", Method::PATCH, path, object).await
    }

    async fn ask_in(&self, media: &str, method: Method, path: &str, object: &Value) -> (u16, Value) {
        let mut request = Request::builder().method(method).uri(path).header("content-type", media);
        request.extensions_mut().unwrap().insert(Identity::new("admin", ["system:masters"]));
        let body = if object.is_null() { Body::empty() } else { Body::from(object.to_string()) };
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let code = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (code, serde_json::from_slice(&body).unwrap_or_default())
    }

    /// A GET until it is as it should be: what follows a watch does so soon, not at once.
    pub(crate) async fn until(&self, path: &str, is: impl Fn(&Value) -> bool) -> Value {
        let mut seen = Value::Null;
        let patience = async {
            loop {
                seen = self.ask(Method::GET, path, &Value::Null).await.1;
                if is(&seen) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        let ended = tokio::time::timeout(Duration::from_secs(30), patience).await;
        assert!(ended.is_ok(), "{path} did not become what it should: {seen}");
        seen
    }

    /// One request over HTTPS with the admin's certificate.
    pub(crate) async fn send(&mut self, method: Method, path: &str, headers: &[(&str, &str)]) -> Response<Incoming> {
        self.send_body(method, path, headers, "").await
    }

    pub(crate) async fn send_body(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response<Incoming> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots.clone())
            .with_client_auth_cert(self.admin.0.clone(), self.admin.1.clone_key())
            .unwrap();
        let tcp = TcpStream::connect(self.address).await.unwrap();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let tls = connector.connect(ServerName::IpAddress(LOOPBACK.into()), tcp).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tls)).await.unwrap();
        self.tasks.spawn(async move { drop(connection.with_upgrades().await) });
        let mut request = Request::builder().method(method).uri(path).header("host", "kubernetes");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = Full::new(bytes::Bytes::copy_from_slice(body.as_bytes()));
        sender.send_request(request.body(body).unwrap()).await.unwrap()
    }
}

pub(crate) async fn text(response: Response<Incoming>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}
