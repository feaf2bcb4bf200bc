//! A closed loop: every client sends its next request when the one before is answered.

use crate::connection::{Ask, Connection};
use crate::process::Process;
use anyhow::Result;
use futures::future::try_join_all;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What a run of one work came to.
pub(crate) struct Outcome {
    pub(crate) operations: usize,
    pub(crate) took: Duration,
    pub(crate) cpu: Duration,
    pub(crate) bytes: usize,
    /// Sorted.
    times: Vec<Duration>,
}

impl Outcome {
    pub(crate) fn new(took: Duration, cpu: Duration, bytes: usize, mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self { operations: times.len(), took, cpu, bytes, times }
    }

    pub(crate) fn rate(&self) -> f64 {
        self.operations as f64 / self.took.as_secs_f64()
    }

    pub(crate) fn percentile_ms(&self, percent: usize) -> f64 {
        let at = self.times.len() * percent / 100;
        self.times.get(at.min(self.times.len().saturating_sub(1))).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    }

    pub(crate) fn cpu_us(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.operations.max(1) as f64
    }

    pub(crate) fn mib(&self) -> f64 {
        self.bytes as f64 / f64::from(1 << 20)
    }
}

/// `count` requests, spread over the connections; the nth is `ask(n)`.
pub(crate) async fn run(
    process: &Process,
    connections: &[Connection],
    count: usize,
    ask: impl Fn(usize) -> Ask + Send + Sync + 'static,
) -> Result<Outcome> {
    let (next, ask) = (Arc::new(AtomicUsize::new(0)), Arc::new(ask));
    let (begin, cpu) = (Instant::now(), process.cpu()?);
    let clients = connections.iter().cloned().map(|mut connection| {
        let (next, ask) = (Arc::clone(&next), Arc::clone(&ask));
        let mut client = tokio::task::JoinSet::new();
        client.spawn(async move {
            let (mut times, mut bytes) = (Vec::new(), 0);
            loop {
                let nth = next.fetch_add(1, Ordering::Relaxed);
                if nth >= count {
                    return Ok::<_, anyhow::Error>((times, bytes));
                }
                let ask = ask(nth);
                let begin = Instant::now();
                bytes += connection.drain(ask).await?;
                times.push(begin.elapsed());
            }
        });
        async move { client.join_next().await.unwrap_or_else(|| Ok(Ok((Vec::new(), 0))))? }
    });
    let done = try_join_all(clients).await?;
    let (took, cpu) = (begin.elapsed(), process.cpu()?.saturating_sub(cpu));
    let bytes = done.iter().map(|(_, bytes)| bytes).sum();
    Ok(Outcome::new(took, cpu, bytes, done.into_iter().flat_map(|(times, _)| times).collect()))
}
