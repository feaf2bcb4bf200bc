//! The doors: HTTP, and HTTPS with certificates by the name that the client asks for. Connections are bounded in number
//! and in what they may send; a drain lets open requests end.

use crate::compile::Compiled;
use crate::forward::{Arrival, Body, Forwarder};
use crate::headers::{Origin, Scheme};
use crate::{Config, Error, Routes};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Connections at a time, over both doors; who comes when all places are taken waits to be accepted.
const CONNECTIONS_MAX: usize = 8192;
/// A handshake that takes longer is not a client of ours.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// Time for the head of a request; slower senders hold connections for nothing.
const HEAD_MAX: Duration = Duration::from_secs(30);
/// Bytes of a request's head: cookies and tokens of common applications need up to half of it.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Requests at a time on one HTTP/2 connection. Browsers use about a hundred.
const STREAMS_MAX: u32 = 250;
/// A connection without a request for so long is closed.
const IDLE: Duration = Duration::from_mins(2);
/// A peer that is silent this long is asked; without an answer the connection is dropped.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_ANSWER_MAX: Duration = Duration::from_secs(15);
/// How long requests may go on after the drain began.
const DRAIN_MAX: Duration = Duration::from_secs(10);
/// Pause after a failed accept (no free file descriptors), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const HTTP2: &[u8] = b"h2";

/// A connection's place among the bounded number; an upgraded one keeps it.
pub(crate) struct Seat {
    _permit: OwnedSemaphorePermit,
}

/// Both doors, open but not served yet.
pub(crate) struct Doors {
    http: TcpListener,
    https: TcpListener,
    tls: TlsAcceptor,
}

impl Doors {
    pub(crate) async fn open(config: &Config, routes: &Routes) -> Result<Self, Error> {
        let listen = async |address: SocketAddr| {
            TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })
        };
        let tls = tls(routes.clone()).map_err(Error::Tls)?;
        Ok(Self { http: listen(config.http).await?, https: listen(config.https).await?, tls: TlsAcceptor::from(tls) })
    }

    /// Accepts until drained, then waits for open requests.
    pub(crate) async fn serve(self, forwarder: Arc<Forwarder>, drain: &CancellationToken) {
        let house = House {
            forwarder: Arc::clone(&forwarder),
            places: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            connections: TaskTracker::new(),
            drain: drain.clone(),
        };
        tokio::join!(house.accept(&self.http, None), house.accept(&self.https, Some(&self.tls)));
        drop((self.http, self.https));
        house.connections.close();
        let ended = async {
            house.connections.wait().await;
            forwarder.closed().await;
        };
        if tokio::time::timeout(DRAIN_MAX, ended).await.is_err() {
            tracing::warn!("requests were still open {DRAIN_MAX:?} after the drain began");
        }
    }
}

/// What both doors lead to.
struct House {
    forwarder: Arc<Forwarder>,
    places: Arc<Semaphore>,
    connections: TaskTracker,
    drain: CancellationToken,
}

impl House {
    async fn accept(&self, door: &TcpListener, tls: Option<&TlsAcceptor>) {
        loop {
            let accepted = tokio::select! {
                () = self.drain.cancelled() => return,
                accepted = self.next(door) => accepted,
            };
            let Some((stream, client, seat)) = accepted else { continue };
            let port = stream.local_addr().map_or(0, |address| address.port());
            let scheme = if tls.is_some() { Scheme::Https } else { Scheme::Http };
            let connection = Connection {
                forwarder: Arc::clone(&self.forwarder),
                origin: Origin { client: client.ip(), scheme, port },
                seat: Arc::new(seat),
                drain: self.drain.clone(),
                requests: Requests::default(),
            };
            let tls = tls.cloned();
            self.connections.spawn(async move {
                match tls {
                    Some(tls) => connection.serve_tls(stream, tls).await,
                    None => connection.http1(stream).await,
                }
            });
        }
    }

    async fn next(&self, door: &TcpListener) -> Option<(TcpStream, SocketAddr, Seat)> {
        let permit = Arc::clone(&self.places).acquire_owned().await.expect("the semaphore is never closed");
        match door.accept().await {
            Ok((stream, client)) => {
                prepare(&stream);
                Some((stream, client, Seat { _permit: permit }))
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                None
            }
        }
    }
}

