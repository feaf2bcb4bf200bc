//! Pods from files in a folder of the node: read when the folder changes, defaulted and checked as the API would, and
//! named after the node. The API shows each as a mirror that nobody can change.

use crate::node::Node;
use crate::pod::label::{HASH, MIRROR, SOURCE};
use crate::pod::member::{namespace, uid};
use k8s_openapi::api::core::v1::{Node as NodeObject, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use rustix::fs::inotify;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// k8s: fileCheckFrequency; catches what was not noticed.
const LOOK_EVERY: Duration = Duration::from_secs(20);
/// A file larger than this is not a pod.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// The length of a pod's hash.
const HASH_DIGITS: usize = 32;

/// All pods of the folder, by uid.
pub type Set = BTreeMap<String, Arc<Pod>>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("not a pod: {0}")]
    NotAPod(String),
    #[error("cannot read the file")]
    Read(#[from] io::Error),
}

/// Tells the set at first, and each time it is another.
pub async fn run(node_name: String, dir: PathBuf, tell: UnboundedSender<Set>, drain: CancellationToken) {
    let notify = match watch(&dir) {
        Ok(notify) => Some(notify),
        Err(error) => {
            warn!(dir = %dir.display(), %error, "cannot watch the folder of static pods; it is read every 20 s");
            None
        }
    };
    let mut last: Option<Set> = None;
    loop {
        let (name, folder) = (node_name.clone(), dir.clone());
        let set = tokio::task::spawn_blocking(move || read_all(&folder, &name)).await.unwrap_or_default();
        if last.as_ref().is_none_or(|before| !before.keys().eq(set.keys())) {
            if tell.send(set.clone()).is_err() {
                return;
            }
            last = Some(set);
        }
        tokio::select! {
            () = drain.cancelled() => return,
            () = changed(notify.as_ref()) => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

fn watch(dir: &Path) -> io::Result<AsyncFd<OwnedFd>> {
    let fd = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)?;
    let events = inotify::WatchFlags::CLOSE_WRITE
        | inotify::WatchFlags::MOVED_TO
        | inotify::WatchFlags::MOVED_FROM
        | inotify::WatchFlags::DELETE;
    inotify::add_watch(&fd, dir, events)?;
    #[expect(
        deprecated,
        reason = "the AsyncFd owns the descriptor, which is what its replacement makes the caller promise"
    )]
    AsyncFd::new(fd)
}

async fn changed(notify: Option<&AsyncFd<OwnedFd>>) {
    let Some(notify) = notify else { return std::future::pending().await };
    let Ok(mut ready) = notify.readable().await else { return std::future::pending().await };
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut events = inotify::Reader::new(notify.get_ref(), &mut buffer);
    while events.next().is_ok() {}
    ready.clear_ready();
}

fn read_all(dir: &Path, node_name: &str) -> Set {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let files = entries.filter(|e| !e.file_name().to_string_lossy().starts_with('.')).map(|e| e.path());
    let mut set = Set::new();
    for file in files {
        match read(&file, node_name) {
            Ok(pod) => {
                set.insert(uid(&pod).to_owned(), Arc::new(pod));
            }
            Err(error) => warn!(file = %file.display(), error = crate::worker::chain(&error), "static pod not read"),
        }
    }
    set
}

fn read(file: &Path, node_name: &str) -> Result<Pod, Error> {
    let meta = std::fs::metadata(file)?;
    if !meta.is_file() || meta.len() > FILE_BYTES_MAX {
        return Err(Error::NotAPod("it is no file, or a very large one".to_owned()));
    }
    parse(&std::fs::read_to_string(file)?, &file.to_string_lossy(), node_name)
}

