//! CRI's runtime service.

use super::convert::{self, selected};
use super::metrics;
use crate::pods::{self, ExecStreams, Pods, Sandbox};
use crate::stream::{Session, Streaming, TooMany};
use crate::sys::clock::now_ns;
use proto::cri::runtime_service_server::RuntimeService;
#[cfg_attr(not(test), expect(clippy::wildcard_imports, reason = "nearly every message of the interface"))]
use proto::cri::*;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio_stream::{Stream, StreamExt, wrappers::BroadcastStream};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

#[derive(Debug)]
pub(crate) struct Service {
    pods: Arc<Pods>,
    streaming: Arc<Streaming>,
    drain: CancellationToken,
}

impl Service {
    pub(crate) fn new(pods: Arc<Pods>, streaming: Arc<Streaming>, drain: CancellationToken) -> Self {
        Self { pods, streaming, drain }
    }

    /// The full id of a container that runs.
    fn running(&self, id: &str) -> Result<String, Status> {
        let container = self.pods.container(id)?;
        if container.is_running() {
            Ok(container.record.id.clone())
        } else {
            Err(Status::failed_precondition(format!("container {} does not run", container.record.id)))
        }
    }

    fn url(&self, session: Session) -> Result<String, Status> {
        let too_many = |TooMany| Status::resource_exhausted("too many streaming requests wait to be used");
        self.streaming.url(session).map_err(too_many)
    }
}

#[expect(clippy::fn_params_excessive_bools, reason = "each is a stream of the request")]
fn streams(stdin: bool, stdout: bool, stderr: bool, terminal: bool) -> Result<ExecStreams, Status> {
    if !stdin && !stdout && !stderr {
        return Err(Status::invalid_argument("one of stdin, stdout and stderr must be asked for"));
    }
    if terminal && stderr {
        return Err(Status::invalid_argument("a terminal has no separate stderr"));
    }
    Ok(ExecStreams { stdin, stdout, stderr, terminal })
}

type Answer<T> = Result<Response<T>, Status>;

/// What a RuntimeClass may name: the default, and the same by its name.
const HANDLERS: [&str; 2] = ["", "drover"];

/// A list as the streaming calls give it, an item a message.
pub(crate) type Listed<T> = tokio_stream::Iter<std::vec::IntoIter<Result<T, Status>>>;

/// Whether the kernel can give pods users of their own, with volumes to match: since 6.3 for all usual file systems.
fn maps_users() -> bool {
    let release = rustix::system::uname();
    let release = release.release().to_string_lossy();
    let mut numbers = release.split(['.', '-']).map_while(|n| n.parse::<u32>().ok());
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let allowed = std::fs::read_to_string("/proc/sys/user/max_user_namespaces").is_ok_and(|n| n.trim() != "0");
    version >= (6, 3) && allowed
}

pub(super) fn listed<I, T>(items: Vec<I>, message: impl Fn(Vec<I>) -> T) -> Answer<Listed<T>> {
    let messages: Vec<_> = items.into_iter().map(|item| Ok(message(vec![item]))).collect();
    ok(tokio_stream::iter(messages))
}

#[expect(clippy::unnecessary_wraps, reason = "the last word of handlers that can fail")]
fn ok<T>(answer: T) -> Answer<T> {
    Ok(Response::new(answer))
}

fn unsupported<T>(what: &str) -> Answer<T> {
    Err(Status::unimplemented(format!("{what} is not supported")))
}

fn given<T>(value: Option<T>, what: &str) -> Result<T, Status> {
    value.ok_or_else(|| Status::invalid_argument(format!("the request has no {what}")))
}

/// Seconds of a request; zero and less are none.
fn seconds(n: i64) -> Option<Duration> {
    u64::try_from(n).ok().filter(|n| *n > 0).map(Duration::from_secs)
}

#[tonic::async_trait]
impl RuntimeService for Service {
    async fn version(&self, _request: Request<VersionRequest>) -> Answer<VersionResponse> {
        ok(VersionResponse {
            version: "0.1.0".into(),
            runtime_name: "drover".into(),
            runtime_version: env!("CARGO_PKG_VERSION").into(),
            runtime_api_version: "v1".into(),
        })
    }

