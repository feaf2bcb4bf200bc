//! A node that says that it has more than it has refuses every pod it is given, and a new one is made for each: who is
//! refused again and again waits longer and longer. k8s makes them as fast as the API server goes.

use crate::pod;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use std::sync::Arc;

/// Refused pods that were made before are forgotten.
const REMEMBERED: SignedDuration = SignedDuration::from_mins(30);
/// So many are replaced at once: two schedulers may have met on a node.
const FREE: u32 = 3;
/// The delay doubles with each more, from a second to this.
const DELAY_SECS_MAX: i64 = 5 * 60;

/// When the next pod may be made, if it may not be made now.
pub(super) fn until(pods: &[Arc<Pod>], now: Timestamp) -> Option<Timestamp> {
    let made = pods.iter().filter(|pod| pod::is_refused(pod)).filter_map(|pod| pod::created(pod));
    let made: Vec<Timestamp> = made.filter(|made| *made + REMEMBERED > now).collect();
    let more = u32::try_from(made.len()).unwrap_or(u32::MAX).checked_sub(FREE)?;
    let delay = (1_i64 << more.min(20)).min(DELAY_SECS_MAX);
    let due = made.into_iter().max()? + SignedDuration::from_secs(delay);
    (due > now).then_some(due)
}
