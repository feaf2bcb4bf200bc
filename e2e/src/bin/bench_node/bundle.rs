//! The container that every engine makes, as an OCI bundle: its limits, namespaces, mounts, masks and filter.

use crate::station::Inside;
use anyhow::Result;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// What container engines allow by default on this architecture, less what depends on arguments.
pub(crate) const SECCOMP: &str = include_str!("seccomp.json");

pub(crate) struct Limits {
    pub(crate) cpu_shares: i64,
    pub(crate) cpu_quota: i64,
    pub(crate) cpu_period: i64,
    pub(crate) memory_bytes: i64,
    pub(crate) pids: i64,
}

pub(crate) const LIMITS: Limits =
    Limits { cpu_shares: 512, cpu_quota: 100_000, cpu_period: 100_000, memory_bytes: 64 << 20, pids: 64 };

/// k8s: what every container does not see, and does not write.
pub(crate) const MASKED: [&str; 10] = [
    "/proc/asound",
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
];
pub(crate) const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// What containers may do by default.
const CAPABILITIES: [&str; 14] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
];

/// Files of a pod that each of its containers sees.
const POD_FILES: [&str; 3] = ["resolv.conf", "hostname", "hosts"];

/// Where a container's network, IPC and host name come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pod {
    /// Made with the container.
    Own,
    /// Those of a process.
    Of(u32),
}

/// A bundle on the disk.
pub(crate) struct Bundle {
    pub(crate) folder: PathBuf,
    pub(crate) rootfs: PathBuf,
}

/// Writes a bundle whose container has its cgroup at `cgroup`.
pub(crate) fn write(station: &Inside, name: &str, pod: Pod) -> Result<Bundle> {
    let folder = station.folder.join(name);
    let rootfs = folder.join("rootfs");
    fs::create_dir_all(&rootfs)?;
    for file in POD_FILES {
        fs::write(folder.join(file), "127.0.0.1 localhost\n")?;
    }
    let cgroup = format!("/{}/{name}", station.cgroup);
    let config = config(&folder, &cgroup, pod, &serde_json::from_str(SECCOMP)?);
    fs::write(folder.join("config.json"), serde_json::to_vec(&config)?)?;
    Ok(Bundle { folder, rootfs })
}

fn config(folder: &Path, cgroup: &str, pod: Pod, seccomp: &Value) -> Value {
    let mut config = json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false,
            "user": {"uid": 0, "gid": 0},
            "args": ["/bin/true"],
            "env": ["PATH=/bin"],
            "cwd": "/",
            "capabilities": {"bounding": CAPABILITIES, "effective": CAPABILITIES, "permitted": CAPABILITIES},
            "noNewPrivileges": true,
        },
        "root": {"path": "rootfs", "readonly": false},
        "mounts": mounts(folder),
        "linux": {
            "cgroupsPath": cgroup,
            "namespaces": namespaces(pod),
            "resources": resources(),
            "seccomp": seccomp,
            "maskedPaths": MASKED,
            "readonlyPaths": READ_ONLY,
        },
    });
    if pod == Pod::Own {
        config["hostname"] = json!("bench");
    }
    config
}

fn namespaces(pod: Pod) -> Value {
    let of_pod = |kind: &str, file: &str| match pod {
        Pod::Own => json!({"type": kind}),
        Pod::Of(pid) => json!({"type": kind, "path": format!("/proc/{pid}/ns/{file}")}),
    };
    json!([
        {"type": "pid"}, {"type": "mount"}, {"type": "cgroup"},
        of_pod("network", "net"), of_pod("ipc", "ipc"), of_pod("uts", "uts"),
    ])
}

fn resources() -> Value {
    json!({
        "devices": [{"allow": false, "access": "rwm"}],
        "memory": {"limit": LIMITS.memory_bytes},
        "cpu": {"shares": LIMITS.cpu_shares, "quota": LIMITS.cpu_quota, "period": LIMITS.cpu_period},
        "pids": {"limit": LIMITS.pids},
    })
}

fn mounts(folder: &Path) -> Vec<Value> {
    let plain = ["nosuid", "noexec", "nodev"];
    let mut mounts = vec![
        json!({"destination": "/proc", "type": "proc", "source": "proc", "options": plain}),
        json!({"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
            "options": ["nosuid", "noexec", "mode=755", "size=65536k"]}),
        json!({"destination": "/dev/pts", "type": "devpts", "source": "devpts",
            "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]}),
        json!({"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
            "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]}),
        json!({"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": plain}),
        json!({"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]}),
        json!({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
            "options": ["nosuid", "noexec", "nodev", "ro"]}),
    ];
    for file in POD_FILES {
        mounts.push(json!({"destination": format!("/etc/{file}"), "type": "bind", "source": folder.join(file),
            "options": ["bind", "rw"]}));
    }
    mounts
}
