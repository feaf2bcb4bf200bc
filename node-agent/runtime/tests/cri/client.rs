//! A node with a runtime in it, and short words for what tests ask of it.

use crate::image::{BUSYBOX, busybox};
use hyper_util::rt::TokioIo;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use proto::cri::image_service_client::ImageServiceClient;
use proto::cri::runtime_service_client::RuntimeServiceClient;
use proto::cri::*;
use proto::drover::image_build_client::ImageBuildClient;
use proto::drover::image_import_client::ImageImportClient;
use proto::drover::image_keep_client::ImageKeepClient;
use proto::drover::{ImportChunk, ImportResponse};
use runtime::{AtEnd, Config, Masquerade, NetConfig};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};

/// The subtree of cgroups that this run of the tests uses. Others may run at the same time.
pub(crate) fn cgroup() -> String {
    format!("/drover-runtime-test-{}", std::process::id())
}

/// Moves this process, which has one thread, off the host's mounts and network.
pub(crate) fn enter_namespaces() {
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET).expect("tests of the runtime run as root");
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_PRIVATE | MsFlags::MS_REC, None::<&str>).unwrap();
    assert!(Command::new("ip").args(["link", "set", "lo", "up"]).status().unwrap().success());
    // What is above a pod's cgroup belongs to the node.
    for tree in cgroup_trees() {
        std::fs::create_dir_all(tree.join("kubepods")).unwrap();
    }
}

fn cgroup_trees() -> Vec<PathBuf> {
    let own = cgroup();
    let below = own.trim_start_matches('/');
    let trees = ["cpu", "cpuacct", "memory", "pids", "devices", "cpuset"]
        .map(|name| PathBuf::from("/sys/fs/cgroup").join(name));
    let trees: Vec<PathBuf> = trees.into_iter().filter(|tree| tree.join("cgroup.procs").exists()).collect();
    let trees = if trees.is_empty() { vec![PathBuf::from("/sys/fs/cgroup")] } else { trees };
    trees.into_iter().map(|tree| tree.join(below)).collect()
}

/// The folders of a pod's cgroup.
pub(crate) fn cgroups_of(pod: &str) -> Vec<PathBuf> {
    cgroup_trees().into_iter().map(|tree| tree.join("kubepods").join(pod)).collect()
}

/// Takes the tests' own cgroups away.
pub(crate) fn leave_cgroups() -> std::io::Result<()> {
    cgroup_trees().iter().try_for_each(|tree| leave_cgroup(tree))
}

fn leave_cgroup(folder: &std::path::Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            leave_cgroup(&entry.path())?;
        }
    }
    std::fs::remove_dir(folder)
}

pub(crate) struct Node {
    pub(crate) folder: TempDir,
    /// What the runtime is told of the range of its pods; the tests name one anyway where this is none.
    own_range: Option<String>,
    drain: CancellationToken,
    server: Option<JoinHandle<Result<(), runtime::Error>>>,
    pub(crate) runtime: RuntimeServiceClient<Channel>,
    pub(crate) images: ImageServiceClient<Channel>,
    pub(crate) import: ImageImportClient<Channel>,
    pub(crate) keep: ImageKeepClient<Channel>,
    pub(crate) build: ImageBuildClient<Channel>,
}

