//! The one place where the runtime and its supervisors read the clock.

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds since the epoch.
pub(crate) fn now_ns() -> i64 {
    let now = clock_gettime(ClockId::Realtime);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}