/// Small answers go at once; a client that has vanished is noticed also where nothing is sent.
fn prepare(stream: &TcpStream) {
    let keepalive = || -> std::io::Result<()> {
        rustix::net::sockopt::set_socket_keepalive(stream, true)?;
        Ok(rustix::net::sockopt::set_tcp_keepidle(stream, IDLE)?)
    };
    if let Err(error) = stream.set_nodelay(true).and_then(|()| keepalive()) {
        tracing::debug!(%error, "cannot set a socket's options");
    }
}

#[derive(Default)]
struct Requests {
    open: AtomicUsize,
    begun: AtomicU64,
}

/// Counts a request for as long as it is answered, or until its client gives it up.
struct Open<'a>(&'a AtomicUsize);

impl<'a> Open<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Connection {
    forwarder: Arc<Forwarder>,
    origin: Origin,
    seat: Arc<Seat>,
    drain: CancellationToken,
    requests: Requests,
}

impl Connection {
    async fn serve_tls(self, stream: TcpStream, tls: TlsAcceptor) {
        let stream = match tokio::time::timeout(HANDSHAKE_MAX, tls.accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return tracing::debug!(%error, "TLS handshake failed"),
            Err(_) => return,
        };
        if stream.get_ref().1.alpn_protocol() == Some(HTTP2) {
            self.http2(stream).await;
        } else {
            self.http1(stream).await;
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        self.requests.begun.fetch_add(1, Ordering::Relaxed);
        let _open = Open::new(&self.requests.open);
        let arrival = Arrival { origin: self.origin, seat: Arc::clone(&self.seat) };
        Ok(self.forwarder.answer(request, arrival).await)
    }

    async fn http1(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let this = Arc::new(self);
        let service = service_fn(|request| {
            let this = Arc::clone(&this);
            async move { this.answer(request).await }
        });
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(HEAD_MAX).max_buf_size(HEAD_BYTES_MAX);
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service).with_upgrades());
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = this.drain.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        note(ended);
    }

    async fn http2(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let this = Arc::new(self);
        let served = Arc::clone(&this);
        let service = service_fn(move |request| {
            let this = Arc::clone(&served);
            async move { this.answer(request).await }
        });
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.timer(TokioTimer::new()).max_concurrent_streams(STREAMS_MAX);
        builder.max_header_list_size(HEAD_BYTES_MAX as u32);
        builder.keep_alive_interval(PING_EVERY).keep_alive_timeout(PING_ANSWER_MAX);
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = this.over() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        note(ended);
    }

    /// Returns at the drain, or when the connection has had no request for a while; HTTP/1.1 has a timer of its own.
    async fn over(&self) {
        let idle = async {
            loop {
                let begun = self.requests.begun.load(Ordering::Relaxed);
                tokio::time::sleep(IDLE).await;
                let open = self.requests.open.load(Ordering::Relaxed);
                if open == 0 && begun == self.requests.begun.load(Ordering::Relaxed) {
                    return;
                }
            }
        };
        tokio::select! {
            () = self.drain.cancelled() => {}
            () = idle => {}
        }
    }
}

fn note(ended: Result<(), hyper::Error>) {
    if let Err(error) = ended {
        tracing::debug!(error = &error as &dyn std::error::Error, "a connection ended");
    }
}

fn tls(routes: Routes) -> Result<Arc<rustls::ServerConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(ByName(routes)));
    config.alpn_protocols = vec![HTTP2.to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Looks at the routes of the moment: a changed Secret shows in the next handshake, and ends no connection. Without a
/// certificate for the name the handshake fails: nobody is shown one that is not meant for him.
#[derive(Debug)]
struct ByName(Routes);

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        chosen(&self.0.borrow(), hello.server_name())
    }
}

fn chosen(compiled: &Compiled, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
    let certificates = &compiled.certificates;
    let name = name.map(str::to_ascii_lowercase);
    let named = name.and_then(|name| certificates.hosts.of(&name).next());
    named.or(certificates.any.as_ref()).cloned()
}
