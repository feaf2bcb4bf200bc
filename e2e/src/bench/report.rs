//! The table of a benchmark: a line a figure, beside its bar.

use std::time::Duration;

pub fn head() {
    println!("{:<64} {:>24}  bar", "figure", "measured");
}

pub fn row(figure: &str, measured: &str, bar: &str) {
    println!("{figure:<64} {measured:>24}  {bar}");
}

pub fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// How long something took each time.
#[derive(Debug, Default)]
pub struct Times(Vec<Duration>);

impl Times {
    pub fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// Milliseconds that so many of a hundred did not exceed.
    pub fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
        sorted.get(at).copied().map_or(f64::NAN, millis)
    }

    pub fn told(&self) -> String {
        format!("p50 {:.1}, p99 {:.1} ms", self.percentile(50), self.percentile(99))
    }
}
