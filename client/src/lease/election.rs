//! Who may lead, by what the Lease says and when it was seen to change. Clocks of replicas need not agree: a lease counts
//! as expired only after it was seen unchanged for its whole duration on the clock of the one who judges.

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
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
    /// For so long at most: then a lease that stays as it is has expired.
    Wait(Duration),
}

/// What a replica has learned of how long its leases must be, shared by all its attempts: twice as long after each that it
/// lost though it was there. A new leader has more to do than any, so that where machines are slow each would lose a short
/// lease in turn before it did anything.
#[derive(Clone, Debug, Default)]
pub struct Patience(Arc<AtomicU32>);

/// Others are kept waiting no longer than by k8s' own timing.
const DURATION_MAX: Duration = Duration::from_secs(15);
/// Who has led for as long goes back to the duration that is wished for.
const CALM: Duration = Duration::from_mins(1);

impl Patience {
    /// After a lease that was lost.
    pub(super) fn grow(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn forget(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    fn times(&self, wished: Duration) -> Duration {
        let doubled = 1_u32.checked_shl(self.0.load(Ordering::Relaxed)).unwrap_or(u32::MAX);
        wished.saturating_mul(doubled).min(wished.max(DURATION_MAX))
    }
}

pub struct Election {
    identity: String,
    timing: Timing,
    patience: Patience,
    /// Whether the last step was to take the lease or to keep it.
    holds: bool,
    /// The spec last seen, and when it was first seen so.
    observed: Option<(LeaseSpec, Timestamp)>,
}

impl Election {
    pub fn new(identity: &str, timing: Timing, patience: Patience) -> Self {
        Self { identity: identity.to_owned(), timing, patience, holds: false, observed: None }
    }

    /// What this replica claims.
    fn duration(&self) -> Duration {
        self.patience.times(self.timing.duration)
    }

    /// How long this replica tries to renew before it stops working.
    pub fn renew_deadline(&self) -> Duration {
        self.timing.renew_deadline.mul_f64(self.duration().as_secs_f64() / self.timing.duration.as_secs_f64())
    }

    pub fn step(&mut self, held: Option<&Lease>, now: Timestamp) -> Step {
        let held_before = std::mem::replace(&mut self.holds, true);
        let Some(held) = held else {
            return Step::Create(Lease { spec: Some(self.claim(now, now, 0)), ..Lease::default() });
        };
        let spec = held.spec.clone().unwrap_or_default();
        // Also when the clock was put back: nobody waits until it has caught up.
        if self.observed.as_ref().is_none_or(|(before, since)| *before != spec || *since > now) {
            self.observed = Some((spec.clone(), now));
        }
        let since = self.observed.as_ref().map_or(now, |(_, since)| *since);
        let holder = spec.holder_identity.as_deref().unwrap_or_default();
        let mine = holder == self.identity;
        let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let duration = seconds.map_or(self.timing.duration, Duration::from_secs);
        let left = duration.saturating_sub(now.duration_since(since).unsigned_abs());
        if !mine && !holder.is_empty() && !left.is_zero() {
            self.holds = false;
            return Step::Wait(left);
        }
        let transitions = spec.lease_transitions.unwrap_or(0);
        let claim = if mine && held_before {
            let acquired = spec.acquire_time.as_ref().map_or(now, |at| at.0);
            if now.duration_since(acquired).unsigned_abs() >= CALM {
                self.patience.forget();
            }
            self.claim(acquired, now, transitions)
        } else {
            self.claim(now, now, transitions + i32::from(!mine))
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
            lease_duration_seconds: Some(self.duration().as_secs() as i32),
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
            Step::Wait(_) => "-".to_owned(),
        }
    }

    fn taken(step: Step) -> Lease {
        match step {
            Step::Create(lease) | Step::Update(lease) => lease,
            Step::Wait(_) => panic!("expected a write"),
        }
    }

    #[test]
    fn a_missing_lease_is_created_and_renewed_by_its_holder() {
        let mut a = Election::new("a", Timing::default(), Patience::default());
        let lease = taken(a.step(None, at(0)));
        let renewed = taken(a.step(Some(&lease), at(2))).spec.unwrap();
        assert_eq!(renewed.acquire_time.unwrap().0, at(0));
        assert_eq!(renewed.renew_time.unwrap().0, at(2));
        assert_eq!(renewed.lease_transitions, Some(0));
    }

    #[test]
    fn a_follower_waits_for_the_whole_duration_after_the_last_change_it_saw() {
        let (mut a, mut b) = (
            Election::new("a", Timing::default(), Patience::default()),
            Election::new("b", Timing::default(), Patience::default()),
        );
        let lease = taken(a.step(None, at(0)));
        assert_eq!(holder(&b.step(Some(&lease), at(100))), "-"); // b's clock differs, and it saw the lease only now
        let renewed = taken(a.step(Some(&lease), at(2)));
        assert_eq!(holder(&b.step(Some(&renewed), at(110))), "-");
        assert_eq!(b.step(Some(&renewed), at(124)), Step::Wait(Duration::from_secs(1)));
        assert_eq!(b.step(Some(&renewed), at(60)), Step::Wait(Duration::from_secs(15)), "the clock was put back");
        assert_eq!(b.step(Some(&renewed), at(74)), Step::Wait(Duration::from_secs(1)));
        let step = b.step(Some(&renewed), at(75));
        assert_eq!(holder(&step), "b");
        assert_eq!(taken(step).spec.unwrap().lease_transitions, Some(1));
    }

    #[test]
    fn a_released_lease_is_taken_at_once() {
        let (mut a, mut b) = (
            Election::new("a", Timing::default(), Patience::default()),
            Election::new("b", Timing::default(), Patience::default()),
        );
        let lease = taken(a.step(None, at(0)));
        assert_eq!(b.release(&lease, at(1)), None);
        let free = a.release(&lease, at(1)).unwrap();
        assert_eq!(holder(&b.step(Some(&free), at(1))), "b");
    }

    #[test]
    fn who_loses_leases_claims_longer_ones_until_it_keeps_one() {
        let short = Timing {
            duration: Duration::from_secs(3),
            renew_deadline: Duration::from_millis(2400),
            retry: Duration::from_millis(500),
        };
        let seconds = |lease: &Lease| lease.spec.clone().unwrap().lease_duration_seconds.unwrap();
        let patience = Patience::default();
        let mut lease = taken(Election::new("a", short, patience.clone()).step(None, at(0)));
        assert_eq!(seconds(&lease), 3);
        for (tries, wanted) in [(1, 6), (2, 12), (3, 15), (4, 15)] {
            patience.grow();
            // It finds its own lease, which nobody else took, and holds it from now on.
            lease = taken(Election::new("a", short, patience.clone()).step(Some(&lease), at(100 * tries)));
            let spec = lease.spec.clone().unwrap();
            assert_eq!((seconds(&lease), spec.acquire_time.unwrap().0), (wanted, at(100 * tries)));
        }
        let mut keeper = Election::new("a", short, patience);
        lease = taken(keeper.step(Some(&lease), at(1000)));
        assert_eq!((seconds(&lease), keeper.renew_deadline()), (15, Duration::from_secs(12)));
        lease = taken(keeper.step(Some(&lease), at(1030)));
        assert_eq!(seconds(&lease), 15);
        lease = taken(keeper.step(Some(&lease), at(1060)));
        assert_eq!((seconds(&lease), keeper.renew_deadline()), (3, short.renew_deadline));
        // Others have learned nothing by it.
        let mut next = Election::new("b", short, Patience::default());
        next.step(Some(&lease), at(1060));
        assert_eq!(seconds(&taken(next.step(Some(&lease), at(1063)))), 3);
    }
}
