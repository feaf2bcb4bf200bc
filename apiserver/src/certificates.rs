//! CertificateSigningRequests: certificates of nodes are approved where they may be, and what is approved for one of the
//! cluster's own signers is signed. k8s: `controller/certificates/{approver,signer}`
//!
//! Both live in the API server, because it alone has the CA's key and the authorizer. Which request is whose business is
//! pure ([`rules`]); old requests are deleted by a controller.

pub(crate) mod pod;
pub(crate) mod rules;

use crate::alloc::AddressRange;
use crate::auth::objects::{CachedObjects, NODES, Objects as _, Resource, SECRETS, kind};
use crate::auth::{Attributes, GROUP_MASTERS, bootstrap_token};
use crate::error::ApiError;
use crate::follow::{Change, Follower, follow};
use crate::pki::request::{Asked, Terms};
use crate::registry::Call;
use crate::request::{Request, Selection, Verb};
use crate::server::Server;
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use client::identity::Identity;
use jiff::{SignedDuration, Timestamp};
use kinds::tree::text;
use rules::{NodeClient, strings};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

pub(crate) const REQUESTS: Resource =
    Resource { group: "certificates.k8s.io", version: "v1", plural: "certificatesigningrequests" };
const ENDPOINT_SLICES: Resource = Resource { group: "discovery.k8s.io", version: "v1", plural: "endpointslices" };
const SERVICE_CIDRS: Resource = Resource { group: "networking.k8s.io", version: "v1", plural: "servicecidrs" };
/// k8s: `--cluster-signing-duration`, and the longest that anybody gets
const SECONDS_MAX: i64 = 365 * 86_400;
/// A machine that was let in registers its node within this time.
const JOINING_MAX: SignedDuration = SignedDuration::from_mins(1);
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
    async fn seen(&self, request: &Value, change: Change) -> Result<(), ApiError> {
        if change == Change::Gone || rules::is_settled(request) {
            return Ok(());
        }
        if rules::is_approved(request) { self.sign(request).await } else { self.approve(request).await }
    }
}

impl Keeper {
    async fn approve(&self, request: &Value) -> Result<(), ApiError> {
        let Some(asked) = rules::asked(request) else { return Ok(()) };
        if let Some(wanted) = rules::node_client(request, &asked) {
            return self.approve_client(request, &asked, wanted).await;
        }
        let Some(node) = rules::node_serving(request, &asked) else { return Ok(()) };
        match rules::refused_place(node, &asked, &self.others(node).await?, &self.services().await?) {
            Some(why) => self.deny(request, "AddressRefused", why).await,
            None => self.accept(request, "Auto approving serving certificate of a node for its own address.").await,
        }
    }

    /// A node's client certificate, for itself or for whoever may ask in its name.
    async fn approve_client(&self, request: &Value, asked: &Asked, wanted: NodeClient) -> Result<(), ApiError> {
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
        if !self.server.authorizer.authorize(&requester(request), &attributes).await.is_allowed() {
            return Ok(());
        }
        if wanted == NodeClient::Any
            && let Some((reason, why)) = self.introduce(request, asked).await?
        {
            return self.deny(request, reason, why).await;
        }
        self.accept(request, message).await
    }

    /// Why somebody may not become the node that he names: it is somebody else already, or his token has been used.
    async fn introduce(&self, request: &Value, asked: &Asked) -> Result<Option<(&'static str, String)>, ApiError> {
        let node = rules::node_name(asked).unwrap_or_default();
        let taken = |by: &str| {
            let advice = format!("delete it first (kctl delete node {node}), or choose another name with --node-name");
            Some(("NodeNameTaken", format!("{by} has the name {node:?}: {advice}")))
        };
        if self.all(NODES).await?.iter().any(|found| text(found, "metadata.name") == node) {
            return Ok(taken("another node"));
        }
        // One that was let in a moment ago has no Node object yet.
        let now = self.server.registry.now();
        let recent = |other: &Value| {
            let made = text(other, "metadata.creationTimestamp").parse::<Timestamp>();
            made.is_ok_and(|made| now.duration_since(made) < JOINING_MAX)
        };
        let rival = |other: &Value| {
            text(other, "metadata.uid") != text(request, "metadata.uid")
                && recent(other)
                && rules::is_approved(other)
                && rules::token_id(other).is_some()
                && rules::asked(other)
                    .is_some_and(|its| its.common_name == asked.common_name && its.public_key != asked.public_key)
        };
        if self.all(REQUESTS).await?.iter().any(rival) {
            return Ok(taken("another machine that is joining"));
        }
        let Some(id) = rules::token_id(request) else { return Ok(None) };
        let user = format!("{node} {}", crate::publish::hex(&asked.public_key));
        Ok(match self.use_token(id, &user).await? {
            Some(other) => {
                let message = format!("join token {id} was for one node, and {other} has used it");
                Some(("TokenUsed", message))
            }
            None => None,
        })
    }

