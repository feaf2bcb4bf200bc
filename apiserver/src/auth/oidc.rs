//! Users of other issuers: JSON Web Tokens that an OpenID Connect provider signs, and what a configuration makes of their
//! claims. The same configuration says who may come without credentials.
//! k8s: `apiserver/plugin/pkg/authenticator/token/oidc`, KEP-3331
//!
//! Owns which issuers there are and how a token of one is judged. Which credential of a request counts is `auth`'s matter.

mod claims;
mod config;
mod distributed;
mod flags;
mod key_set;
mod provider;
mod validate;

pub use config::{
    Anonymous, AnonymousCondition, AuthenticationConfiguration, ClaimMappings, ClaimOrExpression, ClaimValidationRule,
    ExtraMapping, Issuer as IssuerConfig, JwtAuthenticator, PrefixedClaimOrExpression, UserValidationRule,
};
pub use flags::OidcFlags;
pub use key_set::ALGORITHMS;

use super::service_account::Tokens;
use super::token::{Compact, JwtError};
use crate::backend::Backends;
use crate::config_file::{self, ConfigFileError};
use claims::{ClaimsError, Rules};
use client::clock::Clock;
use client::identity::Identity;
use distributed::{Brought, DistributedError};
use http::Method;
use jiff::{SignedDuration, Timestamp};
use kinds::errors::{FieldErrors, aggregate};
use parking_lot::RwLock;
use provider::{Provider, ProviderError};
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// Paths that answer without credentials where nothing is configured: load balancers and `kctl version` ask them before
/// anybody has logged in, and a machine that wants to join looks for the CA there.
const ANONYMOUS_PATHS: &[&str] =
    &["/healthz", "/livez", "/readyz", "/version", "/api/v1/namespaces/kube-public/configmaps/cluster-info"];

/// Clocks of issuers and verifiers may differ by so much before a token is valid. k8s: go-oidc's leeway
const NOT_BEFORE_LEEWAY: SignedDuration = SignedDuration::from_mins(5);

/// How the older of the two names of one issuer is written in tokens.
/// http://openid.net/specs/openid-connect-core-1_0.html#GoogleIss
const GOOGLE: [&str; 2] = ["accounts.google.com", "https://accounts.google.com"];

