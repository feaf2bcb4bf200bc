//! An OpenID Connect provider over the network: what it says of itself, and its keys, which are fetched when they are first
//! needed and again when a token is signed with one that is not known.
//! k8s: go-oidc's NewProvider and RemoteKeySet

use super::IssuerConfig;
use super::key_set::{ALGORITHMS, KeySet};
use crate::auth::token::Compact;
use crate::backend::Backends;
use crate::backend::fetch::{FetchError, NamedBy, host_of, shown};
use crate::backend::tls::Trust;
use client::clock::Clock;
use jiff::{SignedDuration, Timestamp};
use parking_lot::RwLock;
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Whoever has no token can still make one up, with a key that is not known: the provider is asked no more often than this,
/// which leaves room for changed keys.
const FETCHES_MAX: u32 = 10;
const FETCHES_WITHIN: SignedDuration = SignedDuration::from_mins(1);

/// Issuers that sign parts of one's claims: mostly it is the same, and otherwise one more.
const OTHERS_MAX: usize = 16;

const WELL_KNOWN: &str = "/.well-known/openid-configuration";

#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    #[error("token is signed with {0:?}, which is not accepted")]
    Algorithm(String),
    #[error("failed to verify signature: no key of the issuer has signed the token")]
    Signature,
    #[error("the issuer was asked for its keys too often within the last minute")]
    Often,
    #[error("cannot fetch {url}")]
    Fetch { url: String, source: FetchError },
    #[error("{url} cannot be understood")]
    Form { url: String, source: serde_json::Error },
    #[error("more than {OTHERS_MAX} issuers sign distributed claims")]
    Many,
    #[error("issuer did not match the issuer returned by provider, expected {expected:?} got {found:?}")]
    Issuer { expected: String, found: String },
}

#[derive(Deserialize)]
struct Description {
    issuer: String,
    jwks_uri: String,
}

pub(super) struct Provider {
    /// How it is reached, and what it may sign with.
    config: IssuerConfig,
    discovery_url: String,
    algorithms: Vec<String>,
    backends: Backends,
    clock: Arc<dyn Clock>,
    keys: RwLock<Arc<KeySet>>,
    /// Held by the one who asks the provider.
    asking: Mutex<Asking>,
    /// Those who sign the parts of its users' claims that it does not have itself.
    others: RwLock<HashMap<String, Arc<Provider>>>,
    /// Of the issuer in the configuration.
    configured_host: String,
    /// Not that issuer itself, but one whom a token names.
    is_other: bool,
}

#[derive(Default)]
struct Asking {
    jwks_uri: Option<String>,
    /// Since when the fetches are counted.
    since: Option<Timestamp>,
    fetches: u32,
}

impl Asking {
    fn may_fetch(&mut self, now: Timestamp) -> bool {
        if self.since.is_none_or(|since| now.duration_since(since) >= FETCHES_WITHIN) {
            (self.since, self.fetches) = (Some(now), 0);
        }
        self.fetches += 1;
        self.fetches <= FETCHES_MAX
    }
}

impl Provider {
    pub(super) fn new(config: &IssuerConfig, backends: Backends, clock: Arc<dyn Clock>) -> Self {
        let discovery_url = match config.discovery_url.as_str() {
            "" => format!("{}{WELL_KNOWN}", config.url.trim_end_matches('/')),
            other => other.to_owned(),
        };
        let algorithms = match config.algorithms.as_slice() {
            [] => ALGORITHMS.into_iter().map(str::to_owned).collect(),
            some => some.to_vec(),
        };
        let (keys, asking, others) = Default::default();
        let configured_host = host_of(&config.url);
        Self {
            config: config.clone(),
            discovery_url,
            algorithms,
            backends,
            clock,
            keys,
            asking,
            others,
            configured_host,
            is_other: false,
        }
    }

