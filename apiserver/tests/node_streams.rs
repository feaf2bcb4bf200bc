//! Logs, exec and port-forward through the real HTTPS port, against a node that is only a TLS server: what reaches it, what
//! comes back, and what it cannot trick the API server into.

use apiserver::bootstrap::Membership;
use apiserver::server::Limits;
use apiserver::{ApiServer, Config, Deps};
use axum::Router;
use axum::body::Body;
use client::clock::SystemClock;
use client::identity::Identity;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use store::mem::MemStore;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

struct Cluster {
    address: SocketAddr,
    router: Router,
    roots: rustls::RootCertStore,
    admin: (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>),
    /// Requests as the node saw them.
    seen: mpsc::UnboundedReceiver<(String, HeaderMap)>,
    tasks: JoinSet<()>,
    _data: tempfile::TempDir,
}

/// A cluster with the node `n1` and the pod `web` on it. The node shows a certificate for `common_name`.
async fn cluster(common_name: &str) -> Cluster {
    let data = tempfile::tempdir().unwrap();
    let config = Config {
        data_dir: data.path().to_owned(),
        bind: SocketAddr::new(LOOPBACK, 0),
        advertise_address: LOOPBACK,
        hostname: "test".to_owned(),
        extra_sans: Vec::new(),
        service_cidr: "10.43.0.0/16".to_owned(),
        node_port_range: "30000-32767".to_owned(),
        cluster_domain: "cluster.local".to_owned(),
        history: Duration::from_mins(5),
        membership: Membership::Sole,
        limits: Limits::default(),
    };
    let deps = Deps { store: Arc::new(MemStore::new()), clock: Arc::new(SystemClock) };
    let server = ApiServer::open(config, deps).await.unwrap();
    let (address, router, roots) = (server.local_addr().unwrap(), server.router(), server.pki().roots().unwrap());
    let admin = server.pki().admin().der().unwrap();
    let now = client::clock::Clock::now(&SystemClock);
    let serving = server.pki().issue_server(common_name, &["127.0.0.1".to_owned()], &["system:nodes"], now).unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { server.run(CancellationToken::new()).await.unwrap() });
    let (told, seen) = mpsc::unbounded_channel();
    let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tasks.spawn(node(listener, serving.der().unwrap(), told));
    let cluster = Cluster { address, router, roots, admin, seen, tasks, _data: data };
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

    async fn write(&self, method: Method, path: &str, object: &Value) {
        let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        request.extensions_mut().unwrap().insert(Identity::new("admin", ["system:masters"]));
        let response =
            self.router.clone().oneshot(request.body(Body::from(object.to_string())).unwrap()).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(status.is_success(), "{path}: {status} {}", String::from_utf8_lossy(&body));
    }

    /// One request over HTTPS with the admin's certificate.
    async fn send(&mut self, method: Method, path: &str, headers: &[(&str, &str)]) -> Response<Incoming> {
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
        sender.send_request(request.body(Empty::<bytes::Bytes>::new()).unwrap()).await.unwrap()
    }
}

async fn text(response: Response<Incoming>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

type Told = mpsc::UnboundedSender<(String, HeaderMap)>;

async fn node(listener: TcpListener, (chain, key): (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), told: Told) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let mut connections = JoinSet::new();
    while let Ok((tcp, _)) = listener.accept().await {
        let (acceptor, told) = (acceptor.clone(), told.clone());
        connections.spawn(async move {
            let Ok(tls) = acceptor.accept(tcp).await else { return };
            let service = service_fn(move |request| std::future::ready(Ok::<_, Infallible>(answer(request, &told))));
            let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(tls), service);
            drop(connection.with_upgrades().await);
        });
    }
}

