//! Documents at https URLs, such as the keys of a token issuer: whoever configures the server names them, or a token does.
//! Redirects are not followed.

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

/// Who says where a document is.
#[derive(Clone, Copy)]
pub(crate) enum NamedBy<'a> {
    Configuration,
    /// A token, or a document that one has led to. It does not lead to this machine, unless the configured issuer is here.
    Token {
        issuer_host: &'a str,
    },
}

impl NamedBy<'_> {
    fn may_mean_this_machine(self, host: &str) -> bool {
        match self {
            Self::Configuration => true,
            Self::Token { issuer_host } => host.eq_ignore_ascii_case(issuer_host),
        }
    }
}

/// A URL as it may be shown: queries may hold secrets.
pub(crate) fn shown(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

/// Without the brackets of an IPv6 address; `""`: there is none.
pub(crate) fn host_of(url: &str) -> String {
    let uri = url.parse::<Uri>().ok();
    uri.as_ref().and_then(Uri::host).map(|host| host.trim_matches(['[', ']']).to_owned()).unwrap_or_default()
}

impl Backends {
    /// The body of a successful answer to a GET, with a bearer token if it is not `""`.
    pub(crate) async fn fetch(
        &self,
        url: &str,
        named_by: NamedBy<'_>,
        token: &str,
        trust: &Trust<'_>,
    ) -> Result<Bytes, FetchError> {
        let fetched = tokio::time::timeout(FETCH_MAX, self.fetch_whole(url, named_by, token, trust)).await;
        fetched.unwrap_or(Err(FetchError::Late))
    }

    async fn fetch_whole(
        &self,
        url: &str,
        named_by: NamedBy<'_>,
        token: &str,
        trust: &Trust<'_>,
    ) -> Result<Bytes, FetchError> {
        let bad = || FetchError::Url(shown(url).to_owned());
        let uri: Uri = url.parse().map_err(|_| bad())?;
        let authority = uri.authority().filter(|_| uri.scheme_str() == Some("https")).ok_or_else(bad)?;
        let host = authority.host().trim_matches(['[', ']']);
        let port = authority.port_u16().unwrap_or(HTTPS_PORT);
        let found = look_up_for(host, port, named_by.may_mean_this_machine(host)).await;
        let address = found.map_err(FetchError::LookUp)?;
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

/// A host that whoever configures the server or its webhooks names. It may be this machine, as upstream has it for webhooks
/// that run beside the API server: who may write such a name decides about everything already.
pub(crate) async fn look_up(host: &str, port: u16) -> Result<SocketAddr, String> {
    look_up_for(host, port, true).await
}

/// Looked up and checked once, and then dialled: what is asked later may be answered otherwise (CVE-2020-8562).
async fn look_up_for(host: &str, port: u16, may_be_here: bool) -> Result<SocketAddr, String> {
    let nowhere = || format!("dial tcp: lookup {host}: no such host");
    let found = tokio::net::lookup_host((host, port)).await;
    let address = found.map_err(|_| nowhere())?.next().ok_or_else(nowhere)?;
    match address::check(address.ip()) {
        Ok(()) => Ok(address),
        Err(_) if may_be_here && address.ip().to_canonical().is_loopback() => Ok(address),
        Err(refused) => Err(format!("dial tcp {address}: {refused}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_token_does_not_lead_to_this_machine_unless_its_issuer_is_there() {
        for (host, own, expected) in [
            ("127.0.0.1", "id.example", false),
            ("127.0.0.1", "", false),
            ("::1", "127.0.0.1", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("169.254.169.254", "169.254.169.254", false),
            ("192.0.2.1", "id.example", true),
        ] {
            let named_by = NamedBy::Token { issuer_host: own };
            let found = look_up_for(host, 443, named_by.may_mean_this_machine(host)).await;
            assert_eq!(found.is_ok(), expected, "{host} of {own}");
        }
        assert!(look_up("127.0.0.1", 443).await.is_ok());
    }

    #[test]
    fn urls_are_shown_without_what_may_be_secret() {
        assert_eq!(shown("https://id.example/groups?key=sesame#a"), "https://id.example/groups");
        assert_eq!(host_of("https://[::1]:8443/a?b"), "::1");
        assert_eq!(host_of("https://id.example"), "id.example");
        assert_eq!(host_of("groups of mine"), "");
    }
}
