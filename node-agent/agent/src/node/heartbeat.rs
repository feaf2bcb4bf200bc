//! Registers the node, keeps its lease fresh and its status true: the lease four times in its duration, the status when something
//! changed or after five minutes, the runtime's pod network as soon as the node has its range.

use super::Node as Shared;
use super::capacity::{Machine, allocatable, capacity, system_info};
use super::object::{self, Findings};
use crate::config::Config;
use crate::network::pod_cidrs;
use crate::shutdown;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::api::core::v1::{Node, NodeFeatures, NodeStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta, OwnerReference};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use proto::cri::{
    ListImagesRequest, NetworkConfig, RuntimeConfig, StatusRequest, UpdateRuntimeConfigRequest, VersionRequest,
};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

const LEASE_NAMESPACE: &str = "kube-node-lease";
/// k8s: a node that is well looks at itself this often.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Longest wait for one round's answers.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// k8s: the lease is renewed so many times before it would expire.
const RENEWALS: u32 = 4;
/// k8s: an unchanged status is written this often.
const STATUS_EVERY: SignedDuration = SignedDuration::from_mins(5);
/// Until the node is ready, and after a failure, it looks again after this long, doubling to the lease's pace.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Looks are this far apart when the reason of an unready node is said: some two seconds after the first.
const WORTH_SAYING: Duration = Duration::from_secs(1);

struct Heartbeat {
    node: Arc<Shared>,
    config: Arc<Config>,
    machine: Machine,
    /// The object as the API last showed it.
    known: Option<Node>,
    /// The API was out of reach: it may have said of this node since then what no watch has brought yet.
    was_away: bool,
    /// What the runtime was told of the pod network.
    pod_cidr: String,
    runtime_version: String,
    written: Option<Timestamp>,
    lease: Option<Lease>,
    leased: Option<Timestamp>,
    was_ready: bool,
    was_removed: bool,
    /// How the API server last refused what this node says.
    last_refusal: String,
}

pub async fn run(node: Arc<Shared>, config: Arc<Config>, machine: Machine, drain: CancellationToken) {
    let mut changes = node.caches.of::<Node>().subscribe();
    let again = Arc::clone(&node);
    let mut heart = Heartbeat {
        node,
        config,
        machine,
        known: None,
        was_away: false,
        pod_cidr: String::new(),
        runtime_version: String::new(),
        written: None,
        lease: None,
        leased: None,
        was_ready: false,
        was_removed: false,
        last_refusal: String::new(),
    };
    heart.node.about_node("Normal", "Starting", "Starting kubelet.".to_owned());
    let lease_every = heart.lease_every();
    let mut trouble = Trouble::default();
    loop {
        let wait = match in_time(heart.beat()).await {
            Ok(not_ready) if not_ready.is_empty() => {
                trouble = Trouble::default();
                LOOK_EVERY
            }
            Ok(not_ready) => {
                trouble.say(not_ready.join(", "));
                trouble.look_again(lease_every)
            }
            Err(error) => {
                heart.complain(&*error);
                trouble.look_again(lease_every)
            }
        };
        let look = tokio::time::Instant::now() + wait;
        loop {
            let nap = look.duration_since(tokio::time::Instant::now()).min(lease_every);
            tokio::select! {
                () = drain.cancelled() => return,
                () = tokio::time::sleep(nap) => {}
                () = heart_changed(&mut changes, &heart) => break,
                () = again.look_again.notified() => break,
            }
            if tokio::time::Instant::now() >= look {
                break;
            }
            if let Err(error) = in_time(heart.renew_lease(heart.node.clock.now())).await {
                debug!(error = &*error as &dyn std::error::Error, "lease not renewed");
                heart.was_away = true;
                break;
            }
        }
    }
}

/// An answer that does not come is a failure: after a cut of the network the kernel would wait for the old connection for
/// as long as the cut took.
async fn in_time<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::time::timeout(ANSWER_MAX, work).await.unwrap_or_else(|_| Err("the API server does not answer".into()))
}

