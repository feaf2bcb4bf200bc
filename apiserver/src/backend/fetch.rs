//! Documents at https URLs that whoever configures the server names, such as the keys of a token issuer. Redirects are not
//! followed.

use super::tls::{TlsError, Trust};
use super::{BackendError, Backends, Target, address};
use axum::body::Body;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, HOST};
use http::{Request, Uri};
use http_body_util::{BodyExt, Limited};
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::time::Duration;

/// A document that does not come soon holds up whoever waits for it.
const FETCH_MAX: Duration = Duration::from_secs(10);
/// Of a document: key sets and their descriptions have a few kilobytes.
const DOCUMENT_MAX: usize = 1 << 20;
const HTTPS_PORT: u16 = 443;

#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("{0:?} is no https URL")]
    Url(String),
    #[error("{0}")]
    LookUp(String),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Backend(#[from] BackendError),
    #[error("the answer cannot be read: {0}")]
    Body(String),
    #[error("the answer is {0}")]
    Status(u16),
    #[error("no answer within {}s", FETCH_MAX.as_secs())]
    Late,
}

impl Backends {
    /// The body of a successful answer to a GET, with a bearer token if it is not `""`.
    pub(crate) async fn fetch(&self, url: &str, token: &str, trust: &Trust<'_>) -> Result<Bytes, FetchError> {
        let fetched = tokio::time::timeout(FETCH_MAX, self.fetch_whole(url, token, trust)).await;
        fetched.unwrap_or(Err(FetchError::Late))
    }

    async fn fetch_whole(&self, url: &str, token: &str, trust: &Trust<'_>) -> Result<Bytes, FetchError> {
        let bad = || FetchError::Url(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| bad())?;
        let authority = uri.authority().filter(|_| uri.scheme_str() == Some("https")).ok_or_else(bad)?;
        let host = authority.host().trim_matches(['[', ']']);
        let address = look_up(host, authority.port_u16().unwrap_or(HTTPS_PORT)).await.map_err(FetchError::LookUp)?;
        let name = ServerName::try_from(host.to_owned()).map_err(|_| bad())?;
        let target = Target { address, tls: Some((self.connector(trust, None)?, name)) };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::get(path).header(HOST, authority.as_str());
        if token.is_empty() {
            request = request.header(ACCEPT, "application/json");
        } else {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let answer = self.send(&target, request.body(Body::empty()).map_err(|_| bad())?).await?;
        if !answer.status().is_success() {
            return Err(FetchError::Status(answer.status().as_u16()));
        }
        let body = Limited::new(answer.into_body(), DOCUMENT_MAX).collect().await;
        Ok(body.map_err(|error| FetchError::Body(error.to_string()))?.to_bytes())
    }
}

/// Looked up and checked once, and then dialled: what is asked later may be answered otherwise (CVE-2020-8562). It may lead
/// to this machine, as upstream has it for webhooks that run beside the API server: who may write such a name decides about
/// everything already.
pub(crate) async fn look_up(host: &str, port: u16) -> Result<SocketAddr, String> {
    let nowhere = || format!("dial tcp: lookup {host}: no such host");
    let found = tokio::net::lookup_host((host, port)).await;
    let address = found.map_err(|_| nowhere())?.next().ok_or_else(nowhere)?;
    match address::check(address.ip()) {
        Ok(()) => Ok(address),
        Err(_) if address.ip().to_canonical().is_loopback() => Ok(address),
        Err(refused) => Err(format!("dial tcp {address}: {refused}")),
    }
}
