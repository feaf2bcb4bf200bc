//! The HTTPS listener: TLS with optional client certificates, HTTP/2 and HTTP/1.1, limits, and a drain that lets requests
//! end. What a request means is the chain's work.

mod compress;
mod corked;
mod idle;
mod rest;

use crate::audit::PeerAddress;
use crate::auth::x509;
use crate::chain;
use crate::guarded::Guarded;
use crate::pki::Pki;
use crate::seat::{Seat, Seated, Seats};
use crate::server::Server;
use axum::body::Body;
use corked::cork;
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use idle::{Activity, Idle};
use rustix::net::sockopt;
use rustls::server::WebPkiClientVerifier;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

/// A handshake that takes longer is not a client of ours.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// Time for the head of a request on HTTP/1.1; slower senders hold connections for nothing.
const HEADERS_MAX: Duration = Duration::from_secs(30);
/// k8s: http2 MaxConcurrentStreams of the secure server
const STREAMS_MAX: u32 = 1000;
/// k8s: readers of long lists and big uploads need room; memory is taken only while data is in flight.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 4 << 20;
/// A peer that is silent this long is asked; without an answer the connection is dropped.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_ANSWER_MAX: Duration = Duration::from_secs(15);
/// How long requests may go on after the drain began.
const DRAIN_MAX: Duration = Duration::from_secs(10);
/// Pause after a failed accept (no free file descriptors), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const HTTP2: &[u8] = b"h2";

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("requests were still open {}s after the drain began", DRAIN_MAX.as_secs())]
    DrainTimeout,
}

pub(crate) struct Listen {
    pub listener: TcpListener,
    pub tls: Arc<rustls::ServerConfig>,
    pub connections: usize,
}

/// The serving certificate; client certificates are asked for and verified against the cluster's CA.
pub(crate) fn tls(pki: &Pki) -> Result<Arc<rustls::ServerConfig>, crate::server::OpenError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = Arc::new(pki.roots()?);
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider))
        .allow_unauthenticated()
        .build()
        .map_err(|error| rustls::Error::General(error.to_string()))?;
    let (chain, key) = pki.serving().der()?;
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![HTTP2.to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Accepts until `stop` ends, then waits for open requests.
pub(crate) async fn run(
    listen: Listen,
    server: Arc<Server>,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let Listen { listener, tls, connections } = listen;
    let acceptor = TlsAcceptor::from(tls);
    let seats = Seats::new(connections);
    let draining = CancellationToken::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener, &seats) => accepted,
        };
        let Some((stream, seat)) = accepted else { continue };
        let server = Arc::clone(&server);
        let connection = Connection { acceptor: acceptor.clone(), server, draining: draining.clone() };
        seats.spawn(connection.serve(stream, seat));
    }
    drop(listener);
    draining.cancel();
    tokio::time::timeout(DRAIN_MAX, seats.emptied()).await.map_err(|_| ServeError::DrainTimeout)
}

/// Connections of this listener end when their other end is gone without a word, as HTTP/1.1 alone would never notice.
pub(crate) fn forget_the_dead(listener: &TcpListener) -> io::Result<()> {
    sockopt::set_tcp_keepidle(listener, PING_EVERY)?;
    sockopt::set_tcp_keepintvl(listener, PING_ANSWER_MAX)?;
    sockopt::set_socket_keepalive(listener, true)?;
    Ok(())
}

