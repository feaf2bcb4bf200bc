//! Starting and draining the runtime.

use crate::image::{ImageError, Mirror, Store};
use crate::net::{NetConfig, NetError, Network};
use crate::pods::{PodError, Pods, Spawner};
use crate::service::{Build, Images, Import, Keep, Service};
use crate::stream::Streaming;
use proto::cri::image_service_server::ImageServiceServer;
use proto::cri::runtime_service_server::RuntimeServiceServer;
use proto::drover::image_build_server::ImageBuildServer;
use proto::drover::image_import_server::ImageImportServer;
use proto::drover::image_keep_server::ImageKeepServer;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;
use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Requests that are larger are refused; the largest is a container with a long environment.
const REQUEST_BYTES_MAX: usize = 16 << 20;

/// What becomes of pods when the runtime ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtEnd {
    /// They run on and are found again.
    KeepPods,
    /// They are stopped and removed, and the node's pod network is taken down.
    RemovePods,
}

#[derive(Debug, Clone)]
pub struct Config {
    /// Folder of images and pods.
    pub root: PathBuf,
    /// Where CRI is served.
    pub socket: PathBuf,
    /// Prefix of all cgroup paths that clients ask for; empty for none.
    pub cgroup_root: String,
    /// Folders of files that describe devices (Container Device Interface), the later before the earlier.
    pub cdi: Vec<PathBuf>,
    pub net: NetConfig,
    /// Asked in this order before the registries of images.
    pub mirrors: Vec<Mirror>,
    /// The program that supervisors run, which must call [`crate::supervisor::main`] first: this process's own if none.
    pub supervisor: Option<PathBuf>,
    pub at_end: AtEnd,
}

#[derive(Debug, Error)]
pub enum Error {
    #[error("the runtime must run as root")]
    NotRoot,
    #[error("another runtime serves {0:?}")]
    InUse(PathBuf),
    #[error("cannot {what}")]
    Io { what: String, source: io::Error },
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error(transparent)]
    Net(#[from] NetError),
    #[error("cannot restore pods: {0}")]
    Pods(String),
    #[error("cannot serve CRI")]
    Serve(#[from] tonic::transport::Error),
}

impl From<PodError> for Error {
    fn from(error: PodError) -> Self {
        Self::Pods(crate::init::error_chain(&error))
    }
}

fn doing(what: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
    let what = what.into();
    |source| Error::Io { what, source }
}

/// Serves CRI until drained.
pub async fn run(config: Config, drain: CancellationToken) -> Result<(), Error> {
    if !rustix::process::geteuid().is_root() {
        return Err(Error::NotRoot);
    }
    fs::create_dir_all(&config.root).map_err(doing(format!("make {}", config.root.display())))?;
    fs::set_permissions(&config.root, fs::Permissions::from_mode(0o711))
        .map_err(doing(format!("protect {}", config.root.display())))?;
    let listener = listen(&config.socket).await?;
    let tasks = TaskTracker::new();
    let opening = config.root.join("images-store");
    let store = tokio::task::spawn_blocking(move || Store::open(&opening, config.mirrors)).await;
    let store = Arc::new(store.expect("opening the store does not panic")?);
    let spawner =
        Spawner::new(config.supervisor.as_deref(), &config.root.join("empty"), tasks.clone(), CancellationToken::new())
            .map_err(doing("prepare supervisors"))?;
    spawner.prepare();
    let network = Network::new(config.net.clone(), &config.root);
    let places = (config.cgroup_root.as_str(), config.cdi.clone());
    let pods = Pods::open(&config.root, places, store.clone(), network, spawner, tasks.clone()).await?;
    pods.network.begin().await?;
    let streaming = Streaming::start(pods.clone(), tasks.clone(), drain.clone());
    let streaming = streaming.await.map_err(doing("listen for streams"))?;
    tracing::info!(socket = %config.socket.display(), "runtime serves");
    let runtime = RuntimeServiceServer::new(Service::new(pods.clone(), streaming, drain.clone()));
    let images = ImageServiceServer::new(Images::new(pods.clone()));
    tonic::transport::Server::builder()
        .add_service(runtime.max_decoding_message_size(REQUEST_BYTES_MAX).max_encoding_message_size(usize::MAX))
        .add_service(images.max_decoding_message_size(REQUEST_BYTES_MAX))
        .add_service(ImageImportServer::new(Import::new(store.clone())).max_decoding_message_size(REQUEST_BYTES_MAX))
        .add_service(ImageBuildServer::new(Build::new(pods.clone(), tasks.clone())))
        .add_service(ImageKeepServer::new(Keep::new(store)))
        .serve_with_incoming_shutdown(UnixListenerStream::new(listener), drain.cancelled_owned())
        .await?;
    pods.close(config.at_end).await?;
    tasks.close();
    tasks.wait().await;
    fs::remove_file(&config.socket).map_err(doing("remove the socket"))
}

/// Listens on the socket; a file that nobody answers on is left from a crash.
async fn listen(socket: &Path) -> Result<UnixListener, Error> {
    let doing = || doing(format!("listen on {}", socket.display()));
    if let Some(folder) = socket.parent() {
        fs::create_dir_all(folder).map_err(doing())?;
    }
    if tokio::net::UnixStream::connect(socket).await.is_ok() {
        return Err(Error::InUse(socket.to_owned()));
    }
    if socket.exists() {
        fs::remove_file(socket).map_err(doing())?;
    }
    let listener = UnixListener::bind(socket).map_err(doing())?;
    fs::set_permissions(socket, fs::Permissions::from_mode(0o600)).map_err(doing())?;
    Ok(listener)
}
