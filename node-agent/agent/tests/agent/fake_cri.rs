//! A container runtime without containers: keeps the books that CRI asks for, and fails when it is told to.

use parking_lot::Mutex;
use proto::cri::image_service_server::{ImageService, ImageServiceServer};
use proto::cri::runtime_service_server::{RuntimeService, RuntimeServiceServer};
use proto::cri::*;
use std::collections::BTreeMap;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::sync::{broadcast, watch};
use tokio_stream::wrappers::{BroadcastStream, UnixListenerStream};
use tokio_stream::{Stream, StreamExt};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

type Answer<T> = Result<Response<T>, Status>;
type Listed<T> = tokio_stream::Iter<std::vec::IntoIter<Result<T, Status>>>;

#[derive(Clone, Debug)]
pub(crate) struct Contained {
    pub(crate) sandbox: String,
    pub(crate) config: ContainerConfig,
    pub(crate) state: ContainerState,
    pub(crate) exit_code: i32,
    pub(crate) created: i64,
    pub(crate) finished: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct Pod {
    pub(crate) config: PodSandboxConfig,
    pub(crate) ready: bool,
    pub(crate) created: i64,
}

#[derive(Default)]
pub(crate) struct Books {
    pub(crate) clock: i64,
    pub(crate) pods: BTreeMap<String, Pod>,
    pub(crate) containers: BTreeMap<String, Contained>,
    pub(crate) images: Vec<String>,
    /// `run`, `create a#0`, `start a`, `stop a`, ..
    pub(crate) calls: Vec<String>,
    pub(crate) pod_cidr: String,
    /// Random faults: (state of the generator, one call in so many fails).
    pub(crate) chaos: Option<(u64, u64)>,
    /// What `ExecSync` answers.
    pub(crate) exec_code: i32,
    /// How often containers were listed.
    looks: u64,
}

impl Books {
    fn is_empty(&self) -> bool {
        self.pods.is_empty() && self.containers.is_empty()
    }
}

#[derive(Clone)]
pub(crate) struct FakeCri {
    pub(crate) books: Arc<Mutex<Books>>,
    /// Held by a test, or for a moment by a start.
    starts: Arc<tokio::sync::Mutex<()>>,
    pulls: Arc<tokio::sync::Mutex<()>>,
    events: broadcast::Sender<ContainerEventResponse>,
    /// Something was written into the books.
    written: watch::Sender<()>,
}

/// The agent is told again after this long: it may not have listened the first time.
const TOLD_AGAIN: Duration = Duration::from_millis(50);

impl FakeCri {
    pub(crate) fn new() -> Self {
        let books = Books { images: vec!["web:1".into()], clock: 1_000, ..Books::default() };
        Self {
            books: Arc::new(Mutex::new(books)),
            starts: Arc::default(),
            pulls: Arc::default(),
            events: broadcast::Sender::new(1024),
            written: watch::Sender::new(()),
        }
    }

    pub(crate) async fn serve(self, socket: &Path, drain: CancellationToken) {
        let listener = UnixListener::bind(socket).unwrap();
        let server = tonic::transport::Server::builder()
            .add_service(RuntimeServiceServer::new(self.clone()))
            .add_service(ImageServiceServer::new(self))
            .serve_with_incoming_shutdown(UnixListenerStream::new(listener), drain.cancelled_owned());
        server.await.unwrap();
    }

    /// The process of the newest container of that name ends.
    pub(crate) fn exit(&self, name: &str, code: i32) {
        let mut books = self.books.lock();
        books.clock += 1;
        let now = books.clock;
        let found = books.containers.iter_mut().filter(|(_, c)| c.state == ContainerState::ContainerRunning);
        let (id, container) = found.into_iter().find(|(_, c)| meta(c).name == name).expect("a running container");
        container.state = ContainerState::ContainerExited;
        container.exit_code = code;
        container.finished = now * 1_000_000_000;
        let (id, sandbox) = (id.clone(), container.sandbox.clone());
        drop(books);
        self.tell(&id, &sandbox);
    }

    /// No container starts until what this gives is dropped.
    pub(crate) fn hold_starts(&self) -> tokio::sync::OwnedMutexGuard<()> {
        Arc::clone(&self.starts).try_lock_owned().expect("nothing is being started")
    }

