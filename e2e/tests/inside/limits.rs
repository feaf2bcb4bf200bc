//! resources.yaml: limits in the files of either version of cgroups, as containers see their own, and as pods have them.

use super::until;
use super::view::{self, Findings, at};
use anyhow::{Context, Result};
use e2e::Cluster;
use std::fs;
use std::path::{Path, PathBuf};

/// What a cgroup is limited to, in the terms of version 1.
#[derive(Clone, Copy, Debug)]
struct Limits {
    shares: u64,
    /// Microseconds of each tenth of a second.
    quota_us: Option<u64>,
    memory_mib: Option<u64>,
    pids: Option<u64>,
}

const fn limits(shares: u64, quota_us: Option<u64>, memory_mib: Option<u64>) -> Limits {
    Limits { shares, quota_us, memory_mib, pids: Some(8192) }
}

/// How version 1 says that memory is not limited: the largest number of whole pages.
const UNLIMITED: &str = "9223372036854771712";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

fn version() -> Version {
    if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() { Version::Two } else { Version::One }
}

impl Limits {
    /// Files below the place where the hierarchies are mounted (in which `cgroup` is a folder) and what they must say.
    fn files(self, cgroup: &str) -> Vec<(String, String)> {
        let bytes = self.memory_mib.map(|mib| (mib << 20).to_string());
        let mut files = match version() {
            Version::One => vec![
                (format!("cpu{cgroup}/cpu.shares"), self.shares.to_string()),
                (format!("cpu{cgroup}/cpu.cfs_quota_us"), self.quota_us.map_or("-1".to_owned(), |us| us.to_string())),
                (format!("cpu{cgroup}/cpu.cfs_period_us"), "100000".to_owned()),
                (format!("memory{cgroup}/memory.limit_in_bytes"), bytes.unwrap_or_else(|| UNLIMITED.to_owned())),
            ],
            Version::Two => vec![
                // k8s: the range of shares is mapped onto that of weights, [1..10000].
                (format!("{cgroup}/cpu.weight"), (1 + (self.shares - 2) * 9999 / 262_142).to_string()),
                (
                    format!("{cgroup}/cpu.max"),
                    self.quota_us.map_or("max 100000".to_owned(), |us| format!("{us} 100000")),
                ),
                (format!("{cgroup}/memory.max"), bytes.unwrap_or_else(|| "max".to_owned())),
            ],
        };
        if let Some(pids) = self.pids {
            let folder = if version() == Version::One { "pids" } else { "" };
            files.push((format!("{folder}{cgroup}/pids.max"), pids.to_string()));
        }
        files
    }
}

/// Containers, their limits, and how eager the kernel is to kill them.
const CONTAINERS: &[(&str, &str, Limits, &str)] = &[
    ("guaranteed", "web", limits(102, Some(10_000), Some(32)), "-997"),
    ("burstable", "web", limits(51, Some(20_000), Some(64)), ""),
    ("best-effort", "web", limits(2, None, None), "1000"),
    ("whole", "first", limits(102, Some(10_000), Some(32)), ""),
    // Without limits of its own: the pod's, and the weight that follows from them.
    ("whole", "second", limits(307, Some(30_000), Some(96)), ""),
];

pub(crate) fn of_containers(cluster: &Cluster, findings: &mut Findings) -> Result<()> {
    for (pod, container, limits, oom) in CONTAINERS {
        let place = at(pod, container);
        let files = limits.files("");
        let mut paths: Vec<String> = files.iter().map(|(file, _)| inside(file)).collect();
        paths.push("/proc/1/oom_score_adj".to_owned());
        let view = view::look(cluster, place, &paths.iter().map(String::as_str).collect::<Vec<_>>())?;
        for (file, wanted) in files {
            let seen = &view[&inside(&file)];
            findings.unless(seen.last() == Some(&wanted), || format!("{place:?} {file}: {seen:?}, not {wanted}"));
        }
        let adjusted = view["/proc/1/oom_score_adj"].last().context("a number")?;
        // Of a burstable one it depends on the machine's memory.
        let fits = match *oom {
            "" => (3..1000).contains(&adjusted.parse::<i32>()?),
            lower if lower.starts_with('-') && !may_spare()? => true,
            exact => adjusted == exact,
        };
        findings.unless(fits, || format!("{place:?}: oom_score_adj {adjusted}"));
    }
    Ok(())
}

/// Whether this machine lets anybody be killed later than others (`CAP_SYS_RESOURCE`).
fn may_spare() -> Result<bool> {
    let status = fs::read_to_string("/proc/self/status")?;
    let set = status.lines().find_map(|line| line.strip_prefix("CapEff:")).context("own capabilities")?;
    Ok(u64::from_str_radix(set.trim(), 16)? & (1 << 24) != 0)
}

/// A container sees its own cgroup as the root.
fn inside(file: &str) -> String {
    format!("/sys/fs/cgroup/{}", file.trim_start_matches('/'))
}

/// Pods, their class, and what all of their containers have together.
const PODS: &[(&str, &str, Limits)] = &[
    ("guaranteed", "Guaranteed", limits(102, Some(10_000), Some(32))),
    ("burstable", "Burstable", limits(51, Some(20_000), Some(64))),
    ("best-effort", "BestEffort", limits(2, None, None)),
    ("whole", "Burstable", limits(153, Some(30_000), Some(96))),
];

pub(crate) fn of_pods(cluster: &Cluster, findings: &mut Findings) -> Result<()> {
    for (name, class, limits) in PODS {
        let pod = until(cluster, name, "there", |_| true);
        findings.unless(pod["status"]["qosClass"] == *class, || format!("{name}: {}", pod["status"]["qosClass"]));
        let uid = pod["metadata"]["uid"].as_str().context("a uid")?;
        let folder = if *class == "Guaranteed" { String::new() } else { format!("/{}", class.to_lowercase()) };
        let cgroup = format!("/{}/kubepods{folder}/pod{uid}", cluster.host.name);
        for (file, wanted) in (Limits { pids: None, ..*limits }).files(&cgroup) {
            let path = PathBuf::from(inside(&file));
            let seen = fs::read_to_string(&path).unwrap_or_else(|error| error.to_string());
            findings.unless(seen.trim() == wanted, || format!("{name} {}: {seen}, not {wanted}", path.display()));
        }
    }
    Ok(())
}
