//! Limits and accounting of containers. What to write for which resource is pure and lives in a file per controller;
//! where it is written differs between version 2 (one tree) and version 1 (a tree per controller), behind
//! [`Hierarchy`].

mod cpu;
mod cpuset;
mod devices;
mod hugetlb;
mod legacy;
mod memory;
mod pids;
mod unified;

use crate::plan::{CgroupPlan, DevicePlan};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use thiserror::Error;

#[derive(Debug, Error)]
pub(crate) enum CgroupError {
    #[error("cgroup path {0:?} is not a plain absolute path")]
    BadPath(String),
    #[error("cannot {what}")]
    Io { what: String, source: io::Error },
    #[error("this node cannot limit {0}: its kernel has no such controller mounted")]
    NoController(&'static str),
    #[error("no cgroup hierarchy is mounted in /sys/fs/cgroup")]
    NotMounted,
}

/// A limit that is none.
pub(crate) const UNLIMITED: u64 = u64::MAX;

/// What a container may use; what is not said stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Resources {
    pub(crate) cpu_shares: Option<u64>,
    /// Microseconds of each period; negative is without limit.
    pub(crate) cpu_quota: Option<i64>,
    pub(crate) cpu_period: Option<u64>,
    /// Microseconds that may be used of what earlier periods left, beyond the quota; at most the quota.
    pub(crate) cpu_burst: Option<u64>,
    /// [`UNLIMITED`] takes a limit away.
    pub(crate) memory_bytes: Option<u64>,
    pub(crate) memory_swap_bytes: Option<u64>,
    pub(crate) cpuset_cpus: Option<String>,
    pub(crate) cpuset_mems: Option<String>,
    pub(crate) pids_max: Option<u64>,
    /// Bytes for each page size, such as "2MB".
    pub(crate) hugepages: BTreeMap<String, u64>,
    /// Files of version 2 and their content, as asked for by name.
    pub(crate) raw: BTreeMap<String, String>,
}

impl Resources {
    /// From a CRI request, in which zero and empty mean "not said" and a negative limit takes one away.
    pub(crate) fn from_cri(cri: &proto::cri::LinuxContainerResources) -> Self {
        let positive = |n: i64| u64::try_from(n).ok().filter(|n| *n > 0);
        let text = |s: &str| (!s.is_empty()).then(|| s.to_owned());
        let mut raw: BTreeMap<String, String> = cri.unified.clone().into_iter().collect();
        let pids_max = raw.remove("pids.max").and_then(|n| n.parse().ok());
        let cpu_burst = raw.get("cpu.max.burst").and_then(|n| n.parse().ok());
        raw.retain(|file, _| cpu_burst.is_none() || file != "cpu.max.burst");
        Self {
            cpu_shares: positive(cri.cpu_shares),
            cpu_quota: (cri.cpu_quota != 0).then_some(cri.cpu_quota),
            cpu_period: positive(cri.cpu_period),
            cpu_burst,
            memory_bytes: match cri.memory_limit_in_bytes {
                ..0 => Some(UNLIMITED),
                limit => positive(limit),
            },
            memory_swap_bytes: positive(cri.memory_swap_limit_in_bytes),
            cpuset_cpus: text(&cri.cpuset_cpus),
            cpuset_mems: text(&cri.cpuset_mems),
            pids_max,
            hugepages: cri.hugepage_limits.iter().map(|l| (l.page_size.clone(), l.limit)).collect(),
            raw,
        }
    }
}

/// One value for one file of a controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) controller: &'static str,
    pub(crate) file: String,
    pub(crate) value: String,
}

fn write(controller: &'static str, file: impl Into<String>, value: impl std::fmt::Display) -> Write {
    Write { controller, file: file.into(), value: value.to_string() }
}

/// What a container has used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) cpu_ns: u64,
    pub(crate) memory_bytes: u64,
    pub(crate) working_set_bytes: u64,
    pub(crate) rss_bytes: u64,
    pub(crate) page_faults: u64,
    pub(crate) major_page_faults: u64,
    pub(crate) processes: u64,
}

