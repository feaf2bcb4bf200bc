//! Servers of this machine that stand behind the API server, at an address that is not loopback: those are refused.

use crate::cluster::Cluster;
use axum::body::Body;
use http::{Method, Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::CertificateDer;
use serde_json::json;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
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
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = match client {
            Client::Anybody => builder.with_no_client_auth(),
            Client::FrontProxy => {
                let mut roots = rustls::RootCertStore::empty();
                let ca = pem::parse(self.pki.front_proxy_ca_pem()).unwrap();
                roots.add(CertificateDer::from(ca.into_contents())).unwrap();
                let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(builder.with_single_cert(chain, key).unwrap()));
        let listener = TcpListener::bind(("0.0.0.0", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        self.tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((tcp, _)) = listener.accept().await {
                let (acceptor, answer) = (acceptor.clone(), answer.clone());
                connections.spawn(async move {
                    let Ok(tls) = acceptor.accept(tcp).await else { return };
                    let service = service_fn(move |request| {
                        let answered = answer(request);
                        async move { Ok::<_, Infallible>(answered.await) }
                    });
                    let http = hyper::server::conn::http1::Builder::new();
                    drop(http.serve_connection(TokioIo::new(tls), service).with_upgrades().await);
                });
            }
        });
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
