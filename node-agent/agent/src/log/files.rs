//! Where the logs of a container are: `<n>.log` for each run below the pod's folder, rotated files beside it, and a link
//! in the flat folder that log shippers watch.

use crate::pod::member::{name, namespace};
use crate::pod::sandbox::Places;
use k8s_openapi::api::core::v1::Pod;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use tracing::debug;

/// The log of one run.
pub fn path(places: &Places, pod: &Pod, container: &str, attempt: u32) -> PathBuf {
    places.pod_logs(pod).join(container).join(format!("{attempt}.log"))
}

/// Rotated files of `log`, oldest first: `0.log.20260101-000000`.
pub fn rotated(log: &Path) -> Vec<PathBuf> {
    let (Some(dir), Some(base)) = (log.parent(), log.file_name()) else { return Vec::new() };
    let prefix = format!("{}.", base.to_string_lossy());
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> =
        entries.filter(|e| e.file_name().to_string_lossy().starts_with(&prefix)).map(|e| e.path()).collect();
    found.sort();
    found
}

/// k8s: `<log-dir>/../containers/<pod>_<ns>_<container>-<id>.log`
pub fn link(places: &Places, pod: &Pod, container: &str, attempt: u32, id: &str) {
    let Some(dir) = links(places) else { return };
    let link = dir.join(format!("{}_{}_{container}-{id}.log", name(pod), namespace(pod)));
    let made = std::fs::create_dir_all(&dir)
        .and_then(|()| std::os::unix::fs::symlink(path(places, pod, container, attempt), &link));
    match made {
        Ok(()) => {}
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => debug!(link = %link.display(), %error, "cannot link a log"),
    }
}

fn links(places: &Places) -> Option<PathBuf> {
    places.log_dir.parent().map(|p| p.join("containers"))
}

/// A log with its rotated files.
pub async fn remove_all(log: &Path) {
    let mut files = rotated(log);
    files.push(log.to_owned());
    for file in files {
        match tokio::fs::remove_file(&file).await {
            Ok(()) => {}
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(error) => debug!(file = %file.display(), %error, "cannot remove a log"),
        }
    }
}

/// Bytes on disk below a folder of the file system `device`. Links are not followed.
pub fn disk_usage(path: &Path, device: u64) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let one = |entry: std::fs::DirEntry| {
        let Ok(meta) = entry.metadata() else { return 0 };
        let below = if meta.is_dir() && meta.dev() == device { disk_usage(&entry.path(), device) } else { 0 };
        below + if meta.dev() == device { meta.blocks() * 512 } else { 0 }
    };
    entries.map(one).sum()
}

/// All logs of a pod and the links to them.
pub fn remove_pod(places: &Places, pod: &Pod) {
    let dir = places.pod_logs(pod);
    if let Some(links) = links(places) {
        let prefix = format!("{}_{}_", name(pod), namespace(pod));
        let entries = std::fs::read_dir(links).into_iter().flatten().flatten();
        for entry in entries.filter(|e| e.file_name().to_string_lossy().starts_with(&prefix)) {
            let ours = std::fs::read_link(entry.path()).is_ok_and(|target| target.starts_with(&dir));
            if ours && let Err(error) = std::fs::remove_file(entry.path()) {
                debug!(link = %entry.path().display(), %error, "cannot remove a log link");
            }
        }
    }
    match std::fs::remove_dir_all(&dir) {
        Ok(()) => {}
        Err(e) if e.kind() == ErrorKind::NotFound => {}
        Err(error) => debug!(dir = %dir.display(), %error, "cannot remove logs"),
    }
}