/// A kind of cgroup tree. Paths are absolute below the tree's root.
pub(crate) trait Hierarchy: Send + Sync + std::fmt::Debug {
    /// Makes the cgroup, with its parents, and says how to join it.
    fn create(&self, path: &Path, resources: &Resources) -> Result<CgroupPlan, CgroupError>;
    fn apply(&self, path: &Path, resources: &Resources) -> Result<(), CgroupError>;
    /// Limits which devices may be used: the usual ones and `devices`.
    fn restrict_devices(&self, path: &Path, devices: &[DevicePlan]) -> Result<(), CgroupError>;
    /// Removes a cgroup without processes; one that is gone is removed already.
    fn remove(&self, path: &Path) -> Result<(), CgroupError>;
    /// Kills every process in a cgroup; one that is gone has none.
    fn kill(&self, path: &Path) -> Result<(), CgroupError>;
    /// Removes a cgroup if nothing is in it; does not wait.
    fn remove_if_empty(&self, path: &Path) -> Result<(), CgroupError>;
    fn usage(&self, path: &Path) -> Usage;
    /// Whether `restrict_devices` has an effect.
    fn limits_devices(&self) -> bool;
}

/// Magic number of a version 2 tree, as statfs reports it.
const CGROUP2_SUPER_MAGIC: i64 = 0x6367_7270;
const MOUNT: &str = "/sys/fs/cgroup";

/// The kind of tree that this machine has.
pub(crate) fn detect() -> Result<Box<dyn Hierarchy>, CgroupError> {
    let doing = |source| CgroupError::Io { what: format!("look at {MOUNT}"), source };
    let kind = rustix::fs::statfs(MOUNT).map_err(|e| doing(e.into()))?.f_type;
    if kind == CGROUP2_SUPER_MAGIC {
        return Ok(Box::new(unified::Unified::new(Path::new(MOUNT))));
    }
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").map_err(doing)?;
    let legacy = legacy::Legacy::from_mountinfo(&mounts);
    if legacy.is_empty() { Err(CgroupError::NotMounted) } else { Ok(Box::new(legacy)) }
}

/// `path` without its leading slash, if it is plain.
fn relative(path: &Path) -> Result<&Path, CgroupError> {
    use std::path::Component;
    let bad = || CgroupError::BadPath(path.display().to_string());
    let below = path.strip_prefix("/").map_err(|_| bad())?;
    let plain = below.components().all(|c| matches!(c, Component::Normal(_)));
    if plain && !below.as_os_str().is_empty() { Ok(below) } else { Err(bad()) }
}

fn write_file(folder: &Path, file: &str, value: &str) -> Result<(), CgroupError> {
    let path = folder.join(file);
    std::fs::write(&path, value)
        .map_err(|source| CgroupError::Io { what: format!("write {value:?} to {}", path.display()), source })
}

fn read_number(folder: &Path, file: &str) -> u64 {
    std::fs::read_to_string(folder.join(file)).ok().and_then(|t| t.trim().parse().ok()).unwrap_or(0)
}

/// A value of a file of `name value` lines.
fn read_field(text: &str, name: &str) -> u64 {
    let value = |line: &str| line.strip_prefix(name).and_then(|rest| rest.strip_prefix(' ')?.trim().parse().ok());
    text.lines().find_map(value).unwrap_or(0)
}

/// Tries at removing a cgroup whose last process has just ended; the kernel needs a moment, on a busy machine two seconds.
const REMOVE_TRIES: u32 = 1000;
const REMOVE_PAUSE: std::time::Duration = std::time::Duration::from_millis(2);

fn remove_folder(folder: &Path, tries: u32) -> Result<(), CgroupError> {
    let mut left = tries;
    loop {
        match std::fs::remove_dir(folder) {
            Ok(()) => return Ok(()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(e) if e.kind() == io::ErrorKind::ResourceBusy && left > 0 => {
                left -= 1;
                std::thread::sleep(REMOVE_PAUSE);
            }
            Err(source) => {
                return Err(CgroupError::Io { what: format!("remove cgroup {}", folder.display()), source });
            }
        }
    }
}

/// Rounds of reading and killing, as processes may fork between the two.
const KILL_ROUNDS_MAX: usize = 64;

/// Kills the processes that a cgroup lists, until it lists none.
pub(crate) fn kill_listed(folder: &Path) -> Result<(), CgroupError> {
    use rustix::process::{Pid, Signal, kill_process};
    for _ in 0..KILL_ROUNDS_MAX {
        let text = match std::fs::read_to_string(folder.join("cgroup.procs")) {
            Ok(text) => text,
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound) => return Ok(()),
            Err(source) => {
                return Err(CgroupError::Io { what: format!("read cgroup {}", folder.display()), source });
            }
        };
        let pids = text.lines().filter_map(|l| l.parse().ok()).filter_map(Pid::from_raw);
        // One that ended in between is what was wanted.
        if pids.filter(|pid| kill_process(*pid, Signal::KILL).is_ok()).count() == 0 {
            return Ok(());
        }
    }
    Ok(())
}
