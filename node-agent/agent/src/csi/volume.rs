//! Volumes of storage drivers: staged once for the node, published for each pod, and taken away again. What was published
//! is written beside it first, so that whoever cleans up, this agent or its successor, knows whom to ask.

use super::{Driver, Error, client};
use crate::material::Need;
use crate::node::Node;
use crate::pod::member::{name, namespace, spec, uid};
use crate::volume::persistent;
use k8s_openapi::api::core::v1::{CSIVolumeSource, PersistentVolume, Pod, SecretReference};
use k8s_openapi::api::storage::v1::{CSIDriver, VolumeAttachment};
use kube::Api;
use proto::csi::node_service_capability::{Type, rpc};
use proto::csi::volume_capability::access_mode::Mode;
use proto::csi::volume_capability::{AccessMode, AccessType, MountVolume};
use proto::csi::{
    NodeGetCapabilitiesRequest, NodePublishVolumeRequest, NodeStageVolumeRequest, NodeUnpublishVolumeRequest,
    NodeUnstageVolumeRequest, VolumeCapability,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tracing::info;

/// The file that says what a folder below `volumes/kubernetes.io~csi` holds.
const RECORD: &str = "vol_data.json";

/// A published volume, as it is needed to take it away.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    driver_name: String,
    volume_handle: String,
    spec_vol_id: String,
    staged: bool,
}

/// A volume as a driver is asked for it.
struct Wanted {
    driver: String,
    handle: String,
    /// The name of its folder: the persistent volume's, or the volume's in the pod.
    name: String,
    fs_type: String,
    read_only: bool,
    context: HashMap<String, String>,
    mode: Mode,
    mount_flags: Vec<String>,
    stage_secret: Option<(String, String)>,
    publish_secret: Option<(String, String)>,
    inline: bool,
}

fn digest(text: &str) -> String {
    Sha256::digest(text).iter().fold(String::with_capacity(64), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a String takes every write");
        hex
    })
}

fn mode(volume: &PersistentVolume) -> Mode {
    let modes = volume.spec.as_ref().and_then(|s| s.access_modes.clone()).unwrap_or_default();
    let has = |wanted: &str| modes.iter().any(|m| m == wanted);
    if has("ReadWriteMany") {
        Mode::MultiNodeMultiWriter
    } else if has("ReadWriteOnce") || has("ReadWriteOncePod") {
        Mode::SingleNodeWriter
    } else {
        Mode::MultiNodeReaderOnly
    }
}

fn persistent_one(volume: &PersistentVolume) -> Option<Wanted> {
    let found = volume.spec.clone()?;
    let csi = found.csi?;
    let secret = |r: Option<SecretReference>| r.and_then(|r| Some((r.namespace?, r.name?)));
    Some(Wanted {
        driver: csi.driver,
        handle: csi.volume_handle,
        name: volume.metadata.name.clone().unwrap_or_default(),
        fs_type: csi.fs_type.unwrap_or_default(),
        read_only: csi.read_only == Some(true),
        context: csi.volume_attributes.unwrap_or_default().into_iter().collect(),
        mode: mode(volume),
        mount_flags: found.mount_options.unwrap_or_default(),
        stage_secret: secret(csi.node_stage_secret_ref),
        publish_secret: secret(csi.node_publish_secret_ref),
        inline: false,
    })
}

fn inline_one(pod: &Pod, volume: &str, csi: &CSIVolumeSource) -> Wanted {
    Wanted {
        driver: csi.driver.clone(),
        // k8s: nobody else has made a handle for it.
        handle: format!("csi-{}", digest(&format!("{}{volume}", uid(pod)))),
        name: volume.to_owned(),
        fs_type: csi.fs_type.clone().unwrap_or_default(),
        read_only: csi.read_only == Some(true),
        context: csi.volume_attributes.clone().unwrap_or_default().into_iter().collect(),
        mode: Mode::SingleNodeWriter,
        mount_flags: Vec::new(),
        stage_secret: None,
        publish_secret: csi.node_publish_secret_ref.as_ref().map(|r| (namespace(pod).to_owned(), r.name.clone())),
        inline: true,
    }
}

/// Publishes all volumes of the pod that drivers provide; says where they are. Doing it again is what drivers expect.
pub async fn publish(
    node: &Arc<Node>,
    pod: &Pod,
    claimed: &BTreeMap<String, Arc<PersistentVolume>>,
) -> Result<BTreeMap<String, PathBuf>, (String, Error)> {
    let mut paths = BTreeMap::new();
    for volume in spec(pod).volumes.iter().flatten() {
        let wanted = match (claimed.get(&volume.name), &volume.csi) {
            (Some(found), _) => persistent_one(found),
            (None, Some(source)) => Some(inline_one(pod, &volume.name, source)),
            (None, None) => None,
        };
        if let Some(wanted) = wanted {
            let made = one(node, pod, &wanted).await.map_err(|e| (volume.name.clone(), e))?;
            paths.insert(volume.name.clone(), made);
        }
    }
    Ok(paths)
}

