//! Makes the volumes of a pod, keeps their content current, and takes them away. Every step may be repeated. Blocking:
//! runs on a thread for blocking work.

use super::{Error, empty_dir, files, host_path, in_memory, mount_table, persistent, writer};
use crate::material::Materials;
use crate::pod::cgroup;
use crate::pod::downward::Surroundings;
use crate::pod::member::{spec, uid};
use crate::pod::sandbox::Places;
use k8s_openapi::api::core::v1::{PersistentVolume, Pod, Volume};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// One volume that could not be made.
#[derive(Debug, thiserror::Error)]
#[error("MountVolume.SetUp failed for volume \"{volume}\" : {source}")]
pub struct Failed {
    pub volume: String,
    pub source: Error,
}

/// Makes all volumes, or brings them up to date; says where those are that do not lie in the pod's folder.
pub fn set_up(
    pod: &Pod,
    places: &Places,
    with: &Materials,
    around: &Surroundings,
) -> Result<BTreeMap<String, PathBuf>, Failed> {
    let mut elsewhere = BTreeMap::new();
    for volume in spec(pod).volumes.iter().flatten() {
        let failed = |source| Failed { volume: volume.name.clone(), source };
        let by_driver = |v: &PersistentVolume| v.spec.as_ref().is_some_and(|s| s.csi.is_some());
        if volume.csi.is_some() || with.volumes.get(&volume.name).is_some_and(|v| by_driver(v)) {
            // Its driver has made it.
        } else if let Some(found) = with.volumes.get(&volume.name) {
            let path = persistent::set_up(pod, found).map_err(failed)?;
            elsewhere.insert(volume.name.clone(), path);
        } else {
            one(pod, volume, places, with, around).map_err(failed)?;
        }
    }
    Ok(elsewhere)
}

fn one(pod: &Pod, volume: &Volume, places: &Places, with: &Materials, around: &Surroundings) -> Result<(), Error> {
    let group = spec(pod).security_context.as_ref().and_then(|s| s.fs_group).map(|g| g as u32);
    let Some(dir) = dir(pod, volume, places) else {
        return match (&volume.host_path, &volume.image) {
            (Some(source), _) => host_path::check(&source.path, source.type_.as_deref().unwrap_or_default()),
            // The runtime mounts what was pulled for the container.
            (None, Some(_)) => Ok(()),
            (None, None) => Err(Error::Unsupported { kind: kind(volume).to_owned() }),
        };
    };
    if let Some(source) = &volume.empty_dir {
        let limit = cgroup::pod(pod).memory_limit_in_bytes;
        return empty_dir::set_up(&dir, source, limit, group);
    }
    match files::tree(pod, volume, with, around)? {
        Some(tree) => {
            if dir.starts_with(places.in_memory(uid(pod))) {
                in_memory::set_up(uid(pod), places)?;
            }
            writer::write(&dir, &tree, group).map(drop)
        }
        None => Err(Error::Unsupported { kind: kind(volume).to_owned() }),
    }
}

/// Where the volume is on the node; `None` for kinds that have no folder of the pod's own.
pub fn dir(pod: &Pod, volume: &Volume, places: &Places) -> Option<PathBuf> {
    let kind = match volume {
        v if v.empty_dir.is_some() => "empty-dir",
        v if v.config_map.is_some() => "configmap",
        v if v.secret.is_some() => "secret",
        v if v.downward_api.is_some() => "downward-api",
        v if v.projected.is_some() => "projected",
        _ => return None,
    };
    in_memory::dir(pod, volume, kind, places).or_else(|| Some(places.volume(uid(pod), kind, &volume.name)))
}

/// The name users know a volume kind by.
fn kind(volume: &Volume) -> &'static str {
    match volume {
        v if v.persistent_volume_claim.is_some() => "persistentVolumeClaim",
        v if v.ephemeral.is_some() => "ephemeral",
        v if v.nfs.is_some() => "nfs",
        v if v.iscsi.is_some() => "iscsi",
        v if v.fc.is_some() => "fc",
        v if v.git_repo.is_some() => "gitRepo",
        _ => "these",
    }
}

/// Unmounts and removes the volumes of a pod that has ended; what the pod's folder holds besides stays.
pub fn release(pod_uid: &str, places: &Places) -> Result<(), Error> {
    let pod = places.pod(pod_uid);
    mount_table::remove_dir(&pod.join("volume-subpaths"))?;
    mount_table::remove_dir(&places.volumes(pod_uid))
}

