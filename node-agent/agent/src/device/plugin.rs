//! One device plugin, on its socket: what it is asked, and the stream in which it says how its devices are.

use super::Error;
use super::pool::{Healths, Offer};
use crate::dial;
use crate::node::Node;
use proto::deviceplugin::device_plugin_client::DevicePluginClient;
use proto::deviceplugin::{
    AllocateRequest, ContainerAllocateRequest, ContainerAllocateResponse, ContainerPreferredAllocationRequest, Device,
    DevicePluginOptions, Empty, PreStartContainerRequest, PreferredAllocationRequest,
};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Response, Status};
use tracing::{debug, info};

/// k8s: pre-start hooks of plugins have 30 s; none of the other calls is to take as long.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// A plugin that has just registered may not listen yet: it is tried for as long, this often.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);
const DIAL_EVERY: Duration = Duration::from_millis(100);

const HEALTHY: &str = "Healthy";

#[derive(Clone, Debug)]
pub(super) struct Plugin {
    client: DevicePluginClient<Channel>,
    pub(super) options: DevicePluginOptions,
    pub(super) number: u64,
}

impl Plugin {
    /// Asks the plugin for its options where its registration did not say them.
    pub(super) async fn at(socket: &Path, options: Option<DevicePluginOptions>) -> Result<Self, Status> {
        let mut client = DevicePluginClient::new(dial::unix(socket));
        let options = match options {
            Some(options) => options,
            None => within(client.get_device_plugin_options(Empty {})).await?,
        };
        Ok(Self { client, options, number: 0 })
    }

    pub(super) async fn allocate(
        &self,
        resource: &str,
        ids: &BTreeSet<String>,
    ) -> Result<ContainerAllocateResponse, Error> {
        let asked = ContainerAllocateRequest { devices_ids: ids.iter().cloned().collect() };
        let request = AllocateRequest { container_requests: vec![asked] };
        let answer = within(self.client.clone().allocate(request)).await.map_err(failed(resource, "Allocate"))?;
        let nothing = || failed(resource, "Allocate")(Status::internal("no answer for the container"));
        answer.container_responses.into_iter().next().ok_or_else(nothing)
    }

    pub(super) async fn preferred(
        &self,
        resource: &str,
        offer: &Offer,
        count: usize,
    ) -> Result<BTreeSet<String>, Error> {
        let asked = ContainerPreferredAllocationRequest {
            available_device_i_ds: offer.available.iter().cloned().collect(),
            must_include_device_i_ds: offer.first(count.min(offer.reused.len())).into_iter().collect(),
            allocation_size: i32::try_from(count).unwrap_or(i32::MAX),
        };
        let request = PreferredAllocationRequest { container_requests: vec![asked] };
        let answer = within(self.client.clone().get_preferred_allocation(request)).await;
        let answer = answer.map_err(failed(resource, "GetPreferredAllocation"))?;
        Ok(answer.container_responses.into_iter().flat_map(|c| c.device_i_ds).collect())
    }

    pub(super) async fn before_start(&self, resource: &str, ids: &BTreeSet<String>) -> Result<(), Error> {
        let request = PreStartContainerRequest { devices_ids: ids.iter().cloned().collect() };
        let answer = within(self.client.clone().pre_start_container(request)).await;
        answer.map(drop).map_err(failed(resource, "PreStartContainer"))
    }
}

fn failed(resource: &str, call: &'static str) -> impl Fn(Status) -> Error {
    move |status| Error::Plugin { resource: resource.to_owned(), call, said: status.message().to_owned() }
}

async fn within<T>(call: impl Future<Output = Result<Response<T>, Status>>) -> Result<T, Status> {
    let answer = tokio::time::timeout(CALL_TIMEOUT, call).await;
    answer.unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer"))).map(Response::into_inner)
}

/// Takes in what the plugin says until it ends.
pub(super) async fn follow(node: Arc<Node>, resource: String, plugin: Plugin, drain: CancellationToken) {
    let client = plugin.client.clone();
    let number = node.devices.enter(&resource, plugin).await;
    info!(resource, "device plugin registered");
    tokio::select! {
        // Its devices stay as they are for the pods that have them.
        () = drain.cancelled() => return,
        said = listen(&node, &resource, number, client) => {
            debug!(resource, said = said.message(), "the device plugin has ended its stream");
        }
    }
    if node.devices.leave(&resource, number, node.clock.now()) {
        info!(resource, "device plugin is gone");
        node.look_again.notify_one();
    }
}

async fn listen(node: &Node, resource: &str, number: u64, mut client: DevicePluginClient<Channel>) -> Status {
    let give_up = tokio::time::Instant::now() + DIAL_TIMEOUT;
    let mut stream = loop {
        match client.list_and_watch(Empty {}).await {
            Ok(stream) => break stream.into_inner(),
            Err(status) if tokio::time::Instant::now() >= give_up => return status,
            Err(_) => tokio::time::sleep(DIAL_EVERY).await,
        }
    };
    loop {
        match stream.message().await {
            Ok(Some(list)) => {
                let near = |d: &Device| d.topology.iter().flat_map(|t| &t.nodes).map(|n| n.id).collect::<Vec<_>>();
                let numa = list.devices.iter().map(|d| (d.id.clone(), near(d))).filter(|(_, near)| !near.is_empty());
                let numa = numa.collect();
                let healths: Healths = list.devices.into_iter().map(|d| (d.id, d.health == HEALTHY)).collect();
                debug!(resource, ?healths, "devices");
                if !node.devices.list(resource, number, healths, numa) {
                    return Status::aborted("another plugin has registered");
                }
                node.look_again.notify_one();
            }
            Ok(None) => return Status::ok("end of stream"),
            Err(status) => return status,
        }
    }
}
