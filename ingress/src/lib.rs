//! The Ingress controller: HTTP and HTTPS from outside to the Services that Ingresses name.
//!
//! `compile` (API objects to a routing table), `table` (what a host and a path lead to), `certificate` and `headers` are
//! pure; `program` keeps the table as the caches are, `serve` takes connections, `forward` passes their requests on,
//! `publish` tells the cluster: a class, addresses in statuses, events. A new table takes the old one's place at once;
//! connections live on.
#![forbid(unsafe_code)]

pub mod certificate;
pub mod compile;
mod forward;
mod headers;
mod program;
mod publish;
mod serve;
pub mod table;
mod upload;

use client::cache::Caches;
use client::clock::Clock;
use client::events::Recorder;
use compile::Compiled;
use forward::Forwarder;
use serve::Doors;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

#[derive(Clone, Debug)]
pub struct Config {
    pub http: SocketAddr,
    pub https: SocketAddr,
    /// What Ingresses say in their statuses: where this controller is reached. Several controllers must agree.
    pub addresses: Vec<IpAddr>,
    /// Tells this controller's events from those of others: the host's name.
    pub instance: String,
}

pub struct Deps {
    pub client: kube::Client,
    pub clock: Arc<dyn Clock>,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot listen on {address} for Ingresses (choose another port)")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("cannot set up TLS for Ingresses")]
    Tls(#[source] rustls::Error),
}

/// What requests are served by now.
pub(crate) type Routes = watch::Receiver<Arc<Compiled>>;

/// Serves until drained; then open requests may end, for a bounded time.
pub async fn run(config: Config, deps: Deps, drain: CancellationToken) -> Result<(), Error> {
    let (publisher, routes) = watch::channel(Arc::new(Compiled::default()));
    let doors = Doors::open(&config, &routes).await?;
    let tracker = TaskTracker::new();
    let Deps { client, clock } = deps;
    let mut builder = Caches::builder(client.clone(), Arc::clone(&clock));
    compile::watches(&mut builder);
    let caches = builder.start(&tracker, drain.clone());
    let recorder =
        Recorder::start(client.clone(), "ingress-controller", &config.instance, clock, &tracker, drain.clone());
    let work = async {
        tokio::join!(
            publish::class(&client),
            program::run(&caches, &recorder, publisher),
            publish::statuses(&client, &config.addresses, routes.clone()),
        );
    };
    // Doors that are served before the first table would answer 404 for what is there.
    let mut first = routes.clone();
    let serving = async {
        tokio::select! {
            () = drain.cancelled() => {}
            _ = first.changed() => doors.serve(Arc::new(Forwarder::new(routes.clone(), drain.clone())), &drain).await,
        }
    };
    // Both go on until the drain; serving a while longer.
    tokio::join!(serving, async {
        tokio::select! {
            () = drain.cancelled() => {}
            () = work => {}
        }
        drain.cancel();
    });
    tracker.close();
    tracker.wait().await;
    Ok(())
}
