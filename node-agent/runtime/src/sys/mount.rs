//! `mount_setattr`, which no crate wraps.
#![expect(unsafe_code, reason = "a system call that no crate wraps")]

use super::{Attributes, Propagation};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

fn mount_setattr(mount: BorrowedFd<'_>, recursive: bool, attr: &libc::mount_attr) -> io::Result<()> {
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the descriptor is open, the path is an empty C string, and the structure lives through the call and has
    // the size that is passed; the kernel only reads it.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            std::ptr::from_ref(attr),
            size_of::<libc::mount_attr>(),
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn empty() -> libc::mount_attr {
    libc::mount_attr { attr_set: 0, attr_clr: 0, propagation: 0, userns_fd: 0 }
}

pub(crate) fn set_attributes(mount: BorrowedFd<'_>, attributes: Attributes) -> io::Result<()> {
    let mut attr = empty();
    for (wanted, flag) in [
        (attributes.read_only, libc::MOUNT_ATTR_RDONLY),
        (attributes.no_suid, libc::MOUNT_ATTR_NOSUID),
        (attributes.no_dev, libc::MOUNT_ATTR_NODEV),
        (attributes.no_exec, libc::MOUNT_ATTR_NOEXEC),
    ] {
        if wanted {
            attr.attr_set |= flag;
        }
    }
    if attr.attr_set == 0 {
        return Ok(());
    }
    mount_setattr(mount, attributes.recursive, &attr)
}

pub(crate) fn set_propagation(mount: BorrowedFd<'_>, propagation: Propagation) -> io::Result<()> {
    let mut attr = empty();
    attr.propagation = match propagation {
        Propagation::Private => libc::MS_PRIVATE,
        Propagation::Slave => libc::MS_SLAVE,
        Propagation::Shared => libc::MS_SHARED,
    };
    mount_setattr(mount, true, &attr)
}

/// The files below the mount are shown with the ids that the user namespace maps theirs to.
pub(crate) fn map_ids(mount: BorrowedFd<'_>, users: BorrowedFd<'_>) -> io::Result<()> {
    let mut attr = empty();
    attr.attr_set = libc::MOUNT_ATTR_IDMAP;
    attr.userns_fd = users.as_raw_fd() as u64;
    mount_setattr(mount, true, &attr)
}
