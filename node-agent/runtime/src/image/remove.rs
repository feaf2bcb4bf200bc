//! Removing trees whose content nobody vouches for: by descriptor, following no link.

use rustix::fs::{AtFlags, Dir, Mode, OFlags, openat, unlinkat};
use std::ffi::OsStr;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Deeper trees are left to fail: the kernel's own limit on paths is lower.
const DEPTH_MAX: usize = 2048;

/// Removes `name` in the folder `parent`, with all that is in it. What is not there is removed already.
pub(crate) fn tree(parent: BorrowedFd<'_>, name: &Path) -> rustix::io::Result<()> {
    remove(parent, name.as_os_str(), 0)
}

fn remove(parent: BorrowedFd<'_>, name: &OsStr, depth: usize) -> rustix::io::Result<()> {
    match unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => return Ok(()),
        Err(rustix::io::Errno::ISDIR) => {}
        Err(e) => return Err(e),
    }
    if depth >= DEPTH_MAX {
        return Err(rustix::io::Errno::LOOP);
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = openat(parent, name, flags, Mode::empty())?;
    // Names are read before anything is removed: a folder that changes while it is read may skip some.
    let mut names = Vec::new();
    for entry in Dir::read_from(&folder)? {
        let entry = entry?;
        let bytes = entry.file_name().to_bytes();
        if bytes != b"." && bytes != b".." {
            names.push(OsStr::from_bytes(bytes).to_owned());
        }
    }
    for name in names {
        remove(std::os::fd::AsFd::as_fd(&folder), &name, depth + 1)?;
    }
    match unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
        Err(e) => Err(e),
    }
}

/// Removes the tree at a path of our own folders.
pub(crate) fn path(path: &Path) -> io::Result<()> {
    Ok(tree(rustix::fs::CWD, path)?)
}
