//! Removes the cgroups of pods that have gone. The runtime makes it; its folder is the agent's to give back, as the agent
//! chose its name. Works on the unified hierarchy and on the older one, where every controller has its own tree.

use crate::pod::cgroup;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use tracing::debug;

const MOUNT: &str = "/sys/fs/cgroup";

/// Only empty groups go: `rmdir` refuses while a process is left.
pub fn remove(parent: &str, pod_uid: &str) {
    if pod_uid.is_empty() || !parent.ends_with(pod_uid) {
        return; // never a group that is not the pod's own
    }
    remove_with_children(parent);
}

/// Removes the groups that those of pods were in, for a node that is left without pods.
pub fn remove_classes(root: &str) {
    remove_with_children(&cgroup::classes(root));
}

fn remove_with_children(group: &str) {
    let relative = group.trim_start_matches('/');
    for root in roots() {
        let dir = root.join(relative);
        for below in children(&dir).into_iter().chain([dir]) {
            match fs::remove_dir(&below) {
                Ok(()) => {}
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                Err(error) => debug!(path = %below.display(), %error, "cannot remove a cgroup"),
            }
        }
    }
}

fn roots() -> Vec<PathBuf> {
    let mount = Path::new(MOUNT);
    let mut roots = vec![mount.to_owned()];
    if !mount.join("cgroup.controllers").exists() {
        let entries = fs::read_dir(mount).into_iter().flatten().flatten();
        roots.extend(entries.filter(|e| e.file_type().is_ok_and(|t| t.is_dir())).map(|e| e.path()));
    }
    roots
}

fn children(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter(|e| e.file_type().is_ok_and(|t| t.is_dir())).map(|e| e.path()).collect()
}
