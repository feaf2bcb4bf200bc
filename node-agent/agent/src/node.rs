//! What all parts of the agent share: the runtime, the API, the clock, and the facts of this node. Its own object in the
//! API is the business of the modules below.

pub mod capacity;
pub mod containers;
pub mod heartbeat;
pub mod ledger;
pub mod object;
pub mod probed;

use crate::cri::Cri;
use crate::csi::Drivers;
use crate::device::Devices;
use crate::device_claim::Claims;
use crate::evict::Pressure;
use crate::evict::threshold::Thresholds;
use crate::image::provider::Providers;
use crate::image::record::Records;
use crate::pod::admit::Host;
use crate::pod::cgroup::NodeSize;
use crate::pod::dns::Names;
use crate::pod::member::{Member, name, namespace, uid};
use crate::pod::observed::Doom;
use crate::pod::sandbox::Places;
use crate::pod::status::NodeFacts;
use crate::probe::prober;
use crate::server::{Samples, VolumesFound};
use crate::source::Sources;
use crate::volume::usage::VolumePlaces;
use client::action::Event;
use client::cache::Caches;
use client::clock::Clock;
use client::events::Recorder;
use k8s_openapi::api::core::v1::{ObjectReference, Pod};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use ledger::Ledger;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Counters that `/metrics` shows.
#[derive(Debug, Default)]
pub struct Metrics {
    pub probes: AtomicU64,
    pub containers: containers::Containers,
    pub status_writes: AtomicU64,
    pub probed: probed::Ledger,
}

pub struct Node {
    pub name: String,
    pub client: kube::Client,
    pub clock: Arc<dyn Clock>,
    pub cri: Cri,
    pub caches: Arc<Caches>,
    pub recorder: Recorder,
    pub places: Places,
    pub names: Names,
    pub facts: NodeFacts,
    pub allocatable: BTreeMap<String, Quantity>,
    /// How little may be left before pods are ended.
    pub thresholds: Thresholds,
    pub size: NodeSize,
    /// What pods may ask of the node's kernel.
    pub host: Host,
    pub ledger: Ledger,
    pub pressure: Pressure,
    /// The node goes down: it takes nothing on, and is not ready.
    pub leaving: AtomicBool,
    /// Ends pods for reasons of the node's own, by uid.
    pub dooms: mpsc::UnboundedSender<(String, Doom)>,
    /// Something about the node itself has changed: its status is to be written soon.
    pub look_again: Notify,
    /// CPU use at the last question, by container id or pod uid.
    pub samples: Samples,
    pub drivers: Drivers,
    pub volume_places: VolumePlaces,
    /// How full volumes were at the last look.
    pub volumes_found: VolumesFound,
    pub devices: Devices,
    pub claims: Claims,
    pub started: jiff::Timestamp,
    pub sources: Sources,
    pub probes: mpsc::UnboundedSender<prober::Command>,
    /// Bounds image pulls at the same time.
    pub pulls: Semaphore,
    /// Programs that have credentials for registries.
    pub credential_providers: Providers,
    /// Whose credentials fetched what is there.
    pub image_records: Records,
    /// The node's own `/etc/hosts`, for pods in its network.
    pub hosts_file: String,
    pub metrics: Metrics,
    /// Tasks that outlive the request that began them: streams of exec, attach and port-forward.
    pub tracker: TaskTracker,
    pub drain: CancellationToken,
}

impl Node {
    /// A normal event about a pod, or about one of its containers.
    pub fn note(&self, pod: &Pod, member: Option<&Member<'_>>, reason: impl Into<Cow<'static, str>>, message: String) {
        self.record(pod, member, "Normal", reason.into(), message);
    }

    pub fn warn(&self, pod: &Pod, member: Option<&Member<'_>>, reason: impl Into<Cow<'static, str>>, message: String) {
        self.record(pod, member, "Warning", reason.into(), message);
    }

    fn record(
        &self,
        pod: &Pod,
        member: Option<&Member<'_>>,
        type_: &'static str,
        reason: Cow<'static, str>,
        message: String,
    ) {
        let regarding = ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Pod".to_owned()),
            namespace: Some(namespace(pod).to_owned()),
            name: Some(name(pod).to_owned()),
            uid: Some(uid(pod).to_owned()),
            resource_version: pod.metadata.resource_version.clone(),
            field_path: member.map(Member::field_path),
        };
        self.recorder.record(Event { regarding, type_, reason, message, action: "" });
    }

    /// An event about the node itself.
    pub fn about_node(&self, type_: &'static str, reason: &'static str, message: String) {
        let regarding = ObjectReference {
            kind: Some("Node".to_owned()),
            name: Some(self.name.clone()),
            // k8s: events about a node carry its name as uid, and `kubectl describe node` looks for that.
            uid: Some(self.name.clone()),
            ..ObjectReference::default()
        };
        self.recorder.record(Event { regarding, type_, reason: Cow::Borrowed(reason), message, action: "" });
    }
}
