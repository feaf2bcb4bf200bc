//! Audit events in batches to a webhook. Nobody waits for it: what does not fit into the buffer is dropped, and counted.
//! k8s: `plugin/pkg/audit/{buffered,webhook}` in the mode `batch`

use super::metrics::Metrics;
use bytes::Bytes;
use client::transport::{Hook, HookError};
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Where events are sent, and how many at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookOptions {
    pub kubeconfig: PathBuf,
    /// Events that wait at most; more are dropped.
    pub buffer: usize,
    /// Events of a batch at most.
    pub batch: usize,
    /// How long an event waits for its batch to fill.
    pub wait: Duration,
    /// Before the first second try; each further one waits half as long again.
    pub backoff: Duration,
}

/// Of one batch. k8s: DefaultRetryBackoff's steps
const TRIES: u32 = 5;
/// k8s: of its webhooks
const ANSWER_MAX: Duration = Duration::from_secs(30);

#[derive(Clone)]
pub(super) struct Webhook(mpsc::Sender<Bytes>);

impl Webhook {
    /// What sends, which ends once `drain` is cancelled and what is in the buffer was tried once.
    pub(super) fn new(
        hook: Hook,
        options: WebhookOptions,
        metrics: Metrics,
        drain: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + Send) {
        let (sender, waiting) = mpsc::channel(options.buffer.max(1));
        let sending = Sending { hook, options, metrics, waiting, drain };
        (Self(sender), sending.run())
    }

    /// Whether there was room.
    pub(super) fn send(&self, event: Bytes) -> bool {
        self.0.try_send(event).is_ok()
    }
}

struct Sending {
    hook: Hook,
    options: WebhookOptions,
    metrics: Metrics,
    waiting: mpsc::Receiver<Bytes>,
    drain: CancellationToken,
}

impl Sending {
    async fn run(mut self) {
        while let Some(batch) = self.batch().await {
            if let Err(error) = self.send(&batch).await {
                self.metrics.lost("webhook", batch.len() as u64);
                let error: &dyn std::error::Error = &error;
                tracing::error!(error, events = batch.len(), "audit events are lost");
            }
        }
    }

    /// `None`: there are none, and there will be none.
    async fn batch(&mut self) -> Option<Vec<Bytes>> {
        let first = tokio::select! {
            first = self.waiting.recv() => first?,
            () = self.drain.cancelled() => {
                self.waiting.close();
                self.waiting.recv().await?
            }
        };
        let mut batch = vec![first];
        let until = Instant::now() + self.options.wait;
        while batch.len() < self.options.batch {
            let next = tokio::select! {
                biased;
                next = self.waiting.recv() => next,
                () = tokio::time::sleep_until(until) => None,
                () = self.drain.cancelled() => self.waiting.try_recv().ok(),
            };
            match next {
                Some(next) => batch.push(next),
                None => break,
            }
        }
        Some(batch)
    }

    async fn send(&self, batch: &[Bytes]) -> Result<(), HookError> {
        let mut list = br#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":["#.to_vec();
        for (at, event) in batch.iter().enumerate() {
            if at > 0 {
                list.push(b',');
            }
            list.extend_from_slice(event.trim_ascii_end());
        }
        list.extend_from_slice(b"]}");
        let mut pause = self.options.backoff;
        for _ in 1..TRIES {
            match self.hook.post(list.clone(), ANSWER_MAX).await {
                Ok(_) => return Ok(()),
                Err(error) if self.drain.is_cancelled() => return Err(error),
                Err(error) => tracing::warn!(%error, "the audit webhook is tried again"),
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.drain.cancelled() => {}
            }
            pause = pause * 3 / 2;
        }
        self.hook.post(list, ANSWER_MAX).await.map(|_| ())
    }
}