    /// No pull ends until what this gives is dropped.
    pub(crate) fn hold_pulls(&self) -> tokio::sync::OwnedMutexGuard<()> {
        Arc::clone(&self.pulls).try_lock_owned().expect("nothing is being pulled")
    }

    /// Waits until the books are as wanted.
    pub(crate) async fn until(&self, done: impl Fn(&Books) -> bool) {
        let mut written = self.written.subscribe();
        while !done(&self.books.lock()) {
            written.changed().await.unwrap();
        }
    }

    /// Waits until a call has been made so often.
    pub(crate) async fn until_called(&self, call: &str, times: usize) {
        self.until(|books| books.calls.iter().filter(|one| *one == call).count() >= times).await;
    }

    pub(crate) async fn until_empty(&self) {
        self.until(Books::is_empty).await;
    }

    /// Says that something has changed, until the agent has looked and had a moment to think about it.
    pub(crate) async fn be_looked_at(&self) {
        let before = self.books.lock().looks;
        let sandboxes: Vec<String> = self.books.lock().pods.keys().cloned().collect();
        // The second look comes when what was made of the first is done.
        for looks in [before + 1, before + 2] {
            let looked = || self.until(|books| books.looks >= looks);
            sandboxes.iter().for_each(|id| self.tell(id, id));
            while tokio::time::timeout(TOLD_AGAIN, looked()).await.is_err() {
                sandboxes.iter().for_each(|id| self.tell(id, id));
            }
        }
    }

    /// Says that a sandbox has changed, until nothing of any pod is left.
    pub(crate) async fn tell_until_empty(&self, sandbox: &str) {
        self.tell(sandbox, sandbox);
        while tokio::time::timeout(TOLD_AGAIN, self.until_empty()).await.is_err() {
            self.tell(sandbox, sandbox);
        }
    }

    /// A sandbox that was asked for before is ready only now; `tell` says so.
    pub(crate) fn comes_late(&self, pod: Pod) {
        self.books.lock().pods.insert("late".to_owned(), pod);
    }

    pub(crate) fn break_sandbox(&self) {
        let mut books = self.books.lock();
        let id = books.pods.iter_mut().find(|(_, p)| p.ready).map(|(id, p)| {
            p.ready = false;
            id.clone()
        });
        drop(books);
        let id = id.unwrap();
        self.tell(&id, &id);
    }

    pub(crate) fn calls(&self) -> Vec<String> {
        self.books.lock().calls.clone()
    }

    /// Nothing of any pod is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.books.lock().is_empty()
    }

    pub(crate) fn tell(&self, id: &str, sandbox: &str) {
        let status = self.books.lock().pods.get(sandbox).map(|p| pod_status(sandbox, p));
        // Nobody listens before the agent is up.
        drop(self.events.send(ContainerEventResponse {
            container_id: id.to_owned(),
            pod_sandbox_status: status,
            ..ContainerEventResponse::default()
        }));
    }

    /// Notes the call; fails it when chaos says so. Starts and pulls are spared: their back-off is ten real seconds.
    fn call(&self, text: String) -> Result<(), Status> {
        let mut books = self.books.lock();
        books.clock += 1;
        let spared = text.starts_with("start") || text.starts_with("pull");
        books.calls.push(text);
        self.written.send_replace(());
        if let Some((state, one_in)) = books.chaos.as_mut().filter(|_| !spared) {
            *state ^= *state << 13;
            *state ^= *state >> 7;
            *state ^= *state << 17;
            if state.is_multiple_of(*one_in) {
                return Err(Status::unavailable("chaos"));
            }
        }
        Ok(())
    }
}

fn meta(c: &Contained) -> ContainerMetadata {
    c.config.metadata.clone().unwrap()
}

fn pod_status(id: &str, pod: &Pod) -> PodSandboxStatus {
    PodSandboxStatus {
        id: id.to_owned(),
        metadata: pod.config.metadata.clone(),
        state: if pod.ready { PodSandboxState::SandboxReady } else { PodSandboxState::SandboxNotready }.into(),
        created_at: pod.created,
        network: Some(PodSandboxNetworkStatus { ip: "127.0.0.1".into(), additional_ips: Vec::new() }),
        labels: pod.config.labels.clone(),
        ..PodSandboxStatus::default()
    }
}

