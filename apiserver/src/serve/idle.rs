//! HTTP/2 connections on which nothing goes on. Pings keep them alive for ever, so who forgets connections would fill the
//! server; an idle one is told to go, and a client that still wants something opens another.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// k8s: `IdleTimeout` of the secure server. Looked at once in that time, so it may be twice as long.
const IDLE_MAX: Duration = Duration::from_secs(90);

/// What goes on on one connection.
#[derive(Clone, Default)]
pub(super) struct Activity(Arc<Counts>);

#[derive(Default)]
struct Counts {
    /// Answers that have not been sent to their end.
    open: AtomicUsize,
    /// Requests so far.
    begun: AtomicU64,
}

impl Activity {
    pub(super) fn begin(&self) -> Busy {
        self.0.open.fetch_add(1, Ordering::Relaxed);
        self.0.begun.fetch_add(1, Ordering::Relaxed);
        Busy(Arc::clone(&self.0))
    }
}

/// A request that is being answered.
pub(super) struct Busy(Arc<Counts>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Looks now and then whether anything went on.
pub(super) struct Idle {
    activity: Activity,
    look: Pin<Box<Sleep>>,
    /// Requests at the last look.
    begun: u64,
}

impl Idle {
    pub(super) fn new(activity: Activity) -> Self {
        Self { activity, look: Box::pin(tokio::time::sleep(IDLE_MAX)), begun: 0 }
    }

    /// Ready once nothing was open, and nothing had begun, for a whole period.
    pub(super) fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.look.as_mut().poll(cx).is_ready() {
            if self.is_over() {
                return Poll::Ready(());
            }
            self.look.as_mut().reset(Instant::now() + IDLE_MAX);
        }
        Poll::Pending
    }

    /// Whether nothing has begun since the last look and nothing is open.
    fn is_over(&mut self) -> bool {
        let begun = self.activity.0.begun.load(Ordering::Relaxed);
        let before = std::mem::replace(&mut self.begun, begun);
        begun == before && self.activity.0.open.load(Ordering::Relaxed) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_is_over_when_nothing_went_on_for_a_period_and_not_while_an_answer_is_open() {
        let activity = Activity::default();
        let mut idle = Idle::new(activity.clone());
        let watch = activity.begin();
        assert!(!idle.is_over(), "a watch has begun");
        assert!(!idle.is_over(), "it is open");
        drop(activity.begin());
        drop(watch);
        assert!(!idle.is_over(), "there was a request in this period");
        assert!(idle.is_over());
        assert!(Idle::new(Activity::default()).is_over(), "nothing was ever asked");
    }
}
