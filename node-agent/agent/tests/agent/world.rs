//! One node with its agent, between the fakes.

use crate::fake_api::FakeApi;
use crate::fake_cri::FakeCri;
use agent::shutdown::Grace;
use agent::shutdown::logind::Place;
use agent::{Config, Deps, Error, Reserved, Serving, Tls};
use client::clock::{Clock, SystemClock};
use client::identity::Identity;
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A test that waits longer hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// A clock that stands still until it is told otherwise.
pub(crate) struct HeldClock(Mutex<Timestamp>);

impl HeldClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(SystemClock.now())))
    }

    pub(crate) fn advance(&self, by: Duration) {
        *self.0.lock() += by;
    }
}

impl Clock for HeldClock {
    fn now(&self) -> Timestamp {
        *self.0.lock()
    }
}

pub(crate) struct World {
    pub(crate) api: FakeApi,
    pub(crate) cri: FakeCri,
    pub(crate) dir: TempDir,
    runtime_drain: CancellationToken,
    runtime: JoinSet<()>,
    agent_drain: CancellationToken,
    agent: JoinSet<Result<(), Error>>,
    pub(crate) tls: Tls,
    shutdown: Grace,
    logind: Option<Place>,
    clock: Arc<dyn Clock>,
    /// Certificate and key of the API server towards nodes.
    pub(crate) masters: (Vec<u8>, Vec<u8>),
}

pub(crate) fn pod_path(name: &str) -> String {
    format!("/api/v1/namespaces/default/pods/{name}")
}

/// Runs a test that mounts where its mounts are its own. It runs as root.
pub(crate) fn with_own_mounts<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send) {
    use rustix::mount::{MountPropagationFlags, mount_change};
    std::thread::scope(|scope| {
        let alone = scope.spawn(|| {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).expect("tests that mount run as root");
            mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(test());
        });
        if let Err(panicked) = alone.join() {
            std::panic::resume_unwind(panicked);
        }
    });
}

pub(crate) const NODE: &str = "/api/v1/nodes/n1";

impl World {
    pub(crate) fn new() -> Self {
        Self::made(Grace::default(), None, Arc::new(SystemClock))
    }

    /// With an agent that gives pods this long when it is stopped.
    pub(crate) fn with(shutdown: Grace) -> Self {
        Self::made(shutdown, None, Arc::new(SystemClock))
    }

    /// With one that also hears of the machine.
    pub(crate) fn on(place: Place, shutdown: Grace) -> Self {
        Self::made(shutdown, Some(place), Arc::new(SystemClock))
    }

    /// With an agent for which time passes when the test says so.
    pub(crate) fn at(clock: &Arc<HeldClock>) -> Self {
        Self::made(Grace::default(), None, Arc::clone(clock) as Arc<dyn Clock>)
    }

