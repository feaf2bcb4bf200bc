//! Which processors and memory nodes a container may use.

use super::{Resources, Write, write};

/// The same in both versions.
pub(super) fn both(resources: &Resources) -> Vec<Write> {
    let cpus = resources.cpuset_cpus.as_ref().map(|list| write("cpuset", "cpuset.cpus", list));
    let mems = resources.cpuset_mems.as_ref().map(|list| write("cpuset", "cpuset.mems", list));
    cpus.into_iter().chain(mems).collect()
}