    async fn run_pod_sandbox(&self, request: Request<RunPodSandboxRequest>) -> Answer<RunPodSandboxResponse> {
        let request = request.into_inner();
        if !HANDLERS.contains(&request.runtime_handler.as_str()) {
            let text = format!("no runtime handler {:?} on this node", request.runtime_handler);
            return Err(Status::not_found(text));
        }
        let config = given(request.config, "sandbox configuration")?;
        let pods = self.pods.clone();
        let run = async move { pods.run_sandbox(config, &request.runtime_handler).await };
        ok(RunPodSandboxResponse { pod_sandbox_id: self.pods.whole(run).await? })
    }

    async fn stop_pod_sandbox(&self, request: Request<StopPodSandboxRequest>) -> Answer<StopPodSandboxResponse> {
        self.pods.stop_sandbox(&request.into_inner().pod_sandbox_id).await?;
        ok(StopPodSandboxResponse {})
    }

    async fn remove_pod_sandbox(&self, request: Request<RemovePodSandboxRequest>) -> Answer<RemovePodSandboxResponse> {
        self.pods.remove_sandbox(&request.into_inner().pod_sandbox_id).await?;
        ok(RemovePodSandboxResponse {})
    }

    async fn pod_sandbox_status(&self, request: Request<PodSandboxStatusRequest>) -> Answer<PodSandboxStatusResponse> {
        let request = request.into_inner();
        let sandbox = self.pods.sandbox(&request.pod_sandbox_id)?;
        let containers = self.pods.containers_of(&sandbox.record.id);
        ok(PodSandboxStatusResponse {
            status: Some(convert::sandbox_status(&sandbox)),
            info: if request.verbose { convert::sandbox_info(&sandbox) } else { HashMap::new() },
            containers_statuses: containers.iter().map(|c| convert::container_status(c)).collect(),
            timestamp: now_ns(),
        })
    }

    async fn list_pod_sandbox(&self, request: Request<ListPodSandboxRequest>) -> Answer<ListPodSandboxResponse> {
        let filter = request.into_inner().filter.unwrap_or_default();
        // Before anything is copied: an agent asks for each pod alone, again and again.
        let wanted = |s: &&Arc<Sandbox>| {
            (filter.id.is_empty() || s.record.id.starts_with(&filter.id))
                && selected(&filter.label_selector, &s.config.labels)
        };
        let sandboxes = self.pods.sandboxes();
        let items = sandboxes.iter().filter(wanted).map(|s| convert::sandbox_item(s));
        let in_state = |item: &PodSandbox| filter.state.is_none_or(|s| s.state == item.state);
        ok(ListPodSandboxResponse { items: items.filter(in_state).collect() })
    }

    async fn create_container(&self, request: Request<CreateContainerRequest>) -> Answer<CreateContainerResponse> {
        let request = request.into_inner();
        let config = given(request.config, "container configuration")?;
        let pods = self.pods.clone();
        let create = async move { pods.create_container(&request.pod_sandbox_id, config).await };
        ok(CreateContainerResponse { container_id: self.pods.whole(create).await? })
    }

    async fn start_container(&self, request: Request<StartContainerRequest>) -> Answer<StartContainerResponse> {
        let (pods, id) = (self.pods.clone(), request.into_inner().container_id);
        self.pods.whole(async move { pods.start_container(&id).await }).await?;
        ok(StartContainerResponse {})
    }

    async fn stop_container(&self, request: Request<StopContainerRequest>) -> Answer<StopContainerResponse> {
        let request = request.into_inner();
        self.pods.stop_container(&request.container_id, seconds(request.timeout).unwrap_or_default()).await?;
        ok(StopContainerResponse {})
    }

    async fn remove_container(&self, request: Request<RemoveContainerRequest>) -> Answer<RemoveContainerResponse> {
        self.pods.remove_container(&request.into_inner().container_id).await?;
        ok(RemoveContainerResponse {})
    }

    async fn list_containers(&self, request: Request<ListContainersRequest>) -> Answer<ListContainersResponse> {
        let filter = request.into_inner().filter.unwrap_or_default();
        let wanted = |c: &&Arc<pods::Container>| {
            (filter.id.is_empty() || c.record.id.starts_with(&filter.id))
                && (filter.pod_sandbox_id.is_empty() || c.record.sandbox.starts_with(&filter.pod_sandbox_id))
                && selected(&filter.label_selector, &c.config.lock().labels)
        };
        let containers = self.pods.containers();
        let items = containers.iter().filter(wanted).map(|c| convert::container_item(c));
        let in_state = |item: &Container| filter.state.is_none_or(|s| s.state == item.state);
        ok(ListContainersResponse { containers: items.filter(in_state).collect() })
    }

