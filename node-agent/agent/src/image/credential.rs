//! Registry credentials: those of image pull secrets, and which of all fit an image. Pure.

use super::record::Proof;
use super::reference::repository;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use k8s_openapi::api::core::v1::Secret;
use proto::cri::AuthConfig;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Default, Deserialize)]
struct DockerConfig {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    auth: String,
    #[serde(default, rename = "identitytoken")]
    identity_token: String,
}

/// What a secret, or the node, has for a registry.
#[derive(Clone, Debug)]
pub struct Credential {
    pub auth: AuthConfig,
    /// The secret that it is from; of what the node has itself, nothing.
    pub proof: Option<Proof>,
}

/// The credentials for `image`, the most specific registry path first.
pub fn matching(image: &str, secrets: &[Arc<Secret>]) -> Vec<Credential> {
    let all = secrets.iter().flat_map(|secret| {
        config(secret).auths.into_iter().map(|(registry, entry)| {
            let auth = auth(&registry, entry);
            let proof = Some(proof(secret, &auth));
            (registry, Credential { auth, proof })
        })
    });
    most_specific_first(&repository(image), all)
}

/// Of credentials by registry, those for an image of `repository`.
pub(super) fn most_specific_first(
    repository: &str,
    all: impl IntoIterator<Item = (String, Credential)>,
) -> Vec<Credential> {
    let mut found: Vec<(usize, Credential)> = Vec::new();
    for (registry, credential) in all {
        let prefix = normalized(&registry);
        if fits(&prefix, repository) {
            found.push((prefix.len(), credential));
        }
    }
    found.sort_by_key(|(length, _)| std::cmp::Reverse(*length));
    found.into_iter().map(|(_, credential)| credential).collect()
}

fn proof(secret: &Secret, auth: &AuthConfig) -> Proof {
    let meta = &secret.metadata;
    let mut hash = Sha256::new();
    for part in [&auth.username, &auth.password, &auth.identity_token] {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    Proof {
        namespace: meta.namespace.clone().unwrap_or_default(),
        name: meta.name.clone().unwrap_or_default(),
        uid: meta.uid.clone().unwrap_or_default(),
        hash: hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

/// A secret that cannot be read is as good as none: the pull says what the registry thinks of it.
fn config(secret: &Secret) -> DockerConfig {
    let data = secret.data.as_ref();
    let read = |key: &str| data.and_then(|d| d.get(key));
    if let Some(bytes) = read(".dockerconfigjson") {
        return serde_json::from_slice(&bytes.0).unwrap_or_default();
    }
    let legacy = read(".dockercfg").and_then(|bytes| serde_json::from_slice(&bytes.0).ok());
    DockerConfig { auths: legacy.unwrap_or_default() }
}

/// Without scheme, API version and trailing slash; Docker Hub under its one name.
fn normalized(registry: &str) -> String {
    let bare = registry.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/');
    let bare = bare.strip_suffix("/v1").or_else(|| bare.strip_suffix("/v2")).unwrap_or(bare);
    match bare {
        "index.docker.io" | "registry-1.docker.io" => "docker.io".to_owned(),
        other => other.to_owned(),
    }
}

/// A path matches whole folders only.
fn fits(prefix: &str, repository: &str) -> bool {
    let (prefix_host, prefix_path) = prefix.split_once('/').unwrap_or((prefix, ""));
    let (host, path) = repository.split_once('/').unwrap_or((repository, ""));
    let below = path
        .strip_prefix(prefix_path)
        .is_some_and(|rest| prefix_path.is_empty() || rest.is_empty() || rest.starts_with('/'));
    glob_hosts(prefix_host, host) && below
}

/// Part by part between the dots, where `*` stands for any characters and `?` for one.
pub(super) fn glob_hosts(pattern: &str, host: &str) -> bool {
    let (left, right): (Vec<&str>, Vec<&str>) = (pattern.split('.').collect(), host.split('.').collect());
    left.len() == right.len() && left.iter().zip(&right).all(|(a, b)| glob(a.as_bytes(), b.as_bytes()))
}

/// Both come from who makes pods: it takes time by the product of their lengths at most. Where it does not go on, the last
/// `*` takes one character more; those before it need not.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut read) = (0, 0);
    let mut last_star = None;
    while read < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                last_star = Some((at, read));
                at += 1;
            }
            Some(one) if *one == b'?' || *one == text[read] => (at, read) = (at + 1, read + 1),
            _ => {
                let Some((star, taken)) = last_star else { return false };
                last_star = Some((star, taken + 1));
                (at, read) = (star + 1, taken + 1);
            }
        }
    }
    pattern[at..].iter().all(|rest| *rest == b'*')
}

fn auth(registry: &str, entry: Entry) -> AuthConfig {
    let decoded = BASE64_STANDARD.decode(&entry.auth).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let (username, password) = match decoded.as_deref().and_then(|text| text.split_once(':')) {
        Some((user, password)) if entry.username.is_empty() => {
            (user.to_owned(), password.trim_end_matches('\0').to_owned())
        }
        Some(_) | None => (entry.username, entry.password),
    };
    AuthConfig {
        username,
        password,
        server_address: registry.to_owned(),
        identity_token: entry.identity_token,
        ..AuthConfig::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn users(image: &str) -> Vec<String> {
        let config = json!({ "auths": {
            "https://index.docker.io/v1/": { "auth": BASE64_STANDARD.encode("hub:pw") },
            "r.example": { "username": "wide", "password": "x" },
            "r.example/team": { "username": "team", "password": "x" },
            "*.cloud.example": { "username": "star", "password": "x" },
        }});
        let data = json!({ "data": { ".dockerconfigjson": BASE64_STANDARD.encode(config.to_string()) } });
        let secret: Secret = serde_json::from_value(data).unwrap();
        matching(image, &[Arc::new(secret)]).into_iter().map(|found| found.auth.username).collect()
    }

    #[test]
    fn the_most_specific_registry_comes_first() {
        assert_eq!(users("web"), ["hub"]);
        assert_eq!(users("r.example/team/web:1"), ["team", "wide"]);
        assert_eq!(users("r.example/teammate/web"), ["wide"]);
        assert_eq!(users("eu.cloud.example/x"), ["star"]);
        assert_eq!(users("a.b.cloud.example/x"), Vec::<String>::new());
    }

    #[test]
    fn patterns_of_hosts_take_no_longer_than_their_length_allows() {
        for (pattern, host, fits) in [
            ("*.r.example", "eu.r.example", true),
            ("*.r.example", "r.example", false),
            ("e*u-?.r.example", "eu-1.r.example", true),
            ("e*u-?.r.example", "eau-u-12.r.example", false),
            ("**", "", true),
            ("a*b*c", "aXbXbc", true),
            ("a*b*c", "aXcXb", false),
        ] {
            assert_eq!(glob_hosts(pattern, host), fits, "{pattern} {host}");
        }
        assert!(!glob_hosts(&format!("{}b", "*a".repeat(30)), &"a".repeat(300)));
    }
}
