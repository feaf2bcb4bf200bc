//! From a typed, authorized request to the registry or a subresource, and from its result to a response. No rules here.

use crate::error::{ApiError, Qualified};
use crate::negotiate::{self, Answer, Offer};
use crate::publish::metrics::RequestLabels;
use crate::registry::decode::{self, BODY_MAX};
use crate::registry::delete::DeleteOptions;
use crate::registry::list::List;
use crate::registry::patch::Patch;
use crate::registry::{Call, Written, exceptions};
use crate::request::{Request, Verb};
use crate::respond::{self, Include, ListMeta, Upgrade, View, WatchParams};
use crate::server::Server;
use crate::subresource::part;
use crate::{components, usage};
use axum::body::Body;
use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use kinds::kind::Kind;
use rand::RngExt;
use serde_json::Value;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// k8s: a watch without a timeout ends after a random time in this range, so that reconnects spread out.
const WATCH_S_MIN: u64 = 1800;
const WATCH_S_MAX: u64 = 3600;

type Answered = Result<Response<Body>, ApiError>;

/// What metrics call the request; `None` where it names nothing that is served.
pub fn labels(request: &Request) -> Option<RequestLabels> {
    let row = request.kind.as_ref()?.row();
    let subresource = row.subresource(&request.subresource).map(|known| known.name.clone());
    Some(RequestLabels {
        verb: request.verb.as_str(),
        group: row.group.clone(),
        version: row.version.clone(),
        resource: row.plural.clone(),
        subresource: subresource.unwrap_or_default(),
    })
}

/// Serves a request for a resource.
pub async fn resource(server: &Arc<Server>, request: &Request, parts: Parts, body: Body) -> Answered {
    let call = Call::of(request)?;
    check_served(&call, request)?;
    // k8s: routes of built-in kinds take a GET and no HEAD; what is behind a proxy, and the one handler of all custom
    // resources, take both
    if parts.method == Method::HEAD && call.subresource != "proxy" && call.kind.custom().is_none() {
        return Err(method_not_allowed(&call));
    }
    let mut response = served(server, &call, parts, body).await?;
    if let Some(text) = &call.row().deprecation {
        respond::warn(&mut response, &[text.to_string()]);
    }
    Ok(response)
}

async fn served(server: &Arc<Server>, call: &Call<'_>, parts: Parts, body: Body) -> Answered {
    match call.subresource {
        "" if call.request.verb == Verb::Create && !is_stored(call) => unstored(server, call, &parts, body).await,
        "" if call.row().group == kinds::metrics::GROUP => {
            usage::serve(server, call, &view(server, call, &parts)?).await
        }
        "" if call.row().group.is_empty() && call.row().plural == components::PLURAL => {
            components::serve(server, call, &view(server, call, &parts)?).await
        }
        "" => whole(server, call, &parts, body).await,
        name if part::PARTS.contains(&name) => whole(server, call, &parts, body).await,
        "scale" => scale(server, call, &parts, body).await,
        "binding" => binding(server, call, &parts, body).await,
        "eviction" => eviction(server, call, &parts, body).await,
        _ => crate::subresource::stream(server, call, parts, body).await,
    }
}

/// Whether the resource and the subresource know this verb.
fn check_served(call: &Call<'_>, request: &Request) -> Result<(), ApiError> {
    let row = call.row();
    let verb = request.verb.as_str();
    let known = match request.subresource.as_str() {
        "" if row.namespaced() && request.ns.is_empty() => {
            matches!(request.verb, Verb::List | Verb::Watch) && row.has_verb(verb)
        }
        "" if request.name.is_empty() && matches!(request.verb, Verb::Update | Verb::Patch) => false,
        "" => row.has_verb(verb),
        name => match row.subresource(name) {
            None => return Err(ApiError::NoSuchResource),
            Some(subresource) => subresource.verbs.iter().any(|known| known == verb),
        },
    };
    if known { Ok(()) } else { Err(ApiError::method_not_allowed(&row.group, &row.plural)) }
}

/// Reviews and bindings are answered, not kept.
fn is_stored(call: &Call<'_>) -> bool {
    call.row().has_verb("get")
}

fn view(server: &Server, call: &Call<'_>, parts: &Parts) -> Result<View, ApiError> {
    view_of(server, call, parts, call.kind)
}

