//! Passes a request on to an endpoint of its backend, and the answer back. Another endpoint is tried only where no
//! connection came about: what a backend may have begun to do is not done twice.

use crate::Routes;
use crate::headers::{self, Origin};
use crate::serve::Seat;
use crate::table::{Backend, Protocol};
use crate::upload::{BoxError, Lender, Upload};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderValue, TE, UPGRADE};
use http::{Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A pod is a few milliseconds away; one that has gone answers nothing.
const CONNECT_MAX: Duration = Duration::from_secs(2);
/// Endpoints that are tried for one request; more only make a client wait longer for its error.
const TRIES_MAX: usize = 3;
/// How long a backend may take to begin its answer, once the request is sent.
const ANSWER_MAX: Duration = Duration::from_mins(1);
/// Connections that nothing was sent on for so long are closed; common servers wait longer, so that they do not close first.
const IDLE: Duration = Duration::from_secs(15);
/// Idle connections kept for an endpoint: enough for a burst to find some, few enough for small pods.
const IDLE_PER_ENDPOINT_MAX: usize = 32;
/// Heads of answers, as large as those of requests may be.
const HEAD_BYTES_MAX: usize = 64 << 10;

pub(crate) type Body = Either<Incoming, Full<Bytes>>;

/// How a request came, and the place that its connection takes.
pub(crate) struct Arrival {
    pub(crate) origin: Origin,
    pub(crate) seat: Arc<Seat>,
}

pub(crate) struct Forwarder {
    routes: Routes,
    http1: Client<HttpConnector, Upload>,
    h2c: Client<HttpConnector, Upload>,
    /// Counts requests: each begins with another endpoint than the one before.
    turn: AtomicUsize,
    tunnels: TaskTracker,
    drain: CancellationToken,
}

/// Why a request has no answer of a backend.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Malformed(&'static str),
    #[error("CONNECT is not for this server")]
    Connect,
    #[error("no rule matches this host and path")]
    NoRoute,
    #[error("no endpoint is ready")]
    NoEndpoint,
    #[error("no endpoint can be reached")]
    Unreachable(#[source] legacy::Error),
    #[error("the backend broke off")]
    Broken(#[source] legacy::Error),
    #[error("the backend took too long to answer")]
    Late,
    #[error("the backend switched to a protocol that nobody asked for")]
    Unasked,
}

impl Failure {
    fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Connect => StatusCode::METHOD_NOT_ALLOWED,
            Self::NoRoute => StatusCode::NOT_FOUND,
            Self::NoEndpoint => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unreachable(_) | Self::Broken(_) | Self::Unasked => StatusCode::BAD_GATEWAY,
            Self::Late => StatusCode::GATEWAY_TIMEOUT,
        }
    }
}

