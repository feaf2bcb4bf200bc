//! gzip for big answers, where the client asks for it. Watches and streams are not compressed, and an answer of a known
//! small size costs nothing here.

use axum::body::Body;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderValue};
use http::{HeaderMap, Request, Response};
use http_body::Body as _;
use std::convert::Infallible;
use std::future::ready;
use tower::service_fn;
use tower::{Service, ServiceExt};
use tower_http::compression::{Compression, CompressionLevel};

/// k8s: APIResponseCompression, responses below 128 KiB are not worth it
const COMPRESS_FROM: u64 = 128 << 10;

/// The header that says what the client can read.
pub(super) fn accepted(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(ACCEPT_ENCODING).cloned()
}

pub(super) async fn response(accepts: Option<HeaderValue>, response: Response<Body>) -> Response<Body> {
    let Some(accepts) = accepts else { return response };
    let big = response.body().size_hint().exact().is_some_and(|size| size >= COMPRESS_FROM);
    if !big || response.headers().contains_key(CONTENT_ENCODING) {
        return response;
    }
    let mut request = Request::new(());
    request.headers_mut().insert(ACCEPT_ENCODING, accepts);
    let mut response = Some(response);
    let inner = service_fn(move |_: Request<()>| {
        let response = response.take().unwrap_or_else(|| Response::new(Body::empty()));
        ready(Ok::<_, Infallible>(response))
    });
    let mut layer = Compression::new(inner).quality(CompressionLevel::Fastest);
    let ready = layer.ready().await.unwrap_or_else(|never| match never {});
    let Ok(compressed) = ready.call(request).await;
    compressed.map(Body::new)
}