/// How to show objects of a kind that may be another than the call's.
fn view_of(server: &Server, call: &Call<'_>, parts: &Parts, kind: &Arc<dyn Kind>) -> Result<View, ApiError> {
    let offer = Offer::of(kind.row());
    // k8s: a first list that comes as events cannot come as rows
    let listed = call.request.verb == Verb::Watch && call.options.send_initial_events == Some(true);
    let answer = Answer::of(&parts.headers, call.options, if listed { offer.without_tables() } else { offer })?;
    let include = Include::of(answer, call.options.raw("includeObject"))?;
    Ok(View { kind: Arc::clone(kind), answer, include, clock: Arc::clone(server.registry.clock()) })
}

/// The object itself, or a part that is written as the whole object.
async fn whole(server: &Arc<Server>, call: &Call<'_>, parts: &Parts, body: Body) -> Answered {
    let registry = &server.registry;
    let view = view(server, call, parts)?;
    match call.request.verb {
        Verb::Get => Ok(respond::object(&view, StatusCode::OK, registry.get(call).await?, &[])),
        Verb::List => {
            let List { objects, rev, continue_token, remaining } = registry.list(call).await?;
            Ok(respond::list(&view, objects, &ListMeta { rev, continue_token: &continue_token, remaining }))
        }
        Verb::Watch => watch(server, call, parts, view).await,
        // A body with another name would pass what was authorized by the name in the path.
        Verb::Create if !call.name.is_empty() => Err(method_not_allowed(call)),
        Verb::Create => {
            let bytes = read(body).await?;
            let (object, warnings) =
                decode::object(call, &bytes, negotiate::object_format(&parts.headers, call.row())?)?;
            Ok(written(&view, registry.create(call, object).await?, warnings))
        }
        Verb::Update => {
            let bytes = read(body).await?;
            let (object, warnings) =
                decode::object(call, &bytes, negotiate::object_format(&parts.headers, call.row())?)?;
            Ok(written(&view, registry.update(call, object).await?, warnings))
        }
        Verb::Patch => {
            let media = negotiate::content_type(&parts.headers).to_owned();
            let patch = Patch::parse(&media, &read(body).await?)?;
            Ok(written(&view, registry.patch(call, &patch).await?, Vec::new()))
        }
        Verb::Delete => {
            let options = delete_options(call, parts, body).await?;
            let row = call.row();
            let deleted = registry.delete(call, &options).await?;
            if deleted.gone && !exceptions::delete_returns_object(row) {
                let mut response = respond::deleted(view.answer, row, call.name, &deleted);
                respond::warn(&mut response, &deleted.warnings);
                return Ok(response);
            }
            let told_to_wait = options.cascades_explicitly && !deleted.gone;
            let code = if told_to_wait { StatusCode::ACCEPTED } else { StatusCode::OK };
            Ok(respond::object(&view, code, deleted.json, &deleted.warnings))
        }
        Verb::DeleteCollection => {
            let options = delete_options(call, parts, body).await?;
            let List { objects, rev, continue_token, remaining } = registry.delete_collection(call, &options).await?;
            Ok(respond::list(&view, objects, &ListMeta { rev, continue_token: &continue_token, remaining }))
        }
    }
}

fn written(view: &View, written: Written, mut warnings: Vec<String>) -> Response<Body> {
    let code = if written.created { StatusCode::CREATED } else { StatusCode::OK };
    warnings.extend(written.warnings);
    respond::object(view, code, written.json, &warnings)
}

async fn watch(server: &Arc<Server>, call: &Call<'_>, parts: &Parts, view: View) -> Answered {
    let upgrade = Upgrade::of(parts).await?;
    let timeout = watch_timeout(call.options.timeout_seconds, |range| rand::rng().random_range(range));
    let started = server.registry.watch(call).await?;
    let params = WatchParams {
        timeout,
        bookmark_every: call.options.allow_watch_bookmarks.then_some(server.bookmark_every),
        drain: server.draining.clone(),
        open: labels(call.request).map(|labels| server.publisher.metrics().open(&labels)),
    };
    let caches = Arc::clone(server.registry.caches());
    respond::watch(view, started, params, Arc::new(move || caches.rev()), upgrade)
}

fn watch_timeout(asked_seconds: Option<u64>, random: impl FnOnce(Range<u64>) -> u64) -> Duration {
    Duration::from_secs(asked_seconds.unwrap_or_else(|| random(WATCH_S_MIN..WATCH_S_MAX)))
}

async fn delete_options(call: &Call<'_>, parts: &Parts, body: Body) -> Result<DeleteOptions, ApiError> {
    let bytes = read(body).await?;
    if bytes.is_empty() {
        return DeleteOptions::of(call.options, None);
    }
    let tree = decode::tree(&bytes, negotiate::body_format(&parts.headers)?)?;
    DeleteOptions::of(call.options, Some(&tree))
}

