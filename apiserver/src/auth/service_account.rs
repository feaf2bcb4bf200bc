//! Service-account tokens: their claims, how they are signed and verified, and the live objects they are bound to.

use super::objects::{self, NODES, Objects, PODS, Resource, SECRETS, SERVICE_ACCOUNTS, find_with_uid};
use super::token::{JwtError, Signer};
use client::identity::Identity;
use jiff::Timestamp;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;

pub const USER_PREFIX: &str = "system:serviceaccount:";
pub const GROUP_ALL: &str = "system:serviceaccounts";
const EXTRA_POD_NAME: &str = "authentication.kubernetes.io/pod-name";
const EXTRA_POD_UID: &str = "authentication.kubernetes.io/pod-uid";
pub(super) const EXTRA_NODE_NAME: &str = "authentication.kubernetes.io/node-name";
const EXTRA_NODE_UID: &str = "authentication.kubernetes.io/node-uid";

/// A token stays valid so long after its pod, secret or account got its deletion timestamp and grace ended (k8s: `leeway`).
const DELETION_LEEWAY_SECONDS: i64 = 60;
/// Clocks of issuers and verifiers may differ by so much.
const CLOCK_SKEW_SECONDS: i64 = 10;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    pub name: String,
    #[serde(default)]
    pub uid: String,
}

/// The private claims, under `kubernetes.io`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kubernetes {
    pub namespace: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<Reference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<Reference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Reference>,
    pub serviceaccount: Reference,
    /// When the token should have been replaced, where it lives on for those who did not notice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warnafter: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    pub aud: Vec<String>,
    pub exp: i64,
    pub iat: i64,
    pub iss: String,
    pub jti: String,
    #[serde(rename = "kubernetes.io")]
    pub kubernetes: Kubernetes,
    pub nbf: i64,
    pub sub: String,
}

impl Claims {
    pub fn identity(&self) -> Identity {
        let Kubernetes { namespace, node, pod, serviceaccount, .. } = &self.kubernetes;
        let mut identity = identity_of(namespace, &serviceaccount.name);
        identity.uid.clone_from(&serviceaccount.uid);
        let mut extra = |key: &str, value: String| identity.extra.insert(key.to_owned(), vec![value]);
        if let Some(pod) = pod {
            extra(EXTRA_POD_NAME, pod.name.clone());
            extra(EXTRA_POD_UID, pod.uid.clone());
        }
        if let Some(node) = node {
            extra(EXTRA_NODE_NAME, node.name.clone());
            if !node.uid.is_empty() {
                extra(EXTRA_NODE_UID, node.uid.clone());
            }
        }
        extra(super::x509::EXTRA_CREDENTIAL_ID, format!("JTI={}", self.jti));
        identity
    }
}

/// User and groups of a service account; `system:authenticated` comes with authentication.
pub fn identity_of(namespace: &str, name: &str) -> Identity {
    let groups = [GROUP_ALL.to_owned(), format!("{GROUP_ALL}:{namespace}")];
    Identity { user: format!("{USER_PREFIX}{namespace}:{name}"), groups: groups.into(), ..Identity::default() }
}

/// Namespace and name, where the user is a service account.
pub fn split_user(user: &str) -> Option<(&str, &str)> {
    user.strip_prefix(USER_PREFIX)?.split_once(':')
}

