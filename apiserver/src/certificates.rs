//! CertificateSigningRequests: node clients are approved where they may be, and what is approved for one of the cluster's
//! own signers is signed. k8s: `controller/certificates/{approver,signer}`
//!
//! Both live in the API server, because it alone has the CA's key and the authorizer. Which request is whose business is
//! pure ([`rules`]); old requests are deleted by a controller.

pub(crate) mod rules;

use crate::auth::objects::{Resource, kind};
use crate::auth::{Attributes, GROUP_MASTERS};
use crate::error::ApiError;
use crate::follow::{Change, Follower, follow};
use crate::pki::request::{Asked, Terms};
use crate::registry::Call;
use crate::request::{Request, Verb};
use crate::server::Server;
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use client::identity::Identity;
use rules::{NodeClient, strings, text};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

pub(crate) const REQUESTS: Resource =
    Resource { group: "certificates.k8s.io", version: "v1", plural: "certificatesigningrequests" };
/// k8s: `--cluster-signing-duration`, and the longest that anybody gets
const SECONDS_MAX: i64 = 365 * 86_400;
const AGENT: &str = "kube-controller-manager";

pub(crate) async fn keep(server: Arc<Server>, drain: CancellationToken) {
    let caches = Arc::clone(server.registry.caches());
    drain.run_until_cancelled(follow(&caches, REQUESTS, &Keeper { server })).await;
}

struct Keeper {
    server: Arc<Server>,
}

#[async_trait]
impl Follower for Keeper {
    async fn seen(&self, request: &Value, change: Change) {
        if change == Change::Gone || rules::is_settled(request) {
            return;
        }
        let done = if rules::is_approved(request) { self.sign(request).await } else { self.approve(request).await };
        match done {
            Ok(()) | Err(ApiError::NotFound { .. } | ApiError::Conflict { .. }) => {}
            Err(error) => {
                tracing::warn!(%error, request = text(request, "/metadata/name"), "cannot settle a certificate request");
            }
        }
    }
}

impl Keeper {
    /// A node's client certificate, for itself or for whoever may ask in its name.
    async fn approve(&self, request: &Value) -> Result<(), ApiError> {
        let Some(asked) = rules::asked(request) else { return Ok(()) };
        let Some(wanted) = rules::node_client(request, &asked) else { return Ok(()) };
        let (subresource, message) = match wanted {
            NodeClient::Own => {
                ("selfnodeclient", "Auto approving self kubelet client certificate after SubjectAccessReview.")
            }
            NodeClient::Any => ("nodeclient", "Auto approving kubelet client certificate after SubjectAccessReview."),
        };
        let attributes = Attributes {
            verb: "create",
            group: REQUESTS.group,
            version: "*",
            resource: REQUESTS.plural,
            subresource,
            ..Attributes::default()
        };
        if !self.server.authorizer.authorize(&requester(request), &attributes).is_allowed() {
            return Ok(());
        }
        let condition = json!({"type": "Approved", "status": "True", "reason": "AutoApproved", "message": message});
        self.write(request, "approval", move |new| push_condition(new, condition.clone())).await
    }

    async fn sign(&self, request: &Value) -> Result<(), ApiError> {
        let Some(signer) = rules::Signer::of(request) else { return Ok(()) };
        let verdict = rules::asked(request).ok_or_else(|| "the certificate request is malformed".to_owned());
        let verdict = verdict.and_then(|asked| signer.check(request, &asked).map(|()| asked));
        let outcome = verdict.and_then(|asked| self.certificate(request, &asked));
        match outcome {
            Ok(pem) => {
                let encoded = STANDARD.encode(pem);
                self.write(request, "status", move |new| new["status"]["certificate"] = json!(encoded)).await
            }
            Err(why) => {
                let condition =
                    json!({"type": "Failed", "status": "True", "reason": "SignerValidationFailure", "message": why});
                self.write(request, "status", move |new| push_condition(new, condition.clone())).await
            }
        }
    }

    fn certificate(&self, request: &Value, asked: &Asked) -> Result<String, String> {
        let usages = strings(&request["spec"]["usages"]);
        let wanted = request["spec"]["expirationSeconds"].as_i64().unwrap_or(SECONDS_MAX);
        let terms = Terms { usages: &usages, seconds: wanted.min(SECONDS_MAX) };
        let signed = self.server.pki.sign_request(asked, &terms, self.server.registry.now());
        signed.map_err(|error| error.to_string())
    }

    /// Writes what was decided about this version, and about no later one.
    async fn write(
        &self,
        seen: &Value,
        subresource: &str,
        edit: impl Fn(&mut Value) + Send + Sync,
    ) -> Result<(), ApiError> {
        let identity = Identity::new("system:apiserver", [GROUP_MASTERS]);
        let name = text(seen, "/metadata/name");
        let mut request = Request::internal(Verb::Update, &kind(REQUESTS), "", name, identity, AGENT);
        subresource.clone_into(&mut request.subresource);
        let make = |_: &Value| {
            let mut new = seen.clone();
            edit(&mut new);
            Ok(new)
        };
        self.server.registry.change(&Call::of(&request)?, Verb::Update, &make).await.map(drop)
    }
}

fn push_condition(request: &mut Value, condition: Value) {
    match request["status"]["conditions"].as_array_mut() {
        Some(conditions) => conditions.push(condition),
        None => request["status"]["conditions"] = json!([condition]),
    }
}

/// Who asked, as admission wrote it down.
fn requester(request: &Value) -> Identity {
    let spec = &request["spec"];
    let extra: BTreeMap<String, Vec<String>> =
        spec["extra"].as_object().into_iter().flatten().map(|(key, values)| (key.clone(), strings(values))).collect();
    Identity {
        user: text(spec, "/username").to_owned(),
        uid: text(spec, "/uid").to_owned(),
        groups: strings(&spec["groups"]),
        extra,
    }
}
