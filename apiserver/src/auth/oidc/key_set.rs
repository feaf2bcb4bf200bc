//! Public keys as providers publish them (RFC 7517), and signatures by them (RFC 7518).

use crate::auth::token::{Compact, JwtError, decode_base64url};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;

/// With which tokens may be signed. Upstream's, without ES512: its curve is not in `ring`.
pub const ALGORITHMS: [&str; 8] = ["ES256", "ES384", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512"];

/// More than a provider that changes its keys every day for a month.
const KEYS_MAX: usize = 256;

#[derive(Debug, Deserialize)]
struct Jwk {
    kty: String,
    #[serde(default)]
    kid: String,
    /// `sig` or `enc`, where it says.
    #[serde(default, rename = "use")]
    usage: String,
    #[serde(default)]
    crv: String,
    #[serde(default)]
    x: String,
    #[serde(default)]
    y: String,
    #[serde(default)]
    n: String,
    #[serde(default)]
    e: String,
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<serde_json::Value>,
}

#[derive(Debug)]
enum Public {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// Uncompressed points.
    P256(Vec<u8>),
    P384(Vec<u8>),
}

/// The keys of one provider by their ids.
#[derive(Debug, Default)]
pub(super) struct KeySet(Vec<(String, Public)>);

impl KeySet {
    /// Keys of types that nobody here knows are passed over.
    pub(super) fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
        let jwks: Jwks = serde_json::from_slice(json)?;
        let keys = jwks.keys.into_iter().take(KEYS_MAX).filter_map(|key| serde_json::from_value(key).ok());
        Ok(Self(keys.filter_map(|key: Jwk| Some((key.kid.clone(), Public::of(&key)?))).collect()))
    }

    /// Whether one of the keys that the token may mean has signed it.
    pub(super) fn has_signed(&self, token: &Compact<'_>) -> bool {
        let kid = token.header.kid.as_str();
        let meant = self.0.iter().filter(|(known, _)| kid.is_empty() || known == kid);
        meant.into_iter().any(|(_, key)| key.verify(token).is_ok())
    }
}

impl Public {
    fn of(key: &Jwk) -> Option<Self> {
        if key.usage == "enc" {
            return None;
        }
        let bytes = |text: &str| decode_base64url(text).ok();
        match (key.kty.as_str(), key.crv.as_str()) {
            ("RSA", _) => {
                let significant = |text: &str| -> Option<Vec<u8>> {
                    Some(bytes(text)?.into_iter().skip_while(|byte| *byte == 0).collect())
                };
                Some(Self::Rsa { n: significant(&key.n)?, e: significant(&key.e)? })
            }
            ("EC", curve @ ("P-256" | "P-384")) => {
                let (x, y) = (bytes(&key.x)?, bytes(&key.y)?);
                let point = [&[4], x.as_slice(), y.as_slice()].concat();
                Some(if curve == "P-256" { Self::P256(point) } else { Self::P384(point) })
            }
            _ => None,
        }
    }

    fn verify(&self, token: &Compact<'_>) -> Result<(), JwtError> {
        let (signed, signature) = (token.signed.as_bytes(), token.signature.as_slice());
        let verified = match (self, token.header.alg.as_str()) {
            (Self::Rsa { n, e }, algorithm) => {
                let parameters = rsa(algorithm).ok_or_else(|| JwtError::Algorithm(algorithm.to_owned()))?;
                RsaPublicKeyComponents { n, e }.verify(parameters, signed, signature)
            }
            (Self::P256(point), "ES256") => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature)
            }
            (Self::P384(point), "ES384") => {
                UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).verify(signed, signature)
            }
            (Self::P256(_) | Self::P384(_), other) => return Err(JwtError::Algorithm(other.to_owned())),
        };
        verified.map_err(|_| JwtError::Signature)
    }
}

