//! Records Events: repeats become counts, a flood about one object becomes one line, and nothing that records ever waits.

mod correlate;

pub use correlate::{Correlator, Write};

use crate::action::Event;
use crate::clock::Clock;
use crate::wire;
use futures::future::join_all;
use http::Method;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Events waiting to be written; beyond it new ones are dropped, because events are a courtesy and memory is not.
const PENDING_MAX: usize = 1000;

/// Events written at the same time: a crowd of pods makes a crowd of events, and the store commits them together.
const BATCH_MAX: usize = 32;

/// Hands events to the task that writes them. Cheap to clone.
#[derive(Clone)]
pub struct Recorder {
    sender: Option<mpsc::Sender<Event>>,
}

impl Recorder {
    /// Starts the writing task. `component` is the event's source, `instance` tells replicas apart (a host name).
    pub fn start(
        client: kube::Client,
        component: &str,
        instance: &str,
        clock: Arc<dyn Clock>,
        tracker: &TaskTracker,
        drain: CancellationToken,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(PENDING_MAX);
        let correlator = Correlator::new(component, instance);
        tracker.spawn(write_all(client, correlator, clock, receiver, drain));
        Self { sender: Some(sender) }
    }

    /// A recorder that forgets everything, for simulations and plans.
    pub fn silent() -> Self {
        Self { sender: None }
    }

    pub fn record(&self, event: Event) {
        let Some(sender) = &self.sender else { return };
        if let Err(error) = sender.try_send(event) {
            tracing::debug!(%error, "event dropped");
        }
    }
}

async fn write_all(
    client: kube::Client,
    mut correlator: Correlator,
    clock: Arc<dyn Clock>,
    mut events: mpsc::Receiver<Event>,
    drain: CancellationToken,
) {
    loop {
        let mut batch = Vec::new();
        let taken = tokio::select! {
            () = drain.cancelled() => return,
            taken = events.recv_many(&mut batch, BATCH_MAX) => taken,
        };
        if taken == 0 {
            return;
        }
        let now = clock.now();
        // Writes of one event follow each other: a count must find what it counts.
        let mut by_event: BTreeMap<(String, String), Vec<Write>> = BTreeMap::new();
        for write in batch.iter().filter_map(|event| correlator.take(event, now)) {
            by_event.entry(write.key()).or_default().push(write);
        }
        let client = &client;
        join_all(by_event.values().map(|writes| async move {
            for write in writes {
                send(client, write).await;
            }
        }))
        .await;
    }
}

/// Writes one event. A patch of an event that expired meanwhile becomes a new event; any other failure loses it.
async fn send(client: &kube::Client, write: &Write) {
    let create = async |event: &serde_json::Value, ns: &str| {
        let body = serde_json::to_vec(event).expect("a JSON tree can always be written");
        let uri = format!("/api/v1/namespaces/{ns}/events");
        wire::call(client, Method::POST, &uri, wire::JSON, Some((wire::JSON, body))).await
    };
    let outcome = match write {
        Write::Create { ns, event } => create(event, ns).await,
        Write::Count { ns, name, patch, event } => {
            let body = serde_json::to_vec(patch).expect("a JSON tree can always be written");
            let uri = format!("/api/v1/namespaces/{ns}/events/{name}");
            let patched =
                wire::call(client, Method::PATCH, &uri, wire::JSON, Some(("application/merge-patch+json", body))).await;
            match patched {
                Err(error) if error.is_not_found() => create(event, ns).await,
                other => other,
            }
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(error = &error as &dyn std::error::Error, "event not written");
    }
}
