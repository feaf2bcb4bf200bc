//! Who is asking, and may they: authentication to an [`Identity`], authorization of [`Attributes`].
//!
//! Owns the order of the authenticators; that of the authorizers is `authorization`'s. Turning a refusal into a response is
//! the chain's work; rules about the content of a write (NodeRestriction, role escalation) belong to admission.

pub mod authorization;
pub mod bootstrap_token;
pub mod feed;
pub mod impersonate;
pub mod node;
pub mod objects;
pub mod oidc;
pub mod rbac;
pub mod review;
pub mod secret_token;
pub mod service_account;
pub mod static_token;
pub mod token;
pub mod x509;

pub use authorization::{Authorizer, Deciding, Decision};

use client::clock::Clock;
use client::identity::Identity;
use http::header::AUTHORIZATION;
use http::request::Parts;
use jiff::{SignedDuration, Timestamp};
use kinds::selector::{FieldSelector, LabelSelector};
use objects::Objects;
use oidc::Issuers;
use service_account::Tokens;
use static_token::StaticTokens;
use std::sync::Arc;

pub const GROUP_AUTHENTICATED: &str = "system:authenticated";
pub const GROUP_UNAUTHENTICATED: &str = "system:unauthenticated";
pub const GROUP_MASTERS: &str = "system:masters";
pub const USER_ANONYMOUS: &str = "system:anonymous";

/// From a certificate's first valid second, which lies five minutes before it was made, to the Node object.
const JOINING_MAX: SignedDuration = SignedDuration::from_mins(7);

#[derive(Debug, thiserror::Error)]
pub enum AuthnError {
    /// No credentials at all, on a path that needs them.
    #[error("no credentials were given")]
    Missing,
    /// Credentials were given and refused; the text is for the log, clients learn only `Unauthorized`.
    #[error("credentials refused: {0}")]
    Refused(String),
}

/// What a request wants to do, in the words of an authorization rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes<'a> {
    pub verb: &'a str,
    pub group: &'a str,
    pub version: &'a str,
    pub resource: &'a str,
    pub subresource: &'a str,
    /// Empty: cluster scope, or all namespaces.
    pub namespace: &'a str,
    pub name: &'a str,
    /// Of a list, watch or deletecollection.
    pub fields: Option<&'a FieldSelector>,
    pub labels: Option<&'a LabelSelector>,
    /// Set for a path outside `/api` and `/apis`; the resource fields are then empty.
    pub path: Option<&'a str>,
}

impl<'a> Attributes<'a> {
    /// The object's name, also where a list or watch selects it by `metadata.name=`.
    pub fn selected_name(&self) -> &'a str {
        if self.name.is_empty() { self.selected("metadata.name").unwrap_or("") } else { self.name }
    }

    /// Value that the field selector requires of `field`.
    pub fn selected(&self, field: &str) -> Option<&'a str> {
        self.fields?.exact(field)
    }
}

/// Client certificate, bearer token, in-process identity or anonymous, in this order.
pub struct Authenticator {
    tokens: Arc<Tokens>,
    fixed: StaticTokens,
    issuers: Arc<Issuers>,
    authorizer: Option<Arc<Authorizer>>,
    objects: Arc<dyn Objects>,
    clock: Arc<dyn Clock>,
}

impl Authenticator {
    pub fn new(tokens: Arc<Tokens>, objects: Arc<dyn Objects>, clock: Arc<dyn Clock>) -> Self {
        Self { tokens, fixed: StaticTokens::default(), issuers: Arc::default(), authorizer: None, objects, clock }
    }

    /// With tokens besides those that the cluster gives out: those of a file, and those of other issuers. Who comes without
    /// credentials is let in only while the authorizer does not allow everything to everybody.
    #[must_use]
    pub fn with(self, fixed: StaticTokens, issuers: Arc<Issuers>, authorizer: &Arc<Authorizer>) -> Self {
        Self { fixed, issuers, authorizer: Some(Arc::clone(authorizer)), ..self }
    }

    /// The extension [`Identity`] is trusted: only an in-process transport inserts it. The HTTPS server inserts an
    /// [`x509::PeerIdentity`] made from the certificate that the handshake verified.
    pub async fn authenticate(&self, parts: &Parts) -> Result<Identity, AuthnError> {
        if let Some(identity) = parts.extensions.get::<Identity>() {
            return Ok(authenticated(identity.clone()));
        }
        if let Some(peer) = parts.extensions.get::<x509::PeerIdentity>() {
            if self.clock.now() > peer.ends {
                let why = format!("the client certificate has expired at {}", peer.ends);
                return Err(AuthnError::Refused(why));
            }
            self.still_a_node(peer).await?;
            return Ok(authenticated(peer.identity.as_ref().clone()));
        }
        match bearer(parts)? {
            Some(text) => self.authenticate_token(&text, &[]).await.map(|(identity, _)| identity),
            None if self.lets_in_unknown(parts) => Ok(anonymous()),
            None => Err(AuthnError::Missing),
        }
    }