#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    #[error(transparent)]
    Jwt(#[from] JwtError),
    #[error("oidc: {0}")]
    Provider(#[from] ProviderError),
    #[error("oidc: token is expired")]
    Expired,
    #[error("oidc: token is not valid yet")]
    NotYet,
    #[error("oidc: expected audience in {expected:?} got {found:?}")]
    Audience { expected: Vec<String>, found: Vec<String> },
    #[error("oidc: {0}")]
    Claims(#[from] ClaimsError),
    #[error("oidc: {0}")]
    Distributed(#[from] DistributedError),
    /// What came of asking for a claim, for all who wait for it.
    #[error(transparent)]
    Bring(Arc<Self>),
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticationError {
    #[error(transparent)]
    File(#[from] ConfigFileError),
    #[error("{}", aggregate(.0))]
    Invalid(FieldErrors),
}

/// Who may ask without saying who they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AnonymousAccess {
    /// Health, version, and what a joining machine looks for: to read.
    #[default]
    Own,
    Everywhere,
    /// Exactly these paths.
    Paths(Vec<String>),
}

impl AnonymousAccess {
    fn of(configured: Option<&Anonymous>) -> Self {
        match configured {
            None => Self::Own,
            Some(Anonymous { enabled: false, .. }) => Self::Paths(Vec::new()),
            Some(Anonymous { enabled: true, conditions }) if conditions.is_empty() => Self::Everywhere,
            Some(Anonymous { enabled: true, conditions }) => {
                Self::Paths(conditions.iter().map(|condition| condition.path.clone()).collect())
            }
        }
    }

    pub fn allows(&self, method: &Method, path: &str) -> bool {
        match self {
            // One of the paths is an object's, which an authorizer may let everybody change.
            Self::Own if !matches!(*method, Method::GET | Method::HEAD) => false,
            Self::Own => ANONYMOUS_PATHS.iter().any(|allowed| match path.strip_prefix(allowed) {
                Some(rest) => rest.is_empty() || rest.starts_with('/'),
                None => false,
            }),
            Self::Everywhere => true,
            Self::Paths(paths) => paths.iter().any(|allowed| allowed == path),
        }
    }
}

/// What is configured now.
#[derive(Default)]
struct Current {
    issuers: HashMap<String, Arc<Issuer>>,
    anonymous: Arc<AnonymousAccess>,
}

/// All issuers that are believed beside the cluster itself.
#[derive(Default)]
pub struct Issuers(RwLock<Current>);

/// What providers are reached with.
pub struct Reach {
    pub backends: Backends,
    pub clock: Arc<dyn Clock>,
    /// The cluster's own issuer, which is nobody else's.
    pub own_issuer: String,
}

impl Reach {
    pub fn new(backends: &Backends, clock: &Arc<dyn Clock>, tokens: &Tokens) -> Self {
        Self { backends: backends.clone(), clock: Arc::clone(clock), own_issuer: tokens.issuer().to_owned() }
    }
}

impl Issuers {
    /// Puts a configuration in the place of the one before. Keys of issuers that stay the same are kept.
    pub fn set(&self, config: &AuthenticationConfiguration, reach: &Reach) -> Result<(), FieldErrors> {
        let rules = validate::compile(config, &reach.own_issuer)?;
        let mut issuers = HashMap::new();
        for (authenticator, rules) in config.jwt.iter().zip(rules) {
            let known = self.find(&authenticator.issuer.url).filter(|known| known.config == authenticator.issuer);
            let provider = known.map_or_else(
                || Arc::new(Provider::new(&authenticator.issuer, reach.backends.clone(), Arc::clone(&reach.clock))),
                |known| Arc::clone(&known.provider),
            );
            let config = authenticator.issuer.clone();
            let url = config.url.clone();
            issuers.insert(url, Arc::new(Issuer { config, provider, rules, brought: Brought::default() }));
        }
        let anonymous = Arc::new(AnonymousAccess::of(config.anonymous.as_ref()));
        *self.0.write() = Current { issuers, anonymous };
        Ok(())
    }

    /// The same from the text of a file.
    pub(crate) fn set_text(&self, path: &Path, text: &str, reach: &Reach) -> Result<(), ConfigFileError> {
        let config: AuthenticationConfiguration = config_file::parse(path, text)?;
        let invalid = |errors| ConfigFileError::Invalid { path: path.to_owned(), errors };
        self.set(&config, reach).map_err(invalid)
    }

    pub fn anonymous(&self) -> Arc<AnonymousAccess> {
        Arc::clone(&self.0.read().anonymous)
    }

    /// Whose token says that it is of `issuer`.
    pub fn find(&self, issuer: &str) -> Option<Arc<Issuer>> {
        let current = self.0.read();
        if current.issuers.is_empty() {
            return None;
        }
        current.issuers.get(coalesced(issuer)).cloned()
    }
}

fn coalesced(issuer: &str) -> &str {
    if issuer == GOOGLE[0] { GOOGLE[1] } else { issuer }
}

/// One issuer, and what becomes of its tokens.
pub struct Issuer {
    config: IssuerConfig,
    provider: Arc<Provider>,
    rules: Rules,
    brought: Brought,
}

impl Issuer {
    /// Whom a token names: signature, times, audience, and the rules of the configuration.
    pub async fn authenticate(&self, text: &str, now: Timestamp) -> Result<Identity, OidcError> {
        let token = Compact::of(text)?;
        self.provider.verify(&token).await?;
        let mut claims: Value = serde_json::from_slice(&token.payload).map_err(|_| JwtError::Claims)?;
        self.check(&claims, now)?;
        if let Some(groups) = self.rules.groups_claim() {
            self.bring(groups, text, &mut claims, now).await?;
        }
        Ok(self.rules.identity(&claims)?)
    }

    fn check(&self, claims: &Value, now: Timestamp) -> Result<(), OidcError> {
        // A date of JSON may have a fraction.
        let date = |name: &str| claims[name].as_f64();
        let now_secs = now.as_second() as f64;
        if date("exp").is_none_or(|expires| expires <= now_secs) {
            return Err(OidcError::Expired);
        }
        if date("nbf").is_some_and(|begins| begins > now_secs + NOT_BEFORE_LEEWAY.as_secs_f64()) {
            return Err(OidcError::NotYet);
        }
        let found: Vec<String> = match &claims["aud"] {
            Value::String(one) => vec![one.clone()],
            many => many.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
        };
        if self.config.audiences.iter().any(|audience| found.contains(audience)) {
            return Ok(());
        }
        Err(OidcError::Audience { expected: self.config.audiences.clone(), found })
    }
}

#[cfg(test)]
mod tests;
