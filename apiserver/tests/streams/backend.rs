//! Servers of this machine that stand behind the API server, at an address that is not loopback: those are refused.

use crate::cluster::Cluster;
use crate::https_server;
use axum::body::Body;
use http::{Method, Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::json;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// An address of this machine that is not loopback. Nothing is sent.
pub(crate) fn own_address() -> IpAddr {
    let socket = UdpSocket::bind(("0.0.0.0", 0)).unwrap();
    socket.connect(("192.0.2.254", 9)).expect("this test needs a network interface with a route");
    socket.local_addr().unwrap().ip()
}

pub(crate) async fn free_port() -> u16 {
    let address: SocketAddr = (own_address(), 0).into();
    TcpListener::bind(address).await.unwrap().local_addr().unwrap().port()
}

/// Whether the server asks for the certificate of the API server's front proxy.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    Anybody,
    FrontProxy,
}

impl Cluster {
    /// Serves HTTPS as `<name>.default.svc`, with a Service of that name before it.
    pub(crate) async fn https_service<F, A>(&mut self, name: &str, client: Client, answer: F)
    where
        F: Fn(Request<Incoming>) -> A + Clone + Send + 'static,
        A: Future<Output = Response<Body>> + Send + 'static,
    {
        let now = client::clock::Clock::now(&client::clock::SystemClock);
        let host = format!("{name}.default.svc");
        let (chain, key) = self.pki.issue_server(&host, std::slice::from_ref(&host), &[], now).unwrap().der().unwrap();
        let client_ca = match client {
            Client::Anybody => None,
            Client::FrontProxy => Some(self.pki.front_proxy_ca_pem()),
        };
        let acceptor = https_server::acceptor((chain, key), client_ca);
        let listener = TcpListener::bind(("0.0.0.0", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        self.tasks.spawn(https_server::serve(listener, acceptor, answer));
        self.service(name, 443, port).await;
    }

    /// A Service whose port leads to a port of this machine.
    pub(crate) async fn service(&self, name: &str, port: u16, target: u16) {
        let service = json!({"metadata": {"name": name}, "spec": {"ports": [{"name": "p", "port": port}]}});
        self.write(Method::POST, "/api/v1/namespaces/default/services", &service).await;
        let slice = json!({
            "metadata": {"name": format!("{name}-1"), "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4", "endpoints": [{"addresses": [own_address()]}], "ports": [{"name": "p", "port": target}],
        });
        self.write(Method::POST, "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", &slice).await;
    }
}

/// Agrees to an upgrade and sends the first five bytes back.
pub(crate) fn echo_upgrade(request: &mut Request<Incoming>) -> Response<Body> {
    let upgrade = hyper::upgrade::on(request);
    let mut task = JoinSet::new();
    task.spawn(async move {
        let mut stream = TokioIo::new(upgrade.await.unwrap());
        let mut heard = [0; 5];
        stream.read_exact(&mut heard).await.unwrap();
        stream.write_all(&heard).await.unwrap();
        stream.shutdown().await.unwrap();
    });
    task.detach_all();
    let response = Response::builder().status(101).header("connection", "Upgrade").header("upgrade", "websocket");
    response.body(Body::empty()).unwrap()
}

/// What comes back from [`echo_upgrade`].
pub(crate) async fn echoed(response: Response<Incoming>) -> Vec<u8> {
    let mut stream = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    stream.write_all(b"hello").await.unwrap();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.unwrap();
    heard
}
