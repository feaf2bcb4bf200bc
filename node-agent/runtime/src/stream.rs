//! The streaming server: exec, attach and port-forward arrive here as upgraded HTTP connections, on a loopback port,
//! with a token that CRI handed out and that is good once. What runs behind a connection does not know which protocol
//! it speaks.

mod forward;
mod session;
mod spdy;
mod terminal;
mod websocket;

use crate::pods::{ExecStreams, Pods};
use crate::sys::process::random_id;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderName, HeaderValue, UPGRADE};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A token that is not used for this long is worth nothing.
const TOKEN_LIFE: Duration = Duration::from_mins(1);
/// As the upgrade names it.
const SPDY: &str = "SPDY/3.1";
/// Tokens that may wait to be used; a client that asks for more and never comes is refused.
const TOKENS_MAX: usize = 1000;
/// Connections that have not shown a token yet: anybody on the machine can make one, and must not fill it with them.
const CONNECTIONS_MAX: usize = 256;
/// How long such a connection may take; the agent asks at once.
const REQUEST_WITHIN: Duration = Duration::from_secs(10);
/// After a failed accept, which may be for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Sessions at a time; each holds descriptors and buffers.
const SESSIONS_MAX: usize = 1000;

/// What a token stands for.
#[derive(Debug, Clone)]
pub(crate) enum Session {
    Exec { container: String, args: Vec<String>, streams: ExecStreams },
    Attach { container: String, streams: ExecStreams },
    Forward { sandbox: String, ports: Vec<u16> },
}

impl Session {
    fn kind(&self) -> &'static str {
        match self {
            Session::Exec { .. } => "exec",
            Session::Attach { .. } => "attach",
            Session::Forward { .. } => "portforward",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Streaming {
    address: SocketAddr,
    waiting: Mutex<HashMap<String, (Instant, Session)>>,
    /// Places for those who have not shown a token yet, and for those who have.
    connections: Arc<Semaphore>,
    sessions: Arc<Semaphore>,
}

impl Streaming {
    /// Listens, and serves until drained.
    pub(crate) async fn start(pods: Arc<Pods>, tasks: TaskTracker, drain: CancellationToken) -> io::Result<Arc<Self>> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let streaming = Arc::new(Self {
            address: listener.local_addr()?,
            waiting: Mutex::default(),
            connections: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            sessions: Arc::new(Semaphore::new(SESSIONS_MAX)),
        });
        let serving = streaming.clone();
        let accepting = tasks.clone();
        tasks.spawn(async move {
            loop {
                let accepted = tokio::select! {
                    accepted = serving.accept(&listener) => accepted,
                    () = drain.cancelled() => return,
                };
                let Some((socket, place)) = accepted else { continue };
                let (serving, pods) = (serving.clone(), pods.clone());
                let (tasks, drain) = (accepting.clone(), drain.clone());
                let upgraded = tasks.clone();
                tasks.spawn(async move {
                    let answer = service_fn(|request| {
                        let response = serving.answer(request, &pods, &upgraded, &drain);
                        async { Ok::<_, Infallible>(response) }
                    });
                    let connection = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(socket), answer)
                        .with_upgrades();
                    tokio::select! {
                        done = tokio::time::timeout(REQUEST_WITHIN, connection) => match done {
                            Ok(Ok(())) => {}
                            Ok(Err(error)) => tracing::debug!(%error, "streaming connection"),
                            Err(_) => tracing::debug!("a streaming connection without a request"),
                        },
                        () = drain.cancelled() => {}
                    }
                    drop(place);
                });
            }
        });
        Ok(streaming)
    }

