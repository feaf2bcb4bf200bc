//! Moments some time away from another. Durations that a client writes may be as long as a number gets, so these end at
//! the last and the first moment there is, where the operators of the time library end the process.

use jiff::{SignedDuration, Timestamp};

/// The moment that lies `by` after `at`, or the furthest there is.
pub fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(if by.is_negative() { Timestamp::MIN } else { Timestamp::MAX })
}

/// The moment that lies `by` before `at`, or the furthest there is.
pub fn earlier(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(if by.is_negative() { Timestamp::MAX } else { Timestamp::MIN })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_end_at_the_last_and_the_first_there_is() {
        let at = Timestamp::from_second(1_000).unwrap();
        let secs = SignedDuration::from_secs;
        let moved = |to: Timestamp| to.as_second();
        assert_eq!((moved(later(at, secs(5))), moved(earlier(at, secs(5)))), (1_005, 995));
        for far in [i64::MAX, i64::MAX / 2] {
            assert_eq!((later(at, secs(far)), earlier(at, secs(far))), (Timestamp::MAX, Timestamp::MIN));
            assert_eq!((later(at, secs(-far)), earlier(at, secs(-far))), (Timestamp::MIN, Timestamp::MAX));
        }
        assert_eq!(later(Timestamp::MAX, secs(1)), Timestamp::MAX);
    }
}
