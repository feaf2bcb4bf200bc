//! Who may lead, by what the Lease says and when it was seen to change. Clocks of replicas need not agree: a lease counts
//! as expired only after it was seen unchanged for its whole duration on the clock of the one who judges.

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use std::time::Duration;

/// k8s: leaseDuration 15 s, renewDeadline 10 s, retryPeriod 2 s
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long a lease that nobody renews blocks others.
    pub duration: Duration,
    /// How long the leader tries to renew before it stops working; less than `duration`.
    pub renew_deadline: Duration,
    /// Between attempts.
    pub retry: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry: Duration::from_secs(2),
        }
    }
}

impl Timing {
    /// The pause before a follower tries again; `chance` in 0..1 spreads followers (k8s: jitter factor 1.2).
    pub fn retry_after(&self, chance: f64) -> Duration {
        self.retry.mul_f64(1.0 + 1.2 * chance)
    }
}

/// What to do with the lease now.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Create(Lease),
    /// Carries the resourceVersion that was seen, so only one replica wins.
    Update(Lease),
    Wait,
}

pub struct Election {
    identity: String,
    timing: Timing,
    /// The spec last seen, and when it was first seen so.
    observed: Option<(LeaseSpec, Timestamp)>,
}

impl Election {
    pub fn new(identity: &str, timing: Timing) -> Self {
        Self { identity: identity.to_owned(), timing, observed: None }
    }

    pub fn step(&mut self, held: Option<&Lease>, now: Timestamp) -> Step {
        let Some(held) = held else {
            return Step::Create(Lease { spec: Some(self.claim(now, now, 0)), ..Lease::default() });
        };
        let spec = held.spec.clone().unwrap_or_default();
        if self.observed.as_ref().is_none_or(|(before, _)| *before != spec) {
            self.observed = Some((spec.clone(), now));
        }
        let since = self.observed.as_ref().map_or(now, |(_, since)| *since);
        let holder = spec.holder_identity.as_deref().unwrap_or_default();
        let mine = holder == self.identity;
        let seconds = spec.lease_duration_seconds.map_or(self.timing.duration.as_secs() as i64, i64::from);
        if !mine && !holder.is_empty() && now.duration_since(since).as_secs() < seconds {
            return Step::Wait;
        }
        let transitions = spec.lease_transitions.unwrap_or(0);
        let claim = if mine {
            let acquired = spec.acquire_time.as_ref().map_or(now, |at| at.0);
            self.claim(acquired, now, transitions)
        } else {
            self.claim(now, now, transitions + 1)
        };
        Step::Update(Lease { metadata: held.metadata.clone(), spec: Some(claim) })
    }

    /// The lease as it is to be written when this replica stops leading; `None` if it does not lead.
    pub fn release(&mut self, held: &Lease, now: Timestamp) -> Option<Lease> {
        let spec = held.spec.as_ref()?;
        if spec.holder_identity.as_deref() != Some(self.identity.as_str()) {
            return None;
        }
        self.observed = None;
        let free = LeaseSpec {
            holder_identity: Some(String::new()),
            lease_duration_seconds: Some(1), // k8s: so that even a client that ignores the empty holder waits little
            acquire_time: Some(MicroTime(now)),
            renew_time: Some(MicroTime(now)),
            lease_transitions: spec.lease_transitions,
            ..LeaseSpec::default()
        };
        Some(Lease { metadata: held.metadata.clone(), spec: Some(free) })
    }

    fn claim(&self, acquired: Timestamp, renewed: Timestamp, transitions: i32) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(self.timing.duration.as_secs() as i32),
            acquire_time: Some(MicroTime(acquired)),
            renew_time: Some(MicroTime(renewed)),
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(secs).unwrap()
    }

    fn holder(step: &Step) -> String {
        match step {
            Step::Create(lease) | Step::Update(lease) => lease.spec.clone().unwrap().holder_identity.unwrap(),
            Step::Wait => "-".to_owned(),
        }
    }

    fn taken(step: Step) -> Lease {
        match step {
            Step::Create(lease) | Step::Update(lease) => lease,
            Step::Wait => panic!("expected a write"),
        }
    }

    #[test]
    fn a_missing_lease_is_created_and_renewed_by_its_holder() {
        let mut a = Election::new("a", Timing::default());
        let lease = taken(a.step(None, at(0)));
        let renewed = taken(a.step(Some(&lease), at(2))).spec.unwrap();
        assert_eq!(renewed.acquire_time.unwrap().0, at(0));
        assert_eq!(renewed.renew_time.unwrap().0, at(2));
        assert_eq!(renewed.lease_transitions, Some(0));
    }

    #[test]
    fn a_follower_waits_for_the_whole_duration_after_the_last_change_it_saw() {
        let (mut a, mut b) = (Election::new("a", Timing::default()), Election::new("b", Timing::default()));
        let lease = taken(a.step(None, at(0)));
        assert_eq!(holder(&b.step(Some(&lease), at(100))), "-"); // b's clock differs, and it saw the lease only now
        let renewed = taken(a.step(Some(&lease), at(2)));
        assert_eq!(holder(&b.step(Some(&renewed), at(110))), "-");
        assert_eq!(holder(&b.step(Some(&renewed), at(124))), "-");
        let step = b.step(Some(&renewed), at(125));
        assert_eq!(holder(&step), "b");
        assert_eq!(taken(step).spec.unwrap().lease_transitions, Some(1));
    }

    #[test]
    fn a_released_lease_is_taken_at_once() {
        let (mut a, mut b) = (Election::new("a", Timing::default()), Election::new("b", Timing::default()));
        let lease = taken(a.step(None, at(0)));
        assert_eq!(b.release(&lease, at(1)), None);
        let free = a.release(&lease, at(1)).unwrap();
        assert_eq!(holder(&b.step(Some(&free), at(1))), "b");
    }
}
