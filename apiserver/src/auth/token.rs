//! JSON Web Tokens in the one form that Drover signs and accepts as its own: ES256, compact. No algorithm is negotiated. What
//! others sign is taken apart here, too, and judged in `oidc`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A token carries a few names and ids; more is not ours.
const TOKEN_BYTES_MAX: usize = 16 << 10;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum JwtError {
    #[error("signing key is not a P-256 PKCS#8 key")]
    Key,
    #[error("token is not a compact JWT")]
    Malformed,
    #[error("token is signed with {0:?}, only ES256 is accepted")]
    Algorithm(String),
    #[error("token is signed with an unknown key")]
    UnknownKey,
    #[error("token signature does not verify")]
    Signature,
    #[error("token claims are malformed")]
    Claims,
    #[error("cannot sign")]
    Sign,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) alg: String,
    #[serde(default)]
    pub(super) kid: String,
    /// Extensions that must be understood; none are.
    #[serde(default, skip_serializing)]
    crit: Value,
}

/// A token taken apart; nothing of it is verified.
pub(super) struct Compact<'t> {
    pub(super) header: Header,
    /// What the signature is of.
    pub(super) signed: &'t str,
    pub(super) payload: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

impl<'t> Compact<'t> {
    pub(super) fn of(text: &'t str) -> Result<Self, JwtError> {
        if text.len() > TOKEN_BYTES_MAX {
            return Err(JwtError::Malformed);
        }
        Self::of_any_length(text)
    }

    /// Of a token that came as a document, which has a bound of its own.
    pub(super) fn of_any_length(text: &'t str) -> Result<Self, JwtError> {
        let (signed, signature) = text.rsplit_once('.').ok_or(JwtError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(JwtError::Malformed)?;
        let header: Header = serde_json::from_slice(&decode_base64url(header)?).map_err(|_| JwtError::Malformed)?;
        if !header.crit.is_null() {
            return Err(JwtError::Malformed);
        }
        Ok(Self { header, signed, payload: decode_base64url(payload)?, signature: decode_base64url(signature)? })
    }
}

/// A private key with the public half's key id.
pub struct Signer {
    pair: EcdsaKeyPair,
    random: SystemRandom,
    kid: String,
}

impl Signer {
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, JwtError> {
        let random = SystemRandom::new();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &random).map_err(|_| JwtError::Key)?;
        let digest = ring::digest::digest(&ring::digest::SHA256, pair.public_key().as_ref());
        Ok(Self { pair, random, kid: URL_SAFE_NO_PAD.encode(digest) })
    }

    pub fn sign(&self, claims: &impl Serialize) -> Result<String, JwtError> {
        let header = Header { alg: "ES256".to_owned(), kid: self.kid.clone(), crit: Value::Null };
        let encode =
            |json: Result<Vec<u8>, _>| json.map(|bytes| URL_SAFE_NO_PAD.encode(bytes)).map_err(|_| JwtError::Claims);
        let mut text = encode(serde_json::to_vec(&header))?;
        text.push('.');
        text.push_str(&encode(serde_json::to_vec(claims))?);
        let signature = self.pair.sign(&self.random, text.as_bytes()).map_err(|_| JwtError::Sign)?;
        text.push('.');
        text.push_str(&URL_SAFE_NO_PAD.encode(signature));
        Ok(text)
    }

    /// Checks the signature, then decodes the claims; times and audiences are the caller's to check.
    pub fn open<C: DeserializeOwned>(&self, text: &str) -> Result<C, JwtError> {
        let token = Compact::of(text)?;
        if token.header.alg != "ES256" {
            return Err(JwtError::Algorithm(token.header.alg));
        }
        if token.header.kid != self.kid {
            return Err(JwtError::UnknownKey);
        }
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.pair.public_key().as_ref())
            .verify(token.signed.as_bytes(), &token.signature)
            .map_err(|_| JwtError::Signature)?;
        serde_json::from_slice(&token.payload).map_err(|_| JwtError::Claims)
    }

    /// RFC 7517 key set, as `/openid/v1/jwks` serves it.
    pub fn jwks(&self) -> Value {
        // An uncompressed point: 4, then x and y of 32 bytes each.
        let point = self.pair.public_key().as_ref();
        let coordinate = |range| point.get(range).map(|bytes| URL_SAFE_NO_PAD.encode(bytes)).unwrap_or_default();
        json!({ "keys": [{
            "use": "sig", "kty": "EC", "kid": self.kid, "crv": "P-256", "alg": "ES256",
            "x": coordinate(1..33), "y": coordinate(33..65),
        }]})
    }
}

pub(super) fn decode_base64url(text: &str) -> Result<Vec<u8>, JwtError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| JwtError::Malformed)
}

/// `iss` of a token that nobody has verified yet.
pub(super) fn unverified_issuer(text: &str) -> Option<String> {
    if text.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let payload = decode_base64url(text.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&payload).ok()?;
    claims.get("iss")?.as_str().map(str::to_owned)
}

pub(super) fn decode_base64url_text(text: &str) -> Result<String, JwtError> {
    String::from_utf8(decode_base64url(text.trim_end_matches('='))?).map_err(|_| JwtError::Malformed)
}