/// Reviews, and the old way to bind a pod.
async fn unstored(server: &Arc<Server>, call: &Call<'_>, parts: &Parts, body: Body) -> Answered {
    let row = call.row();
    let format = negotiate::object_format(&parts.headers, row)?;
    let (object, warnings) = decode::object(call, &read(body).await?, format)?;
    let view = view(server, call, parts)?;
    if row.group.is_empty() && row.plural == "bindings" {
        return bind_by_body(server, call, parts, object).await;
    }
    let answered = crate::subresource::review(server, call, object).await?;
    let json = serde_json::to_vec(&answered).expect("a JSON tree always encodes");
    Ok(respond::object(&view, StatusCode::CREATED, json.into(), &warnings))
}

async fn bind_by_body(server: &Arc<Server>, call: &Call<'_>, parts: &Parts, object: Value) -> Answered {
    let name = crate::registry::metadata::text(&object, "name");
    if name.is_empty() {
        return Err(ApiError::bad_request("metadata.name is required: the pod to bind"));
    }
    let pods = server.find("", "v1", "pods").ok_or(ApiError::NoSuchResource)?;
    let mut request = call.request.clone();
    "pods".clone_into(&mut request.resource);
    "binding".clone_into(&mut request.subresource);
    name.clone_into(&mut request.name);
    request.kind = Some(pods);
    let warnings = server.registry.bind(&Call::of(&request)?, object).await?;
    done(call, parts, &warnings)
}

async fn scale(server: &Arc<Server>, call: &Call<'_>, parts: &Parts, body: Body) -> Answered {
    let registry = &server.registry;
    let view = view_of(server, call, parts, kinds::table::scale())?;
    let mut warnings = Vec::new();
    let scale = match call.request.verb {
        Verb::Get => registry.scale(call).await?,
        Verb::Update => {
            let (tree, said) = part(call, parts, body).await?;
            warnings = said;
            registry.update_scale(call, &tree).await?
        }
        Verb::Patch => {
            let media = negotiate::content_type(&parts.headers).to_owned();
            registry.patch_scale(call, &Patch::parse(&media, &read(body).await?)?).await?
        }
        _ => return Err(method_not_allowed(call)),
    };
    Ok(respond::object(&view, StatusCode::OK, scale.to_string().into(), &warnings))
}

async fn binding(server: &Arc<Server>, call: &Call<'_>, parts: &Parts, body: Body) -> Answered {
    let (tree, mut warnings) = part(call, parts, body).await?;
    warnings.extend(server.registry.bind(call, tree).await?);
    done(call, parts, &warnings)
}

async fn eviction(server: &Arc<Server>, call: &Call<'_>, parts: &Parts, body: Body) -> Answered {
    let (tree, mut warnings) = part(call, parts, body).await?;
    warnings.extend(server.registry.evict(call, tree).await?);
    done(call, parts, &warnings)
}

/// A binding or an eviction was carried out.
fn done(call: &Call<'_>, parts: &Parts, warnings: &[String]) -> Answered {
    let mut response = respond::success(Answer::of(&parts.headers, call.options, Offer::Plain)?, StatusCode::CREATED);
    respond::warn(&mut response, warnings);
    Ok(response)
}

fn method_not_allowed(call: &Call<'_>) -> ApiError {
    ApiError::MethodNotAllowed { resource: Qualified::resource(call.row()) }
}

/// What a subresource takes, with warnings.
pub async fn part(call: &Call<'_>, parts: &Parts, body: Body) -> Result<(Value, Vec<String>), ApiError> {
    let format = negotiate::body_format(&parts.headers)?;
    decode::part(call, &read(body).await?, format)
}

/// The whole body, bounded.
pub async fn read(body: Body) -> Result<Bytes, ApiError> {
    match Limited::new(body, BODY_MAX).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(ApiError::too_large(BODY_MAX)),
        Err(error) => Err(ApiError::bad_request(format!("the body ended early: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_without_a_timeout_ends_between_half_an_hour_and_an_hour() {
        assert_eq!(watch_timeout(Some(290), |range| range.start), Duration::from_secs(290));
        assert_eq!(watch_timeout(None, |range| range.start), Duration::from_mins(30));
        assert_eq!(watch_timeout(None, |range| range.end), Duration::from_hours(1));
    }
}
