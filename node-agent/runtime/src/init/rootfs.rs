//! A container's file tree: the overlay, /proc, /dev and /sys, what the pod mounts, and what is masked. Everything
//! below the root is reached by descriptor from the root's descriptor, and mounted detached mount on descriptor, so a
//! link planted in an image or volume leads nowhere else. Runs in the container's own mount namespace before the root
//! is changed.

use crate::plan::{
    CgroupPlan, ContainerPlan, DevicePlan, IMAGE_MOUNT, MAPPED_LAYERS, MAPPED_SELF, MountPlan, MountSource,
    PropagationPlan, ROOTFS, UPPER, WORK,
};
use crate::sys::{Attributes, Node, Overlay, Propagation, Resolve, Sys};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use thiserror::Error;

#[derive(Debug, Error)]
pub(crate) enum RootfsError {
    #[error("cannot {what}")]
    Kernel { what: String, source: io::Error },
    #[error("mount source {0:?} does not exist")]
    NoSource(PathBuf),
    #[error("mount target {0:?} lies in the container's /proc")]
    InProc(PathBuf),
    #[error("{0:?} is not a path that can be mounted on")]
    BadTarget(PathBuf),
}

/// Adds what was being done to a kernel error.
fn doing(what: impl Into<String>) -> impl FnOnce(io::Error) -> RootfsError {
    let what = what.into();
    |source| RootfsError::Kernel { what, source }
}

