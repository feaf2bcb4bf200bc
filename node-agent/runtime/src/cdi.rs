//! Devices in the words of the Container Device Interface: files in which a vendor says what a container needs to use a
//! device. Reads them, finds devices by name, and says what is to be changed in a container's plan. What a file asks for
//! and this runtime does not do is an error, and so is a file with words that nobody knows: half a device would be one that
//! fails later and says nothing.
//!
//! Source: the CDI specification, versions 0.x and 1.x.

use crate::plan::{Barred, ContainerPlan, DevicePlan, MountPlan, MountSource, PropagationPlan, every_access};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// A file of devices is not larger than this; those of machines with many GPUs have some 100 KiB.
const FILE_BYTES_MAX: u64 = 4 << 20;
/// Files of one folder: more is not a vendor's doing.
const FILES_MAX: usize = 1000;
/// What a device node without a mode may be used by: the container's cgroup decides.
const NODE_MODE: u32 = 0o666;

#[derive(Debug, Error)]
pub(crate) enum CdiError {
    #[error("{0:?} is not the name of a CDI device (vendor.example/class=name)")]
    Name(String),
    #[error("CDI device {name} is in none of {}{}", list(.folders), why(.unreadable))]
    Unknown { name: String, folders: Vec<PathBuf>, unreadable: Vec<String> },
    #[error("CDI device {name} is in two files of one folder, {} and {}", .files[0].display(), .files[1].display())]
    Twice { name: String, files: [PathBuf; 2] },
    #[error("CDI device {name} needs {what}, which this runtime does not do")]
    Unsupported { name: String, what: String },
    #[error("CDI device {name}: {what}")]
    Wrong { name: String, what: String },
    #[error("CDI device {name}: cannot look at {}", path.display())]
    Node { name: String, path: PathBuf, source: io::Error },
}

