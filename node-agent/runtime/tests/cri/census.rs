//! What a pod may leave behind, counted: processes, mounts, interfaces, cgroups, rules.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

pub(crate) type Census = BTreeSet<String>;

fn lines(command: &[&str]) -> Vec<String> {
    let out = Command::new(command[0]).args(&command[1..]).output().unwrap();
    String::from_utf8_lossy(&out.stdout).lines().map(str::to_owned).collect()
}

fn cgroups(found: &mut Census) {
    for tree in fs::read_dir("/sys/fs/cgroup").unwrap().flatten() {
        let folder = tree.path().join(crate::client::cgroup().trim_start_matches('/'));
        walk(&folder, found);
    }
}

fn walk(folder: &std::path::Path, found: &mut Census) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten().filter(|e| e.path().is_dir()) {
        found.insert(format!("cgroup {}", entry.path().display()));
        walk(&entry.path(), found);
    }
}

/// Processes of ours: supervisors, which share this process's mounts, and what is in the tests' cgroups. Others may run
/// clusters on this machine at the same time.
fn processes(found: &mut Census) {
    let (own, cgroup) = (fs::read_link("/proc/self/ns/mnt").unwrap(), crate::client::cgroup());
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let read = |file| fs::read_to_string(entry.path().join(file)).unwrap_or_default();
        let near = fs::read_link(entry.path().join("ns/mnt")).is_ok_and(|ns| ns == own);
        let inside = read("cgroup").contains(&cgroup);
        if (near || inside) && pid != std::process::id() && !read("stat").contains(") Z ") {
            found.insert(format!("process {pid} {}", read("cmdline").replace('\0', " ")));
        }
    }
}

pub(crate) fn take() -> Census {
    let mut found = Census::new();
    processes(&mut found);
    found.extend(fs::read_to_string("/proc/self/mountinfo").unwrap().lines().map(|l| format!("mount {l}")));
    // With indexes and not flags, which change by themselves.
    let link = |l: String| l.split(':').nth(1).map(|n| format!("link{n}"));
    found.extend(lines(&["ip", "-o", "link"]).into_iter().filter_map(link));
    for table in ["nat", "filter"] {
        let rules = lines(&["iptables-save", "-t", table]);
        found.extend(rules.into_iter().filter(|l| l.contains("DROVER")).map(|l| format!("rule {l}")));
    }
    cgroups(&mut found);
    found
}

/// What is there beyond `before`, when the kernel has had time to clean up.
pub(crate) fn settled(before: &Census) -> Vec<String> {
    let end = now() + Duration::from_secs(3);
    loop {
        let left: Vec<String> = take().difference(before).cloned().collect();
        if left.is_empty() || now() > end {
            return left;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[expect(clippy::disallowed_methods, reason = "tests wait for the kernel in real time")]
fn now() -> Instant {
    Instant::now()
}
