//! The typed request: method, path and query parsed once, then used alike by authorization, admission and storage.
//!
//! Names and namespaces that leave this file are safe as path segments and as parts of store keys. Who asks is settled
//! before (`auth`), what the body says after (`registry`).

mod options;

pub use options::{FieldValidation, Options, Propagation, RevisionMatch, Selection, parameter};

use crate::audit::Notes;
use crate::auth::Attributes;
use crate::error::ApiError;
use client::identity::Identity;
use http::Method;
use kinds::kind::Kind;
use kinds::row::Scope;
use percent_encoding::percent_decode_str;
use std::sync::Arc;

/// What is done to a resource; the words of RBAC rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    Get,
    List,
    Watch,
    Create,
    Update,
    Patch,
    Delete,
    DeleteCollection,
}

impl Verb {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
        }
    }
}

/// A request for `/api/v1/..` or `/apis/<group>/<version>/..` that names a resource.
#[derive(Clone)]
pub struct Request {
    pub verb: Verb,
    pub group: String,
    pub version: String,
    /// Plural, as in the path.
    pub resource: String,
    /// `""`, `status`, `log`, ..
    pub subresource: String,
    /// What follows the subresource in the path (`proxy/a/b`: `a/b`), not decoded.
    pub rest: String,
    /// `""` for cluster-scoped resources and for all namespaces.
    pub ns: String,
    /// `""` for collections.
    pub name: String,
    pub path: String,
    /// `None`: no such resource is served (answered with 404 after authorization).
    pub kind: Option<Arc<dyn Kind>>,
    pub options: Options,
    pub identity: Identity,
    /// The field manager of clients that name none: the user agent up to its first `/`.
    pub agent: String,
    /// For the audit.
    pub notes: Notes,
}

impl Request {
    /// What it wants to do, in the words of an authorization rule.
    pub fn attributes(&self) -> Attributes<'_> {
        Attributes {
            verb: self.verb.as_str(),
            group: &self.group,
            version: &self.version,
            resource: &self.resource,
            subresource: &self.subresource,
            namespace: &self.ns,
            name: &self.name,
            fields: Some(&self.options.selection.fields),
            labels: Some(&self.options.selection.labels),
            path: None,
        }
    }

    /// A request from inside this process, with default options; `agent` is the field manager.
    pub fn internal(verb: Verb, kind: &Arc<dyn Kind>, ns: &str, name: &str, identity: Identity, agent: &str) -> Self {
        let row = kind.row();
        Self {
            verb,
            group: row.group.to_string(),
            version: row.version.to_string(),
            resource: row.plural.to_string(),
            subresource: String::new(),
            rest: String::new(),
            ns: ns.to_owned(),
            name: name.to_owned(),
            path: String::new(),
            kind: Some(Arc::clone(kind)),
            options: Options::default(),
            identity,
            agent: agent.to_owned(),
            notes: Notes::default(),
        }
    }
}

/// Everything else: discovery, health, version, metrics.
#[derive(Clone, Debug)]
pub struct NonResource {
    /// Lower case method.
    pub verb: String,
    pub path: String,
    pub identity: Identity,
}

#[derive(Clone)]
pub enum Target {
    Resource(Box<Request>),
    NonResource(NonResource),
}

impl Target {
    pub fn identity(&self) -> &Identity {
        match self {
            Self::Resource(request) => &request.identity,
            Self::NonResource(request) => &request.identity,
        }
    }

    /// In whose name it goes on.
    pub(crate) fn act_as(&mut self, other: Identity) {
        match self {
            Self::Resource(request) => request.identity = other,
            Self::NonResource(request) => request.identity = other,
        }
    }

    /// See [`Request::attributes`].
    pub fn attributes(&self) -> Attributes<'_> {
        match self {
            Self::Resource(request) => request.attributes(),
            Self::NonResource(request) => {
                Attributes { verb: &request.verb, path: Some(&request.path), ..Attributes::default() }
            }
        }
    }
}

/// Longest path that is looked at: names are at most 253 bytes each, so a longer one is no resource.
const PATH_MAX: usize = 8 << 10;

/// `find` looks a kind up by group, version and plural.
pub fn parse(
    method: &Method,
    path: &str,
    query: Option<&str>,
    identity: Identity,
    find: impl Fn(&str, &str, &str) -> Option<Arc<dyn Kind>>,
) -> Result<Target, ApiError> {
    if path.len() > PATH_MAX {
        return Err(ApiError::bad_request(format!("the path is longer than {PATH_MAX} bytes")));
    }
    let Some(route) = Route::of(path)? else {
        let verb = method.as_str().to_ascii_lowercase();
        return Ok(Target::NonResource(NonResource { verb, path: path.to_owned(), identity }));
    };
    let mut options = Options::parse(method, query)?;
    if route.watch && !route.name.is_empty() {
        // The old way to watch one object: authorized by its name, so it must not show any other.
        options.selection.narrow(&route.name)?;
    }
    let verb = verb_of(method, &route, &options)?;
    let kind = find(&route.group, &route.version, &route.resource).filter(|kind| scope_fits(kind, &route, verb));
    let name = match verb {
        // k8s: a collection narrowed to one name is authorized by that name.
        Verb::List | Verb::Watch | Verb::DeleteCollection if route.name.is_empty() => {
            options.selection.single_name().unwrap_or_default()
        }
        _ => route.name,
    };
    Ok(Target::Resource(Box::new(Request {
        verb,
        group: route.group,
        version: route.version,
        resource: route.resource,
        subresource: route.subresource,
        rest: route.rest,
        ns: route.ns,
        name,
        path: path.to_owned(),
        kind,
        options,
        identity,
        agent: String::new(),
        notes: Notes::default(),
    })))
}

