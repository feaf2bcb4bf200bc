//! Version 2: one tree, whose controllers are handed down level by level.

use super::{CgroupError, Hierarchy, Resources, Usage, Write, cpu, cpuset, hugetlb, memory, pids};
use super::{REMOVE_TRIES, kill_listed, read_field, read_number, relative, remove_folder, write_file};
use crate::plan::{CgroupPlan, DevicePlan};
use std::fs;
use std::path::{Path, PathBuf};

/// Controllers that are handed down, where the machine has them.
const CONTROLLERS: [&str; 6] = ["cpu", "memory", "pids", "cpuset", "io", "hugetlb"];

#[derive(Debug)]
pub(super) struct Unified {
    root: PathBuf,
}

impl Unified {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }
}

/// Lets the children of `folder` use the controllers that it has itself.
fn hand_down(folder: &Path) -> Result<(), CgroupError> {
    let read = |file| fs::read_to_string(folder.join(file)).unwrap_or_default();
    let (have, given) = (read("cgroup.controllers"), read("cgroup.subtree_control"));
    let missing = have
        .split_whitespace()
        .filter(|c| CONTROLLERS.contains(c) && !given.split_whitespace().any(|g| g == *c))
        .map(|c| format!("+{c}"))
        .collect::<Vec<_>>();
    if missing.is_empty() { Ok(()) } else { write_file(folder, "cgroup.subtree_control", &missing.join(" ")) }
}

impl Hierarchy for Unified {
    fn create(&self, path: &Path, _resources: &Resources) -> Result<CgroupPlan, CgroupError> {
        let mut folder = self.root.clone();
        for name in relative(path)? {
            hand_down(&folder)?;
            folder.push(name);
            fs::create_dir_all(&folder)
                .map_err(|source| CgroupError::Io { what: format!("make cgroup {}", folder.display()), source })?;
        }
        Ok(CgroupPlan {
            oom_events: Some(folder.join("memory.events")),
            unified: Some(folder),
            legacy: Vec::new(),
            legacy_controllers: Vec::new(),
        })
    }

    fn apply(&self, path: &Path, resources: &Resources) -> Result<(), CgroupError> {
        let folder = self.root.join(relative(path)?);
        let writes =
            [cpu::unified(resources), memory::unified(resources), pids::both(resources), cpuset::both(resources)];
        for Write { file, value, .. } in writes.into_iter().flatten() {
            // A kernel that does not count swap has no file for it.
            if file == "memory.swap.max" && !folder.join(&file).exists() {
                continue;
            }
            write_file(&folder, &file, &value)?;
        }
        for Write { file, value, .. } in hugetlb::unified(resources)? {
            if folder.join(&file).exists() {
                write_file(&folder, &file, &value)?;
            } else if value != "0" {
                return Err(CgroupError::NoController("hugetlb"));
            }
        }
        for (file, value) in &resources.raw {
            // A name with a slash would reach into another cgroup.
            if file.contains('/') || !file.contains('.') {
                return Err(CgroupError::BadPath(file.clone()));
            }
            write_file(&folder, file, value)?;
        }
        Ok(())
    }

    fn restrict_devices(&self, _path: &Path, _devices: &[DevicePlan]) -> Result<(), CgroupError> {
        // Needs a BPF program; until then what keeps devices away is that a container cannot make nodes (see
        // `capability::DEFAULT`) and that its root does not honour those that an image brings.
        Ok(())
    }

    fn remove(&self, path: &Path) -> Result<(), CgroupError> {
        remove_folder(&self.root.join(relative(path)?), REMOVE_TRIES)
    }

    fn kill(&self, path: &Path) -> Result<(), CgroupError> {
        let folder = self.root.join(relative(path)?);
        match fs::write(folder.join("cgroup.kill"), "1") {
            Ok(()) => Ok(()),
            Err(_) => kill_listed(&folder),
        }
    }

    fn remove_if_empty(&self, path: &Path) -> Result<(), CgroupError> {
        remove_folder(&self.root.join(relative(path)?), 0)
    }

    fn limits_devices(&self) -> bool {
        false
    }

    fn usage(&self, path: &Path) -> Usage {
        let Ok(below) = relative(path) else { return Usage::default() };
        let folder = self.root.join(below);
        let cpu = fs::read_to_string(folder.join("cpu.stat")).unwrap_or_default();
        let stat = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
        let used = read_number(&folder, "memory.current");
        Usage {
            cpu_ns: read_field(&cpu, "usage_usec") * 1000,
            memory_bytes: used,
            working_set_bytes: used.saturating_sub(read_field(&stat, "inactive_file")),
            rss_bytes: read_field(&stat, "anon"),
            page_faults: read_field(&stat, "pgfault"),
            major_page_faults: read_field(&stat, "pgmajfault"),
            processes: read_number(&folder, "pids.current"),
        }
    }
}
