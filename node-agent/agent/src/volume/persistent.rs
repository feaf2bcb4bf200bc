//! Persistent volumes that are files of this node: `local` and `hostPath`. They stay where they are and outlive the pod.

use super::ownership::{self, When};
use super::{Error, host_path};
use crate::pod::member::spec;
use k8s_openapi::api::core::v1::{PersistentVolume, Pod};
use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Who provisioned a volume, and the name under which the class `local-path` does.
const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
const LOCAL_PATH: &str = "drover.dev/local-path";
/// Of a directory that is a claim's alone: whoever its pods run as may write there, as with other provisioners.
const CLAIM_MODE: u32 = 0o777;

/// Makes the volume ready for the pod and says where it is.
pub fn set_up(pod: &Pod, volume: &PersistentVolume) -> Result<PathBuf, Error> {
    let found = volume.spec.clone().unwrap_or_default();
    let block = found.volume_mode.as_deref() == Some("Block");
    if let Some(source) = &found.host_path {
        if block {
            return Err(Error::Unsupported { kind: "block hostPath".to_owned() });
        }
        let path = PathBuf::from(&source.path);
        if is_a_claims_own(volume) {
            make(&path)?;
            own(pod, &path)?;
        }
        // k8s: any other hostPath is not given to the pod's group: others on the node use it too.
        host_path::check(&source.path, source.type_.as_deref().unwrap_or_default())?;
        return Ok(path);
    }
    let Some(source) = &found.local else { return Err(Error::Unsupported { kind: kind(volume).to_owned() }) };
    let path = PathBuf::from(&source.path);
    let meta = fs::metadata(&path).map_err(|_| Error::NoLocalPath { path: source.path.clone() })?;
    match (block, meta.file_type().is_block_device()) {
        (true, false) => return Err(Error::NotABlockDevice { path: source.path.clone() }),
        (false, true) => return Err(Error::Unsupported { kind: "local block devices as file system".to_owned() }),
        (true, true) => return Ok(path),
        (false, false) => {}
    }
    own(pod, &path)?;
    Ok(path)
}

fn is_a_claims_own(volume: &PersistentVolume) -> bool {
    let annotations = volume.metadata.annotations.as_ref();
    annotations.and_then(|all| all.get(PROVISIONED_BY)).is_some_and(|by| by == LOCAL_PATH)
}

/// One that is there stays as its pods left it.
fn make(path: &Path) -> Result<(), Error> {
    if path.exists() {
        return Ok(());
    }
    fs::create_dir_all(path).map_err(Error::io("cannot create", path))?;
    fs::set_permissions(path, fs::Permissions::from_mode(CLAIM_MODE)).map_err(Error::io("cannot set the mode of", path))
}

/// Gives the volume to the pod's group, as its policy says.
pub fn own(pod: &Pod, path: &Path) -> Result<(), Error> {
    let context = spec(pod).security_context.as_ref();
    let Some(group) = context.and_then(|s| s.fs_group) else { return Ok(()) };
    let when = match context.and_then(|s| s.fs_group_change_policy.as_deref()) {
        Some("OnRootMismatch") => When::RootDiffers,
        _ => When::Always,
    };
    ownership::give(path, group as u32, when)
}

/// The name users know the source by.
fn kind(volume: &PersistentVolume) -> &'static str {
    let Some(found) = &volume.spec else { return "empty" };
    match found {
        s if s.nfs.is_some() => "nfs",
        s if s.iscsi.is_some() => "iscsi",
        s if s.fc.is_some() => "fc",
        _ => "these persistent",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::fixture::pod_yaml;
    use std::os::unix::fs::MetadataExt;

    fn volume(text: &str) -> PersistentVolume {
        serde_norway::from_str(text).unwrap()
    }

    #[test]
    fn a_local_volume_is_where_it_says_and_belongs_to_the_pods_group() {
        let dir = tempfile::tempdir().unwrap();
        let inside = dir.path().join("data");
        fs::write(&inside, "x").unwrap();
        fs::set_permissions(&inside, fs::Permissions::from_mode(0o600)).unwrap();
        let group = fs::metadata(&inside).unwrap().gid();
        let pod = pod_yaml(&format!("spec: {{securityContext: {{fsGroup: {group}}}}}"));
        let found = volume(&format!("spec: {{local: {{path: '{}'}}}}", dir.path().display()));
        assert_eq!(set_up(&pod, &found).unwrap(), dir.path());
        assert_eq!(fs::metadata(&inside).unwrap().permissions().mode() & 0o777, 0o660);
        assert_eq!(fs::metadata(dir.path()).unwrap().permissions().mode() & 0o2070, 0o2070);
        let missing = volume("spec: {local: {path: /nonexistent/volume}}");
        assert!(set_up(&pod, &missing).unwrap_err().to_string().contains("does not exist"));
        let block = volume(&format!("spec: {{volumeMode: Block, local: {{path: '{}'}}}}", dir.path().display()));
        assert!(set_up(&pod, &block).is_err());
        assert_eq!(
            set_up(&pod, &volume("spec: {nfs: {server: s, path: /p}}")).unwrap_err().to_string(),
            "nfs volumes are not supported yet"
        );
    }

    #[test]
    fn a_directory_of_the_default_class_is_writable_for_whoever_the_pod_runs_as() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pvc-1_default_data");
        let mode = || fs::metadata(&path).unwrap().mode() & 0o7777;
        let made_by = |who: &str| {
            volume(&format!(
                "metadata: {{annotations: {{pv.kubernetes.io/provisioned-by: {who}}}}}\nspec: {{hostPath: {{path: '{}', type: DirectoryOrCreate}}}}",
                path.display()
            ))
        };
        set_up(&pod_yaml("spec: {}"), &made_by("drover.dev/local-path")).unwrap();
        assert_eq!(mode(), 0o777);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        set_up(&pod_yaml("spec: {}"), &made_by("drover.dev/local-path")).unwrap();
        assert_eq!(mode(), 0o700, "what a pod has made of it stays");
        let group = fs::metadata(&path).unwrap().gid();
        let with_group = pod_yaml(&format!("spec: {{securityContext: {{fsGroup: {group}}}}}"));
        set_up(&with_group, &made_by("somebody.example")).unwrap();
        assert_eq!(mode(), 0o700, "others use it too");
        set_up(&with_group, &made_by("drover.dev/local-path")).unwrap();
        assert_eq!(mode(), 0o2770);
    }
}
