//! One client of several API servers of the same cluster: requests go to the current one; when it is lost, to the next.
//!
//! A server that refuses connections is noticed at once, one that falls silent or is not ready by [`Servers::look_after`].
//! Streams of a lost server end, so that their readers open them again elsewhere. Credentials can be replaced while clients
//! are in use.

use super::https::{Error, https_from};
use bytes::Bytes;
use futures::Stream;
use http::{Method, Request, Response};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, StreamBody};
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use parking_lot::Mutex;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tower::{BoxError, service_fn};

/// A server that does not take a connection for so long is lost; the kernel alone would try for minutes.
const CONNECT_MAX: Duration = Duration::from_secs(2);
/// Where there are several servers, a silent one is left within about two seconds.
const LOOK_EVERY_SEVERAL: Duration = Duration::from_secs(1);
const LOOK_MAX_SEVERAL: Duration = Duration::from_millis(900);
const MISSES_MAX_SEVERAL: u32 = 1;
/// The only server may be slow for a while: cutting its streams would make that worse.
const LOOK_EVERY_ONE: Duration = Duration::from_secs(3);
const LOOK_MAX_ONE: Duration = Duration::from_secs(3);
const MISSES_MAX_ONE: u32 = 10;

#[derive(Clone)]
pub struct Servers(Arc<Mutex<Current>>);

struct Current {
    endpoints: Vec<Endpoint>,
    at: usize,
    /// Cancelled when the current server is given up.
    lost: CancellationToken,
    /// A part of it: cancelled when the connections are given up that requests to the current server take now.
    cut: CancellationToken,
}

impl Current {
    fn new(endpoints: Vec<Endpoint>) -> Self {
        let lost = CancellationToken::new();
        Self { endpoints, at: 0, cut: lost.child_token(), lost }
    }
}

#[derive(Clone)]
struct Endpoint {
    url: String,
    config: kube::Config,
    client: kube::Client,
}

type Streamed = UnsyncBoxBody<Bytes, BoxError>;

/// What a request needs of the current server.
struct Turn {
    at: usize,
    client: kube::Client,
    /// See [`Current::cut`].
    cut: CancellationToken,
}

#[derive(Debug, thiserror::Error)]
#[error("the API server does not answer any more")]
struct Lost;

impl Servers {
    /// As the user of `kubeconfig`, at `urls`; at the kubeconfig's own server where there are none.
    pub async fn open(kubeconfig: &Kubeconfig, urls: &[String]) -> Result<Self, Error> {
        let endpoints = endpoints(kubeconfig, urls).await?;
        Ok(Self(Arc::new(Mutex::new(Current::new(endpoints)))))
    }

    /// Goes on with other credentials; streams that are open stay so.
    pub async fn replace(&self, kubeconfig: &Kubeconfig, urls: &[String]) -> Result<(), Error> {
        let endpoints = endpoints(kubeconfig, urls).await?;
        let mut current = self.0.lock();
        current.at %= endpoints.len();
        current.endpoints = endpoints;
        Ok(())
    }

    pub fn client(&self) -> kube::Client {
        let servers = self.clone();
        let send = move |request: Request<Body>| {
            let servers = servers.clone();
            async move { servers.send(request).await }
        };
        kube::Client::new(service_fn(send), "default")
    }

    fn turn(&self) -> Turn {
        let current = self.0.lock();
        Turn { at: current.at, client: current.endpoints[current.at].client.clone(), cut: current.cut.clone() }
    }

    fn several(&self) -> bool {
        self.0.lock().endpoints.len() > 1
    }

    /// Leaves the server at that place, if it is still the current one.
    fn leave(&self, at: usize, why: &dyn std::fmt::Display) {
        let mut current = self.0.lock();
        if current.at != at {
            return;
        }
        let (from, count) = (current.endpoints[at].url.clone(), current.endpoints.len());
        current.at = (at + 1) % count;
        if count > 1 {
            tracing::warn!(from, to = current.endpoints[current.at].url, %why, "API server lost; going on with another");
        }
        std::mem::take(&mut current.lost).cancel();
        current.cut = current.lost.child_token();
    }

    /// New requests to the server of that turn take new connections. One to a machine that lost its power looks alive until the
    /// kernel, which waits twice as long each time, asks it again; that of a watch, which sends nothing, for ever.
    fn reconnect(&self, turn: &Turn) {
        let mut current = self.0.lock();
        if current.at != turn.at {
            return;
        }
        let endpoint = &mut current.endpoints[turn.at];
        match https_from(endpoint.config.clone()) {
            Ok(client) => endpoint.client = client,
            Err(error) => tracing::warn!(url = endpoint.url, %error, "cannot connect anew to an API server"),
        }
        current.cut = current.lost.child_token();
    }

