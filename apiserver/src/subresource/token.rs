//! `serviceaccounts/token`: a signed, expiring token for an account, bound to it and (where asked) to a pod, secret or node.
//! k8s: `registry/core/serviceaccount/storage/token.go`.

use crate::auth::objects::{CachedObjects, NODES, Objects, PODS, Resource, SECRETS, SERVICE_ACCOUNTS};
use crate::auth::service_account::{Claims, Kubernetes, Reference, identity_of};
use crate::error::{ApiError, Qualified};
use crate::negotiate::{Answer, Offer};
use crate::registry::{Call, create::new_uid};
use crate::server::Server;
use crate::{dispatch, respond};
use axum::body::Body;
use http::request::Parts;
use http::{Response, StatusCode};
use kinds::errors::FieldError;
use serde_json::{Value, json};
use std::sync::Arc;

const DEFAULT_SECONDS: i64 = 3600;
const MIN_SECONDS: i64 = 600;
const MAX_SECONDS: i64 = 1 << 32;
/// k8s: tokens that pods get by default ask for this many seconds; who only reads the file once shall not be locked out
/// after an hour, so such tokens live a year and say when they should have been replaced (`warnafter`).
const POD_SECONDS: i64 = 3607;
const EXTENDED_SECONDS: i64 = 365 * 86_400;
/// Names that a token may carry; more is a mistake or an attack on parsers.
const AUDIENCES_MAX: usize = 64;

pub(super) async fn respond(
    server: &Server,
    call: &Call<'_>,
    parts: &Parts,
    body: Body,
) -> Result<Response<Body>, ApiError> {
    let answer = Answer::of(&parts.headers, call.options, Offer::Plain)?;
    let (object, warnings) = dispatch::part(call, parts, body).await?;
    let kind = object.get("kind").and_then(Value::as_str).unwrap_or("TokenRequest");
    if kind != "TokenRequest" {
        return Err(ApiError::bad_request(format!("{kind:?} is not a TokenRequest of authentication.k8s.io/v1")));
    }
    let mut response = respond::tree(answer, StatusCode::CREATED, &create(server, call, object).await?);
    respond::warn(&mut response, &warnings);
    Ok(response)
}

/// The request with its `status`.
async fn create(server: &Server, call: &Call<'_>, mut object: Value) -> Result<Value, ApiError> {
    let objects = CachedObjects::new(Arc::clone(server.registry.caches()));
    let account = live(&objects, SERVICE_ACCOUNTS, call.ns, call.name).await?;
    let named = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    if !named.is_empty() && named != call.name {
        return Err(invalid(call, FieldError::invalid("metadata.name", named, "must match the service account name")));
    }
    settle(server, call, &mut object)?;
    server.registry.admit_unstored(call, &mut object).await?;
    let (pod, secret, node) = bindings(&objects, call, &object["spec"]["boundObjectRef"]).await?;

    let now = server.registry.now();
    let seconds = object["spec"]["expirationSeconds"].as_i64().unwrap_or(DEFAULT_SECONDS);
    let expires = jiff::Timestamp::from_second(now.as_second() + seconds)
        .map_err(|error| ApiError::internal(error.to_string()))?;
    let audiences = object["spec"]["audiences"].as_array().into_iter().flatten();
    let audiences: Vec<String> = audiences.filter_map(Value::as_str).map(str::to_owned).collect();
    let extended = seconds == POD_SECONDS && pod.is_some() && audiences == [server.tokens.issuer()];
    let claims = Claims {
        aud: audiences,
        exp: if extended { now.as_second() + EXTENDED_SECONDS } else { expires.as_second() },
        iat: now.as_second(),
        iss: server.tokens.issuer().to_owned(),
        jti: new_uid(),
        kubernetes: Kubernetes {
            namespace: call.ns.to_owned(),
            node,
            pod,
            secret,
            serviceaccount: reference(&account, call.name),
            warnafter: extended.then_some(expires.as_second()),
        },
        nbf: now.as_second(),
        sub: identity_of(call.ns, call.name).user,
    };
    let token = server.tokens.sign(&claims).map_err(|error| ApiError::internal(error.to_string()))?;
    object["status"] = json!({"token": token, "expirationTimestamp": rfc3339(expires)});
    object["metadata"] = json!({
        "name": call.name, "namespace": call.ns, "creationTimestamp": rfc3339(now),
    });
    Ok(object)
}

