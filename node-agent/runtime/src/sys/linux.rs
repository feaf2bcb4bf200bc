//! [`Sys`] on a real kernel: mounts by descriptor, paths resolved by `openat2` below a root.

use super::{Attributes, Node, Overlay, Propagation, Resolve, Sys, mount};
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, mkdirat, mknodat, openat, openat2, symlinkat};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags,
    UnmountFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, mount_change, move_mount,
    open_tree, unmount,
};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Magic number of a proc file system, as statfs reports it.
const PROC_SUPER_MAGIC: i64 = 0x9fa0;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Linux;

impl Sys for Linux {
    fn open_in_root(&self, root: BorrowedFd<'_>, path: &Path, resolve: Resolve) -> io::Result<OwnedFd> {
        let relative = path.strip_prefix("/").unwrap_or(path);
        let relative = if relative.as_os_str().is_empty() { Path::new(".") } else { relative };
        let how = match resolve {
            Resolve::InRoot => ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
            Resolve::NoLinks => ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS,
        };
        Ok(openat2(root, relative, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), how)?)
    }

    fn create_at(&self, parent: BorrowedFd<'_>, name: &str, node: Node) -> io::Result<()> {
        match node {
            Node::Directory { mode } => mkdirat(parent, name, Mode::from_raw_mode(mode))?,
            Node::File { mode } => {
                let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::WRONLY;
                drop(openat(parent, name, flags, Mode::from_raw_mode(mode))?);
            }
            Node::CharDevice { major, minor, mode } => {
                let device = rustix::fs::makedev(major, minor);
                mknodat(parent, name, FileType::CharacterDevice, Mode::from_raw_mode(mode), device)?;
            }
            Node::BlockDevice { major, minor, mode } => {
                let device = rustix::fs::makedev(major, minor);
                mknodat(parent, name, FileType::BlockDevice, Mode::from_raw_mode(mode), device)?;
            }
        }
        Ok(())
    }

    fn symlink_at(&self, parent: BorrowedFd<'_>, name: &str, target: &str) -> io::Result<()> {
        Ok(symlinkat(target, parent, name)?)
    }

    fn is_directory(&self, fd: BorrowedFd<'_>) -> io::Result<bool> {
        Ok(FileType::from_raw_mode(rustix::fs::fstat(fd)?.st_mode) == FileType::Directory)
    }

    fn is_procfs(&self, fd: BorrowedFd<'_>) -> io::Result<bool> {
        Ok(rustix::fs::fstatfs(fd)?.f_type == PROC_SUPER_MAGIC)
    }

    fn clone_host_tree(&self, path: &Path, recursive: bool) -> io::Result<OwnedFd> {
        let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        if recursive {
            flags |= OpenTreeFlags::AT_RECURSIVE;
        }
        Ok(open_tree(CWD, path, flags)?)
    }

    fn clone_tree(&self, fd: BorrowedFd<'_>, recursive: bool) -> io::Result<OwnedFd> {
        let mut flags =
            OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
        if recursive {
            flags |= OpenTreeFlags::AT_RECURSIVE;
        }
        Ok(open_tree(fd, "", flags)?)
    }

    fn null_device(&self) -> io::Result<OwnedFd> {
        let fd = openat(CWD, "/dev/null", OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
        check_null(fd.as_fd())?;
        Ok(fd)
    }

    fn new_filesystem(&self, kind: &str, options: &[(&str, &str)], attributes: Attributes) -> io::Result<OwnedFd> {
        let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
        for (key, value) in options {
            if value.is_empty() {
                fsconfig_set_flag(context.as_fd(), *key)?;
            } else {
                fsconfig_set_string(context.as_fd(), *key, *value)?;
            }
        }
        fsconfig_create(context.as_fd())?;
        let mut flags = MountAttrFlags::empty();
        flags.set(MountAttrFlags::MOUNT_ATTR_RDONLY, attributes.read_only);
        flags.set(MountAttrFlags::MOUNT_ATTR_NOSUID, attributes.no_suid);
        flags.set(MountAttrFlags::MOUNT_ATTR_NODEV, attributes.no_dev);
        flags.set(MountAttrFlags::MOUNT_ATTR_NOEXEC, attributes.no_exec);
        Ok(fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, flags)?)
    }

    fn set_attributes(&self, mount: BorrowedFd<'_>, attributes: Attributes) -> io::Result<()> {
        mount::set_attributes(mount, attributes)
    }

    fn set_propagation(&self, mount: BorrowedFd<'_>, propagation: Propagation) -> io::Result<()> {
        mount::set_propagation(mount, propagation)
    }

    fn attach(&self, mount: BorrowedFd<'_>, target: BorrowedFd<'_>) -> io::Result<()> {
        let by_fd = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
        Ok(move_mount(mount, "", target, "", by_fd)?)
    }

    fn map_ids(&self, mount: BorrowedFd<'_>, users: BorrowedFd<'_>) -> io::Result<()> {
        mount::map_ids(mount, users)
    }

    fn attach_host(&self, mount: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let target = openat(CWD, path, flags, Mode::empty())?;
        self.attach(mount, target.as_fd())
    }

    fn isolate_mounts(&self) -> io::Result<()> {
        Ok(mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?)
    }

    fn mount_overlay(&self, overlay: Overlay<'_>) -> io::Result<OwnedFd> {
        // Lower folders are named relative to the working directory, or a deep image would not fit into the one page
        // that mount options may take.
        rustix::process::chdir(overlay.layers)?;
        let mut data = Vec::from(b"lowerdir=");
        data.extend(overlay.lowers.join(":").into_bytes());
        for (key, path) in [("upperdir", overlay.upper), ("workdir", overlay.work)] {
            data.extend(format!(",{key}=").into_bytes());
            data.extend(path.as_os_str().as_bytes());
        }
        // Nothing reads a writable layer after a crash of the machine. Without this the end of the container would wait
        // until the disk has everything that anybody wrote to its file system.
        data.extend(b",volatile");
        // A device node in the writable layer would give a way round the devices that the container was given.
        let data = CString::new(data)?;
        rustix::mount::mount("overlay", overlay.target, "overlay", MountFlags::NODEV, data.as_c_str())?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(openat(CWD, overlay.target, flags, Mode::empty())?)
    }

    fn pivot(&self, root: BorrowedFd<'_>) -> io::Result<()> {
        rustix::process::fchdir(root)?;
        rustix::process::pivot_root(".", ".")?;
        // The old root now lies on top of the new one; detached, nothing leads to it any more.
        unmount(".", UnmountFlags::DETACH)?;
        Ok(rustix::process::chdir("/")?)
    }
}

/// That a file is the null device and not what somebody put in its place.
pub(crate) fn check_null(fd: BorrowedFd<'_>) -> io::Result<()> {
    let stat = rustix::fs::fstat(fd)?;
    let is_null =
        FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == rustix::fs::makedev(1, 3);
    if is_null { Ok(()) } else { Err(io::Error::other("/dev/null is not the null device")) }
}
