//! A client of a runtime's socket: the calls that are measured, in short words.

use crate::station::{IMAGE, Inside};
use anyhow::{Context, Result, bail};
use hyper_util::rt::TokioIo;
use proto::cri::runtime_service_client::RuntimeServiceClient;
use proto::cri::security_profile::ProfileType;
use proto::cri::{
    Capability, ContainerConfig, ContainerEventResponse, ContainerEventType, ContainerMetadata, CreateContainerRequest,
    GetEventsRequest, ImageSpec, LinuxContainerConfig, LinuxContainerResources, LinuxContainerSecurityContext,
    LinuxPodSandboxConfig, LinuxSandboxSecurityContext, Mount, NamespaceMode, NamespaceOption, PodSandboxConfig,
    PodSandboxMetadata, RemoveContainerRequest, RemovePodSandboxRequest, RunPodSandboxRequest, SecurityProfile,
    StartContainerRequest,
};
use std::path::Path;
use tokio::net::UnixStream;
use tonic::Streaming;
use tonic::transport::{Channel, Endpoint};

pub(crate) struct Cri {
    runtime: RuntimeServiceClient<Channel>,
    events: Streaming<ContainerEventResponse>,
}

impl Cri {
    pub(crate) async fn connect(socket: &Path) -> Result<Self> {
        let path = socket.to_owned();
        let dial = tower::service_fn(move |_| {
            let path = path.clone();
            async move { UnixStream::connect(path).await.map(TokioIo::new) }
        });
        let channel = Endpoint::from_static("http://runtime.invalid").connect_with_connector(dial).await?;
        let mut runtime = RuntimeServiceClient::new(channel);
        let events = runtime.get_container_events(GetEventsRequest {}).await?.into_inner();
        Ok(Self { runtime, events })
    }

    pub(crate) async fn run_pod(&mut self, pod: &PodSandboxConfig) -> Result<String> {
        let request = RunPodSandboxRequest { config: Some(pod.clone()), runtime_handler: String::new() };
        Ok(self.runtime.run_pod_sandbox(request).await?.into_inner().pod_sandbox_id)
    }

    pub(crate) async fn create(
        &mut self,
        sandbox: &str,
        pod: &PodSandboxConfig,
        config: ContainerConfig,
    ) -> Result<String> {
        let request = CreateContainerRequest {
            pod_sandbox_id: sandbox.to_owned(),
            config: Some(config),
            sandbox_config: Some(pod.clone()),
        };
        Ok(self.runtime.create_container(request).await?.into_inner().container_id)
    }

    pub(crate) async fn start(&mut self, container: &str) -> Result<()> {
        self.runtime.start_container(StartContainerRequest { container_id: container.to_owned() }).await?;
        Ok(())
    }

    /// Waits until a container has ended.
    pub(crate) async fn ended(&mut self, container: &str) -> Result<()> {
        while let Some(event) = self.events.message().await? {
            if event.container_id == container
                && event.container_event_type() == ContainerEventType::ContainerStoppedEvent
            {
                let code = event.containers_statuses.iter().find(|c| c.id == container).map(|c| c.exit_code);
                return if code == Some(0) { Ok(()) } else { bail!("{container} ended with {code:?}") };
            }
        }
        bail!("the runtime tells no events any more")
    }

    pub(crate) async fn remove(&mut self, container: &str) -> Result<()> {
        self.runtime.remove_container(RemoveContainerRequest { container_id: container.to_owned() }).await?;
        Ok(())
    }

    pub(crate) async fn remove_pod(&mut self, sandbox: &str) -> Result<()> {
        self.runtime.remove_pod_sandbox(RemovePodSandboxRequest { pod_sandbox_id: sandbox.to_owned() }).await?;
        Ok(())
    }
}

fn namespaces() -> NamespaceOption {
    NamespaceOption { pid: NamespaceMode::Container as i32, ..NamespaceOption::default() }
}

/// A pod with network, IPC and host name of its own.
pub(crate) fn pod(station: &Inside, name: &str) -> PodSandboxConfig {
    let context = LinuxSandboxSecurityContext { namespace_options: Some(namespaces()), ..Default::default() };
    PodSandboxConfig {
        metadata: Some(PodSandboxMetadata {
            name: name.to_owned(),
            uid: name.to_owned(),
            namespace: "default".to_owned(),
            attempt: 0,
        }),
        hostname: name.to_owned(),
        log_directory: station.folder.join("logs").join(name).display().to_string(),
        linux: Some(LinuxPodSandboxConfig { security_context: Some(context), ..Default::default() }),
        ..PodSandboxConfig::default()
    }
}

/// A container with the limits, the filter and the masks of [`crate::bundle`].
pub(crate) fn container(station: &Inside, command: &[&str], mounts: Vec<Mount>) -> Result<ContainerConfig> {
    let owned = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    let limits = &crate::bundle::LIMITS;
    let resources = LinuxContainerResources {
        cpu_shares: limits.cpu_shares,
        cpu_quota: limits.cpu_quota,
        cpu_period: limits.cpu_period,
        memory_limit_in_bytes: limits.memory_bytes,
        unified: [("pids.max".to_owned(), limits.pids.to_string())].into(),
        ..LinuxContainerResources::default()
    };
    let profile = station.profile.to_str().context("the profile's path")?.to_owned();
    let seccomp = SecurityProfile { profile_type: ProfileType::Localhost as i32, localhost_ref: profile };
    let context = LinuxContainerSecurityContext {
        namespace_options: Some(namespaces()),
        capabilities: Some(Capability::default()),
        no_new_privs: true,
        seccomp: Some(seccomp),
        masked_paths: owned(&crate::bundle::MASKED),
        readonly_paths: owned(&crate::bundle::READ_ONLY),
        ..LinuxContainerSecurityContext::default()
    };
    Ok(ContainerConfig {
        metadata: Some(ContainerMetadata { name: "main".to_owned(), attempt: 0 }),
        image: Some(ImageSpec { image: IMAGE.to_owned(), ..ImageSpec::default() }),
        command: owned(command),
        mounts,
        log_path: "main.log".to_owned(),
        linux: Some(LinuxContainerConfig { resources: Some(resources), security_context: Some(context) }),
        ..ContainerConfig::default()
    })
}