/// A node that is not ready, or cannot be told of.
#[derive(Default)]
struct Trouble {
    waited: Duration,
    said: String,
}

impl Trouble {
    /// How long to wait before the next look, at most `longest`.
    fn look_again(&mut self, longest: Duration) -> Duration {
        self.waited = (self.waited * 2).clamp(LOOK_AGAIN, longest);
        self.waited
    }

    /// Says why the node is not ready when that is new, and lasts: a node that starts is not ready for some moments.
    fn say(&mut self, why: String) {
        if self.waited >= WORTH_SAYING && why != self.said {
            warn!(why, "the node is not ready");
            self.said = why;
        }
    }
}

/// Waits for a change of the node's object that asks for action: a pod range, a deletion, another's word for ours.
async fn heart_changed(
    changes: &mut tokio::sync::mpsc::UnboundedReceiver<client::cache::Change<Node>>,
    heart: &Heartbeat,
) {
    while let Some(change) = changes.recv().await {
        let Some(new) = change.new else { return };
        let cidr = pod_cidrs(&new).join(",");
        if cidr != heart.pod_cidr || heart.is_contradicted(&new) {
            return;
        }
    }
    std::future::pending::<()>().await;
}

fn revision(node: &Node) -> u64 {
    node.metadata.resource_version.as_deref().and_then(|v| v.parse().ok()).unwrap_or(0)
}

/// Whether pods must wait for the cluster to name the node's range. Drover's runtime as a process of its own has one
/// from its start on, for clients that name none; two nodes of a cluster would give out the same addresses.
fn awaits_range(runtime_version: &str, named: &str) -> bool {
    named.is_empty() && runtime_version.starts_with("drover://")
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Whether the API server has understood and does not allow it.
fn is_refusal(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if matches!(status.code, 403 | 422))
}

impl Heartbeat {
    fn lease_every(&self) -> Duration {
        Duration::from_secs(self.config.lease_seconds.into()) / RENEWALS
    }

    /// Whether somebody has changed a condition that this node wrote: who took it for lost, and has heard it since.
    fn is_contradicted(&self, new: &Node) -> bool {
        self.known.as_ref().is_some_and(|known| revision(known) < revision(new) && !object::agrees(known, new))
    }

    /// One round; says why the node is not ready, nothing when it is.
    async fn beat(&mut self) -> Result<Vec<String>, Failure> {
        let now = self.node.clock.now();
        if self.was_away {
            self.known = None;
        } else if let Some(cached) = self.node.caches.of::<Node>().get("", &self.node.name) {
            // The cache may be behind what the last write returned.
            if self.known.as_ref().is_none_or(|known| revision(known) <= revision(&cached)) {
                self.known = Some((*cached).clone());
            }
        }
        let network = self.configure_network().await;
        let mut findings = self.look().await;
        if let Err(status) = network {
            findings.not_ready.push(format!("cannot set up the pod network: {}", status.message()));
        }
        if self.node.leaving.load(Ordering::Relaxed) {
            findings.not_ready.push(shutdown::NOT_READY.to_owned());
        }
        let ready = findings.not_ready.is_empty();
        self.register(&findings, now).await?;
        self.was_away = false;
        self.write_status(&findings, now).await?;
        self.renew_lease(now).await?;
        if ready != self.was_ready {
            let (reason, text) = if ready { ("NodeReady", "NodeReady") } else { ("NodeNotReady", "NodeNotReady") };
            info!(node = self.node.name, ready, why = findings.not_ready.join(", "), "node status changed");
            self.node.about_node("Normal", reason, format!("Node {} status is now: {text}", self.node.name));
            self.was_ready = ready;
        }
        Ok(findings.not_ready)
    }