/// Devices that every container has: name, major, minor.
const DEVICES: [(&str, u32, u32); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

/// The group `tty` everywhere.
const TERMINALS_GROUP: u32 = 5;

const NO_EXEC: Attributes =
    Attributes { read_only: false, no_suid: true, no_dev: true, no_exec: true, recursive: false };

/// Mounted images may hold programs to run, but no devices and nothing that changes the user.
const IMAGE: Attributes = Attributes { read_only: true, no_suid: true, no_dev: true, no_exec: false, recursive: false };

/// Builds the tree and returns its root, and the container's terminal devices for a process that wants one.
///
/// `users` is the pod's user namespace: what is mounted is then shown with its ids.
pub(crate) fn build(
    sys: &impl Sys,
    plan: &ContainerPlan,
    shm: Option<&Path>,
    users: Option<BorrowedFd<'_>>,
) -> Result<Built, RootfsError> {
    // Sources first: they are the host's mounts, and sharing with the host ends with the next line.
    let sources = plan.mounts.iter().map(|m| source(sys, m, users)).collect::<Result<Vec<_>, _>>()?;
    let shm = shm.map(|path| sys.clone_host_tree(path, false)).transpose().map_err(doing("open the pod's /dev/shm"))?;
    sys.isolate_mounts().map_err(doing("isolate mounts from the host"))?;
    let (layers, own) = match users {
        Some(users) => map_folders(sys, plan, users)?,
        None => (plan.rootfs.layers.clone(), plan.dir.clone()),
    };
    let root = sys
        .mount_overlay(Overlay {
            layers: &layers,
            lowers: &plan.rootfs.lowers,
            upper: &own.join(UPPER),
            work: &own.join(WORK),
            target: &plan.dir.join(ROOTFS),
        })
        .map_err(doing("mount the container's root"))?;
    let at = Tree { sys, root: root.as_fd() };
    let proc = sys.new_filesystem("proc", &[], NO_EXEC).map_err(doing("make /proc"))?;
    at.attach(proc.as_fd(), Path::new("/proc"))?;
    let terminals = dev(&at, plan, shm)?;
    sysfs(&at, plan)?;
    for (mount, tree) in plan.mounts.iter().zip(sources) {
        at.mount(mount, tree, &plan.dir)?;
    }
    if !plan.privileged {
        mask(&at, plan)?;
    }
    if plan.rootfs.read_only {
        let read_only = Attributes { read_only: true, ..Attributes::default() };
        sys.set_attributes(root.as_fd(), read_only).map_err(doing("make the root read-only"))?;
    }
    Ok(Built { root, terminals })
}

/// Opens the folder `path` below `root`, creating what is missing of it.
pub(crate) fn ensure_directory(sys: &impl Sys, root: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, RootfsError> {
    Tree { sys, root }.ensure(path, Kind::Directory, Resolve::InRoot)
}

#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) root: OwnedFd,
    /// The devpts instance, as a mount.
    pub(crate) terminals: OwnedFd,
}

/// A detached clone of what a mount shows; images are mounted later, by overlay.
fn source(sys: &impl Sys, mount: &MountPlan, users: Option<BorrowedFd<'_>>) -> Result<Option<OwnedFd>, RootfsError> {
    let MountSource::Host(path) = &mount.source else { return Ok(None) };
    match sys.clone_host_tree(path, true) {
        Ok(fd) => {
            if let Some(users) = users {
                let what = format!("map ids of {} (its file system may not support it)", path.display());
                sys.map_ids(fd.as_fd(), users).map_err(doing(what))?;
            }
            Ok(Some(fd))
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => Err(RootfsError::NoSource(path.clone())),
        Err(e) => Err(doing(format!("open mount source {}", path.display()))(e)),
    }
}

/// The image's layers and the container's own folder as the pod's users see them, mounted in the container's folder.
fn map_folders(sys: &impl Sys, plan: &ContainerPlan, users: BorrowedFd<'_>) -> Result<(PathBuf, PathBuf), RootfsError> {
    let map = |from: &Path, to: PathBuf| {
        let what = || format!("map ids of {} (its file system may not support it)", from.display());
        let tree = sys.clone_host_tree(from, false).map_err(|e| doing(what())(e))?;
        sys.map_ids(tree.as_fd(), users).map_err(|e| doing(what())(e))?;
        sys.attach_host(tree.as_fd(), &to).map_err(|e| doing(what())(e))?;
        Ok(to)
    };
    let own = map(&plan.dir, plan.dir.join(MAPPED_SELF))?;
    Ok((map(&plan.rootfs.layers, plan.dir.join(MAPPED_LAYERS))?, own))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Directory,
    File,
}

/// The container's tree while it is built.
struct Tree<'a, S> {
    sys: &'a S,
    root: BorrowedFd<'a>,
}

impl<S: Sys> Tree<'_, S> {
    /// Opens `path`, creating what is missing of it. Existing links are followed inside the root; a link to nothing is
    /// an error, because creating its target is not what anybody asked for.
    fn ensure(&self, path: &Path, kind: Kind, resolve: Resolve) -> Result<OwnedFd, RootfsError> {
        match self.sys.open_in_root(self.root, path, resolve) {
            Ok(fd) => return Ok(fd),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(doing(format!("open {} in the container", path.display()))(e)),
        }
        let names = names(path)?;
        let mut walked = PathBuf::from("/");
        let mut parent = self.open(&walked)?;
        for (i, name) in names.iter().enumerate() {
            walked.push(name);
            let next = match self.sys.open_in_root(self.root, &walked, resolve) {
                Ok(fd) => fd,
                Err(e) if e.kind() == io::ErrorKind::NotFound => {
                    let last = i + 1 == names.len();
                    let node = match kind {
                        Kind::File if last => Node::File { mode: 0o644 },
                        Kind::File | Kind::Directory => Node::Directory { mode: 0o755 },
                    };
                    let what = || format!("create {} in the container", walked.display());
                    self.sys.create_at(parent.as_fd(), name, node).map_err(|e| doing(what())(e))?;
                    self.sys
                        .open_in_root(parent.as_fd(), Path::new(name), Resolve::NoLinks)
                        .map_err(|e| doing(what())(e))?
                }
                Err(e) => return Err(doing(format!("open {} in the container", walked.display()))(e)),
            };
            parent = next;
        }
        Ok(parent)
    }

    fn open(&self, path: &Path) -> Result<OwnedFd, RootfsError> {
        self.sys
            .open_in_root(self.root, path, Resolve::InRoot)
            .map_err(doing(format!("open {} in the container", path.display())))
    }

    /// Mounts what every container has. An image that has a link in such a place gets an error, not a mount elsewhere.
    fn attach(&self, mount: BorrowedFd<'_>, path: &Path) -> Result<(), RootfsError> {
        let target = self.ensure(path, Kind::Directory, Resolve::NoLinks)?;
        self.sys.attach(mount, target.as_fd()).map_err(doing(format!("mount {}", path.display())))
    }

    /// One of the pod's mounts; `own` is the container's folder on the host.
    fn mount(&self, mount: &MountPlan, tree: Option<OwnedFd>, own: &Path) -> Result<(), RootfsError> {
        let what = || format!("mount {}", mount.target.display());
        let tree = match (tree, &mount.source) {
            (Some(tree), _) => tree,
            (None, MountSource::Image { lowers, sub_path }) => self.image(mount, lowers, sub_path, own)?,
            (None, MountSource::Host(path)) => return Err(RootfsError::NoSource(path.clone())),
        };
        let propagation = match mount.propagation {
            PropagationPlan::Private => Propagation::Private,
            PropagationPlan::HostToContainer => Propagation::Slave,
            PropagationPlan::Bidirectional => Propagation::Shared,
        };
        self.sys.set_propagation(tree.as_fd(), propagation).map_err(|e| doing(what())(e))?;
        let attributes = Attributes {
            read_only: mount.read_only,
            no_suid: mount.barred.set_user_id,
            no_dev: mount.barred.devices,
            no_exec: mount.barred.programs,
            recursive: mount.recursive_read_only,
        };
        if attributes != Attributes::default() {
            self.sys.set_attributes(tree.as_fd(), attributes).map_err(|e| doing(what())(e))?;
        }
        let directory = self.sys.is_directory(tree.as_fd()).map_err(|e| doing(what())(e))?;
        let kind = if directory { Kind::Directory } else { Kind::File };
        let target = self.ensure(&mount.target, kind, Resolve::InRoot)?;
        // A file of /proc that lies about the process is how several runtimes were broken out of.
        if self.sys.is_procfs(target.as_fd()).map_err(|e| doing(what())(e))? {
            return Err(RootfsError::InProc(mount.target.clone()));
        }
        self.sys.attach(tree.as_fd(), target.as_fd()).map_err(|e| doing(what())(e))
    }

    /// The content of an image, read-only. Layers are named relative to the folder of layers, which has been the working
    /// directory since the root was mounted.
    fn image(&self, mount: &MountPlan, lowers: &[String], sub_path: &Path, own: &Path) -> Result<OwnedFd, RootfsError> {
        let what = || format!("mount the image for {}", mount.target.display());
        // One layer is shown as it is; several need an overlay, whose options name each layer in full.
        let tree = if let [only] = lowers {
            let tree = self.sys.clone_host_tree(Path::new(only), false).map_err(|e| doing(what())(e))?;
            self.sys.set_attributes(tree.as_fd(), IMAGE).map_err(|e| doing(what())(e))?;
            tree
        } else {
            let joined = lowers.join(":");
            let options = [("lowerdir", joined.as_str())];
            self.sys.new_filesystem("overlay", &options, IMAGE).map_err(|e| doing(what())(e))?
        };
        if sub_path.as_os_str().is_empty() {
            return Ok(tree);
        }
        // Before Linux 6.15 only what is attached somewhere can be cloned; the host's side of it goes with the old root.
        self.sys.attach_host(tree.as_fd(), &own.join(IMAGE_MOUNT)).map_err(|e| doing(what())(e))?;
        let inside = self.sys.open_in_root(tree.as_fd(), sub_path, Resolve::NoLinks).map_err(|e| doing(what())(e))?;
        self.sys.clone_tree(inside.as_fd(), false).map_err(|e| doing(what())(e))
    }
}

