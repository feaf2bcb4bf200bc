//! Disk that pods use on the node: writable layers, logs, emptyDir volumes and what the agent itself writes for them,
//! against the limits that they have. Blocking: walks folders, but only those of pods with limits.

use crate::log::files;
use crate::pod::label;
use crate::pod::member::{Role, members, spec, uid};
use crate::pod::sandbox::Places;
use crate::quantity::{limit, whole};
use crate::volume::mounter;
use k8s_openapi::api::core::v1::{Pod, Volume};
use proto::cri::ContainerStats;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

/// Pods that are above one of their limits, with upstream's words.
pub(super) fn excesses(pods: &[Arc<Pod>], stats: &[ContainerStats], places: &Places) -> Vec<(Arc<Pod>, String)> {
    let layers = writable_layers(stats);
    pods.iter().filter_map(|pod| Some((Arc::clone(pod), excess(pod, &layers, places)?))).collect()
}

/// By pod uid and container name.
fn writable_layers(stats: &[ContainerStats]) -> BTreeMap<(String, String), u64> {
    let one = |s: &ContainerStats| {
        let labels = &s.attributes.as_ref()?.labels;
        let key = (labels.get(label::POD_UID)?.clone(), labels.get(label::CONTAINER_NAME)?.clone());
        Some((key, s.writable_layer.as_ref()?.used_bytes.as_ref()?.value))
    };
    stats.iter().filter_map(one).collect()
}

fn excess(pod: &Pod, layers: &BTreeMap<(String, String), u64>, places: &Places) -> Option<String> {
    for volume in spec(pod).volumes.iter().flatten() {
        let Some(most) = volume.empty_dir.as_ref().and_then(|e| e.size_limit.as_ref()) else { continue };
        let bytes = on_disk(pod, volume, places);
        if whole(most) > 0 && bytes > whole(most) as u64 {
            return Some(format!("Usage of EmptyDir volume \"{}\" exceeds the limit \"{}\". ", volume.name, most.0));
        }
    }
    let all = members(pod);
    let limits: Vec<_> = all
        .iter()
        .filter(|m| m.role != Role::Ephemeral)
        .filter_map(|m| Some((m, limit(m.spec.resources.as_ref(), "ephemeral-storage")?)))
        .collect();
    if limits.is_empty() {
        return None;
    }
    let own = |name: &str| {
        let layer = layers.get(&(uid(pod).to_owned(), name.to_owned())).copied().unwrap_or(0);
        layer + folder(&places.pod_logs(pod).join(name))
    };
    for (member, most) in &limits {
        if own(member.name()) > u64::try_from(whole(most)).unwrap_or(0) {
            return Some(format!(
                "Container {} exceeded its local ephemeral storage limit \"{}\". ",
                member.name(),
                most.0
            ));
        }
    }
    // k8s: a pod whose containers are all limited is limited as a whole, its volumes and the agent's files included.
    let runs = |m: &&crate::pod::member::Member<'_>| matches!(m.role, Role::App | Role::Sidecar);
    if all.iter().filter(runs).any(|m| limit(m.spec.resources.as_ref(), "ephemeral-storage").is_none()) {
        return None;
    }
    let total: u64 = limits.iter().filter(|(m, _)| runs(m)).map(|(_, q)| whole(q).max(0) as u64).sum();
    let used: u64 = all.iter().map(|m| own(m.name())).sum::<u64>()
        + spec(pod).volumes.iter().flatten().map(|v| on_disk(pod, v, places)).sum::<u64>()
        + agents_files(pod, places);
    (used > total).then(|| format!("Pod ephemeral local storage usage exceeds the total limit of containers {total}. "))
}

