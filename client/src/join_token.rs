//! What lets a machine into a cluster: a bootstrap token and the hash of the cluster's CA, as one text
//! (`abcdef.0123456789abcdef@sha256:..`). The token says who may ask for a certificate, the hash whom to ask.
//!
//! Also the Secret that makes a token valid. Random numbers and the time come from the caller.

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::str::FromStr;
use x509_parser::prelude::{FromDer, X509Certificate};

pub const NAMESPACE: &str = "kube-system";
pub const SECRET_TYPE: &str = "bootstrap.kubernetes.io/token";
pub const SECRET_PREFIX: &str = "bootstrap-token-";
const HASH_PREFIX: &str = "sha256:";
const ID_LEN: usize = 6;
const SECRET_LEN: usize = 16;

/// `abcdef.0123456789abcdef`: an id that may be shown, and the secret part.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    pub id: String,
    secret: String,
}

/// A token and the hash of the CA that its cluster has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinToken {
    pub token: Token,
    /// `sha256:` and 64 hexadecimal digits, of the CA's public key (k8s: `--discovery-token-ca-cert-hash`).
    pub ca_hash: String,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TokenError {
    #[error("a token is six letters or digits, a dot and sixteen more (abcdef.0123456789abcdef)")]
    Token,
    #[error(
        "a join token ends with @sha256: and the hash of the cluster's CA (the whole line that `drover server` or \
         `kctl token create` printed)"
    )]
    Hash,
    #[error("the certificate authority is not PEM with a certificate")]
    Authority,
}

/// How long a token is good for, and for how many nodes.
#[derive(Clone, Debug)]
pub struct Terms {
    /// `None`: until it is revoked.
    pub expires: Option<Timestamp>,
    pub uses: Uses,
    pub description: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uses {
    Many,
    OneNode,
}

impl Token {
    /// From random bytes: five bits each become a letter or digit.
    pub fn from_random(bytes: [u8; ID_LEN + SECRET_LEN]) -> Self {
        const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
        let text: String = bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])).collect();
        let (id, secret) = text.split_at(ID_LEN);
        Self { id: id.to_owned(), secret: secret.to_owned() }
    }

    /// The token that a Secret of this kind makes valid.
    pub fn of_secret(secret: &Secret) -> Option<Self> {
        let data = |key: &str| String::from_utf8(secret.data.as_ref()?.get(key)?.0.clone()).ok();
        (secret.type_.as_deref() == Some(SECRET_TYPE))
            .then(|| Some(Self { id: data("token-id")?, secret: data("token-secret")? }))
            .flatten()
    }

    pub fn secret_name(&self) -> String {
        format!("{SECRET_PREFIX}{}", self.id)
    }

    /// The Secret that makes it valid.
    pub fn secret(&self, terms: &Terms) -> Secret {
        let mut data = vec![
            ("token-id", self.id.clone()),
            ("token-secret", self.secret.clone()),
            ("usage-bootstrap-authentication", "true".to_owned()),
            ("usage-bootstrap-signing", "true".to_owned()),
            ("description", terms.description.clone()),
        ];
        data.extend(terms.expires.map(|at| ("expiration", at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())));
        data.extend((terms.uses == Uses::OneNode).then(|| ("single-use", "true".to_owned())));
        let data = data.into_iter().map(|(key, text)| (key.to_owned(), ByteString(text.into_bytes()))).collect();
        Secret {
            metadata: ObjectMeta {
                name: Some(self.secret_name()),
                namespace: Some(NAMESPACE.to_owned()),
                ..ObjectMeta::default()
            },
            type_: Some(SECRET_TYPE.to_owned()),
            data: Some(data),
            ..Secret::default()
        }
    }

    /// What goes behind `Bearer`.
    pub fn bearer(&self) -> String {
        format!("{}.{}", self.id, self.secret)
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let (id, secret) = text.split_once('.').ok_or(TokenError::Token)?;
        let plain = |part: &str, len: usize| {
            part.len() == len && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        if !plain(id, ID_LEN) || !plain(secret, SECRET_LEN) {
            return Err(TokenError::Token);
        }
        Ok(Self { id: id.to_owned(), secret: secret.to_owned() })
    }
}

/// The secret part stays out of logs.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("id", &self.id).finish_non_exhaustive()
    }
}

impl FromStr for JoinToken {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let (token, hash) = text.trim().split_once('@').ok_or(TokenError::Hash)?;
        let digits = hash.strip_prefix(HASH_PREFIX).ok_or(TokenError::Hash)?;
        if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(TokenError::Hash);
        }
        Ok(Self { token: token.parse()?, ca_hash: hash.to_lowercase() })
    }
}

impl fmt::Display for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.token.bearer(), self.ca_hash)
    }
}

/// The hashes of the certificates in `pem`, each with its DER.
pub fn authorities(pem: &str) -> Result<Vec<(String, Vec<u8>)>, TokenError> {
    let blocks = pem::parse_many(pem).map_err(|_| TokenError::Authority)?;
    let hashed = blocks.into_iter().map(|block| {
        let (_, certificate) = X509Certificate::from_der(block.contents()).map_err(|_| TokenError::Authority)?;
        let digest = Sha256::digest(certificate.public_key().raw);
        let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok((format!("{HASH_PREFIX}{digits}"), block.contents().to_vec()))
    });
    hashed.collect()
}

/// The hash of a cluster's CA.
pub fn ca_hash(pem: &str) -> Result<String, TokenError> {
    authorities(pem)?.into_iter().next().map(|(hash, _)| hash).ok_or(TokenError::Authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_join_token_is_read_as_it_was_printed() {
        let token = Token::from_random(std::array::from_fn(|at| (at * 37) as u8));
        let printed = JoinToken { token, ca_hash: format!("sha256:{}", "0f".repeat(32)) }.to_string();
        let read: JoinToken = printed.parse().unwrap();
        assert_eq!(read.to_string(), printed);
        assert_eq!(
            Token::of_secret(&read.token.secret(&Terms {
                expires: None,
                uses: Uses::Many,
                description: String::new()
            })),
            Some(read.token)
        );
        for (bad, why) in [
            ("abcdef.0123456789abcdef", TokenError::Hash),
            ("abcdef.0123456789abcdef@sha256:12", TokenError::Hash),
            (&printed.replacen('.', "", 1), TokenError::Token),
            (&printed.to_uppercase().replace("SHA256", "sha256"), TokenError::Token),
        ] {
            assert_eq!(bad.parse::<JoinToken>(), Err(why), "{bad}");
        }
    }
}