    fn made(shutdown: Grace, logind: Option<Place>, clock: Arc<dyn Clock>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("static")).unwrap();
        let cri = FakeCri::new();
        let runtime_drain = CancellationToken::new();
        let mut runtime = JoinSet::new();
        let (server, socket, drain) = (cri.clone(), dir.path().join("cri.sock"), runtime_drain.clone());
        runtime.spawn(async move { server.serve(&socket, drain).await });
        let (tls, masters) = certificates();
        let mut world = Self {
            api: FakeApi::new(),
            cri,
            dir,
            runtime_drain,
            runtime,
            agent_drain: CancellationToken::new(),
            agent: JoinSet::new(),
            tls,
            shutdown,
            logind,
            clock,
            masters,
        };
        world.start_agent();
        world
    }

    pub(crate) fn start_agent(&mut self) {
        self.agent_drain = CancellationToken::new();
        let config = Config {
            node_name: "n1".into(),
            node_ips: vec!["127.0.0.1".parse().unwrap()],
            data_dir: self.dir.path().join("agent"),
            log_dir: self.dir.path().join("logs/pods"),
            cri_endpoint: self.dir.path().join("cri.sock"),
            bind: "127.0.0.1:0".parse().unwrap(),
            healthz: None,
            cluster_dns: vec!["10.43.0.10".parse().unwrap()],
            cluster_domain: "cluster.local".into(),
            max_pods: 110,
            reserved: Reserved::default(),
            thresholds: agent::evict::threshold::Thresholds::default(),
            tls: self.tls.clone(),
            cgroup_root: "/drover-agent-test".into(),
            labels: [].into(),
            taints: Vec::new(),
            static_pod_dir: Some(self.dir.path().join("static")),
            shutdown: self.shutdown.clone(),
            logind: self.logind.clone(),
            credential_providers: None,
            lease_seconds: 4,
            resolv_conf: "/etc/resolv.conf".into(),
        };
        let client =
            client::transport::in_process(self.api.router(), Identity::new("system:node:n1", ["system:nodes"]));
        let deps = Deps { client, clock: Arc::clone(&self.clock) };
        self.agent.spawn(agent::run(config, deps, self.agent_drain.clone()));
    }

    pub(crate) async fn stop_agent(&mut self) {
        self.agent_drain.cancel();
        while let Some(ended) = self.agent.join_next().await {
            ended.unwrap().unwrap();
        }
    }

    pub(crate) async fn close(mut self) {
        self.stop_agent().await;
        self.runtime_drain.cancel();
        while self.runtime.join_next().await.is_some() {}
    }

    /// Creates a pod that is bound to the node.
    pub(crate) fn pod(&self, name: &str, spec: Value) {
        let mut spec = spec;
        spec["nodeName"] = json!("n1");
        let object = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "namespace": "default" }, "spec": spec, "status": { "phase": "Pending" } });
        self.api.put(&pod_path(name), object);
    }

    /// Deletes gracefully, as a user does.
    pub(crate) fn delete(&self, name: &str, grace: i64) {
        let mut pod = self.api.get(&pod_path(name)).unwrap();
        pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:30Z");
        pod["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
        self.api.put(&pod_path(name), pod);
    }

    /// Waits until the pod (or its absence) is as wanted.
    pub(crate) async fn until(&self, name: &str, done: impl Fn(Option<&Value>) -> bool) -> Option<Value> {
        let path = pod_path(name);
        if let Ok(found) = tokio::time::timeout(PATIENCE, self.api.until(&path, done)).await {
            found
        } else {
            panic!(
                "{name} stays {:#}\ncalls: {:?}",
                self.api.get(&path).unwrap_or_default()["status"],
                self.cri.calls()
            )
        }
    }

    pub(crate) async fn until_ready(&self, name: &str) -> Value {
        self.until(name, |p| p.is_some_and(is_ready)).await.unwrap()
    }

    pub(crate) async fn until_gone(&self, name: &str) {
        self.until(name, |p| p.is_none()).await;
    }
}

pub(crate) fn is_ready(pod: &Value) -> bool {
    condition(pod, "Ready") == "True"
}

pub(crate) fn condition<'a>(pod: &'a Value, kind: &str) -> &'a str {
    let all = pod["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().find(|c| c["type"] == kind).and_then(|c| c["status"].as_str()).unwrap_or_default()
}

/// An authority that has signed the node's certificate and the API server's client certificate.
fn certificates() -> (Tls, (Vec<u8>, Vec<u8>)) {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_pem = ca.self_signed(&ca_key).unwrap().pem().into_bytes();
    let issuer = Issuer::new(ca, ca_key);
    let signed = |user: &str, group: &str| {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, user);
        params.distinguished_name.push(DnType::OrganizationName, group);
        let cert = params.signed_by(&key, &issuer).unwrap();
        (cert.pem().into_bytes(), key.serialize_pem().into_bytes())
    };
    let (cert_pem, key_pem) = signed("system:node:n1", "system:nodes");
    let tls = Tls::fixed(Serving { cert_pem, key_pem }, ca_pem);
    (tls, signed("kube-apiserver-kubelet-client", "system:masters"))
}