/// The components of an absolute path; `..` has no business in a mount target.
fn names(path: &Path) -> Result<Vec<&str>, RootfsError> {
    let bad = || RootfsError::BadTarget(path.to_owned());
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::RootDir | Component::CurDir => {}
            Component::Normal(name) => names.push(name.to_str().ok_or_else(bad)?),
            Component::ParentDir | Component::Prefix(_) => return Err(bad()),
        }
    }
    Ok(names)
}

/// /dev: a tmpfs that is filled before anybody can reach it, with terminals, queues and shared memory.
fn dev<S: Sys>(at: &Tree<'_, S>, plan: &ContainerPlan, shm: Option<OwnedFd>) -> Result<OwnedFd, RootfsError> {
    let sys = at.sys;
    let attributes = Attributes { no_suid: true, no_exec: true, ..Attributes::default() };
    let root = plan.users.map_or(0, |r| r.host_id);
    let owner = root.to_string();
    let options = [("mode", "755"), ("size", "65536k"), ("uid", owner.as_str()), ("gid", owner.as_str())];
    let dev = sys.new_filesystem("tmpfs", &options, attributes).map_err(doing("make /dev"))?;
    for (name, major, minor) in DEVICES {
        let node = Node::CharDevice { major, minor, mode: 0o666 };
        sys.create_at(dev.as_fd(), name, node).map_err(doing(format!("create /dev/{name}")))?;
    }
    for (name, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
    ] {
        sys.symlink_at(dev.as_fd(), name, target).map_err(doing(format!("create /dev/{name}")))?;
    }
    for name in ["pts", "shm", "mqueue"] {
        let node = Node::Directory { mode: 0o755 };
        sys.create_at(dev.as_fd(), name, node).map_err(doing(format!("create /dev/{name}")))?;
    }
    for device in &plan.devices {
        device_node(sys, dev.as_fd(), device)?;
    }
    at.attach(dev.as_fd(), Path::new("/dev"))?;
    let terminals_group = (root + TERMINALS_GROUP).to_string();
    let options = [("newinstance", ""), ("ptmxmode", "0666"), ("mode", "0620"), ("gid", terminals_group.as_str())];
    let no_exec = Attributes { no_suid: true, no_exec: true, ..Attributes::default() };
    let terminals = sys.new_filesystem("devpts", &options, no_exec).map_err(doing("make /dev/pts"))?;
    at.attach(terminals.as_fd(), Path::new("/dev/pts"))?;
    let queues = sys.new_filesystem("mqueue", &[], NO_EXEC).map_err(doing("make /dev/mqueue"))?;
    at.attach(queues.as_fd(), Path::new("/dev/mqueue"))?;
    if let Some(shm) = shm {
        at.attach(shm.as_fd(), Path::new("/dev/shm"))?;
    }
    Ok(terminals)
}

