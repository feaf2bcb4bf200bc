//! Finds plugins of this node: a socket in the registry folder is asked who is behind it, and storage drivers, drivers of
//! claimed devices and device plugins are passed on to those who use them. k8s: the plugin watcher

use crate::dial;
use crate::node::Node;
use crate::worker::chain;
use crate::{csi, device, device_claim};
use proto::registration::registration_client::RegistrationClient;
use proto::registration::{InfoRequest, PluginInfo, RegistrationStatus};
use std::collections::BTreeMap;
use std::os::unix::fs::{DirEntryExt, FileTypeExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// How often the folder is looked at: plugins come and go with pods, which takes longer.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A plugin says who it is at once, or it is not ready yet and asked again.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Folders of plugins below the registry.
const DEPTH_MAX: usize = 3;

const KUBELET: &str = "/var/lib/kubelet";

const CSI: &str = "CSIPlugin";
const DEVICES: &str = "DevicePlugin";
const CLAIMED_DEVICES: &str = "DRAPlugin";

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("{call}: {said}")]
    Call { call: &'static str, said: String },
    #[error("refused: {0}")]
    Refused(String),
}

/// A plugin that has been taken on.
struct Known {
    /// A plugin that starts again puts another socket into the old one's place.
    inode: u64,
    kind: Kind,
    name: String,
    endpoint: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Storage,
    Devices,
    ClaimedDevices,
}

pub async fn run(node: Arc<Node>, drain: CancellationToken) {
    let folder = node.places.data_dir.join("plugins_registry");
    if let Err(error) = tokio::fs::create_dir_all(&folder).await {
        warn!(folder = %folder.display(), %error, "no plugin can register");
        return;
    }
    let mut known: BTreeMap<PathBuf, Known> = BTreeMap::new();
    loop {
        let within = folder.clone();
        let look = move || {
            let mut sockets = BTreeMap::new();
            find(&within, 0, &mut sockets);
            sockets
        };
        let sockets = tokio::task::spawn_blocking(look).await.expect("looking into a folder does not panic");
        let is_there = |socket: &PathBuf, plugin: &Known| sockets.get(socket) == Some(&plugin.inode);
        let gone: Vec<Known> =
            known.extract_if(.., |socket, plugin| !is_there(socket, plugin)).map(|(_, p)| p).collect();
        for plugin in gone {
            let others = known.values().any(|other| other.kind == plugin.kind && other.name == plugin.name);
            forget(&node, &plugin, others).await;
        }
        for (socket, inode) in sockets.into_iter().filter(|(socket, _)| !known.contains_key(socket)).collect::<Vec<_>>()
        {
            match register(&node, &socket, inode).await {
                Ok(plugin) => {
                    known.insert(socket, plugin);
                }
                Err(error) => debug!(socket = %socket.display(), error = chain(&error), "not registered"),
            }
        }
        tokio::select! {
            () = drain.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Sockets with their inodes.
fn find(folder: &Path, depth: usize, found: &mut BTreeMap<PathBuf, u64>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_socket() {
            found.insert(entry.path(), entry.ino());
        } else if kind.is_dir() && depth < DEPTH_MAX {
            find(&entry.path(), depth + 1, found);
        }
    }
}

/// Asks who it is, takes it on, and tells it so, or why not.
async fn register(node: &Arc<Node>, socket: &Path, inode: u64) -> Result<Known, Error> {
    let mut registration = RegistrationClient::new(dial::unix_within(socket, CALL_TIMEOUT));
    let failed = |call| move |status: tonic::Status| Error::Call { call, said: status.message().to_owned() };
    let info = registration.get_info(InfoRequest {}).await.map_err(failed("GetInfo"))?.into_inner();
    let endpoint = endpoint(&node.places.data_dir, socket, &info.endpoint);
    let taken = take(node, &info, &endpoint).await;
    let status = RegistrationStatus {
        plugin_registered: taken.is_ok(),
        error: taken.as_ref().err().cloned().unwrap_or_default(),
    };
    let told = registration.notify_registration_status(status).await.map_err(failed("NotifyRegistrationStatus"));
    let known = Known { inode, kind: taken.map_err(Error::Refused)?, name: info.name, endpoint };
    if let Err(error) = told {
        forget(node, &known, false).await;
        return Err(error);
    }
    Ok(known)
}

/// Where the plugin listens. One that was made for the kubelet and runs in a container names the kubelet's folder, whose
/// place ours takes.
fn endpoint(data_dir: &Path, socket: &Path, said: &str) -> PathBuf {
    let path = Path::new(said);
    match path.strip_prefix(KUBELET) {
        _ if said.is_empty() => socket.to_owned(),
        Ok(below) if !path.exists() => data_dir.join(below),
        Ok(_) | Err(_) => path.to_owned(),
    }
}

async fn take(node: &Arc<Node>, info: &PluginInfo, endpoint: &Path) -> Result<Kind, String> {
    match info.r#type.as_str() {
        CSI => csi::register(node, &info.name, endpoint).await.map(|()| Kind::Storage).map_err(|error| chain(&error)),
        DEVICES => {
            let taken = device::register(node, &info.name, endpoint, None).await;
            taken.map(|()| Kind::Devices).map_err(|status| status.message().to_owned())
        }
        CLAIMED_DEVICES => {
            device_claim::register(node, &info.name, endpoint, &info.supported_versions).map(|()| Kind::ClaimedDevices)
        }
        other => Err(format!("plugins of type {other} are not supported")),
    }
}

/// `others`: whether the same plugin has registered by another socket as well.
async fn forget(node: &Arc<Node>, plugin: &Known, others: bool) {
    match plugin.kind {
        Kind::Storage if others => {}
        Kind::Storage => csi::deregister(node, &plugin.name).await,
        // Their end is that of the stream in which they say how their devices are.
        Kind::Devices => {}
        Kind::ClaimedDevices => device_claim::deregister(node, &plugin.name, &plugin.endpoint),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_listens_where_it_says_or_in_our_place_of_the_kubelets() {
        let found =
            |said: &str| endpoint(Path::new("/data/agent"), Path::new("/data/agent/plugins_registry/a.sock"), said);
        assert_eq!(found(""), Path::new("/data/agent/plugins_registry/a.sock"));
        assert_eq!(found("/run/a/csi.sock"), Path::new("/run/a/csi.sock"));
        let there = format!("{KUBELET}/plugins/drover-test-a/dra.sock");
        assert_eq!(found(&there), Path::new("/data/agent/plugins/drover-test-a/dra.sock"));
    }
}
