//! A [`kube::Client`] that calls the API server's router directly: no socket, no TLS, no HTTP framing, and still the
//! whole filter chain. Upgrades (exec, attach, port-forward) are not offered here; they belong to real connections.

use crate::identity::Identity;
use http::{Request, Response};
use kube::client::Body;
use tower::{BoxError, Service, ServiceExt as _};

/// A client that acts as `identity`. The identity travels as a request extension, which nothing outside this process
/// can set. Must be called within a tokio runtime.
pub fn in_process<S, B>(router: S, identity: Identity) -> kube::Client
where
    S: Service<Request<Body>, Response = Response<B>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let service = router.map_request(move |mut request: Request<Body>| {
        request.extensions_mut().insert(identity.clone());
        request
    });
    kube::Client::new(service, "default")
}