/// A device that the pod asked for, made in the still detached /dev. Devices elsewhere are refused: the root does not
/// take device nodes.
fn device_node<S: Sys>(sys: &S, dev: BorrowedFd<'_>, device: &DevicePlan) -> Result<(), RootfsError> {
    let bad = || RootfsError::BadTarget(device.target.clone());
    let below = device.target.strip_prefix("/dev").map_err(|_| bad())?;
    let names = names(below)?;
    let (last, folders) = names.split_last().ok_or_else(bad)?;
    let what = || format!("create {}", device.target.display());
    let mut held: Option<OwnedFd> = None;
    for folder in folders {
        let parent = held.as_ref().map_or(dev, AsFd::as_fd);
        match sys.create_at(parent, folder, Node::Directory { mode: 0o755 }) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(doing(what())(e)),
        }
        held = Some(sys.open_in_root(parent, Path::new(folder), Resolve::NoLinks).map_err(|e| doing(what())(e))?);
    }
    let (major, minor, mode) = (device.major, device.minor, device.mode);
    let node =
        if device.block { Node::BlockDevice { major, minor, mode } } else { Node::CharDevice { major, minor, mode } };
    match sys.create_at(held.as_ref().map_or(dev, AsFd::as_fd), last, node) {
        // The usual devices are there already.
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(doing(what())(e)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// /sys with the container's own view of its cgroup, read-only unless privileged.
fn sysfs<S: Sys>(at: &Tree<'_, S>, plan: &ContainerPlan) -> Result<(), RootfsError> {
    let attributes = Attributes { read_only: !plan.privileged, ..NO_EXEC };
    let sysfs = at.sys.new_filesystem("sysfs", &[], attributes).map_err(doing("make /sys"))?;
    at.attach(sysfs.as_fd(), Path::new("/sys"))?;
    let CgroupPlan { unified, legacy_controllers, .. } = &plan.cgroup;
    let root = Path::new("/sys/fs/cgroup");
    if legacy_controllers.is_empty() {
        if unified.is_some() {
            let cgroup = at.sys.new_filesystem("cgroup2", &[], attributes).map_err(doing("make /sys/fs/cgroup"))?;
            at.attach(cgroup.as_fd(), root)?;
        }
        return Ok(());
    }
    let folder = at
        .sys
        .new_filesystem("tmpfs", &[("mode", "755"), ("size", "64k")], Attributes { read_only: false, ..NO_EXEC })
        .map_err(doing("make /sys/fs/cgroup"))?;
    for name in legacy_controllers {
        at.sys
            .create_at(folder.as_fd(), name, Node::Directory { mode: 0o755 })
            .map_err(doing(format!("make /sys/fs/cgroup/{name}")))?;
    }
    at.attach(folder.as_fd(), root)?;
    for name in legacy_controllers {
        let what = format!("make /sys/fs/cgroup/{name}");
        let controllers: Vec<(&str, &str)> = name.split(',').map(|one| (one, "")).collect();
        let cgroup = at.sys.new_filesystem("cgroup", &controllers, attributes).map_err(doing(what))?;
        at.attach(cgroup.as_fd(), &root.join(name))?;
    }
    let read_only = Attributes { read_only: !plan.privileged, ..Attributes::default() };
    at.sys.set_attributes(folder.as_fd(), read_only).map_err(doing("make /sys/fs/cgroup read-only"))
}

/// Hides what a container should not read and freezes what it should not write. A path that does not exist needs
/// nothing; of a link, what it leads to inside the container is meant.
fn mask<S: Sys>(at: &Tree<'_, S>, plan: &ContainerPlan) -> Result<(), RootfsError> {
    let null = at.sys.null_device().map_err(doing("open the null device"))?;
    // One empty folder for all: attached where it is first needed and cloned from there, because before Linux 6.15 only
    // an attached mount can be cloned.
    let mut empty: Option<OwnedFd> = None;
    for path in &plan.masked_paths {
        let what = || format!("mask {}", path.display());
        let Some(target) = open_existing(at, path)? else { continue };
        let directory = at.sys.is_directory(target.as_fd()).map_err(|e| doing(what())(e))?;
        let cover = match &empty {
            Some(attached) if directory => at.sys.clone_tree(attached.as_fd(), false),
            None if directory => {
                let attributes = Attributes { read_only: true, ..NO_EXEC };
                at.sys.new_filesystem("tmpfs", &[("mode", "555"), ("size", "4k")], attributes)
            }
            _ => at.sys.clone_tree(null.as_fd(), false),
        };
        let cover = cover.map_err(|e| doing(what())(e))?;
        at.sys.attach(cover.as_fd(), target.as_fd()).map_err(|e| doing(what())(e))?;
        if directory {
            empty.get_or_insert(cover);
        }
    }
    for path in &plan.readonly_paths {
        let what = || format!("make {} read-only", path.display());
        let Some(target) = open_existing(at, path)? else { continue };
        let same = at.sys.clone_tree(target.as_fd(), true).map_err(|e| doing(what())(e))?;
        let attributes = Attributes { read_only: true, recursive: true, ..Attributes::default() };
        at.sys.set_attributes(same.as_fd(), attributes).map_err(|e| doing(what())(e))?;
        at.sys.attach(same.as_fd(), target.as_fd()).map_err(|e| doing(what())(e))?;
    }
    Ok(())
}

fn open_existing<S: Sys>(at: &Tree<'_, S>, path: &Path) -> Result<Option<OwnedFd>, RootfsError> {
    match at.sys.open_in_root(at.root, path, Resolve::InRoot) {
        Ok(fd) => Ok(Some(fd)),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(e) => Err(doing(format!("open {} in the container", path.display()))(e)),
    }
}

#[cfg(test)]
mod tests;