    async fn container_status(&self, request: Request<ContainerStatusRequest>) -> Answer<ContainerStatusResponse> {
        let request = request.into_inner();
        let container = self.pods.container(&request.container_id)?;
        let info = if request.verbose { convert::container_info(&container) } else { HashMap::new() };
        ok(ContainerStatusResponse { status: Some(convert::container_status(&container)), info })
    }

    async fn update_container_resources(
        &self,
        request: Request<UpdateContainerResourcesRequest>,
    ) -> Answer<UpdateContainerResourcesResponse> {
        let request = request.into_inner();
        let linux = given(request.linux, "resources")?;
        self.pods.update_container(&request.container_id, &linux)?;
        ok(UpdateContainerResourcesResponse {})
    }

    async fn reopen_container_log(
        &self,
        request: Request<ReopenContainerLogRequest>,
    ) -> Answer<ReopenContainerLogResponse> {
        self.pods.reopen_log(&request.into_inner().container_id).await?;
        ok(ReopenContainerLogResponse {})
    }

    async fn exec_sync(&self, request: Request<ExecSyncRequest>) -> Answer<ExecSyncResponse> {
        let request = request.into_inner();
        let output = self.pods.exec_sync(&request.container_id, request.cmd, seconds(request.timeout)).await?;
        // k8s: kubelet takes DeadlineExceeded for a probe that took too long
        let timeout = || Status::deadline_exceeded(format!("command timed out after {} s", request.timeout));
        let output = output.ok_or_else(timeout)?;
        ok(ExecSyncResponse { stdout: output.stdout, stderr: output.stderr, exit_code: output.code })
    }

    async fn exec(&self, request: Request<ExecRequest>) -> Answer<ExecResponse> {
        let request = request.into_inner();
        let container = self.running(&request.container_id)?;
        let streams = streams(request.stdin, request.stdout, request.stderr, request.tty)?;
        if request.cmd.is_empty() {
            return Err(Status::invalid_argument("the request names no command"));
        }
        let url = self.url(Session::Exec { container, args: request.cmd, streams })?;
        ok(ExecResponse { url })
    }

    async fn attach(&self, request: Request<AttachRequest>) -> Answer<AttachResponse> {
        let request = request.into_inner();
        let container = self.running(&request.container_id)?;
        let streams = streams(request.stdin, request.stdout, request.stderr, request.tty)?;
        let url = self.url(Session::Attach { container, streams })?;
        ok(AttachResponse { url })
    }

    async fn port_forward(&self, request: Request<PortForwardRequest>) -> Answer<PortForwardResponse> {
        let request = request.into_inner();
        let sandbox = self.pods.sandbox(&request.pod_sandbox_id)?;
        sandbox.link()?;
        let port = |n: i32| u16::try_from(n).map_err(|_| Status::invalid_argument(format!("port {n} is out of range")));
        let ports = request.port.into_iter().map(port).collect::<Result<_, _>>()?;
        let url = self.url(Session::Forward { sandbox: sandbox.record.id.clone(), ports })?;
        ok(PortForwardResponse { url })
    }

    async fn container_stats(&self, request: Request<ContainerStatsRequest>) -> Answer<ContainerStatsResponse> {
        let container = self.pods.container(&request.into_inner().container_id)?;
        ok(ContainerStatsResponse { stats: Some(self.pods.container_stats(&container)) })
    }

    async fn list_container_stats(
        &self,
        request: Request<ListContainerStatsRequest>,
    ) -> Answer<ListContainerStatsResponse> {
        let filter = request.into_inner().filter.unwrap_or_default();
        let pods = self.pods.clone();
        let stats = move || {
            let containers = pods.containers();
            let wanted = containers.iter().filter(|c| {
                c.is_running()
                    && (filter.id.is_empty() || c.record.id.starts_with(&filter.id))
                    && (filter.pod_sandbox_id.is_empty() || c.record.sandbox.starts_with(&filter.pod_sandbox_id))
                    && selected(&filter.label_selector, &c.config.lock().labels)
            });
            wanted.map(|c| pods.container_stats(c)).collect()
        };
        let stats = tokio::task::spawn_blocking(stats).await.map_err(|e| Status::internal(e.to_string()))?;
        ok(ListContainerStatsResponse { stats })
    }