    /// A server that is away for a while is everyday life; one that does not know this node any more is not.
    fn complain(&mut self, error: &(dyn std::error::Error + Send + Sync + 'static)) {
        let refusal = error.downcast_ref();
        let removed = matches!(refusal, Some(kube::Error::Api(status)) if status.code == 401);
        if removed && !self.was_removed {
            let advice = "stop drover, remove <data-dir>/agent/pki and join again with a token";
            warn!(node = self.node.name, advice, "the cluster does not know this node any more: it was removed");
        }
        self.was_removed = removed;
        if let Some(refusal) = refusal.filter(|error| is_refusal(error)) {
            self.tell_refusal(refusal);
        }
        self.was_away = true;
        debug!(error = error as &dyn std::error::Error, "heartbeat failed");
    }

    /// Once: to ask again does not help, somebody has to look.
    fn tell_refusal(&mut self, refusal: &kube::Error) {
        let said = refusal.to_string();
        if said != self.last_refusal {
            warn!(node = self.node.name, error = said, "the API server refuses what this node says of itself");
            self.last_refusal = said;
        }
    }

    /// Tells the runtime the node's pod range, once it has one.
    async fn configure_network(&mut self) -> Result<(), tonic::Status> {
        // k8s: with a comma between the two of a dual-stack node.
        let cidr = self.known.as_ref().map(|node| pod_cidrs(node).join(",")).unwrap_or_default();
        if cidr.is_empty() || cidr == self.pod_cidr {
            return Ok(());
        }
        let network_config = Some(NetworkConfig { pod_cidr: cidr.clone() });
        let request = UpdateRuntimeConfigRequest { runtime_config: Some(RuntimeConfig { network_config }) };
        self.node.cri.runtime().update_runtime_config(request).await?;
        info!(node = self.node.name, cidr, "pod network configured");
        self.pod_cidr = cidr;
        Ok(())
    }

    async fn look(&mut self) -> Findings {
        let config = &self.config;
        let mut all = capacity(&self.machine, config.max_pods);
        let mut for_pods = allocatable(&self.machine, config.max_pods, config.reserved, &config.thresholds);
        let (devices, healthy) = self.node.devices.amounts(self.node.clock.now());
        all.extend(devices);
        for_pods.extend(healthy);
        let mut findings = Findings {
            capacity: all,
            allocatable: for_pods,
            memory_pressure: self.node.pressure.memory.load(Ordering::Relaxed),
            disk_pressure: self.node.pressure.disk.load(Ordering::Relaxed),
            pid_pressure: self.node.pressure.pids.load(Ordering::Relaxed),
            ..Findings::default()
        };
        if let Err(status) = self.ask_runtime(&mut findings).await {
            self.runtime_version.clear(); // it may come back as another
            findings.not_ready.push(format!("container runtime is down: {}", status.message()));
        }
        findings.system = system_info(self.runtime_version.clone());
        findings
    }

    async fn ask_runtime(&mut self, findings: &mut Findings) -> Result<(), tonic::Status> {
        let mut runtime = self.node.cri.runtime();
        if self.runtime_version.is_empty() {
            let version = runtime.version(VersionRequest { version: String::new() }).await?.into_inner();
            self.runtime_version = format!("{}://{}", version.runtime_name, version.runtime_version);
        }
        let status = runtime.status(StatusRequest { verbose: false }).await?.into_inner();
        findings.handlers = object::handlers(&status.runtime_handlers);
        findings.features =
            status.features.map(|f| NodeFeatures { supplemental_groups_policy: Some(f.supplemental_groups_policy) });
        for condition in status.status.unwrap_or_default().conditions {
            if !condition.status {
                findings
                    .not_ready
                    .push(format!("{} is not ready: {} {}", condition.r#type, condition.reason, condition.message));
            }
        }
        if findings.not_ready.is_empty() && awaits_range(&self.runtime_version, &self.pod_cidr) {
            findings.not_ready.push("the node has no pod CIDR yet".to_owned());
        }
        let listed = self.node.cri.images().list_images(ListImagesRequest { filter: None }).await?;
        findings.images = object::images(&listed.into_inner().images);
        Ok(())
    }

    async fn register(&mut self, findings: &Findings, now: Timestamp) -> Result<(), Failure> {
        let api: Api<Node> = Api::all(self.node.client.clone());
        if self.known.is_none() {
            self.known = api.get_opt(&self.node.name).await?;
        }
        let Some(found) = &self.known else {
            let made = api.create(&PostParams::default(), &object::new(&self.config, findings, now)).await?;
            info!(node = self.node.name, "node registered");
            self.known = Some(made);
            return Ok(());
        };
        if let Some(patch) = object::metadata_patch(&self.config, found) {
            match api.patch(&self.node.name, &PatchParams::default(), &Patch::Merge(patch)).await {
                Ok(patched) => self.known = Some(patched),
                // It lives all the same.
                Err(refusal) if is_refusal(&refusal) => self.tell_refusal(&refusal),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    async fn write_status(&mut self, findings: &Findings, now: Timestamp) -> Result<(), Failure> {
        let old = self.known.as_ref().and_then(|n| n.status.clone()).unwrap_or_default();
        let new: NodeStatus = object::status(&self.config, findings, &old, now);
        let due = self.written.is_none_or(|at| now.duration_since(at) >= STATUS_EVERY);
        if !due && !object::differs(&old, &new) {
            return Ok(());
        }
        let api: Api<Node> = Api::all(self.node.client.clone());
        let patch = Patch::Strategic(object::status_patch(&old, &new));
        let patched = api.patch_status(&self.node.name, &PatchParams::default(), &patch).await;
        if matches!(&patched, Err(kube::Error::Api(refused)) if refused.code == 404) {
            self.known = None; // deleted: register again
        }
        self.known = Some(patched?);
        self.written = Some(now);
        Ok(())
    }

    async fn renew_lease(&mut self, now: Timestamp) -> Result<(), Failure> {
        let fresh = SignedDuration::try_from(self.lease_every() / 2).unwrap_or(SignedDuration::ZERO);
        if self.leased.is_some_and(|at| now.duration_since(at) < fresh) {
            return Ok(());
        }
        let api: Api<Lease> = Api::namespaced(self.node.client.clone(), LEASE_NAMESPACE);
        if self.lease.is_some() {
            let patch = Patch::Merge(json!({ "spec": { "renewTime": MicroTime(now) } }));
            match api.patch(&self.node.name, &PatchParams::default(), &patch).await {
                Ok(lease) => {
                    self.lease = Some(lease);
                    self.leased = Some(now);
                    return Ok(());
                }
                Err(kube::Error::Api(refused)) if refused.code == 404 => self.lease = None,
                Err(error) => return Err(error.into()),
            }
        }
        match api.create(&PostParams::default(), &self.new_lease(now)).await {
            Ok(lease) => self.lease = Some(lease),
            Err(kube::Error::Api(refused)) if refused.code == 409 => {
                let patch = Patch::Merge(json!({ "spec": self.new_lease(now).spec }));
                self.lease = Some(api.patch(&self.node.name, &PatchParams::default(), &patch).await?);
            }
            Err(error) => {
                warn!(node = self.node.name, %error, "cannot create the node's lease");
                return Err(error.into());
            }
        }
        self.leased = Some(now);
        Ok(())
    }

    fn new_lease(&self, now: Timestamp) -> Lease {
        let owner = self.known.as_ref().and_then(|n| n.metadata.uid.clone()).map(|uid| OwnerReference {
            api_version: "v1".to_owned(),
            kind: "Node".to_owned(),
            name: self.node.name.clone(),
            uid,
            ..OwnerReference::default()
        });
        Lease {
            metadata: ObjectMeta {
                name: Some(self.node.name.clone()),
                namespace: Some(LEASE_NAMESPACE.to_owned()),
                owner_references: owner.map(|o| vec![o]),
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(self.node.name.clone()),
                lease_duration_seconds: i32::try_from(self.config.lease_seconds).ok(),
                renew_time: Some(MicroTime(now)),
                ..LeaseSpec::default()
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_on_drovers_own_runtime_wait_for_the_clusters_range() {
        assert!(awaits_range("drover://0.1.0", ""));
        assert!(!awaits_range("drover://0.1.0", "10.42.1.0/24"));
        assert!(!awaits_range("containerd://2.1.0", ""), "it may have a network that nobody needs to name");
    }
}
