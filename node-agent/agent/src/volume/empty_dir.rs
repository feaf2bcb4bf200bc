//! emptyDir: a folder on disk, or a tmpfs with a size.

use super::Error;
use super::mount_table;
use crate::quantity::whole;
use k8s_openapi::api::core::v1::EmptyDirVolumeSource;
use rustix::mount::{MountFlags, mount};
use std::ffi::CString;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

/// k8s: any user of the pod may write; with an fsGroup its group inherits.
const MODE: u32 = 0o777;
const SET_GROUP_ID: u32 = 0o2000;

/// Makes the folder, and mounts the tmpfs unless it is mounted already.
pub fn set_up(dir: &Path, source: &EmptyDirVolumeSource, memory_limit: i64, group: Option<u32>) -> Result<(), Error> {
    fs::create_dir_all(dir).map_err(Error::io("cannot create", dir))?;
    let in_memory = match source.medium.as_deref() {
        None | Some("") => false,
        Some("Memory") => true,
        Some(medium) if medium == "HugePages" || medium.starts_with("HugePages-") => {
            if !mount_table::is_mount_point(dir)? {
                mount_huge_pages(dir, medium, source)?;
            }
            false
        }
        Some(other) => return Err(Error::Unsupported { kind: format!("emptyDir with medium {other}") }),
    };
    if in_memory && !mount_table::is_mount_point(dir)? {
        let options = tmpfs_options(source, memory_limit);
        let options = CString::new(options).expect("digits and letters hold no zero byte");
        mount("tmpfs", dir, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, Some(options.as_c_str()))
            .map_err(Error::errno("cannot mount a tmpfs on", dir))?;
    }
    let extra = if group.is_some() { SET_GROUP_ID } else { 0 };
    if group.is_some() {
        chown(dir, None, group).map_err(Error::io("cannot change the owner of", dir))?;
    }
    let mode = source.mode.map_or(MODE, |m| m as u32) | extra;
    fs::set_permissions(dir, fs::Permissions::from_mode(mode)).map_err(Error::io("cannot set the mode of", dir))
}

/// k8s: `HugePages` where the pod uses one size of them, `HugePages-2Mi` where it says which.
fn mount_huge_pages(dir: &Path, medium: &str, source: &EmptyDirVolumeSource) -> Result<(), Error> {
    let mut options = Vec::new();
    if let Some(size) = medium.strip_prefix("HugePages-") {
        options.push(format!("pagesize={}", size.trim_end_matches('i')));
    }
    if let Some(limit) = source.size_limit.as_ref().map(whole).filter(|size| *size > 0) {
        options.push(format!("size={limit}"));
    }
    let options = CString::new(options.join(","))
        .map_err(|_| Error::Unsupported { kind: format!("emptyDir with medium {medium}") })?;
    mount("nodev", dir, "hugetlbfs", MountFlags::NOSUID | MountFlags::NODEV, Some(options.as_c_str()))
        .map_err(Error::errno("cannot mount huge pages on", dir))
}

/// k8s: the smaller of the volume's limit and the pod's memory limit; a pod without either may fill half the memory.
fn tmpfs_options(source: &EmptyDirVolumeSource, memory_limit: i64) -> String {
    let own = source.size_limit.as_ref().map(whole).filter(|size| *size > 0);
    let limit = Some(memory_limit).filter(|size| *size > 0);
    match own.into_iter().chain(limit).min() {
        Some(bytes) => format!("mode=0777,size={bytes}"),
        None => "mode=0777".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

    #[test]
    fn the_smaller_limit_sizes_a_tmpfs() {
        let source = |size: Option<&str>| EmptyDirVolumeSource {
            size_limit: size.map(|s| Quantity(s.to_owned())),
            ..EmptyDirVolumeSource::default()
        };
        assert_eq!(tmpfs_options(&source(Some("1Mi")), 0), "mode=0777,size=1048576");
        assert_eq!(tmpfs_options(&source(Some("1Mi")), 4096), "mode=0777,size=4096");
        assert_eq!(tmpfs_options(&source(None), 4096), "mode=0777,size=4096");
        assert_eq!(tmpfs_options(&source(None), 0), "mode=0777");
    }

    #[test]
    fn a_disk_volume_is_writable_by_all() {
        let dir = tempfile::tempdir().unwrap();
        let volume = dir.path().join("v");
        set_up(&volume, &EmptyDirVolumeSource::default(), 0, None).unwrap();
        assert_eq!(fs::metadata(&volume).unwrap().permissions().mode() & 0o7777, 0o777);
    }
}
