//! The join token that a server prints: one of its own that is good for a while yet, else a new one.

use crate::control_plane::ControlPlane;
use anyhow::{Context, Result};
use client::join_token::{JoinToken, NAMESPACE, SECRET_TYPE, Terms, Token, Uses, ca_hash};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{ListParams, PostParams};

/// k8s: kubeadm's tokens live a day
const LIFE: SignedDuration = SignedDuration::from_hours(24);
/// One that ends sooner is not worth printing.
const LEFT_MIN: SignedDuration = SignedDuration::from_hours(12);
const DESCRIPTION: &str = "printed by drover server";

pub(crate) async fn for_nodes(plane: &ControlPlane) -> Result<JoinToken> {
    let secrets: Api<Secret> = Api::namespaced(plane.client("system:admin", &["system:masters"]), NAMESPACE);
    let ca_hash = ca_hash(plane.pki.ca_pem())?;
    let now = plane.clock.now();
    let tokens = ListParams::default().fields(&format!("type={SECRET_TYPE}"));
    let found = secrets.list(&tokens).await.context("cannot list join tokens")?;
    if let Some(token) = found.items.iter().filter(|secret| is_ours(secret, now)).find_map(Token::of_secret) {
        return Ok(JoinToken { token, ca_hash });
    }
    let token = Token::from_random(rand::random());
    let terms = Terms { expires: Some(now + LIFE), uses: Uses::Many, description: DESCRIPTION.to_owned() };
    secrets.create(&PostParams::default(), &token.secret(&terms)).await.context("cannot make a join token")?;
    Ok(JoinToken { token, ca_hash })
}

fn is_ours(secret: &Secret, now: Timestamp) -> bool {
    let text = |key: &str| std::str::from_utf8(&secret.data.as_ref()?.get(key)?.0).ok();
    let ends = text("expiration").and_then(|text| text.parse::<Timestamp>().ok());
    text("description") == Some(DESCRIPTION) && ends.is_some_and(|ends| ends - LEFT_MIN > now)
}
