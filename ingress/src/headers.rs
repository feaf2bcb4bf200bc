//! What of a message's headers goes past this hop, and what a backend is told of the client. Pure.

use http::header::{
    CONNECTION, COOKIE, EXPECT, FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::uri::Authority;
use http::{Request, Version};
use std::net::IpAddr;

/// RFC 9110, 7.6.1: headers that are about one connection.
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("http2-settings"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// What a client could say of itself that backends believe; only this hop knows it.
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// How a request came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) client: IpAddr,
    pub(crate) scheme: Scheme,
    /// That it was sent to.
    pub(crate) port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// The one authority that a request is for; `Ok(None)` for HTTP/1.0 without one. Several, or one that is none, are an
/// attempt to mean different things to different readers.
pub(crate) fn authority<B>(request: &Request<B>) -> Result<Option<Authority>, &'static str> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let header = hosts.next();
    if hosts.next().is_some() {
        return Err("several Host headers");
    }
    // RFC 9112, 3.2.2: a request target in absolute form is stronger than the header.
    let named = match (request.uri().authority(), header) {
        (Some(authority), _) => authority.clone(),
        (None, Some(host)) => Authority::try_from(host.as_bytes()).map_err(|_| "malformed Host header")?,
        (None, None) if request.version() == Version::HTTP_10 => return Ok(None),
        (None, None) => return Err("no Host header"),
    };
    if named.as_str().contains('@') || named.host().is_empty() { Err("malformed Host header") } else { Ok(Some(named)) }
}

/// As rules name it: lower case, without port and without a dot at its end.
pub(crate) fn host(authority: &Authority) -> String {
    let host = authority.host();
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

/// The protocol that the client wants to switch to. Not to HTTP/2: what it then asks would pass by every rule.
pub(crate) fn upgrade<B>(request: &Request<B>) -> Option<HeaderValue> {
    let wanted =
        request.version() == Version::HTTP_11 && tokens(request.headers(), &CONNECTION).any(|t| t == "upgrade");
    let protocol = request.headers().get(UPGRADE).filter(|_| wanted)?;
    let is_http2 = tokens(request.headers(), &UPGRADE).any(|token| token.starts_with("h2"));
    (!is_http2).then(|| protocol.clone())
}

/// Lower-case elements of a header that is a list.
fn tokens(headers: &HeaderMap, name: &HeaderName) -> impl Iterator<Item = String> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|token| token.trim().to_ascii_lowercase())
}

/// Takes away what is about the connection that the message came on.
pub(crate) fn leave_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = tokens(headers, &CONNECTION).filter_map(|name| name.parse().ok()).collect();
    let trailers = tokens(headers, &TE).any(|token| token == "trailers");
    for name in HOP_BY_HOP.into_iter().chain(named) {
        headers.remove(name);
    }
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
}

/// Says that the connection is about to speak `protocol`.
pub(crate) fn switch(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocol);
}

/// Makes a client's headers those of a request to a backend.
pub(crate) fn towards_backend(headers: &mut HeaderMap, authority: Option<&Authority>, origin: Origin) {
    leave_hop(headers);
    // This hop has answered it.
    headers.remove(EXPECT);
    headers.remove(FORWARDED);
    join_cookies(headers);
    let client = text(&origin.client.to_canonical().to_string());
    headers.insert(X_REAL_IP, client.clone());
    headers.insert(X_FORWARDED_FOR, client);
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(origin.scheme.name()));
    headers.insert(X_FORWARDED_PORT, HeaderValue::from(origin.port));
    headers.remove(HOST);
    headers.remove(X_FORWARDED_HOST);
    if let Some(authority) = authority {
        headers.insert(HOST, text(authority.as_str()));
        headers.insert(X_FORWARDED_HOST, text(authority.as_str()));
    }
}

fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).expect("addresses and authorities are visible ASCII")
}

