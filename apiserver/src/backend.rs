//! One HTTP exchange with something behind the API server: a node, a pod, a Service, a webhook, another API server.
//!
//! Who it is and whether it may be reached is the caller's decision; here a checked address is dialled, never a name. Rules
//! for all of them (CVE-2018-1002105, CVE-2020-8559): the client's credentials stay here, redirects are never followed, and
//! nothing is spliced before the backend has answered 101.

pub mod address;
pub(crate) mod fetch;
mod headers;
pub mod service;
pub mod tls;

pub use headers::forwarded;

use crate::pki::Credential;
use crate::seat::{Seat, Seated, Seats};
use axum::body::Body;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tls::{Connectors, TlsError, Trust};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

/// Connecting and handshaking; what is said then has its own limits. k8s: the 30 s of its dialers
const CONNECT_WAIT: Duration = Duration::from_secs(30);

/// Connections to backends that are open at once, streams that go on for hours included: each is a file descriptor here
/// and a connection there. An API server of upstream's size has about as many exec and port-forward sessions at its worst.
const CONNECTIONS_MAX: usize = 8192;

/// Texts are Go's, which people search for.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    #[error("dial tcp {address}: {why}")]
    Connect { address: SocketAddr, why: String },
    #[error("too many connections to nodes, pods and services are open")]
    Full,
    #[error("{0}")]
    Tls(String),
    #[error("{0}")]
    Exchange(#[from] hyper::Error),
}

/// Whom to dial, and how to know that it is them.
pub struct Target {
    pub address: SocketAddr,
    /// `None`: plain HTTP.
    pub tls: Option<(TlsConnector, ServerName<'static>)>,
}

/// Connections to backends; they end with their peers, or at the drain.
#[derive(Clone)]
pub struct Backends {
    seats: Seats,
    connectors: Arc<Connectors>,
    drain: CancellationToken,
}

impl Backends {
    pub fn new(drain: CancellationToken) -> Self {
        Self { seats: Seats::new(CONNECTIONS_MAX), connectors: Arc::default(), drain }
    }

    /// Waits for streams to end after the drain began.
    pub async fn drained(&self) {
        self.seats.emptied().await;
    }

    /// TLS towards whom `trust` believes; `shown` is the client certificate, where the backend shall know this server.
    pub fn connector(&self, trust: &Trust<'_>, shown: Option<&Credential>) -> Result<TlsConnector, TlsError> {
        self.connectors.get(trust, shown)
    }

    /// Sends `request` over a connection of its own. Its URI is the path and query, its headers have passed [`forwarded`].
    pub async fn send(&self, target: &Target, request: Request<Body>) -> Result<Response<Incoming>, BackendError> {
        let seat = self.seat()?;
        let connect = |why: String| BackendError::Connect { address: target.address, why };
        let late = |_| connect("i/o timeout".to_owned());
        let dialled = tokio::time::timeout(CONNECT_WAIT, TcpStream::connect(target.address)).await.map_err(late)?;
        let tcp = dialled.map_err(|error| connect(dial_text(&error)))?;
        tcp.set_nodelay(true).map_err(|error| connect(error.to_string()))?;
        let Some((connector, name)) = &target.tls else {
            return self.over(tcp, seat, request).await;
        };
        let shaken = tokio::time::timeout(CONNECT_WAIT, connector.connect(name.clone(), tcp)).await.map_err(late)?;
        let stream = shaken.map_err(|error| BackendError::Tls(tls::text(&error)))?;
        self.over(stream, seat, request).await
    }

    /// A place for a connection, to be taken before it is dialled: a silent address holds a socket too.
    pub(crate) fn seat(&self) -> Result<Seat, BackendError> {
        self.seats.try_take().ok_or(BackendError::Full)
    }

    /// Sends `request` over an established connection, which then serves nothing else.
    pub(crate) async fn over<S>(
        &self,
        stream: S,
        seat: Seat,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, BackendError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        // With the stream, which outlives its connection when it is upgraded.
        let (mut sender, connection) = http1::handshake(TokioIo::new(Seated::new(stream, seat))).await?;
        let drain = self.drain.clone();
        self.seats.spawn(async move {
            if let Some(Err(error)) = drain.run_until_cancelled(connection.with_upgrades()).await {
                tracing::debug!(%error, "connection ended");
            }
        });
        Ok(sender.send_request(request).await?)
    }

    /// Answers the client's upgrade with the backend's, and joins the two streams. `answer` is a 101.
    pub fn splice(&self, client: OnUpgrade, answer: Response<Incoming>) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        *response.headers_mut() = answer.headers().clone();
        let backend = hyper::upgrade::on(answer);
        let drain = self.drain.clone();
        self.seats.spawn(async move {
            drain.run_until_cancelled(join(client, backend)).await;
        });
        response
    }
}

async fn join(client: OnUpgrade, backend: OnUpgrade) {
    let (client, backend) = match tokio::try_join!(client, backend) {
        Ok(both) => both,
        Err(error) => {
            tracing::debug!(%error, "upgrade did not complete");
            return;
        }
    };
    let (mut client, mut backend) = (TokioIo::new(client), TokioIo::new(backend));
    match tokio::io::copy_bidirectional(&mut client, &mut backend).await {
        Ok((sent, received)) => tracing::debug!(sent, received, "stream ended"),
        // Peers that leave without saying goodbye are everyday life here.
        Err(error) => tracing::debug!(%error, "stream broke"),
    }
}

fn dial_text(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "connect: connection refused".to_owned(),
        std::io::ErrorKind::HostUnreachable => "connect: no route to host".to_owned(),
        std::io::ErrorKind::NetworkUnreachable => "connect: network is unreachable".to_owned(),
        std::io::ErrorKind::TimedOut => "i/o timeout".to_owned(),
        _ => error.to_string(),
    }
}