/// `main` does what it is asked; `side` redirects; anything else does not exist.
fn answer(mut request: Request<Incoming>, told: &Told) -> Response<Body> {
    told.send((request.uri().to_string(), request.headers().clone())).unwrap();
    let path = request.uri().path().to_owned();
    let respond = |code: u16, body: &str| Response::builder().status(code).body(Body::from(body.to_owned())).unwrap();
    if path.starts_with("/containerLogs/") && path.ends_with("/main") {
        respond(200, "line one\nline two\n")
    } else if path.ends_with("/side") {
        Response::builder().status(302).header("location", "https://192.0.2.1/steal").body(Body::empty()).unwrap()
    } else if path.starts_with("/exec/") || path.starts_with("/portForward/") {
        let upgrade = hyper::upgrade::on(&mut request);
        let mut echo = JoinSet::new();
        echo.spawn(async move {
            let mut stream = TokioIo::new(upgrade.await.unwrap());
            let mut heard = [0; 5];
            stream.read_exact(&mut heard).await.unwrap();
            heard.reverse();
            stream.write_all(&heard).await.unwrap();
            stream.shutdown().await.unwrap();
        });
        echo.detach_all();
        let response = Response::builder().status(101).header("connection", "Upgrade").header("upgrade", "SPDY/3.1");
        response.header("x-stream-protocol-version", "v4.channel.k8s.io").body(Body::empty()).unwrap()
    } else {
        respond(404, "no such thing")
    }
}

const WEB: &str = "/api/v1/namespaces/default/pods/web";
const UPGRADE: &[(&str, &str)] = &[
    ("connection", "Upgrade"),
    ("upgrade", "SPDY/3.1"),
    ("x-stream-protocol-version", "v4.channel.k8s.io"),
    ("cookie", "session=secret"),
];

#[tokio::test]
async fn a_log_comes_as_the_node_sends_it() {
    let mut cluster = cluster("system:node:n1").await;
    let response = cluster.send(Method::GET, &format!("{WEB}/log?container=main&tailLines=2&follow=true"), &[]).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "text/plain");
    assert_eq!(text(response).await, "line one\nline two\n");
    let (uri, headers) = cluster.seen.recv().await.unwrap();
    assert_eq!(uri, "/containerLogs/default/web/main?follow=true&tailLines=2");
    assert!(!headers.contains_key("authorization"));
}

#[tokio::test]
async fn what_cannot_be_shown_is_a_status() {
    let mut cluster = cluster("system:node:n1").await;
    for (path, code, message) in [
        ("log", 400, "a container name must be specified for pod web, choose one of: [main side]"),
        ("log?container=other", 400, "container other is not valid for pod web"),
        ("log?container=main&tailLines=-1", 422, "tailLines: Invalid value: -1"),
        ("exec?container=main&command=ls&stdout=true", 400, "Upgrade request required"),
        ("exec?container=main&stdout=true", 400, "you must specify at least one command"),
    ] {
        let response = cluster.send(Method::GET, &format!("{WEB}/{path}"), &[]).await;
        assert_eq!(response.status().as_u16(), code, "{path}");
        let status: Value = serde_json::from_str(&text(response).await).unwrap();
        assert!(status["message"].as_str().unwrap().contains(message), "{path}: {status}");
    }
}

#[tokio::test]
async fn exec_and_port_forward_are_spliced_after_the_node_agreed() {
    let mut cluster = cluster("system:node:n1").await;
    for (path, expected) in [
        (
            format!("{WEB}/exec?container=main&command=sh&command=-c&command=echo%20%26&stdin=true&stdout=true"),
            "/exec/default/web/main?command=sh&command=-c&command=echo%20%26&input=1&output=1",
        ),
        (format!("{WEB}/portforward?ports=80"), "/portForward/default/web?port=80"),
    ] {
        let response = cluster.send(Method::POST, &path, UPGRADE).await;
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS, "{path}");
        assert_eq!(response.headers()["x-stream-protocol-version"], "v4.channel.k8s.io");
        let mut stream = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
        stream.write_all(b"hello").await.unwrap();
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"olleh");
        let (uri, headers) = cluster.seen.recv().await.unwrap();
        assert_eq!(uri, expected);
        assert!(!headers.contains_key("cookie"), "{headers:?}");
        assert_eq!(headers["x-stream-protocol-version"], "v4.channel.k8s.io");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_nothing_is_spliced() {
    let mut cluster = cluster("system:node:n1").await;
    let path = format!("{WEB}/exec?container=side&command=sh&stdout=true");
    let response = cluster.send(Method::POST, &path, UPGRADE).await;
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    assert!(!response.headers().contains_key("location"));
}

#[tokio::test]
async fn a_node_that_shows_another_certificate_of_the_cluster_is_not_believed() {
    let mut cluster = cluster("kube-apiserver").await;
    let response = cluster.send(Method::GET, &format!("{WEB}/log?container=main"), &[]).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(text(response).await.contains("its certificate is not that of the node"));
    assert!(cluster.seen.try_recv().is_err());
}