    async fn pod_sandbox_stats(&self, request: Request<PodSandboxStatsRequest>) -> Answer<PodSandboxStatsResponse> {
        let sandbox = self.pods.sandbox(&request.into_inner().pod_sandbox_id)?;
        ok(PodSandboxStatsResponse { stats: Some(self.pods.sandbox_stats(&sandbox)) })
    }

    async fn list_pod_sandbox_stats(
        &self,
        request: Request<ListPodSandboxStatsRequest>,
    ) -> Answer<ListPodSandboxStatsResponse> {
        let filter = request.into_inner().filter.unwrap_or_default();
        let pods = self.pods.clone();
        let stats = move || {
            let sandboxes = pods.sandboxes();
            let wanted = sandboxes.iter().filter(|s| {
                s.is_ready()
                    && (filter.id.is_empty() || s.record.id.starts_with(&filter.id))
                    && selected(&filter.label_selector, &s.config.labels)
            });
            wanted.map(|s| pods.sandbox_stats(s)).collect()
        };
        let stats = tokio::task::spawn_blocking(stats).await.map_err(|e| Status::internal(e.to_string()))?;
        ok(ListPodSandboxStatsResponse { stats })
    }

    async fn update_runtime_config(
        &self,
        request: Request<UpdateRuntimeConfigRequest>,
    ) -> Answer<UpdateRuntimeConfigResponse> {
        let network = request.into_inner().runtime_config.and_then(|c| c.network_config).unwrap_or_default();
        if !network.pod_cidr.is_empty() {
            self.pods.network.name_cidr(&network.pod_cidr).await.map_err(pods::PodError::from)?;
        }
        ok(UpdateRuntimeConfigResponse {})
    }

    async fn status(&self, request: Request<StatusRequest>) -> Answer<StatusResponse> {
        let condition = |kind: &str, status: bool, reason: &str, message: &str| RuntimeCondition {
            r#type: kind.into(),
            status,
            reason: if status { String::new() } else { reason.into() },
            message: if status { String::new() } else { message.into() },
        };
        // Clients ask for this now and then, so that pods that run get their bridge back too.
        let mended = self.pods.network.mend().await;
        let lost = mended.as_ref().err().map(|error| crate::init::error_chain(error));
        let lost = lost.or_else(|| self.pods.network.unready().map(|error| crate::init::error_chain(&error)));
        let network = lost.is_none();
        let why = lost.as_deref().unwrap_or_default();
        let mut info = HashMap::new();
        if request.into_inner().verbose {
            info.insert("podCIDR".into(), format!("{:?}", self.pods.network.cidr()));
        }
        let handler = |name: &str| RuntimeHandler {
            name: name.into(),
            features: Some(RuntimeHandlerFeatures { recursive_read_only_mounts: true, user_namespaces: maps_users() }),
        };
        ok(StatusResponse {
            status: Some(RuntimeStatus {
                conditions: vec![
                    condition("RuntimeReady", true, "", ""),
                    condition("NetworkReady", network, "NetworkPluginNotReady", why),
                ],
            }),
            info,
            runtime_handlers: HANDLERS.map(handler).to_vec(),
            features: Some(RuntimeFeatures { supplemental_groups_policy: true, user_namespaces_host_network: false }),
        })
    }

    async fn checkpoint_container(
        &self,
        _request: Request<CheckpointContainerRequest>,
    ) -> Answer<CheckpointContainerResponse> {
        unsupported("checkpointing")
    }

    type GetContainerEventsStream = Pin<Box<dyn Stream<Item = Result<ContainerEventResponse, Status>> + Send>>;

    async fn get_container_events(
        &self,
        _request: Request<GetEventsRequest>,
    ) -> Answer<Self::GetContainerEventsStream> {
        let events = BroadcastStream::new(self.pods.subscribe())
            .map(|event| event.map_err(|lagged| Status::data_loss(format!("{lagged}; list and subscribe again"))));
        let drained = self.drain.clone().cancelled_owned();
        Ok(Response::new(Box::pin(futures::StreamExt::take_until(events, drained))))
    }