async fn one(node: &Arc<Node>, pod: &Pod, wanted: &Wanted) -> Result<PathBuf, Error> {
    let driver = node.drivers.get(&wanted.driver)?;
    let about = driver_object(node, &wanted.driver).await?;
    let about = about.map(|d| d.spec).unwrap_or_default();
    if about.token_requests.as_ref().is_some_and(|t| !t.is_empty()) {
        return Err(Error::Unsupported("a service account token (tokenRequests)"));
    }
    let attached = if wanted.inline || about.attach_required == Some(false) {
        HashMap::new()
    } else {
        attachment(node, wanted).await?
    };
    let capability = VolumeCapability {
        access_mode: Some(AccessMode { mode: wanted.mode.into() }),
        access_type: Some(AccessType::Mount(MountVolume {
            fs_type: wanted.fs_type.clone(),
            mount_flags: wanted.mount_flags.clone(),
            volume_mount_group: String::new(),
        })),
    };
    let stages = !wanted.inline && stages(&driver, &wanted.driver).await?;
    let folder = node.places.volume(uid(pod), "csi", &wanted.name);
    let record = Record {
        driver_name: wanted.driver.clone(),
        volume_handle: wanted.handle.clone(),
        spec_vol_id: wanted.name.clone(),
        staged: stages,
    };
    write(&folder, &record)?;
    let mut staging = String::new();
    if stages {
        staging = prepare(&staging_path(node, &record))?;
        let request = NodeStageVolumeRequest {
            volume_id: wanted.handle.clone(),
            publish_context: attached.clone(),
            staging_target_path: staging.clone(),
            volume_capability: Some(capability.clone()),
            secrets: secrets(node, wanted.stage_secret.as_ref()).await?,
            volume_context: wanted.context.clone(),
        };
        client(&driver).node_stage_volume(request).await.map_err(said(&wanted.driver, "NodeStageVolume"))?;
    }
    let target = folder.join("mount");
    let mut context = wanted.context.clone();
    if about.pod_info_on_mount == Some(true) {
        context.extend(pod_info(pod, wanted.inline));
    }
    let request = NodePublishVolumeRequest {
        volume_id: wanted.handle.clone(),
        publish_context: attached,
        staging_target_path: staging,
        target_path: target.to_string_lossy().into_owned(),
        volume_capability: Some(capability),
        readonly: wanted.read_only,
        secrets: secrets(node, wanted.publish_secret.as_ref()).await?,
        volume_context: context,
    };
    client(&driver).node_publish_volume(request).await.map_err(said(&wanted.driver, "NodePublishVolume"))?;
    if !wanted.read_only && takes_group(about.fs_group_policy.as_deref(), wanted) {
        let (pod, path) = (pod.clone(), target.clone());
        let owned = tokio::task::spawn_blocking(move || persistent::own(&pod, &path)).await;
        owned.map_err(|e| Error::Write { path: target.clone(), source: std::io::Error::other(e) })??;
    }
    Ok(target)
}

/// Whether the pod's group is to own the volume.
fn takes_group(policy: Option<&str>, wanted: &Wanted) -> bool {
    match policy {
        Some("None") => false,
        Some("File") => true,
        // k8s: a file system of its own that one node writes.
        _ => !wanted.fs_type.is_empty() && wanted.mode == Mode::SingleNodeWriter,
    }
}

fn said<'a>(driver: &'a str, call: &'static str) -> impl FnOnce(tonic::Status) -> Error + 'a {
    move |status| Error::Driver { driver: driver.to_owned(), call, said: status.message().to_owned() }
}

