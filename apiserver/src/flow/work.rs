//! How many seats a request takes: a LIST those of what it has to hold at once, everything else one. Pure, but for the look
//! at the cache.
//! k8s: `apiserver/pkg/util/flowcontrol/request`, with SizeBasedListCostEstimate

use super::share::{Queuing, Share};
use crate::cache::{Caches, Weight};
use crate::request::{Request, Target, Verb};

const BYTES_PER_SEAT: u64 = 100_000;
/// What a list out of the cache holds at once: its items are shared and written as they go.
/// k8s: cacheWithStreamingMaxMemoryUsage
const CACHED_BYTES_MAX: u64 = 1_000_000;
/// k8s: MaximumListSeatsLimit
const SEATS_MAX: u32 = 100;
/// k8s: priorityLevelMaxSeatsPercent
const LEVEL_PERCENT_MAX: u64 = 15;

/// Where the objects of a list come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Cache,
    /// The history of the store: pages after the first, and exact revisions.
    Store,
}

/// What of a list costs.
#[derive(Clone, Copy, Debug)]
struct Asked {
    limit: u64,
    source: Source,
    picks: bool,
}

/// Seats that a request asks for.
pub(crate) fn seats(caches: &Caches, target: &Target) -> u32 {
    let Target::Resource(request) = target else { return 1 };
    let is_list = match request.verb {
        Verb::List => true,
        Verb::Watch => request.options.send_initial_events == Some(true),
        _ => false,
    };
    let is_single = || request.options.selection.single_name().is_some();
    if !is_list || is_single() {
        return 1;
    }
    // k8s: what nobody has counted (another server's objects) costs nothing here.
    let cache = request.kind.as_ref().and_then(|kind| caches.started(kind.as_ref()));
    cache.map_or(1, |cache| of_list(cache.weight(), Asked::of(request)))
}

impl Asked {
    fn of(request: &Request) -> Self {
        let options = &request.options;
        let is_exact = options.resource_version_match == Some(crate::request::RevisionMatch::Exact);
        let from_store = request.verb == Verb::List && (is_exact || !options.continue_token.is_empty());
        Self {
            limit: if options.limit == 0 { u64::MAX } else { options.limit as u64 },
            source: if from_store { Source::Store } else { Source::Cache },
            picks: !options.selection.is_everything(),
        }
    }
}

fn of_list(weight: Weight, asked: Asked) -> u32 {
    let Weight { objects, bytes } = weight;
    let limited = asked.limit.min(objects);
    let held = match asked.source {
        Source::Store if asked.picks => limited.max(objects / 2),
        Source::Store | Source::Cache => limited,
    };
    let bytes = held.saturating_mul(bytes.checked_div(objects).unwrap_or_default());
    let bytes = if asked.source == Source::Cache { bytes.min(CACHED_BYTES_MAX) } else { bytes };
    u32::try_from(bytes.div_ceil(BYTES_PER_SEAT)).map_or(SEATS_MAX, |seats| seats.clamp(1, SEATS_MAX))
}

/// The most that one request may take of a level's seats.
pub(super) fn widest(share: Share, queuing: Option<Queuing>) -> u32 {
    let Some(queuing) = queuing else { return SEATS_MAX };
    let nominal = u64::from(share.nominal);
    let most = (nominal * LEVEL_PERCENT_MAX).div_ceil(100).min(nominal / queuing.hand as u64);
    u32::try_from(most).map_or(SEATS_MAX, |most| most.clamp(1, SEATS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_takes_the_seats_of_what_it_holds_at_once() {
        let cached = Asked { limit: u64::MAX, source: Source::Cache, picks: false };
        let stored = Asked { source: Source::Store, ..cached };
        let many = Weight { objects: 10_000, bytes: 20_000_000 };
        for (weight, asked, seats) in [
            (Weight { objects: 0, bytes: 0 }, cached, 1),
            (Weight { objects: 10, bytes: 10_000 }, cached, 1),
            (Weight { objects: 300, bytes: 450_000 }, cached, 5),
            (many, cached, 10),
            (many, Asked { limit: 100, ..cached }, 2),
            (many, Asked { limit: 500, picks: true, ..cached }, 10),
            (many, stored, 100),
            (many, Asked { limit: 500, ..stored }, 10),
            (many, Asked { limit: 500, picks: true, ..stored }, 100),
        ] {
            assert_eq!(of_list(weight, asked), seats, "{weight:?} {asked:?}");
        }
    }

    /// The suggested levels of a server with 600 seats give a request ten of them at most, small ones fewer.
    #[test]
    fn no_request_takes_more_than_a_part_of_its_level() {
        let of = |nominal, hand| {
            let share = Share { nominal, least: nominal, most: nominal };
            widest(share, Some(Queuing { queues: 64, hand, length: 50 }))
        };
        assert_eq!([of(245, 6), of(98, 6), of(49, 6), of(74, 6), of(25, 4), of(1, 6)], [37, 15, 8, 12, 4, 1]);
        assert_eq!(widest(Share { nominal: 13, least: 13, most: 13 }, None), SEATS_MAX);
    }
}