fn container_status(id: &str, c: &Contained) -> ContainerStatus {
    ContainerStatus {
        id: id.to_owned(),
        metadata: c.config.metadata.clone(),
        state: c.state.into(),
        created_at: c.created,
        started_at: if c.state == ContainerState::ContainerCreated { 0 } else { c.created },
        finished_at: c.finished,
        exit_code: c.exit_code,
        image: c.config.image.clone(),
        image_ref: "sha256:1".into(),
        labels: c.config.labels.clone(),
        annotations: c.config.annotations.clone(),
        ..ContainerStatus::default()
    }
}

fn labelled(
    wanted: &std::collections::HashMap<String, String>,
    has: &std::collections::HashMap<String, String>,
) -> bool {
    wanted.iter().all(|(k, v)| has.get(k) == Some(v))
}

fn missing<T>() -> Answer<T> {
    Err(Status::unimplemented("not in the fake"))
}

#[tonic::async_trait]
impl RuntimeService for FakeCri {
    async fn version(&self, _: Request<VersionRequest>) -> Answer<VersionResponse> {
        let (runtime_name, runtime_version) = ("fake".to_owned(), "1".to_owned());
        Ok(Response::new(VersionResponse {
            version: "0.1.0".into(),
            runtime_name,
            runtime_version,
            runtime_api_version: "v1".into(),
        }))
    }

    async fn run_pod_sandbox(&self, request: Request<RunPodSandboxRequest>) -> Answer<RunPodSandboxResponse> {
        let request = request.into_inner();
        let handler = request.runtime_handler;
        self.call(if handler.is_empty() { "run".to_owned() } else { format!("run {handler}") })?;
        let config = request.config.unwrap();
        let mut books = self.books.lock();
        let created = books.clock * 1_000_000_000;
        let id = format!("s{}", books.clock);
        books.pods.insert(id.clone(), Pod { config, ready: true, created });
        drop(books);
        self.tell(&id, &id);
        Ok(Response::new(RunPodSandboxResponse { pod_sandbox_id: id }))
    }

    async fn stop_pod_sandbox(&self, request: Request<StopPodSandboxRequest>) -> Answer<StopPodSandboxResponse> {
        self.call("stop-sandbox".to_owned())?;
        let id = request.into_inner().pod_sandbox_id;
        let mut books = self.books.lock();
        if let Some(pod) = books.pods.get_mut(&id) {
            pod.ready = false;
        }
        for container in
            books.containers.values_mut().filter(|c| c.sandbox == id && c.state == ContainerState::ContainerRunning)
        {
            container.state = ContainerState::ContainerExited;
            container.exit_code = 137;
        }
        drop(books);
        self.tell(&id, &id);
        Ok(Response::new(StopPodSandboxResponse {}))
    }

    async fn remove_pod_sandbox(&self, request: Request<RemovePodSandboxRequest>) -> Answer<RemovePodSandboxResponse> {
        self.call("remove-sandbox".to_owned())?;
        let id = request.into_inner().pod_sandbox_id;
        let mut books = self.books.lock();
        books.pods.remove(&id);
        books.containers.retain(|_, c| c.sandbox != id);
        self.written.send_replace(());
        Ok(Response::new(RemovePodSandboxResponse {}))
    }

    async fn pod_sandbox_status(&self, request: Request<PodSandboxStatusRequest>) -> Answer<PodSandboxStatusResponse> {
        let id = request.into_inner().pod_sandbox_id;
        let books = self.books.lock();
        let pod = books.pods.get(&id).ok_or_else(|| Status::not_found("no sandbox"))?;
        Ok(Response::new(PodSandboxStatusResponse {
            status: Some(pod_status(&id, pod)),
            ..PodSandboxStatusResponse::default()
        }))
    }

    async fn list_pod_sandbox(&self, request: Request<ListPodSandboxRequest>) -> Answer<ListPodSandboxResponse> {
        let wanted = request.into_inner().filter.unwrap_or_default().label_selector;
        let books = self.books.lock();
        let found = books.pods.iter().filter(|(_, p)| labelled(&wanted, &p.config.labels));
        let items = found.map(|(id, p)| PodSandbox {
            id: id.clone(),
            metadata: p.config.metadata.clone(),
            created_at: p.created,
            labels: p.config.labels.clone(),
            ..PodSandbox::default()
        });
        Ok(Response::new(ListPodSandboxResponse { items: items.collect() }))
    }

