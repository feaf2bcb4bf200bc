//! How many processes a container may have.

use super::{Resources, Write, write};

/// The same in both versions.
pub(super) fn both(resources: &Resources) -> Vec<Write> {
    resources.pids_max.map(|max| write("pids", "pids.max", max)).into_iter().collect()
}
