//! The tmpfs of a pod, in which its Secrets, tokens and what its API object says are files: none of it is written to a
//! disk, and all of it is gone with the pod.
//!
//! One for a pod, and not one for a volume: almost every pod has a volume with a token and most have no other, mounts are
//! copied with every container's start, and one unmount ends all. Not one for the node: a process that may open files by
//! handle reaches all of a file system, which must be its own pod's.

use super::Error;
use super::atomic::DATA;
use super::mount_table::{self, is_mount_point};
use crate::pod::member::{spec, uid};
use crate::pod::sandbox::Places;
use k8s_openapi::api::core::v1::{Pod, Volume};
use rustix::io::Errno;
use rustix::mount::{MountFlags, mount};
use std::fs;
use std::path::{Path, PathBuf};

/// The first Linux whose tmpfs can be shown with other owners, which a pod with users of its own needs.
const MAPPED_SINCE: (u32, u32) = (6, 3);

/// Where the volume is, if it belongs into memory; `kind` is how its folder is called.
pub(super) fn dir(pod: &Pod, volume: &Volume, kind: &str, places: &Places) -> Option<PathBuf> {
    // k8s: ConfigMaps lie on the disk.
    if volume.secret.is_none() && volume.downward_api.is_none() && volume.projected.is_none() {
        return None;
    }
    if spec(pod).host_users == Some(false) && !is_since(&release(), MAPPED_SINCE) {
        return None;
    }
    let on_disk = places.volume(uid(pod), kind, &volume.name);
    // An earlier version of the agent put it there, and containers have it mounted.
    if fs::symlink_metadata(on_disk.join(DATA)).is_ok() {
        return None;
    }
    Some(places.in_memory(uid(pod)).join(on_disk.strip_prefix(places.volumes(uid(pod))).unwrap_or(&on_disk)))
}

/// Mounts the pod's tmpfs, unless this agent or an earlier one has.
pub(super) fn set_up(pod_uid: &str, places: &Places) -> Result<(), Error> {
    let dir = places.in_memory(pod_uid);
    fs::create_dir_all(&dir).map_err(Error::io("cannot create", &dir))?;
    if is_mount_point(&dir)? {
        return Ok(());
    }
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    let made = match mount("tmpfs", &dir, "tmpfs", flags, c"mode=0755,noswap") {
        // Linux before 6.4 does not know the option.
        Err(Errno::INVAL) => mount("tmpfs", &dir, "tmpfs", flags, c"mode=0755"),
        made => made,
    };
    made.map_err(Error::errno("cannot mount a tmpfs on", &dir))
}

/// Unmounts what pods had in memory, and binds of parts of their volumes, where no pod runs any more: the machine gets its
/// memory back, and the folder can be removed. Volumes that others have mounted, drivers, are theirs.
pub fn unmount_all(data_dir: &Path) -> Result<(), Error> {
    let pods = data_dir.join("pods");
    let own = |at: &Path| {
        let mut parts = at.components().map(|part| part.as_os_str().to_string_lossy());
        match (parts.next().as_deref(), parts.next().as_deref()) {
            (Some("volume-subpaths"), _) => true,
            (Some("volumes"), second) => matches!(second, Some("in-memory" | "kubernetes.io~empty-dir")),
            _ => false,
        }
    };
    mount_table::unmount_below(&pods, |at| own(&at.components().skip(1).collect::<PathBuf>()))
}

fn release() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

/// Whether a kernel's release, such as `6.1.0-18-amd64`, is that version or a later one.
fn is_since(release: &str, version: (u32, u32)) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|digits| digits.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= version
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_by_their_first_two_numbers() {
        for (release, is) in [("6.3.0", true), ("6.12.1-x86_64", true), ("7.0-rc1", true), ("6.1.0-18-amd64", false)] {
            assert_eq!(is_since(release, MAPPED_SINCE), is, "{release}");
        }
        assert!(!is_since("", MAPPED_SINCE));
    }
}
