//! What discovery and OpenAPI show of other API servers, beside what this one serves.

use super::available::reader;
use super::remote::Remote;
use super::{Aggregate, Registered};
use crate::negotiate::wants_aggregated_discovery;
use crate::publish::aggregated::MEDIA;
use crate::publish::{Publisher, Tagged, json_body};
use axum::body::Body;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH, VARY};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::sync::Arc;

const OPENAPI: &str = "/openapi/v3";
const OPENAPI_V2: &str = "/openapi/v2";
/// A group that has no APIService (`apiregistration.k8s.io` itself) comes first. k8s: its highest priority
const UNREGISTERED: i64 = 20_000;

/// The aggregated document that was merged last, and from what.
pub(super) struct Merged {
    own: HeaderValue,
    generation: u64,
    document: Arc<Tagged>,
}

impl Aggregate {
    /// The publisher's answer, with the remote groups in it where it lists groups.
    pub(crate) async fn publish(&self, publisher: &Publisher, mut parts: Parts) -> Response<Body> {
        let path = parts.uri.path().trim_end_matches('/').to_owned();
        if let Some(document) = path.strip_prefix(OPENAPI) {
            return self.openapi(publisher, document, parts).await;
        }
        if path == OPENAPI_V2 {
            return self.openapi_v2(publisher, &parts).await;
        }
        let group = path.strip_prefix("/apis/").filter(|group| !group.contains('/'));
        let concerned = path == "/apis" || group.is_some_and(|group| self.registered.serves(group));
        if !concerned || self.registered.remotes().is_empty() {
            return publisher.respond(&parts).await;
        }
        // The client's validator is that of the merged document.
        let known = parts.headers.remove(IF_NONE_MATCH);
        let accept = parts.headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !wants_aggregated_discovery(accept) {
            // Merged as JSON, whatever else the client reads.
            parts.headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        }
        let own = publisher.respond(&parts).await;
        if let Some(known) = known {
            parts.headers.insert(IF_NONE_MATCH, known);
        }
        match group {
            Some(group) => self.group(group, own).await,
            None if own.headers().get(CONTENT_TYPE).is_some_and(|media| media == MEDIA) => {
                self.aggregated(&parts, own).await
            }
            None => self.list(own).await,
        }
    }

    /// The index, with the documents of other servers in it; those are passed on as they are.
    /// k8s: `kube-aggregator/pkg/controllers/openapiv3`
    async fn openapi(&self, publisher: &Publisher, document: &str, parts: Parts) -> Response<Body> {
        // Exactly the document: everybody may read it, so what is asked of the other server in this one's name is no word of the
        // client's.
        let remote = document.strip_prefix('/').and_then(|path| self.behind(&format!("/{path}")));
        let asked = |remote: &Remote| remote.openapi().is_some() && remote.path() == document;
        match remote.filter(|remote| asked(remote) && parts.method == Method::GET) {
            Some(remote) => {
                let mut own = Request::new(()).into_parts().0;
                // Where it has said that its document is.
                own.uri = remote.openapi().and_then(|place| Uri::try_from(place).ok()).unwrap_or_default();
                for header in [ACCEPT, IF_NONE_MATCH] {
                    if let Some(value) = parts.headers.get(&header) {
                        own.headers.insert(header, value.clone());
                    }
                }
                let passed = self.pass(&remote, &reader(), own, Body::empty()).await;
                passed.unwrap_or_else(|error| crate::respond::error(&error))
            }
            None if document.is_empty() => {
                let shown = self.registered.remotes().into_iter().filter_map(|remote| {
                    let entry = json!({"serverRelativeURL": remote.openapi()?});
                    Some((remote.path().trim_start_matches('/').to_owned(), entry))
                });
                let shown: Vec<(String, Value)> = shown.collect();
                let own = publisher.respond(&parts).await;
                if shown.is_empty() || own.status() != StatusCode::OK {
                    return own;
                }
                let mut index = tree(own.into_body()).await;
                if let Some(paths) = index["paths"].as_object_mut() {
                    paths.extend(shown);
                }
                json_body(&index)
            }
            None => publisher.respond(&parts).await,
        }
    }

    async fn list(&self, own: Response<Body>) -> Response<Body> {
        let mut list = tree(own.into_body()).await;
        self.merge_groups(&mut list);
        let mut response = json_body(&list);
        response.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
        response
    }

    async fn group(&self, name: &str, own: Response<Body>) -> Response<Body> {
        let mut group = match own.status() {
            StatusCode::OK => tree(own.into_body()).await,
            _ => json!({"kind": "APIGroup", "apiVersion": "v1", "name": name, "versions": []}),
        };
        let mut list = json!({"groups": [group.take()]});
        self.merge_groups(&mut list);
        let groups = list["groups"].as_array().into_iter().flatten();
        match groups.into_iter().find(|group| group["name"] == name) {
            Some(group) => json_body(group),
            None => crate::respond::error(&crate::error::ApiError::NoSuchResource),
        }
    }

