//! Claims that a token does not have, but says where they are: the groups of people who are in too many for a token. The
//! place answers with another token, of the same issuer or of one of its own.
//! k8s: `claimResolver` of `oidc.go`; OpenID Connect Core 1.0, 5.6.2

use super::{Issuer, OidcError};
use crate::auth::token::{Compact, JwtError};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use tokio::sync::{OnceCell, Semaphore};

/// Whoever lost a group keeps it for so long, and a user's requests ask no more often.
const KEPT: SignedDuration = SignedDuration::from_secs(10);
const FAILURE_KEPT: SignedDuration = SignedDuration::from_secs(1);
const KEPT_MAX: usize = 1000;
/// Tokens of one issuer for which claims are asked for at once; the others wait.
const AT_ONCE_MAX: usize = 16;

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

/// SHA-256 of a token.
type Key = [u8; 32];

type Answer = Result<Arc<Value>, Arc<OidcError>>;

/// What was brought for the users of one issuer.
pub(super) struct Brought {
    known: Mutex<Known>,
    seats: Semaphore,
}

impl Default for Brought {
    fn default() -> Self {
        Self { known: Mutex::default(), seats: Semaphore::new(AT_ONCE_MAX) }
    }
}

#[derive(Default)]
struct Known {
    /// With the times until which they count.
    answers: HashMap<Key, (Answer, Timestamp)>,
    /// What is being asked for: requests of one user that come together ask once.
    asking: HashMap<Key, Weak<OnceCell<Answer>>>,
}

enum Found {
    Known(Answer),
    Asking(Arc<OnceCell<Answer>>),
}

impl Known {
    fn find(&mut self, key: &Key, now: Timestamp) -> Found {
        if let Some((answer, until)) = self.answers.get(key)
            && now < *until
        {
            return Found::Known(answer.clone());
        }
        if let Some(asking) = self.asking.get(key).and_then(Weak::upgrade) {
            return Found::Asking(asking);
        }
        self.asking.retain(|_, asking| asking.strong_count() > 0);
        let asking = Arc::default();
        self.asking.insert(*key, Arc::downgrade(&asking));
        Found::Asking(asking)
    }

    /// Where there is no room, it is asked for again.
    fn keep(&mut self, key: Key, answer: Answer, now: Timestamp) {
        self.asking.remove(&key);
        if self.answers.len() >= KEPT_MAX {
            self.answers.retain(|_, (_, until)| now < *until);
        }
        if self.answers.len() < KEPT_MAX {
            let until = now + if answer.is_ok() { KEPT } else { FAILURE_KEPT };
            self.answers.insert(key, (answer, until));
        }
    }
}

impl Issuer {
    /// Puts the claim among those of the verified token, where it is somewhere else.
    pub(super) async fn bring(
        &self,
        claim: &str,
        token: &str,
        claims: &mut Value,
        now: Timestamp,
    ) -> Result<(), OidcError> {
        let Some(endpoint) = Endpoint::of(claim, claims)? else { return Ok(()) };
        let key: Key = Sha256::digest(token).into();
        let found = self.brought.known.lock().find(&key, now);
        let answer = match found {
            Found::Known(answer) => answer,
            Found::Asking(asking) => asking.get_or_init(|| self.ask_once(claim, &endpoint, key, now)).await.clone(),
        };
        let value = answer.map_err(OidcError::Bring)?;
        claims[claim] = Value::clone(&value);
        Ok(())
    }

    async fn ask_once(&self, claim: &str, endpoint: &Endpoint, key: Key, now: Timestamp) -> Answer {
        let seat = self.brought.seats.acquire().await.expect("nobody closes it");
        let answer = self.ask(claim, endpoint, now).await.map(Arc::new).map_err(Arc::new);
        drop(seat);
        self.brought.known.lock().keep(key, answer.clone(), self.provider.now());
        answer
    }

    async fn ask(&self, claim: &str, endpoint: &Endpoint, now: Timestamp) -> Result<Value, OidcError> {
        let answer = self.provider.fetch_claims(&endpoint.url, &endpoint.access_token).await?;
        let text = std::str::from_utf8(&answer).map_err(|_| JwtError::Malformed)?.trim();
        let token = Compact::of_any_length(text)?;
        let mut brought: Value = serde_json::from_slice(&token.payload).map_err(|_| JwtError::Claims)?;
        let issuer = brought["iss"].as_str().ok_or(JwtError::Claims)?;
        self.provider.verify_of(issuer, &token).await?;
        self.check(&brought, now)?;
        let value = brought.get_mut(claim).ok_or_else(|| DistributedError::Missing(claim.to_owned()))?;
        Ok(value.take())
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

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(millis).unwrap()
    }

    fn known(all: &mut Known, key: u8, millis: i64) -> Option<Answer> {
        match all.find(&[key; 32], at(millis)) {
            Found::Known(answer) => Some(answer),
            Found::Asking(_) => None,
        }
    }

    #[test]
    fn what_was_brought_counts_for_ten_seconds_and_a_failure_for_one() {
        let mut all = Known::default();
        all.keep([1; 32], Ok(Arc::new(json!(["a"]))), at(0));
        all.keep([2; 32], Err(Arc::new(OidcError::Expired)), at(0));
        assert_eq!(*known(&mut all, 1, 9_999).unwrap().unwrap(), json!(["a"]));
        assert!(known(&mut all, 2, 999).unwrap().is_err());
        assert!(known(&mut all, 1, 10_000).is_none() && known(&mut all, 2, 1_000).is_none());
        assert!(known(&mut all, 3, 0).is_none());
    }

    #[test]
    fn who_comes_while_it_is_asked_for_waits_for_the_same_answer() {
        let mut all = Known::default();
        let mut asking = || match all.find(&[1; 32], at(0)) {
            Found::Asking(asking) => asking,
            Found::Known(_) => panic!("nobody has answered"),
        };
        let first = asking();
        assert!(Arc::ptr_eq(&first, &asking()));
    }

    #[test]
    fn no_more_than_there_is_room_for_is_kept_and_what_is_over_goes_first() {
        let mut all = Known::default();
        let key = |n: usize| -> Key { Sha256::digest(n.to_be_bytes()).into() };
        for n in 0..KEPT_MAX + 5 {
            all.keep(key(n), Ok(Arc::new(Value::Null)), at(0));
        }
        assert_eq!(all.answers.len(), KEPT_MAX);
        all.keep(key(KEPT_MAX), Ok(Arc::new(Value::Null)), at(10_000));
        assert_eq!(all.answers.len(), 1);
    }
}