    /// The next connection, once there is a place for it.
    async fn accept(&self, listener: &TcpListener) -> Option<(TcpStream, OwnedSemaphorePermit)> {
        let place = self.connections.clone().acquire_owned().await.expect("the semaphore is never closed");
        match listener.accept().await {
            Ok((socket, _)) => Some((socket, place)),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a streaming connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                None
            }
        }
    }

    /// A URL for one use of `session`.
    pub(crate) fn url(&self, session: Session) -> Result<String, TooMany> {
        let now = Instant::now();
        let token = random_id();
        let url = format!("http://{}/{}/{token}", self.address, session.kind());
        let mut waiting = self.waiting.lock();
        waiting.retain(|_, (end, _)| *end > now);
        if waiting.len() >= TOKENS_MAX {
            return Err(TooMany);
        }
        waiting.insert(token, (now + TOKEN_LIFE, session));
        Ok(url)
    }

    fn redeem(&self, path: &str) -> Option<Session> {
        let (kind, token) = path.strip_prefix('/')?.split_once('/')?;
        let (end, session) = self.waiting.lock().remove(token)?;
        (end > Instant::now() && session.kind() == kind).then_some(session)
    }

    fn answer(
        &self,
        request: Request<Incoming>,
        pods: &Arc<Pods>,
        tasks: &TaskTracker,
        drain: &CancellationToken,
    ) -> Response<String> {
        let Some(session) = self.redeem(request.uri().path()) else {
            return plain(StatusCode::NOT_FOUND, "the token is unknown, used or too old");
        };
        let (transport, headers) = match Transport::agree(&request, &session) {
            Ok(agreed) => agreed,
            Err(text) => return plain(StatusCode::BAD_REQUEST, text),
        };
        let Ok(place) = self.sessions.clone().try_acquire_owned() else {
            return plain(StatusCode::SERVICE_UNAVAILABLE, "too many streams are open on this node");
        };
        let (pods, drain) = (pods.clone(), drain.clone());
        tasks.spawn(async move {
            match hyper::upgrade::on(request).await {
                Ok(upgraded) => {
                    let stream = TokioIo::new(upgraded);
                    let serve = async {
                        match transport {
                            Transport::WebSocket(carried) => websocket::serve(stream, carried, session, pods).await,
                            Transport::Spdy(protocol) => spdy::serve(stream, protocol, session, pods).await,
                        }
                    };
                    tokio::select! {
                        () = serve => {}
                        () = drain.cancelled() => {}
                    }
                }
                Err(error) => tracing::debug!(%error, "upgrade"),
            }
            drop(place);
        });
        let mut response = plain(StatusCode::SWITCHING_PROTOCOLS, "");
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        response.headers_mut().insert(UPGRADE, HeaderValue::from_static(transport.name()));
        for (name, value) in headers {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
        response
    }
}

/// How a session travels.
#[derive(Debug, Clone, Copy)]
enum Transport {
    WebSocket(websocket::Carried),
    Spdy(spdy::Protocol),
}

type Agreed = (Transport, Vec<(&'static str, HeaderValue)>);

impl Transport {
    fn agree(request: &Request<Incoming>, session: &Session) -> Result<Agreed, &'static str> {
        if let Some(agreed) = websocket::handshake(request, session) {
            return agreed.map(|(carried, headers)| (Transport::WebSocket(carried), headers));
        }
        let upgrade = request.headers().get(UPGRADE).map(HeaderValue::as_bytes).unwrap_or_default();
        if !upgrade.eq_ignore_ascii_case(SPDY.as_bytes()) {
            return Err("only WebSocket (v5, v4 and older channel.k8s.io protocols) and SPDY/3.1 are supported");
        }
        let (protocol, headers) = spdy::handshake(request.headers(), session)?;
        Ok((Transport::Spdy(protocol), headers))
    }

    fn name(self) -> &'static str {
        match self {
            Transport::WebSocket(_) => "websocket",
            Transport::Spdy(_) => SPDY,
        }
    }
}

/// Too many tokens wait to be used.
#[derive(Debug)]
pub(crate) struct TooMany;

fn plain(status: StatusCode, text: &str) -> Response<String> {
    let mut response = Response::new(text.to_owned());
    *response.status_mut() = status;
    response
}