fn list(folders: &[PathBuf]) -> String {
    folders.iter().map(|f| f.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn why(files: &[String]) -> String {
    if files.is_empty() { String::new() } else { format!(" (not understood: {})", files.join("; ")) }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Spec {
    cdi_version: String,
    /// `vendor.example/class`
    kind: String,
    #[serde(default, rename = "annotations")]
    _annotations: Option<BTreeMap<String, String>>,
    devices: Vec<Device>,
    /// For whoever gets any of the devices.
    #[serde(default)]
    container_edits: Edits,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Device {
    name: String,
    #[serde(default, rename = "annotations")]
    _annotations: Option<BTreeMap<String, String>>,
    #[serde(default)]
    container_edits: Edits,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Edits {
    env: Option<Vec<String>>,
    device_nodes: Option<Vec<Node>>,
    mounts: Option<Vec<Mount>>,
    additional_gids: Option<Vec<u32>>,
    hooks: Option<Vec<serde_json::Value>>,
    intel_rdt: Option<serde_json::Value>,
    net_devices: Option<Vec<serde_json::Value>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Node {
    path: PathBuf,
    host_path: Option<PathBuf>,
    #[serde(rename = "type")]
    kind: Option<String>,
    major: Option<u32>,
    minor: Option<u32>,
    file_mode: Option<u32>,
    permissions: Option<String>,
    uid: Option<u32>,
    gid: Option<u32>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Mount {
    host_path: PathBuf,
    container_path: PathBuf,
    options: Option<Vec<String>>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// What a container gets with its devices.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) devices: Vec<DevicePlan>,
    env: Vec<(String, String)>,
    mounts: Vec<MountPlan>,
    groups: Vec<u32>,
}

/// What containers get with the devices of these names. Files in later folders come before those in earlier ones.
pub(crate) fn changes(names: &[String], folders: &[PathBuf]) -> Result<Changes, CdiError> {
    if names.is_empty() {
        return Ok(Changes::default());
    }
    let mut unreadable = Vec::new();
    let found: Vec<Vec<(PathBuf, Spec)>> = folders.iter().map(|folder| read(folder, &mut unreadable)).collect();
    let mut changes = Changes::default();
    // What a file says for all of its devices is done once.
    let mut files: Vec<&Path> = Vec::new();
    for name in names {
        let (file, spec, device) = find(name, &found)?.ok_or_else(|| CdiError::Unknown {
            name: name.clone(),
            folders: folders.to_vec(),
            unreadable: unreadable.clone(),
        })?;
        changes.add(name, &device.container_edits)?;
        if !files.contains(&file) {
            files.push(file);
            changes.add(name, &spec.container_edits)?;
        }
    }
    Ok(changes)
}

/// The files of a folder that can be read, by name; why others cannot goes into `unreadable`.
fn read(folder: &Path, unreadable: &mut Vec<String>) -> Vec<(PathBuf, Spec)> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            unreadable.push(format!("{}: {error}", folder.display()));
            return Vec::new();
        }
    };
    let is_spec = |path: &PathBuf| path.extension().is_some_and(|e| e == "json" || e == "yaml" || e == "yml");
    let mut paths: Vec<PathBuf> = entries.take(FILES_MAX).flatten().map(|e| e.path()).filter(is_spec).collect();
    paths.sort();
    let mut specs = Vec::new();
    for path in paths {
        match read_one(&path) {
            Ok(spec) => specs.push((path, spec)),
            Err(why) => unreadable.push(format!("{}: {why}", path.display())),
        }
    }
    specs
}

fn read_one(path: &Path) -> Result<Spec, String> {
    let size = fs::metadata(path).map_err(|e| e.to_string())?.len();
    if size > FILE_BYTES_MAX {
        return Err(format!("larger than {FILE_BYTES_MAX} bytes"));
    }
    let text = fs::read_to_string(path).map_err(|e| e.to_string())?;
    // YAML holds JSON.
    let spec: Spec = serde_norway::from_str(&text).map_err(|e| e.to_string())?;
    match spec.cdi_version.split('.').next() {
        Some("0" | "1") => Ok(spec),
        _ => Err(format!("version {:?} is unknown", spec.cdi_version)),
    }
}

type Found<'a> = (&'a Path, &'a Spec, &'a Device);

fn find<'a>(name: &str, folders: &'a [Vec<(PathBuf, Spec)>]) -> Result<Option<Found<'a>>, CdiError> {
    let parts = name.split_once('=').filter(|(kind, own)| !own.is_empty() && kind.split('/').count() == 2);
    let (kind, own) = parts.ok_or_else(|| CdiError::Name(name.to_owned()))?;
    for folder in folders.iter().rev() {
        let specs = folder.iter().filter(|(_, spec)| spec.kind == kind);
        let mut all = specs.flat_map(|(file, spec)| {
            spec.devices.iter().filter(|device| device.name == own).map(move |device| (file.as_path(), spec, device))
        });
        match (all.next(), all.next()) {
            (None, _) => {}
            (Some(one), None) => return Ok(Some(one)),
            (Some((one, ..)), Some((other, ..))) => {
                return Err(CdiError::Twice { name: name.to_owned(), files: [one.to_owned(), other.to_owned()] });
            }
        }
    }
    Ok(None)
}

impl Changes {
    fn add(&mut self, name: &str, edits: &Edits) -> Result<(), CdiError> {
        for (asked, what) in [
            (edits.hooks.iter().flatten().next().is_some(), "hooks"),
            (edits.intel_rdt.is_some(), "Intel RDT"),
            (edits.net_devices.iter().flatten().next().is_some(), "network devices"),
        ] {
            if asked {
                return Err(CdiError::Unsupported { name: name.to_owned(), what: what.to_owned() });
            }
        }
        for pair in edits.env.iter().flatten() {
            let wrong = || CdiError::Wrong { name: name.to_owned(), what: format!("{pair:?} is no variable") };
            let (key, value) = pair.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or_else(wrong)?;
            self.env.push((key.to_owned(), value.to_owned()));
        }
        for node in edits.device_nodes.iter().flatten() {
            self.devices.push(device(name, node)?);
        }
        for mount in edits.mounts.iter().flatten() {
            self.mounts.push(bind(name, mount)?);
        }
        self.groups.extend(edits.additional_gids.iter().flatten());
        Ok(())
    }

    /// Makes them part of a container's plan, whose devices have been told already. They replace what the plan has under
    /// the same name or in the same place.
    pub(crate) fn apply(self, plan: &mut ContainerPlan) {
        for (key, value) in self.env {
            plan.process.env.retain(|(name, _)| *name != key);
            plan.process.env.push((key, value));
        }
        for mount in self.mounts {
            plan.mounts.retain(|other| other.target != mount.target);
            plan.mounts.push(mount);
        }
        plan.mounts.sort_by_key(|mount| mount.target.components().count());
        for group in self.groups {
            if !plan.process.user.supplemental.contains(&group) {
                plan.process.user.supplemental.push(group);
            }
        }
    }
}

/// Numbers and kind are those of the node's own device where the file does not say them.
fn device(name: &str, node: &Node) -> Result<DevicePlan, CdiError> {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    let unsupported = |what: String| CdiError::Unsupported { name: name.to_owned(), what };
    if node.uid.is_some_and(|id| id != 0) || node.gid.is_some_and(|id| id != 0) {
        return Err(unsupported(format!("{} with an owner of its own", node.path.display())));
    }
    let block = match node.kind.as_deref().unwrap_or_default() {
        "" => None,
        "b" => Some(true),
        "c" | "u" => Some(false),
        other => return Err(unsupported(format!("{} of type {other:?}", node.path.display()))),
    };
    let (block, major, minor, mode) = if let (Some(block), Some(major)) = (block, node.major.filter(|n| *n != 0)) {
        (block, major, node.minor.unwrap_or(0), NODE_MODE)
    } else {
        let path = node.host_path.as_ref().unwrap_or(&node.path);
        let failed = |source| CdiError::Node { name: name.to_owned(), path: path.clone(), source };
        let found = fs::metadata(path).map_err(failed)?;
        let is_block = found.file_type().is_block_device();
        if (!is_block && !found.file_type().is_char_device()) || block.is_some_and(|block| block != is_block) {
            let what = format!("{} is not such a device", path.display());
            return Err(CdiError::Wrong { name: name.to_owned(), what });
        }
        (is_block, rustix::fs::major(found.rdev()), rustix::fs::minor(found.rdev()), found.mode() & 0o777)
    };
    let access = node.permissions.clone().filter(|p| !p.is_empty()).unwrap_or_else(every_access);
    if access.chars().any(|c| !"rwm".contains(c)) {
        return Err(CdiError::Wrong { name: name.to_owned(), what: format!("permissions {access:?} are unknown") });
    }
    let mode = node.file_mode.map_or(mode, |mode| mode & 0o777);
    Ok(DevicePlan { target: node.path.clone(), block, major, minor, mode, access })
}

fn bind(name: &str, mount: &Mount) -> Result<MountPlan, CdiError> {
    let unsupported = |what: String| CdiError::Unsupported { name: name.to_owned(), what };
    if !matches!(mount.kind.as_deref(), None | Some("" | "none" | "bind")) {
        return Err(unsupported(format!("a mount of type {:?}", mount.kind.as_deref().unwrap_or_default())));
    }
    for path in [&mount.host_path, &mount.container_path] {
        if !path.is_absolute() {
            return Err(CdiError::Wrong { name: name.to_owned(), what: format!("{} is not absolute", path.display()) });
        }
    }
    let mut plan = MountPlan {
        target: mount.container_path.clone(),
        source: MountSource::Host(mount.host_path.clone()),
        read_only: false,
        recursive_read_only: false,
        propagation: PropagationPlan::Private,
        barred: Barred::default(),
    };
    for option in mount.options.iter().flatten() {
        match option.as_str() {
            "ro" => plan.read_only = true,
            "rro" => (plan.read_only, plan.recursive_read_only) = (true, true),
            "nosuid" => plan.barred.set_user_id = true,
            "nodev" => plan.barred.devices = true,
            "noexec" => plan.barred.programs = true,
            "rslave" | "slave" => plan.propagation = PropagationPlan::HostToContainer,
            // What every mount is.
            "bind" | "rbind" | "rw" | "private" | "rprivate" | "suid" | "dev" | "exec" | "relatime" => {}
            other => return Err(unsupported(format!("mount option {other:?}"))),
        }
    }
    Ok(plan)
}

#[cfg(test)]
mod tests;