#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error(transparent)]
    Jwt(#[from] JwtError),
    #[error("token is not of this cluster (issuer {0:?})")]
    Issuer(String),
    #[error("token has expired")]
    Expired,
    #[error("token is not valid yet")]
    NotYet,
    #[error("token is for the audiences {0:?}")]
    Audience(Vec<String>),
    #[error("token subject does not match its claims")]
    Subject,
    #[error("{what} {name:?} that the token is bound to {problem}")]
    Binding { what: &'static str, name: String, problem: &'static str },
    #[error(transparent)]
    Unavailable(#[from] objects::Unavailable),
}

/// Tokens whose signature is known to be good: enough for all accounts of a big cluster, about a kilobyte each.
const OPENED_MAX: usize = 4096;

/// Signs and verifies with the cluster's key, for one issuer.
pub struct Tokens {
    signer: Signer,
    issuer: String,
    /// By their digest. A signature stays what it is, so this saves the costly part of every request with a token; times,
    /// audiences and the live objects are looked at each time.
    opened: Mutex<HashMap<[u8; 32], Claims>>,
}

impl Tokens {
    pub fn new(pkcs8: &[u8], issuer: impl Into<String>) -> Result<Self, JwtError> {
        Ok(Self { signer: Signer::from_pkcs8(pkcs8)?, issuer: issuer.into(), opened: Mutex::default() })
    }

    /// Also the audience of tokens for the API server itself.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    pub fn jwks(&self) -> Value {
        self.signer.jwks()
    }

    pub fn sign(&self, claims: &Claims) -> Result<String, JwtError> {
        self.signer.sign(claims)
    }

    /// Signature, issuer, times, audience and subject; not the live objects.
    pub fn verify(&self, text: &str, audiences: &[String], now: Timestamp) -> Result<Claims, TokenError> {
        let claims = self.open(text)?;
        if claims.iss != self.issuer {
            return Err(TokenError::Issuer(claims.iss));
        }
        if claims.exp + CLOCK_SKEW_SECONDS <= now.as_second() {
            return Err(TokenError::Expired);
        }
        if claims.nbf - CLOCK_SKEW_SECONDS > now.as_second() {
            return Err(TokenError::NotYet);
        }
        if self.matching_audiences(&claims, audiences).is_empty() {
            return Err(TokenError::Audience(claims.aud));
        }
        if claims.sub != claims.identity().user {
            return Err(TokenError::Subject);
        }
        Ok(claims)
    }

    /// The API server's own audience, where it is among those asked for: for credentials that name none.
    pub fn own_audience(&self, asked: &[String]) -> Result<Vec<String>, TokenError> {
        let own = vec![self.issuer.clone()];
        if asked.is_empty() || asked.contains(&self.issuer) { Ok(own) } else { Err(TokenError::Audience(own)) }
    }

    pub fn open_secret_token(&self, text: &str) -> Result<super::secret_token::Claims, TokenError> {
        Ok(self.signer.open(text)?)
    }

    pub fn sign_secret_token(&self, claims: &super::secret_token::Claims) -> Result<String, JwtError> {
        self.signer.sign(claims)
    }

    fn open(&self, text: &str) -> Result<Claims, TokenError> {
        let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        let digest: [u8; 32] = digest.as_ref().try_into().expect("SHA-256 has 32 bytes");
        if let Some(claims) = self.opened.lock().get(&digest) {
            return Ok(claims.clone());
        }
        let claims: Claims = self.signer.open(text)?;
        let mut opened = self.opened.lock();
        if opened.len() >= OPENED_MAX {
            opened.clear();
        }
        opened.insert(digest, claims.clone());
        Ok(claims)
    }

    /// Audiences asked for (none: the API server's) that the token names.
    pub fn matching_audiences(&self, claims: &Claims, asked: &[String]) -> Vec<String> {
        let own = std::slice::from_ref(&self.issuer);
        let asked = if asked.is_empty() { own } else { asked };
        asked.iter().filter(|audience| claims.aud.contains(audience)).cloned().collect()
    }
}

/// The account, and the pod, secret or node of the claims, must exist with the same uid and not be gone for long.
pub async fn check_bindings(claims: &Claims, objects: &dyn Objects, now: Timestamp) -> Result<(), TokenError> {
    let Kubernetes { namespace, node, pod, secret, serviceaccount, warnafter: _ } = &claims.kubernetes;
    let bound = |what, resource, ns, reference| check(objects, Bound { what, resource, ns, reference }, now);
    bound("service account", SERVICE_ACCOUNTS, namespace.as_str(), serviceaccount).await?;
    if let Some(pod) = pod {
        bound("pod", PODS, namespace, pod).await?;
    }
    if let Some(secret) = secret {
        bound("secret", SECRETS, namespace, secret).await?;
    }
    // k8s: a node claim beside a pod claim is information; the pod's existence implies its node's.
    match node {
        Some(node) if pod.is_none() => bound("node", NODES, "", node).await,
        Some(_) | None => Ok(()),
    }
}

struct Bound<'a> {
    what: &'static str,
    resource: Resource,
    ns: &'a str,
    reference: &'a Reference,
}

async fn check(objects: &dyn Objects, bound: Bound<'_>, now: Timestamp) -> Result<(), TokenError> {
    let Bound { what, resource, ns, reference } = bound;
    let problem = |problem| TokenError::Binding { what, name: reference.name.clone(), problem };
    let Some(object) = find_with_uid(objects, resource, (ns, &reference.name), &reference.uid).await? else {
        return Err(problem("does not exist"));
    };
    if object.pointer("/metadata/uid").and_then(Value::as_str) != Some(&reference.uid) {
        return Err(problem("was replaced by another of its name"));
    }
    let deleted = object.pointer("/metadata/deletionTimestamp").and_then(Value::as_str);
    let Some(deleted) = deleted.and_then(|text| text.parse::<Timestamp>().ok()) else { return Ok(()) };
    if deleted.as_second() + DELETION_LEEWAY_SECONDS < now.as_second() {
        return Err(problem("is being deleted"));
    }
    Ok(())
}
