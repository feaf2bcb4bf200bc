//! One client of several API servers of the same cluster: requests go to the current one; when it is lost, to another.
//!
//! A server that refuses connections is noticed at once, one that falls silent or is not ready by [`Servers::look_after`].
//! Streams of a lost server end, so that their readers open them again elsewhere. Credentials can be replaced while clients
//! are in use.

use super::https::{Error, https_kept_alive};
use bytes::Bytes;
use futures::stream::FuturesUnordered;
use futures::{Stream, StreamExt as _};
use http::{Method, Request, Response};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, StreamBody};
use hyper_util::client::legacy;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use parking_lot::Mutex;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tower::{BoxError, service_fn};

/// Where there are several servers, a silent one is left within two seconds for one that answers: after two looks, since all
/// clients of a server that stands still for a moment would leave it at once.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const LOOK_MAX: Duration = Duration::from_millis(500);
const LOOKS: usize = 2;

#[derive(Clone)]
pub struct Servers(Arc<Mutex<Current>>);

struct Current {
    endpoints: Vec<Endpoint>,
    at: usize,
    /// Cancelled when the current server is given up.
    lost: CancellationToken,
}

struct Endpoint {
    url: String,
    client: kube::Client,
}

type Streamed = UnsyncBoxBody<Bytes, BoxError>;

/// What a request needs of the current server.
struct Turn {
    at: usize,
    client: kube::Client,
    lost: CancellationToken,
}

#[derive(Debug, thiserror::Error)]
#[error("the API server does not answer any more")]
struct Lost;

impl Servers {
    /// As the user of `kubeconfig`, at `urls`; at the kubeconfig's own server where there are none.
    pub async fn open(kubeconfig: &Kubeconfig, urls: &[String]) -> Result<Self, Error> {
        let endpoints = endpoints(kubeconfig, urls).await?;
        Ok(Self(Arc::new(Mutex::new(Current { endpoints, at: 0, lost: CancellationToken::new() }))))
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
        Turn { at: current.at, client: current.endpoints[current.at].client.clone(), lost: current.lost.clone() }
    }

    /// The servers beside that one, the next first.
    fn others(&self, at: usize) -> Vec<(usize, kube::Client)> {
        let current = self.0.lock();
        let count = current.endpoints.len();
        (1..count).map(|step| (at + step) % count).map(|to| (to, current.endpoints[to].client.clone())).collect()
    }

    /// Leaves the server at that place for another, if it is still the current one.
    fn leave(&self, at: usize, to: usize) {
        let mut current = self.0.lock();
        if current.at != at {
            return;
        }
        let (from, to_url) = (&current.endpoints[at].url, &current.endpoints[to].url);
        tracing::warn!(from, to = to_url, "API server lost; going on with another");
        current.at = to;
        std::mem::take(&mut current.lost).cancel();
    }

    async fn send(&self, request: Request<Body>) -> Result<Response<Streamed>, BoxError> {
        let again = (request.method() == Method::GET).then(|| head(&request).into_parts().0);
        let turn = self.turn();
        let failed = match turn.send(request).await {
            Ok(response) => return Ok(response),
            Err(error) => error,
        };
        if !is_connection(&failed) || self.others(turn.at).is_empty() {
            return Err(failed);
        }
        self.look().await;
        // A read changes nothing: it may be asked again. Who wrote must find out what became of it.
        match again {
            Some(parts) => self.turn().send(Request::from_parts(parts, Body::empty())).await,
            None => Err(failed),
        }
    }

