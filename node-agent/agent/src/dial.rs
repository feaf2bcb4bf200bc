//! Connections to servers on this machine that listen on Unix sockets.

use hyper_util::rt::TokioIo;
use std::path::Path;
use std::time::Duration;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint, Uri};

/// The socket is on this machine: it answers at once or not at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Connects when first used, and again when the server comes back.
pub(crate) fn unix(socket: &Path) -> Channel {
    connect(socket, Endpoint::from_static("http://socket.invalid"))
}

/// Gives up on answers that take longer than `limit`.
pub(crate) fn unix_within(socket: &Path, limit: Duration) -> Channel {
    connect(socket, Endpoint::from_static("http://socket.invalid").timeout(limit))
}

fn connect(socket: &Path, endpoint: Endpoint) -> Channel {
    let path = socket.to_owned();
    let connector = tower::service_fn(move |_: Uri| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(TokioIo::new) }
    });
    endpoint.connect_timeout(CONNECT_TIMEOUT).connect_with_connector_lazy(connector)
}
