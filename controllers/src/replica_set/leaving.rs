//! Pods whose eviction waits for their replacement: they are there beside the number that is wanted, and of what is available
//! they count only for what their replacements lack, so that nobody plans with both.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kinds::opt_in::surge::{self, Leave, PATIENCE};
use std::sync::Arc;

pub(super) fn is(pod: &Pod, now: Timestamp) -> bool {
    since(pod, now).is_some()
}

fn since(pod: &Pod, now: Timestamp) -> Option<Timestamp> {
    match surge::leave(pod, now) {
        Leave::Leaves { since } => Some(since),
        Leave::Stays | Leave::Overdue => None,
    }
}

/// When the first of the marks is void.
pub(super) fn next_void(leaving: &[&Arc<Pod>], now: Timestamp) -> Option<Timestamp> {
    leaving.iter().filter_map(|pod| since(pod, now)?.checked_add(PATIENCE).ok()).min()
}

/// How many pods count as available, of those that stay and those that leave.
pub(super) fn available(staying: usize, leaving: usize, wanted: i32) -> usize {
    let missing = usize::try_from(wanted).unwrap_or(0).saturating_sub(staying);
    staying + leaving.min(missing)
}
