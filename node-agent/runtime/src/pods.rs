//! The pods of this node as the runtime knows them: sandboxes, their containers, their supervisors. Everything that must
//! outlive the runtime is in the pods' folders; this is rebuilt from there.

mod container;
mod events;
mod exec;
mod record;
mod removed;
mod reserved;
mod restore;
mod sandbox;
mod spawn;
mod stats;

use crate::capability::DeviceLimits;
use crate::cdi::CdiError;
use crate::cgroup::{self, CgroupError, Hierarchy};
use crate::image::{ImageError, Store};
use crate::link::LinkError;
use crate::net::{NetError, Network};
use crate::seccomp::{Profiles, SeccompError};
use crate::serve::AtEnd;
use crate::spec::SpecError;
use crate::wire::Message;
use futures::StreamExt;
use parking_lot::Mutex;
use proto::cri;
use removed::Removed;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use container::Container;
pub(crate) use exec::{ExecStreams, Executing};
pub(crate) use record::{ContainerState, Sandbox};
pub(crate) use spawn::Spawner;

/// Marks the pods in which images are built.
pub(crate) const BUILD_LABEL: &str = "drover.local/build";

/// Pods that are removed at a time when all are: each waits for the kernel more than it computes.
const REMOVALS: usize = 8;

/// Events that a slow reader may lag behind before it misses some; it then finds out by listing.
const EVENTS_MAX: usize = 1024;