/// Bytes of a volume that lies on the node's disk; a tmpfs counts as memory, and is bounded by its own size.
fn on_disk(pod: &Pod, volume: &Volume, places: &Places) -> u64 {
    let memory = volume.empty_dir.as_ref().is_some_and(|e| e.medium.as_deref().is_some_and(|m| !m.is_empty()));
    match mounter::dir(pod, volume, places) {
        Some(dir) if !memory && !dir.starts_with(places.in_memory(uid(pod))) => folder(&dir),
        Some(_) | None => 0,
    }
}

/// The hosts file and termination messages, which containers can write to.
fn agents_files(pod: &Pod, places: &Places) -> u64 {
    let hosts = std::fs::metadata(places.hosts_file(uid(pod))).map_or(0, |m| m.blocks() * 512);
    hosts + folder(&places.pod(uid(pod)).join("containers"))
}

/// Bytes below a folder, without following links or entering other file systems.
fn folder(path: &Path) -> u64 {
    let Ok(root) = std::fs::symlink_metadata(path) else { return 0 };
    files::disk_usage(path, root.dev())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::fixture::pod_yaml;
    use std::fs;

    #[test]
    fn volumes_containers_and_pods_have_limits() {
        let dir = tempfile::tempdir().unwrap();
        let places =
            Places { data_dir: dir.path().into(), log_dir: dir.path().join("logs"), cgroup_root: String::new() };
        let check = |spec: &str| excess(&pod_yaml(&format!("spec: {spec}")), &BTreeMap::new(), &places);
        let volume = places.volume("uid-1", "empty-dir", "v");
        fs::create_dir_all(&volume).unwrap();
        fs::write(volume.join("f"), vec![1; 64 << 10]).unwrap();
        let with = |limit: &str| {
            format!("{{volumes: [{{name: v, emptyDir: {{sizeLimit: {limit}}}}}], containers: [{{name: a}}]}}")
        };
        assert_eq!(check(&with("1Mi")), None);
        assert_eq!(check(&with("16Ki")).unwrap(), "Usage of EmptyDir volume \"v\" exceeds the limit \"16Ki\". ");
        let limited = |limit: &str| {
            format!(
                "{{volumes: [{{name: v, emptyDir: {{}}}}], containers: [{{name: a, resources: {{limits: {{ephemeral-storage: {limit}}}}}}}]}}"
            )
        };
        assert_eq!(check(&limited("1Mi")), None);
        assert!(check(&limited("32Ki")).unwrap().starts_with("Pod ephemeral local storage usage exceeds"));
        let logs = places.pod_logs(&pod_yaml("spec: {}")).join("a");
        fs::create_dir_all(&logs).unwrap();
        fs::write(logs.join("0.log"), vec![1; 64 << 10]).unwrap();
        assert!(check(&limited("32Ki")).unwrap().starts_with("Container a exceeded"));
    }

    /// CVE-2020-8557: a container fills the node's disk through files that the agent made for it and mounted into it.
    #[test]
    fn files_that_the_agent_makes_for_a_pod_count_and_what_is_in_memory_does_not() {
        let pod = pod_yaml(
            "spec: {volumes: [{name: s, secret: {secretName: s}}], containers: [{name: a, resources: {limits: {ephemeral-storage: 32Ki}}}]}",
        );
        let big = |path: &Path| {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, vec![1; 64 << 10]).unwrap();
        };
        let files: [fn(&Places) -> std::path::PathBuf; 2] =
            [|at| at.hosts_file("uid-1"), |at| at.message_file("uid-1", "a", 0)];
        for file in files {
            let dir = tempfile::tempdir().unwrap();
            let places =
                Places { data_dir: dir.path().into(), log_dir: dir.path().join("logs"), cgroup_root: String::new() };
            big(&places.in_memory("uid-1").join("kubernetes.io~secret/s/k"));
            assert_eq!(excess(&pod, &BTreeMap::new(), &places), None);
            big(&file(&places));
            let said = excess(&pod, &BTreeMap::new(), &places).unwrap();
            assert!(said.starts_with("Pod ephemeral local storage usage exceeds"), "{said}");
        }
    }
}
