//! The one store watch: hands every commit to the caches of its kind, in order, then announces the revision.

use super::watchers::Watchers;
use super::{Caches, ROOT};
use futures::StreamExt;
use std::sync::Arc;
use std::time::Duration;
use store::{ReadError, Rev, WatchItem};
use tokio_util::sync::CancellationToken;

/// Pause before the store is asked again after it failed; short, because every consistent read waits for it.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

impl Caches {
    /// Feeds until `drain`. A broken watch is taken up where it ended; where that is compacted, everybody starts over.
    pub async fn run(self: Arc<Self>, drain: CancellationToken) {
        while !drain.is_cancelled() {
            let lost = tokio::select! {
                () = drain.cancelled() => return,
                lost = self.follow() => lost,
            };
            match lost {
                ReadError::Compacted { .. } | ReadError::Future { .. } => {
                    tracing::warn!(error = %lost, rev = self.rev(), "the watch cache lost its place and starts over");
                    if let Err(error) = self.start_over().await {
                        tracing::warn!(%error, "the watch cache cannot start over yet");
                    }
                }
                ReadError::Unavailable(_) => tracing::warn!(error = %lost, "the store's watch broke"),
            }
            tokio::select! {
                () = drain.cancelled() => return,
                () = tokio::time::sleep(RETRY_PAUSE) => {}
            }
        }
    }

    /// Follows the store from the last announced revision until the watch breaks.
    async fn follow(&self) -> ReadError {
        let mut stream = match self.store.watch(ROOT, self.rev()).await {
            Ok(stream) => stream,
            Err(error) => return error,
        };
        while let Some(item) = stream.next().await {
            match item {
                Ok(WatchItem::Batch(batch)) => {
                    let now = self.clock.now();
                    for cache in self.caches_of(&batch) {
                        cache.apply(&batch, now);
                    }
                    self.announce(batch.rev);
                }
                Ok(WatchItem::Progress(rev)) => self.announce(rev),
                Err(error) => return error,
            }
        }
        ReadError::Unavailable("the watch ended".into())
    }

    fn announce(&self, rev: Rev) {
        self.reached.send_if_modified(|reached| {
            let newer = rev > *reached;
            *reached = rev.max(*reached);
            newer
        });
    }

    async fn start_over(&self) -> Result<(), crate::error::ApiError> {
        let _no_start_meanwhile = self.starting.lock().await;
        let caches = self.all();
        // Watchers are cut off at the end, when it is known where they can begin again.
        let _watchers: Vec<Watchers> = caches.iter().map(|cache| cache.reset()).collect();
        let rev = self.store.rev().await?;
        for cache in caches {
            cache.load(self.store.as_ref(), self.clock.now()).await?;
        }
        self.announce(rev);
        Ok(())
    }
}
