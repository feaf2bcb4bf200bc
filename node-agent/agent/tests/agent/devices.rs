//! A device plugin with made-up devices: what it offers, who gets what, and what becomes of it when plugin or agent go.

use crate::node::{created, web};
use crate::world::{NODE, World};
use futures::Stream;
use parking_lot::Mutex;
use proto::deviceplugin::device_plugin_server::{DevicePlugin, DevicePluginServer};
use proto::deviceplugin::registration_client::RegistrationClient;
use proto::deviceplugin::*;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::{UnixListenerStream, WatchStream};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status};

type Answer<T> = Result<Response<T>, Status>;

const RESOURCE: &str = "vendor.example/gpu";

#[derive(Clone)]
struct Plugin {
    /// `a b !c`: c is not healthy. Nothing ends the stream, as the plugin's end does.
    devices: watch::Sender<Option<&'static str>>,
    calls: Arc<Mutex<Vec<String>>>,
}

impl Plugin {
    fn new(devices: &'static str) -> Self {
        Self { devices: watch::Sender::new(Some(devices)), calls: Arc::default() }
    }

    fn note(&self, call: &str, ids: &[String]) {
        self.calls.lock().push(format!("{call} {}", ids.join("+")));
    }

    /// Serves on its own socket and registers; it is gone when the tasks are.
    async fn run(&self, world: &World) -> JoinSet<Result<(), tonic::transport::Error>> {
        let folder = world.dir.path().join("agent/device-plugins");
        let own = folder.join("gpu.sock");
        while !folder.join("kubelet.sock").exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        std::fs::remove_file(&own).unwrap_or_default();
        let listener = UnixListener::bind(own).unwrap();
        let server = tonic::transport::Server::builder()
            .add_service(DevicePluginServer::new(self.clone()))
            .serve_with_incoming(UnixListenerStream::new(listener));
        let mut tasks = JoinSet::new();
        tasks.spawn(server);
        register(folder.join("kubelet.sock"), RESOURCE, "gpu.sock", "v1beta1").await.unwrap();
        tasks
    }
}

pub(crate) fn channel(socket: PathBuf) -> Channel {
    let connector = tower::service_fn(move |_: tonic::transport::Uri| {
        let socket = socket.clone();
        async move { UnixStream::connect(socket).await.map(hyper_util::rt::TokioIo::new) }
    });
    Endpoint::from_static("http://agent.invalid").connect_with_connector_lazy(connector)
}

async fn register(socket: PathBuf, resource: &str, endpoint: &str, version: &str) -> Result<(), Status> {
    let options = DevicePluginOptions { pre_start_required: true, get_preferred_allocation_available: true };
    let request = RegisterRequest {
        version: version.to_owned(),
        endpoint: endpoint.to_owned(),
        resource_name: resource.to_owned(),
        options: Some(options),
    };
    RegistrationClient::new(channel(socket)).register(request).await.map(drop)
}

#[tonic::async_trait]
impl DevicePlugin for Plugin {
    type ListAndWatchStream = Pin<Box<dyn Stream<Item = Result<ListAndWatchResponse, Status>> + Send>>;

    async fn get_device_plugin_options(&self, _: Request<Empty>) -> Answer<DevicePluginOptions> {
        Err(Status::unimplemented("said at the registration"))
    }

    async fn list_and_watch(&self, _: Request<Empty>) -> Answer<Self::ListAndWatchStream> {
        let list = |text: &'static str| {
            let one = |id: &str| Device {
                id: id.trim_start_matches('!').to_owned(),
                health: if id.starts_with('!') { "Unhealthy" } else { "Healthy" }.to_owned(),
                // b is near to two NUMA nodes.
                topology: (id == "b").then(|| TopologyInfo { nodes: [0, 1].map(|id| NumaNode { id }).to_vec() }),
            };
            Ok(ListAndWatchResponse { devices: text.split_whitespace().map(one).collect() })
        };
        let said = WatchStream::new(self.devices.subscribe()).map_while(|text| text);
        Ok(Response::new(Box::pin(said.map(list))))
    }

    async fn get_preferred_allocation(
        &self,
        r: Request<PreferredAllocationRequest>,
    ) -> Answer<PreferredAllocationResponse> {
        let asked = r.into_inner().container_requests.remove(0);
        // The last ones.
        let from = asked.available_device_i_ds.len() - asked.allocation_size as usize;
        let device_i_ds = asked.available_device_i_ds[from..].to_vec();
        let container_responses = vec![ContainerPreferredAllocationResponse { device_i_ds }];
        Ok(Response::new(PreferredAllocationResponse { container_responses }))
    }

    async fn allocate(&self, r: Request<AllocateRequest>) -> Answer<AllocateResponse> {
        let ids = r.into_inner().container_requests.remove(0).devices_ids;
        self.note("allocate", &ids);
        let answer = ContainerAllocateResponse {
            envs: [("GPUS".to_owned(), ids.join(",")), ("OWN".to_owned(), "the plugin's".to_owned())].into(),
            mounts: vec![Mount { container_path: "/gpu".into(), host_path: "/usr".into(), read_only: true }],
            devices: vec![DeviceSpec {
                container_path: "/dev/gpu".into(),
                host_path: "/dev/null".into(),
                permissions: "rw".into(),
            }],
            annotations: [("vendor.example/gpus".to_owned(), ids.join(","))].into(),
            cdi_devices: vec![CdiDevice { name: format!("{RESOURCE}={}", ids[0]) }],
        };
        Ok(Response::new(AllocateResponse { container_responses: vec![answer] }))
    }

    async fn pre_start_container(&self, r: Request<PreStartContainerRequest>) -> Answer<PreStartContainerResponse> {
        self.note("prepare", &r.into_inner().devices_ids);
        Ok(Response::new(PreStartContainerResponse {}))
    }
}

