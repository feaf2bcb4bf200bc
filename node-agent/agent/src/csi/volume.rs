//! Volumes of storage drivers: staged once for the node, published for each pod, and taken away again. What was published
//! is written beside it first ([`super::record`]).

use super::record::{self, Record, Spots};
use super::{Driver, Error, client};
use crate::material::{Need, TOKEN_SECONDS_DEFAULT, TokenNeed};
use crate::node::Node;
use crate::pod::member::{name, namespace, spec, uid};
use crate::source::Token;
use crate::volume::persistent;
use k8s_openapi::api::core::v1::{CSIVolumeSource, PersistentVolume, Pod, SecretReference, Volume};
use k8s_openapi::api::storage::v1::{CSIDriver, CSIDriverSpec, VolumeAttachment};
use kube::Api;
use proto::csi::node_service_capability::{Type, rpc};
use proto::csi::volume_capability::access_mode::Mode;
use proto::csi::volume_capability::{AccessMode, AccessType, BlockVolume, MountVolume};
use proto::csi::{
    NodeGetCapabilitiesRequest, NodePublishVolumeRequest, NodeStageVolumeRequest, NodeUnpublishVolumeRequest,
    NodeUnstageVolumeRequest, VolumeCapability,
};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;
use tracing::info;

/// Under which name a driver gets the tokens that it asks for, among what it is told or among the secrets.
const TOKENS: &str = "csi.storage.k8s.io/serviceAccount.tokens";

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
    /// The pod gets the device, without a file system.
    block: bool,
}

