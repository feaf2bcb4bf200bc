//! `token`: what lets machines join. Tokens are Secrets of `kube-system`; the hash of the CA comes from the cluster itself.

use crate::high;
use crate::low;
use crate::print::grid;
use crate::resource;
use crate::server::Query;
use crate::session::{Failures, Session};
use anyhow::{Context, Result, bail};
use client::join_token::{JoinToken, NAMESPACE, SECRET_PREFIX, SECRET_TYPE, Terms, Token, Uses, ca_hash};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use serde_json::Value;
use std::time::Duration;

pub(super) async fn create(session: &Session, typed: &low::TokenCreate) -> Result<()> {
    let ttl = high::duration(&typed.ttl)?;
    let expires = (ttl > Duration::ZERO)
        .then(|| Ok::<_, anyhow::Error>(session.clock.now() + SignedDuration::try_from(ttl)?))
        .transpose()?;
    let uses = if typed.single_use { Uses::OneNode } else { Uses::Many };
    let token = Token::from_random(rand::random());
    let secret = token.secret(&Terms { expires, uses, description: typed.description.clone() });
    let path = resource::known("", "configmaps").object_path(NAMESPACE, "extension-apiserver-authentication");
    let map = session.server.get(&path).await.context("cannot read the cluster's certificate authority")?;
    let ca = map["data"]["client-ca-file"].as_str().context("the cluster does not tell its certificate authority")?;
    let ca_hash = ca_hash(ca)?;
    let secrets = resource::known("", "secrets").path(Some(NAMESPACE));
    session.server.post(&secrets, &serde_json::to_value(&secret)?).await?;
    let text = JoinToken { token, ca_hash }.to_string();
    let line = if typed.print_join_command {
        format!("drover agent --server {} --token {text}", session.server.url())
    } else {
        text
    };
    Ok(session.screen.line(&line)?)
}

pub(super) async fn list(session: &Session, no_headers: bool) -> Result<()> {
    let query = Query::new().set("fieldSelector", format!("type={SECRET_TYPE}"));
    let found = session.server.list(&resource::known("", "secrets").path(Some(NAMESPACE)), &query).await?;
    let mut rows = Vec::new();
    if !no_headers {
        rows.push(["TOKEN", "TTL", "EXPIRES", "USES", "DESCRIPTION"].map(str::to_owned).to_vec());
    }
    rows.extend(found.iter().filter_map(|secret| row(secret, session.clock.now())));
    Ok(session.screen.text(&(grid::lines(&rows).join("\n") + "\n"))?)
}

/// The secret part is not shown: who needs a token makes one.
fn row(secret: &Value, now: Timestamp) -> Option<Vec<String>> {
    let secret: Secret = serde_json::from_value(secret.clone()).ok()?;
    let token = Token::of_secret(&secret)?;
    let data = secret.data.unwrap_or_default();
    let text = |key: &str| data.get(key).and_then(|bytes| String::from_utf8(bytes.0.clone()).ok());
    let (ttl, expires) = match text("expiration") {
        None => ("<forever>".to_owned(), "<never>".to_owned()),
        Some(at) => match at.parse::<Timestamp>() {
            Ok(time) if time > now => {
                let left = time.duration_since(now);
                (format!("{}h{:02}m", left.as_hours(), left.as_mins() % 60), at)
            }
            Ok(_) | Err(_) => ("<expired>".to_owned(), at),
        },
    };
    let uses = match (text("single-use").as_deref(), text("used-by")) {
        (Some("true"), Some(by)) => format!("used by {}", by.split(' ').next().unwrap_or_default()),
        (Some("true"), None) => "one node".to_owned(),
        _ => "many".to_owned(),
    };
    let description = text("description").filter(|text| !text.is_empty()).unwrap_or_else(|| "<none>".to_owned());
    Some(vec![token.id, ttl, expires, uses, description])
}

pub(super) async fn revoke(session: &Session, tokens: &[String]) -> Result<()> {
    let mut failures = Failures::default();
    for word in tokens {
        failures.take(session, revoke_one(session, word).await)?;
    }
    failures.end()
}

async fn revoke_one(session: &Session, word: &str) -> Result<()> {
    let id = word.split('.').next().unwrap_or_default();
    if id.is_empty() {
        bail!("{word:?} is not a token or its id (`kctl token list` shows them)");
    }
    let path = resource::known("", "secrets").object_path(NAMESPACE, &format!("{SECRET_PREFIX}{id}"));
    if session.server.find(&path).await?.is_none() {
        bail!("there is no token {id} (`kctl token list` shows them)");
    }
    session.server.delete(&path, &serde_json::json!({})).await?;
    Ok(session.screen.line(&format!("token {id} revoked"))?)
}