async fn until_node_has(world: &World, all: &str, healthy: &str) {
    let shows = |node: Option<&Value>| {
        node.is_some_and(|n| {
            n["status"]["capacity"][RESOURCE] == all && n["status"]["allocatable"][RESOURCE] == healthy
        })
    };
    let found = tokio::time::timeout(Duration::from_secs(20), world.api.until(NODE, shows)).await;
    assert!(found.is_ok(), "no {all} and {healthy}: {:#}", world.api.get(NODE).unwrap()["status"]);
}

fn wants(count: &str) -> Value {
    let mut spec = web();
    spec["containers"][0]["resources"] = json!({ "requests": { RESOURCE: count }, "limits": { RESOURCE: count } });
    spec["containers"][0]["env"] = json!([{ "name": "OWN", "value": "the pod's" }]);
    spec
}

fn env<'a>(config: &'a proto::cri::ContainerConfig, name: &str) -> &'a str {
    let found: Vec<_> = config.envs.iter().filter(|v| v.key == name).collect();
    assert_eq!(found.len(), 1, "{name}: {:?}", config.envs);
    &found[0].value
}

#[tokio::test]
async fn containers_get_the_devices_that_they_ask_for_and_what_these_need() {
    let world = World::new();
    let plugin = Plugin::new("a b c !d");
    let tasks = plugin.run(&world).await;
    until_node_has(&world, "4", "3").await;
    world.pod("p", wants("2"));
    world.until_ready("p").await;
    let config = created(&world, "a");
    assert_eq!((env(&config, "GPUS"), env(&config, "OWN")), ("b,c", "the pod's"));
    let mount = config.mounts.iter().find(|m| m.container_path == "/gpu").unwrap();
    assert_eq!((mount.host_path.as_str(), mount.readonly), ("/usr", true));
    assert_eq!((config.devices[0].container_path.as_str(), config.devices[0].permissions.as_str()), ("/dev/gpu", "rw"));
    assert_eq!(config.annotations["vendor.example/gpus"], "b,c");
    assert_eq!(config.cdi_devices[0].name, "vendor.example/gpu=b");
    assert_eq!(*plugin.calls.lock(), ["allocate b+c", "prepare b+c"]);

    // One is left, which is not enough for the next.
    world.pod("q", wants("2"));
    let failed = |p: Option<&Value>| p.is_some_and(|p| p["status"]["phase"] == "Failed");
    let pod = world.until("q", failed).await.unwrap();
    assert_eq!(pod["status"]["reason"], "UnexpectedAdmissionError");
    let said = "Pod was rejected: Allocate failed due to requested number of devices unavailable for vendor.example/gpu. Requested: 2, Available: 1, which is unexpected";
    assert_eq!(pod["status"]["message"], said);

    // What a pod had is free once it is gone.
    world.delete("p", 1);
    world.until_gone("p").await;
    world.pod("r", wants("3"));
    world.until_ready("r").await;
    drop(tasks);
    world.close().await;
}

