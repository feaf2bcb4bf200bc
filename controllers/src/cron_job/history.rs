//! How many finished Jobs are kept.

use super::Seen;
use crate::job::{self, Finished};
use client::cache::Tracked as _;
use k8s_openapi::api::batch::v1::Job;
use std::sync::Arc;

/// The oldest finished Jobs beyond the limits. Without a limit all are kept.
pub(super) fn surplus(seen: &Seen) -> Vec<Arc<Job>> {
    let spec = &seen.cron.spec;
    let limits =
        [(Finished::Complete, spec.successful_jobs_history_limit), (Finished::Failed, spec.failed_jobs_history_limit)];
    limits.into_iter().flat_map(|(how, limit)| beyond(seen, how, limit)).collect()
}

fn beyond(seen: &Seen, how: Finished, limit: Option<i32>) -> Vec<Arc<Job>> {
    let Some(limit) = limit else { return Vec::new() };
    let mut finished: Vec<&Arc<Job>> = seen
        .jobs
        .iter()
        .filter(|job| !job.deleting() && job::finished(job).is_some_and(|(end, _)| end == how))
        .collect();
    finished.sort_by_key(|job| (started(job), job.metadata.name.clone()));
    let surplus = finished.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
    finished.into_iter().take(surplus).cloned().collect()
}

fn started(job: &Job) -> Option<jiff::Timestamp> {
    let started = job.status.as_ref().and_then(|status| status.start_time.as_ref());
    started.or(job.metadata.creation_timestamp.as_ref()).map(|time| time.0)
}