/// RFC 9113, 8.2.3: HTTP/2 may split what HTTP/1.1 knows as one header.
fn join_cookies(headers: &mut HeaderMap) {
    let crumbs: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if crumbs.len() > 1
        && let Ok(whole) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..]))
    {
        headers.insert(COOKIE, whole);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(version: Version, uri: &str, headers: &[(&str, &str)]) -> Request<()> {
        let request = Request::builder().version(version).uri(uri);
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).body(()).unwrap()
    }

    #[test]
    fn a_request_is_for_one_host() {
        let host_of = |version, uri: &str, hosts: &[&str]| {
            let headers: Vec<(&str, &str)> = hosts.iter().map(|host| ("host", *host)).collect();
            authority(&request(version, uri, &headers)).map(|found| found.map(|found| host(&found)))
        };
        for (uri, hosts, wanted) in [
            ("/", &["Shop.Example:8080"] as &[&str], Ok(Some("shop.example"))),
            ("/", &["shop.example."], Ok(Some("shop.example"))),
            ("/", &["[2001:db8::1]:80"], Ok(Some("[2001:db8::1]"))),
            ("http://real.example/", &["other.example"], Ok(Some("real.example"))),
            ("/", &["a.example", "b.example"], Err("several Host headers")),
            ("/", &["a.example/b"], Err("malformed Host header")),
            ("/", &["user@a.example"], Err("malformed Host header")),
            ("/", &[""], Err("malformed Host header")),
            ("/", &[], Err("no Host header")),
        ] {
            let found = host_of(Version::HTTP_11, uri, hosts);
            assert_eq!(found, wanted.map(|host| host.map(str::to_owned)), "{uri} {hosts:?}");
        }
        assert_eq!(host_of(Version::HTTP_10, "/", &[]), Ok(None));
    }

    #[test]
    fn what_is_about_the_connection_stays_and_what_clients_claim_is_overwritten() {
        let sent = request(
            Version::HTTP_11,
            "/",
            &[
                ("connection", "keep-alive, X-Secret"),
                ("x-secret", "1"),
                ("te", "gzip, trailers"),
                ("transfer-encoding", "chunked"),
                ("expect", "100-continue"),
                ("x-forwarded-for", "10.0.0.1"),
                ("x-real-ip", "10.0.0.1"),
                ("x-forwarded-host", "evil.example"),
                ("forwarded", "for=10.0.0.1"),
                ("cookie", "a=1"),
                ("cookie", "b=2"),
                ("authorization", "Bearer x"),
            ],
        );
        let mut headers = sent.headers().clone();
        let origin = Origin { client: "::ffff:192.0.2.7".parse().unwrap(), scheme: Scheme::Https, port: 443 };
        towards_backend(&mut headers, Some(&Authority::from_static("shop.example")), origin);
        let mut seen: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        seen.sort();
        assert_eq!(
            seen,
            [
                "authorization: Bearer x",
                "cookie: a=1; b=2",
                "host: shop.example",
                "te: trailers",
                "x-forwarded-for: 192.0.2.7",
                "x-forwarded-host: shop.example",
                "x-forwarded-port: 443",
                "x-forwarded-proto: https",
                "x-real-ip: 192.0.2.7",
            ]
        );
    }

    #[test]
    fn connections_switch_to_other_protocols_but_not_to_http_2() {
        let wanted = |version, connection, protocol| {
            upgrade(&request(version, "/", &[("connection", connection), ("upgrade", protocol)])).is_some()
        };
        assert!(wanted(Version::HTTP_11, "keep-alive, Upgrade", "websocket"));
        assert!(!wanted(Version::HTTP_11, "keep-alive", "websocket"));
        assert!(!wanted(Version::HTTP_11, "Upgrade", "h2c"));
        assert!(!wanted(Version::HTTP_11, "Upgrade", "websocket, H2C"));
        assert!(!wanted(Version::HTTP_10, "Upgrade", "websocket"));
    }
}
