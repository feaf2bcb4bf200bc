//! One way to watch, for every backend.
//!
//! Watchers pull: each has a cursor and is told only that the tip has moved. So there is no queue per watcher to
//! overflow, a slow one costs nothing but its own lag, and all see one order.

use crate::{Batch, ReadError, Rev, WatchItem, WatchStream};
use async_trait::async_trait;
use futures::{StreamExt, stream};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::watch;

/// How far a store is; what wakes watchers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tip {
    pub(crate) rev: Rev,
    pub(crate) closed: bool,
}

/// What watchers pull from.
#[async_trait]
pub(crate) trait Source: Send + Sync + 'static {
    fn tips(&self) -> watch::Receiver<Tip>;

    /// Batches below `prefix` after `cursor`, which is before the tip, and the revision up to which they are complete.
    /// One step: bounded work, and progress of at least one revision.
    async fn step(self: Arc<Self>, prefix: &str, cursor: Rev) -> Result<(Vec<Batch>, Rev), ReadError>;
}

/// Ends with the first error.
pub(crate) fn stream<S: Source>(source: Arc<S>, prefix: &str, after: Rev) -> WatchStream {
    let tips = source.tips();
    let watcher = Watcher { source, prefix: prefix.into(), cursor: after, ready: VecDeque::new(), told: None, tips };
    stream::unfold(Some(watcher), |watcher| async {
        let mut watcher = watcher?;
        match watcher.next().await {
            Ok(item) => Some((Ok(item), Some(watcher))),
            Err(error) => Some((Err(error), None)),
        }
    })
    .boxed()
}

struct Watcher<S> {
    source: Arc<S>,
    prefix: Arc<str>,
    /// Everything up to here is delivered or in `ready`.
    cursor: Rev,
    ready: VecDeque<Batch>,
    /// The revision of the last item.
    told: Option<Rev>,
    tips: watch::Receiver<Tip>,
}

impl<S: Source> Watcher<S> {
    async fn next(&mut self) -> Result<WatchItem, ReadError> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                self.told = Some(batch.rev);
                return Ok(WatchItem::Batch(batch));
            }
            let tip = *self.tips.borrow_and_update();
            if tip.closed {
                return Err(closed());
            }
            if self.cursor < tip.rev {
                let (batches, to) = self.source.clone().step(&self.prefix, self.cursor).await?;
                assert!(to > self.cursor, "a step goes forward");
                self.ready.extend(batches);
                self.cursor = to;
            } else if self.told.replace(self.cursor) != Some(self.cursor) {
                return Ok(WatchItem::Progress(self.cursor));
            } else {
                self.tips.changed().await.map_err(|_| closed())?;
            }
        }
    }
}

pub(crate) fn closed() -> ReadError {
    ReadError::Unavailable("the store is closed".to_owned())
}
