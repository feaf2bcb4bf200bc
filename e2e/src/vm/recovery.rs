//! How long the cluster took to be itself again: said as it is measured, and kept as a table.

use anyhow::Result;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// Runs from a fault on.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "how long recoveries take, in real time, is what the tests say")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

#[derive(Debug, Default)]
pub struct Recoveries(Vec<Recovery>);

#[derive(Debug)]
struct Recovery {
    fault: &'static str,
    until: &'static str,
    took: Duration,
    bound: Option<Duration>,
}

impl Recoveries {
    /// Notes what a fault took to be over.
    ///
    /// # Panics
    /// Where it took longer than it may.
    pub fn note(&mut self, fault: &'static str, until: &'static str, took: Duration, bound: Option<Duration>) {
        println!("{fault}: {until} after {:.1} s", took.as_secs_f64());
        self.0.push(Recovery { fault, until, took, bound });
        assert!(bound.is_none_or(|bound| took <= bound), "{fault}: {until} after {took:?}, which may take {bound:?}");
    }

    /// The table, in Markdown.
    pub fn table(&self) -> String {
        let mut text = "| fault | until | measured | bound |\n|---|---|---|---|\n".to_owned();
        for Recovery { fault, until, took, bound } in &self.0 {
            let bound = bound.map(|bound| format!("{} s", bound.as_secs())).unwrap_or_default();
            writeln!(text, "| {fault} | {until} | {:.1} s | {bound} |", took.as_secs_f64())
                .expect("a String takes all that is written");
        }
        text
    }

    pub fn write(&self, file: &Path) -> Result<()> {
        Ok(std::fs::write(file, self.table())?)
    }
}
