//! What the agent knows of one pod besides its spec: sandboxes and containers as the runtime reports them, how far volumes
//! and images are, probe results, failures and what is being done right now. The worker fills it in; plan and status read it.

use super::back_off::BackOff;
use super::ending::{EVICTED, TERMINATED};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Container, ContainerUser, Pod, ResourceRequirements};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Newest first.
    pub sandboxes: Vec<Sandbox>,
    /// Newest first.
    pub containers: Vec<Record>,
    pub volumes: Volumes,
    pub claims: Claims,
    /// By container name; forgotten when the container is started, so that every start asks again.
    pub images: BTreeMap<String, Image>,
    /// Containers that could not be configured, created or started, by name.
    pub failures: BTreeMap<String, Failure>,
    pub sandbox_failure: Option<Failure>,
    /// Restart delays, by container name.
    pub restarts: BTreeMap<String, BackOff>,
    /// Containers that were killed to run again as something else, by id.
    pub replaced: BTreeSet<String>,
    /// Resources that were applied since the container was created, by container id.
    pub resized: BTreeMap<String, ResourceRequirements>,
    /// Resizes that the runtime refused, by container name.
    pub resize_failures: BTreeMap<String, Failure>,
    /// Why the node does not give the pod the resources that its spec asks for now.
    pub resize_hold: Option<Hold>,
    /// While that is so: the pod with what it was promised before.
    pub promised: Option<Arc<Pod>>,
    /// Probe results, by container id.
    pub health: BTreeMap<String, Health>,
    /// What is being done right now.
    pub busy: BTreeMap<Subject, Busy>,
    /// Decided end of the pod that does not come from the API.
    pub doom: Option<Doom>,
    /// When the end of the pod was first seen.
    pub ending_since: Option<Timestamp>,
    /// The object is gone from the API (force deletion).
    pub gone: bool,
    /// Sandboxes, containers, mounts and files of the pod are removed.
    pub clean: bool,
    /// The API has the last status that was computed.
    pub reported: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sandbox {
    pub id: String,
    pub attempt: u32,
    pub ready: bool,
    pub ips: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    Created,
    Running,
    Exited,
    Unknown,
}

/// A container in the runtime.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub id: String,
    pub name: String,
    pub attempt: u32,
    pub sandbox: String,
    pub state: RunState,
    pub created: Option<Timestamp>,
    pub started: Option<Timestamp>,
    pub finished: Option<Timestamp>,
    pub exit_code: i32,
    pub reason: String,
    pub message: String,
    pub image: String,
    pub image_id: String,
    pub hash: String,
    pub log_path: String,
    pub user: Option<ContainerUser>,
    /// The resources it was created with, where it says so.
    pub resources: Option<ResourceRequirements>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Volumes {
    #[default]
    Pending,
    /// `renew_at`: when a token is to be renewed, or content that changed is to be written.
    Ready {
        renew_at: Option<Timestamp>,
    },
    Failed(Failure),
    /// Unmounted because the pod has ended.
    Released,
}

/// How far the devices are that the pod claims.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Their drivers have prepared them.
    pub ready: bool,
    /// Their drivers may have prepared something, which is to be taken back before the pod has ended.
    pub held: bool,
    /// Why they are not ready.
    pub failure: Option<Failure>,
    /// Why they are still held though nothing of the pod runs any more.
    pub release_failure: Option<Failure>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Image {
    /// The reference under which the runtime knows it.
    Present(String),
    Failed(Failure),
}

/// Something that will be tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Upstream's reason: `ErrImagePull`, `CreateContainerConfigError`, ..
    pub reason: &'static str,
    pub message: String,
    pub at: Timestamp,
    pub back_off: BackOff,
}

impl Failure {
    pub fn retry_at(&self) -> Timestamp {
        self.at + self.back_off.delay
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// The post-start hook has run and the startup probe has passed.
    pub started: bool,
    pub ready: bool,
    /// A liveness or startup probe has failed for good.
    pub failed: Option<Verdict>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// `liveness` or `startup`.
    pub probe: &'static str,
    /// The probe's own `terminationGracePeriodSeconds`.
    pub grace_seconds: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    Volumes,
    Claims,
    Sandbox,
    /// By container name.
    Image(String),
    /// By container name.
    Start(String),
    /// By container id.
    Kill(String),
    /// By container name.
    Resize(String),
    Cleanup,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Busy {
    /// For a kill: when the container is to be dead.
    pub deadline: Option<Timestamp>,
}

/// A resize that waits or cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// `Deferred` or `Infeasible`.
    pub reason: &'static str,
    pub message: String,
}

/// The pod has to end for a reason of the node's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doom {
    pub reason: String,
    pub message: String,
    /// At most this long between TERM and KILL; `None` leaves the pod its own grace.
    pub grace: Option<SignedDuration>,
}

impl Doom {
    /// k8s: whether the node ends a pod that did nothing wrong, of which controllers are told
    pub fn is_disruption(&self) -> bool {
        matches!(self.reason.as_str(), EVICTED | TERMINATED)
    }
}

impl Observed {
    pub fn sandbox(&self) -> Option<&Sandbox> {
        self.sandboxes.first()
    }

    pub fn ready_sandbox(&self) -> Option<&Sandbox> {
        self.sandbox().filter(|s| s.ready)
    }

    /// The newest container of that name.
    pub fn latest(&self, name: &str) -> Option<&Record> {
        self.containers.iter().find(|c| c.name == name)
    }

    /// The newest container of that name in the current sandbox.
    pub fn current(&self, name: &str) -> Option<&Record> {
        let sandbox = self.sandbox()?;
        self.latest(name).filter(|c| c.sandbox == sandbox.id)
    }

    /// The resources in force for a container, as far as is known.
    pub fn applied<'a>(&'a self, record: &'a Record) -> Option<&'a ResourceRequirements> {
        self.resized.get(&record.id).or(record.resources.as_ref())
    }

    /// The resources that the node has promised a container: those of the spec, or while a resize is held those before.
    pub fn allocated<'a>(&'a self, container: &'a Container) -> Option<&'a ResourceRequirements> {
        if self.resize_hold.is_none() {
            return container.resources.as_ref();
        }
        let applied = self.latest(&container.name).and_then(|record| self.applied(record));
        applied.or_else(|| self.promised_before(&container.name)).or(container.resources.as_ref())
    }

    fn promised_before(&self, container: &str) -> Option<&ResourceRequirements> {
        let spec = self.promised.as_ref()?.spec.as_ref()?;
        let mut all = spec.init_containers.iter().flatten().chain(&spec.containers);
        all.find(|c| c.name == container)?.resources.as_ref()
    }

    pub fn is_busy(&self, subject: &Subject) -> bool {
        self.busy.contains_key(subject)
    }

    pub fn health_of(&self, id: &str) -> Health {
        self.health.get(id).cloned().unwrap_or_default()
    }
}

impl Record {
    pub fn is_running(&self) -> bool {
        self.state == RunState::Running
    }

    /// Alive or possibly alive: a container to stop before its pod can end.
    pub fn is_live(&self) -> bool {
        matches!(self.state, RunState::Running | RunState::Unknown)
    }
}