    async fn accept(&self, request: &Value, message: &str) -> Result<(), ApiError> {
        let condition = json!({"type": "Approved", "status": "True", "reason": "AutoApproved", "message": message});
        self.write(request, "approval", move |new| push_condition(new, condition.clone())).await
    }

    async fn deny(&self, request: &Value, reason: &str, message: String) -> Result<(), ApiError> {
        tracing::info!(request = text(request, "metadata.name"), reason, message, "certificate request denied");
        let condition = json!({"type": "Denied", "status": "True", "reason": reason, "message": message});
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

    /// Writes down who uses a token that is for one node; the name of the node that was first, where it is another.
    async fn use_token(&self, id: &str, user: &str) -> Result<Option<String>, ApiError> {
        let (ns, name) = (bootstrap_token::NAMESPACE, format!("{}{id}", bootstrap_token::SECRET_PREFIX));
        let objects = CachedObjects::new(Arc::clone(self.server.registry.caches()));
        let Some(secret) = objects.live(SECRETS, ns, &name).await? else { return Ok(None) };
        let data = |key: &str| {
            let bytes = STANDARD.decode(secret["data"][key].as_str().unwrap_or_default()).unwrap_or_default();
            String::from_utf8(bytes).unwrap_or_default()
        };
        if data(bootstrap_token::SINGLE_USE) != "true" {
            return Ok(None);
        }
        let by = data(bootstrap_token::USED_BY);
        if by.is_empty() {
            let identity = Identity::new("system:apiserver", [GROUP_MASTERS]);
            let request = Request::internal(Verb::Update, &kind(SECRETS), ns, &name, identity, AGENT);
            // Of this version only: another API server may be doing the same.
            let make = |_: &Value| {
                let mut new = secret.as_ref().clone();
                new["data"][bootstrap_token::USED_BY] = json!(STANDARD.encode(user));
                Ok(new)
            };
            return self.server.registry.change(&Call::of(&request)?, Verb::Update, &make).await.map(|_| None);
        }
        Ok((by != user).then(|| by.split(' ').next().unwrap_or_default().to_owned()))
    }

    async fn all(&self, resource: Resource) -> Result<Vec<Value>, ApiError> {
        let cache = self.server.registry.caches().of(&kind(resource)).await?;
        let listed = cache.list("", &Selection::default());
        Ok(listed.objects.iter().map(|object| object.value()).collect())
    }

    /// Where API servers and other nodes are.
    async fn others(&self, node: &str) -> Result<Vec<IpAddr>, ApiError> {
        let mut found = Vec::new();
        for other in self.all(NODES).await?.iter().filter(|other| text(other, "metadata.name") != node) {
            let all = other.pointer("/status/addresses").and_then(Value::as_array);
            found.extend(
                all.into_iter().flatten().filter_map(|address| text(address, "address").parse::<IpAddr>().ok()),
            );
        }
        for slice in self.all(ENDPOINT_SLICES).await? {
            let servers = text(&slice, "metadata.namespace") == "default"
                && slice["metadata"]["labels"]["kubernetes.io/service-name"] == "kubernetes";
            let endpoints = slice["endpoints"].as_array().filter(|_| servers);
            let addresses = endpoints.into_iter().flatten().flat_map(|endpoint| strings(&endpoint["addresses"]));
            found.extend(addresses.filter_map(|address| address.parse::<IpAddr>().ok()));
        }
        Ok(found)
    }

    async fn services(&self) -> Result<Vec<AddressRange>, ApiError> {
        let ranges = self.all(SERVICE_CIDRS).await?;
        let texts = ranges.iter().flat_map(|range| strings(&range["spec"]["cidrs"]));
        Ok(texts.filter_map(|text| AddressRange::parse(&text).ok()).collect())
    }

    /// Writes what was decided about this version, and about no later one.
    async fn write(
        &self,
        seen: &Value,
        subresource: &str,
        edit: impl Fn(&mut Value) + Send + Sync,
    ) -> Result<(), ApiError> {
        let identity = Identity::new("system:apiserver", [GROUP_MASTERS]);
        let name = text(seen, "metadata.name");
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
        user: text(spec, "username").to_owned(),
        uid: text(spec, "uid").to_owned(),
        groups: strings(&spec["groups"]),
        extra,
    }
}
