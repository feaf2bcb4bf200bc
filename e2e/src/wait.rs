//! Bounded waiting: the one place of the end-to-end tests that sleeps.

use std::env;
use std::thread;
use std::time::{Duration, Instant};

/// How many times longer than elsewhere everything may take, where the tests run on an emulated machine.
const PATIENCE: &str = "DROVER_TEST_PATIENCE";

/// Between two looks at a real system.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Looks until `look` gives a value; panics with what was waited for, and what was seen last, after `limit`.
///
/// # Panics
/// When the time is over.
#[expect(clippy::disallowed_methods, reason = "end-to-end tests wait on a real system, in real time")]
pub fn eventually<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Result<T, String>) -> T {
    let start = Instant::now();
    let limit = limit * env::var(PATIENCE).ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    loop {
        match look() {
            Ok(value) => return value,
            Err(seen) if start.elapsed() > limit => panic!("{what}: not within {limit:?}; last seen: {seen}"),
            Err(_) => thread::sleep(LOOK_EVERY),
        }
    }
}

/// Lets a real system go on for as long.
pub fn pause(time: Duration) {
    thread::sleep(time);
}
