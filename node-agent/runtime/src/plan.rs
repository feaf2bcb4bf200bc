//! What the runtime tells a pod's supervisor to make, decided completely beforehand: plain data, written into the pod's
//! folder, so that a supervisor decides nothing and a plan can be tested without a kernel.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Whose namespace of a kind a pod uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Scope {
    /// One for the pod.
    Pod,
    /// The node's.
    Node,
}

/// Whose process ids a container sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum PidScope {
    /// Its own, as process 1.
    Container,
    /// Those of all containers of the pod.
    Pod,
    /// All of the node.
    Node,
    /// Those of another container, named by id.
    Target(String),
}

/// A pod sandbox: namespaces without a process of the pod in them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SandboxPlan {
    pub(crate) id: String,
    /// The sandbox's folder.
    pub(crate) dir: PathBuf,
    pub(crate) network: Scope,
    pub(crate) ipc: Scope,
    /// Whether a process namespace for the whole pod is needed.
    pub(crate) shared_pid: bool,
    pub(crate) hostname: String,
    /// The pod's own user ids, in a user namespace that owns its other namespaces.
    #[serde(default)]
    pub(crate) users: Option<UserRange>,
    /// Dotted names and values, in the pod's namespaces.
    pub(crate) sysctls: BTreeMap<String, String>,
}

/// Ids of the node that stand for the ids from 0 in a pod; users and groups alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UserRange {
    pub(crate) host_id: u32,
    pub(crate) length: u32,
}

/// Name of the pod's shared memory folder below the sandbox's, a tmpfs.
pub(crate) const SHM: &str = "shm";

/// One container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ContainerPlan {
    pub(crate) id: String,
    /// The container's folder.
    pub(crate) dir: PathBuf,
    pub(crate) rootfs: Rootfs,
    pub(crate) mounts: Vec<MountPlan>,
    pub(crate) devices: Vec<DevicePlan>,
    pub(crate) masked_paths: Vec<PathBuf>,
    pub(crate) readonly_paths: Vec<PathBuf>,
    /// Writable /sys and /proc, and the host's devices.
    pub(crate) privileged: bool,
    pub(crate) pid: PidScope,
    pub(crate) cgroup: CgroupPlan,
    pub(crate) process: ProcessPlan,
    /// That of the pod.
    #[serde(default)]
    pub(crate) users: Option<UserRange>,
    /// Where the standard streams are logged.
    pub(crate) log: Option<PathBuf>,
    pub(crate) stdin: Stdin,
    /// Ends all processes of the container's cgroup with its first one; needless where they share a process namespace
    /// that dies with it.
    pub(crate) kill_cgroup: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rootfs {
    /// The folder of unpacked layers.
    pub(crate) layers: PathBuf,
    /// Names in that folder, the uppermost layer first.
    pub(crate) lowers: Vec<String>,
    pub(crate) read_only: bool,
}

/// Something to bring into the container's file tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MountPlan {
    pub(crate) target: PathBuf,
    pub(crate) source: MountSource,
    pub(crate) read_only: bool,
    pub(crate) recursive_read_only: bool,
    pub(crate) propagation: PropagationPlan,
    #[serde(default)]
    pub(crate) barred: Barred,
}

/// What counts for nothing below a mount.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Barred {
    pub(crate) set_user_id: bool,
    pub(crate) devices: bool,
    pub(crate) programs: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum MountSource {
    /// A file or folder of the node.
    Host(PathBuf),
    /// The content of an image: its layers as in [`Rootfs::lowers`], and a path within.
    Image { lowers: Vec<String>, sub_path: PathBuf },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum PropagationPlan {
    Private,
    HostToContainer,
    Bidirectional,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DevicePlan {
    pub(crate) target: PathBuf,
    pub(crate) block: bool,
    pub(crate) major: u32,
    pub(crate) minor: u32,
    pub(crate) mode: u32,
    /// What the container may do with it: of `r`, `w` and `m`.
    #[serde(default = "every_access")]
    pub(crate) access: String,
}

pub(crate) fn every_access() -> String {
    "rwm".to_owned()
}

/// Folders of the container's cgroup, made by the runtime before the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CgroupPlan {
    /// In the unified hierarchy.
    pub(crate) unified: Option<PathBuf>,
    /// In each version 1 hierarchy.
    pub(crate) legacy: Vec<PathBuf>,
    /// The file whose `oom_kill` line counts kills by the memory limit.
    pub(crate) oom_events: Option<PathBuf>,
    /// Version 1 controllers to mount below /sys/fs/cgroup.
    pub(crate) legacy_controllers: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Stdin {
    /// The null device.
    None,
    /// Closed when the first client that attaches leaves.
    Once,
    /// Open as long as the container.
    Kept,
}

/// How a program runs in a container; also that of commands executed in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProcessPlan {
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) cwd: PathBuf,
    pub(crate) user: UserPlan,
    /// Bit per capability, of the permitted, effective and bounding sets.
    pub(crate) capabilities: u64,
    /// Bits that also go into the ambient (and so the inheritable) set; empty unless asked for by name.
    pub(crate) ambient: u64,
    pub(crate) no_new_privs: bool,
    /// The file of a compiled filter.
    pub(crate) seccomp: Option<PathBuf>,
    /// The AppArmor profile, loaded in the host's kernel.
    #[serde(default)]
    pub(crate) apparmor: Option<String>,
    pub(crate) terminal: bool,
    pub(crate) oom_score_adj: Option<i32>,
}

/// The user as it was asked for; names are looked up in the container's own files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UserPlan {
    /// `user[:group]`, each a name or a number; empty is root.
    pub(crate) user: String,
    /// Instead of the group that `user` leads to.
    pub(crate) gid: Option<u32>,
    pub(crate) supplemental: Vec<u32>,
    /// Without the groups that the image's /etc/group gives the user.
    pub(crate) strict_groups: bool,
}

/// The user as it was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) groups: Vec<u32>,
    pub(crate) home: String,
}

/// How a container ended; written into its folder, where a restarted runtime finds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Exit {
    pub(crate) code: i32,
    /// The end may be heard of before the start is. Zero where an earlier version wrote it.
    #[serde(default)]
    pub(crate) started_ns: i64,
    pub(crate) finished_ns: i64,
    pub(crate) oom_killed: bool,
}

/// File names in a container's folder.
pub(crate) const CONTAINER_PLAN: &str = "plan.json";
pub(crate) const EXIT: &str = "exit.json";
pub(crate) const ROOTFS: &str = "rootfs";
pub(crate) const UPPER: &str = "upper";
pub(crate) const WORK: &str = "work";
/// Where a container with mapped ids sees the layers, and its own folder.
pub(crate) const MAPPED_LAYERS: &str = "mapped-layers";
pub(crate) const MAPPED_SELF: &str = "mapped";
/// Where an image is attached while a folder in it is taken for a mount.
pub(crate) const IMAGE_MOUNT: &str = "image";
/// The supervisor's socket in the sandbox's folder.
pub(crate) const SOCKET: &str = "supervisor.sock";
