//! RUN: a command in a container of a pod of its own, confined as a pod's containers are by default, with the pod
//! network. Its writable folder becomes the layer.

use super::{BuildError, Layers, commit};
use crate::image::cache::Made;
use crate::image::{Record, RunConfig};
use crate::plan::UPPER;
use crate::pods::{BUILD_LABEL, ContainerState, Pods};
use crate::sys::process::random_id;
use proto::confinement::{MASKED_PATHS, READONLY_PATHS};
use proto::cri;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::mpsc;

/// What a RUN depends on beside the layers below it.
pub(super) struct Run {
    pub(super) args: Vec<String>,
    pub(super) config: RunConfig,
    /// Build arguments, as variables.
    pub(super) variables: Vec<(String, String)>,
}

const LOG: &str = "output";

fn sandbox(id: &str, logs: &Path) -> cri::PodSandboxConfig {
    let own = cri::NamespaceOption { pid: cri::NamespaceMode::Container as i32, ..Default::default() };
    cri::PodSandboxConfig {
        metadata: Some(cri::PodSandboxMetadata {
            name: format!("build-{id}"),
            uid: format!("build-{id}"),
            namespace: "drover-build".into(),
            attempt: 0,
        }),
        hostname: "build".into(),
        log_directory: logs.display().to_string(),
        labels: [(BUILD_LABEL.to_owned(), id.to_owned())].into(),
        linux: Some(cri::LinuxPodSandboxConfig {
            cgroup_parent: format!("/drover-build-{id}"),
            security_context: Some(cri::LinuxSandboxSecurityContext {
                namespace_options: Some(own),
                ..Default::default()
            }),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn container(run: &Run) -> cri::ContainerConfig {
    let paths = |list: &[&str]| list.iter().map(|p| (*p).to_owned()).collect();
    let own = cri::NamespaceOption { pid: cri::NamespaceMode::Container as i32, ..Default::default() };
    let context = cri::LinuxContainerSecurityContext {
        namespace_options: Some(own),
        seccomp: Some(cri::SecurityProfile::default()),
        masked_paths: paths(MASKED_PATHS),
        readonly_paths: paths(READONLY_PATHS),
        ..Default::default()
    };
    let variable = |(key, value): &(String, String)| cri::KeyValue { key: key.clone(), value: value.clone() };
    cri::ContainerConfig {
        metadata: Some(cri::ContainerMetadata { name: "run".into(), attempt: 0 }),
        command: run.args.clone(),
        envs: run.variables.iter().map(variable).collect(),
        log_path: LOG.into(),
        linux: Some(cri::LinuxContainerConfig { security_context: Some(context), ..Default::default() }),
        ..Default::default()
    }
}

/// Runs the command on `below` and keeps what it changed as the layer of the step `key`.
pub(super) async fn run(
    pods: &Arc<Pods>,
    key: &str,
    below: &Layers,
    run: Run,
    say: &mpsc::Sender<String>,
) -> Result<Made, BuildError> {
    let scratch = pods.images.scratch()?;
    let id = &random_id()[..12];
    let sandbox = pods.run_sandbox(sandbox(id, &scratch.path), "").await?;
    let done = in_sandbox(pods, &sandbox, key, below, &run, say).await;
    tell(&scratch.path.join(LOG), say).await;
    pods.remove_sandbox(&sandbox).await?;
    done
}

async fn in_sandbox(
    pods: &Arc<Pods>,
    sandbox: &str,
    key: &str,
    below: &Layers,
    run: &Run,
    say: &mpsc::Sender<String>,
) -> Result<Made, BuildError> {
    let image = Record {
        id: format!("sha256:{key}"),
        tags: Vec::new(),
        digests: Vec::new(),
        size: 0,
        layers: below.folders.clone(),
        config: run.config.clone(),
        raw_config: String::new(),
    };
    let container =
        pods.create_container_from(&pods.sandbox(sandbox)?, container(run), |_| Ok(Arc::new(image))).await?;
    pods.start_container(&container).await?;
    let container = pods.container(&container)?;
    let mut state = container.state.subscribe();
    let ended = tokio::select! {
        ended = state.wait_for(|s| matches!(s, ContainerState::Exited { .. })) => ended.map(|s| s.clone()),
        () = say.closed() => return Err(BuildError::Abandoned),
    };
    match ended {
        Ok(ContainerState::Exited { code: 0, .. }) => {}
        Ok(ContainerState::Exited { code, .. }) => return Err(BuildError::Failed(code)),
        Ok(_) | Err(_) => return Err(BuildError::Bad("the step's container is gone".into())),
    }
    let (store, below, key) = (pods.images.clone(), below.clone(), key.to_owned());
    let upper = container.dir.join(UPPER);
    let committed = tokio::task::spawn_blocking(move || commit(&store, &key, &below, &upper)).await;
    committed.expect("keeping a layer does not panic")
}

/// Passes on what the command wrote: each line of the log has a time, a stream and a tag before the text.
async fn tell(log: &Path, say: &mpsc::Sender<String>) {
    let Ok(bytes) = tokio::fs::read(log).await else { return };
    for line in String::from_utf8_lossy(&bytes).lines() {
        let text = line.splitn(4, ' ').nth(3).unwrap_or_default();
        if say.send(text.to_owned()).await.is_err() {
            return;
        }
    }
}