    /// k8s: `BuiltInAuthenticationOptions.ApplyAuthorization`
    fn lets_in_unknown(&self, parts: &Parts) -> bool {
        let is_open = self.authorizer.as_ref().is_some_and(|authorizer| authorizer.allows_everything());
        !is_open && self.issuers.anonymous().allows(&parts.method, parts.uri.path())
    }

    /// A node's certificate is as good as its Node object: when that is deleted it opens nothing more, also not when another
    /// machine joins under the name. One that was made a moment ago is of a node that is joining.
    async fn still_a_node(&self, peer: &x509::PeerIdentity) -> Result<(), AuthnError> {
        let Some(name) = node::name_of(&peer.identity) else { return Ok(()) };
        let found = objects::find(self.objects.as_ref(), objects::NODES, "", name).await;
        let found = found.map_err(|error| AuthnError::Refused(error.to_string()))?;
        let created =
            found.as_ref().and_then(|node| node.pointer("/metadata/creationTimestamp")?.as_str()?.parse().ok());
        let counts_from: Timestamp = created.unwrap_or_else(|| self.clock.now());
        if counts_from.duration_since(peer.issued) <= JOINING_MAX {
            return Ok(());
        }
        Err(AuthnError::Refused(format!("node {name:?} was removed from the cluster")))
    }

    /// A bearer token for one of `audiences` (empty: the API server's own); returns the audiences that it is valid for.
    pub async fn authenticate_token(
        &self,
        text: &str,
        audiences: &[String],
    ) -> Result<(Identity, Vec<String>), AuthnError> {
        let refused = |error: service_account::TokenError| AuthnError::Refused(error.to_string());
        if let Some(identity) = self.fixed.find(text) {
            let own = self.tokens.own_audience(audiences).map_err(refused)?;
            return Ok((authenticated(identity.clone()), own));
        }
        if bootstrap_token::is_one(text) {
            let own = self.tokens.own_audience(audiences).map_err(refused)?;
            let found = bootstrap_token::authenticate(text, self.objects.as_ref(), self.clock.now()).await;
            let identity = found.map_err(|error| AuthnError::Refused(error.to_string()))?;
            return Ok((authenticated(identity), own));
        }
        let issuer = token::unverified_issuer(text).unwrap_or_default();
        if let Some(issuer) = self.issuers.find(&issuer) {
            // k8s: WrapAudienceAgnosticToken: the audiences of such a token are the issuer's matter.
            let own = self.tokens.own_audience(audiences).map_err(refused)?;
            let identity = issuer.authenticate(text, self.clock.now()).await;
            return Ok((authenticated(identity.map_err(|error| AuthnError::Refused(error.to_string()))?), own));
        }
        if issuer == secret_token::ISSUER {
            let own = self.tokens.own_audience(audiences).map_err(refused)?;
            let claims = self.tokens.open_secret_token(text).map_err(refused)?;
            secret_token::check(&claims, text, self.objects.as_ref()).await.map_err(refused)?;
            return Ok((authenticated(claims.identity()), own));
        }
        let claims = self.tokens.verify(text, audiences, self.clock.now()).map_err(refused)?;
        service_account::check_bindings(&claims, self.objects.as_ref(), self.clock.now()).await.map_err(refused)?;
        let audiences = self.tokens.matching_audiences(&claims, audiences);
        Ok((authenticated(claims.identity()), audiences))
    }
}

pub fn anonymous() -> Identity {
    Identity::new(USER_ANONYMOUS, [GROUP_UNAUTHENTICATED])
}

/// Adds the group that every authenticated user is in.
pub fn authenticated(mut identity: Identity) -> Identity {
    let known = |group: &String| group == GROUP_AUTHENTICATED || group == GROUP_UNAUTHENTICATED;
    if identity.user != USER_ANONYMOUS && !identity.groups.iter().any(known) {
        identity.groups.push(GROUP_AUTHENTICATED.to_owned());
    }
    identity
}

/// WebSocket subprotocol by which browsers, which cannot set headers, carry a bearer token.
const WEBSOCKET_TOKEN_PREFIX: &str = "base64url.bearer.authorization.k8s.io.";

fn bearer(parts: &Parts) -> Result<Option<String>, AuthnError> {
    if let Some(value) = parts.headers.get(AUTHORIZATION) {
        let value = value.to_str().map_err(|_| AuthnError::Refused("authorization header is not ASCII".to_owned()))?;
        let Some((scheme, text)) = value.trim().split_once(' ') else {
            return Err(AuthnError::Refused("authorization header has no credentials".to_owned()));
        };
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(AuthnError::Refused(format!("authorization scheme {scheme:?} is not supported")));
        }
        return Ok(Some(text.trim().to_owned()));
    }
    let protocols = parts.headers.get_all("sec-websocket-protocol").iter().filter_map(|value| value.to_str().ok());
    let encoded =
        protocols.flat_map(|value| value.split(',')).find_map(|p| p.trim().strip_prefix(WEBSOCKET_TOKEN_PREFIX));
    encoded.map(token::decode_base64url_text).transpose().map_err(|error| AuthnError::Refused(error.to_string()))
}

#[cfg(test)]
mod tests;
