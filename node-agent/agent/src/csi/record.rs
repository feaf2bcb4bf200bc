//! What is kept of a published volume, beside it, so that whoever takes it away, this agent or its successor, knows whom
//! to ask; and where a volume is on the node. k8s: the CSI plugin's folders. Blocking.

use super::Error;
use super::volume::digest;
use crate::pod::sandbox::Places;
use crate::volume::mount_table;
use crate::whole_file;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The file that says what a folder below `volumes/kubernetes.io~csi` holds.
const RECORD: &str = "vol_data.json";

/// A published volume, as it is needed to take it away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    pub(super) driver_name: String,
    pub(super) volume_handle: String,
    pub(super) spec_vol_id: String,
    pub(super) staged: bool,
    /// A device, and not a folder.
    #[serde(default)]
    pub(super) block: bool,
}

/// Where a volume is.
#[derive(Clone, Debug)]
pub(super) struct Spots {
    /// The pod's, with the record.
    pub(super) folder: PathBuf,
    /// Where the driver puts it for the pod.
    pub(super) target: PathBuf,
    /// Where the driver puts it for the node.
    pub(super) staging: PathBuf,
}

fn plugins(places: &Places) -> PathBuf {
    places.data_dir.join("plugins/kubernetes.io/csi")
}

fn pod_folder(places: &Places, pod_uid: &str) -> PathBuf {
    places.pod(pod_uid).join("volumes").join("kubernetes.io~csi")
}

impl Record {
    pub(super) fn spots(&self, places: &Places, pod_uid: &str) -> Spots {
        let folder = pod_folder(places, pod_uid).join(&self.spec_vol_id);
        if self.block {
            let devices = plugins(places).join("volumeDevices");
            let target = devices.join("publish").join(&self.spec_vol_id).join(pod_uid);
            return Spots { folder, target, staging: devices.join("staging").join(&self.spec_vol_id) };
        }
        let staging = plugins(places).join(&self.driver_name).join(digest(&self.volume_handle)).join("globalmount");
        Spots { target: folder.join("mount"), folder, staging }
    }

    /// Writes it down, and makes the folders that a driver expects.
    pub(super) fn prepare(&self, spots: &Spots) -> Result<(), Error> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Write { path, source }
        };
        let parent = spots.target.parent().unwrap_or(&spots.target);
        for folder in [&spots.folder, parent].into_iter().chain(self.staged.then_some(spots.staging.as_path())) {
            fs::create_dir_all(folder).map_err(failed(folder))?;
        }
        let path = spots.folder.join(RECORD);
        let text = serde_json::to_vec(self).expect("a record is plain data");
        whole_file::write(&path, &text).map_err(failed(&path))
    }

    /// Removes what is left of a volume that its driver has taken away from the pod; the record last.
    pub(super) fn forget(&self, spots: &Spots) -> Result<(), Error> {
        if self.block {
            match fs::remove_file(&spots.target) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::Write { path: spots.target.clone(), source });
                }
                Ok(()) | Err(_) => {}
            }
            remove_if_empty(spots.target.parent().unwrap_or(&spots.target))?;
        }
        Ok(mount_table::remove_dir(&spots.folder)?)
    }

    /// Removes what is left of a volume that its driver has taken away from the node.
    pub(super) fn forget_staging(&self, spots: &Spots) -> Result<(), Error> {
        let folder = if self.block { Some(spots.staging.as_path()) } else { spots.staging.parent() };
        Ok(mount_table::remove_dir(folder.unwrap_or(&spots.staging))?)
    }

    fn is_of_same_volume(&self, other: &Self) -> bool {
        (&self.driver_name, &self.volume_handle) == (&other.driver_name, &other.volume_handle)
    }
}

/// Others may have theirs in it.
fn remove_if_empty(folder: &Path) -> Result<(), Error> {
    match fs::remove_dir(folder) {
        Err(source) if !matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) => {
            Err(Error::Write { path: folder.to_owned(), source })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The volumes of a pod.
pub(super) fn of_pod(places: &Places, pod_uid: &str) -> Vec<Record> {
    let entries = fs::read_dir(pod_folder(places, pod_uid)).into_iter().flatten().flatten();
    entries.filter_map(|entry| read_one(&entry.path())).collect()
}

fn read_one(folder: &Path) -> Option<Record> {
    serde_json::from_slice(&fs::read(folder.join(RECORD)).ok()?).ok()
}

/// Whether another pod of the node has the volume, or the same pod by another name.
pub(super) fn others_use(places: &Places, record: &Record, spots: &Spots) -> bool {
    let pods = fs::read_dir(places.pods()).into_iter().flatten().flatten();
    let folders = pods.flat_map(|p| fs::read_dir(p.path().join("volumes/kubernetes.io~csi"))).flatten().flatten();
    let others = folders.map(|entry| entry.path()).filter(|folder| *folder != spots.folder);
    others.filter_map(|folder| read_one(&folder)).any(|other| other.is_of_same_volume(record))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str, block: bool) -> Record {
        Record {
            driver_name: "disk.example".into(),
            volume_handle: "disk-1".into(),
            spec_vol_id: name.into(),
            staged: true,
            block,
        }
    }

    #[test]
    fn a_volume_is_used_until_its_last_pod_is_without_it() {
        let dir = tempfile::tempdir().unwrap();
        let places = Places { data_dir: dir.path().into(), log_dir: dir.path().into(), cgroup_root: String::new() };
        for block in [false, true] {
            let one = record("pv", block);
            for pod in ["u1", "u2"] {
                let spots = one.spots(&places, pod);
                one.prepare(&spots).unwrap();
                if block {
                    fs::write(&spots.target, "").unwrap();
                }
            }
            assert_eq!(of_pod(&places, "u1"), std::slice::from_ref(&one));
            let (first, second) = (one.spots(&places, "u1"), one.spots(&places, "u2"));
            assert!(others_use(&places, &one, &first));
            one.forget(&first).unwrap();
            assert!(of_pod(&places, "u1").is_empty());
            assert!(!others_use(&places, &one, &second) && second.staging.is_dir());
            one.forget_staging(&second).unwrap();
            one.forget(&second).unwrap();
            assert!(!second.staging.exists() && !second.target.exists() && of_pod(&places, "u2").is_empty());
        }
    }

    /// A volume whose record is lost is never taken away from the node.
    #[test]
    fn a_record_is_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let places = Places { data_dir: dir.path().into(), log_dir: dir.path().into(), cgroup_root: String::new() };
        let one = record("pv", false);
        let spots = one.spots(&places, "u1");
        one.prepare(&spots).unwrap();
        let held = fs::File::open(spots.folder.join(RECORD)).unwrap();
        Record { staged: false, ..one.clone() }.prepare(&spots).unwrap();
        // Who was reading it has read the one that was there, and not what is being written.
        assert_eq!(serde_json::from_reader::<_, Record>(held).unwrap(), one);
        assert!(!of_pod(&places, "u1")[0].staged);
    }

    #[test]
    fn records_of_earlier_versions_are_read() {
        let text = r#"{"driverName":"disk.example","volumeHandle":"disk-1","specVolId":"pv","staged":true}"#;
        assert_eq!(serde_json::from_str::<Record>(text).unwrap(), record("pv", false));
    }
}
