//! What is kept about a sandbox and a container, in memory and in their folders.

use super::{PodError, doing};
use crate::link::Link;
use crate::net::PortMap;
use crate::net::cni::Attachment;
use crate::plan::{Identity, Scope};
use parking_lot::Mutex;
use proto::cri;
use serde::{Deserialize, Serialize};
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// File names in the folder of a sandbox or container: the configuration as it came, and what was made of it. The
/// second is written last: without it there is no such thing.
const CONFIG: &str = "config.pb";
pub(super) const RECORD: &str = "record.json";
/// The record of a sandbox as it is to become, written before anything is made: what is to be taken back if it does not.
pub(super) const BEGUN: &str = "begun.json";
/// What plugins did, or were about to do: written before they are asked.
pub(super) const ATTACHMENT: &str = "cni.json";

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SandboxRecord {
    pub(crate) id: String,
    pub(crate) created_ns: i64,
    pub(crate) handler: String,
    pub(crate) network: Scope,
    /// One of each family at most, the cluster's first family before; none on the node's network. Records of earlier
    /// versions have one address, or nothing.
    #[serde(alias = "ip", deserialize_with = "one_or_many")]
    pub(crate) ips: Vec<IpAddr>,
    pub(crate) ports: Vec<PortMap>,
    pub(crate) cgroup_parent: PathBuf,
}

fn one_or_many<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Vec<IpAddr>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Ips {
        Many(Vec<IpAddr>),
        One(Option<IpAddr>),
    }
    Ok(match Ips::deserialize(input)? {
        Ips::Many(all) => all,
        Ips::One(ip) => ip.into_iter().collect(),
    })
}

#[derive(Debug)]
pub(crate) struct Sandbox {
    pub(crate) record: SandboxRecord,
    pub(crate) config: cri::PodSandboxConfig,
    pub(crate) dir: PathBuf,
    /// Its supervisor's process, as long as it is ready; none if that is not known.
    pub(crate) pid: Option<u32>,
    /// What plugins did for it, until they have undone it.
    pub(crate) attachment: Mutex<Option<Attached>>,
    /// The connection to its supervisor, while it is ready.
    pub(crate) link: Mutex<Option<Arc<Link>>>,
    /// Who stops or removes it is alone; who makes a container in it has the others beside him.
    pub(crate) turn: tokio::sync::RwLock<()>,
}

/// What plugins did for a sandbox, in its folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Attached {
    pub(crate) by: Attachment,
    /// None before the plugins have answered.
    pub(crate) ips: Vec<IpAddr>,
}

impl Sandbox {
    /// Its addresses, whoever gave them.
    pub(crate) fn ips(&self) -> Vec<IpAddr> {
        match &*self.attachment.lock() {
            Some(attached) => attached.ips.clone(),
            None => self.record.ips.clone(),
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.link.lock().is_some()
    }

    pub(crate) fn link(&self) -> Result<Arc<Link>, PodError> {
        let link = self.link.lock().clone();
        link.ok_or_else(|| PodError::NotNow(format!("sandbox {} is not ready", self.record.id)))
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ContainerRecord {
    pub(crate) id: String,
    pub(crate) sandbox: String,
    pub(crate) created_ns: i64,
    pub(crate) image_id: String,
    /// What pods know the image by: its digest in a registry, or its id.
    pub(crate) image_ref: String,
    pub(crate) layers: Vec<String>,
    pub(crate) cgroup: PathBuf,
    pub(crate) log: Option<PathBuf>,
    pub(crate) stop_signal: i32,
}

/// Where a container is in its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ContainerState {
    Created,
    Running { pid: i32, started_ns: i64, identity: Identity },
    Exited { started_ns: i64, finished_ns: i64, code: i32, reason: String, message: String },
}

/// Writes a file so that it is there whole or not at all.
fn put(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), PodError> {
    let next = dir.join(format!("{name}.next"));
    fs::write(&next, bytes)
        .and_then(|()| fs::rename(&next, dir.join(name)))
        .map_err(doing(format!("write {}", dir.join(name).display())))
}

pub(super) fn save<C: prost::Message, R: Serialize>(dir: &Path, config: &C, record: &R) -> Result<(), PodError> {
    put(dir, CONFIG, &config.encode_to_vec())?;
    put(dir, RECORD, &serde_json::to_vec(record).expect("records are plain data"))
}

pub(super) fn save_config<C: prost::Message>(dir: &Path, config: &C) -> Result<(), PodError> {
    put(dir, CONFIG, &config.encode_to_vec())
}

pub(super) fn save_json<T: Serialize>(dir: &Path, name: &str, value: &T) -> Result<(), PodError> {
    put(dir, name, &serde_json::to_vec(value).expect("records are plain data"))
}

/// What a folder holds; none if it was not finished or is damaged.
pub(super) fn load<C: prost::Message + Default, R: for<'de> Deserialize<'de>>(dir: &Path) -> Option<(C, R)> {
    let record = serde_json::from_slice(&fs::read(dir.join(RECORD)).ok()?).ok()?;
    let config = C::decode(fs::read(dir.join(CONFIG)).ok()?.as_slice()).ok()?;
    Some((config, record))
}

/// The state of a container that a supervisor does not hold, from its folder.
pub(super) fn load_json<T: for<'de> Deserialize<'de>>(dir: &Path, name: &str) -> Option<T> {
    serde_json::from_slice(&fs::read(dir.join(name)).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_earlier_versions_are_read() {
        let read = |ips: &str| {
            let text = format!(
                r#"{{"id": "a", "created_ns": 0, "handler": "", "network": "pod", {ips}, "ports": [], "cgroup_parent": ""}}"#
            );
            serde_json::from_str::<SandboxRecord>(&text).unwrap().ips
        };
        let four: IpAddr = [10, 42, 0, 2].into();
        assert_eq!(read(r#""ip": "10.42.0.2""#), [four]);
        assert_eq!(read(r#""ip": null"#), [] as [IpAddr; 0]);
        assert_eq!(read(r#""ips": ["10.42.0.2", "fd00::2"]"#), [four, "fd00::2".parse().unwrap()]);
    }
}