fn rfc3339(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Defaults and bounds.
fn settle(server: &Server, call: &Call<'_>, object: &mut Value) -> Result<(), ApiError> {
    object["apiVersion"] = json!("authentication.k8s.io/v1");
    object["kind"] = json!("TokenRequest");
    if !object["spec"].is_object() {
        object["spec"] = json!({});
    }
    let spec = &mut object["spec"];
    if spec["audiences"].as_array().is_none_or(Vec::is_empty) {
        spec["audiences"] = json!([server.tokens.issuer()]);
    }
    if spec["audiences"].as_array().is_some_and(|audiences| audiences.len() > AUDIENCES_MAX) {
        let found = spec["audiences"].as_array().map_or(0, Vec::len);
        return Err(invalid(call, FieldError::too_many("spec.audiences", found, AUDIENCES_MAX)));
    }
    let seconds = match &spec["expirationSeconds"] {
        Value::Null => DEFAULT_SECONDS,
        given => {
            given.as_i64().ok_or_else(|| ApiError::bad_request("spec.expirationSeconds is not a number of seconds"))?
        }
    };
    spec["expirationSeconds"] = json!(seconds);
    let refuse = |why: &str| Err(invalid(call, FieldError::invalid("spec.expirationSeconds", seconds, why)));
    match seconds {
        ..MIN_SECONDS => refuse("may not specify a duration less than 10 minutes"),
        MIN_SECONDS..=MAX_SECONDS => Ok(()),
        _ => refuse("may not specify a duration larger than 2^32 seconds"),
    }
}

fn invalid(call: &Call<'_>, error: FieldError) -> ApiError {
    ApiError::Invalid {
        kind: Qualified::new("authentication.k8s.io", "TokenRequest"),
        name: call.name.to_owned(),
        errors: vec![error],
    }
}

type Bound = (Option<Reference>, Option<Reference>, Option<Reference>);

/// Claims for the object that the token shall die with.
async fn bindings(objects: &CachedObjects, call: &Call<'_>, wanted: &Value) -> Result<Bound, ApiError> {
    let text = |field: &str| wanted[field].as_str().unwrap_or_default();
    if wanted.is_null() {
        return Ok((None, None, None));
    }
    let name = text("name");
    if name.is_empty() {
        return Err(invalid(call, FieldError::required("spec.boundObjectRef.name", "")));
    }
    match (text("apiVersion"), text("kind")) {
        ("" | "v1", "Pod") => {
            let pod = bound(objects, PODS, call.ns, wanted).await?;
            if pod.pointer("/spec/serviceAccountName").and_then(Value::as_str) != Some(call.name) {
                let why = format!(
                    "cannot bind token for serviceaccount {:?} to pod running with different serviceaccount name.",
                    call.name
                );
                return Err(ApiError::bad_request(why));
            }
            let node = match pod.pointer("/spec/nodeName").and_then(Value::as_str).filter(|node| !node.is_empty()) {
                Some(node) => Some(match objects.live(NODES, "", node).await? {
                    Some(found) => reference(&found, node),
                    None => Reference { name: node.to_owned(), uid: String::new() },
                }),
                None => None,
            };
            Ok((Some(reference(&pod, name)), None, node))
        }
        ("" | "v1", "Secret") => {
            let secret = bound(objects, SECRETS, call.ns, wanted).await?;
            Ok((None, Some(reference(&secret, name)), None))
        }
        ("" | "v1", "Node") => {
            let node = bound(objects, NODES, "", wanted).await?;
            Ok((None, None, Some(reference(&node, name))))
        }
        (version, kind) => {
            let why =
                format!("cannot bind token to object of type {version} {kind}: supported are Pod, Secret and Node");
            Err(ApiError::bad_request(why))
        }
    }
}

async fn bound(objects: &CachedObjects, resource: Resource, ns: &str, wanted: &Value) -> Result<Arc<Value>, ApiError> {
    let name = wanted["name"].as_str().unwrap_or_default();
    let found = live(objects, resource, ns, name).await?;
    let uid = found.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default();
    match wanted["uid"].as_str().filter(|asked| !asked.is_empty() && *asked != uid) {
        None => Ok(found),
        Some(asked) => Err(ApiError::Conflict {
            resource: Qualified::new("", resource.plural),
            name: name.to_owned(),
            why: format!(
                "the UID in the bound object reference ({asked}) does not match the UID in record. The object might have \
                 been deleted and then recreated"
            ),
        }),
    }
}

async fn live(objects: &CachedObjects, resource: Resource, ns: &str, name: &str) -> Result<Arc<Value>, ApiError> {
    let not_found = || ApiError::NotFound { resource: Qualified::new("", resource.plural), name: name.to_owned() };
    objects.live(resource, ns, name).await?.ok_or_else(not_found)
}

fn reference(object: &Value, name: &str) -> Reference {
    let uid = object.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default();
    Reference { name: name.to_owned(), uid: uid.to_owned() }
}