fn rsa(algorithm: &str) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        "RS256" => &RSA_PKCS1_2048_8192_SHA256,
        "RS384" => &RSA_PKCS1_2048_8192_SHA384,
        "RS512" => &RSA_PKCS1_2048_8192_SHA512,
        "PS256" => &RSA_PSS_2048_8192_SHA256,
        "PS384" => &RSA_PSS_2048_8192_SHA384,
        "PS512" => &RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Made with openssl for this test; the private half is gone.
    const MODULUS: &str = "sEW1XZ689hFqJSUi2kOHuAS_3jjIr9HCVKNb5L7inah9KiOjeMcq-qmTJUuEO6PIo7qQwcNDOn4gZtCt_2DoIc8NMdpVtrsquweQvgB4mA7pQfyw-Pr1VfFvnVtg_1fMKFG1HFWEujL_4fAD_tNLQQZZL1kAu95qn_jC_-wIZetmFXZ4fA1HkMfhvwDJ7X_Ivc0pBnPXWDGOlLiQdoWZz9-toYfMRAq9B28kuiNohYo0fYaXImDG6pskis6vD2ZfGrfwauR59MHZ6J8BDluoVGD3Iz8ULBY1WQpA90pDt8VP8NTR50IbbaMbOwWnr7iwzXUu0o5gVnelH3oYEm5iKQ";
    const RS256: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6InIifQ.eyJzdWIiOiJhbm4ifQ.etLNJV9o9uM8ZBREuEb8fh1RCsqbnRjH3Xqo0kA7JZ1LkXol5f7QtJmzidtSf48v2JAfVqcPczA1oUhAKAJqso1OgvtGnzcoKuqqjYiOYPm_-J-cmf1hkJ8jHFAmsgnzoH1dKn7x00fNQ0PUPSHz2Q4vKsQA1BtYa-bG1D3-vl7i53DREmi8b_R3t1guJKtNDxRfnbSnMkX-Zw8HbxrJPysXBnw-ecZIg50mFHaEZWFOk6M7UM-VQpxQswdFytAVJZxe-pPNWErixYk4QE80L4la5Cnys9rCCZ9GG-IUgXG8fjiX-jdMReVNJmGcR1sLmv_zYgNgsyyLF7ic3QlTDQ";
    const PS256: &str = "eyJhbGciOiJQUzI1NiIsImtpZCI6InIifQ.eyJzdWIiOiJhbm4ifQ.eAfEcDPam0CNGxRJSPunraWCqPsk3sfrdmQwLzME6MYRWdR_vlxuC8RyywFKF91IUa2xCDIcdXJGdw3V1qskpIJeWgxyaUtwQ-icrsIr6vmkBQriM13VTXHjMXdVRyrceXZfz-6HorV1p7k2isz3ePxlNHM53uRIHcm5NafKKdOg9gWEdoTlICa_jydptq7dvXIP4nF50fjkUkdv0qHN0ey8LLIryNhYP4d-I3waaIzgQ7ycuL45nf6-ON0nkDQ4e2URLkskCmzJdOXHHyH4t5cTYpTF9oiPVI3sKQtgJS_Bp4JBFNxnt0W6UR-TBVbTBHd2BR2BsQHhthwaRx0d0w";

    fn set(keys: &[serde_json::Value]) -> KeySet {
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
    }

    #[test]
    fn rsa_keys_verify_what_they_have_signed_with_either_padding() {
        let keys = set(&[
            json!({"kty": "OKP", "kid": "r", "crv": "Ed25519", "x": "AA"}),
            json!({"kty": "RSA", "kid": "r", "use": "sig", "n": MODULUS, "e": "AQAB"}),
        ]);
        for token in [RS256, PS256] {
            assert!(keys.has_signed(&Compact::of(token).unwrap()), "{token}");
        }
        let (signed, _) = RS256.rsplit_once('.').unwrap();
        let (_, signature) = PS256.rsplit_once('.').unwrap();
        assert!(!keys.has_signed(&Compact::of(&format!("{signed}.{signature}")).unwrap()));
    }

    #[test]
    fn a_key_counts_only_under_its_id_and_for_signatures() {
        let key = |kid: &str, usage: &str| json!({"kty": "RSA", "kid": kid, "use": usage, "n": MODULUS, "e": "AQAB"});
        let signed = |key| set(&[key]).has_signed(&Compact::of(RS256).unwrap());
        assert!(signed(key("r", "sig")));
        assert!(!signed(key("other", "sig")));
        assert!(!signed(key("r", "enc")));
    }

    #[test]
    fn a_token_without_a_signature_is_nobody_s() {
        let (head, payload) = ("eyJhbGciOiJub25lIiwia2lkIjoiciJ9", "eyJzdWIiOiJhbm4ifQ");
        let keys = set(&[json!({"kty": "RSA", "kid": "r", "n": MODULUS, "e": "AQAB"})]);
        assert!(!keys.has_signed(&Compact::of(&format!("{head}.{payload}.")).unwrap()));
    }
}
