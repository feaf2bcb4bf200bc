//! Tells on a socket which pods have which devices: monitoring asks, such as exporters of what GPUs do, and plugins that
//! place things beside each other. k8s: the kubelet's pod resources API. There is no CPU manager, so that no container has
//! CPUs of its own.

use crate::device::Shown;
use crate::device_claim;
use crate::node::Node;
use crate::pod::member::{Member, Role, members, name, namespace, uid};
use crate::pods;
use k8s_openapi::api::core::v1::Pod;
use proto::podresources::pod_resources_lister_server::{PodResourcesLister, PodResourcesListerServer};
use proto::podresources::{
    AllocatableResourcesRequest, AllocatableResourcesResponse, CdiDevice, ClaimResource, ContainerDevices,
    ContainerResources, DynamicResource, GetPodResourcesRequest, GetPodResourcesResponse, ListPodResourcesRequest,
    ListPodResourcesResponse, NumaNode, PodResources, TopologyInfo,
};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use tracing::warn;

/// k8s: folder and name that clients look for, there below `/var/lib/kubelet`.
const FOLDER: &str = "pod-resources";
const SOCKET: &str = "kubelet.sock";

pub async fn run(node: Arc<Node>, drain: CancellationToken) {
    let folder = node.places.data_dir.join(FOLDER);
    let listener = match listen(&folder) {
        Ok(listener) => UnixListenerStream::new(listener),
        Err(error) => {
            warn!(folder = %folder.display(), %error, "nobody is told which pods have which devices");
            return drain.cancelled().await;
        }
    };
    let server = tonic::transport::Server::builder().add_service(PodResourcesListerServer::new(Lister { node }));
    if let Err(error) = server.serve_with_incoming_shutdown(listener, drain.cancelled()).await {
        warn!(%error, "nobody is told any more which pods have which devices");
        drain.cancelled().await;
    }
}

fn listen(folder: &Path) -> io::Result<UnixListener> {
    std::fs::create_dir_all(folder)?;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o750))?;
    let socket = folder.join(SOCKET);
    match std::fs::remove_file(&socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    UnixListener::bind(socket)
}

struct Lister {
    node: Arc<Node>,
}

impl Lister {
    fn of(&self, pod: &Pod) -> PodResources {
        // k8s: init containers that end are left out, sidecars are not.
        let lasting = members(pod).into_iter().filter(|m| matches!(m.role, Role::App | Role::Sidecar));
        let one = |member: &Member<'_>| ContainerResources {
            name: member.name().to_owned(),
            devices: self.node.devices.held(uid(pod), member.name()).into_iter().map(devices).collect(),
            cpu_ids: Vec::new(),
            dynamic_resources: self.node.claims.shown(pod, &member.spec).into_iter().map(|c| claim(pod, c)).collect(),
        };
        PodResources {
            name: name(pod).to_owned(),
            namespace: namespace(pod).to_owned(),
            containers: lasting.map(|m| one(&m)).collect(),
        }
    }
}

/// k8s: each device is told by itself, as each has a place of its own in the machine.
fn devices(shown: Shown) -> ContainerDevices {
    let nodes: Vec<NumaNode> = shown.numa.into_iter().map(|id| NumaNode { id }).collect();
    let topology = (!nodes.is_empty()).then_some(TopologyInfo { nodes });
    ContainerDevices { resource_name: shown.resource, device_ids: vec![shown.id], topology }
}

fn claim(pod: &Pod, shown: device_claim::Shown) -> DynamicResource {
    let one = |(driver, device): (String, device_claim::Device)| ClaimResource {
        cdi_devices: device.cdi.into_iter().map(|name| CdiDevice { name }).collect(),
        driver_name: driver,
        pool_name: device.pool,
        device_name: device.device,
        share_id: device.share,
    };
    DynamicResource {
        claim_name: shown.name,
        claim_namespace: namespace(pod).to_owned(),
        claim_resources: shown.devices.into_iter().map(one).collect(),
    }
}

#[tonic::async_trait]
impl PodResourcesLister for Lister {
    async fn list(&self, _: Request<ListPodResourcesRequest>) -> Result<Response<ListPodResourcesResponse>, Status> {
        let pod_resources = pods::live(&self.node).iter().map(|pod| self.of(pod)).collect();
        Ok(Response::new(ListPodResourcesResponse { pod_resources }))
    }

    async fn get_allocatable_resources(
        &self,
        _: Request<AllocatableResourcesRequest>,
    ) -> Result<Response<AllocatableResourcesResponse>, Status> {
        let devices = self.node.devices.healthy().into_iter().map(devices).collect();
        Ok(Response::new(AllocatableResourcesResponse { devices, cpu_ids: Vec::new() }))
    }

    async fn get(&self, request: Request<GetPodResourcesRequest>) -> Result<Response<GetPodResourcesResponse>, Status> {
        let GetPodResourcesRequest { pod_name, pod_namespace } = request.into_inner();
        let absent = || Status::not_found(format!("pod {pod_name} in namespace {pod_namespace} not found"));
        let pod = pods::find(&self.node, &pod_namespace, &pod_name).ok_or_else(absent)?;
        Ok(Response::new(GetPodResourcesResponse { pod_resources: Some(self.of(&pod)) }))
    }
}
