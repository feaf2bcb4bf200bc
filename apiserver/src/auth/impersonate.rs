//! `Impersonate-*` headers: acting as somebody else, where the caller may.
//! k8s: `filters/impersonation`, constrained impersonation included (KEP-5284)
//!
//! There are several ways to be allowed to. `impersonate` lets the caller do whatever the other one may. The constrained modes
//! let it do only what it may itself do with `impersonate-on:<mode>:<verb>`, for users that it may `impersonate:<mode>`.

use super::{
    Attributes, Authorizer, Decision, GROUP_AUTHENTICATED, GROUP_MASTERS, GROUP_UNAUTHENTICATED, USER_ANONYMOUS, node,
    service_account,
};
use client::identity::Identity;
use http::{HeaderMap, HeaderName};
use kinds::validate::format;
use std::collections::BTreeMap;

const USER: &str = "impersonate-user";
const GROUP: &str = "impersonate-group";
const UID: &str = "impersonate-uid";
const EXTRA_PREFIX: &str = "impersonate-extra-";

const AUTHENTICATION: &str = "authentication.k8s.io";
/// In place of what a token says of its pod and node: which of it there is.
const ASSOCIATED_KEYS: &str = "authentication.kubernetes.io/associated-node-keys";

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ImpersonationError {
    #[error("requested {0} without impersonating a user")]
    NoUser(&'static str),
    #[error("impersonation header {0:?} is not text")]
    Malformed(String),
    #[error("{message}")]
    Forbidden { group: String, resource: String, name: String, message: String },
    #[error("{0}")]
    ForbiddenPath(String),
}

/// A constrained mode: its name in verbs, and whom it is for.
struct Mode {
    name: &'static str,
    /// By the user that is wanted, and the caller.
    fits: fn(&Identity, &Identity) -> bool,
}

const ASSOCIATED_NODE: &str = "associated-node";

/// k8s: allImpersonationModes, but for the one without constraints, which comes last
const MODES: [Mode; 4] = [
    Mode { name: ASSOCIATED_NODE, fits: |wanted, caller| is_bare(wanted) && runs_on(caller, wanted) },
    Mode { name: "arbitrary-node", fits: |wanted, _| is_bare(wanted) && node_of(wanted).is_some() },
    Mode { name: "serviceaccount", fits: |wanted, _| is_bare(wanted) && account_of(wanted).is_some() },
    Mode { name: "user-info", fits: |wanted, _| node_of(wanted).is_none() && account_of(wanted).is_none() },
];

/// `None` where no header asks for it. Never fails for a request without such headers. `asked` is the request itself.
pub async fn resolve(
    headers: &HeaderMap,
    caller: &Identity,
    authorizer: &Authorizer,
    asked: &Attributes<'_>,
) -> Result<Option<Identity>, ImpersonationError> {
    match parse(headers)? {
        // Boxed: the state of the rare case would make every request's larger.
        Some(wanted) => Box::pin(permitted(wanted, caller, authorizer, asked)).await.map(Some),
        None => Ok(None),
    }
}

async fn permitted(
    wanted: Identity,
    caller: &Identity,
    authorizer: &Authorizer,
    asked: &Attributes<'_>,
) -> Result<Identity, ImpersonationError> {
    let mut first = None;
    for mode in MODES.iter().filter(|mode| (mode.fits)(&wanted, caller)) {
        match constrained(mode, &wanted, caller, authorizer, asked).await {
            Ok(()) => return Ok(with_implied_groups(of_a_node(wanted))),
            Err(error) => first = first.or(Some(error)),
        }
    }
    match unconstrained(&wanted, caller, authorizer).await {
        Ok(()) => Ok(with_implied_groups(wanted)),
        Err(error) => Err(first.unwrap_or(error)),
    }
}

async fn constrained(
    mode: &Mode,
    wanted: &Identity,
    caller: &Identity,
    authorizer: &Authorizer,
    asked: &Attributes<'_>,
) -> Result<(), ImpersonationError> {
    let is_associated = mode.name == ASSOCIATED_NODE;
    let stripped;
    let caller = if is_associated {
        let keys = caller.extra.keys().cloned().collect();
        stripped = Identity { extra: BTreeMap::from([(ASSOCIATED_KEYS.to_owned(), keys)]), ..caller.clone() };
        &stripped
    } else {
        caller
    };
    let on = format!("impersonate-on:{}:{}", mode.name, asked.verb);
    check(authorizer, caller, &Attributes { verb: &on, ..*asked }).await?;
    let verb = format!("impersonate:{}", mode.name);
    let about = Attributes { verb: &verb, group: AUTHENTICATION, version: "v1", ..Attributes::default() };
    let user = match (node_of(wanted), account_of(wanted)) {
        // The rule has to be for all nodes: which one it is, the token decides.
        (Some(_), _) if is_associated => Attributes { resource: "nodes", name: "*", ..about },
        (Some(name), _) => Attributes { resource: "nodes", name, ..about },
        (None, Some((namespace, name))) => Attributes { resource: "serviceaccounts", namespace, name, ..about },
        (None, None) => Attributes { resource: "users", name: &wanted.user, ..about },
    };
    check(authorizer, caller, &user).await?;
    if let Some(why) = never(wanted) {
        return Err(forbidden(&user, why));
    }
    rest(wanted, caller, authorizer, &about, AUTHENTICATION).await
}

async fn unconstrained(
    wanted: &Identity,
    caller: &Identity,
    authorizer: &Authorizer,
) -> Result<(), ImpersonationError> {
    let about = Attributes { verb: "impersonate", version: "v1", ..Attributes::default() };
    let user = match account_of(wanted) {
        Some((namespace, name)) => Attributes { resource: "serviceaccounts", namespace, name, ..about },
        None => Attributes { resource: "users", name: &wanted.user, ..about },
    };
    check(authorizer, caller, &user).await?;
    rest(wanted, caller, authorizer, &about, "").await
}

/// What is wanted beside the name. `group` is the API group that the verb knows groups in.
async fn rest(
    wanted: &Identity,
    caller: &Identity,
    authorizer: &Authorizer,
    about: &Attributes<'_>,
    group: &str,
) -> Result<(), ImpersonationError> {
    for name in &wanted.groups {
        check(authorizer, caller, &Attributes { group, resource: "groups", name, ..*about }).await?;
    }
    let about = Attributes { group: AUTHENTICATION, ..*about };
    if !wanted.uid.is_empty() {
        check(authorizer, caller, &Attributes { resource: "uids", name: &wanted.uid, ..about }).await?;
    }
    for (subresource, values) in &wanted.extra {
        for name in values {
            check(authorizer, caller, &Attributes { resource: "userextras", subresource, name, ..about }).await?;
        }
    }
    Ok(())
}

/// What no constrained mode lets anybody be.
fn never(wanted: &Identity) -> Option<String> {
    if wanted.groups.iter().any(String::is_empty) {
        return Some("impersonating the empty string group is not allowed".to_owned());
    }
    if wanted.groups.iter().any(|group| group == GROUP_MASTERS) {
        return Some(format!("impersonating the {GROUP_MASTERS} group is not allowed"));
    }
    if let Some(key) = wanted.extra.keys().find(|key| !is_prefixed_path(key)) {
        return Some(format!("impersonating an invalid key in extra is not allowed: {key:?}"));
    }
    let is_empty = wanted.extra.values().flatten().any(String::is_empty);
    is_empty.then(|| "impersonating the empty string value in extra is not allowed".to_owned())
}

/// `example.com/some/path`. k8s: IsDomainPrefixedPath
fn is_prefixed_path(key: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "/-._~%!$&'()*+,;=:".contains(c);
    key.split_once('/').is_some_and(|(domain, path)| {
        format::dns_subdomain(domain).is_empty() && !path.is_empty() && path.chars().all(fits)
    })
}

async fn check(
    authorizer: &Authorizer,
    caller: &Identity,
    attributes: &Attributes<'_>,
) -> Result<(), ImpersonationError> {
    match authorizer.authorize(caller, attributes).await {
        Decision::Allow { .. } => Ok(()),
        Decision::Deny { message, .. } => Err(forbidden(attributes, message)),
    }
}

fn forbidden(attributes: &Attributes<'_>, message: String) -> ImpersonationError {
    if attributes.path.is_some() {
        return ImpersonationError::ForbiddenPath(message);
    }
    ImpersonationError::Forbidden {
        group: attributes.group.to_owned(),
        resource: attributes.resource.to_owned(),
        name: attributes.name.to_owned(),
        message,
    }
}

/// Nothing but the name is asked for; the rest follows from it.
fn is_bare(wanted: &Identity) -> bool {
    wanted.uid.is_empty() && wanted.groups.is_empty() && wanted.extra.is_empty()
}

fn node_of(wanted: &Identity) -> Option<&str> {
    wanted.user.strip_prefix(node::USER_PREFIX).filter(|name| format::dns_subdomain(name).is_empty())
}

fn account_of(wanted: &Identity) -> Option<(&str, &str)> {
    service_account::split_user(&wanted.user)
}

/// Whether the caller is a service account whose token is bound to the node that is wanted.
fn runs_on(caller: &Identity, wanted: &Identity) -> bool {
    let bound = caller.extra.get(service_account::EXTRA_NODE_NAME).map(Vec::as_slice);
    let is_bound = |name: &str| matches!(bound, Some([node]) if node == name);
    account_of(caller).is_some() && node_of(wanted).is_some_and(is_bound)
}

/// Constrained modes know the group of a node.
fn of_a_node(mut wanted: Identity) -> Identity {
    if node_of(&wanted).is_some() {
        wanted.groups = vec![node::GROUP.to_owned()];
    }
    wanted
}

fn parse(headers: &HeaderMap) -> Result<Option<Identity>, ImpersonationError> {
    let text = |name: &HeaderName, value: &http::HeaderValue| {
        value.to_str().map(str::to_owned).map_err(|_| ImpersonationError::Malformed(name.to_string()))
    };
    let mut identity = Identity::default();
    for (name, value) in headers {
        match name.as_str() {
            USER => identity.user = text(name, value)?,
            GROUP => identity.groups.push(text(name, value)?),
            UID => identity.uid = text(name, value)?,
            other => {
                let Some(key) = other.strip_prefix(EXTRA_PREFIX) else { continue };
                let key = percent_encoding::percent_decode_str(key).decode_utf8_lossy().to_lowercase();
                identity.extra.entry(key).or_default().push(text(name, value)?);
            }
        }
    }
    if !identity.user.is_empty() {
        return Ok(Some(identity));
    }
    match (identity.groups.is_empty(), identity.uid.is_empty(), identity.extra.is_empty()) {
        (true, true, true) => Ok(None),
        (false, _, _) => Err(ImpersonationError::NoUser("groups")),
        (true, false, _) => Err(ImpersonationError::NoUser("uid")),
        (true, true, false) => Err(ImpersonationError::NoUser("extras")),
    }
}

fn with_implied_groups(mut identity: Identity) -> Identity {
    if identity.user == USER_ANONYMOUS {
        if !identity.groups.iter().any(|group| group == GROUP_UNAUTHENTICATED) {
            identity.groups.push(GROUP_UNAUTHENTICATED.to_owned());
        }
        return identity;
    }
    if let (Some((namespace, name)), true) = (service_account::split_user(&identity.user), identity.groups.is_empty()) {
        identity.groups = service_account::identity_of(namespace, name).groups;
    }
    let is_told = |group: &String| group == GROUP_AUTHENTICATED || group == GROUP_UNAUTHENTICATED;
    if !identity.groups.iter().any(is_told) {
        identity.groups.push(GROUP_AUTHENTICATED.to_owned());
    }
    identity
}
