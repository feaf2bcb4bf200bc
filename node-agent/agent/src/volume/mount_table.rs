//! What is mounted below a pod's folder, from the kernel's table. Removing a folder with a mount in it would delete
//! somebody else's files, so nothing is removed before this says that it is free.

use super::Error;
use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
use rustix::io::Errno;
use rustix::mount::{UnmountFlags, unmount};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// Of the thread, as tests have threads with mounts of their own.
const MOUNT_INFO: &str = "/proc/thread-self/mountinfo";

/// Mount points at or below `dir`, innermost first, under the names that the kernel has for them.
pub fn below(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let Some(dir) = real(dir)? else { return Ok(Vec::new()) };
    let text = fs::read_to_string(MOUNT_INFO).map_err(Error::io("cannot read", MOUNT_INFO))?;
    let mut found: Vec<PathBuf> = text.lines().filter_map(mount_point).filter(|p| p.starts_with(&dir)).collect();
    found.reverse(); // later mounts lie on top of earlier ones
    found.sort_by_key(|p| std::cmp::Reverse(p.components().count()));
    Ok(found)
}

/// Where the folder is, if it is: the way to it may lead over links, and the kernel's table knows none.
fn real(dir: &Path) -> Result<Option<PathBuf>, Error> {
    match fs::canonicalize(dir) {
        Ok(real) => Ok(Some(real)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("cannot find", dir)(error)),
    }
}

/// Whether something is mounted there. Asks about the one place, as the table is long on a node with many pods.
pub fn is_mount_point(dir: &Path) -> Result<bool, Error> {
    let found = match statx(CWD, dir, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty()) {
        Ok(found) => found,
        Err(Errno::NOENT) => return Ok(false),
        Err(error) => return Err(Error::errno("cannot look at", dir)(error)),
    };
    if found.stx_attributes_mask.contains(StatxAttributes::MOUNT_ROOT) {
        return Ok(found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT));
    }
    // Linux before 5.8 does not say.
    let real = real(dir)?;
    Ok(below(dir)?.into_iter().any(|point| Some(point) == real))
}

fn unmount_one(point: &Path) -> Result<(), Error> {
    unmount(point, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW).map_err(Error::errno("cannot unmount", point))
}

/// Unmounts what is mounted below `dir` at places, given from there, that are `chosen`.
pub fn unmount_below(dir: &Path, chosen: impl Fn(&Path) -> bool) -> Result<(), Error> {
    let Some(real) = real(dir)? else { return Ok(()) };
    let points = below(dir)?;
    points.iter().filter(|p| p.strip_prefix(&real).is_ok_and(&chosen)).try_for_each(|point| unmount_one(point))
}

/// Unmounts everything at or below `dir`, then removes it. Lazy unmounts: a process that still looks at the mount keeps
/// it alive until it ends, the name is free at once.
pub fn remove_dir(dir: &Path) -> Result<(), Error> {
    below(dir)?.iter().try_for_each(|point| unmount_one(point))?;
    if let Some(left) = below(dir)?.first() {
        let source = std::io::Error::from(ErrorKind::ResourceBusy);
        return Err(Error::Io { what: "still mounted:", path: left.clone(), source });
    }
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        other => other.map_err(Error::io("cannot remove", dir)),
    }
}

/// The fifth field, with its octal escapes undone.
fn mount_point(line: &str) -> Option<PathBuf> {
    let field = line.split(' ').nth(4)?;
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let octal = more.get(..3).and_then(|d| std::str::from_utf8(d).ok()).and_then(|d| u8::from_str_radix(d, 8).ok());
        if let (b'\\', Some(byte)) = (first, octal) {
            bytes.push(byte);
            rest = &more[3..];
        } else {
            bytes.push(*first);
            rest = more;
        }
    }
    Some(PathBuf::from(std::ffi::OsString::from_vec(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::fixture::with_own_mounts;

    #[test]
    fn escaped_mount_points_are_read() {
        let line = r"36 35 98:0 / /mnt/a\040b rw,noatime master:1 - ext3 /dev/root rw";
        assert_eq!(mount_point(line).unwrap(), Path::new("/mnt/a b"));
    }

    /// Removing through the mount would delete what is mounted, a volume with somebody's data.
    #[test]
    fn mounts_are_found_though_the_way_to_them_leads_over_a_link() {
        with_own_mounts(|| {
            let dir = tempfile::tempdir().unwrap();
            let (data, linked) = (dir.path().join("data"), dir.path().join("linked"));
            fs::create_dir_all(dir.path().join("real/pod/sub")).unwrap();
            fs::create_dir(&data).unwrap();
            fs::write(data.join("kept"), "").unwrap();
            std::os::unix::fs::symlink("real", &linked).unwrap();
            let sub = linked.join("pod/sub");
            assert!(!is_mount_point(&sub).unwrap() && !is_mount_point(&sub.join("none")).unwrap());
            rustix::mount::mount_bind(&data, &sub).unwrap();
            assert!(is_mount_point(&sub).unwrap());
            remove_dir(&linked.join("pod")).unwrap();
            assert!(data.join("kept").exists() && !linked.join("pod").exists());
        });
    }

    #[test]
    fn a_folder_without_mounts_is_removed_and_may_be_gone_already() {
        let dir = tempfile::tempdir().unwrap();
        let pod = dir.path().join("pod");
        fs::create_dir_all(pod.join("x/y")).unwrap();
        remove_dir(&pod).unwrap();
        assert!(!pod.exists());
        remove_dir(&pod).unwrap();
    }
}
