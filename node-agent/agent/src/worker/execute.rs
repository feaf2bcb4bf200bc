//! Operations as futures. Each owns what it needs, so that the worker stays free to listen.

use super::outcome::{Outcome, Pulled};
use super::{Worker, kill, resize, start, volumes};
use crate::image::ensure::{Refused, Wanted, ensure};
use crate::material::of_pulls;
use crate::node::Node;
use crate::pod::member::{Member, describe, member, name, namespace, spec, uid};
use crate::pod::op::Op;
use crate::pod::resize::in_force;
use crate::pod::{cgroup, sandbox};
use crate::volume::mounter;
use futures::future::BoxFuture;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, ResourceRequirements, Secret};
use k8s_openapi::api::node::v1::RuntimeClass;
use kube::Api;
use kube::api::{DeleteParams, Preconditions};
use proto::cri::{
    RemoveContainerRequest, RemovePodSandboxRequest, RunPodSandboxRequest, StatusRequest, StopPodSandboxRequest,
    UserNamespace,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use tracing::{debug, info, warn};

impl Worker {
    pub(super) fn work(&self, op: Op, now: Timestamp) -> BoxFuture<'static, Outcome> {
        let (node, pod) = (Arc::clone(&self.node), Arc::clone(&self.pod));
        match op {
            Op::MountVolumes => {
                Box::pin(volumes::mount(node, pod, self.surroundings(), self.kept.clone(), self.tell.clone()))
            }
            Op::PrepareClaims => Box::pin(async move {
                let result = node.claims.prepare(&node, &pod).await;
                Outcome::Prepared(result.map_err(|error| volumes::chain(&error)))
            }),
            Op::ReleaseClaims => Box::pin(async move {
                let result = node.claims.unprepare(uid(&pod)).await;
                Outcome::Unprepared(result.map_err(|error| volumes::chain(&error)))
            }),
            Op::ReleaseVolumes => Box::pin(release(node, uid(&pod).to_owned())),
            Op::CreateSandbox { attempt, replaces } => Box::pin(create_sandbox(node, pod, attempt, replaces)),
            Op::StopSandbox { id } => Box::pin(async move {
                Outcome::Sandbox(stop_sandbox(&node, &id).await.map_err(|status| status.message().to_owned()))
            }),
            Op::RemoveSandbox { id } => Box::pin(remove_sandbox(node, pod, id)),
            Op::Resize { container } => {
                let record = self.seen.current(&container);
                let (id, sandbox) = record.map(|r| (r.id.clone(), r.sandbox.clone())).unwrap_or_default();
                let before = Arc::new(in_force(&self.pod, &self.seen));
                Box::pin(resize::container(node, pod, before, container, (id, sandbox)))
            }
            Op::EnsureImage { container } => Box::pin(image(node, pod, container)),
            Op::Start { container, attempt, .. } => {
                let start = start::Start {
                    sandbox: self.seen.sandbox().cloned(),
                    image: self.seen.images.get(&container).cloned(),
                    mounted_images: self.mounted_images.get(&container).cloned().unwrap_or_default(),
                    volumes: self.volume_paths.clone(),
                    resources: self.held_resources(&container),
                    target: self.target_of(&container),
                    around: self.surroundings(),
                    container,
                    attempt,
                };
                Box::pin(start.run(node, pod))
            }
            Op::Kill(kill) => {
                let ip = self.seen.sandbox().and_then(|s| s.ips.first().cloned()).unwrap_or_default();
                Box::pin(kill::run(node, pod, kill, ip, now))
            }
            Op::Remove { id } => {
                let log = self.seen.containers.iter().find(|c| c.id == id).map(|c| c.log_path.clone());
                Box::pin(remove(node, pod, id, log))
            }
            Op::Cleanup => {
                let sandboxes = self.seen.sandboxes.iter().map(|s| s.id.clone()).collect();
                let containers = self.seen.containers.iter().map(|c| c.id.clone()).collect();
                Box::pin(cleanup(node, pod, sandboxes, containers))
            }
            Op::DeletePod => Box::pin(delete(node, pod)),
            Op::Replace { .. } | Op::Doom(_) | Op::Note(_) | Op::WakeAt(_) => {
                unreachable!("done at once by the worker")
            }
        }
    }

    /// What a container starts with while a resize is held: what it had before.
    fn held_resources(&self, container: &str) -> Option<ResourceRequirements> {
        self.seen.resize_hold.as_ref()?;
        self.seen.allocated(&member(&self.pod, container)?.spec).cloned()
    }

    /// The running container whose processes an ephemeral container wants to see.
    fn target_of(&self, container: &str) -> Option<String> {
        let member = member(&self.pod, container)?;
        let target = self.seen.current(member.target?)?;
        target.is_running().then(|| target.id.clone())
    }
}