    /// Asks the current server again and again whether it is ready, where there are others, until `drain`. One that does not
    /// say so is left for one that does: where all are slow, a change would only cost the streams that are open.
    pub async fn look_after(self, drain: CancellationToken) {
        if self.others(0).is_empty() {
            return drain.cancelled().await;
        }
        loop {
            tokio::select! {
                () = drain.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            self.look().await;
        }
    }

    /// Leaves the current server where it is not ready and another is.
    async fn look(&self) {
        let turn = self.turn();
        let others = self.others(turn.at);
        for _ in 0..LOOKS {
            if is_ready(&turn.client).await {
                return;
            }
        }
        let looks = others.into_iter().map(|(to, client)| async move { is_ready(&client).await.then_some(to) });
        let mut ready = looks.collect::<FuturesUnordered<_>>().filter_map(std::future::ready);
        if let Some(to) = ready.next().await {
            self.leave(turn.at, to);
        }
    }
}

/// A server that cannot reach its store, or is about to stop, is of no use where there are others.
async fn is_ready(client: &kube::Client) -> bool {
    let look = Request::get("/readyz").body(Body::empty()).expect("the request is well-formed");
    tokio::time::timeout(LOOK_MAX, client.send(look))
        .await
        .is_ok_and(|answer| answer.is_ok_and(|it| it.status().is_success()))
}

impl Turn {
    async fn send(&self, request: Request<Body>) -> Result<Response<Streamed>, BoxError> {
        let answered = tokio::select! {
            answered = self.client.send(request) => answered,
            () = self.lost.cancelled() => return Err(Lost.into()),
        };
        let (parts, body) = answered?.into_parts();
        let stream = StreamBody::new(frames(body, self.lost.clone())).boxed_unsync();
        Ok(Response::from_parts(parts, stream))
    }
}

/// The frames of a body; an error as soon as its server is lost, so that what is cut off does not look complete.
fn frames(body: Body, lost: CancellationToken) -> impl Stream<Item = Result<Frame<Bytes>, BoxError>> + Send {
    futures::stream::unfold(Some((body, lost)), |state| async move {
        let (mut body, lost) = state?;
        let frame = tokio::select! {
            frame = body.frame() => frame?.map_err(BoxError::from),
            () = lost.cancelled() => Err(Lost.into()),
        };
        let next = frame.is_ok().then_some((body, lost));
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

/// Whether it is about the way to the server: neither an answer nor what this process could not make of the request.
fn is_connection(error: &BoxError) -> bool {
    let chain =
        std::iter::successors(Some(error.as_ref() as &(dyn std::error::Error + 'static)), |error| error.source());
    chain.into_iter().any(|error| error.is::<legacy::Error>() || error.is::<Lost>())
}

async fn endpoints(kubeconfig: &Kubeconfig, urls: &[String]) -> Result<Vec<Endpoint>, Error> {
    let own = || kubeconfig.clusters.first().and_then(|named| named.cluster.as_ref()?.server.clone());
    let urls: Vec<String> = if urls.is_empty() { own().into_iter().collect() } else { urls.to_vec() };
    let mut endpoints = Vec::new();
    for url in urls {
        let failed = |source| Error::Kubeconfig { path: PathBuf::from(&url), source: Box::new(source) };
        let mut kubeconfig = kubeconfig.clone();
        for named in &mut kubeconfig.clusters {
            let cluster = named.cluster.get_or_insert_default();
            cluster.server = Some(url.clone());
            if let Some(url) = cluster.proxy_url.take() {
                return Err(Error::Proxy { url });
            }
        }
        let options = KubeConfigOptions::default();
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(failed)?;
        endpoints.push(Endpoint { client: https_kept_alive(config)?, url });
    }
    if endpoints.is_empty() { Err(Error::NoServer) } else { Ok(endpoints) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::task::JoinSet;

    /// A server that answers everything with one code, or nothing.
    struct Server {
        url: String,
        asked: Arc<AtomicUsize>,
        _works: JoinSet<()>,
    }

    async fn server(code: Option<u16>) -> Server {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let mut works = JoinSet::new();
        works.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let count = Arc::clone(&count);
                let answer = service_fn(move |_| {
                    count.fetch_add(1, Ordering::Relaxed);
                    async move {
                        match code {
                            Some(code) => Response::builder().status(code).body(String::new()),
                            None => std::future::pending().await,
                        }
                    }
                });
                connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
            }
        });
        Server { url, asked, _works: works }
    }

    async fn servers(servers: &[&Server]) -> Servers {
        let kubeconfig = "clusters: [{name: a, cluster: {}}]\ncontexts: [{name: a, context: {cluster: a}}]\n\
                          current-context: a\n";
        let urls: Vec<String> = servers.iter().map(|server| server.url.clone()).collect();
        Servers::open(&Kubeconfig::from_yaml(kubeconfig).unwrap(), &urls).await.unwrap()
    }

    #[tokio::test]
    async fn a_silent_server_is_left_for_one_that_is_ready_and_for_no_other() {
        let (silent, unready, ready) = (server(None).await, server(Some(500)).await, server(Some(200)).await);
        let all = servers(&[&silent, &unready, &ready]).await;
        let waiting = all.turn().lost;
        all.look().await;
        assert_eq!(all.turn().at, 2);
        assert!(waiting.is_cancelled(), "streams of a lost server end");

        let none = servers(&[&silent, &unready]).await;
        let waiting = none.turn().lost;
        none.look().await;
        assert_eq!(none.turn().at, 0);
        assert!(!waiting.is_cancelled(), "nothing is better elsewhere");
    }

    #[tokio::test]
    async fn a_server_that_is_gone_is_left_for_one_that_is_ready_and_not_for_the_next() {
        let (unready, ready) = (server(Some(500)).await, server(Some(200)).await);
        let gone = Server { url: "http://127.0.0.1:1".to_owned(), asked: Arc::default(), _works: JoinSet::new() };
        let all = servers(&[&gone, &unready, &ready]).await;
        let read = || Request::get("/api").body(Vec::new()).unwrap();
        all.client().request_text(read()).await.unwrap();
        assert_eq!(all.turn().at, 2);
        let none = servers(&[&gone, &unready]).await;
        assert!(none.client().request_text(read()).await.is_err());
        assert_eq!(none.turn().at, 0);
    }

    #[tokio::test]
    async fn what_may_have_happened_is_not_asked_again() {
        for code in [429, 503, 504] {
            let (asked, other) = (server(Some(code)).await, server(Some(200)).await);
            let request = Request::post("/api/v1/namespaces").body(Vec::new()).unwrap();
            let answer = servers(&[&asked, &other]).await.client().request_text(request).await;
            assert!(answer.is_err(), "{answer:?}");
            assert_eq!((asked.asked.load(Ordering::Relaxed), other.asked.load(Ordering::Relaxed)), (1, 0), "{code}");
        }
    }
}
