//! How much memory in huge pages a container may have.

use super::{CgroupError, Resources, Write, write};

/// Page sizes are file names: `2MB`, `1GB`.
fn sizes(resources: &Resources) -> Result<Vec<(&String, &u64)>, CgroupError> {
    let plain = |size: &str| size.bytes().all(|b| b.is_ascii_alphanumeric());
    match resources.hugepages.keys().find(|size| !plain(size)) {
        Some(bad) => Err(CgroupError::BadPath(bad.clone())),
        None => Ok(resources.hugepages.iter().collect()),
    }
}

pub(super) fn legacy(resources: &Resources) -> Result<Vec<Write>, CgroupError> {
    let one = |(size, limit): (&String, &u64)| write("hugetlb", format!("hugetlb.{size}.limit_in_bytes"), limit);
    Ok(sizes(resources)?.into_iter().map(one).collect())
}

pub(super) fn unified(resources: &Resources) -> Result<Vec<Write>, CgroupError> {
    let one = |(size, limit): (&String, &u64)| write("hugetlb", format!("hugetlb.{size}.max"), limit);
    Ok(sizes(resources)?.into_iter().map(one).collect())
}
