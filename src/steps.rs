//! What `drover up` says while it starts: one line a step, with its time.

use std::io::Write;
use std::time::Duration;
use tokio::time::Instant;

pub(crate) struct Steps {
    start: Instant,
    last: Instant,
}

impl Steps {
    pub(crate) fn begin() -> Self {
        let now = Instant::now();
        Self { start: now, last: now }
    }

    /// A step is done: says so, and how long it took since the last.
    pub(crate) fn done(&mut self, what: &str) {
        let now = Instant::now();
        say(&format!("  {what:<44} {:>9}", millis(now - self.last)));
        self.last = now;
    }

    pub(crate) fn total(&self) -> String {
        millis(self.start.elapsed())
    }
}

fn millis(time: Duration) -> String {
    format!("{:.0} ms", time.as_secs_f64() * 1000.0)
}

/// A line for the person at the terminal; one who has gone away is no reason to stop.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    if let Err(error) = writeln!(out, "{line}").and_then(|()| out.flush()) {
        tracing::debug!(%error, "cannot write to the terminal");
    }
}

/// A line for the person who must act.
pub(crate) fn complain(line: &str) {
    if let Err(error) = writeln!(std::io::stderr().lock(), "{line}") {
        tracing::debug!(%error, "cannot write to the terminal");
    }
}