#[derive(Debug, Error)]
pub(crate) enum PodError {
    #[error("no sandbox {0:?}")]
    NoSandbox(String),
    #[error("no container {0:?}")]
    NoContainer(String),
    #[error("{0}")]
    NotNow(String),
    #[error(transparent)]
    Spec(#[from] SpecError),
    #[error(transparent)]
    Cdi(#[from] CdiError),
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error(transparent)]
    Net(#[from] NetError),
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    #[error(transparent)]
    Seccomp(#[from] SeccompError),
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error("cannot {what}")]
    Io { what: String, source: io::Error },
}

pub(crate) fn doing(what: impl Into<String>) -> impl FnOnce(io::Error) -> PodError {
    let what = what.into();
    |source| PodError::Io { what, source }
}

#[derive(Debug, Default)]
struct Index {
    sandboxes: BTreeMap<String, Arc<Sandbox>>,
    containers: BTreeMap<String, Arc<Container>>,
}

/// All pods, and what they are made with.
#[derive(Debug)]
pub(crate) struct Pods {
    folder: PathBuf,
    cgroup_root: String,
    pub(crate) images: Arc<Store>,
    pub(crate) network: Network,
    hierarchy: Arc<dyn Hierarchy>,
    limits: DeviceLimits,
    /// Folders of files that describe devices, the later before the earlier.
    cdi: Vec<PathBuf>,
    profiles: Profiles,
    spawner: Spawner,
    index: Mutex<Index>,
    reserved: reserved::Names,
    events: broadcast::Sender<cri::ContainerEventResponse>,
    removed: Removed,
    tasks: TaskTracker,
    /// What is being made: it is finished though the client who asked has left.
    making: TaskTracker,
    /// Ends the tasks that listen to supervisors.
    closing: CancellationToken,
}

impl Pods {
    /// Opens the pods' folder, and finds again what runs.
    pub(crate) async fn open(
        root: &Path,
        (cgroup_root, cdi): (&str, Vec<PathBuf>),
        images: Arc<Store>,
        network: Network,
        spawner: Spawner,
        tasks: TaskTracker,
    ) -> Result<Arc<Self>, PodError> {
        let folder = root.join("sandboxes");
        std::fs::create_dir_all(&folder).map_err(doing("open the pods' folder"))?;
        let hierarchy: Arc<dyn Hierarchy> = Arc::from(cgroup::detect()?);
        let profiles = Profiles::new(root.join("seccomp")).map_err(doing("open the seccomp folder"))?;
        let closing = CancellationToken::new();
        let removed = Removed::open(root.join("removed"), &tasks, closing.clone())?;
        let pods = Arc::new(Self {
            folder,
            cgroup_root: cgroup_root.trim_end_matches('/').to_owned(),
            images,
            network,
            limits: if hierarchy.limits_devices() { DeviceLimits::Enforced } else { DeviceLimits::Absent },
            hierarchy,
            cdi,
            profiles,
            spawner,
            index: Mutex::default(),
            reserved: reserved::Names::default(),
            events: broadcast::channel(EVENTS_MAX).0,
            removed,
            tasks,
            making: TaskTracker::new(),
            closing,
        });
        pods.restore().await?;
        pods.remove_builds().await?;
        pods.images.collect(|| pods.used_layers())?;
        Ok(pods)
    }

    /// A build does not survive its runtime.
    async fn remove_builds(self: &Arc<Self>) -> Result<(), PodError> {
        for sandbox in self.sandboxes().into_iter().filter(|s| s.config.labels.contains_key(BUILD_LABEL)) {
            self.remove_sandbox(&sandbox.record.id).await?;
        }
        Ok(())
    }

    /// The sandbox that `id`, or its start if no other has it, names.
    pub(crate) fn sandbox(&self, id: &str) -> Result<Arc<Sandbox>, PodError> {
        by_prefix(&self.index.lock().sandboxes, id).ok_or_else(|| PodError::NoSandbox(id.to_owned()))
    }

    pub(crate) fn container(&self, id: &str) -> Result<Arc<Container>, PodError> {
        by_prefix(&self.index.lock().containers, id).ok_or_else(|| PodError::NoContainer(id.to_owned()))
    }

    pub(crate) fn sandboxes(&self) -> Vec<Arc<Sandbox>> {
        self.index.lock().sandboxes.values().cloned().collect()
    }

    pub(crate) fn containers(&self) -> Vec<Arc<Container>> {
        self.index.lock().containers.values().cloned().collect()
    }

    pub(crate) fn containers_of(&self, sandbox: &str) -> Vec<Arc<Container>> {
        self.index.lock().containers.values().filter(|c| c.record.sandbox == sandbox).cloned().collect()
    }

    /// Layers that containers are mounted from.
    pub(crate) fn used_layers(&self) -> BTreeSet<String> {
        self.containers().iter().flat_map(|c| c.record.layers.iter().cloned()).collect()
    }

    /// Where a sandbox's containers have their cgroups: where its client says, or in one of its own, or the limits and
    /// the usage of one pod would be those of many.
    fn cgroup_parent(&self, id: &str, config: &cri::PodSandboxConfig) -> PathBuf {
        let named = config.linux.as_ref().map_or("", |l| l.cgroup_parent.as_str());
        let parent = if named.is_empty() { format!("drover-{id}") } else { named.trim_start_matches('/').to_owned() };
        Path::new("/").join(self.cgroup_root.trim_matches('/')).join(parent)
    }

    /// Makes something to the end: half of it would belong to nobody, and a client's connection may end at any time.
    pub(crate) async fn whole<T: Send + 'static>(
        self: &Arc<Self>,
        make: impl Future<Output = Result<T, PodError>> + Send + 'static,
    ) -> Result<T, PodError> {
        self.making.spawn(make).await.expect("making a part of a pod does not panic")
    }

    /// Lets go of all pods, or removes them.
    pub(crate) async fn close(self: &Arc<Self>, at_end: AtEnd) -> Result<(), PodError> {
        self.spawner.close();
        self.making.close();
        self.making.wait().await;
        let mut outcome = Ok(());
        if at_end == AtEnd::RemovePods {
            outcome = self.remove_all().await;
            let torn_down = self.network.tear_down().await.map_err(PodError::from);
            outcome = outcome.and(torn_down);
        }
        // Listeners end with their connections.
        for sandbox in self.sandboxes() {
            sandbox.link.lock().take();
        }
        self.closing.cancel();
        outcome
    }

    /// Removes every pod that can be removed.
    async fn remove_all(self: &Arc<Self>) -> Result<(), PodError> {
        let removals = self.sandboxes().into_iter().map(|sandbox| async move {
            let removed = self.remove_sandbox(&sandbox.record.id).await;
            removed.inspect_err(|error| tracing::warn!(sandbox = sandbox.record.id, %error, "a pod is left"))
        });
        let removed: Vec<_> = futures::stream::iter(removals).buffer_unordered(REMOVALS).collect().await;
        removed.into_iter().collect()
    }

    /// Kills what is left in a cgroup; for containers that have no supervisor any more.
    fn kill_cgroup(&self, path: &Path) {
        if let Err(error) = self.hierarchy.kill(path) {
            tracing::warn!(%error, cgroup = %path.display(), "processes may be left");
        }
    }

    fn hear(self: &Arc<Self>, message: Message) {
        if let Message::ContainerExited { container, exit } = message
            && let Ok(container) = self.container(&container)
        {
            if container.set_exited(&exit) == ContainerState::Created {
                // Its end is known before its start.
                self.emit(&container, cri::ContainerEventType::ContainerStartedEvent);
            }
            self.emit(&container, cri::ContainerEventType::ContainerStoppedEvent);
        }
    }
}

/// What an id names, or the start of one if it is the start of no other.
fn by_prefix<T: Clone>(map: &BTreeMap<String, T>, id: &str) -> Option<T> {
    if let Some(found) = map.get(id) {
        return Some(found.clone());
    }
    if id.is_empty() {
        return None;
    }
    let mut starting = map.range(id.to_owned()..).take_while(|(key, _)| key.starts_with(id));
    match (starting.next(), starting.next()) {
        (Some((_, found)), None) => Some(found.clone()),
        _ => None,
    }
}
