//! The first words with a server that nobody vouches for yet: its CA, checked by the hash from the token, and its clock.

use super::JoinError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use client::clock::Clock;
use client::join_token::{self, TokenError};
use client::transport::https_from;
use http::Request;
use http::header::DATE;
use http_body_util::{BodyExt as _, Limited};
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::client::Body;
use kube::config::Kubeconfig;
use std::sync::Arc;
use std::time::Duration;

const PATH: &str = "/api/v1/namespaces/kube-public/configmaps/cluster-info";
/// Certificates are valid from five minutes before they were made; leases and tokens suffer earlier.
const SKEW_MAX: SignedDuration = SignedDuration::from_mins(2);
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// The answer of somebody who is not trusted yet.
const BODY_MAX: usize = 1 << 20;

pub(super) struct Discovered {
    pub(super) server: String,
    pub(super) ca_pem: String,
}

/// Asks the servers in turn; the first that answers decides.
pub(super) async fn discover(
    servers: &[String],
    ca_hash: &str,
    clock: &Arc<dyn Clock>,
) -> Result<Discovered, JoinError> {
    let mut outcome = Err(JoinError::NoServer);
    for server in servers {
        outcome = ask(server, ca_hash, clock).await;
        if !matches!(outcome, Err(JoinError::Unreachable { .. })) {
            break;
        }
    }
    outcome
}

async fn ask(server: &str, ca_hash: &str, clock: &Arc<dyn Clock>) -> Result<Discovered, JoinError> {
    let unreachable = |why: String| JoinError::Unreachable { server: server.to_owned(), why };
    let untold = |why: String| JoinError::NoAuthority { server: server.to_owned(), why };
    let url = server.parse().map_err(|_| unreachable("it is not an address such as https://10.0.0.1:6443".into()))?;
    let mut config = kube::Config::new(url);
    // Nothing that is said here is believed before the hash has been compared, and nothing secret is said.
    config.accept_invalid_certs = true;
    // Nor is the machine asked whom it trusts: one without Debian's ca-certificates trusts nobody, and could not even ask.
    config.root_cert = Some(Vec::new());
    config.connect_timeout = Some(CONNECT_MAX);
    config.read_timeout = Some(CONNECT_MAX);
    let client = https_from(config)?;
    let request = Request::get(PATH).body(Body::empty()).expect("the request is well-formed");
    let answer = client.send(request).await.map_err(|error| unreachable(chain(&error)))?;
    let (status, date) =
        (answer.status(), answer.headers().get(DATE).and_then(|date| date.to_str().ok()).map(str::to_owned));
    let body = Limited::new(answer.into_body(), BODY_MAX).collect().await;
    let body = body.map_err(|error| unreachable(error.to_string()))?.to_bytes();
    if !status.is_success() {
        return Err(untold(format!("it answers {status} (is it a Drover server?)")));
    }
    let found = authorities(&body).ok_or_else(|| untold("its cluster-info has no certificate authority".into()))?;
    let known = join_token::authorities(&found).map_err(|error: TokenError| untold(error.to_string()))?;
    if !known.iter().any(|(hash, _)| hash == ca_hash) {
        let found = known.iter().map(|(hash, _)| hash.as_str()).collect::<Vec<_>>().join(", ");
        return Err(JoinError::OtherAuthority { server: server.to_owned(), found });
    }
    if let Some(skew) = date.and_then(|date| skew(&date, clock.now())) {
        let direction = if skew.is_negative() { "behind" } else { "ahead of" };
        return Err(JoinError::Clock { server: server.to_owned(), by: format!("{:#}", skew.abs()), direction });
    }
    // Of several certificates only the one that the token names.
    let pem = pem_of(known, ca_hash);
    Ok(Discovered { server: server.to_owned(), ca_pem: pem })
}

/// How far we are ahead of `date`, where that is too far.
fn skew(date: &str, now: Timestamp) -> Option<SignedDuration> {
    let theirs = DateTimeParser::new().parse_timestamp(date).ok()?;
    let ahead = SignedDuration::from_secs(now.as_second() - theirs.as_second());
    (ahead.abs() > SKEW_MAX).then_some(ahead)
}

fn pem_of(known: Vec<(String, Vec<u8>)>, wanted: &str) -> String {
    let one = known.into_iter().find(|(hash, _)| hash == wanted);
    one.map(|(_, der)| pem::encode(&pem::Pem::new("CERTIFICATE", der))).unwrap_or_default()
}

/// The CA in the kubeconfig of `cluster-info`.
fn authorities(body: &[u8]) -> Option<String> {
    let map: ConfigMap = serde_json::from_slice(body).ok()?;
    let text = map.data?.remove("kubeconfig")?;
    let kubeconfig = Kubeconfig::from_yaml(&text).ok()?;
    let data = kubeconfig.clusters.into_iter().next()?.cluster?.certificate_authority_data?;
    String::from_utf8(STANDARD.decode(data).ok()?).ok()
}

/// An error with what lies below it: the last cause is the one that helps.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let more = next.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_may_differ_by_two_minutes() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        assert_eq!(skew("Sun, 01 Mar 2026 11:58:30 GMT", now), None);
        assert_eq!(skew("Sat, 28 Feb 2026 12:00:00 GMT", now), Some(SignedDuration::from_hours(24)));
        assert!(skew("Mon, 02 Mar 2026 12:00:00 GMT", now).is_some_and(|skew| skew.is_negative()));
    }
}