    async fn create_container(&self, request: Request<CreateContainerRequest>) -> Answer<CreateContainerResponse> {
        let request = request.into_inner();
        let config = request.config.unwrap();
        let metadata = config.metadata.clone().unwrap();
        self.call(format!("create {}#{}", metadata.name, metadata.attempt))?;
        let mut books = self.books.lock();
        let twice = books.containers.values().any(|c| {
            meta(c).name == metadata.name
                && c.sandbox == request.pod_sandbox_id
                && c.state == ContainerState::ContainerRunning
        });
        assert!(!twice, "{} is created while it runs", metadata.name);
        if !books.pods.get(&request.pod_sandbox_id).is_some_and(|p| p.ready) {
            return Err(Status::failed_precondition("sandbox is not ready"));
        }
        let id = format!("c{}", books.clock);
        let created = books.clock * 1_000_000_000;
        let state = ContainerState::ContainerCreated;
        books.containers.insert(
            id.clone(),
            Contained { sandbox: request.pod_sandbox_id, config, state, exit_code: 0, created, finished: 0 },
        );
        Ok(Response::new(CreateContainerResponse { container_id: id }))
    }

    async fn start_container(&self, request: Request<StartContainerRequest>) -> Answer<StartContainerResponse> {
        let id = request.into_inner().container_id;
        let name = self.books.lock().containers.get(&id).map(|c| meta(c).name).unwrap_or_default();
        self.call(format!("start {name}"))?;
        drop(self.starts.lock().await);
        let mut books = self.books.lock();
        let container = books.containers.get_mut(&id).ok_or_else(|| Status::not_found("no container"))?;
        container.state = ContainerState::ContainerRunning;
        let sandbox = container.sandbox.clone();
        drop(books);
        self.tell(&id, &sandbox);
        Ok(Response::new(StartContainerResponse {}))
    }

    async fn stop_container(&self, request: Request<StopContainerRequest>) -> Answer<StopContainerResponse> {
        let request = request.into_inner();
        let name = self.books.lock().containers.get(&request.container_id).map(|c| meta(c).name).unwrap_or_default();
        self.call(format!("stop {name} {}s", request.timeout))?;
        let mut books = self.books.lock();
        let now = books.clock;
        let container =
            books.containers.get_mut(&request.container_id).ok_or_else(|| Status::not_found("no container"))?;
        if container.state == ContainerState::ContainerRunning {
            container.state = ContainerState::ContainerExited;
            container.exit_code = 143;
            container.finished = now * 1_000_000_000;
        }
        let sandbox = container.sandbox.clone();
        drop(books);
        self.tell(&request.container_id, &sandbox);
        Ok(Response::new(StopContainerResponse {}))
    }

    async fn remove_container(&self, request: Request<RemoveContainerRequest>) -> Answer<RemoveContainerResponse> {
        self.call("remove".to_owned())?;
        self.books.lock().containers.remove(&request.into_inner().container_id);
        self.written.send_replace(());
        Ok(Response::new(RemoveContainerResponse {}))
    }

    async fn list_containers(&self, request: Request<ListContainersRequest>) -> Answer<ListContainersResponse> {
        let wanted = request.into_inner().filter.unwrap_or_default().label_selector;
        let mut books = self.books.lock();
        books.looks += 1;
        self.written.send_replace(());
        let found = books.containers.iter().filter(|(_, c)| labelled(&wanted, &c.config.labels));
        let containers = found.map(|(id, c)| Container {
            id: id.clone(),
            pod_sandbox_id: c.sandbox.clone(),
            metadata: c.config.metadata.clone(),
            state: c.state.into(),
            labels: c.config.labels.clone(),
            ..Container::default()
        });
        Ok(Response::new(ListContainersResponse { containers: containers.collect() }))
    }

    async fn container_status(&self, request: Request<ContainerStatusRequest>) -> Answer<ContainerStatusResponse> {
        let id = request.into_inner().container_id;
        let books = self.books.lock();
        let found = books.containers.get(&id).ok_or_else(|| Status::not_found("no container"))?;
        Ok(Response::new(ContainerStatusResponse {
            status: Some(container_status(&id, found)),
            ..ContainerStatusResponse::default()
        }))
    }

