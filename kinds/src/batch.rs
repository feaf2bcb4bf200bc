//! The group batch/v1: one file a kind.

pub(crate) mod cron_job;
pub(crate) mod job;