    async fn list_metric_descriptors(
        &self,
        _request: Request<ListMetricDescriptorsRequest>,
    ) -> Answer<ListMetricDescriptorsResponse> {
        ok(ListMetricDescriptorsResponse { descriptors: metrics::descriptors() })
    }

    async fn list_pod_sandbox_metrics(
        &self,
        _request: Request<ListPodSandboxMetricsRequest>,
    ) -> Answer<ListPodSandboxMetricsResponse> {
        let pods = self.pods.clone();
        let read = move || {
            let ready = pods.sandboxes().into_iter().filter(|s| s.is_ready());
            ready.map(|s| metrics::of_pod(&pods.sandbox_stats(&s))).collect()
        };
        let pod_metrics = tokio::task::spawn_blocking(read).await.map_err(|e| Status::internal(e.to_string()))?;
        ok(ListPodSandboxMetricsResponse { pod_metrics })
    }

    async fn runtime_config(&self, _request: Request<RuntimeConfigRequest>) -> Answer<RuntimeConfigResponse> {
        let linux = LinuxRuntimeConfiguration { cgroup_driver: CgroupDriver::Cgroupfs as i32 };
        ok(RuntimeConfigResponse { linux: Some(linux) })
    }

    async fn update_pod_sandbox_resources(
        &self,
        request: Request<UpdatePodSandboxResourcesRequest>,
    ) -> Answer<UpdatePodSandboxResourcesResponse> {
        let request = request.into_inner();
        self.pods.update_sandbox(&request.pod_sandbox_id, &request.resources.unwrap_or_default())?;
        ok(UpdatePodSandboxResourcesResponse {})
    }

    type StreamPodSandboxesStream = Listed<StreamPodSandboxesResponse>;

    async fn stream_pod_sandboxes(
        &self,
        request: Request<StreamPodSandboxesRequest>,
    ) -> Answer<Self::StreamPodSandboxesStream> {
        let request = ListPodSandboxRequest { filter: request.into_inner().filter };
        let found = self.list_pod_sandbox(Request::new(request)).await?.into_inner().items;
        listed(found, |pod_sandboxes| StreamPodSandboxesResponse { pod_sandboxes })
    }

    type StreamContainersStream = Listed<StreamContainersResponse>;

    async fn stream_containers(
        &self,
        request: Request<StreamContainersRequest>,
    ) -> Answer<Self::StreamContainersStream> {
        let request = ListContainersRequest { filter: request.into_inner().filter };
        let found = self.list_containers(Request::new(request)).await?.into_inner().containers;
        listed(found, |containers| StreamContainersResponse { containers })
    }

    type StreamContainerStatsStream = Listed<StreamContainerStatsResponse>;

    async fn stream_container_stats(
        &self,
        request: Request<StreamContainerStatsRequest>,
    ) -> Answer<Self::StreamContainerStatsStream> {
        let request = ListContainerStatsRequest { filter: request.into_inner().filter };
        let found = self.list_container_stats(Request::new(request)).await?.into_inner().stats;
        listed(found, |container_stats| StreamContainerStatsResponse { container_stats })
    }

    type StreamPodSandboxStatsStream = Listed<StreamPodSandboxStatsResponse>;

    async fn stream_pod_sandbox_stats(
        &self,
        request: Request<StreamPodSandboxStatsRequest>,
    ) -> Answer<Self::StreamPodSandboxStatsStream> {
        let request = ListPodSandboxStatsRequest { filter: request.into_inner().filter };
        let found = self.list_pod_sandbox_stats(Request::new(request)).await?.into_inner().stats;
        listed(found, |pod_sandbox_stats| StreamPodSandboxStatsResponse { pod_sandbox_stats })
    }

    type StreamPodSandboxMetricsStream = Listed<StreamPodSandboxMetricsResponse>;

    async fn stream_pod_sandbox_metrics(
        &self,
        _request: Request<StreamPodSandboxMetricsRequest>,
    ) -> Answer<Self::StreamPodSandboxMetricsStream> {
        let request = Request::new(ListPodSandboxMetricsRequest {});
        let found = self.list_pod_sandbox_metrics(request).await?.into_inner().pod_metrics;
        listed(found, |pod_sandbox_metrics| StreamPodSandboxMetricsResponse { pod_sandbox_metrics })
    }
}
