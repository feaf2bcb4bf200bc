//! Who asks, and whether they may: client certificates and bearer tokens in, nodes/* rights out. The API server decides
//! about everybody but those of its own group.

use crate::node::Node;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use client::identity::Identity;
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::Api;
use kube::api::PostParams;
use rustls::pki_types::CertificateDer;
use std::sync::Arc;
use tracing::warn;
use x509_parser::prelude::{FromDer, X509Certificate};

/// k8s: members may do everything; the API server's client certificate carries it.
const MASTERS: &str = "system:masters";

/// The identity in the client's certificate, where it showed one that our authority signed.
#[derive(Clone, Debug)]
pub(super) struct Peer(Option<Identity>);

impl Peer {
    pub(super) fn of(chain: Option<&[CertificateDer<'_>]>) -> Self {
        let leaf = chain.and_then(<[_]>::first);
        Self(leaf.and_then(|der| identity(der)))
    }
}

/// k8s: the common name is the user, each organization a group.
fn identity(der: &[u8]) -> Option<Identity> {
    let (_, cert) = X509Certificate::from_der(der).ok()?;
    let subject = cert.subject();
    let user = subject.iter_common_name().next()?.as_str().ok()?;
    let groups: Vec<&str> = subject.iter_organization().filter_map(|o| o.as_str().ok()).collect();
    Some(Identity::new(user, groups.into_iter().chain(["system:authenticated"])))
}

pub(super) async fn guard(State(node): State<Arc<Node>>, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().and_then(|p| p.0.clone());
    let token = bearer(&request);
    let who = match (peer, token) {
        (Some(identity), _) => identity,
        (None, Some(token)) => match review_token(&node, token).await {
            Ok(Some(identity)) => identity,
            Ok(None) => return (StatusCode::UNAUTHORIZED, "Unauthorized").into_response(),
            Err(error) => return cannot_ask(&error),
        },
        (None, None) => return (StatusCode::UNAUTHORIZED, "Unauthorized").into_response(),
    };
    if who.groups.iter().any(|g| g == MASTERS) {
        return next.run(request).await;
    }
    let verb = verb(request.method());
    for subresource in subresources(request.uri().path()) {
        match allowed(&node, &who, verb, subresource).await {
            Ok(true) => return next.run(request).await,
            Ok(false) => {}
            Err(error) => return cannot_ask(&error),
        }
    }
    let subresource = subresources(request.uri().path())[0];
    let text = format!("Forbidden (user={}, verb={verb}, resource=nodes, subresource={subresource})", who.user);
    (StatusCode::FORBIDDEN, text).into_response()
}

fn cannot_ask(error: &kube::Error) -> Response {
    warn!(%error, "cannot ask the API server about a request to the node");
    (StatusCode::INTERNAL_SERVER_ERROR, "Authorization error").into_response()
}

fn bearer(request: &Request) -> Option<String> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty()).then(|| token.trim().to_owned())
}

async fn review_token(node: &Node, token: String) -> Result<Option<Identity>, kube::Error> {
    let api: Api<TokenReview> = Api::all(node.client.clone());
    let review = TokenReview { spec: TokenReviewSpec { token, audiences: None }, ..TokenReview::default() };
    let status = api.create(&PostParams::default(), &review).await?.status.unwrap_or_default();
    let user = status.user.unwrap_or_default();
    let authenticated = status.authenticated == Some(true);
    let groups = user.groups.unwrap_or_default();
    Ok(authenticated.then(|| Identity {
        user: user.username.unwrap_or_default(),
        uid: user.uid.unwrap_or_default(),
        groups,
        extra: user.extra.unwrap_or_default(),
    }))
}

async fn allowed(node: &Node, who: &Identity, verb: &str, subresource: &str) -> Result<bool, kube::Error> {
    let api: Api<SubjectAccessReview> = Api::all(node.client.clone());
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(who.user.clone()),
            uid: Some(who.uid.clone()),
            groups: Some(who.groups.clone()),
            extra: Some(who.extra.clone()),
            resource_attributes: Some(ResourceAttributes {
                verb: Some(verb.to_owned()),
                version: Some("v1".to_owned()),
                resource: Some("nodes".to_owned()),
                subresource: Some(subresource.to_owned()),
                name: Some(node.name.clone()),
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    };
    let status = api.create(&PostParams::default(), &review).await?.status;
    Ok(status.is_some_and(|s| s.allowed && s.denied != Some(true)))
}

fn verb(method: &Method) -> &'static str {
    match *method {
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => "get",
    }
}

/// The rights that open a path, the narrow one first (k8s: `nodes/proxy` opens everything that has no own right).
fn subresources(path: &str) -> &'static [&'static str] {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    match first {
        "stats" => &["stats"],
        "metrics" => &["metrics"],
        "logs" => &["log"],
        "pods" | "runningpods" => &["pods", "proxy"],
        "healthz" => &["healthz", "proxy"],
        "configz" => &["configz", "proxy"],
        _ => &["proxy"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_need_their_own_right_or_the_general_one() {
        assert_eq!(subresources("/metrics/cadvisor"), ["metrics"]);
        assert_eq!(subresources("/stats/summary"), ["stats"]);
        assert_eq!(subresources("/pods"), ["pods", "proxy"]);
        assert_eq!(subresources("/exec/a/b/c"), ["proxy"]);
        assert_eq!(verb(&Method::POST), "create");
    }
}
