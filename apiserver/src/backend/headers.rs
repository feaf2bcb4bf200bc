//! What a backend may see of a client's headers.

use http::header::{
    AUTHORIZATION, CONNECTION, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};

/// Headers that belong to one hop or carry the client's credentials.
const NOT_FORWARDED: &[HeaderName] =
    &[AUTHORIZATION, COOKIE, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING];
/// Who somebody claims to be: only this server says so, to those who believe it.
const IDENTITY_PREFIXES: &[&str] = &["impersonate-", "x-remote-"];
/// Subprotocol that carries a bearer token.
const BEARER_PROTOCOL: &str = "base64url.bearer.authorization.k8s.io.";

pub fn forwarded(headers: &HeaderMap) -> HeaderMap {
    let mut passed = HeaderMap::new();
    for (name, value) in headers {
        let secret = NOT_FORWARDED.contains(name)
            || IDENTITY_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix))
            || name == CONNECTION;
        let token =
            name == "sec-websocket-protocol" && value.to_str().is_ok_and(|value| value.contains(BEARER_PROTOCOL));
        if token {
            let offered = value.to_str().unwrap_or_default().split(',').map(str::trim);
            let kept: Vec<&str> = offered.filter(|protocol| !protocol.starts_with(BEARER_PROTOCOL)).collect();
            if let Ok(value) = HeaderValue::from_str(&kept.join(", ")) {
                passed.append(name, value);
            }
        } else if !secret {
            passed.append(name, value.clone());
        }
    }
    if headers.contains_key(UPGRADE) {
        passed.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    }
    passed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_s_credentials_stay_here() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer x"),
            ("cookie", "a=b"),
            ("impersonate-user", "root"),
            ("x-remote-user", "root"),
            ("connection", "close"),
            ("sec-websocket-protocol", "v5.channel.k8s.io, base64url.bearer.authorization.k8s.io.eA"),
            ("sec-websocket-key", "k"),
            ("upgrade", "websocket"),
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let passed = forwarded(&headers);
        let mut seen: Vec<String> =
            passed.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        seen.sort();
        assert_eq!(
            seen,
            [
                "connection: Upgrade",
                "sec-websocket-key: k",
                "sec-websocket-protocol: v5.channel.k8s.io",
                "upgrade: websocket"
            ]
        );
    }
}