async fn connect(socket: PathBuf) -> Channel {
    let connector = tower::service_fn(move |_| {
        let socket = socket.clone();
        async move { Ok::<_, std::io::Error>(TokioIo::new(tokio::net::UnixStream::connect(socket).await?)) }
    });
    loop {
        let tried = Endpoint::from_static("http://runtime").connect_with_connector(connector.clone()).await;
        match tried {
            Ok(channel) => return channel,
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

fn serve(
    folder: &std::path::Path,
    own_range: Option<String>,
    at_end: AtEnd,
    drain: CancellationToken,
) -> JoinHandle<Result<(), runtime::Error>> {
    let config = Config {
        root: folder.join("runtime"),
        socket: folder.join("run/cri.sock"),
        cgroup_root: cgroup(),
        cdi: ["cdi/etc", "cdi/run"].map(|name| folder.join(name)).to_vec(),
        net: NetConfig {
            bridge: "drovertest0".into(),
            no_masquerade: vec!["10.88.0.0/16".into()],
            masquerade: Masquerade::On,
            mtu: 1500,
            own_range,
            cni: None,
        },
        mirrors: Vec::new(),
        supervisor: None,
        at_end,
    };
    #[expect(clippy::disallowed_methods, reason = "the node owns the handle and joins it")]
    tokio::spawn(runtime::run(config, drain))
}

impl Node {
    pub(crate) async fn new() -> Self {
        let mut node = Self::start(tempfile::tempdir().unwrap()).await;
        node.import(&busybox()).await.unwrap();
        node.set_cidr().await;
        node
    }

    pub(crate) async fn start(folder: TempDir) -> Self {
        Self::start_with(folder, None).await
    }

    async fn start_with(folder: TempDir, own_range: Option<String>) -> Self {
        let drain = CancellationToken::new();
        let server = Some(serve(folder.path(), own_range.clone(), AtEnd::KeepPods, drain.clone()));
        let channel = connect(folder.path().join("run/cri.sock")).await;
        Self {
            folder,
            own_range,
            drain,
            server,
            runtime: RuntimeServiceClient::new(channel.clone()),
            images: ImageServiceClient::new(channel.clone()),
            import: ImageImportClient::new(channel.clone()),
            keep: ImageKeepClient::new(channel.clone()),
            build: ImageBuildClient::new(channel),
        }
    }

    async fn set_cidr(&mut self) {
        self.name_range("10.88.7.0/24").await;
    }

    pub(crate) async fn name_range(&mut self, range: &str) {
        let network_config = Some(NetworkConfig { pod_cidr: range.into() });
        let runtime_config = Some(RuntimeConfig { network_config });
        self.runtime.update_runtime_config(UpdateRuntimeConfigRequest { runtime_config }).await.unwrap();
    }

    /// Ends the server and starts another on the same folder; pods run on.
    pub(crate) async fn restart(mut self) -> Self {
        self.drain.cancel();
        self.server.take().unwrap().await.unwrap().unwrap();
        let mut node = Self::start_with(self.folder, self.own_range.clone()).await;
        if self.own_range.is_none() {
            node.set_cidr().await;
        }
        node
    }

    /// The same with a runtime that has a range of its own for pods.
    pub(crate) async fn restart_with(mut self, own_range: &str) -> Self {
        self.own_range = Some(own_range.to_owned());
        self.restart().await
    }

    /// Ends the server and takes everything down.
    pub(crate) async fn finish(mut self) {
        self.drain.cancel();
        self.server.take().unwrap().await.unwrap().unwrap();
        let drain = CancellationToken::new();
        let server = serve(self.folder.path(), None, AtEnd::RemovePods, drain.clone());
        let channel = connect(self.folder.path().join("run/cri.sock")).await;
        self.runtime = RuntimeServiceClient::new(channel);
        self.set_cidr().await;
        drain.cancel();
        server.await.unwrap().unwrap();
    }

    pub(crate) async fn import(&mut self, archive: &[u8]) -> Result<ImportResponse, tonic::Status> {
        let chunks: Vec<ImportChunk> =
            archive.chunks(64 * 1024).map(|c| ImportChunk { data: c.to_vec().into(), names: Vec::new() }).collect();
        Ok(self.import.import(tokio_stream::iter(chunks)).await?.into_inner())
    }

    pub(crate) fn pod(&self, name: &str) -> PodSandboxConfig {
        PodSandboxConfig {
            metadata: Some(PodSandboxMetadata {
                name: name.into(),
                uid: format!("uid-{name}"),
                namespace: "default".into(),
                attempt: 0,
            }),
            hostname: name.into(),
            log_directory: self.folder.path().join("logs").join(name).display().to_string(),
            linux: Some(LinuxPodSandboxConfig {
                cgroup_parent: format!("/kubepods/pod{name}"),
                security_context: Some(LinuxSandboxSecurityContext {
                    namespace_options: Some(NamespaceOption {
                        pid: NamespaceMode::Container as i32,
                        ..Default::default()
                    }),
                    ..Default::default()
                }),
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    pub(crate) async fn run(&mut self, config: PodSandboxConfig) -> String {
        let request = RunPodSandboxRequest { config: Some(config), ..Default::default() };
        self.runtime.run_pod_sandbox(request).await.unwrap().into_inner().pod_sandbox_id
    }

    pub(crate) async fn create(
        &mut self,
        sandbox: &str,
        pod: &PodSandboxConfig,
        config: ContainerConfig,
    ) -> Result<String, tonic::Status> {
        let request = CreateContainerRequest {
            pod_sandbox_id: sandbox.into(),
            config: Some(config),
            sandbox_config: Some(pod.clone()),
        };
        Ok(self.runtime.create_container(request).await?.into_inner().container_id)
    }

    pub(crate) async fn start_container(&mut self, id: &str) -> Result<(), tonic::Status> {
        self.runtime.start_container(StartContainerRequest { container_id: id.into() }).await.map(drop)
    }

    /// Creates and starts.
    pub(crate) async fn launch(&mut self, sandbox: &str, pod: &PodSandboxConfig, config: ContainerConfig) -> String {
        let id = self.create(sandbox, pod, config).await.unwrap();
        self.start_container(&id).await.unwrap();
        id
    }

    pub(crate) async fn status(&mut self, id: &str) -> ContainerStatus {
        let request = ContainerStatusRequest { container_id: id.into(), verbose: true };
        self.runtime.container_status(request).await.unwrap().into_inner().status.unwrap()
    }

    /// The process of a running container.
    pub(crate) async fn pid(&mut self, id: &str) -> i64 {
        let request = ContainerStatusRequest { container_id: id.into(), verbose: true };
        let info = self.runtime.container_status(request).await.unwrap().into_inner().info;
        let info: serde_json::Value = serde_json::from_str(&info["info"]).unwrap();
        info["running"]["pid"].as_i64().unwrap()
    }

    pub(crate) async fn exited(&mut self, id: &str) -> ContainerStatus {
        for _ in 0..1000 {
            let status = self.status(id).await;
            if status.state() == ContainerState::ContainerExited {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("container {id} does not end");
    }

    pub(crate) async fn exec(&mut self, id: &str, script: &str) -> (i32, String, String) {
        let request = ExecSyncRequest {
            container_id: id.into(),
            cmd: ["sh", "-c", script].map(str::to_owned).to_vec(),
            timeout: 10,
        };
        let out = self.runtime.exec_sync(request).await.unwrap().into_inner();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (out.exit_code, text(out.stdout), text(out.stderr))
    }

    /// Standard output of a script that must succeed.
    pub(crate) async fn sh(&mut self, id: &str, script: &str) -> String {
        let (code, out, err) = self.exec(id, script).await;
        assert_eq!(code, 0, "{script}: {out}{err}");
        out.trim().to_owned()
    }

    pub(crate) async fn remove(&mut self, sandbox: &str) {
        let pod_sandbox_id = sandbox.to_owned();
        let stop = StopPodSandboxRequest { pod_sandbox_id: pod_sandbox_id.clone() };
        self.runtime.stop_pod_sandbox(stop).await.unwrap();
        self.runtime.remove_pod_sandbox(RemovePodSandboxRequest { pod_sandbox_id }).await.unwrap();
    }

    pub(crate) async fn ip(&mut self, sandbox: &str) -> String {
        let request = PodSandboxStatusRequest { pod_sandbox_id: sandbox.into(), verbose: false };
        let status = self.runtime.pod_sandbox_status(request).await.unwrap().into_inner().status.unwrap();
        status.network.unwrap().ip
    }
}

/// A container that runs a shell script.
pub(crate) fn script(name: &str, text: &str) -> ContainerConfig {
    ContainerConfig {
        metadata: Some(ContainerMetadata { name: name.into(), attempt: 0 }),
        image: Some(ImageSpec { image: BUSYBOX.into(), ..Default::default() }),
        command: ["/bin/sh", "-c", text].map(str::to_owned).to_vec(),
        log_path: format!("{name}/0.log"),
        linux: Some(LinuxContainerConfig {
            security_context: Some(LinuxContainerSecurityContext {
                namespace_options: Some(NamespaceOption { pid: NamespaceMode::Container as i32, ..Default::default() }),
                seccomp: Some(SecurityProfile::default()),
                masked_paths: ["/proc/kcore", "/proc/acpi", "/proc/keys", "/sys/firmware"].map(str::to_owned).to_vec(),
                readonly_paths: ["/proc/sys", "/proc/irq", "/proc/bus"].map(str::to_owned).to_vec(),
                ..Default::default()
            }),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// The security settings of a container, to be changed.
pub(crate) fn context(config: &mut ContainerConfig) -> &mut LinuxContainerSecurityContext {
    config.linux.get_or_insert_default().security_context.get_or_insert_default()
}
