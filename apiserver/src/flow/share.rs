//! How the server's seats are divided among its priority levels.

use k8s_openapi::api::flowcontrol::v1::PriorityLevelConfiguration;

/// What a limited level may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share {
    /// Its own seats.
    pub nominal: u32,
    /// It keeps as many, whoever else wants some.
    pub least: u32,
    /// With those that it borrows.
    pub most: u32,
}

/// Where requests of a level wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Queuing {
    pub queues: usize,
    pub hand: usize,
    pub length: usize,
}

/// What a level's object says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limits {
    Exempt,
    Limited {
        shares: u32,
        /// Percent of the nominal seats.
        lendable: u32,
        /// Percent of the nominal seats; `None`: as many as there are.
        borrowing: Option<u32>,
        /// `None`: what finds no seat is refused.
        queuing: Option<Queuing>,
    },
}

/// What is left out has been given its default before it was stored.
fn count(value: Option<i32>) -> u32 {
    u32::try_from(value.unwrap_or_default()).unwrap_or_default()
}

fn size(value: Option<i32>) -> usize {
    usize::try_from(value.unwrap_or_default()).unwrap_or_default().max(1)
}

impl Limits {
    pub(super) fn of(level: &PriorityLevelConfiguration) -> Self {
        if level.spec.type_ == "Exempt" {
            return Self::Exempt;
        }
        let limited = level.spec.limited.as_ref();
        let response = limited.map(|limited| &limited.limit_response);
        let queuing = response.filter(|response| response.type_ == "Queue").map(|response| {
            let given = response.queuing.as_ref();
            let (queues, hand) = (given.and_then(|given| given.queues), given.and_then(|given| given.hand_size));
            let length = given.and_then(|given| given.queue_length_limit);
            Queuing { queues: size(queues), hand: size(hand), length: size(length) }
        });
        let borrowing = limited.and_then(|limited| limited.borrowing_limit_percent);
        Self::Limited {
            shares: count(limited.and_then(|limited| limited.nominal_concurrency_shares)),
            lendable: count(limited.and_then(|limited| limited.lendable_percent)),
            borrowing: borrowing.map(|percent| count(Some(percent))),
            queuing,
        }
    }
}

/// Seats for each of `levels`, out of `total`. Exempt ones need none.
/// k8s: NominalCL, LendableCL and BorrowingCL of `PriorityLevelConfiguration`
pub(super) fn shares(total: u32, levels: &[Limits]) -> Vec<Option<Share>> {
    let sum: u64 = levels.iter().map(|level| u64::from(shares_of(level))).sum::<u64>().max(1);
    let share = |level: &Limits| {
        let Limits::Limited { shares, lendable, borrowing, .. } = *level else { return None };
        let nominal = narrow((u64::from(total) * u64::from(shares)).div_ceil(sum));
        let percent = |part: u32| narrow((u64::from(nominal) * u64::from(part) + 50) / 100);
        Some(Share {
            nominal,
            least: nominal.saturating_sub(percent(lendable)),
            most: borrowing.map_or(u32::MAX, |part| nominal.saturating_add(percent(part))),
        })
    };
    levels.iter().map(share).collect()
}

fn narrow(seats: u64) -> u32 {
    u32::try_from(seats).unwrap_or(u32::MAX)
}

fn shares_of(level: &Limits) -> u32 {
    match level {
        Limits::Exempt => 0,
        Limits::Limited { shares, .. } => *shares,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kinds::flowcontrol::bootstrap;
    use serde::Deserialize;

    /// The figures of upstream's documentation for 600 seats and the suggested levels.
    #[test]
    fn the_suggested_levels_divide_the_seats_as_upstream_does() {
        let levels = bootstrap::priority_levels();
        let levels = levels.iter().map(|level| PriorityLevelConfiguration::deserialize(level).unwrap());
        let levels: Vec<(String, Limits)> =
            levels.map(|level| (level.metadata.name.clone().unwrap(), Limits::of(&level))).collect();
        let limits: Vec<Limits> = levels.iter().map(|(_, limits)| *limits).collect();
        let shares = shares(600, &limits);
        let of = |name: &str| {
            let at = levels.iter().position(|(known, _)| known == name).unwrap();
            shares[at].map(|share| (share.nominal, share.nominal - share.least))
        };
        assert_eq!(of("exempt"), None);
        assert_eq!(of("catch-all"), Some((13, 0)));
        assert_eq!(of("system"), Some((74, 24)));
        assert_eq!(of("node-high"), Some((98, 25)));
        assert_eq!(of("leader-election"), Some((25, 0)));
        assert_eq!(of("workload-high"), Some((98, 49)));
        assert_eq!(of("workload-low"), Some((245, 221)));
        assert_eq!(of("global-default"), Some((49, 25)));
        let queuing = |at: usize| match limits[at] {
            Limits::Limited { queuing, .. } => queuing,
            Limits::Exempt => None,
        };
        assert_eq!(queuing(1), None);
        assert_eq!(queuing(2), Some(Queuing { queues: 64, hand: 6, length: 50 }));
    }

    #[test]
    fn a_level_lends_and_borrows_what_it_says() {
        let text = r#"{"metadata":{},"spec":{"type":"Limited","limited":{"nominalConcurrencyShares":10,"lendablePercent":50,
            "borrowingLimitPercent":20,"limitResponse":{"type":"Reject"}}}}"#;
        let modest = Limits::of(&serde_json::from_str(text).unwrap());
        let expected = Limits::Limited { shares: 10, lendable: 50, borrowing: Some(20), queuing: None };
        assert_eq!(modest, expected);
        assert_eq!(shares(100, &[modest]), [Some(Share { nominal: 100, least: 50, most: 120 })]);
    }
}