async fn accept(listener: &TcpListener, seats: &Seats) -> Option<(TcpStream, Seat)> {
    let seat = seats.take().await;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, seat)),
        Err(error) => {
            tracing::warn!(%error, "cannot accept a connection");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

struct Connection {
    acceptor: TlsAcceptor,
    server: Arc<Server>,
    draining: CancellationToken,
}

impl Connection {
    async fn serve(self, stream: TcpStream, seat: Seat) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        let tls = match tokio::time::timeout(HANDSHAKE_MAX, self.acceptor.accept(stream)).await {
            Ok(Ok(tls)) => tls,
            Ok(Err(error)) => {
                tracing::debug!(%error, "TLS handshake failed");
                return;
            }
            Err(_) => return,
        };
        let peer = tls.get_ref().1.peer_certificates().and_then(|chain| chain.first()).map(|leaf| x509::identity(leaf));
        let peer = match peer.transpose() {
            Ok(peer) => peer,
            Err(error) => {
                tracing::debug!(%error, "client certificate refused");
                return;
            }
        };
        let server = self.server;
        // Only the audit wants to know.
        let from = server.audit.as_ref().and_then(|_| tls.get_ref().0.peer_addr().ok());
        let from = from.map(|address| PeerAddress(address.ip()));
        // Boxed, so that a stream that goes on for hours does not keep the room that answering took.
        let answer = move |request| -> BoxFuture<'static, Result<Response<Body>, Infallible>> {
            Box::pin(answer(Arc::clone(&server), (peer.clone(), from), request))
        };
        let http2 = tls.get_ref().1.alpn_protocol() == Some(HTTP2);
        // With the stream, because an upgraded one outlives its connection.
        let stream = Seated::new(tls, seat);
        let ended = if http2 {
            serve_http2(stream, answer, self.draining).await
        } else {
            serve_http1(stream, answer, self.draining).await
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "connection ended");
        }
    }
}

async fn answer(
    server: Arc<Server>,
    (peer, from): (Option<x509::PeerIdentity>, Option<PeerAddress>),
    mut request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    if let Some(peer) = peer {
        request.extensions_mut().insert(peer);
    }
    if let Some(from) = from {
        request.extensions_mut().insert(from);
    }
    let accepts = compress::accepted(request.headers());
    let asked = !request.headers().contains_key(http::header::EXPECT);
    if request.body().is_end_stream() {
        let response = chain::handle(server, request.map(|_| Body::empty())).await;
        return Ok(compress::response(accepts, response).await);
    }
    let (parts, body) = request.into_parts();
    let (body, rest) = rest::lend(body, asked);
    let response = chain::handle(server, Request::from_parts(parts, Body::new(body))).await;
    rest.discard().await;
    Ok(compress::response(accepts, response).await)
}

type Stream = Seated<TlsStream<TcpStream>>;

/// HTTP/2, for whoever asked for it in the handshake: all clients of Kubernetes do.
async fn serve_http2<A>(stream: Stream, answer: A, draining: CancellationToken) -> hyper::Result<()>
where
    A: Fn(Request<Incoming>) -> BoxFuture<'static, Result<Response<Body>, Infallible>> + Send + 'static,
{
    let (stream, cork) = cork(stream);
    let activity = Activity::default();
    let mut idle = Idle::new(activity.clone());
    let counted = move |request| {
        let (busy, answered) = (activity.begin(), answer(request));
        async move { answered.await.map(|response| response.map(|body| Guarded::new(body, busy))) }
    };
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_ANSWER_MAX);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service_fn(counted)));
    let mut stopping = pin!(draining.cancelled());
    let mut told = false;
    let mut stood_back = false;
    poll_fn(|cx| {
        // A stream that has something to send wakes the connection before the next stream has run. The connection goes to the
        // end of the queue first, so that what all of them have leaves in one turn.
        stood_back = !stood_back;
        if stood_back {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if !told && (stopping.as_mut().poll(cx).is_ready() || idle.poll_over(cx).is_ready()) {
            told = true;
            connection.as_mut().graceful_shutdown();
        }
        let ended = connection.as_mut().poll(cx);
        // A stream that is broken or full shows itself at the connection's next read or write.
        if let Poll::Ready(Err(error)) = cork.release(cx) {
            tracing::debug!(%error, "cannot write to the client");
        }
        ended
    })
    .await
}

/// HTTP/1.1: curl, and connections that are upgraded to something else.
async fn serve_http1<A>(stream: Stream, answer: A, draining: CancellationToken) -> hyper::Result<()>
where
    A: Fn(Request<Incoming>) -> BoxFuture<'static, Result<Response<Body>, Infallible>> + Send + 'static,
{
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADERS_MAX);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service_fn(answer)).with_upgrades());
    tokio::select! {
        ended = connection.as_mut() => ended,
        () = draining.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    }
}
