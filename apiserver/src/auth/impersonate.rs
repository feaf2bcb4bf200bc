//! `Impersonate-*` headers: acting as somebody else, where the caller may.
//! k8s: `filters.WithImpersonation`.

use super::{
    Attributes, Authorizer, Decision, GROUP_AUTHENTICATED, GROUP_UNAUTHENTICATED, USER_ANONYMOUS, service_account,
};
use client::identity::Identity;
use http::{HeaderMap, HeaderName};

const USER: &str = "impersonate-user";
const GROUP: &str = "impersonate-group";
const UID: &str = "impersonate-uid";
const EXTRA_PREFIX: &str = "impersonate-extra-";

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ImpersonationError {
    #[error("requested {0} without impersonating a user")]
    NoUser(&'static str),
    #[error("impersonation header {0:?} is not text")]
    Malformed(String),
    #[error("{message}")]
    Forbidden { group: &'static str, resource: &'static str, name: String, message: String },
}

/// `None` where no header asks for it. Never fails for a request without such headers.
pub fn resolve(
    headers: &HeaderMap,
    caller: &Identity,
    authorizer: &Authorizer,
) -> Result<Option<Identity>, ImpersonationError> {
    let Some(asked) = parse(headers)? else { return Ok(None) };
    let allowed = |resource: &'static str, group: &'static str, namespace: &str, name: &str, subresource: &str| {
        let attributes = Attributes {
            verb: "impersonate",
            group,
            resource,
            namespace,
            name,
            subresource,
            version: "v1",
            ..Attributes::default()
        };
        match authorizer.authorize(caller, &attributes) {
            Decision::Allow { .. } => Ok(()),
            Decision::Deny { message, .. } => {
                Err(ImpersonationError::Forbidden { group, resource, name: name.to_owned(), message })
            }
        }
    };
    match service_account::split_user(&asked.user) {
        Some((namespace, name)) => allowed("serviceaccounts", "", namespace, name, "")?,
        None => allowed("users", "", "", &asked.user, "")?,
    }
    for group in &asked.groups {
        allowed("groups", "", "", group, "")?;
    }
    if !asked.uid.is_empty() {
        allowed("uids", "authentication.k8s.io", "", &asked.uid, "")?;
    }
    for (key, values) in &asked.extra {
        for value in values {
            allowed("userextras", "authentication.k8s.io", "", value, key)?;
        }
    }
    Ok(Some(with_implied_groups(asked)))
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
    if !identity.groups.iter().any(|group| group == GROUP_AUTHENTICATED) {
        identity.groups.push(GROUP_AUTHENTICATED.to_owned());
    }
    identity
}
