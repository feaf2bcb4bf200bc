//! What is mounted below a pod's folder, from `/proc/self/mountinfo`. Removing a folder with a mount in it would delete
//! somebody else's files, so nothing is removed before this says that it is free.

use super::Error;
use rustix::mount::{UnmountFlags, unmount};
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

const MOUNT_INFO: &str = "/proc/self/mountinfo";

/// Mount points at or below `dir`, innermost first.
pub fn below(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let text = fs::read_to_string(MOUNT_INFO).map_err(Error::io("cannot read", MOUNT_INFO))?;
    let mut found: Vec<PathBuf> = text.lines().filter_map(mount_point).filter(|p| p.starts_with(dir)).collect();
    found.reverse(); // later mounts lie on top of earlier ones
    found.sort_by_key(|p| std::cmp::Reverse(p.components().count()));
    Ok(found)
}

pub fn is_mount_point(dir: &Path) -> Result<bool, Error> {
    Ok(below(dir)?.iter().any(|p| p == dir))
}

/// Unmounts everything at or below `dir`, then removes it. Lazy unmounts: a process that still looks at the mount keeps
/// it alive until it ends, the name is free at once.
pub fn remove_dir(dir: &Path) -> Result<(), Error> {
    for point in below(dir)? {
        unmount(&point, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW)
            .map_err(Error::errno("cannot unmount", &point))?;
    }
    if let Some(left) = below(dir)?.first() {
        let source = std::io::Error::from(std::io::ErrorKind::ResourceBusy);
        return Err(Error::Io { what: "still mounted:", path: left.clone(), source });
    }
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
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

    #[test]
    fn escaped_mount_points_are_read() {
        let line = r"36 35 98:0 / /mnt/a\040b rw,noatime master:1 - ext3 /dev/root rw";
        assert_eq!(mount_point(line).unwrap(), Path::new("/mnt/a b"));
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
