//! Bootstrap tokens (`abcdef.0123456789abcdef`): Secrets by which a node introduces itself before it has a certificate.
//! k8s: `plugin/pkg/auth/authenticator/token/bootstrap`

use super::objects::{Objects, SECRETS, Unavailable};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use client::identity::Identity;
use jiff::Timestamp;
use serde_json::Value;

pub const NAMESPACE: &str = "kube-system";
pub const SECRET_PREFIX: &str = "bootstrap-token-";
/// A token with this key lets one node in, whom [`USED_BY`] then names.
pub const SINGLE_USE: &str = "single-use";
pub const USED_BY: &str = "used-by";
const SECRET_TYPE: &str = "bootstrap.kubernetes.io/token";
const USER_PREFIX: &str = "system:bootstrap:";
const GROUP: &str = "system:bootstrappers";
const ID_LEN: usize = 6;
const SECRET_LEN: usize = 16;
/// k8s: the pattern of extra groups ends after so many characters
const GROUP_TAIL_MAX: usize = 256;

#[derive(Debug, thiserror::Error)]
pub enum BootstrapTokenError {
    #[error("there is no bootstrap token {0:?}")]
    Unknown(String),
    #[error("the secret of bootstrap token {id:?} {problem}")]
    Secret { id: String, problem: &'static str },
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Whether a bearer token has the form of one.
pub fn is_one(text: &str) -> bool {
    let plain =
        |part: &str, len| part.len() == len && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    text.split_once('.').is_some_and(|(id, secret)| plain(id, ID_LEN) && plain(secret, SECRET_LEN))
}

pub async fn authenticate(text: &str, objects: &dyn Objects, now: Timestamp) -> Result<Identity, BootstrapTokenError> {
    let (id, secret) = text.split_once('.').unwrap_or((text, ""));
    let found = objects.live(SECRETS, NAMESPACE, &format!("{SECRET_PREFIX}{id}")).await?;
    let found = found.ok_or_else(|| BootstrapTokenError::Unknown(id.to_owned()))?;
    judge(id, secret, &found, now).map_err(|problem| BootstrapTokenError::Secret { id: id.to_owned(), problem })
}

fn judge(id: &str, secret: &str, found: &Value, now: Timestamp) -> Result<Identity, &'static str> {
    let data =
        |key: &str| -> Option<String> { String::from_utf8(STANDARD.decode(found["data"][key].as_str()?).ok()?).ok() };
    if found["type"] != SECRET_TYPE {
        return Err("is of another type");
    }
    if !found["metadata"]["deletionTimestamp"].is_null() {
        return Err("is being deleted");
    }
    let held = data("token-secret").unwrap_or_default();
    if data("token-id").as_deref() != Some(id) || !same(held.as_bytes(), secret.as_bytes()) {
        return Err("does not match");
    }
    if let Some(expiration) = data("expiration") {
        let expires: Timestamp = expiration.parse().map_err(|_| "has a malformed expiration")?;
        if expires <= now {
            return Err("has expired");
        }
    }
    if data("usage-bootstrap-authentication").as_deref() != Some("true") {
        return Err("is not for authentication");
    }
    let mut groups = vec![GROUP.to_owned()];
    for group in data("auth-extra-groups").unwrap_or_default().split(',').filter(|group| !group.is_empty()) {
        if !is_extra_group(group) {
            return Err("names a group that bootstrap tokens cannot give");
        }
        groups.push(group.to_owned());
    }
    Ok(Identity { user: format!("{USER_PREFIX}{id}"), groups, ..Identity::default() })
}

/// Takes as long for a near miss as for any other.
fn same(held: &[u8], given: &[u8]) -> bool {
    held.len() == given.len() && held.iter().zip(given).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

/// `system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]`
fn is_extra_group(group: &str) -> bool {
    let Some(tail) = group.strip_prefix("system:bootstrappers:") else { return false };
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    tail.len() <= GROUP_TAIL_MAX
        && tail.bytes().all(|b| plain(b) || matches!(b, b':' | b'-'))
        && tail.bytes().last().is_some_and(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn verdict(change: impl FnOnce(&mut Value)) -> Result<Identity, &'static str> {
        let mut data = json!({
            "token-id": "abcdef", "token-secret": "0123456789abcdef", "usage-bootstrap-authentication": "true",
            "expiration": "2026-01-02T00:00:00Z", "auth-extra-groups": "system:bootstrappers:workers",
        });
        change(&mut data);
        let encoded: serde_json::Map<String, Value> = data
            .as_object()
            .unwrap()
            .iter()
            .map(|(key, value)| (key.clone(), json!(STANDARD.encode(value.as_str().unwrap()))))
            .collect();
        let secret = json!({"type": SECRET_TYPE, "data": encoded});
        judge("abcdef", "0123456789abcdef", &secret, "2026-01-01T00:00:00Z".parse().unwrap())
    }

    #[test]
    fn a_token_gives_its_user_and_groups_until_it_expires() {
        let identity = verdict(|_| {}).unwrap();
        assert_eq!(identity.user, "system:bootstrap:abcdef");
        assert_eq!(identity.groups, ["system:bootstrappers", "system:bootstrappers:workers"]);
        assert_eq!(verdict(|data| data["expiration"] = json!("2026-01-01T00:00:00Z")), Err("has expired"));
        assert_eq!(verdict(|data| data["token-secret"] = json!("0123456789abcdeg")), Err("does not match"));
        let unusable = verdict(|data| data["usage-bootstrap-authentication"] = json!("false"));
        assert_eq!(unusable, Err("is not for authentication"));
        assert!(verdict(|data| data["auth-extra-groups"] = json!("system:masters")).is_err());
    }

    #[test]
    fn only_their_form_is_looked_up() {
        assert!(is_one("abcdef.0123456789abcdef"));
        for other in ["abcdef.0123", "ABCDEF.0123456789abcdef", "abcdef.0123456789abcdef.x", "a.b.c"] {
            assert!(!is_one(other), "{other}");
        }
    }
}