/// A path that names a resource, in pieces.
#[derive(Debug, Default, PartialEq, Eq)]
struct Route {
    group: String,
    version: String,
    resource: String,
    subresource: String,
    rest: String,
    ns: String,
    name: String,
    /// The deprecated `/watch/` prefix.
    watch: bool,
}

impl Route {
    /// `None` where the path names no resource.
    fn of(path: &str) -> Result<Option<Self>, ApiError> {
        let Some(path) = path.strip_prefix('/') else { return Ok(None) };
        let segments: Vec<&str> = path.trim_end_matches('/').split('/').collect();
        let (group, version, rest) = match segments.as_slice() {
            ["api", version, rest @ ..] if !rest.is_empty() => ("", *version, rest),
            ["apis", group, version, rest @ ..] if !rest.is_empty() => (*group, *version, rest),
            _ => return Ok(None),
        };
        let group = if group.is_empty() { String::new() } else { decode(group)? };
        let mut route = Self { group, version: decode(version)?, ..Self::default() };
        let rest = match rest {
            ["watch", rest @ ..] if !rest.is_empty() => {
                route.watch = true;
                rest
            }
            rest => rest,
        };
        let tail = match rest {
            // Namespaces are themselves a resource with two subresources.
            ["namespaces", name, sub @ ("status" | "finalize")] => {
                route.resource = "namespaces".into();
                route.name = decode(name)?;
                route.ns.clone_from(&route.name);
                route.subresource = (*sub).into();
                return Ok(Some(route));
            }
            ["namespaces", _, "namespaces", ..] if route.group.is_empty() => return Ok(None),
            ["namespaces", ns, resource, tail @ ..] => {
                route.ns = decode(ns)?;
                route.resource = decode(resource)?;
                tail
            }
            [resource, tail @ ..] => {
                route.resource = decode(resource)?;
                tail
            }
            [] => return Ok(None),
        };
        if let [name, tail @ ..] = tail {
            route.name = decode(name)?;
            if let [subresource, tail @ ..] = tail {
                route.subresource = decode(subresource)?;
                route.rest = tail.join("/");
            }
        }
        if route.resource == "namespaces" && route.group.is_empty() {
            route.ns.clone_from(&route.name);
        }
        Ok(Some(route))
    }
}

/// A decoded segment that cannot escape its place in a path or key.
/// k8s: path.IsValidPathSegmentName
fn decode(segment: &str) -> Result<String, ApiError> {
    let text = percent_decode_str(segment)
        .decode_utf8()
        .map_err(|_| ApiError::bad_request(format!("the path segment {segment:?} is not UTF-8")))?;
    let why = match &*text {
        "" => "may not be empty",
        "." => "may not be '.'",
        ".." => "may not be '..'",
        text if text.contains('/') => "may not contain '/'",
        text if text.contains('%') => "may not contain '%'",
        text if text.contains('\0') => "may not contain NUL",
        _ => return Ok(text.into_owned()),
    };
    Err(ApiError::bad_request(format!("Name parameter invalid: {:?}: {why}", &*text)))
}

fn verb_of(method: &Method, route: &Route, options: &Options) -> Result<Verb, ApiError> {
    let named = !route.name.is_empty();
    Ok(match *method {
        Method::GET | Method::HEAD if route.watch => Verb::Watch,
        Method::GET | Method::HEAD if named => Verb::Get,
        Method::GET | Method::HEAD if options.watch => Verb::Watch,
        Method::GET | Method::HEAD => Verb::List,
        Method::POST => Verb::Create,
        Method::PUT => Verb::Update,
        Method::PATCH => Verb::Patch,
        Method::DELETE if named => Verb::Delete,
        Method::DELETE => Verb::DeleteCollection,
        // What is behind a proxy is asked what it can do: whoever may read it may ask.
        Method::OPTIONS if route.subresource == "proxy" => Verb::Get,
        _ => return Err(ApiError::method_not_allowed(&route.group, &route.resource)),
    })
}

/// Whether the path's scope is the kind's: a cluster-scoped object is never reached through a namespace, and a
/// namespaced one without a namespace only by reading all of them.
/// k8s: CVE-2019-11247
fn scope_fits(kind: &Arc<dyn Kind>, route: &Route, verb: Verb) -> bool {
    let row = kind.row();
    match row.scope {
        Scope::Cluster => route.ns.is_empty() || (row.group.is_empty() && row.plural == "namespaces"),
        Scope::Namespaced if !route.ns.is_empty() => true,
        Scope::Namespaced => match verb {
            Verb::List | Verb::Watch => true,
            // Answered with 405 by the dispatcher: the resource exists, the method needs a namespace.
            Verb::Create | Verb::DeleteCollection => route.name.is_empty(),
            Verb::Get | Verb::Update | Verb::Patch | Verb::Delete => false,
        },
    }
}

#[cfg(test)]
mod tests;