async fn release(node: Arc<Node>, uid: String) -> Outcome {
    if let Err(error) = crate::csi::unpublish_all(&node, &uid).await {
        // Kept until the pod is cleaned up, which tries again.
        warn!(error = volumes::chain(&error), "cannot release volumes");
        return Outcome::Released;
    }
    let places = node.places.clone();
    let released = tokio::task::spawn_blocking(move || mounter::release(&uid, &places)).await;
    match released {
        Ok(Ok(())) => {}
        // Kept until the pod is cleaned up, which tries again.
        Ok(Err(error)) => warn!(error = volumes::chain(&error), "cannot release volumes"),
        Err(error) => warn!(%error, "releasing volumes panicked"),
    }
    Outcome::Released
}

async fn create_sandbox(node: Arc<Node>, pod: Arc<Pod>, attempt: u32, replaces: Option<String>) -> Outcome {
    if let Some(old) = replaces
        && let Err(status) = stop_sandbox(&node, &old).await
    {
        return Outcome::Sandbox(Err(status.message().to_owned()));
    }
    let handler = match handler(&node, &pod).await {
        Ok(handler) => handler,
        Err(said) => {
            node.warn(&pod, None, "FailedCreatePodSandBox", format!("Failed to create pod sandbox: {said}"));
            return Outcome::Sandbox(Err(said));
        }
    };
    let users = match user_namespace(&node, &pod, &handler).await {
        Ok(users) => users,
        Err(said) => {
            node.warn(&pod, None, "FailedCreatePodSandBox", format!("Failed to create pod sandbox: {said}"));
            return Outcome::Sandbox(Err(said));
        }
    };
    let config = sandbox::config(&pod, attempt, &node.names, &node.places, users);
    let logs = config.log_directory.clone();
    if let Err(error) = tokio::fs::create_dir_all(&logs).await {
        return Outcome::Sandbox(Err(format!("cannot create {logs}: {error}")));
    }
    let request = RunPodSandboxRequest { config: Some(config), runtime_handler: handler };
    match node.cri.runtime().run_pod_sandbox(request).await {
        Ok(_) => Outcome::Sandbox(Ok(())),
        Err(status) => {
            let said = crate::cri::Error::Status(status).said();
            node.warn(&pod, None, "FailedCreatePodSandBox", format!("Failed to create pod sandbox: {said}"));
            Outcome::Sandbox(Err(said))
        }
    }
}

/// The runtime's handler that the pod's RuntimeClass names.
async fn handler(node: &Node, pod: &Pod) -> Result<String, String> {
    let Some(class) = spec(pod).runtime_class_name.as_deref().filter(|c| !c.is_empty()) else {
        return Ok(String::new());
    };
    let api: Api<RuntimeClass> = Api::all(node.client.clone());
    match api.get_opt(class).await {
        Ok(Some(found)) => Ok(found.handler),
        Ok(None) => Err(format!("RuntimeClass.node.k8s.io \"{class}\" not found")),
        Err(error) => Err(format!("cannot read RuntimeClass {class}: {}", volumes::chain(&error))),
    }
}

/// The pod's ids, where it asks for its own and the runtime can give them.
async fn user_namespace(node: &Arc<Node>, pod: &Arc<Pod>, handler: &str) -> Result<Option<UserNamespace>, String> {
    if spec(pod).host_users != Some(false) {
        return Ok(None);
    }
    let status = node.cri.runtime().status(StatusRequest { verbose: false }).await;
    let handlers = status.map_err(|s| s.message().to_owned())?.into_inner().runtime_handlers;
    let supported =
        handlers.iter().find(|h| h.name == handler).and_then(|h| h.features).is_some_and(|f| f.user_namespaces);
    if !supported {
        return Err(format!("RuntimeClass handler \"{handler}\" does not support user namespaces (hostUsers: false)"));
    }
    let (node, pod) = (Arc::clone(node), Arc::clone(pod));
    let chosen = tokio::task::spawn_blocking(move || crate::users::of(&pod, &node.places)).await;
    chosen.map_err(|panicked| panicked.to_string())?.map_err(|e| volumes::chain(&e))
}

async fn stop_sandbox(node: &Node, id: &str) -> Result<(), tonic::Status> {
    let request = StopPodSandboxRequest { pod_sandbox_id: id.to_owned() };
    absent_is_fine(node.cri.runtime().stop_pod_sandbox(request).await.map(drop))
}

async fn remove_sandbox(node: Arc<Node>, pod: Arc<Pod>, id: String) -> Outcome {
    let removed = async {
        stop_sandbox(&node, &id).await?;
        let request = RemovePodSandboxRequest { pod_sandbox_id: id.clone() };
        absent_is_fine(node.cri.runtime().remove_pod_sandbox(request).await.map(drop))
    };
    if let Err(status) = removed.await {
        debug!(pod = describe(&pod), id, said = status.message(), "cannot remove a replaced sandbox");
        tokio::time::sleep(super::RUNTIME_RETRY).await;
    }
    Outcome::Killed
}

fn absent_is_fine(result: Result<(), tonic::Status>) -> Result<(), tonic::Status> {
    match result {
        Err(status) if status.code() == tonic::Code::NotFound => Ok(()),
        other => other,
    }
}