    async fn exec_sync(&self, request: Request<ExecSyncRequest>) -> Answer<ExecSyncResponse> {
        self.call(format!("exec {}", request.into_inner().cmd.join(" ")))?;
        let exit_code = self.books.lock().exec_code;
        Ok(Response::new(ExecSyncResponse { exit_code, ..ExecSyncResponse::default() }))
    }

    async fn update_runtime_config(
        &self,
        request: Request<UpdateRuntimeConfigRequest>,
    ) -> Answer<UpdateRuntimeConfigResponse> {
        let network = request.into_inner().runtime_config.and_then(|c| c.network_config).unwrap();
        self.books.lock().pod_cidr = network.pod_cidr;
        Ok(Response::new(UpdateRuntimeConfigResponse {}))
    }

    async fn status(&self, _: Request<StatusRequest>) -> Answer<StatusResponse> {
        let network = !self.books.lock().pod_cidr.is_empty();
        let condition =
            |kind: &str, status: bool| RuntimeCondition { r#type: kind.into(), status, ..RuntimeCondition::default() };
        let conditions = vec![condition("RuntimeReady", true), condition("NetworkReady", network)];
        Ok(Response::new(StatusResponse { status: Some(RuntimeStatus { conditions }), ..StatusResponse::default() }))
    }

    type GetContainerEventsStream = Pin<Box<dyn Stream<Item = Result<ContainerEventResponse, Status>> + Send>>;

    async fn get_container_events(&self, _: Request<GetEventsRequest>) -> Answer<Self::GetContainerEventsStream> {
        let events = BroadcastStream::new(self.events.subscribe()).map(|e| e.map_err(|_| Status::data_loss("slow")));
        Ok(Response::new(Box::pin(events)))
    }

    async fn update_container_resources(
        &self,
        request: Request<UpdateContainerResourcesRequest>,
    ) -> Answer<UpdateContainerResourcesResponse> {
        let request = request.into_inner();
        let name = self.books.lock().containers.get(&request.container_id).map(|c| meta(c).name).unwrap_or_default();
        self.call(format!("resize {name} {}", request.linux.unwrap_or_default().cpu_shares))?;
        Ok(Response::new(UpdateContainerResourcesResponse {}))
    }
    async fn reopen_container_log(&self, _: Request<ReopenContainerLogRequest>) -> Answer<ReopenContainerLogResponse> {
        missing()
    }
    async fn exec(&self, _: Request<ExecRequest>) -> Answer<ExecResponse> {
        missing()
    }
    async fn attach(&self, _: Request<AttachRequest>) -> Answer<AttachResponse> {
        missing()
    }
    async fn port_forward(&self, _: Request<PortForwardRequest>) -> Answer<PortForwardResponse> {
        missing()
    }
    async fn container_stats(&self, _: Request<ContainerStatsRequest>) -> Answer<ContainerStatsResponse> {
        missing()
    }
    async fn list_container_stats(&self, _: Request<ListContainerStatsRequest>) -> Answer<ListContainerStatsResponse> {
        let books = self.books.lock();
        let one = |(id, c): (&String, &Contained)| {
            let attributes = ContainerAttributes {
                id: id.clone(),
                metadata: c.config.metadata.clone(),
                labels: c.config.labels.clone(),
                ..ContainerAttributes::default()
            };
            let value = |value| Some(UInt64Value { value });
            ContainerStats {
                attributes: Some(attributes),
                cpu: Some(CpuUsage { usage_core_nano_seconds: value(2_500_000_000), ..CpuUsage::default() }),
                memory: Some(MemoryUsage { working_set_bytes: value(4096), ..MemoryUsage::default() }),
                ..ContainerStats::default()
            }
        };
        Ok(Response::new(ListContainerStatsResponse { stats: books.containers.iter().map(one).collect() }))
    }
    async fn pod_sandbox_stats(&self, _: Request<PodSandboxStatsRequest>) -> Answer<PodSandboxStatsResponse> {
        missing()
    }
    async fn list_pod_sandbox_stats(
        &self,
        _: Request<ListPodSandboxStatsRequest>,
    ) -> Answer<ListPodSandboxStatsResponse> {
        missing()
    }
    async fn checkpoint_container(
        &self,
        _: Request<CheckpointContainerRequest>,
    ) -> Answer<CheckpointContainerResponse> {
        missing()
    }
    async fn list_metric_descriptors(
        &self,
        _: Request<ListMetricDescriptorsRequest>,
    ) -> Answer<ListMetricDescriptorsResponse> {
        missing()
    }
    async fn list_pod_sandbox_metrics(
        &self,
        _: Request<ListPodSandboxMetricsRequest>,
    ) -> Answer<ListPodSandboxMetricsResponse> {
        missing()
    }
    async fn runtime_config(&self, _: Request<RuntimeConfigRequest>) -> Answer<RuntimeConfigResponse> {
        missing()
    }
    async fn update_pod_sandbox_resources(
        &self,
        request: Request<UpdatePodSandboxResourcesRequest>,
    ) -> Answer<UpdatePodSandboxResourcesResponse> {
        self.call(format!("resize-sandbox {}", request.into_inner().resources.unwrap_or_default().cpu_shares))?;
        Ok(Response::new(UpdatePodSandboxResourcesResponse {}))
    }

    type StreamPodSandboxesStream = Listed<StreamPodSandboxesResponse>;
    async fn stream_pod_sandboxes(
        &self,
        _: Request<StreamPodSandboxesRequest>,
    ) -> Answer<Self::StreamPodSandboxesStream> {
        missing()
    }
    type StreamContainersStream = Listed<StreamContainersResponse>;
    async fn stream_containers(&self, _: Request<StreamContainersRequest>) -> Answer<Self::StreamContainersStream> {
        missing()
    }
    type StreamContainerStatsStream = Listed<StreamContainerStatsResponse>;
    async fn stream_container_stats(
        &self,
        _: Request<StreamContainerStatsRequest>,
    ) -> Answer<Self::StreamContainerStatsStream> {
        missing()
    }
    type StreamPodSandboxStatsStream = Listed<StreamPodSandboxStatsResponse>;
    async fn stream_pod_sandbox_stats(
        &self,
        _: Request<StreamPodSandboxStatsRequest>,
    ) -> Answer<Self::StreamPodSandboxStatsStream> {
        missing()
    }
    type StreamPodSandboxMetricsStream = Listed<StreamPodSandboxMetricsResponse>;
    async fn stream_pod_sandbox_metrics(
        &self,
        _: Request<StreamPodSandboxMetricsRequest>,
    ) -> Answer<Self::StreamPodSandboxMetricsStream> {
        missing()
    }
}

#[tonic::async_trait]
impl ImageService for FakeCri {
    async fn list_images(&self, _: Request<ListImagesRequest>) -> Answer<ListImagesResponse> {
        Ok(Response::new(ListImagesResponse::default()))
    }

