//! The mounts of one container: its volume mounts resolved to places on the node, the pod's hosts file and the file for
//! its termination message. Blocking: sub paths are bound here.

use super::mounter::dir;
use super::{Error, sub_path};
use crate::pod::expand::expand_strict;
use crate::pod::member::{Member, spec, uid};
use crate::pod::sandbox::Places;
use k8s_openapi::api::core::v1::{Pod, Volume, VolumeMount};
use proto::cri::{ImageSpec, Mount, MountPropagation};
use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const HOSTS: &str = "/etc/hosts";
/// Any user of the container may write its last words.
const MESSAGE_MODE: u32 = 0o666;

#[derive(Debug, thiserror::Error)]
pub enum MountError {
    #[error("no volume named {name:?} in the pod")]
    Volume { name: String },
    #[error("failed to expand subPath for volumeMount {volume:?}: {variable} is not defined")]
    Expression { volume: String, variable: String },
    #[error("failed to prepare subPath for volumeMount {volume:?} of container {container:?}")]
    SubPath {
        volume: String,
        container: String,
        #[source]
        source: Error,
    },
    #[error("cannot write {}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

/// Volumes that have no folder of the pod's own, by name.
#[derive(Clone, Debug, Default)]
pub struct Elsewhere {
    /// Image references in the runtime.
    pub images: BTreeMap<String, String>,
    pub paths: BTreeMap<String, PathBuf>,
}

/// What mounts are made from.
pub struct Sources<'a> {
    pub env: &'a [(String, String)],
    /// The content of the pod's hosts file.
    pub hosts: &'a str,
    pub places: &'a Places,
    pub elsewhere: &'a Elsewhere,
}

pub fn mounts(pod: &Pod, member: &Member<'_>, attempt: u32, sources: &Sources<'_>) -> Result<Vec<Mount>, MountError> {
    let places = sources.places;
    let wanted = member.spec.volume_mounts.as_deref().unwrap_or_default();
    let mut list = Vec::with_capacity(wanted.len() + 2);
    for (index, mount) in wanted.iter().enumerate() {
        list.push(one(pod, member, mount, index, sources)?);
    }
    if !wanted.iter().any(|m| m.mount_path == HOSTS) {
        let path = places.hosts_file(uid(pod));
        write(&path, sources.hosts, 0o644)?;
        list.push(plain(HOSTS, &path));
    }
    let inside = member.spec.termination_message_path.as_deref().unwrap_or("/dev/termination-log");
    if !inside.is_empty() {
        let path = places.message_file(uid(pod), member.name(), attempt);
        write(&path, "", MESSAGE_MODE)?;
        list.push(plain(inside, &path));
    }
    Ok(list)
}