#[tokio::test]
async fn who_has_which_devices_is_told_on_a_socket() {
    use proto::podresources::pod_resources_lister_client::PodResourcesListerClient;
    use proto::podresources::*;
    let world = World::new();
    let plugin = Plugin::new("a b !c");
    let tasks = plugin.run(&world).await;
    until_node_has(&world, "3", "2").await;
    let mut spec = wants("1");
    spec["initContainers"] = json!([{ "name": "early", "image": "web:1", "imagePullPolicy": "IfNotPresent" }]);
    world.pod("p", spec);
    let init_runs =
        |p: Option<&Value>| p.is_some_and(|p| p["status"]["initContainerStatuses"][0]["state"]["running"].is_object());
    world.until("p", init_runs).await;
    world.cri.exit("early", 0);
    world.until_ready("p").await;
    let mut ended = web();
    ended["restartPolicy"] = json!("Never");
    ended["containers"][0]["name"] = json!("short");
    world.pod("ended", ended);
    world.until_ready("ended").await;
    world.cri.exit("short", 0);
    world.until("ended", |p| p.is_some_and(|p| p["status"]["phase"] == "Succeeded")).await;

    let socket = world.dir.path().join("agent/pod-resources/kubelet.sock");
    let mut client = PodResourcesListerClient::new(channel(socket));
    let device = |id: &str, nodes: &[i64]| ContainerDevices {
        resource_name: RESOURCE.into(),
        device_ids: vec![id.into()],
        topology: (!nodes.is_empty())
            .then(|| TopologyInfo { nodes: nodes.iter().map(|id| NumaNode { id: *id }).collect() }),
    };
    let held = PodResources {
        name: "p".into(),
        namespace: "default".into(),
        containers: vec![ContainerResources {
            name: "a".into(),
            devices: vec![device("b", &[0, 1])],
            cpu_ids: Vec::new(),
            dynamic_resources: Vec::new(),
        }],
    };
    let list = client.list(ListPodResourcesRequest {}).await.unwrap().into_inner();
    assert_eq!(list.pod_resources, std::slice::from_ref(&held), "neither what has ended nor containers that have");
    let ask = |name: &str| GetPodResourcesRequest { pod_name: name.into(), pod_namespace: "default".into() };
    assert_eq!(client.get(ask("p")).await.unwrap().into_inner().pod_resources, Some(held));
    let absent = client.get(ask("none")).await.unwrap_err();
    assert_eq!((absent.code(), absent.message()), (tonic::Code::NotFound, "pod none in namespace default not found"));
    let all = client.get_allocatable_resources(AllocatableResourcesRequest {}).await.unwrap().into_inner();
    assert_eq!((all.devices, all.cpu_ids), (vec![device("a", &[]), device("b", &[0, 1])], Vec::new()));
    drop(tasks);
    world.close().await;
}

#[tokio::test]
async fn grants_outlive_the_agent_and_devices_come_back_with_their_plugin() {
    let mut world = World::new();
    let plugin = Plugin::new("a b");
    let tasks = plugin.run(&world).await;
    until_node_has(&world, "2", "2").await;
    world.pod("p", wants("1"));
    world.until_ready("p").await;
    let before = env(&created(&world, "a"), "GPUS").to_owned();
    world.stop_agent().await;
    drop(tasks);
    world.start_agent();
    until_node_has(&world, "0", "0").await;

    // The plugin is not back: a restart of the container goes by what was written down.
    world.cri.exit("a", 1);
    let restarted = |p: Option<&Value>| {
        p.is_some_and(|p| {
            let c = &p["status"]["containerStatuses"][0];
            c["restartCount"] == 1 && c["state"]["running"].is_object()
        })
    };
    world.until("p", restarted).await;
    assert_eq!(env(&created(&world, "a"), "GPUS"), before);

    let tasks = plugin.run(&world).await;
    until_node_has(&world, "2", "2").await;
    world.pod("q", wants("1"));
    world.until_ready("q").await;
    let other = if before == "a" { "b" } else { "a" };
    assert_eq!(plugin.calls.lock().iter().rfind(|c| c.starts_with("allocate")), Some(&format!("allocate {other}")));
    plugin.devices.send_replace(Some("a !b c"));
    until_node_has(&world, "3", "2").await;
    plugin.devices.send_replace(None);
    until_node_has(&world, "3", "0").await;
    drop(tasks);
    world.close().await;
}

#[tokio::test]
async fn a_registration_that_cannot_be_is_refused() {
    let world = World::new();
    let socket = world.dir.path().join("agent/device-plugins/kubelet.sock");
    while !socket.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let cases = [
        (RESOURCE, "gpu.sock", "v1alpha", "requested API version \"v1alpha\" is not supported"),
        ("cpu", "gpu.sock", "v1beta1", "\"cpu\" is not the name of an extended resource"),
        ("kubernetes.io/gpu", "gpu.sock", "v1beta1", "is not the name of an extended resource"),
        (RESOURCE, "../gpu.sock", "v1beta1", "is not a file beside"),
        (RESOURCE, "", "v1beta1", "is not a file beside"),
        (RESOURCE, "kubelet.sock", "v1beta1", "is not a file beside"),
    ];
    for (resource, endpoint, version, said) in cases {
        let refused = register(socket.clone(), resource, endpoint, version).await.unwrap_err();
        assert!(refused.message().contains(said), "{}", refused.message());
    }
    world.close().await;
}
