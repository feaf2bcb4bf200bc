//! The node API on port 10250: HTTPS for the API server, metrics collectors and people with the rights. Every request is
//! authenticated and authorized; there is no read-only port.

mod auth;
mod certificate;
mod command;
pub(crate) mod health;
mod host_logs;
mod local_paths;
mod logs;
mod metrics;
mod routes;
mod stats;
mod stream;
mod usage;
pub(crate) mod volumes;

use crate::config::{Config, Error, Tls};
use crate::node::Node;
use auth::Peer;
use axum::Router;
use certificate::Resolver;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::WebPkiClientVerifier;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::debug;
pub use usage::Samples;
pub use volumes::Found as VolumesFound;

/// Connections at the same time: each long exec or log holds one; a flood must not take the agent's memory.
const CONNECTIONS_MAX: usize = 1000;
/// A client that does not finish its handshake or its headers makes room for others.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Open connections are given this long when the agent drains.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

pub(crate) struct Listener {
    socket: TcpListener,
    acceptor: TlsAcceptor,
    /// The port in use, also where the configuration left it to the kernel.
    pub(crate) port: u16,
}

pub(crate) async fn listen(config: &Config) -> Result<Listener, Error> {
    let acceptor = acceptor(&config.tls)?;
    let failed = |source| Error::Listen { address: config.bind, source };
    let socket = TcpListener::bind(config.bind).await.map_err(failed)?;
    let port = socket.local_addr().map_err(failed)?.port();
    Ok(Listener { socket, acceptor, port })
}

fn acceptor(tls: &Tls) -> Result<TlsAcceptor, Error> {
    let wrong = |reason: String| Error::Tls { reason };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    for cert in CertificateDer::pem_slice_iter(&tls.client_ca_pem) {
        roots.add(cert.map_err(|e| wrong(e.to_string()))?).map_err(|e| wrong(e.to_string()))?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .allow_unauthenticated()
        .build()
        .map_err(|e| wrong(e.to_string()))?;
    let resolver = Resolver::new(tls.serving.clone()).map_err(wrong)?;
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| wrong(e.to_string()))?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(resolver));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Serves until drained; then connections get a moment to end.
pub(crate) async fn run(listener: Listener, node: Arc<Node>, drain: CancellationToken) {
    let router = routes::router(node);
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let permit = tokio::select! {
            () = drain.cancelled() => break,
            permit = Arc::clone(&permits).acquire_owned() => permit.expect("the semaphore is never closed"),
        };
        let accepted = tokio::select! {
            () = drain.cancelled() => break,
            accepted = listener.socket.accept() => accepted,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((socket, _)) => {
                let (acceptor, router, drain) = (listener.acceptor.clone(), router.clone(), drain.clone());
                connections.spawn(async move {
                    serve(socket, acceptor, router, drain).await;
                    drop(permit);
                });
            }
            Err(error) => {
                debug!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await; // out of descriptors: let others close theirs
            }
        }
    }
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN_TIMEOUT, ended).await.is_err() {
        debug!("connections of the node API were cut");
    }
}

async fn serve(socket: TcpStream, acceptor: TlsAcceptor, router: Router, drain: CancellationToken) {
    if let Err(error) = socket.set_nodelay(true) {
        debug!(%error, "cannot set TCP_NODELAY");
    }
    let stream = match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(socket)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return debug!(%error, "TLS handshake failed"),
        Err(_) => return debug!("TLS handshake took too long"),
    };
    let peer = Peer::of(stream.get_ref().1.peer_certificates());
    let router = router.layer(axum::Extension(peer));
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HANDSHAKE_TIMEOUT);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = drain.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "connection ended");
    }
}