async fn image(node: Arc<Node>, pod: Arc<Pod>, container: String) -> Outcome {
    let Some(member) = member(&pod, &container) else {
        let refused = Refused { reason: "ErrImagePull", message: format!("no container {container} in the pod") };
        return Outcome::Image { container, result: Err(refused) };
    };
    let secrets = match of_pulls(&pod) {
        needs if needs.is_empty() => Vec::new(),
        needs => match node.sources.fetch(namespace(&pod), needs).await {
            Ok(found) => found.secrets.into_values().collect(),
            Err(error) => {
                // k8s: a pull goes on without credentials that cannot be read.
                warn!(pod = describe(&pod), error = volumes::chain(&error), "cannot read image pull secrets");
                Vec::new()
            }
        },
    };
    let result = images(&node, &pod, &member, &secrets).await;
    Outcome::Image { container, result }
}

/// The container's image, and those of the image volumes that it mounts.
async fn images(node: &Node, pod: &Arc<Pod>, member: &Member<'_>, secrets: &[Arc<Secret>]) -> Result<Pulled, Refused> {
    let policy = member.spec.image_pull_policy.as_deref();
    let want = Wanted { image: member.image(), policy, member };
    let reference = ensure(node, pod, want, secrets).await?;
    let mounted: BTreeSet<&str> = member.spec.volume_mounts.iter().flatten().map(|m| m.name.as_str()).collect();
    let mut volumes = BTreeMap::new();
    for volume in spec(pod).volumes.iter().flatten().filter(|v| mounted.contains(v.name.as_str())) {
        let Some(source) = &volume.image else { continue };
        let image = source.reference.as_deref().unwrap_or_default();
        let want = Wanted { image, policy: source.pull_policy.as_deref(), member };
        volumes.insert(volume.name.clone(), ensure(node, pod, want, secrets).await?);
    }
    Ok(Pulled { reference, volumes })
}

async fn remove(node: Arc<Node>, pod: Arc<Pod>, id: String, log: Option<String>) -> Outcome {
    let removed = node.cri.runtime().remove_container(RemoveContainerRequest { container_id: id.clone() }).await;
    if let Err(status) = absent_is_fine(removed.map(drop)) {
        debug!(pod = describe(&pod), id, said = status.message(), "cannot remove a dead container");
        tokio::time::sleep(super::RUNTIME_RETRY).await;
        return Outcome::Killed;
    }
    if let Some(log) = log.filter(|l| !l.is_empty()) {
        crate::log::files::remove_all(Path::new(&log)).await;
    }
    Outcome::Killed
}

/// Everything that the node has of the pod: sandboxes and containers, mounts and files, logs, cgroup.
async fn cleanup(node: Arc<Node>, pod: Arc<Pod>, sandboxes: Vec<String>, containers: Vec<String>) -> Outcome {
    for id in containers {
        let removed = node.cri.runtime().remove_container(RemoveContainerRequest { container_id: id }).await;
        if let Err(status) = absent_is_fine(removed.map(drop)) {
            return Outcome::Cleaned(Err(status.message().to_owned()));
        }
    }
    for id in sandboxes {
        let removed = async {
            stop_sandbox(&node, &id).await?;
            let request = RemovePodSandboxRequest { pod_sandbox_id: id };
            absent_is_fine(node.cri.runtime().remove_pod_sandbox(request).await.map(drop))
        };
        if let Err(status) = removed.await {
            return Outcome::Cleaned(Err(status.message().to_owned()));
        }
    }
    if let Err(error) = crate::csi::unpublish_all(&node, uid(&pod)).await {
        return Outcome::Cleaned(Err(volumes::chain(&error)));
    }
    let removed = tokio::task::spawn_blocking(move || remove_files(&node, &pod)).await;
    Outcome::Cleaned(match removed {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(volumes::chain(&error)),
        Err(panicked) => Err(panicked.to_string()),
    })
}

fn remove_files(node: &Node, pod: &Pod) -> Result<(), crate::volume::Error> {
    mounter::remove(uid(pod), &node.places)?;
    crate::log::files::remove_pod(&node.places, pod);
    crate::cgroupfs::remove(&cgroup::parent(pod, &node.places.cgroup_root), uid(pod));
    Ok(())
}

/// The last word: the object goes from the API.
async fn delete(node: Arc<Node>, pod: Arc<Pod>) -> Outcome {
    let api: Api<Pod> = Api::namespaced(node.client.clone(), namespace(&pod));
    let params = DeleteParams {
        grace_period_seconds: Some(0),
        preconditions: Some(Preconditions { uid: Some(uid(&pod).to_owned()), resource_version: None }),
        ..DeleteParams::default()
    };
    match api.delete(name(&pod), &params).await {
        Ok(_) => {
            info!(pod = describe(&pod), "pod removed");
            Outcome::Deleted(Ok(()))
        }
        // Gone, or another pod has taken the name.
        Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => Outcome::Deleted(Ok(())),
        Err(error) => Outcome::Deleted(Err(volumes::chain(&error))),
    }
}
