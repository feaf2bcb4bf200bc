//! Leader election by a Lease: at most one of several replicas works. The decision is pure ([`Election`]); [`lead`] is
//! the shell around it.

mod election;

pub use election::{Election, Patience, Step, Timing};

use crate::action::Resource;
use crate::clock::Clock;
use crate::wire::{self, WireError};
use http::Method;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

/// Which lease, and as whom.
#[derive(Clone, Debug)]
pub struct Config {
    /// `kube-system`
    pub ns: String,
    /// `kube-scheduler`
    pub name: String,
    /// Unique among the replicas, such as the host's name and a random part.
    pub identity: String,
    pub timing: Timing,
    /// Clones share it.
    pub patience: Patience,
}

impl Config {
    /// A lease of the control plane's, in `kube-system`.
    pub fn new(name: &str, identity: String, timing: Timing) -> Self {
        let (ns, name) = ("kube-system".to_owned(), name.to_owned());
        Self { ns, name, identity, timing, patience: Patience::default() }
    }
}

#[derive(Debug, Error)]
pub enum Error {
    #[error("lost the lease {ns}/{name}: it could not be renewed in time")]
    Lost { ns: String, name: String },
}

/// Answers to one attempt on the lease.
enum Attempt {
    Leading,
    Following {
        /// When there may be more to it, where that is known.
        expires_in: Option<Duration>,
    },
}

pub struct LeaderElector {
    config: Config,
    client: kube::Client,
    clock: Arc<dyn Clock>,
    election: Election,
    /// The lease as this replica wrote it last; `None` where somebody may have written since.
    kept: Option<Lease>,
}

impl LeaderElector {
    pub fn new(config: Config, client: kube::Client, clock: Arc<dyn Clock>) -> Self {
        let election = Election::new(&config.identity, config.timing, config.patience.clone());
        Self { config, client, clock, election, kept: None }
    }

    /// Waits for the lease, then runs `work` for as long as it is held. The token that `work` gets is cancelled at the
    /// drain and when the lease is lost. On a drain the lease is given back, so that another replica takes over at once.
    /// `Ok(None)` when drained before ever leading.
    pub async fn lead<T, W>(
        mut self,
        drain: CancellationToken,
        work: impl FnOnce(CancellationToken) -> W,
    ) -> Result<Option<T>, Error>
    where
        W: Future<Output = T>,
    {
        tokio::select! {
            () = drain.cancelled() => return Ok(None),
            () = self.acquire() => {}
        }
        tracing::info!(ns = self.config.ns, name = self.config.name, identity = self.config.identity, "leading");
        let leading = drain.child_token();
        let work = work(leading.clone());
        tokio::pin!(work);
        let outcome = tokio::select! {
            outcome = &mut work => outcome,
            () = self.keep() => {
                leading.cancel();
                work.await;
                self.config.patience.grow();
                return Err(Error::Lost { ns: self.config.ns, name: self.config.name });
            }
        };
        self.release().await;
        Ok(Some(outcome))
    }

