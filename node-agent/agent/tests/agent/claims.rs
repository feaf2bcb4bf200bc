//! A driver of devices that are claimed: when it is asked, what containers get of its answers, and what becomes of that when
//! the agent, the driver or a pod goes.

use crate::devices::channel;
use crate::node::{created, web};
use crate::world::{HeldClock, World, pod_path};
use parking_lot::Mutex;
use proto::dra::dra_plugin_server::{DraPlugin, DraPluginServer};
use proto::dra::*;
use proto::podresources::ListPodResourcesRequest;
use proto::podresources::pod_resources_lister_client::PodResourcesListerClient;
use proto::registration::registration_server::{Registration, RegistrationServer};
use proto::registration::*;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::task::JoinSet;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{Request, Response, Status};

type Answer<T> = Result<Response<T>, Status>;

const DRIVER: &str = "gpu.example";

#[derive(Clone, Default)]
struct Driver {
    calls: Arc<Mutex<Vec<String>>>,
    /// What is wrong with every claim.
    broken: Arc<Mutex<String>>,
    services: Vec<String>,
}

impl Driver {
    fn new() -> Self {
        Self { services: vec!["v1.DRAPlugin".to_owned()], ..Self::default() }
    }

    fn note(&self, call: &str, claims: &[Claim]) -> String {
        let names: Vec<_> = claims.iter().map(|c| format!("{}/{}", c.namespace, c.name)).collect();
        self.calls.lock().push(format!("{call} {}", names.join(" ")));
        self.broken.lock().clone()
    }

    fn calls(&self) -> Vec<String> {
        self.calls.lock().clone()
    }

    /// Serves and registers on one socket; it is gone with the tasks.
    fn run(&self, world: &World) -> JoinSet<Result<(), tonic::transport::Error>> {
        let registry = world.dir.path().join("agent/plugins_registry");
        std::fs::create_dir_all(&registry).unwrap();
        let socket = registry.join("gpu.sock");
        std::fs::remove_file(&socket).unwrap_or_default();
        let listener = UnixListener::bind(socket).unwrap();
        let server = tonic::transport::Server::builder()
            .add_service(RegistrationServer::new(self.clone()))
            .add_service(DraPluginServer::new(self.clone()))
            .serve_with_incoming(UnixListenerStream::new(listener));
        let mut tasks = JoinSet::new();
        tasks.spawn(server);
        tasks
    }
}