    async fn image_status(&self, request: Request<ImageStatusRequest>) -> Answer<ImageStatusResponse> {
        let wanted = request.into_inner().image.unwrap().image;
        let found = self.books.lock().images.contains(&wanted);
        let image =
            found.then(|| Image { id: format!("sha256:{wanted}"), repo_tags: vec![wanted], ..Image::default() });
        Ok(Response::new(ImageStatusResponse { image, ..ImageStatusResponse::default() }))
    }

    async fn pull_image(&self, request: Request<PullImageRequest>) -> Answer<PullImageResponse> {
        let PullImageRequest { image, auth, .. } = request.into_inner();
        let wanted = image.unwrap().image;
        self.call(format!("pull {wanted}"))?;
        drop(self.pulls.lock().await);
        if wanted.contains("private") && auth.is_none_or(|auth| auth.username != "user") {
            return Err(Status::permission_denied("who are you?"));
        }
        if wanted.contains("missing") {
            return Err(Status::not_found("no such image"));
        }
        self.books.lock().images.push(wanted.clone());
        Ok(Response::new(PullImageResponse { image_ref: format!("sha256:{wanted}") }))
    }

    async fn remove_image(&self, _: Request<RemoveImageRequest>) -> Answer<RemoveImageResponse> {
        missing()
    }

    async fn image_fs_info(&self, _: Request<ImageFsInfoRequest>) -> Answer<ImageFsInfoResponse> {
        missing()
    }

    type StreamImagesStream = Listed<StreamImagesResponse>;
    async fn stream_images(&self, _: Request<StreamImagesRequest>) -> Answer<Self::StreamImagesStream> {
        missing()
    }
}