    /// Whether `issuer`, of whom this one's users' claims may be, has signed the token. It is reached as this one is.
    pub(super) async fn verify_of(&self, issuer: &str, token: &Compact<'_>) -> Result<(), ProviderError> {
        if issuer == self.config.url {
            return self.verify(token).await;
        }
        let known = self.others.read().get(issuer).cloned();
        if let Some(known) = known {
            return known.verify(token).await;
        }
        if self.others.read().len() >= OTHERS_MAX {
            return Err(ProviderError::Many);
        }
        let config = IssuerConfig { url: issuer.to_owned(), discovery_url: String::new(), ..self.config.clone() };
        let other = Self {
            configured_host: self.configured_host.clone(),
            is_other: true,
            ..Self::new(&config, self.backends.clone(), Arc::clone(&self.clock))
        };
        other.verify(token).await?;
        // Whatever a token names takes no place before it is known to sign.
        let mut others = self.others.write();
        if others.len() < OTHERS_MAX {
            others.insert(issuer.to_owned(), Arc::new(other));
        }
        Ok(())
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Whether the provider has signed the token.
    pub(super) async fn verify(&self, token: &Compact<'_>) -> Result<(), ProviderError> {
        if !self.algorithms.contains(&token.header.alg) {
            return Err(ProviderError::Algorithm(token.header.alg.clone()));
        }
        let seen = self.keys();
        if seen.has_signed(token) {
            return Ok(());
        }
        let mut asking = self.asking.lock().await;
        let now_known = self.keys();
        // Somebody else has asked while we waited.
        if !Arc::ptr_eq(&seen, &now_known) && now_known.has_signed(token) {
            return Ok(());
        }
        if !asking.may_fetch(self.clock.now()) {
            return Err(ProviderError::Often);
        }
        let keys = Arc::new(self.ask(&mut asking).await?);
        *self.keys.write() = Arc::clone(&keys);
        if keys.has_signed(token) { Ok(()) } else { Err(ProviderError::Signature) }
    }

    fn keys(&self) -> Arc<KeySet> {
        Arc::clone(&self.keys.read())
    }

    async fn ask(&self, asking: &mut Asking) -> Result<KeySet, ProviderError> {
        let url = match asking.jwks_uri.clone() {
            Some(url) => url,
            None => asking.jwks_uri.insert(self.discover().await?).clone(),
        };
        let document = self.fetch(&url, self.named_by(), "").await?;
        KeySet::parse(&document).map_err(|source| ProviderError::Form { url, source })
    }

    /// Where the keys are.
    async fn discover(&self) -> Result<String, ProviderError> {
        let document = self.fetch(&self.discovery_url, self.named_by(), "").await?;
        let form = |source| ProviderError::Form { url: self.discovery_url.clone(), source };
        let found: Description = serde_json::from_slice(&document).map_err(form)?;
        if found.issuer != self.config.url {
            return Err(ProviderError::Issuer { expected: self.config.url.clone(), found: found.issuer });
        }
        Ok(found.jwks_uri)
    }

    fn named_by(&self) -> NamedBy<'_> {
        if self.is_other { NamedBy::Token { issuer_host: &self.configured_host } } else { NamedBy::Configuration }
    }

    /// What is at a place that a token of this issuer names; `token` is what it gives for asking there.
    pub(super) async fn fetch_claims(&self, url: &str, token: &str) -> Result<bytes::Bytes, ProviderError> {
        self.fetch(url, NamedBy::Token { issuer_host: &self.configured_host }, token).await
    }

    /// `token` says who asks; `""`: nobody in particular.
    async fn fetch(&self, url: &str, named_by: NamedBy<'_>, token: &str) -> Result<bytes::Bytes, ProviderError> {
        let trust = match self.config.certificate_authority.as_bytes() {
            [] => Trust::System,
            pem => Trust::Roots(pem),
        };
        let fetched = self.backends.fetch(url, named_by, token, &trust).await;
        fetched.map_err(|source| {
            let url = shown(url);
            let error: &dyn std::error::Error = &source;
            tracing::warn!(error, url, "a token issuer cannot be asked");
            ProviderError::Fetch { url: url.to_owned(), source }
        })
    }
}