/// The pod in a file, as the node runs it.
// k8s: applyDefaults in pkg/kubelet/config/common.go.
fn parse(text: &str, file: &str, node_name: &str) -> Result<Pod, Error> {
    let wrong = |what: String| Error::NotAPod(what);
    let mut object: Value = serde_norway::from_str(text).map_err(|e| wrong(e.to_string()))?;
    if object["kind"] != "Pod" || object["apiVersion"] != "v1" {
        return Err(wrong("kind must be Pod and apiVersion v1".to_owned()));
    }
    let given = object["metadata"]["name"].as_str().filter(|n| !n.is_empty()).map(str::to_owned);
    let given = given.ok_or_else(|| wrong("metadata.name is missing".to_owned()))?;
    let digest = Sha256::digest(format!("{node_name}\0{file}\0{text}"));
    let mut hash = String::with_capacity(HASH_DIGITS);
    for byte in &digest[..HASH_DIGITS / 2] {
        write!(hash, "{byte:02x}").expect("a String takes every write");
    }
    let meta = object["metadata"].as_object_mut().ok_or_else(|| wrong("metadata is no object".to_owned()))?;
    meta.insert("name".to_owned(), json!(format!("{given}-{}", node_name.to_lowercase())));
    meta.entry("namespace").or_insert_with(|| json!("default"));
    meta.insert("uid".to_owned(), json!(hash));
    meta.remove("resourceVersion");
    let annotations = meta.entry("annotations").or_insert_with(|| json!({}));
    annotations[SOURCE] = json!("file");
    annotations[HASH] = json!(hash);
    object["spec"]["nodeName"] = json!(node_name);
    let pods = kinds::table::find("", "v1", "pods").ok_or_else(|| wrong("pods are unknown".to_owned()))?;
    pods.default(&mut object);
    let mut pod: Pod = serde_json::from_value(object).map_err(|e| wrong(e.to_string()))?;
    pod.status = None;
    if let Some(spec) = &mut pod.spec {
        // k8s: nothing but its file ends a static pod.
        let forever = serde_json::from_value(json!({ "operator": "Exists", "effect": "NoExecute" }));
        spec.tolerations.get_or_insert_default().extend(forever);
    }
    Ok(pod)
}

/// What the API is to show of a static pod.
pub fn mirror(node: &Node, pod: &Pod) -> Pod {
    let mut shown = pod.clone();
    shown.metadata.uid = None;
    shown.metadata.resource_version = None;
    shown.status = None;
    shown.metadata.annotations.get_or_insert_default().insert(MIRROR.to_owned(), uid(pod).to_owned());
    let object = node.caches.of::<NodeObject>().get("", &node.name);
    let owner = object.and_then(|n| n.metadata.uid.clone()).map(|uid| OwnerReference {
        api_version: "v1".to_owned(),
        kind: "Node".to_owned(),
        name: node.name.clone(),
        uid,
        controller: Some(true),
        ..OwnerReference::default()
    });
    shown.metadata.owner_references = owner.map(|o| vec![o]);
    shown
}

/// Takes a mirror out of the API: its pod is gone, or somebody has asked to delete it and it will come again.
pub fn remove_mirror(node: &Arc<Node>, mirror: &Pod) {
    use kube::api::{DeleteParams, Preconditions};
    let api: kube::Api<Pod> = kube::Api::namespaced(node.client.clone(), namespace(mirror));
    let name = mirror.metadata.name.clone().unwrap_or_default();
    let params = DeleteParams {
        grace_period_seconds: Some(0),
        preconditions: Some(Preconditions { uid: mirror.metadata.uid.clone(), resource_version: None }),
        ..DeleteParams::default()
    };
    node.tracker.spawn(node.drain.clone().run_until_cancelled_owned(async move {
        match api.delete(&name, &params).await {
            Ok(_) => info!(pod = name, "mirror pod removed"),
            Err(error) => tracing::debug!(pod = name, %error, "mirror pod not removed"),
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_becomes_a_pod_of_this_node() {
        let text =
            "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: a, image: 'web:1'}]}\n";
        let pod = parse(text, "/etc/web.yaml", "N1").unwrap();
        assert_eq!(pod.metadata.name.as_deref(), Some("web-n1"));
        assert_eq!((namespace(&pod), uid(&pod).len()), ("default", HASH_DIGITS));
        let spec = pod.spec.clone().unwrap();
        assert_eq!((spec.node_name.as_deref(), spec.restart_policy.as_deref()), (Some("N1"), Some("Always")));
        assert!(crate::pod::label::is_static(&pod));
        assert_ne!(uid(&parse(text, "/etc/other.yaml", "N1").unwrap()), uid(&pod));
        for bad in ["[", "kind: Service\napiVersion: v1", "kind: Pod\napiVersion: v1\nmetadata: {}"] {
            assert!(parse(bad, "/f", "n1").is_err(), "{bad}");
        }
    }
}
