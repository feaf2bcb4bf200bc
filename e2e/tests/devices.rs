//! Devices that are claimed, from the claim to the container: a driver beside the node publishes some, prepares those that
//! pods get, and takes them back.

use anyhow::{Context, Result};
use e2e::wait::eventually;
use e2e::{Cluster, Host, Options};
use proto::dra::dra_plugin_server::{DraPlugin, DraPluginServer};
use proto::dra::*;
use proto::registration::registration_server::{Registration, RegistrationServer};
use proto::registration::*;
use serde_json::json;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::task::JoinSet;
use tonic::{Request, Response, Status};

type Answer<T> = Result<Response<T>, Status>;

const DRIVER: &str = "gpu.example";
const SOON: Duration = Duration::from_mins(1);

/// Writes a CDI file for each claim, and down what it is asked.
#[derive(Clone)]
struct Driver {
    specs: PathBuf,
    calls: Arc<Mutex<Vec<String>>>,
}

impl Driver {
    fn note(&self, call: String) {
        self.calls.lock().expect("nobody panics with it").push(call);
    }

    fn count(&self, call: &str) -> usize {
        self.calls.lock().expect("nobody panics with it").iter().filter(|c| *c == call).count()
    }

    fn spec(&self, claim: &Claim) -> PathBuf {
        self.specs.join(format!("{}.json", claim.uid))
    }

    /// Serves and registers on one socket, until the tasks are dropped.
    fn serve(&self, socket: &Path) -> Result<JoinSet<()>> {
        fs::create_dir_all(socket.parent().context("a folder")?)?;
        let listener = UnixListener::bind(socket)?;
        let connections = futures::stream::unfold(listener, |listener| async move {
            let accepted = listener.accept().await.map(|(stream, _)| stream);
            Some((accepted, listener))
        });
        let server = tonic::transport::Server::builder()
            .add_service(RegistrationServer::new(self.clone()))
            .add_service(DraPluginServer::new(self.clone()))
            .serve_with_incoming(connections);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { server.await.expect("the driver serves") });
        Ok(tasks)
    }
}

