//! Components that run together: the first that ends breaks the crew, a drain ends them all.

use anyhow::Result;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A component's name and how it ended.
type Ended = (&'static str, Result<()>);

/// How long a component may take to drain; it is then dropped where it stands.
const DRAIN_MAX: Duration = Duration::from_secs(15);

#[derive(Default)]
pub(crate) struct Crew {
    tasks: JoinSet<Ended>,
    drain: CancellationToken,
    /// Beyond [`DRAIN_MAX`].
    more_time: Duration,
}

impl Crew {
    pub(crate) fn join<F>(&mut self, name: &'static str, work: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        // A child of the crew's: components cancel what they were given when they fail, which must not look like a drain to
        // the others.
        let work = work(self.drain.child_token());
        self.tasks.spawn(async move { (name, work.await) });
    }

    /// The first component that ends though nobody asked it to; never for a crew of none.
    pub(crate) async fn broken(&mut self) -> anyhow::Error {
        match self.tasks.join_next().await {
            Some(Ok((name, Ok(())))) => anyhow::anyhow!("{name} ended by itself"),
            Some(Ok((name, Err(error)))) => error.context(format!("{name} failed")),
            Some(Err(panicked)) => anyhow::Error::new(panicked),
            None => std::future::pending().await,
        }
    }

    /// A component may take so much longer to drain.
    pub(crate) fn give_time(&mut self, more: Duration) {
        self.more_time = self.more_time.max(more);
    }

    pub(crate) async fn drained(&mut self) {
        self.drain.cancel();
        let all = async {
            while let Some(ended) = self.tasks.join_next().await {
                match ended {
                    Ok((name, Err(error))) => {
                        tracing::warn!(name, error = format!("{error:#}"), "did not stop cleanly");
                    }
                    Err(error) => tracing::error!(%error, "a component panicked"),
                    Ok((name, Ok(()))) => tracing::debug!(name, "stopped"),
                }
            }
        };
        let limit = DRAIN_MAX + self.more_time;
        if tokio::time::timeout(limit, all).await.is_err() {
            tracing::warn!("components did not stop within {limit:?}");
            self.tasks.abort_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_breaks_is_named_though_it_cancelled_what_it_was_given() {
        let mut crew = Crew::default();
        crew.join("patient", |drain| async move {
            drain.cancelled().await;
            Ok(())
        });
        crew.join("broken", |drain| async move {
            drain.cancel();
            tokio::task::yield_now().await;
            anyhow::bail!("cannot go on")
        });
        assert_eq!(format!("{:#}", crew.broken().await), "broken failed: cannot go on");
        crew.drained().await;
    }
}
