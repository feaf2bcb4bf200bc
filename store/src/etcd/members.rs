//! The members of an etcd cluster as one channel. A request goes to a member that is connected, to that with the fewest
//! requests under way; one that never left this process goes to another. etcd's own clients do so, tonic's balancer does not:
//! it also asks members that are down.

use etcd_client::{BalancedChannelBuilder, Channel};
use futures::future::BoxFuture;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Full};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::transport::Endpoint;
use tonic::transport::channel::Change;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Service, ServiceExt as _};

/// A member that could not be used is left alone for so long.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How long a request waits for a member that can be used.
const MEMBER_WITHIN: Duration = Duration::from_secs(5);
/// The header and the code by which a member says that it cannot serve, such as one without a leader.
/// gRPC: doc/statuscodes.md
const STATUS: &str = "grpc-status";
const UNAVAILABLE: &str = "14";
/// Bodies of these are streams that go on; all others are one message.
const STREAMS: &str = "/etcdserverpb.Watch/";

pub(super) struct Members;

impl BalancedChannelBuilder for Members {
    type Error = tonic::transport::Error;

    fn balanced_channel(
        self,
        buffer: usize,
    ) -> Result<(Channel, mpsc::Sender<Change<Uri, Endpoint>>), tonic::transport::Error> {
        let (updates, mut changes) = mpsc::channel(buffer);
        let ready = Arc::new(Ready::default());
        let known = Arc::clone(&ready);
        let mut keeper = JoinSet::new();
        keeper.spawn(async move {
            let mut keepers = JoinSet::new();
            while let Some(change) = changes.recv().await {
                match change {
                    Change::Insert(_, endpoint) => drop(keepers.spawn(keep(Arc::clone(&known), endpoint))),
                    Change::Remove(uri) => tracing::warn!(%uri, "a member of etcd stays in use until the next start"),
                }
            }
        });
        let balanced = Balanced { ready, _keeper: Arc::new(keeper) };
        Ok((Channel::Custom(BoxCloneSyncService::new(balanced)), updates))
    }
}

/// Connects to a member whenever it is not connected.
async fn keep(ready: Arc<Ready>, endpoint: Endpoint) {
    loop {
        match endpoint.connect().await {
            Ok(channel) => {
                let member =
                    Arc::new(Member { channel, under_way: AtomicUsize::new(0), lost: CancellationToken::new() });
                ready.add(&member);
                member.lost.cancelled().await;
                ready.remove(&member);
            }
            Err(error) => {
                tracing::debug!(uri = %endpoint.uri(), %error, "a member of etcd cannot be reached");
            }
        }
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

/// The members that are connected.
#[derive(Default)]
struct Ready {
    members: Mutex<Vec<Arc<Member>>>,
    added: Notify,
}

struct Member {
    channel: tonic::transport::Channel,
    under_way: AtomicUsize,
    /// Cancelled when it cannot be used any more.
    lost: CancellationToken,
}

#[derive(Debug, thiserror::Error)]
#[error("no member of etcd could be reached within {MEMBER_WITHIN:?}")]
struct NoMember;

impl Ready {
    fn add(&self, member: &Arc<Member>) {
        self.members.lock().push(Arc::clone(member));
        self.added.notify_waiters();
    }

    fn remove(&self, member: &Arc<Member>) {
        self.members.lock().retain(|other| !Arc::ptr_eq(other, member));
    }

    fn least_busy(&self) -> Option<Arc<Member>> {
        let mut members = self.members.lock();
        // The next request of equals goes to another.
        if !members.is_empty() {
            members.rotate_left(1);
        }
        let usable = members.iter().filter(|member| !member.lost.is_cancelled());
        usable.min_by_key(|member| member.under_way.load(Ordering::Relaxed)).cloned()
    }

    async fn member(&self) -> Result<Arc<Member>, NoMember> {
        let wait = async {
            loop {
                // Before the look: what comes between is noticed.
                let added = self.added.notified();
                match self.least_busy() {
                    Some(member) => return member,
                    None => added.await,
                }
            }
        };
        tokio::time::timeout(MEMBER_WITHIN, wait).await.map_err(|_| NoMember)
    }
}

impl Member {
    async fn send(&self, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let _busy = Busy::new(&self.under_way);
        let answered = self.channel.clone().oneshot(request).await;
        let unusable = match &answered {
            Ok(response) => response.headers().get(STATUS).is_some_and(|status| status == UNAVAILABLE),
            Err(_) => true,
        };
        if unusable {
            self.lost.cancel();
        }
        Ok(answered?)
    }
}

struct Busy<'a>(&'a AtomicUsize);

impl<'a> Busy<'a> {
    fn new(under_way: &'a AtomicUsize) -> Self {
        under_way.fetch_add(1, Ordering::Relaxed);
        Self(under_way)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Clone)]
struct Balanced {
    ready: Arc<Ready>,
    /// Connects to the members; ends with the last clone.
    _keeper: Arc<JoinSet<()>>,
}

impl Service<Request<Body>> for Balanced {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let ready = Arc::clone(&self.ready);
        Box::pin(async move {
            if request.uri().path().starts_with(STREAMS) {
                return ready.member().await?.send(request).await;
            }
            let (parts, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            loop {
                let again = Request::from_parts(parts.clone(), Body::new(Full::new(body.clone())));
                match ready.member().await?.send(again).await {
                    Err(error) if is_unsent(error.as_ref()) => {}
                    outcome => return outcome,
                }
            }
        })
    }
}

/// Whether there was no connection to send it on.
fn is_unsent(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source()).any(<dyn std::error::Error>::is::<tonic::ConnectError>)
}
