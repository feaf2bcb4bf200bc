//! What exists on a host because of a cluster's pods: taken before and after, two censuses must be equal.

use crate::{Cluster, Host};
use anyhow::Result;
use std::collections::BTreeSet;
use std::path::Path;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Command lines of the processes in the cluster's cgroups and of its supervisors, one each.
    pub processes: Vec<String>,
    /// Mount points below the cluster's folder.
    pub mounts: BTreeSet<String>,
    /// Network namespaces in which those processes live.
    pub network_namespaces: BTreeSet<String>,
    /// Links of the host.
    pub links: BTreeSet<String>,
    /// Folders below the cluster's cgroup root that hold pods.
    pub cgroups: BTreeSet<String>,
    /// Rules and chains, without counters.
    pub rules: BTreeSet<String>,
}

impl Census {
    /// Whether everything is as it was `before`, but for the node's bridge, which is made with its first pod.
    pub fn is_like(&self, before: &Self) -> std::result::Result<(), String> {
        let mut now = self.clone();
        now.links.retain(|link| before.links.contains(link) || link != "drover0");
        if now == *before { Ok(()) } else { Err(format!("{now:#?}\nwas {before:#?}")) }
    }
}

/// Counts now.
pub fn take(cluster: &Cluster) -> Result<Census> {
    of(&cluster.host, &cluster.data_dir())
}

/// Counts what there is because of the pods of a node with that folder.
pub fn of(host: &Host, data_dir: &Path) -> Result<Census> {
    let folder = data_dir.to_string_lossy().into_owned();
    let mountinfo = host.read("cat", &["/proc/self/mountinfo"])?;
    let mounts = mountinfo
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .filter(|point| point.starts_with(&folder))
        .map(str::to_owned)
        .collect();
    let links = host
        .read("ip", &["-o", "link"])?
        .lines()
        .filter_map(|line| line.split(": ").nth(1))
        .map(|name| name.split('@').next().unwrap_or(name).to_owned())
        .collect();
    let rules = [host.read("iptables-save", &[])?, host.read("ip6tables-save", &[])?]
        .iter()
        .flat_map(|saved| saved.lines())
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split(" [").next().unwrap_or(line).to_owned())
        .collect();
    let pids = processes(host, Some(&folder));
    let mut commands: Vec<String> = pids.iter().map(|(_, command)| command.clone()).collect();
    commands.sort();
    Ok(Census {
        processes: commands,
        mounts,
        network_namespaces: pids
            .iter()
            .filter_map(|(pid, _)| std::fs::read_link(format!("/proc/{pid}/ns/net")).ok())
            .map(|link| link.to_string_lossy().into_owned())
            .collect(),
        links,
        cgroups: cgroups(&host.name),
        rules,
    })
}

/// What pods on a host consist of, by pid.
pub(crate) fn left(host: &Host) -> Vec<String> {
    processes(host, None).into_iter().map(|(pid, command)| format!("{pid}: {command}")).collect()
}

/// Ends everything that pods on a host consist of, where a test could not have it done.
pub fn end(host: &Host) -> Result<()> {
    let pids: Vec<String> = processes(host, None).into_iter().map(|(pid, _)| pid.to_string()).collect();
    if !pids.is_empty() {
        std::process::Command::new("kill").arg("-KILL").args(&pids).status()?;
    }
    Ok(())
}

/// The command line of pods' supervisors. They sit in no cgroup of their pod, so that its limits do not slow them down.
const SUPERVISOR: &str = "drover pod-supervisor ";

/// Processes that carry the cluster's folder in their command line, sit in its cgroups or are supervisors on its host;
/// drover itself aside.
fn processes(host: &Host, folder: Option<&str>) -> Vec<(u32, String)> {
    let mut found = Vec::new();
    for pid in pids() {
        let Ok(cmdline) = std::fs::read(format!("/proc/{pid}/cmdline")) else { continue };
        let cmdline = String::from_utf8_lossy(&cmdline).replace('\0', " ");
        if [" up --data-dir=", " agent --data-dir=", " runtime --data-dir="].iter().any(|own| cmdline.contains(own)) {
            continue;
        }
        let cgroup = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        if folder.is_some_and(|folder| cmdline.contains(folder))
            || cgroup.contains(&host.name)
            || (cmdline == SUPERVISOR && host.holds(pid))
        {
            found.push((pid, cmdline));
        }
    }
    found
}

/// Processes of containers on a host that were started by a command line that begins so.
pub fn contained(host: &Host, command: &str) -> BTreeSet<u32> {
    let is_one = |pid: &u32| {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
        read("cmdline").replace('\0', " ").starts_with(command) && read("cgroup").contains(&host.name)
    };
    pids().filter(is_one).collect()
}

fn pids() -> impl Iterator<Item = u32> {
    std::fs::read_dir("/proc").into_iter().flatten().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// Pod folders of every hierarchy (v1) or the one (v2).
fn cgroups(root: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let base = Path::new("/sys/fs/cgroup");
    let hierarchies = std::fs::read_dir(base).into_iter().flatten().flatten().map(|entry| entry.path());
    for hierarchy in hierarchies.chain([base.to_owned()]) {
        walk(&hierarchy.join(root), &mut found);
    }
    found
}

fn walk(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with("pod") {
                found.insert(entry.path().to_string_lossy().into_owned());
            }
            walk(&entry.path(), found);
        }
    }
}