impl Forwarder {
    pub(crate) fn new(routes: Routes, drain: CancellationToken) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_MAX));
        connector.set_nodelay(true);
        let builder = || {
            let mut builder = Client::builder(TokioExecutor::new());
            builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE);
            builder.pool_max_idle_per_host(IDLE_PER_ENDPOINT_MAX).http1_max_buf_size(HEAD_BYTES_MAX);
            builder
        };
        let http1 = builder().build(connector.clone());
        let h2c = builder().http2_only(true).build(connector);
        Self { routes, http1, h2c, turn: AtomicUsize::new(0), tunnels: TaskTracker::new(), drain }
    }

    /// Returns when every upgraded connection has ended; they do at the drain.
    pub(crate) async fn closed(&self) {
        self.tunnels.close();
        self.tunnels.wait().await;
    }

    pub(crate) async fn answer(&self, request: Request<Incoming>, arrival: Arrival) -> Response<Body> {
        match self.forward(request, arrival).await {
            Ok(answer) => answer,
            Err(failure) => {
                tracing::debug!(error = &failure as &dyn std::error::Error, "no answer of a backend");
                refusal(&failure)
            }
        }
    }

    async fn forward(&self, mut request: Request<Incoming>, arrival: Arrival) -> Result<Response<Body>, Failure> {
        if request.method() == Method::CONNECT {
            return Err(Failure::Connect);
        }
        let authority = headers::authority(&request).map_err(Failure::Malformed)?;
        let path = request.uri().path();
        if !path.starts_with('/') {
            return Err(Failure::Malformed("the path must begin with a slash"));
        }
        let host = authority.as_ref().map(headers::host).unwrap_or_default();
        // Not held across an await: a new table takes the old one's place meanwhile.
        let backend = self.routes.borrow().table.route(&host, path).map(Arc::clone).ok_or(Failure::NoRoute)?;
        let upgrade = headers::upgrade(&request).filter(|_| backend.protocol == Protocol::Http1);
        let client = upgrade.as_ref().map(|_| hyper::upgrade::on(&mut request));
        let (mut head, body) = request.into_parts();
        let body = Lender::new(body);
        headers::towards_backend(&mut head.headers, authority.as_ref(), arrival.origin);
        // One length, the one that this server read by; where it was not told one, the body is sent in chunks.
        if head.headers.remove(CONTENT_LENGTH).is_some()
            && let Some(length) = body.length()
        {
            head.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        match backend.protocol {
            Protocol::Http1 => {
                head.version = Version::HTTP_11;
                head.headers.remove(TE);
            }
            Protocol::H2c => {
                head.version = Version::HTTP_2;
                head.headers.remove(HOST);
            }
        }
        if let Some(protocol) = upgrade {
            headers::switch(&mut head.headers, protocol);
        }
        let answer = self.ask(&backend, &head, &body).await?;
        self.passed_back(answer, client, arrival.seat)
    }

    /// One endpoint after the other, until a connection comes about.
    async fn ask(
        &self,
        backend: &Backend,
        head: &http::request::Parts,
        body: &Lender,
    ) -> Result<Response<Incoming>, Failure> {
        let client = match backend.protocol {
            Protocol::Http1 => &self.http1,
            Protocol::H2c => &self.h2c,
        };
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let mut failure = Failure::NoEndpoint;
        for endpoint in in_turn(&backend.endpoints, turn).take(TRIES_MAX) {
            let mut request = Request::new(body.lend());
            *request.method_mut() = head.method.clone();
            *request.version_mut() = head.version;
            *request.headers_mut() = head.headers.clone();
            *request.uri_mut() = towards(endpoint, &head.uri)?;
            match patiently(client.request(request), body).await? {
                Ok(answer) => return Ok(answer),
                Err(error) if error.is_connect() => {
                    tracing::debug!(%endpoint, backend = backend.name, "cannot connect");
                    failure = Failure::Unreachable(error);
                }
                Err(error) => return Err(Failure::Broken(error)),
            }
        }
        Err(failure)
    }

    fn passed_back(
        &self,
        mut answer: Response<Incoming>,
        client: Option<OnUpgrade>,
        seat: Arc<Seat>,
    ) -> Result<Response<Body>, Failure> {
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            headers::leave_hop(answer.headers_mut());
            return Ok(answer.map(Either::Left));
        }
        let Some(client) = client else { return Err(Failure::Unasked) };
        let backend = hyper::upgrade::on(&mut answer);
        let protocol = answer.headers().get(UPGRADE).cloned();
        headers::leave_hop(answer.headers_mut());
        if let Some(protocol) = protocol {
            headers::switch(answer.headers_mut(), protocol);
        }
        let drain = self.drain.clone();
        self.tunnels.spawn(async move {
            tokio::select! {
                () = drain.cancelled() => {}
                ended = tunnel(client, backend) => {
                    if let Err(error) = ended {
                        tracing::debug!(error = error.as_ref() as &dyn std::error::Error, "an upgraded connection ended");
                    }
                }
            }
            drop(seat);
        });
        Ok(answer.map(|_| Either::Right(Full::default())))
    }
}

/// All of them, beginning with another one each turn.
fn in_turn(endpoints: &[SocketAddr], turn: usize) -> impl Iterator<Item = SocketAddr> {
    let start = turn.checked_rem(endpoints.len()).unwrap_or_default();
    endpoints[start..].iter().chain(&endpoints[..start]).copied()
}

/// The same path and query, at an endpoint.
fn towards(endpoint: SocketAddr, uri: &Uri) -> Result<Uri, Failure> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let built = Uri::builder().scheme("http").authority(endpoint.to_string()).path_and_query(path).build();
    built.map_err(|_| Failure::Malformed("malformed path"))
}

/// Waits for the head of the answer, for as long as the upload goes on and a while after.
async fn patiently<T>(answer: impl Future<Output = T>, body: &Lender) -> Result<T, Failure> {
    let mut answer = std::pin::pin!(answer);
    loop {
        let before = body.frames();
        match tokio::time::timeout(ANSWER_MAX, &mut answer).await {
            Ok(answer) => return Ok(answer),
            Err(_) if body.frames() != before => {}
            Err(_) => return Err(Failure::Late),
        }
    }
}

async fn tunnel(client: OnUpgrade, backend: OnUpgrade) -> Result<(), BoxError> {
    let (client, backend) = tokio::try_join!(client, backend)?;
    tokio::io::copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(backend)).await?;
    Ok(())
}

fn refusal(failure: &Failure) -> Response<Body> {
    let status = failure.status();
    let text = format!("{status}: {failure}\n");
    let mut response = Response::new(Either::Right(Full::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_turn_begins_with_another_endpoint_and_has_them_all() {
        let endpoints: Vec<SocketAddr> = ["10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"].map(|a| a.parse().unwrap()).into();
        for (turn, first) in [(0, 0), (1, 1), (2, 2), (3, 0)] {
            let mut order: Vec<SocketAddr> = in_turn(&endpoints, turn).collect();
            assert_eq!(order[0], endpoints[first]);
            order.sort();
            assert_eq!(order, endpoints);
        }
        assert_eq!(in_turn(&[], 7).count(), 0);
    }

    #[test]
    fn the_path_and_the_query_stay_as_they_were_sent() {
        let at = "[fd00::1]:8080".parse().unwrap();
        let sent = "https://shop.example/a%2Fb/../c?q=%20&q".parse().unwrap();
        assert_eq!(towards(at, &sent).unwrap().to_string(), "http://[fd00::1]:8080/a%2Fb/../c?q=%20&q");
    }
}
