//! Service-account tokens in Secrets (`kubernetes.io/service-account-token`): made for a Secret that somebody creates, valid
//! as long as it holds them. Nobody gets one unasked. k8s: `serviceaccount/legacy.go`, `controller/serviceaccount/tokens_controller.go`
//!
//! The keeper that fills Secrets lives in the API server, because it alone has the key.

use super::objects::{CachedObjects, Objects, SECRETS, SERVICE_ACCOUNTS, find_with_uid, kind};
use super::service_account::{TokenError, Tokens, identity_of};
use crate::error::ApiError;
use crate::follow::{Change, Follower, follow};
use crate::registry::Call;
use crate::registry::delete::DeleteOptions;
use crate::request::{Request, Verb};
use crate::server::Server;
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use client::identity::Identity;
use kinds::tree::text;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

pub const ISSUER: &str = "kubernetes/serviceaccount";
const TYPE: &str = "kubernetes.io/service-account-token";
const ACCOUNT_NAME: &str = "kubernetes.io/service-account.name";
const ACCOUNT_UID: &str = "kubernetes.io/service-account.uid";
const AGENT: &str = "tokens-controller";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    iss: String,
    #[serde(rename = "kubernetes.io/serviceaccount/namespace")]
    namespace: String,
    #[serde(rename = "kubernetes.io/serviceaccount/secret.name")]
    secret: String,
    #[serde(rename = "kubernetes.io/serviceaccount/service-account.name")]
    account: String,
    #[serde(rename = "kubernetes.io/serviceaccount/service-account.uid")]
    uid: String,
    sub: String,
}

impl Claims {
    fn of(account: &Value, ns: &str, secret: &str) -> Self {
        let name = text(account, "metadata.name");
        Self {
            iss: ISSUER.to_owned(),
            namespace: ns.to_owned(),
            secret: secret.to_owned(),
            account: name.to_owned(),
            uid: text(account, "metadata.uid").to_owned(),
            sub: identity_of(ns, name).user,
        }
    }

    pub fn identity(&self) -> Identity {
        Identity { uid: self.uid.clone(), ..identity_of(&self.namespace, &self.account) }
    }
}

/// The Secret still holds this very token, and the account is the one it was made for.
pub async fn check(claims: &Claims, token: &str, objects: &dyn Objects) -> Result<(), TokenError> {
    let gone = |what, name: &str, problem| Err(TokenError::Binding { what, name: name.to_owned(), problem });
    let secret = objects.live(SECRETS, &claims.namespace, &claims.secret).await?;
    let holds = secret.is_some_and(|secret| {
        secret["metadata"]["deletionTimestamp"].is_null() && secret["data"]["token"] == STANDARD.encode(token)
    });
    if !holds {
        return gone("secret", &claims.secret, "does not hold it any more");
    }
    let place = (claims.namespace.as_str(), claims.account.as_str());
    match find_with_uid(objects, SERVICE_ACCOUNTS, place, &claims.uid).await? {
        Some(account) if text(&account, "metadata.uid") == claims.uid => Ok(()),
        Some(_) => gone("service account", &claims.account, "was replaced by another of its name"),
        None => gone("service account", &claims.account, "does not exist"),
    }
}

/// Fills Secrets that ask for a token, and removes those whose account is gone, until `drain`.
pub(crate) async fn keep(server: Arc<Server>, drain: CancellationToken) {
    let caches = Arc::clone(server.registry.caches());
    let keeper = Keeper { objects: CachedObjects::new(Arc::clone(&caches)), server };
    let (of_secrets, of_accounts) = (OfSecrets(&keeper), OfAccounts(&keeper));
    let both =
        futures::future::join(follow(&caches, SECRETS, &of_secrets), follow(&caches, SERVICE_ACCOUNTS, &of_accounts));
    drain.run_until_cancelled(both).await;
}

struct Keeper {
    server: Arc<Server>,
    objects: CachedObjects,
}

struct OfSecrets<'a>(&'a Keeper);