    async fn acquire(&mut self) {
        loop {
            let expires_in = match self.attempt().await {
                Ok(Attempt::Leading) => return,
                Ok(Attempt::Following { expires_in }) => expires_in,
                Err(error) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "cannot try for the lease");
                    None
                }
            };
            // Not a moment later than it may be had: nobody does the work meanwhile.
            let pause = self.config.timing.retry_after(rand::random());
            tokio::time::sleep(expires_in.map_or(pause, |left| pause.min(left))).await;
        }
    }

    /// Renews until that fails for longer than the renew deadline: an attempt takes no longer than what is left of it.
    async fn keep(&mut self) {
        let mut renewed = self.clock.now();
        loop {
            tokio::time::sleep(self.config.timing.retry.min(self.left(renewed))).await;
            let (began, left) = (self.clock.now(), self.left(renewed));
            if left.is_zero() {
                return;
            }
            match tokio::time::timeout(left, self.attempt()).await {
                // What the others count from lies after the beginning.
                Ok(Ok(Attempt::Leading)) => renewed = began,
                Ok(Ok(Attempt::Following { .. })) => return, // somebody else took it
                Ok(Err(error)) => tracing::debug!(error = &error as &dyn std::error::Error, "cannot renew the lease"),
                Err(_) => tracing::debug!("renewing the lease takes too long"),
            }
        }
    }

    /// Until the deadline of a lease that was renewed then.
    fn left(&self, renewed: Timestamp) -> Duration {
        let passed = self.clock.now().duration_since(renewed).unsigned_abs();
        self.election.renew_deadline().saturating_sub(passed)
    }

    /// Who leads takes the lease to be as it left it, so that a renewal is one request, and looks at it where that is refused.
    /// k8s: client-go/tools/leaderelection, tryAcquireOrRenew
    async fn attempt(&mut self) -> Result<Attempt, WireError> {
        if let Some(kept) = self.kept.take() {
            match self.attempt_on(Some(&kept)).await {
                Ok(Attempt::Following { .. }) | Err(WireError::Api(_)) => {}
                other => return other,
            }
        }
        let held = self.get().await?;
        self.attempt_on(held.as_ref()).await
    }

    async fn attempt_on(&mut self, held: Option<&Lease>) -> Result<Attempt, WireError> {
        self.kept = match self.election.step(held, self.clock.now()) {
            Step::Wait(left) => return Ok(Attempt::Following { expires_in: Some(left) }),
            Step::Create(lease) => self.write(Method::POST, "", &lease).await?,
            Step::Update(lease) => self.write(Method::PUT, &self.config.name, &lease).await?,
        };
        Ok(if self.kept.is_some() { Attempt::Leading } else { Attempt::Following { expires_in: None } })
    }

    async fn get(&self) -> Result<Option<Lease>, WireError> {
        let uri = wire::path(&Resource::of::<Lease>(), &self.config.ns, &self.config.name, "");
        match wire::call(&self.client, Method::GET, &uri, wire::JSON, None).await {
            Ok(body) => wire::decode(&body, "a Lease").map(Some),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The lease as it is then; `None` where somebody was faster.
    async fn write(&self, method: Method, name: &str, lease: &Lease) -> Result<Option<Lease>, WireError> {
        let mut lease = lease.clone();
        lease.metadata.name = Some(self.config.name.clone());
        lease.metadata.namespace = Some(self.config.ns.clone());
        let uri = wire::path(&Resource::of::<Lease>(), &self.config.ns, name, "");
        let body = serde_json::to_vec(&lease).expect("a Lease can always be written");
        match wire::call(&self.client, method, &uri, wire::JSON, Some((wire::JSON, body))).await {
            Ok(body) => wire::decode(&body, "a Lease").map(Some),
            Err(WireError::Api(status)) if status.code == 409 => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn release(&mut self) {
        let deadline = self.config.timing.retry;
        let given_back = async {
            let Some(held) = self.get().await? else { return Ok(()) };
            let Some(lease) = self.election.release(&held, self.clock.now()) else { return Ok(()) };
            self.write(Method::PUT, &self.config.name, &lease).await.map(drop)
        };
        match tokio::time::timeout(deadline, given_back).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                let error: &WireError = &error;
                tracing::warn!(error = error as &dyn std::error::Error, "lease not given back; it will expire");
            }
            Err(_) => tracing::warn!("giving the lease back takes too long; it will expire"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use kube::client::Body;
    use parking_lot::Mutex;
    use std::convert::Infallible;

    /// Milliseconds since the epoch: one for each look at the clock, the last of them for ever.
    struct Script(Mutex<Vec<i64>>);

    impl Clock for Script {
        fn now(&self) -> Timestamp {
            let mut script = self.0.lock();
            let now = if script.len() > 1 { script.remove(0) } else { script[0] };
            Timestamp::from_millisecond(now).unwrap()
        }
    }

    #[tokio::test]
    async fn a_lease_is_taken_at_the_moment_when_it_expires() {
        let theirs = Election::new("a", Timing::default(), Patience::default()).step(None, SystemClock.now());
        let Step::Create(mut held) = theirs else { panic!("there was no lease") };
        held.spec.as_mut().unwrap().lease_duration_seconds = Some(1);
        let held = serde_json::to_vec(&held).unwrap();
        let api = tower::service_fn(move |_: http::Request<Body>| {
            std::future::ready(Ok::<_, Infallible>(http::Response::new(Body::from(held.clone()))))
        });
        let never = Duration::from_hours(1);
        let config = Config::new("b", "c".to_owned(), Timing { retry: never, ..Timing::default() });
        let mut elector = LeaderElector::new(config, kube::Client::new(api, "default"), Arc::new(SystemClock));
        tokio::time::timeout(Duration::from_secs(30), elector.acquire()).await.expect("the lease is taken");
    }

    #[tokio::test]
    async fn an_attempt_to_renew_takes_no_longer_than_what_is_left_of_the_deadline() {
        let silent = tower::service_fn(|_: http::Request<Body>| {
            std::future::pending::<Result<http::Response<Body>, Infallible>>()
        });
        let client = kube::Client::new(silent, "default");
        let (day, hour) = (Duration::from_hours(24), Duration::from_hours(1));
        let timing = Timing { duration: day, renew_deadline: hour, retry: Duration::from_millis(1) };
        let config = Config::new("b", "c".to_owned(), timing);
        // Ten milliseconds are left when the attempt begins, and none when it has failed.
        let (nearly, over) = (3_599_990, 3_600_000);
        let clock = Arc::new(Script(Mutex::new(vec![0, 0, nearly, nearly, over])));
        let mut elector = LeaderElector::new(config, client, clock);
        tokio::time::timeout(Duration::from_secs(30), elector.keep()).await.expect("the lease is given up");
    }

    /// A server that has one lease, and remembers how it was asked for it.
    #[derive(Default)]
    struct Server {
        lease: Option<Lease>,
        revision: u64,
        asked: Vec<Method>,
    }

    impl Server {
        fn answer(&mut self, method: &Method, sent: &[u8]) -> (u16, Vec<u8>) {
            self.asked.push(method.clone());
            let held = self.lease.as_ref();
            if *method == Method::GET {
                return held.map_or((404, Vec::new()), |lease| (200, serde_json::to_vec(lease).unwrap()));
            }
            let mut lease: Lease = serde_json::from_slice(sent).unwrap();
            let revision = |lease: &Lease| lease.metadata.resource_version.clone();
            match held {
                None if *method == Method::PUT => return (404, Vec::new()),
                Some(held) if revision(held) != revision(&lease) => return (409, Vec::new()),
                None | Some(_) => {}
            }
            self.revision += 1;
            lease.metadata.resource_version = Some(self.revision.to_string());
            self.lease = Some(lease.clone());
            (200, serde_json::to_vec(&lease).unwrap())
        }

        fn asked(&mut self) -> String {
            let asked = std::mem::take(&mut self.asked);
            asked.iter().map(Method::as_str).collect::<Vec<_>>().join(" ")
        }
    }

    fn elector(identity: &str, server: &Arc<Mutex<Server>>) -> LeaderElector {
        let server = Arc::clone(server);
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let server = Arc::clone(&server);
            async move {
                let (parts, body) = request.into_parts();
                let sent = body.collect_bytes().await.unwrap();
                let (code, answer) = server.lock().answer(&parts.method, &sent);
                let response = http::Response::builder().status(code).body(Body::from(answer)).unwrap();
                Ok::<_, Infallible>(response)
            }
        });
        let config = Config::new("l", identity.to_owned(), Timing::default());
        LeaderElector::new(config, kube::Client::new(service, "default"), Arc::new(SystemClock))
    }

    #[tokio::test]
    async fn who_leads_renews_without_a_look_and_looks_where_that_is_refused() {
        let server: Arc<Mutex<Server>> = Arc::default();
        let (mut a, mut b) = (elector("a", &server), elector("b", &server));
        assert!(matches!(a.attempt().await, Ok(Attempt::Leading)));
        assert!(matches!(b.attempt().await, Ok(Attempt::Following { .. })));
        assert_eq!(server.lock().asked(), "GET POST GET");
        for _ in 0..2 {
            assert!(matches!(a.attempt().await, Ok(Attempt::Leading)));
        }
        assert_eq!(server.lock().asked(), "PUT PUT");

        // Its own write, whose answer got lost: the lease is still its own.
        server.lock().lease.as_mut().unwrap().metadata.resource_version = Some("7".to_owned());
        assert!(matches!(a.attempt().await, Ok(Attempt::Leading)));
        assert_eq!(server.lock().asked(), "PUT GET PUT");

        server.lock().lease = None;
        assert!(matches!(a.attempt().await, Ok(Attempt::Leading)));
        assert_eq!(server.lock().asked(), "PUT GET POST");

        let taken = &mut server.lock().lease.clone().unwrap();
        taken.metadata.resource_version = Some("9".to_owned());
        taken.spec.as_mut().unwrap().holder_identity = Some("b".to_owned());
        server.lock().lease = Some(taken.clone());
        assert!(matches!(a.attempt().await, Ok(Attempt::Following { .. })));
        assert!(matches!(a.attempt().await, Ok(Attempt::Following { .. })));
        assert_eq!(server.lock().asked(), "PUT GET GET");
    }
}
