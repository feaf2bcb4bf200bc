//! One probe of one container: thresholds, and the time of the next question.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Probe;
use kinds::moment::later;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Startup,
    Liveness,
    Readiness,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Startup => "startup",
            Self::Liveness => "liveness",
            Self::Readiness => "readiness",
        }
    }

    /// As events begin: `Readiness probe failed: ..`.
    pub fn title(self) -> &'static str {
        match self {
            Self::Startup => "Startup",
            Self::Liveness => "Liveness",
            Self::Readiness => "Readiness",
        }
    }
}

/// What one question came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Success,
    /// Success with something to say, such as a redirect to another host.
    Warning(String),
    Failure(String),
    /// The question could not be asked; counts for nothing.
    Unknown(String),
}

/// What an answer means for the container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The container has just started and is asked again soon: nothing to tell yet.
    Early,
    /// Counted, without a new verdict.
    Same,
    /// The verdict is now this.
    Verdict(bool),
}

/// A container that is not ready yet is asked again after this long, doubling to the probe's period: a server that
/// listens 30 ms after its start is ready then, not a whole period later. k8s asks once and then waits.
const EAGER_FIRST: SignedDuration = SignedDuration::from_millis(20);

#[derive(Clone, Debug)]
pub struct State {
    pub kind: Kind,
    period: SignedDuration,
    success_threshold: u32,
    failure_threshold: u32,
    row: u32,
    row_ok: bool,
    verdict: Option<bool>,
    /// The next wait of a container that has just started; `None` when that time is over.
    eager: Option<SignedDuration>,
    pub due: Timestamp,
}

impl State {
    /// `initialDelaySeconds` counts from the start of the container; without one the first question comes at once.
    pub fn new(kind: Kind, probe: &Probe, started: Timestamp, now: Timestamp) -> Self {
        let secs = |value: Option<i32>, default: i64| value.map_or(default, i64::from);
        let count = |value: Option<i32>, default: u32| {
            value.and_then(|v| u32::try_from(v).ok()).filter(|v| *v > 0).unwrap_or(default)
        };
        let delay = SignedDuration::from_secs(secs(probe.initial_delay_seconds, 0));
        Self {
            kind,
            period: SignedDuration::from_secs(secs(probe.period_seconds, 10).max(1)),
            success_threshold: count(probe.success_threshold, 1),
            failure_threshold: count(probe.failure_threshold, 3),
            row: 0,
            row_ok: false,
            verdict: None,
            eager: (kind != Kind::Liveness).then_some(EAGER_FIRST),
            due: later(started, delay).max(now),
        }
    }

    /// Takes an answer. The next question is due one period after this one was.
    pub fn take(&mut self, answer: &Answer, now: Timestamp) -> Step {
        let ok = matches!(answer, Answer::Success | Answer::Warning(_));
        if let Some(wait) = self.eager.take().filter(|wait| !ok && *wait < self.period) {
            self.eager = Some(wait * 2);
            self.due = now + wait;
            return Step::Early;
        }
        self.due = later(self.due, self.period).max(now);
        if matches!(answer, Answer::Unknown(_)) {
            return Step::Same;
        }
        self.row = if ok == self.row_ok { self.row + 1 } else { 1 };
        self.row_ok = ok;
        let threshold = if ok { self.success_threshold } else { self.failure_threshold };
        if self.row < threshold || self.verdict == Some(ok) {
            return Step::Same;
        }
        self.verdict = Some(ok);
        Step::Verdict(ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::fixture::at;

    fn state(kind: Kind, text: &str) -> State {
        State::new(kind, &serde_norway::from_str(text).unwrap(), at(0), at(1))
    }

    #[test]
    fn the_first_question_comes_at_once_unless_a_delay_is_asked_for() {
        assert_eq!(state(Kind::Readiness, "{}").due, at(1));
        assert_eq!(state(Kind::Readiness, "{initialDelaySeconds: 5}").due, at(5));
    }

    #[test]
    fn thresholds_count_answers_in_a_row() {
        let mut probe = state(Kind::Liveness, "{failureThreshold: 2, periodSeconds: 10}");
        let no = Answer::Failure(String::new());
        let steps: Vec<_> = [&no, &Answer::Success, &no, &no, &no, &Answer::Success]
            .into_iter()
            .map(|a| probe.take(a, at(1)))
            .collect();
        let want = [Step::Same, Step::Verdict(true), Step::Same, Step::Verdict(false), Step::Same, Step::Verdict(true)];
        assert_eq!(steps, want);
        assert_eq!(probe.due, at(61));
    }

    #[test]
    fn a_question_that_could_not_be_asked_counts_for_nothing() {
        let mut probe = state(Kind::Liveness, "{failureThreshold: 1}");
        assert_eq!(probe.take(&Answer::Unknown(String::new()), at(1)), Step::Same);
        assert_eq!(probe.take(&Answer::Failure(String::new()), at(11)), Step::Verdict(false));
    }

    #[test]
    fn a_starting_container_is_asked_often_and_then_every_period() {
        let mut probe = state(Kind::Readiness, "{failureThreshold: 1, periodSeconds: 1}");
        let mut now = at(1);
        let mut early = 0;
        while probe.take(&Answer::Failure(String::new()), now) == Step::Early {
            early += 1;
            now = probe.due;
        }
        assert_eq!((early, now.duration_since(at(1)).as_millis()), (6, 20 + 40 + 80 + 160 + 320 + 640));
        assert_eq!(probe.take(&Answer::Success, now), Step::Verdict(true));
    }

    #[test]
    fn the_first_success_ends_the_hurry() {
        let mut probe = state(Kind::Readiness, "{failureThreshold: 2}");
        assert_eq!(probe.take(&Answer::Failure(String::new()), at(1)), Step::Early);
        assert_eq!(probe.take(&Answer::Success, at(2)), Step::Verdict(true));
        assert_eq!(probe.take(&Answer::Failure(String::new()), at(12)), Step::Same);
        assert_eq!(probe.take(&Answer::Failure(String::new()), at(22)), Step::Verdict(false));
    }
}
