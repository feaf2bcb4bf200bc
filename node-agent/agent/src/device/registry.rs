//! Where plugins make themselves known: a socket in the folder in which they put their own.

use super::plugin::{Plugin, follow};
use crate::node::Node;
use proto::deviceplugin::registration_server::{Registration, RegistrationServer};
use proto::deviceplugin::{DevicePluginOptions, Empty, RegisterRequest};
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Component, Path};
use std::sync::Arc;
use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use tracing::warn;

/// k8s: the name that plugins look for.
const SOCKET: &str = "kubelet.sock";
const VERSION: &str = "v1beta1";

struct Registry {
    node: Arc<Node>,
}

#[tonic::async_trait]
impl Registration for Registry {
    async fn register(&self, request: Request<RegisterRequest>) -> Result<Response<Empty>, Status> {
        let RegisterRequest { version, endpoint, resource_name, options } = request.into_inner();
        if version != VERSION {
            let text =
                format!("requested API version {version:?} is not supported; the supported version is {VERSION:?}");
            return Err(Status::invalid_argument(text));
        }
        let mut parts = Path::new(&endpoint).components();
        if !matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) || endpoint == SOCKET {
            return Err(Status::invalid_argument(format!("endpoint {endpoint:?} is not a file beside {SOCKET}")));
        }
        let socket = self.node.devices.folder.join(endpoint);
        register(&self.node, &resource_name, &socket, Some(options.unwrap_or_default())).await?;
        Ok(Response::new(Empty {}))
    }
}

/// Takes a plugin on, and follows it in the background. Asks it for its options where they are not given.
pub(crate) async fn register(
    node: &Arc<Node>,
    resource: &str,
    socket: &Path,
    options: Option<DevicePluginOptions>,
) -> Result<(), Status> {
    if !kinds::validate::resources::is_extended(resource) {
        return Err(Status::invalid_argument(format!("{resource:?} is not the name of an extended resource")));
    }
    let plugin = Plugin::at(socket, options).await?;
    let following = follow(Arc::clone(node), resource.to_owned(), plugin, node.drain.clone());
    node.tracker.spawn(following);
    Ok(())
}

pub async fn run(node: Arc<Node>, drain: CancellationToken) {
    let folder = node.devices.folder.clone();
    let listener = match listen(&folder) {
        Ok(listener) => UnixListenerStream::new(listener),
        Err(error) => {
            warn!(folder = %folder.display(), %error, "no device plugin can register");
            return drain.cancelled().await;
        }
    };
    let server = tonic::transport::Server::builder().add_service(RegistrationServer::new(Registry { node }));
    if let Err(error) = server.serve_with_incoming_shutdown(listener, drain.cancelled()).await {
        warn!(%error, "no device plugin can register any more");
        drain.cancelled().await;
    }
}

/// k8s: sockets of before are removed, by which plugins notice that they have to register again.
fn listen(folder: &Path) -> io::Result<UnixListener> {
    std::fs::create_dir_all(folder)?;
    // Whoever may write here gets to say what is mounted into containers.
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o750))?;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_socket() {
            std::fs::remove_file(entry.path())?;
        }
    }
    UnixListener::bind(folder.join(SOCKET))
}
