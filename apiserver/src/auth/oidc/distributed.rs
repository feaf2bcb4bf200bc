//! Claims that a token does not have, but says where they are: the groups of people who are in too many for a token. The
//! place answers with another token, of the same issuer or of one of its own.
//! k8s: `claimResolver` of `oidc.go`; OpenID Connect Core 1.0, 5.6.2

use super::{Issuer, OidcError};
use crate::auth::token::{Compact, JwtError};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;

#[derive(Debug, thiserror::Error)]
pub enum DistributedError {
    #[error("the names or sources of distributed claims are malformed")]
    Malformed,
    #[error("id token _claim_names contained a source {0} missing in _claims_sources")]
    Source(String),
    #[error("could not find distributed claim with name {0:?}")]
    Missing(String),
}

/// Where a claim is.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Endpoint {
    #[serde(rename = "endpoint")]
    url: String,
    access_token: String,
}

impl Endpoint {
    /// `None`: the token has the claim, or it is nowhere that anybody could be asked.
    pub(super) fn of(claim: &str, claims: &Value) -> Result<Option<Self>, DistributedError> {
        let (names, sources) = (&claims["_claim_names"], &claims["_claim_sources"]);
        if claims.get(claim).is_some() || names.is_null() || sources.is_null() {
            return Ok(None);
        }
        let names = HashMap::<String, String>::deserialize(names).map_err(|_| DistributedError::Malformed)?;
        let mut sources = HashMap::<String, Self>::deserialize(sources).map_err(|_| DistributedError::Malformed)?;
        let Some(source) = names.get(claim) else { return Ok(None) };
        let found = sources.remove(source).ok_or_else(|| DistributedError::Source(source.clone()))?;
        Ok(Some(found).filter(|found| !found.url.is_empty()))
    }
}

impl Issuer {
    /// Puts the claim among those of the token, where it is somewhere else.
    pub(super) async fn bring(&self, claim: &str, claims: &mut Value, now: Timestamp) -> Result<(), OidcError> {
        let Some(endpoint) = Endpoint::of(claim, claims)? else { return Ok(()) };
        let answer = self.provider.fetch(&endpoint.url, &endpoint.access_token).await?;
        let text = std::str::from_utf8(&answer).map_err(|_| JwtError::Malformed)?.trim();
        let token = Compact::of_any_length(text)?;
        let mut brought: Value = serde_json::from_slice(&token.payload).map_err(|_| JwtError::Claims)?;
        let issuer = brought["iss"].as_str().ok_or(JwtError::Claims)?;
        self.provider.of(issuer)?.verify(&token).await?;
        self.check(&brought, now)?;
        let value = brought.get_mut(claim).ok_or_else(|| DistributedError::Missing(claim.to_owned()))?;
        claims[claim] = value.take();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_claim_is_asked_for_where_the_token_says_if_it_does_not_have_it() {
        let of = |claims: Value| Endpoint::of("groups", &claims).map_err(|error| error.to_string());
        let names = json!({"groups": "src"});
        let sources = json!({"src": {"endpoint": "https://id.example/groups", "access_token": "t"}});
        let there = Endpoint { url: "https://id.example/groups".to_owned(), access_token: "t".to_owned() };
        assert_eq!(of(json!({"_claim_names": names, "_claim_sources": sources})), Ok(Some(there)));
        assert_eq!(of(json!({"groups": [], "_claim_names": names, "_claim_sources": sources})), Ok(None));
        assert_eq!(of(json!({"_claim_names": {"other": "src"}, "_claim_sources": sources})), Ok(None));
        assert_eq!(of(json!({"_claim_names": names, "_claim_sources": {"src": {"JWT": "a.b.c"}}})), Ok(None));
        assert_eq!(of(json!({"_claim_names": names})), Ok(None));
        assert_eq!(
            of(json!({"_claim_names": names, "_claim_sources": {}})),
            Err("id token _claim_names contained a source src missing in _claims_sources".to_owned())
        );
        assert!(of(json!({"_claim_names": ["groups"], "_claim_sources": {}})).is_err());
    }
}