/// Removes everything of the pod from the agent's folder.
pub fn remove(pod_uid: &str, places: &Places) -> Result<(), Error> {
    mount_table::remove_dir(&places.pod(pod_uid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::fixture::{pod_yaml, with_own_mounts};
    use crate::volume::sub_path;
    use std::fs;
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;
    use std::sync::Arc;

    fn places(dir: &Path) -> Places {
        Places { data_dir: dir.into(), log_dir: dir.join("logs"), cgroup_root: String::new() }
    }

    /// A pod with volumes of every kind that the agent writes itself, in a group of 4000.
    fn pod() -> Pod {
        pod_yaml(
            "spec:
              securityContext: {fsGroup: 4000}
              volumes:
              - {name: e, emptyDir: {}}
              - {name: c, configMap: {name: cm}}
              - {name: d, downwardAPI: {items: [{path: n, fieldRef: {fieldPath: metadata.name}}]}}
              - {name: s, secret: {secretName: s, defaultMode: 256}}
              - {name: p, projected: {sources: [{secret: {name: s, items: [{key: k, path: x/y}]}}]}}",
        )
    }

    fn materials(secret: &str) -> Materials {
        let map = serde_json::json!({ "data": { "k": "map" } });
        let secret = serde_json::json!({ "data": { "k": k8s_openapi::ByteString(secret.into()) } });
        Materials {
            config_maps: [("cm".to_owned(), Arc::new(serde_json::from_value(map).unwrap()))].into(),
            secrets: [("s".to_owned(), Arc::new(serde_json::from_value(secret).unwrap()))].into(),
            ..Materials::default()
        }
    }

    fn made(pod: &Pod, places: &Places, secret: &str) {
        set_up(pod, places, &materials(secret), &Surroundings::default()).unwrap();
    }

    fn place(pod: &Pod, name: &str, places: &Places) -> PathBuf {
        let volume = spec(pod).volumes.iter().flatten().find(|v| v.name == name).unwrap();
        dir(pod, volume, places).unwrap()
    }

    #[test]
    fn volumes_are_made_and_released() {
        with_own_mounts(|| {
            let dir = tempfile::tempdir().unwrap();
            let (places, pod) = (places(dir.path()), pod());
            made(&pod, &places, "one");
            let file = place(&pod, "d", &places).join("n");
            assert_eq!(fs::read_to_string(&file).unwrap(), "web");
            assert!(place(&pod, "e", &places).is_dir());
            release("uid-1", &places).unwrap();
            assert!(!file.exists() && places.pod("uid-1").exists());
            assert_eq!(mount_table::below(dir.path()).unwrap(), Vec::<PathBuf>::new());
            remove("uid-1", &places).unwrap();
            assert!(!places.pod("uid-1").exists());
        });
    }

    #[test]
    fn what_is_secret_lies_in_one_tmpfs_that_is_kept_and_written_to() {
        with_own_mounts(|| {
            let dir = tempfile::tempdir().unwrap();
            let (places, pod) = (places(dir.path()), pod());
            // The second time as a new agent does, the third as the Secret has changed.
            for text in ["one", "one", "two"] {
                made(&pod, &places, text);
                let (file, deep) = (place(&pod, "s", &places).join("k"), place(&pod, "p", &places).join("x/y"));
                for file in [&file, &deep] {
                    assert_eq!(fs::read_to_string(file).unwrap(), text);
                }
                let found = fs::metadata(&file).unwrap();
                assert_eq!((found.gid(), found.mode() & 0o777), (4000, 0o440));
                assert_eq!(fs::metadata(place(&pod, "s", &places)).unwrap().mode() & 0o7777, 0o2777);
                assert_eq!(mount_table::below(dir.path()).unwrap(), [places.in_memory("uid-1")]);
            }
            let device = |name: &str| fs::metadata(place(&pod, name, &places)).unwrap().dev();
            let disk = fs::metadata(dir.path()).unwrap().dev();
            assert!(["c", "e"].iter().all(|name| device(name) == disk), "they belong on the disk");
            assert!(["d", "s", "p"].iter().all(|name| device(name) != disk && device(name) == device("s")));
            let table = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
            let row = table.lines().find(|l| l.contains("/in-memory ")).unwrap();
            assert!(row.contains("nosuid,nodev") && row.contains(" - tmpfs "), "{row}");
        });
    }

    #[test]
    fn a_volume_that_an_earlier_version_put_on_the_disk_stays_where_containers_have_it() {
        with_own_mounts(|| {
            let dir = tempfile::tempdir().unwrap();
            let (places, pod) = (places(dir.path()), pod());
            let old = places.volume("uid-1", "secret", "s");
            let tree = files::tree(
                &pod,
                &spec(&pod).volumes.as_ref().unwrap()[3],
                &materials("old"),
                &Surroundings::default(),
            );
            writer::write(&old, &tree.unwrap().unwrap(), None).unwrap();
            made(&pod, &places, "new");
            assert_eq!(place(&pod, "s", &places), old);
            assert_eq!(fs::read_to_string(old.join("k")).unwrap(), "new");
            assert!(place(&pod, "p", &places).starts_with(places.in_memory("uid-1")));
        });
    }

    #[test]
    fn where_no_pod_runs_any_more_memory_is_given_back_and_drivers_mounts_stay() {
        with_own_mounts(|| {
            let dir = tempfile::tempdir().unwrap();
            let (places, pod) = (places(dir.path()), pod());
            made(&pod, &places, "one");
            sub_path::bind(&place(&pod, "s", &places), "k", &places.sub_path("uid-1", "s", "a", 0)).unwrap();
            let drivers = places.volumes("uid-1").join("kubernetes.io~csi/v/mount");
            fs::create_dir_all(&drivers).unwrap();
            rustix::mount::mount_bind(&drivers, &drivers).unwrap();
            assert_eq!(mount_table::below(dir.path()).unwrap().len(), 3);
            in_memory::unmount_all(dir.path()).unwrap();
            assert_eq!(mount_table::below(dir.path()).unwrap(), [drivers]);
            in_memory::unmount_all(&dir.path().join("none")).unwrap();
        });
    }

    #[test]
    fn what_is_not_built_says_so() {
        let places =
            Places { data_dir: "/nonexistent".into(), log_dir: "/nonexistent".into(), cgroup_root: String::new() };
        let pod = pod_yaml("spec: {volumes: [{name: v, nfs: {server: s, path: /p}}]}");
        let error = set_up(&pod, &places, &Materials::default(), &Surroundings::default()).unwrap_err();
        assert_eq!(error.to_string(), "MountVolume.SetUp failed for volume \"v\" : nfs volumes are not supported yet");
        // CVE-2024-10220 and CVE-2025-1767: commands of a repository run on the node. Nothing of it is built.
        let pod = pod_yaml("spec: {volumes: [{name: v, gitRepo: {repository: 'https://v.io/r', directory: d}}]}");
        assert!(set_up(&pod, &places, &Materials::default(), &Surroundings::default()).is_err());
    }
}