    async fn aggregated(&self, parts: &Parts, own: Response<Body>) -> Response<Body> {
        let tag = own.headers().get(ETAG).cloned().unwrap_or(HeaderValue::from_static(""));
        let generation = self.registered.generation();
        let held = self.merged.lock().as_ref().and_then(|merged| {
            (merged.own == tag && merged.generation == generation).then(|| Arc::clone(&merged.document))
        });
        let document = if let Some(document) = held {
            document
        } else {
            let mut list = tree(own.into_body()).await;
            self.merge_aggregated(&mut list);
            let document = Arc::new(Tagged::new(Bytes::from(list.to_string()), MEDIA));
            *self.merged.lock() = Some(Merged { own: tag, generation, document: Arc::clone(&document) });
            document
        };
        let mut response = document.respond(parts);
        response.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
        response
    }

    /// Adds the remote groups to an `APIGroupList`.
    fn merge_groups(&self, list: &mut Value) {
        let Some(groups) = list["groups"].as_array_mut() else { return };
        for remote in self.registered.remotes() {
            let entry = json!({
                "groupVersion": format!("{}/{}", remote.group, remote.version), "version": remote.version,
            });
            let at =
                place(groups, &remote.group, |group| &group["name"], || json!({"name": remote.group, "versions": []}));
            add_version(&self.registered, &remote, &mut groups[at], entry);
            groups[at]["preferredVersion"] = groups[at]["versions"][0].clone();
        }
        self.sort(groups, |group| &group["name"]);
    }

    /// Adds the remote groups to an `APIGroupDiscoveryList`; dead ones are shown as stale.
    fn merge_aggregated(&self, list: &mut Value) {
        let Some(groups) = list["items"].as_array_mut() else { return };
        for remote in self.registered.remotes() {
            let freshness = if remote.is_available() { "Current" } else { "Stale" };
            let entry = json!({
                "version": remote.version, "freshness": freshness, "resources": resources(&remote),
            });
            let at = place(
                groups,
                &remote.group,
                |group| &group["metadata"]["name"],
                || json!({"metadata": {"name": remote.group}, "versions": []}),
            );
            add_version(&self.registered, &remote, &mut groups[at], entry);
        }
        self.sort(groups, |group| &group["metadata"]["name"]);
    }

    fn sort(&self, groups: &mut [Value], name: fn(&Value) -> &Value) {
        let priority = |group: &Value| {
            let name = name(group).as_str().unwrap_or_default();
            self.registered.group_priority(name).unwrap_or(UNREGISTERED)
        };
        groups.sort_by_key(|group| std::cmp::Reverse(priority(group)));
    }
}

/// A document of our own making.
async fn tree(body: Body) -> Value {
    let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// Where the group is, made where it is missing.
fn place(groups: &mut Vec<Value>, name: &str, of: fn(&Value) -> &Value, make: impl FnOnce() -> Value) -> usize {
    groups.iter().position(|group| of(group) == name).unwrap_or_else(|| {
        groups.push(make());
        groups.len() - 1
    })
}

fn add_version(registered: &Registered, remote: &Arc<Remote>, group: &mut Value, entry: Value) {
    let Some(versions) = group["versions"].as_array_mut() else { return };
    // One that this server has too (metrics) is the other server's now.
    versions.retain(|version| version["version"] != entry["version"]);
    let priority = |version: &Value| {
        let version = version["version"].as_str().unwrap_or_default();
        registered.priority(&remote.group, version).map_or(0, |priority| priority.version)
    };
    let own = priority(&entry);
    let at = versions.iter().position(|version| priority(version) < own).unwrap_or(versions.len());
    versions.insert(at, entry);
}

/// The remote server's `APIResourceList` in the new form.
fn resources(remote: &Remote) -> Vec<Value> {
    let list = remote.resources().unwrap_or_default();
    let entries = list["resources"].as_array().cloned().unwrap_or_default();
    let response_kind = |entry: &Value| {
        let given = |field: &str, default: &str| match entry[field].as_str() {
            Some(text) if !text.is_empty() => text.to_owned(),
            Some(_) | None => default.to_owned(),
        };
        json!({
            "group": given("group", &remote.group), "version": given("version", &remote.version), "kind": entry["kind"],
        })
    };
    let mut shown: Vec<Value> = Vec::new();
    for entry in &entries {
        let name = entry["name"].as_str().unwrap_or_default();
        let verbs = &entry["verbs"];
        match name.split_once('/') {
            None => {
                let mut resource = json!({
                    "resource": name, "responseKind": response_kind(entry), "verbs": verbs,
                    "scope": if entry["namespaced"] == true { "Namespaced" } else { "Cluster" },
                    "singularResource": entry["singularName"],
                });
                for field in ["shortNames", "categories"] {
                    if entry[field].is_array() {
                        resource[field] = entry[field].clone();
                    }
                }
                shown.push(resource);
            }
            Some((parent, sub)) => {
                let Some(parent) = shown.iter_mut().find(|resource| resource["resource"] == parent) else { continue };
                let sub = json!({"subresource": sub, "responseKind": response_kind(entry), "verbs": verbs});
                match parent["subresources"].as_array_mut() {
                    Some(subresources) => subresources.push(sub),
                    None => parent["subresources"] = json!([sub]),
                }
            }
        }
    }
    shown
}
