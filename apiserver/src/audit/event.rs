//! An audit event, field by field.
//! k8s: `pkg/apis/audit/v1`, `pkg/audit/request.go`

use super::policy::{Level, Stage};
use crate::auth::Attributes;
use crate::auth::review::user_info;
use client::identity::Identity;
use http::request::Parts;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// k8s: maxUserAgentLength
const AGENT_BYTES_MAX: usize = 1024;
const CUT: &str = "...TRUNCATED";

/// Request extension: where the connection comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PeerAddress(pub(crate) IpAddr);

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event {
    kind: &'static str,
    api_version: &'static str,
    pub(super) level: Level,
    #[serde(rename = "auditID")]
    pub(super) audit_id: String,
    pub(super) stage: Stage,
    #[serde(rename = "requestURI")]
    request_uri: String,
    verb: String,
    user: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) impersonated_user: Option<Value>,
    #[serde(rename = "sourceIPs", skip_serializing_if = "Vec::is_empty")]
    source_ips: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    user_agent: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) object_ref: Option<ObjectRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) response_status: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) request_object: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) response_object: Option<Value>,
    request_received_timestamp: String,
    pub(super) stage_timestamp: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ObjectRef {
    #[serde(skip_serializing_if = "String::is_empty")]
    resource: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    namespace: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    uid: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    api_group: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    api_version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    resource_version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    subresource: String,
}

impl ObjectRef {
    /// What the object of the request says and its path does not.
    pub(super) fn complete(&mut self, object: &Value) {
        let meta = &object["metadata"];
        for (field, known) in
            [("name", &mut self.name), ("uid", &mut self.uid), ("resourceVersion", &mut self.resource_version)]
        {
            if let Some(text) = meta[field].as_str().filter(|_| known.is_empty()) {
                text.clone_into(known);
            }
        }
    }
}

/// As MicroTime is written.
pub(super) fn moment(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

impl Event {
    pub(super) fn verb(&self) -> &str {
        &self.verb
    }

    /// At the stage RequestReceived; `user` is `None` where nobody knows.
    pub(super) fn new(
        parts: &Parts,
        asked: &Attributes<'_>,
        user: Option<&Identity>,
        level: Level,
        audit_id: &str,
        now: Timestamp,
    ) -> Self {
        let uri = parts.uri.path_and_query().map_or("", |path| path.as_str());
        let object_ref = asked.path.is_none().then(|| ObjectRef {
            resource: asked.resource.to_owned(),
            namespace: asked.namespace.to_owned(),
            name: asked.name.to_owned(),
            api_group: asked.group.to_owned(),
            api_version: asked.version.to_owned(),
            subresource: asked.subresource.to_owned(),
            ..ObjectRef::default()
        });
        Self {
            kind: "Event",
            api_version: "audit.k8s.io/v1",
            level,
            audit_id: audit_id.to_owned(),
            stage: Stage::RequestReceived,
            request_uri: uri.to_owned(),
            verb: asked.verb.to_owned(),
            user: user.map_or_else(|| json!({}), user_info),
            impersonated_user: None,
            source_ips: sources(parts),
            user_agent: agent(parts),
            object_ref,
            response_status: None,
            request_object: None,
            response_object: None,
            request_received_timestamp: moment(now),
            stage_timestamp: moment(now),
            annotations: BTreeMap::new(),
        }
    }
}

fn agent(parts: &Parts) -> String {
    let text = parts.headers.get("user-agent").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if text.len() <= AGENT_BYTES_MAX { text.to_owned() } else { format!("{}{CUT}", &text[..AGENT_BYTES_MAX]) }
}

/// What proxies say they have passed on for, and then the peer. k8s: utilnet.SourceIPs
fn sources(parts: &Parts) -> Vec<String> {
    let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut all: Vec<IpAddr> = text("x-forwarded-for").split(',').filter_map(|ip| ip.trim().parse().ok()).collect();
    let peer = parts.extensions.get::<PeerAddress>().map(|PeerAddress(ip)| ip.to_canonical());
    for next in text("x-real-ip").trim().parse().ok().into_iter().chain(peer) {
        if all.last() != Some(&next) {
            all.push(next);
        }
    }
    all.iter().map(ToString::to_string).collect()
}

/// `metadata.managedFields` of an object, and of the items of a list, are long, and nobody's words.
pub(super) fn without_managed_fields(object: &mut Value) {
    if let Some(meta) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        meta.remove("managedFields");
    }
    for item in object.get_mut("items").and_then(Value::as_array_mut).into_iter().flatten() {
        without_managed_fields(item);
    }
}