pub(super) fn digest(text: &str) -> String {
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

fn persistent_one(volume: &PersistentVolume, in_pod: &Volume) -> Option<Wanted> {
    let claim = in_pod.persistent_volume_claim.as_ref();
    let found = volume.spec.clone()?;
    let csi = found.csi?;
    let secret = |r: Option<SecretReference>| r.and_then(|r| Some((r.namespace?, r.name?)));
    Some(Wanted {
        driver: csi.driver,
        handle: csi.volume_handle,
        name: volume.metadata.name.clone().unwrap_or_default(),
        fs_type: csi.fs_type.unwrap_or_default(),
        read_only: csi.read_only == Some(true) || claim.is_some_and(|c| c.read_only == Some(true)),
        context: csi.volume_attributes.unwrap_or_default().into_iter().collect(),
        mode: mode(volume),
        mount_flags: found.mount_options.unwrap_or_default(),
        stage_secret: secret(csi.node_stage_secret_ref),
        publish_secret: secret(csi.node_publish_secret_ref),
        inline: false,
        block: found.volume_mode.as_deref() == Some("Block"),
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
        block: false,
    }
}

impl Wanted {
    fn record(&self) -> Record {
        Record {
            driver_name: self.driver.clone(),
            volume_handle: self.handle.clone(),
            spec_vol_id: self.name.clone(),
            staged: false,
            block: self.block,
        }
    }

    /// As a driver is told of it; with the group that is to own it, where the driver sees to that.
    fn capability(&self, group: Option<i64>) -> VolumeCapability {
        let access = if self.block {
            AccessType::Block(BlockVolume {})
        } else {
            AccessType::Mount(MountVolume {
                fs_type: self.fs_type.clone(),
                mount_flags: self.mount_flags.clone(),
                volume_mount_group: group.map(|g| g.to_string()).unwrap_or_default(),
            })
        };
        VolumeCapability { access_mode: Some(AccessMode { mode: self.mode.into() }), access_type: Some(access) }
    }
}

/// A volume of a pod that a driver is to publish.
pub struct Planned {
    /// Its name in the pod.
    volume: String,
    wanted: Wanted,
    about: CSIDriverSpec,
}

impl Planned {
    /// Tokens of the pod's service account that the driver asks for.
    pub fn tokens(&self) -> impl Iterator<Item = TokenNeed> {
        self.about.token_requests.iter().flatten().map(|request| TokenNeed {
            audience: request.audience.clone(),
            seconds: request.expiration_seconds.unwrap_or(TOKEN_SECONDS_DEFAULT),
        })
    }

    /// Whether the driver wants to be asked again and again, to bring the volume's content up to date.
    fn republishes(&self) -> bool {
        self.about.requires_republish == Some(true)
    }
}

/// Where published volumes are, and whether they are to be published again after a while.
#[derive(Default)]
pub struct Published {
    pub paths: BTreeMap<String, PathBuf>,
    pub again: bool,
}

/// The volumes of the pod that drivers provide, and what is known of those drivers.
pub async fn plan(
    node: &Arc<Node>,
    pod: &Pod,
    claimed: &BTreeMap<String, Arc<PersistentVolume>>,
) -> Result<Vec<Planned>, (String, Error)> {
    let mut planned = Vec::new();
    for volume in spec(pod).volumes.iter().flatten() {
        let wanted = match (claimed.get(&volume.name), &volume.csi) {
            (Some(found), _) => persistent_one(found, volume),
            (None, Some(source)) => Some(inline_one(pod, &volume.name, source)),
            (None, None) => None,
        };
        if let Some(wanted) = wanted {
            let failed = |error| (volume.name.clone(), error);
            let object = driver_object(node, &wanted.driver).await.map_err(failed)?;
            check_mode(&wanted, object.as_ref()).map_err(failed)?;
            let about = object.map(|d| d.spec).unwrap_or_default();
            planned.push(Planned { volume: volume.name.clone(), wanted, about });
        }
    }
    Ok(planned)
}

/// k8s: a driver says whether it takes volumes that live as long as their pod; without a word it takes claims only.
fn check_mode(wanted: &Wanted, object: Option<&CSIDriver>) -> Result<(), Error> {
    let mode = if wanted.inline { "Ephemeral" } else { "Persistent" };
    let refused = |why: String| Err(Error::Mode { mode, driver: wanted.driver.clone(), why });
    let Some(object) = object else {
        return if wanted.inline { refused("no CSIDriver object".to_owned()) } else { Ok(()) };
    };
    let modes = object.spec.volume_lifecycle_modes.clone().unwrap_or_default();
    let taken = if modes.is_empty() { !wanted.inline } else { modes.iter().any(|m| m == mode) };
    if taken { Ok(()) } else { refused(format!("only supports {modes:?}")) }
}

/// Publishes the volumes, those that drivers want to be asked for again and those that this agent has not published yet.
pub async fn publish(
    node: &Arc<Node>,
    pod: &Pod,
    planned: Vec<Planned>,
    tokens: &BTreeMap<TokenNeed, Token>,
) -> Result<Published, (String, Error)> {
    let mut published = Published::default();
    for one in planned {
        let path = publish_one(node, pod, &one, tokens).await.map_err(|e| (one.volume.clone(), e))?;
        published.again |= one.republishes();
        published.paths.insert(one.volume, path);
    }
    Ok(published)
}

async fn publish_one(
    node: &Arc<Node>,
    pod: &Pod,
    planned: &Planned,
    tokens: &BTreeMap<TokenNeed, Token>,
) -> Result<PathBuf, Error> {
    let Planned { wanted, about, .. } = planned;
    let driver = node.drivers.get(&wanted.driver)?;
    let key = (uid(pod).to_owned(), wanted.name.clone());
    let _turn = node.drivers.turns.take((wanted.driver.clone(), wanted.handle.clone())).await;
    let is_there = node.drivers.published.lock().contains(&key);
    let mut record = wanted.record();
    if is_there && !planned.republishes() {
        return Ok(record.spots(&node.places, uid(pod)).target);
    }
    let attached = if wanted.inline || about.attach_required == Some(false) {
        HashMap::new()
    } else {
        attachment(node, wanted).await?
    };
    let can = abilities(&driver, &wanted.driver).await?;
    record.staged = !wanted.inline && can.stage;
    let spots = record.spots(&node.places, uid(pod));
    {
        let (record, spots) = (record.clone(), spots.clone());
        blocking(move || record.prepare(&spots)).await?;
    }
    let group = spec(pod).security_context.as_ref().and_then(|s| s.fs_group).filter(|_| can.mount_group);
    let capability = wanted.capability(group);
    if record.staged && !is_there {
        let request = NodeStageVolumeRequest {
            volume_id: wanted.handle.clone(),
            publish_context: attached.clone(),
            staging_target_path: spots.staging.to_string_lossy().into_owned(),
            volume_capability: Some(capability.clone()),
            secrets: secrets(node, wanted.stage_secret.as_ref()).await?,
            volume_context: wanted.context.clone(),
        };
        client(&driver).node_stage_volume(request).await.map_err(said(&wanted.driver, "NodeStageVolume"))?;
    }
    let request = publish_request(node, pod, planned, (&record, &spots), tokens).await?;
    let request =
        NodePublishVolumeRequest { publish_context: attached, volume_capability: Some(capability), ..request };
    client(&driver).node_publish_volume(request).await.map_err(said(&wanted.driver, "NodePublishVolume"))?;
    let owned = !wanted.block && !wanted.read_only && group.is_none();
    if owned && !is_there && takes_group(about.fs_group_policy.as_deref(), wanted) {
        let (pod, path) = (pod.clone(), spots.target.clone());
        blocking(move || Ok(persistent::own(&pod, &path)?)).await?;
    }
    node.drivers.published.lock().insert(key);
    Ok(spots.target)
}

/// What a driver is told of the pod for which it publishes.
async fn publish_request(
    node: &Node,
    pod: &Pod,
    planned: &Planned,
    (record, spots): (&Record, &Spots),
    tokens: &BTreeMap<TokenNeed, Token>,
) -> Result<NodePublishVolumeRequest, Error> {
    let Planned { wanted, about, .. } = planned;
    let mut context = wanted.context.clone();
    if about.pod_info_on_mount == Some(true) {
        context.extend(pod_info(pod, wanted.inline));
    }
    let mut secrets = secrets(node, wanted.publish_secret.as_ref()).await?;
    let granted = planned.tokens().filter_map(|need| Some((need.audience.clone(), tokens.get(&need)?)));
    let granted: BTreeMap<_, _> = granted
        .map(|(audience, token)| (audience, json!({ "token": token.jwt, "expirationTimestamp": token.expires })))
        .collect();
    if !granted.is_empty() {
        let text = json!(granted).to_string();
        let among = if about.service_account_token_in_secrets == Some(true) { &mut secrets } else { &mut context };
        among.insert(TOKENS.to_owned(), text);
    }
    Ok(NodePublishVolumeRequest {
        volume_id: wanted.handle.clone(),
        staging_target_path: if record.staged { spots.staging.to_string_lossy().into_owned() } else { String::new() },
        target_path: spots.target.to_string_lossy().into_owned(),
        readonly: wanted.read_only,
        secrets,
        volume_context: context,
        ..NodePublishVolumeRequest::default()
    })
}

/// File systems answer when they like, and drivers' mounts are among them.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.expect("work on a volume's folders does not panic")
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

pub(super) fn said<'a>(driver: &'a str, call: &'static str) -> impl FnOnce(tonic::Status) -> Error + 'a {
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

/// What a driver can do beside publishing.
#[derive(Default)]
pub(super) struct Abilities {
    stage: bool,
    /// It counts what its volumes hold.
    pub(super) stats: bool,
    /// It gives a volume to the pod's group itself.
    mount_group: bool,
}

pub(super) async fn abilities(driver: &Driver, name: &str) -> Result<Abilities, Error> {
    let answer = client(driver).node_get_capabilities(NodeGetCapabilitiesRequest {}).await;
    let mut can = Abilities::default();
    for capability in answer.map_err(said(name, "NodeGetCapabilities"))?.into_inner().capabilities {
        let Some(Type::Rpc(rpc)) = capability.r#type else { continue };
        can.stage |= rpc.r#type() == rpc::Type::StageUnstageVolume;
        can.stats |= rpc.r#type() == rpc::Type::GetVolumeStats;
        can.mount_group |= rpc.r#type() == rpc::Type::VolumeMountGroup;
    }
    Ok(can)
}

async fn secrets(node: &Node, secret: Option<&(String, String)>) -> Result<HashMap<String, String>, Error> {
    let Some((ns, name)) = secret else { return Ok(HashMap::new()) };
    let found = node.sources.fetch(ns, BTreeSet::from([Need::Secret(name.clone())])).await?;
    let missing = || crate::volume::Error::Missing { kind: "secret", name: name.clone() };
    let data = found.secrets.get(name).ok_or_else(missing)?.data.clone().unwrap_or_default();
    Ok(data.into_iter().map(|(k, v)| (k, String::from_utf8_lossy(&v.0).into_owned())).collect())
}

/// Takes all volumes of a pod away again, and unstages those that no other pod of the node uses.
pub async fn unpublish_all(node: &Arc<Node>, pod_uid: &str) -> Result<(), Error> {
    let (places, of) = (node.places.clone(), pod_uid.to_owned());
    for record in blocking(move || Ok(record::of_pod(&places, &of))).await? {
        unpublish(node, pod_uid, record).await?;
    }
    Ok(())
}

async fn unpublish(node: &Arc<Node>, pod_uid: &str, record: Record) -> Result<(), Error> {
    let driver = node.drivers.get(&record.driver_name)?;
    let spots = record.spots(&node.places, pod_uid);
    let _turn = node.drivers.turns.take((record.driver_name.clone(), record.volume_handle.clone())).await;
    node.drivers.published.lock().remove(&(pod_uid.to_owned(), record.spec_vol_id.clone()));
    let request = NodeUnpublishVolumeRequest {
        volume_id: record.volume_handle.clone(),
        target_path: spots.target.to_string_lossy().into_owned(),
    };
    let done = client(&driver).node_unpublish_volume(request).await;
    done.map_err(said(&record.driver_name, "NodeUnpublishVolume"))?;
    let used = {
        let (places, record, spots) = (node.places.clone(), record.clone(), spots.clone());
        let forget = move || {
            // Staged volumes that a failed unstaging leaves would be nobody's without the record.
            let others = record::others_use(&places, &record, &spots);
            if others || !record.staged {
                record.forget(&spots)?;
            }
            Ok(others)
        };
        blocking(forget).await?
    };
    if record.staged && !used {
        let request = NodeUnstageVolumeRequest {
            volume_id: record.volume_handle.clone(),
            staging_target_path: spots.staging.to_string_lossy().into_owned(),
        };
        let done = client(&driver).node_unstage_volume(request).await;
        done.map_err(said(&record.driver_name, "NodeUnstageVolume"))?;
        let (record, spots) = (record.clone(), spots.clone());
        let forget = move || {
            record.forget_staging(&spots)?;
            record.forget(&spots)
        };
        blocking(forget).await?;
    }
    info!(driver = record.driver_name, volume = record.volume_handle, "volume unpublished");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::fixture::pod_yaml;

    fn refusal(volume: &str, driver: Option<&str>) -> String {
        let pod = pod_yaml(&format!("spec: {{volumes: [{volume}]}}"));
        let volume = &spec(&pod).volumes.as_ref().unwrap()[0];
        let wanted = if let Some(source) = &volume.csi {
            inline_one(&pod, &volume.name, source)
        } else {
            let text = "{metadata: {name: pv}, spec: {csi: {driver: d, volumeHandle: h}}}";
            persistent_one(&serde_norway::from_str(text).unwrap(), volume).unwrap()
        };
        let object = driver.map(|spec| serde_norway::from_str(&format!("{{metadata: {{}}, spec: {spec}}}")).unwrap());
        check_mode(&wanted, object.as_ref()).err().map(|e| e.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_driver_gets_only_volumes_of_the_modes_that_it_names() {
        let (inline, claim) = ("{name: v, csi: {driver: d}}", "{name: v, persistentVolumeClaim: {claimName: c}}");
        let only = |mode| format!("volume mode {mode} not supported by driver d (only supports ");
        assert_eq!(refusal(inline, Some("{volumeLifecycleModes: [Persistent, Ephemeral]}")), "");
        assert_eq!(refusal(claim, Some("{}")), "");
        assert_eq!(refusal(claim, None), "");
        assert!(refusal(inline, Some("{}")).starts_with(&only("\"Ephemeral\"")));
        assert!(refusal(claim, Some("{volumeLifecycleModes: [Ephemeral]}")).starts_with(&only("\"Persistent\"")));
        assert!(refusal(inline, None).ends_with("(no CSIDriver object)"));
    }
}