    async fn send(&self, request: Request<Body>) -> Result<Response<Streamed>, BoxError> {
        let again = (request.method() == Method::GET).then(|| head(&request).into_parts().0);
        let turn = self.turn();
        let failed = match turn.send(request).await {
            Ok(response) => return Ok(response),
            Err(error) => error,
        };
        if !self.several() || !is_transport(&failed) {
            return Err(failed);
        }
        self.leave(turn.at, &failed);
        // A read changes nothing: it may be asked of the next server. Who wrote must find out what became of it.
        match again {
            Some(parts) => self.turn().send(Request::from_parts(parts, Body::empty())).await,
            None => Err(failed),
        }
    }

    /// Asks the current server again and again whether it is there and, where there are others, ready; until `drain`.
    pub async fn look_after(self, drain: CancellationToken) {
        let mut misses = 0;
        let mut doubted: Vec<CancellationToken> = Vec::new();
        loop {
            // A server that is there and cannot reach its store, or is about to stop, is of no use where there are others.
            let (path, every, limit, misses_max) = if self.several() {
                ("/readyz", LOOK_EVERY_SEVERAL, LOOK_MAX_SEVERAL, MISSES_MAX_SEVERAL)
            } else {
                ("/livez", LOOK_EVERY_ONE, LOOK_MAX_ONE, MISSES_MAX_ONE)
            };
            tokio::select! {
                () = drain.cancelled() => return,
                () = tokio::time::sleep(every) => {}
            }
            let turn = self.turn();
            let at = turn.at;
            match tokio::time::timeout(limit, turn.client.send(look(path))).await {
                // Of the only one any answer will do.
                Ok(Ok(answer)) if answer.status().is_success() || !self.several() => {
                    misses = 0;
                    // It is there, and may have begun anew: nothing tells which of the older connections still lead to it, so
                    // that what waits on them asks again.
                    doubted.drain(..).for_each(|older| older.cancel());
                }
                Ok(Ok(_)) => misses += 1,
                Ok(Err(_)) | Err(_) => {
                    misses += 1;
                    self.reconnect(&turn);
                    doubted.push(turn.cut);
                }
            }
            if misses > misses_max {
                misses = 0;
                self.leave(at, &Lost);
            }
        }
    }
}

fn look(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).expect("the request is well-formed")
}

impl Turn {
    async fn send(&self, request: Request<Body>) -> Result<Response<Streamed>, BoxError> {
        let answered = tokio::select! {
            answered = self.client.send(request) => answered,
            () = self.cut.cancelled() => return Err(Lost.into()),
        };
        let (parts, body) = answered?.into_parts();
        let stream = StreamBody::new(frames(body, self.cut.clone())).boxed_unsync();
        Ok(Response::from_parts(parts, stream))
    }
}

/// The frames of a body; an error as soon as its server is lost, so that what is cut off does not look complete.
fn frames(body: Body, cut: CancellationToken) -> impl Stream<Item = Result<Frame<Bytes>, BoxError>> + Send {
    futures::stream::unfold(Some((body, cut)), |state| async move {
        let (mut body, cut) = state?;
        let frame = tokio::select! {
            frame = body.frame() => frame?.map_err(BoxError::from),
            () = cut.cancelled() => Err(Lost.into()),
        };
        let next = frame.is_ok().then_some((body, cut));
        Some((frame, next))
    })
}

fn head(request: &Request<Body>) -> Request<()> {
    let mut copy = Request::new(());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}

/// Whether no answer came at all: a Status is an answer.
fn is_transport(error: &BoxError) -> bool {
    !matches!(error.downcast_ref::<kube::Error>(), Some(kube::Error::Api(_)))
}

async fn endpoints(kubeconfig: &Kubeconfig, urls: &[String]) -> Result<Vec<Endpoint>, Error> {
    let own = || kubeconfig.clusters.first().and_then(|named| named.cluster.as_ref()?.server.clone());
    let urls: Vec<String> = if urls.is_empty() { own().into_iter().collect() } else { urls.to_vec() };
    let mut endpoints = Vec::new();
    for url in urls {
        let failed = |source| Error::Kubeconfig { path: PathBuf::from(&url), source: Box::new(source) };
        let mut kubeconfig = kubeconfig.clone();
        for named in &mut kubeconfig.clusters {
            named.cluster.get_or_insert_default().server = Some(url.clone());
        }
        let options = KubeConfigOptions::default();
        let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(failed)?;
        config.connect_timeout = Some(CONNECT_MAX);
        endpoints.push(Endpoint { client: https_from(config.clone())?, config, url });
    }
    if endpoints.is_empty() { Err(Error::NoServer) } else { Ok(endpoints) }
}