#[tonic::async_trait]
impl Registration for Driver {
    async fn get_info(&self, _: Request<InfoRequest>) -> Answer<PluginInfo> {
        let supported_versions = vec!["v1.DRAPlugin".to_owned()];
        let (r#type, name) = ("DRAPlugin".to_owned(), DRIVER.to_owned());
        Ok(Response::new(PluginInfo { r#type, name, supported_versions, ..PluginInfo::default() }))
    }

    async fn notify_registration_status(&self, r: Request<RegistrationStatus>) -> Answer<RegistrationStatusResponse> {
        self.note(format!("registered {}", r.into_inner().plugin_registered));
        Ok(Response::new(RegistrationStatusResponse {}))
    }
}

#[tonic::async_trait]
impl DraPlugin for Driver {
    async fn node_prepare_resources(
        &self,
        r: Request<NodePrepareResourcesRequest>,
    ) -> Answer<NodePrepareResourcesResponse> {
        let mut claims = HashMap::new();
        for claim in r.into_inner().claims {
            let edits = json!({
                "env": [format!("GPU={}", claim.uid)],
                "deviceNodes": [{ "path": "/dev/gpu0", "hostPath": "/dev/null" }],
            });
            let devices = json!([{ "name": claim.uid, "containerEdits": edits }]);
            let spec = json!({ "cdiVersion": "0.6.0", "kind": "gpu.example/gpu", "devices": devices });
            fs::write(self.spec(&claim), spec.to_string())?;
            self.note(format!("prepare {}", claim.uid));
            let device = Device {
                request_names: vec!["gpu".to_owned()],
                pool_name: "node-1".to_owned(),
                device_name: "gpu-0".to_owned(),
                cdi_device_ids: vec![format!("gpu.example/gpu={}", claim.uid)],
                share_id: None,
            };
            claims.insert(claim.uid, NodePrepareResourceResponse { devices: vec![device], error: String::new() });
        }
        Ok(Response::new(NodePrepareResourcesResponse { claims }))
    }

    async fn node_unprepare_resources(
        &self,
        r: Request<NodeUnprepareResourcesRequest>,
    ) -> Answer<NodeUnprepareResourcesResponse> {
        let mut claims = HashMap::new();
        for claim in r.into_inner().claims {
            fs::remove_file(self.spec(&claim))?;
            self.note(format!("unprepare {}", claim.uid));
            claims.insert(claim.uid, NodeUnprepareResourceResponse::default());
        }
        Ok(Response::new(NodeUnprepareResourcesResponse { claims }))
    }
}

const DEVICES: &str = "
apiVersion: resource.k8s.io/v1
kind: DeviceClass
metadata: { name: gpu.example }
spec: { selectors: [{ cel: { expression: device.driver == 'gpu.example' } }] }
---
apiVersion: resource.k8s.io/v1
kind: ResourceSlice
metadata: { name: node-1-gpus }
spec:
  driver: gpu.example
  nodeName: node-1
  pool: { name: node-1, generation: 1, resourceSliceCount: 1 }
  devices: [{ name: gpu-0 }, { name: gpu-1 }]
";

const CLAIMS: &str = "
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
metadata: { name: gpu }
spec: { spec: { devices: { requests: [{ name: gpu, exactly: { deviceClassName: gpu.example } }] } } }
---
apiVersion: resource.k8s.io/v1
kind: ResourceClaim
metadata: { name: shared }
spec: { devices: { requests: [{ name: gpu, exactly: { deviceClassName: gpu.example } }] } }
";

fn pod(name: &str, claim: &str) -> String {
    format!(
        "
---
apiVersion: v1
kind: Pod
metadata: {{ name: {name}, labels: {{ app: gpu }} }}
spec:
  terminationGracePeriodSeconds: 1
  resourceClaims: [{{ name: gpu, {claim} }}]
  containers:
    - {{ name: with, image: \"drover.local/web:1\", resources: {{ claims: [{{ name: gpu, request: gpu }}] }} }}
    - {{ name: without, image: \"drover.local/web:1\", args: [serve, \"8081\"] }}
"
    )
}

const BROKEN: &str = "
apiVersion: resource.k8s.io/v1
kind: DeviceTaintRule
metadata: { name: broken }
spec: { deviceSelector: { driver: gpu.example }, taint: { key: broken, effect: NoExecute } }
";

struct World {
    cluster: Cluster,
    driver: Driver,
    socket: PathBuf,
    serving: Option<JoinSet<()>>,
    _specs: tempfile::TempDir,
}

impl World {
    /// A node with a driver, whose CDI files are seen on that host alone.
    fn start() -> Result<Self> {
        let host = Host::new()?;
        let specs = tempfile::tempdir()?;
        host.read("mount", &["-t", "tmpfs", "run", "/run"])?;
        host.read("mkdir", &["/run/cdi"])?;
        host.read("mount", &["--bind", &specs.path().to_string_lossy(), "/run/cdi"])?;
        let options = Options { args: vec!["--keep-pods".into()], ..Options::default() };
        let cluster = Cluster::on(host, options)?;
        let driver = Driver { specs: specs.path().to_owned(), calls: Arc::default() };
        let socket = cluster.data_dir().join("agent/plugins_registry/gpu.sock");
        let serving = driver.serve(&socket)?;
        let world = Self { cluster, driver, socket, serving: Some(serving), _specs: specs };
        world.until_called("registered true", 1);
        world.cluster.apply(DEVICES)?;
        Ok(world)
    }

    fn until_called(&self, call: &str, times: usize) {
        eventually(call, SOON, || {
            if self.driver.count(call) == times { Ok(()) } else { Err(format!("{:?}", self.driver.calls)) }
        });
    }

    fn uid(&self, claim: &str) -> Result<String> {
        let found = self.cluster.json(&["get", "resourceclaim", claim])?;
        Ok(found["metadata"]["uid"].as_str().unwrap_or_default().to_owned())
    }

    fn in_container(&self, pod: &str, container: &str, command: &[&str]) -> Result<String> {
        let args = ["exec", pod, "-c", container, "--", "/web"];
        self.cluster.kctl(&args.iter().chain(command).copied().collect::<Vec<_>>())
    }

    fn remove(&self, pod: &str) -> Result<()> {
        self.cluster.kctl(&["delete", "pod", pod, "--wait=false"])?;
        self.cluster.kctl(&["wait", "pod", pod, "--for=delete", "--timeout=60s"]).map(drop)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn claimed_devices_reach_their_containers_and_are_taken_back_once() -> Result<()> {
    let mut world = World::start()?;
    let shared = "resourceClaimName: shared";
    let pods = [pod("own", "resourceClaimTemplateName: gpu"), pod("one", shared), pod("other", shared)];
    world.cluster.apply(&format!("{CLAIMS}{}", pods.concat()))?;
    world.cluster.kctl(&["wait", "pod", "-l", "app=gpu", "--for=condition=Ready", "--timeout=60s"])?;
    let own = world.cluster.json(&["get", "pod", "own"])?;
    let generated = own["status"]["resourceClaimStatuses"][0]["resourceClaimName"].as_str().unwrap_or_default();
    let (own, shared) = (world.uid(generated)?, world.uid("shared")?);
    for (pod, claim) in [("own", &own), ("one", &shared), ("other", &shared)] {
        let env = world.in_container(pod, "with", &["env"])?;
        assert!(env.lines().any(|line| line == format!("GPU={claim}")), "{pod}: {env}");
        assert!(world.in_container(pod, "with", &["ls", "/dev"])?.contains("gpu0"), "{pod}");
        let env = world.in_container(pod, "without", &["env"])?;
        assert!(!env.contains("GPU="), "{pod}: {env}");
        assert!(!world.in_container(pod, "without", &["ls", "/dev"])?.contains("gpu0"), "{pod}");
    }
    assert_eq!(
        (world.driver.count(&format!("prepare {own}")), world.driver.count(&format!("prepare {shared}"))),
        (1, 1)
    );

    // The node's agent is another one now, and slices are the driver's to publish again.
    world.cluster.kill()?;
    world.cluster.up()?;
    world.until_called("registered true", 2);
    eventually("the slices of before to go", SOON, || {
        let left = world.cluster.kctl(&["get", "resourceslices", "-o", "name"]).map_err(|e| e.to_string())?;
        if left.trim().is_empty() { Ok(()) } else { Err(left) }
    });
    world.cluster.apply(DEVICES)?;
    world.remove("one")?;
    assert!(world.in_container("other", "with", &["env"])?.contains("GPU="));
    assert_eq!(world.driver.count(&format!("unprepare {shared}")), 0, "the other pod uses it");
    world.remove("other")?;
    world.remove("own")?;
    for claim in [&own, &shared] {
        assert_eq!(world.driver.count(&format!("unprepare {claim}")), 1, "{:?}", world.driver.calls);
    }
    assert_eq!(fs::read_dir(&world.driver.specs)?.count(), 0);

    // Without a driver a pod waits for one.
    world.serving = None;
    fs::remove_file(&world.socket)?;
    world.cluster.apply(&pod("late", "resourceClaimName: shared"))?;
    eventually("a word on the driver", SOON, || {
        let events = world.cluster.kctl(&["get", "events", "-o", "json"]).map_err(|e| e.to_string())?;
        let said =
            "Failed to prepare dynamic resources: prepare dynamic resources: DRA driver gpu.example is not registered";
        if events.contains(said) { Ok(()) } else { Err(events) }
    });
    world.serving = Some(world.driver.serve(&world.socket)?);
    world.cluster.kctl(&["wait", "pod", "late", "--for=condition=Ready", "--timeout=60s"])?;

    // Nor with a device that is broken.
    world.cluster.apply(BROKEN)?;
    world.cluster.kctl(&["wait", "pod", "late", "--for=delete", "--timeout=60s"])?;
    let events = world.cluster.kctl(&["get", "events", "-o", "json"])?;
    assert!(events.contains("DeviceTaintManagerEviction"), "{events}");
    Ok(())
}