#[async_trait]
impl Follower for OfSecrets<'_> {
    async fn seen(&self, secret: &Value, change: Change) -> Result<(), ApiError> {
        match change {
            Change::Is => self.0.settle(secret).await,
            Change::Gone => Ok(()),
        }
    }
}

struct OfAccounts<'a>(&'a Keeper);

#[async_trait]
impl Follower for OfAccounts<'_> {
    async fn seen(&self, account: &Value, change: Change) -> Result<(), ApiError> {
        let secrets = if change == Change::Gone { self.0.secrets_of(account) } else { Vec::new() };
        let mut done = Ok(());
        for secret in secrets {
            match self.0.settle(&secret).await {
                Ok(()) | Err(ApiError::NotFound { .. } | ApiError::Conflict { .. }) => {}
                Err(error) => done = Err(error),
            }
        }
        done
    }
}

impl Keeper {
    fn secrets_of(&self, account: &Value) -> Vec<Value> {
        let secrets = self.objects.cached_list(SECRETS, text(account, "metadata.namespace"));
        let own = secrets.into_iter().filter(|secret| account_of(secret) == text(account, "metadata.name"));
        own.map(|secret| secret.as_ref().clone()).collect()
    }

    async fn settle(&self, secret: &Value) -> Result<(), ApiError> {
        if secret["type"] != TYPE || account_of(secret).is_empty() {
            return Ok(());
        }
        let (ns, name) = (text(secret, "metadata.namespace"), text(secret, "metadata.name"));
        let account = self.objects.live(SERVICE_ACCOUNTS, ns, account_of(secret)).await?;
        let named = secret["metadata"]["annotations"][ACCOUNT_UID].as_str().unwrap_or_default();
        let account = account.filter(|account| named.is_empty() || text(account, "metadata.uid") == named);
        let kind = kind(SECRETS);
        let identity = Identity::new("system:apiserver", [super::GROUP_MASTERS]);
        let Some(account) = account else {
            let request = Request::internal(Verb::Delete, &kind, ns, name, identity, AGENT);
            let uid = text(secret, "metadata.uid").to_owned();
            let options = DeleteOptions { uid: Some(uid), ..DeleteOptions::default() };
            return self.server.registry.delete(&Call::of(&request)?, &options).await.map(drop);
        };
        let filled = ["token", "ca.crt", "namespace"].iter().all(|key| has_data(secret, key));
        if filled && !named.is_empty() {
            return Ok(());
        }
        let made = content(&self.server.tokens, self.server.pki.ca_pem(), &account, ns, name)?;
        let request = Request::internal(Verb::Update, &kind, ns, name, identity, AGENT);
        let make = |old: &Value| Ok(with_content(old, &made, &account));
        self.server.registry.change(&Call::of(&request)?, Verb::Update, &make).await.map(drop)
    }
}

fn content(tokens: &Tokens, ca_pem: &str, account: &Value, ns: &str, secret: &str) -> Result<Value, ApiError> {
    let token = tokens.sign_secret_token(&Claims::of(account, ns, secret));
    let token = token.map_err(|error| ApiError::internal(error.to_string()))?;
    Ok(json!({
        "ca.crt": STANDARD.encode(ca_pem), "namespace": STANDARD.encode(ns), "token": STANDARD.encode(token),
    }))
}

/// What is there stays: a token that somebody holds must not be replaced.
fn with_content(old: &Value, made: &Value, account: &Value) -> Value {
    let mut new = old.clone();
    for (key, value) in made.as_object().into_iter().flatten() {
        if !has_data(&new, key) {
            new["data"][key] = value.clone();
        }
    }
    new["metadata"]["annotations"][ACCOUNT_UID] = account["metadata"]["uid"].clone();
    new
}

fn has_data(secret: &Value, key: &str) -> bool {
    secret["data"][key].as_str().is_some_and(|value| !value.is_empty())
}

fn account_of(secret: &Value) -> &str {
    secret["metadata"]["annotations"][ACCOUNT_NAME].as_str().unwrap_or_default()
}
