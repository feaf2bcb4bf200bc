//! Version 1: a tree per controller, or per set of controllers mounted together.

use super::{CgroupError, Hierarchy, Resources, Usage, Write, cpu, cpuset, devices, hugetlb, memory, pids};
use super::{REMOVE_TRIES, kill_listed, read_field, read_number, relative, remove_folder, write_file};
use crate::plan::{CgroupPlan, DevicePlan};
use std::fs;
use std::path::{Path, PathBuf};

/// Controllers that are used, if the machine has them. A container joins no others.
const CONTROLLERS: [&str; 5] = ["cpu", "cpuacct", "memory", "pids", "devices"];
/// Controllers that only containers join that ask for what they limit.
const ON_REQUEST: [&str; 2] = ["cpuset", "hugetlb"];

#[derive(Debug, PartialEq, Eq)]
struct Tree {
    /// As they are mounted together, such as "cpu,cpuacct".
    names: Vec<String>,
    root: PathBuf,
}

impl Tree {
    fn has(&self, controller: &str) -> bool {
        self.names.iter().any(|n| n == controller)
    }
}

#[derive(Debug)]
pub(super) struct Legacy {
    trees: Vec<Tree>,
    /// Those of [`ON_REQUEST`].
    on_request: Vec<Tree>,
}

impl Legacy {
    /// From the text of /proc/self/mountinfo.
    pub(super) fn from_mountinfo(text: &str) -> Self {
        let mut trees: Vec<Tree> = Vec::new();
        let mut on_request: Vec<Tree> = Vec::new();
        for line in text.lines() {
            let Some((left, right)) = line.split_once(" - ") else { continue };
            let right: Vec<&str> = right.split(' ').collect();
            let ["cgroup", _, options] = right.as_slice() else { continue };
            let Some(root) = left.split(' ').nth(4) else { continue };
            let is_controller = |o: &&str| CONTROLLERS.contains(o) || ON_REQUEST.contains(o);
            let names: Vec<String> = options.split(',').filter(is_controller).map(str::to_owned).collect();
            let tree = Tree { names, root: PathBuf::from(root) };
            if ON_REQUEST.iter().any(|c| tree.has(c)) {
                if !on_request.iter().any(|t| t.names == tree.names) {
                    on_request.push(tree);
                }
            } else if !tree.names.is_empty() && !trees.iter().any(|t| t.names == tree.names) {
                trees.push(tree);
            }
        }
        Self { trees, on_request }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.trees.is_empty()
    }

    fn folder(&self, controller: &str, path: &Path) -> Result<Option<PathBuf>, CgroupError> {
        let below = relative(path)?;
        Ok(self.trees.iter().find(|t| t.has(controller)).map(|t| t.root.join(below)))
    }

    fn put(&self, path: &Path, writes: &[Write]) -> Result<(), CgroupError> {
        for w in writes {
            if let Some(folder) = self.folder(w.controller, path)? {
                write_file(&folder, &w.file, &w.value)?;
            }
        }
        Ok(())
    }

    fn remove_all(&self, path: &Path, tries: u32) -> Result<(), CgroupError> {
        let below = relative(path)?;
        self.trees.iter().chain(&self.on_request).try_for_each(|tree| remove_folder(&tree.root.join(below), tries))
    }

    /// The trees that a container with these limits joins beside the usual ones, made ready. A kernel without a
    /// controller is an error where it is needed.
    fn ready_on_request(&self, path: &Path, resources: &Resources) -> Result<Vec<(&Tree, PathBuf)>, CgroupError> {
        let below = relative(path)?;
        let cpus = !cpuset::both(resources).is_empty();
        let pages = resources.hugepages.values().any(|limit| *limit > 0);
        let mut ready = Vec::new();
        for (controller, needed) in [("cpuset", cpus), ("hugetlb", pages)] {
            if !needed {
                continue;
            }
            let tree = self.on_request.iter().find(|t| t.has(controller));
            let tree = tree.ok_or(CgroupError::NoController(controller))?;
            if controller == "cpuset" {
                inherit(&tree.root, below)?;
            }
            let folder = tree.root.join(below);
            make(&folder)?;
            ready.push((tree, folder));
        }
        Ok(ready)
    }

    /// Moves the processes of a cgroup into another tree's folder, for a limit that came after their start.
    fn bring_in(&self, path: &Path, folder: &Path) -> Result<(), CgroupError> {
        let Some(usual) = self.trees.first() else { return Ok(()) };
        let listed = fs::read_to_string(usual.root.join(relative(path)?).join("cgroup.procs")).unwrap_or_default();
        for pid in listed.lines() {
            // One that ended in between needs no limit.
            if let Err(error) = fs::write(folder.join("cgroup.procs"), pid) {
                tracing::debug!(pid, %error, "process not moved");
            }
        }
        Ok(())
    }

