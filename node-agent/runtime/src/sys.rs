//! The seam between the runtime and the kernel: every call that changes what a container sees goes through [`Sys`], so
//! that the order of a container's set-up can be tested without root. Also the few wrappers that no crate has; these
//! files are the only ones with unsafe code. No policy lives here.

pub(crate) mod channel;
pub(crate) mod clock;
pub(crate) mod exe;
pub(crate) mod linux;
pub(crate) mod mount;
pub(crate) mod packet;
pub(crate) mod process;
pub(crate) mod register;
pub(crate) mod seccomp;

#[cfg(test)]
pub(crate) mod fake;

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

/// What a directory entry that is created by descriptor should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Node {
    Directory {
        mode: u32,
    },
    /// An empty regular file.
    File {
        mode: u32,
    },
    CharDevice {
        major: u32,
        minor: u32,
        mode: u32,
    },
    BlockDevice {
        major: u32,
        minor: u32,
        mode: u32,
    },
}

/// Attributes of a mount; what is false is left as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of a mount")]
pub(crate) struct Attributes {
    pub(crate) read_only: bool,
    pub(crate) no_suid: bool,
    pub(crate) no_dev: bool,
    pub(crate) no_exec: bool,
    pub(crate) recursive: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Propagation {
    Private,
    Slave,
    Shared,
}

/// How a path that a container controls is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resolve {
    /// Symbolic links are followed, and `..` and absolute links stay inside the root.
    InRoot,
    /// Any symbolic link on the way is an error.
    NoLinks,
}

/// An overlay mount; `lowers` are names relative to `layers`, the uppermost first, so that many fit into one page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Overlay<'a> {
    pub(crate) layers: &'a Path,
    pub(crate) lowers: &'a [String],
    pub(crate) upper: &'a Path,
    pub(crate) work: &'a Path,
    pub(crate) target: &'a Path,
}

/// The kernel, as a container's first process meets it. Nothing takes a path that a container could have changed but
/// relative to a descriptor of its root.
pub(crate) trait Sys {
    /// Opens `path` for use as a mount source or target (`O_PATH`), below `root`.
    fn open_in_root(&self, root: BorrowedFd<'_>, path: &Path, resolve: Resolve) -> io::Result<OwnedFd>;
    /// Creates `name`, a single component, in the folder `parent` and opens it; what exists already is an error.
    fn create_at(&self, parent: BorrowedFd<'_>, name: &str, node: Node) -> io::Result<()>;
    fn symlink_at(&self, parent: BorrowedFd<'_>, name: &str, target: &str) -> io::Result<()>;
    fn is_directory(&self, fd: BorrowedFd<'_>) -> io::Result<bool>;
    /// Whether the file lives on a proc file system.
    fn is_procfs(&self, fd: BorrowedFd<'_>) -> io::Result<bool>;
    /// A detached clone of the host's mount at `path`; symbolic links are followed.
    fn clone_host_tree(&self, path: &Path, recursive: bool) -> io::Result<OwnedFd>;
    /// A detached clone of the mount that `fd` is on, with `fd` as its root. That mount must be attached in the calling
    /// process's own mount namespace: kernels before 6.15 clone no other.
    fn clone_tree(&self, fd: BorrowedFd<'_>, recursive: bool) -> io::Result<OwnedFd>;
    /// The host's null device, checked to be it.
    fn null_device(&self) -> io::Result<OwnedFd>;
    /// A detached mount of a new instance of a file system.
    fn new_filesystem(&self, kind: &str, options: &[(&str, &str)], attributes: Attributes) -> io::Result<OwnedFd>;
    fn set_attributes(&self, mount: BorrowedFd<'_>, attributes: Attributes) -> io::Result<()>;
    fn set_propagation(&self, mount: BorrowedFd<'_>, propagation: Propagation) -> io::Result<()>;
    fn attach(&self, mount: BorrowedFd<'_>, target: BorrowedFd<'_>) -> io::Result<()>;
    /// Shows the ids of a detached mount's files as those of a user namespace, where its file system can.
    fn map_ids(&self, mount: BorrowedFd<'_>, users: BorrowedFd<'_>) -> io::Result<()>;
    /// Attaches a mount at a path of the host, in the calling process's own mount namespace.
    fn attach_host(&self, mount: BorrowedFd<'_>, path: &Path) -> io::Result<()>;
    /// Cuts the calling process's mounts off from the host's.
    fn isolate_mounts(&self) -> io::Result<()>;
    /// Mounts an overlay and opens its root.
    fn mount_overlay(&self, overlay: Overlay<'_>) -> io::Result<OwnedFd>;
    /// Makes `root` the root of the mount namespace and lets go of the old one.
    fn pivot(&self, root: BorrowedFd<'_>) -> io::Result<()>;
}