#[tonic::async_trait]
impl Registration for Driver {
    async fn get_info(&self, _: Request<InfoRequest>) -> Answer<PluginInfo> {
        let (name, supported_versions) = (DRIVER.to_owned(), self.services.clone());
        Ok(Response::new(PluginInfo { r#type: "DRAPlugin".to_owned(), name, supported_versions, ..Default::default() }))
    }

    async fn notify_registration_status(&self, r: Request<RegistrationStatus>) -> Answer<RegistrationStatusResponse> {
        let r = r.into_inner();
        self.calls.lock().push(format!("registered {} {}", r.plugin_registered, r.error));
        Ok(Response::new(RegistrationStatusResponse {}))
    }
}

#[tonic::async_trait]
impl DraPlugin for Driver {
    async fn node_prepare_resources(
        &self,
        r: Request<NodePrepareResourcesRequest>,
    ) -> Answer<NodePrepareResourcesResponse> {
        let claims = r.into_inner().claims;
        let error = self.note("prepare", &claims);
        let device = |name: &str, request: &str, claim: &Claim| Device {
            request_names: vec![request.to_owned()],
            pool_name: "n1".to_owned(),
            device_name: name.to_owned(),
            cdi_device_ids: vec![format!("gpu.example/gpu={}-{name}", claim.name)],
            share_id: None,
        };
        let one = |claim: Claim| {
            let devices = vec![device("a", "big", &claim), device("b", "small", &claim)];
            (claim.uid, NodePrepareResourceResponse { devices, error: error.clone() })
        };
        Ok(Response::new(NodePrepareResourcesResponse { claims: claims.into_iter().map(one).collect() }))
    }

    async fn node_unprepare_resources(
        &self,
        r: Request<NodeUnprepareResourcesRequest>,
    ) -> Answer<NodeUnprepareResourcesResponse> {
        let claims = r.into_inner().claims;
        let error = self.note("unprepare", &claims);
        let one = |claim: Claim| (claim.uid, NodeUnprepareResourceResponse { error: error.clone() });
        Ok(Response::new(NodeUnprepareResourcesResponse { claims: claims.into_iter().map(one).collect() }))
    }
}

/// A pod with the claim `c`, of which its container uses one request.
fn claiming(request: &str, container: &str) -> Value {
    let mut spec = web();
    spec["resourceClaims"] = json!([{ "name": "gpu", "resourceClaimName": "c" }]);
    spec["containers"][0]["name"] = json!(container);
    spec["containers"][0]["resources"] = json!({ "claims": [{ "name": "gpu", "request": request }] });
    spec
}

/// The claim, allocated and reserved for these pods.
fn reserve(world: &World, pods: &[&str]) {
    let consumer = |name: &&str| {
        let pod = world.api.get(&pod_path(name)).unwrap();
        json!({ "resource": "pods", "name": name, "uid": pod["metadata"]["uid"] })
    };
    let result = json!({ "request": "big", "driver": DRIVER, "pool": "n1", "device": "a" });
    let claim = json!({ "apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaim",
        "metadata": { "name": "c", "namespace": "default", "uid": "claim-1" }, "spec": {},
        "status": { "reservedFor": pods.iter().map(consumer).collect::<Vec<_>>(),
            "allocation": { "devices": { "results": [result] } } } });
    world.api.put("/apis/resource.k8s.io/v1/namespaces/default/resourceclaims/c", claim);
}

async fn until(what: &str, done: impl Fn() -> bool) {
    for _ in 0..400 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what} did not come");
}

fn cdi(world: &World, container: &str) -> Vec<String> {
    created(world, container).cdi_devices.into_iter().map(|device| device.name).collect()
}

#[tokio::test]
async fn a_claim_is_prepared_before_its_first_container_and_taken_back_after_its_last() {
    let mut world = World::new();
    world.pod("p", claiming("big", "a"));
    let says = |world: &World, text: &str| {
        let all = world.api.events("FailedPrepareDynamicResources");
        all.iter().any(|m| {
            m.starts_with("Failed to prepare dynamic resources: prepare dynamic resources: ") && m.contains(text)
        })
    };
    until("a word on the claim", || says(&world, "fetch ResourceClaim c: ")).await;
    reserve(&world, &[]);
    until("a word on the reservation", || says(&world, ") is not allowed to use ResourceClaim c (claim-1)")).await;
    reserve(&world, &["p"]);
    until("a word on the driver", || says(&world, "DRA driver gpu.example is not registered")).await;
    assert!(!world.cri.calls().iter().any(|c| c.starts_with("run")), "a sandbox without its devices");
    let driver = Driver::new();
    let _serving = driver.run(&world);
    world.until_ready("p").await;
    assert_eq!(cdi(&world, "a"), ["gpu.example/gpu=c-a"]);

    world.pod("q", claiming("small", "b"));
    reserve(&world, &["p", "q"]);
    world.until_ready("q").await;
    assert_eq!(cdi(&world, "b"), ["gpu.example/gpu=c-b"]);
    assert_eq!(driver.calls(), ["registered true ", "prepare default/c"]);

    let socket = world.dir.path().join("agent/pod-resources/kubelet.sock");
    let list = PodResourcesListerClient::new(channel(socket)).list(ListPodResourcesRequest {}).await.unwrap();
    let pods = list.into_inner().pod_resources;
    let shown = &pods.iter().find(|pod| pod.name == "p").unwrap().containers[0].dynamic_resources[0];
    assert_eq!((shown.claim_name.as_str(), shown.claim_namespace.as_str()), ("c", "default"));
    let device = &shown.claim_resources[0];
    assert_eq!((&*device.driver_name, &*device.pool_name, &*device.device_name), (DRIVER, "n1", "a"));
    assert_eq!(device.cdi_devices[0].name, "gpu.example/gpu=c-a");

    world.delete("p", 1);
    world.until_gone("p").await;
    // Another agent knows who has what, and how to start the container again.
    world.stop_agent().await;
    world.start_agent();
    world.cri.exit("b", 1);
    let again = |q: Option<&Value>| q.is_some_and(|q| q["status"]["containerStatuses"][0]["restartCount"] == 1);
    world.until("q", again).await;
    world.until_ready("q").await;
    assert_eq!(cdi(&world, "b"), ["gpu.example/gpu=c-b"]);
    until("the driver", || driver.calls().len() == 3).await;
    world.delete("q", 1);
    world.until_gone("q").await;
    assert_eq!(driver.calls()[2..], ["registered true ", "unprepare default/c"]);
    world.close().await;
}

#[tokio::test]
async fn a_pod_has_not_ended_before_its_driver_knows() {
    let world = World::new();
    let driver = Driver::new();
    let _serving = driver.run(&world);
    let mut spec = claiming("big", "a");
    spec["restartPolicy"] = json!("Never");
    world.pod("p", spec);
    reserve(&world, &["p"]);
    world.until_ready("p").await;
    "still busy".clone_into(&mut driver.broken.lock());
    world.cri.exit("a", 0);
    until("a try", || driver.calls().iter().filter(|c| c.starts_with("unprepare")).count() > 1).await;
    assert_eq!(world.api.get(&pod_path("p")).unwrap()["status"]["phase"], "Running");
    driver.broken.lock().clear();
    world.until("p", |p| p.is_some_and(|p| p["status"]["phase"] == "Succeeded")).await;
    world.delete("p", 1);
    world.until_gone("p").await;
    world.close().await;
}

#[tokio::test]
async fn devices_of_a_pod_that_vanished_with_the_agent_away_are_taken_back() {
    let mut world = World::new();
    let driver = Driver::new();
    let _serving = driver.run(&world);
    world.pod("p", claiming("big", "a"));
    reserve(&world, &["p"]);
    world.until_ready("p").await;
    world.stop_agent().await;
    world.api.remove(&pod_path("p"));
    {
        let mut books = world.cri.books.lock();
        books.pods.clear();
        books.containers.clear();
    }
    world.start_agent();
    until("the claim's end", || driver.calls().last().is_some_and(|call| call == "unprepare default/c")).await;
    world.close().await;
}

#[tokio::test]
async fn a_driver_that_speaks_another_language_is_told_so() {
    let world = World::new();
    let driver = Driver { services: vec!["v1alpha3.Node".to_owned()], ..Driver::default() };
    let _serving = driver.run(&world);
    until("an answer", || !driver.calls().is_empty()).await;
    let said = &driver.calls()[0];
    assert!(said.starts_with("registered false ") && said.contains("([\"v1alpha3.Node\"])"), "{said}");
    world.close().await;
}

#[tokio::test]
async fn slices_of_drivers_that_stay_away_are_removed() {
    let clock = HeldClock::new();
    let world = World::at(&clock);
    let slices = "/apis/resource.k8s.io/v1/resourceslices";
    let publish = |name: &str, node: &str| {
        let spec = json!({ "driver": DRIVER, "nodeName": node, "pool": { "name": node } });
        let path = format!("{slices}/{name}");
        world.api.put(&path, json!({ "apiVersion": "resource.k8s.io/v1", "kind": "ResourceSlice", "metadata": { "name": name }, "spec": spec }));
        path
    };
    let (mine, others) = (publish("mine", "n1"), publish("other", "n2"));
    // Nobody has registered.
    world.api.until(&mine, |slice| slice.is_none()).await;
    assert!(world.api.get(&others).is_some());
    let driver = Driver::new();
    let serving = driver.run(&world);
    until("the driver", || !driver.calls().is_empty()).await;
    publish("mine", "n1");
    drop(serving);
    std::fs::remove_file(world.dir.path().join("agent/plugins_registry/gpu.sock")).unwrap();
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(world.api.get(&mine).is_some(), "it may come back");
    clock.advance(Duration::from_secs(31));
    world.api.until(&mine, |slice| slice.is_none()).await;
    assert!(world.api.get(&others).is_some());
    world.close().await;
}