    /// Memory and swap limits depend on each other: which goes first depends on whether they grow.
    fn put_memory(&self, path: &Path, resources: &Resources) -> Result<(), CgroupError> {
        let mut writes = memory::legacy(resources);
        if let Some(folder) = self.folder("memory", path)? {
            // A kernel that does not count swap has no file for it.
            writes.retain(|w| folder.join(&w.file).exists());
        }
        if self.put(path, &writes).is_err() {
            writes.reverse();
            self.put(path, &writes)?;
        }
        Ok(())
    }
}

/// A new cpuset has no processors until it is given some: those of its parent.
fn inherit(root: &Path, below: &Path) -> Result<(), CgroupError> {
    let mut folder = root.to_owned();
    for name in below {
        let parent = folder.clone();
        folder.push(name);
        make(&folder)?;
        for file in ["cpuset.cpus", "cpuset.mems"] {
            let own = fs::read_to_string(folder.join(file)).unwrap_or_default();
            if own.trim().is_empty() {
                let value = fs::read_to_string(parent.join(file)).unwrap_or_default();
                write_file(&folder, file, value.trim())?;
            }
        }
    }
    Ok(())
}

fn make(folder: &Path) -> Result<(), CgroupError> {
    fs::create_dir_all(folder)
        .map_err(|source| CgroupError::Io { what: format!("make cgroup {}", folder.display()), source })
}

impl Hierarchy for Legacy {
    fn create(&self, path: &Path, resources: &Resources) -> Result<CgroupPlan, CgroupError> {
        let below = relative(path)?;
        let mut plan = CgroupPlan::default();
        for tree in &self.trees {
            let folder = tree.root.join(below);
            make(&folder)?;
            if tree.has("memory") {
                plan.oom_events = Some(folder.join("memory.oom_control"));
            }
            plan.legacy.push(folder);
            plan.legacy_controllers.push(tree.names.join(","));
        }
        for (tree, folder) in self.ready_on_request(path, resources)? {
            plan.legacy.push(folder);
            plan.legacy_controllers.push(tree.names.join(","));
        }
        Ok(plan)
    }

    fn apply(&self, path: &Path, resources: &Resources) -> Result<(), CgroupError> {
        self.put(path, &cpu::legacy(resources))?;
        self.put(path, &pids::both(resources))?;
        self.put_memory(path, resources)?;
        for (tree, folder) in self.ready_on_request(path, resources)? {
            let writes = if tree.has("cpuset") { cpuset::both(resources) } else { hugetlb::legacy(resources)? };
            for w in &writes {
                write_file(&folder, &w.file, &w.value)?;
            }
            self.bring_in(path, &folder)?;
        }
        Ok(())
    }

    fn restrict_devices(&self, path: &Path, list: &[DevicePlan]) -> Result<(), CgroupError> {
        self.put(path, &devices::legacy(list))
    }

    fn remove(&self, path: &Path) -> Result<(), CgroupError> {
        self.remove_all(path, REMOVE_TRIES)
    }

    fn kill(&self, path: &Path) -> Result<(), CgroupError> {
        let below = relative(path)?;
        // Every container joins all trees, so one of them lists all of its processes.
        self.trees.first().map_or(Ok(()), |tree| kill_listed(&tree.root.join(below)))
    }

    fn remove_if_empty(&self, path: &Path) -> Result<(), CgroupError> {
        self.remove_all(path, 0)
    }

    fn limits_devices(&self) -> bool {
        self.trees.iter().any(|t| t.has("devices"))
    }

    fn usage(&self, path: &Path) -> Usage {
        let folder = |name| self.folder(name, path).ok().flatten().unwrap_or_default();
        let memory = folder("memory");
        let stat = fs::read_to_string(memory.join("memory.stat")).unwrap_or_default();
        let used = read_number(&memory, "memory.usage_in_bytes");
        Usage {
            cpu_ns: read_number(&folder("cpuacct"), "cpuacct.usage"),
            memory_bytes: used,
            working_set_bytes: used.saturating_sub(read_field(&stat, "total_inactive_file")),
            rss_bytes: read_field(&stat, "total_rss"),
            page_faults: read_field(&stat, "total_pgfault"),
            major_page_faults: read_field(&stat, "total_pgmajfault"),
            processes: read_number(&folder("pids"), "pids.current"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_are_found_in_the_mount_table() {
        let text = "30 25 0:26 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n\
            31 25 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
            32 25 0:28 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n\
            33 25 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n\
            34 25 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let found = Legacy::from_mountinfo(text);
        let names: Vec<_> = found.trees.iter().map(|t| (t.names.join("+"), t.root.display().to_string())).collect();
        assert_eq!(
            names,
            [
                ("cpu+cpuacct".to_owned(), "/sys/fs/cgroup/cpu,cpuacct".to_owned()),
                ("memory".to_owned(), "/sys/fs/cgroup/memory".to_owned())
            ]
        );
        assert!(found.on_request.iter().any(|t| t.has("cpuset")));
    }
}
