//! The program that supervisors run, out of containers' reach. A supervisor's child is for a moment this program inside
//! a container, which can open it as /proc/self/exe; reached through a read-only file system of its own, it cannot be
//! opened for writing there, whatever the container's rights.

use super::{Attributes, Sys, linux::Linux};
use rustix::fs::{Mode, OFlags, openat};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// Opens `program` for execution through an overlay without upper layer. `empty` is any empty folder: an overlay that
/// cannot be written to must have two layers.
pub(crate) fn sealed(program: &Path, empty: &Path) -> io::Result<OwnedFd> {
    let name = program.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let folder = program.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let attributes = Attributes { read_only: true, no_suid: true, no_dev: true, ..Attributes::default() };
    let layers = format!("{}:{}", folder.display(), empty.display());
    let mounted = Linux.new_filesystem("overlay", &[("lowerdir", &layers)], attributes);
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    match mounted {
        Ok(mount) => Ok(openat(mount.as_fd(), name, flags, Mode::empty())?),
        Err(error) => {
            // A path too long for the mount call, or no overlayfs: a read-only view of the folder is the next best.
            tracing::debug!(%error, "program is sealed by a bind mount");
            let tree = Linux.clone_host_tree(folder, false)?;
            Linux.set_attributes(tree.as_fd(), attributes)?;
            Ok(openat(tree.as_fd(), name, flags, Mode::empty())?)
        }
    }
}
