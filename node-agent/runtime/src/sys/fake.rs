//! A kernel for tests: writes down what it is asked, and has the files that it is told.

use super::{Attributes, Node, Overlay, Propagation, Resolve, Sys};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;

#[derive(Debug, Default)]
pub(crate) struct Fake {
    pub(crate) log: RefCell<Vec<String>>,
    /// Paths in the container that exist; folders end in a slash.
    pub(crate) files: RefCell<BTreeSet<String>>,
    names: RefCell<BTreeMap<RawFd, String>>,
}

impl Fake {
    fn fd(&self, name: String) -> io::Result<OwnedFd> {
        let fd = OwnedFd::from(std::fs::File::open("/dev/null")?);
        self.names.borrow_mut().insert(fd.as_raw_fd(), name);
        Ok(fd)
    }

    fn name(&self, fd: BorrowedFd<'_>) -> String {
        self.names.borrow().get(&fd.as_raw_fd()).cloned().unwrap_or_default()
    }

    fn say(&self, text: String) {
        self.log.borrow_mut().push(text);
    }

    fn join(parent: &str, path: &Path) -> String {
        let path = path.display().to_string();
        let path = path.trim_matches('/').trim_start_matches('.');
        let parent = parent.trim_end_matches('/');
        if path.is_empty() { format!("{parent}/") } else { format!("{parent}/{path}") }
    }
}

fn shown(attributes: Attributes) -> String {
    let Attributes { read_only, no_suid, no_dev, no_exec, recursive } = attributes;
    [(read_only, "ro"), (no_suid, "nosuid"), (no_dev, "nodev"), (no_exec, "noexec"), (recursive, "rec")]
        .iter()
        .filter(|(set, _)| *set)
        .map(|(_, name)| *name)
        .collect::<Vec<_>>()
        .join(",")
}

impl Sys for Fake {
    fn open_in_root(&self, root: BorrowedFd<'_>, path: &Path, _resolve: Resolve) -> io::Result<OwnedFd> {
        let full = Self::join(&self.name(root), path);
        let files = self.files.borrow();
        if full.ends_with('/') || files.contains(&full) || files.contains(&format!("{full}/")) {
            self.fd(full)
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }

    fn create_at(&self, parent: BorrowedFd<'_>, name: &str, node: Node) -> io::Result<()> {
        let full = Self::join(&self.name(parent), Path::new(name));
        match node {
            Node::Directory { .. } => self.say(format!("mkdir {full}")),
            Node::File { .. } => self.say(format!("create {full}")),
            Node::CharDevice { major, minor, .. } => self.say(format!("mknod {full} c {major}:{minor}")),
            Node::BlockDevice { major, minor, .. } => self.say(format!("mknod {full} b {major}:{minor}")),
        }
        let slash = if matches!(node, Node::Directory { .. }) { "/" } else { "" };
        self.files.borrow_mut().insert(format!("{full}{slash}"));
        Ok(())
    }

    fn symlink_at(&self, _parent: BorrowedFd<'_>, _name: &str, _target: &str) -> io::Result<()> {
        Ok(())
    }

    fn is_directory(&self, fd: BorrowedFd<'_>) -> io::Result<bool> {
        let name = self.name(fd);
        Ok(name.ends_with('/') || self.files.borrow().contains(&format!("{name}/")))
    }

    fn is_procfs(&self, fd: BorrowedFd<'_>) -> io::Result<bool> {
        Ok(self.name(fd).starts_with("root/proc/"))
    }

    fn clone_host_tree(&self, path: &Path, _recursive: bool) -> io::Result<OwnedFd> {
        self.say(format!("open {}", path.display()));
        self.fd(path.display().to_string())
    }

    fn clone_tree(&self, fd: BorrowedFd<'_>, _recursive: bool) -> io::Result<OwnedFd> {
        self.fd(self.name(fd))
    }

    fn null_device(&self) -> io::Result<OwnedFd> {
        self.fd("null".into())
    }

    fn new_filesystem(&self, kind: &str, _options: &[(&str, &str)], attributes: Attributes) -> io::Result<OwnedFd> {
        self.fd(format!("new {kind}({})", shown(attributes)))
    }

    fn set_attributes(&self, mount: BorrowedFd<'_>, attributes: Attributes) -> io::Result<()> {
        self.say(format!("set {} {}", self.name(mount), shown(attributes)));
        Ok(())
    }

    fn set_propagation(&self, mount: BorrowedFd<'_>, propagation: Propagation) -> io::Result<()> {
        self.say(format!("propagate {} {propagation:?}", self.name(mount)));
        Ok(())
    }

    fn attach(&self, mount: BorrowedFd<'_>, target: BorrowedFd<'_>) -> io::Result<()> {
        self.say(format!("attach {} at {}", self.name(mount), self.name(target)));
        Ok(())
    }

    fn map_ids(&self, mount: BorrowedFd<'_>, _users: BorrowedFd<'_>) -> io::Result<()> {
        self.say(format!("map {}", self.name(mount)));
        Ok(())
    }

    fn attach_host(&self, mount: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
        self.say(format!("attach {} at host {}", self.name(mount), path.display()));
        Ok(())
    }

    fn isolate_mounts(&self) -> io::Result<()> {
        self.say("isolate".into());
        Ok(())
    }

    fn mount_overlay(&self, overlay: Overlay<'_>) -> io::Result<OwnedFd> {
        self.say(format!("overlay {}", overlay.lowers.join(":")));
        self.fd("root".into())
    }

    fn pivot(&self, _root: BorrowedFd<'_>) -> io::Result<()> {
        self.say("pivot".into());
        Ok(())
    }
}