/// k8s: what drivers that ask for it are told of the pod.
fn pod_info(pod: &Pod, inline: bool) -> [(String, String); 5] {
    let account = spec(pod).service_account_name.clone().unwrap_or_default();
    [
        ("csi.storage.k8s.io/pod.name", name(pod).to_owned()),
        ("csi.storage.k8s.io/pod.namespace", namespace(pod).to_owned()),
        ("csi.storage.k8s.io/pod.uid", uid(pod).to_owned()),
        ("csi.storage.k8s.io/serviceAccount.name", account),
        ("csi.storage.k8s.io/ephemeral", inline.to_string()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
}

async fn driver_object(node: &Node, driver: &str) -> Result<Option<CSIDriver>, Error> {
    let api: Api<CSIDriver> = Api::all(node.client.clone());
    let failed = |source| Error::Api { what: format!("CSIDriver {driver}"), source: Box::new(source) };
    api.get_opt(driver).await.map_err(failed)
}

/// What the attach controller's driver said about the attachment, once it is there.
async fn attachment(node: &Node, wanted: &Wanted) -> Result<HashMap<String, String>, Error> {
    let id = format!("csi-{}", digest(&format!("{}{}{}", wanted.handle, wanted.driver, node.name)));
    let api: Api<VolumeAttachment> = Api::all(node.client.clone());
    let failed = |source| Error::Api { what: format!("VolumeAttachment {id}"), source: Box::new(source) };
    let found = api.get_opt(&id).await.map_err(failed)?;
    match found.and_then(|a| a.status) {
        Some(status) if status.attached => Ok(status.attachment_metadata.unwrap_or_default().into_iter().collect()),
        Some(_) | None => Err(Error::NotAttached(wanted.handle.clone())),
    }
}

async fn stages(driver: &Driver, name: &str) -> Result<bool, Error> {
    let answer = client(driver).node_get_capabilities(NodeGetCapabilitiesRequest {}).await;
    let found = answer.map_err(said(name, "NodeGetCapabilities"))?.into_inner().capabilities;
    Ok(found
        .into_iter()
        .any(|c| matches!(c.r#type, Some(Type::Rpc(rpc)) if rpc.r#type() == rpc::Type::StageUnstageVolume)))
}

async fn secrets(node: &Node, secret: Option<&(String, String)>) -> Result<HashMap<String, String>, Error> {
    let Some((ns, name)) = secret else { return Ok(HashMap::new()) };
    let found = node.sources.fetch(ns, BTreeSet::from([Need::Secret(name.clone())])).await?;
    let missing = || crate::volume::Error::Missing { kind: "secret", name: name.clone() };
    let data = found.secrets.get(name).ok_or_else(missing)?.data.clone().unwrap_or_default();
    Ok(data.into_iter().map(|(k, v)| (k, String::from_utf8_lossy(&v.0).into_owned())).collect())
}

/// k8s: where a volume is staged, whatever pods use it.
fn staging_path(node: &Node, record: &Record) -> PathBuf {
    let base = node.places.data_dir.join("plugins/kubernetes.io/csi").join(&record.driver_name);
    base.join(digest(&record.volume_handle)).join("globalmount")
}

fn prepare(path: &Path) -> Result<String, Error> {
    let failed = |source| Error::Write { path: path.to_owned(), source };
    std::fs::create_dir_all(path).map_err(failed)?;
    Ok(path.to_string_lossy().into_owned())
}

fn write(folder: &Path, record: &Record) -> Result<(), Error> {
    prepare(folder)?;
    let path = folder.join(RECORD);
    let text = serde_json::to_vec(record).expect("a record is plain data");
    std::fs::write(&path, text).map_err(|source| Error::Write { path: path.clone(), source })
}

/// Takes all volumes of a pod away again, and unstages those that no other pod of the node uses.
pub async fn unpublish_all(node: &Arc<Node>, pod_uid: &str) -> Result<(), Error> {
    for (folder, record) in records(&csi_folder(node, pod_uid)) {
        let driver = node.drivers.get(&record.driver_name)?;
        let request = NodeUnpublishVolumeRequest {
            volume_id: record.volume_handle.clone(),
            target_path: folder.join("mount").to_string_lossy().into_owned(),
        };
        let done = client(&driver).node_unpublish_volume(request).await;
        done.map_err(said(&record.driver_name, "NodeUnpublishVolume"))?;
        crate::volume::mount_table::remove_dir(&folder)?;
        if record.staged && !is_used(node, &record) {
            let staging = staging_path(node, &record);
            let request = NodeUnstageVolumeRequest {
                volume_id: record.volume_handle.clone(),
                staging_target_path: staging.to_string_lossy().into_owned(),
            };
            let done = client(&driver).node_unstage_volume(request).await;
            done.map_err(said(&record.driver_name, "NodeUnstageVolume"))?;
            crate::volume::mount_table::remove_dir(staging.parent().unwrap_or(&staging))?;
        }
        info!(driver = record.driver_name, volume = record.volume_handle, "volume unpublished");
    }
    Ok(())
}

fn csi_folder(node: &Node, pod_uid: &str) -> PathBuf {
    node.places.pod(pod_uid).join("volumes").join("kubernetes.io~csi")
}

fn records(folder: &Path) -> Vec<(PathBuf, Record)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let read = |path: PathBuf| {
        let record = serde_json::from_slice(&std::fs::read(path.join(RECORD)).ok()?).ok()?;
        Some((path, record))
    };
    entries.filter_map(|e| read(e.path())).collect()
}

fn is_used(node: &Node, record: &Record) -> bool {
    let pods = std::fs::read_dir(node.places.pods()).into_iter().flatten().flatten();
    pods.flat_map(|p| records(&p.path().join("volumes/kubernetes.io~csi")))
        .any(|(_, other)| other.driver_name == record.driver_name && other.volume_handle == record.volume_handle)
}
