//! How long decisions take: a histogram that anybody may read while it is written.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Four buckets for each doubling, from a microsecond to over a minute: a percentile is true to a fifth.
const BUCKETS: usize = 4 * 27;

#[derive(Debug)]
pub struct Pace {
    buckets: [AtomicU64; BUCKETS],
}

impl Default for Pace {
    fn default() -> Self {
        Self { buckets: std::array::from_fn(|_| AtomicU64::new(0)) }
    }
}

/// The longest time of a bucket, in microseconds.
fn limit(bucket: usize) -> f64 {
    2_f64.powf((bucket + 1) as f64 / 4.0)
}

impl Pace {
    pub(crate) fn record(&self, time: Duration) {
        let micros = time.as_secs_f64() * 1e6;
        let bucket = (0..BUCKETS - 1).find(|bucket| micros <= limit(*bucket)).unwrap_or(BUCKETS - 1);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
    }

    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).sum()
    }

    /// No more than this took `percent` of all decisions.
    pub fn percentile(&self, percent: u64) -> Duration {
        let wanted = (self.count() * percent).div_ceil(100);
        let mut seen = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen += count.load(Ordering::Relaxed);
            if seen >= wanted {
                return Duration::from_secs_f64(limit(bucket) / 1e6);
            }
        }
        Duration::ZERO
    }

    /// Begins anew.
    pub fn reset(&self) {
        self.buckets.iter().for_each(|bucket| bucket.store(0, Ordering::Relaxed));
    }
}
