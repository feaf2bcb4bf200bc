//! Throughput as scheduler_perf defines it: each second, the pods that have got a node since the last look; a second in
//! which none did extends the next interval.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often it is asked whether all pods have a node: the end must not be found a second late.
const ASK_EVERY: Duration = Duration::from_millis(5);
/// No pod got a node for so long: something is wrong.
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) struct Outcome {
    /// Pods per second, the mean over the intervals.
    pub(crate) average: f64,
    /// Pods per second, from the first request to the last binding.
    pub(crate) overall: f64,
}

/// Waits until `pods` more than before are counted by `bound`.
pub(crate) async fn measure(
    bound: &AtomicUsize,
    before: usize,
    pods: usize,
    begin: Instant,
) -> anyhow::Result<Outcome> {
    let mut rates = Vec::new();
    let (mut last, mut at) = (before, begin);
    let (mut seen, mut moved) = (before, begin);
    loop {
        let now = Instant::now();
        let count = bound.load(Ordering::Relaxed);
        if count > seen {
            (seen, moved) = (count, now);
        }
        let is_over = count >= before + pods;
        if (now - at >= LOOK_EVERY || is_over) && count > last {
            rates.push((count - last) as f64 / (now - at).as_secs_f64());
            (last, at) = (count, now);
        }
        if is_over {
            break;
        }
        anyhow::ensure!(now - moved < PATIENCE, "only {} of {pods} pods got a node", count - before);
        tokio::time::sleep(ASK_EVERY).await;
    }
    let overall = pods as f64 / begin.elapsed().as_secs_f64();
    Ok(Outcome { average: rates.iter().sum::<f64>() / rates.len().max(1) as f64, overall })
}