fn plain(inside: &str, on_host: &Path) -> Mount {
    let host_path = on_host.to_string_lossy().into_owned();
    Mount { container_path: inside.to_owned(), host_path, ..Mount::default() }
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), MountError> {
    let failed = |source| MountError::File { path: path.to_owned(), source };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    // The file may be mounted in containers already: it keeps its inode.
    if !holds(path, text) {
        fs::write(path, text).map_err(failed)?;
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(failed)
}

/// Whether the file is this text. A container may have made anything of it: no more is read than the text is long.
fn holds(path: &Path, text: &str) -> bool {
    let Ok(file) = fs::File::open(path) else { return false };
    let mut found = Vec::new();
    let read = file.take(text.len() as u64 + 1).read_to_end(&mut found);
    read.is_ok() && found == text.as_bytes()
}

fn one(
    pod: &Pod,
    member: &Member<'_>,
    mount: &VolumeMount,
    index: usize,
    sources: &Sources<'_>,
) -> Result<Mount, MountError> {
    let Sources { env, places, elsewhere, .. } = *sources;
    let missing = || MountError::Volume { name: mount.name.clone() };
    let volume = spec(pod).volumes.iter().flatten().find(|v| v.name == mount.name).ok_or_else(missing)?;
    let sub = sub_path_of(mount, env)?;
    if volume.image.is_some() {
        let reference = elsewhere.images.get(&mount.name).ok_or_else(missing)?;
        return Ok(image_mount(volume, mount, reference, sub));
    }
    let own = dir(pod, volume, places);
    let on_host = volume.host_path.as_ref().map(|h| PathBuf::from(&h.path));
    let mut source = own.or(on_host).or_else(|| elsewhere.paths.get(&mount.name).cloned()).ok_or_else(missing)?;
    if !sub.is_empty() {
        let target = places.sub_path(uid(pod), &mount.name, member.name(), index);
        sub_path::bind(&source, &sub, &target).map_err(|source| MountError::SubPath {
            volume: mount.name.clone(),
            container: member.name().to_owned(),
            source,
        })?;
        source = target;
    }
    let propagation = match mount.mount_propagation.as_deref() {
        Some("HostToContainer") => MountPropagation::PropagationHostToContainer,
        Some("Bidirectional") => MountPropagation::PropagationBidirectional,
        _ => MountPropagation::PropagationPrivate,
    };
    let readonly = mount.read_only == Some(true);
    Ok(Mount {
        container_path: inside(mount),
        host_path: source.to_string_lossy().into_owned(),
        // k8s: volumes that the node writes, and claims that say so, are read-only to the pod, whatever the mount says.
        readonly: readonly
            || [
                volume.config_map.is_some(),
                volume.secret.is_some(),
                volume.downward_api.is_some(),
                volume.projected.is_some(),
                volume.persistent_volume_claim.as_ref().is_some_and(|claim| claim.read_only == Some(true)),
            ]
            .contains(&true),
        recursive_read_only: readonly && matches!(mount.recursive_read_only.as_deref(), Some("Enabled" | "IfPossible")),
        propagation: propagation.into(),
        ..Mount::default()
    })
}

fn inside(mount: &VolumeMount) -> String {
    if mount.mount_path.starts_with('/') { mount.mount_path.clone() } else { format!("/{}", mount.mount_path) }
}

/// k8s: an image volume is read-only whatever the mount says.
fn image_mount(volume: &Volume, mount: &VolumeMount, reference: &str, sub_path: String) -> Mount {
    let asked = volume.image.as_ref().and_then(|i| i.reference.clone()).unwrap_or_default();
    Mount {
        container_path: inside(mount),
        readonly: true,
        image: Some(ImageSpec { image: reference.to_owned(), user_specified_image: asked, ..ImageSpec::default() }),
        image_sub_path: sub_path,
        ..Mount::default()
    }
}

fn sub_path_of(mount: &VolumeMount, env: &[(String, String)]) -> Result<String, MountError> {
    if let Some(expression) = mount.sub_path_expr.as_deref().filter(|e| !e.is_empty()) {
        let lookup = |name: &str| env.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.clone());
        return expand_strict(expression, lookup)
            .map_err(|variable| MountError::Expression { volume: mount.name.clone(), variable });
    }
    Ok(mount.sub_path.clone().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::fixture::pod_yaml;
    use crate::pod::member::members;
    use std::os::unix::fs::MetadataExt as _;

    fn mounted(pod: &str) -> Result<Vec<String>, String> {
        let dir = tempfile::tempdir().unwrap();
        let places = Places { data_dir: dir.path().into(), log_dir: dir.path().into(), cgroup_root: String::new() };
        let pod = pod_yaml(pod);
        let env = [("WHO".to_owned(), "x".to_owned())];
        let list = mounts(
            &pod,
            &members(&pod)[0],
            0,
            &Sources { env: &env, hosts: "hosts", places: &places, elsewhere: &Elsewhere::default() },
        )
        .map_err(|e| e.to_string())?;
        let base = dir.path().to_string_lossy().into_owned();
        Ok(list
            .iter()
            .map(|m| format!("{} {} {}", m.container_path, m.host_path.replace(&base, ""), m.readonly))
            .collect())
    }

    #[test]
    fn volumes_hosts_and_last_words_are_mounted() {
        let pod = "spec: {volumes: [{name: c, configMap: {name: cm}}, {name: h, hostPath: {path: /srv}}], containers: [{name: a, volumeMounts: [{name: c, mountPath: /c}, {name: h, mountPath: /h, readOnly: true}]}]}";
        let want = [
            "/c /pods/uid-1/volumes/kubernetes.io~configmap/c true",
            "/h /srv true",
            "/etc/hosts /pods/uid-1/etc-hosts false",
            "/dev/termination-log /pods/uid-1/containers/a/0 false",
        ];
        assert_eq!(mounted(pod).unwrap(), want);
    }

    #[test]
    fn a_file_that_a_container_blew_up_is_written_anew_and_keeps_its_inode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hosts");
        write(&path, "hosts", 0o644).unwrap();
        let inode = || fs::metadata(&path).unwrap().ino();
        let before = inode();
        // Sparse, and longer than any machine's memory.
        fs::File::options().write(true).open(&path).unwrap().set_len(1 << 43).unwrap();
        assert!(!holds(&path, "hosts"));
        write(&path, "hosts", 0o644).unwrap();
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), inode()), ("hosts", before));
    }

    #[test]
    fn an_own_mount_on_the_hosts_file_is_respected() {
        let pod = "spec: {volumes: [{name: h, hostPath: {path: /srv/hosts}}], containers: [{name: a, volumeMounts: [{name: h, mountPath: /etc/hosts}]}]}";
        assert_eq!(mounted(pod).unwrap()[0], "/etc/hosts /srv/hosts false");
        assert_eq!(mounted(pod).unwrap().len(), 2);
    }

    #[test]
    fn an_undefined_variable_in_a_sub_path_is_named() {
        let pod = "spec: {volumes: [{name: e, emptyDir: {}}], containers: [{name: a, volumeMounts: [{name: e, mountPath: /e, subPathExpr: $(NONE)}]}]}";
        assert!(mounted(pod).unwrap_err().contains("NONE is not defined"));
    }
}
