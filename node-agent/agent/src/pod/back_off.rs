//! Doubling delays: container restarts, image pulls, and retries of what could not be prepared. Pure arithmetic on times.

use jiff::{SignedDuration, Timestamp};
use kinds::moment::later;

/// How a delay grows. The delay is forgotten after twice the longest one without a failure, as upstream forgets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    pub first: SignedDuration,
    pub longest: SignedDuration,
}

/// k8s: crash loops and image pulls wait 10 s, 20 s, .. 300 s.
pub const CRASH_LOOP: Policy = Policy { first: SignedDuration::from_secs(10), longest: SignedDuration::from_secs(300) };

/// What depends on another object (a ConfigMap applied a moment later) or on the runtime is tried again quickly at first.
pub const RETRY: Policy = Policy { first: SignedDuration::from_millis(250), longest: SignedDuration::from_secs(10) };

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackOff {
    pub delay: SignedDuration,
    pub updated: Timestamp,
}

impl BackOff {
    /// The delay to use after one more failure.
    pub fn next(previous: Option<Self>, policy: Policy, now: Timestamp) -> Self {
        let delay = match previous {
            Some(p) if !p.forgotten(policy, now) => (p.delay * 2).min(policy.longest),
            Some(_) | None => policy.first,
        };
        Self { delay, updated: now }
    }

    /// The end of the wait that began at `since`, if it lies ahead.
    pub fn until(self, policy: Policy, since: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let end = later(since, self.delay);
        (!self.forgotten(policy, since) && end > now).then_some(end)
    }

    fn forgotten(self, policy: Policy, at: Timestamp) -> bool {
        at.duration_since(self.updated) > policy.longest * 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(secs).unwrap()
    }

    #[test]
    fn crash_loops_wait_ten_seconds_doubling_to_five_minutes() {
        let mut back_off = None;
        let mut delays = Vec::new();
        for n in 0..7 {
            let next = BackOff::next(back_off, CRASH_LOOP, at(n));
            delays.push(next.delay.as_secs());
            back_off = Some(next);
        }
        assert_eq!(delays, [10, 20, 40, 80, 160, 300, 300]);
    }

    #[test]
    fn ten_quiet_minutes_reset_the_delay() {
        let old = BackOff { delay: SignedDuration::from_secs(160), updated: at(0) };
        assert_eq!(BackOff::next(Some(old), CRASH_LOOP, at(601)).delay.as_secs(), 10);
        assert_eq!(BackOff::next(Some(old), CRASH_LOOP, at(599)).delay.as_secs(), 300);
    }

    #[test]
    fn a_wait_ends_its_delay_after_the_failure() {
        let back_off = BackOff { delay: SignedDuration::from_secs(20), updated: at(100) };
        assert_eq!(back_off.until(CRASH_LOOP, at(110), at(111)), Some(at(130)));
        assert_eq!(back_off.until(CRASH_LOOP, at(110), at(130)), None);
    }
}
