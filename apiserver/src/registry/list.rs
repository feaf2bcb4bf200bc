//! LIST: from the watch cache at its revision; later pages and exact revisions from the store's history.

use super::{Call, Registry};
use crate::cache::{EventType, Object};
use crate::custom::convert;
use crate::error::ApiError;
use crate::request::RevisionMatch;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::{DecodeError, Engine};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use store::{RangeRequest, ReadError, Rest, Rev};

/// A collection, or a page of it, at one revision.
pub struct List {
    pub objects: Vec<Arc<Object>>,
    pub rev: Rev,
    /// `""`: this is the end.
    pub continue_token: String,
    /// Objects after this page; unknown where a selector picks.
    pub remaining: Option<u64>,
}

/// Where the next page starts. Opaque to clients.
/// k8s: storage/continue.go
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Token {
    v: String,
    /// Negative: whatever the newest revision is (a pager whose revision expired goes on, inconsistently).
    rv: i64,
    /// The last key of the page before.
    pub(crate) start: String,
}

const TOKEN_VERSION: &str = "meta.k8s.io/v1";
const ANY_REVISION: i64 = -1;
/// Entries read at once while a selector looks for the matches of one page.
const SCAN: usize = 500;

const EXPIRED_REVISION: &str = "The resourceVersion for the provided list is too old.";

const EXPIRED_TOKEN: &str = "The provided continue parameter is too old to display a consistent list result. You can \
start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder \
of the results. Continuing with the provided token results in an inconsistent list - objects that were created, \
modified, or deleted between the time the first chunk was returned and now may show up in the list.";

impl Token {
    fn encode(rev: i64, start: &str) -> String {
        let token = Self { v: TOKEN_VERSION.into(), rv: rev, start: start.into() };
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(&token).expect("plain fields always encode"))
    }

    /// `ns` is the namespace of the request: a token of another one is refused.
    pub(crate) fn decode(text: &str, ns: &str) -> Result<Self, ApiError> {
        let bad =
            |why: &str| ApiError::bad_request(format!("invalid continue token: continue key is not valid: {why}"));
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|error| match error {
            DecodeError::InvalidByte(at, _) | DecodeError::InvalidLastSymbol(at, _) => {
                bad(&format!("illegal base64 data at input byte {at}"))
            }
            DecodeError::InvalidLength(_) | DecodeError::InvalidPadding => {
                bad(&format!("illegal base64 data at input byte {}", text.len()))
            }
        })?;
        let token: Self = serde_json::from_slice(&bytes).map_err(|error| bad(&error.to_string()))?;
        if token.v != TOKEN_VERSION {
            return Err(bad(&format!("server does not recognize this encoded version {}", token.v)));
        }
        if token.rv == 0 {
            return Err(bad(&format!("incorrect encoded start resourceVersion (version {TOKEN_VERSION})")));
        }
        if token.start.is_empty() {
            return Err(bad(&format!("encoded start key empty (version {TOKEN_VERSION})")));
        }
        let inside = ns.is_empty() || token.start.strip_prefix(ns).is_some_and(|rest| rest.starts_with('/'));
        if !inside {
            return Err(bad(&token.start));
        }
        Ok(token)
    }
}

impl Registry {
    pub async fn list(&self, call: &Call<'_>) -> Result<List, ApiError> {
        let Some(options) = convert::kept_options(call)? else {
            let mut list = self.list_as_kept(call).await?;
            list.objects = self.all_in_version(call.kind.as_ref(), list.objects).await?;
            return Ok(list);
        };
        // A page may then have fewer objects than were asked for, and still not be the last.
        let mut list = self.list_as_kept(&Call { options: &options, ..*call }).await?;
        list.objects = self.all_in_version(call.kind.as_ref(), list.objects).await?;
        list.objects.retain(|object| call.options.selection.matches(object));
        list.remaining = None;
        Ok(list)
    }

    /// Objects that only a webhook can convert are in the version that they were written in.
    async fn list_as_kept(&self, call: &Call<'_>) -> Result<List, ApiError> {
        let options = call.options;
        options.check_list()?;
        options.selection.check(call.row())?;
        if !options.continue_token.is_empty() {
            let token = Token::decode(&options.continue_token, call.ns)?;
            return match Rev::try_from(token.rv) {
                Ok(rev) => self.exact_page(call, Some(token.start), rev).await,
                Err(_) => self.cached_page(call, Some(&token.start)).await,
            };
        }
        match (options.resource_version, &options.resource_version_match) {
            (Some(rev), Some(RevisionMatch::Exact)) => self.exact_page(call, None, rev).await,
            // k8s: a limited list at a revision without a match rule is exact, as it was before match rules existed.
            (Some(rev), None) if rev > 0 && options.limit > 0 => self.exact_page(call, None, rev).await,
            (Some(_) | None, _) => self.cached_page(call, None).await,
        }
    }

    /// At exactly `rev`: from the cache as far as it remembers, then from the store's history.
    async fn exact_page(&self, call: &Call<'_>, start: Option<String>, rev: Rev) -> Result<List, ApiError> {
        let options = call.options;
        let cache = self.caches.of(call.kind).await?;
        self.caches.wait(rev).await?;
        let limit = if options.limit == 0 { usize::MAX } else { options.limit };
        // What is compacted is gone, even where the cache would still know.
        let known = rev >= self.caches.oldest();
        let page = known.then(|| cache.page_at(call.ns, start.as_deref(), limit, &options.selection, rev)).flatten();
        match page {
            Some((page, remaining)) => Ok(page_of(call, page.objects, rev, remaining as u64)),
            None => self.stored_page(call, start, rev).await,
        }
    }

    /// From the cache, as fresh as the options demand.
    async fn cached_page(&self, call: &Call<'_>, after: Option<&str>) -> Result<List, ApiError> {
        let options = call.options;
        let cache = match options.resource_version {
            None => self.caches.fresh(call.kind).await?,
            Some(rev) => {
                let cache = self.caches.of(call.kind).await?;
                self.caches.wait(rev).await?;
                cache
            }
        };
        // k8s: storage/cacher/cacher.go, computeListLimit: whoever takes any revision gets all of it.
        let whole = options.limit == 0 || (after.is_none() && options.resource_version == Some(0));
        let limit = if whole { usize::MAX } else { options.limit };
        let (page, remaining) = cache.page(call.ns, after, limit, &options.selection);
        Ok(page_of(call, page.objects, page.rev, remaining as u64))
    }

    /// From the store, at exactly `rev`.
    async fn stored_page(&self, call: &Call<'_>, start: Option<String>, rev: Rev) -> Result<List, ApiError> {
        let row = call.row();
        let options = call.options;
        let root = super::key(row, "", "");
        let prefix = if call.ns.is_empty() { root.clone() } else { format!("{root}{}/", call.ns) };
        let everything = options.selection.is_everything();
        let limit = if options.limit == 0 { usize::MAX } else { options.limit };
        let mut after = start.as_ref().map(|key| format!("{root}{key}"));
        let mut objects: Vec<Arc<Object>> = Vec::new();
        loop {
            let ask = match (everything, limit) {
                (_, usize::MAX) => 0,
                (true, limit) => limit - objects.len(),
                (false, _) => SCAN,
            };
            // Only a list of everything says how much is left.
            let rest = if everything { Rest::Counted } else { Rest::Whether };
            let (prefix, after_key) = (prefix.clone(), after.clone());
            let request = RangeRequest { prefix, after: after_key, limit: ask, at: Some(rev), rest };
            let page = self.store.range(request).await.map_err(|error| expired_page(error, start.as_deref()))?;
            for (at, entry) in page.entries.iter().enumerate() {
                let object = Object::decode(call.kind, root.len(), entry, EventType::Added);
                if !everything && !options.selection.matches(&object) {
                    continue;
                }
                objects.push(Arc::new(object));
                if objects.len() >= limit {
                    let left = page.remaining + (page.entries.len() - at - 1) as u64;
                    return Ok(page_of(call, objects, rev, left));
                }
            }
            match page.entries.last() {
                Some(last) if page.remaining > 0 => after = Some(last.key.to_string()),
                _ => return Ok(page_of(call, objects, rev, 0)),
            }
        }
    }
}

fn page_of(call: &Call<'_>, objects: Vec<Arc<Object>>, rev: Rev, remaining: u64) -> List {
    let last = objects.last().map(|object| object.key.to_string()).filter(|_| remaining > 0);
    let continue_token = last.map(|key| Token::encode(rev as i64, &key)).unwrap_or_default();
    let remaining = (!continue_token.is_empty() && call.options.selection.is_everything()).then_some(remaining);
    List { objects, rev, continue_token, remaining }
}

/// A pager whose revision is gone gets a token to go on without consistency.
fn expired_page(error: ReadError, start: Option<&str>) -> ApiError {
    match (error, start) {
        (ReadError::Compacted { .. }, Some(start)) => ApiError::Expired {
            message: EXPIRED_TOKEN.into(),
            continue_token: Some(Token::encode(ANY_REVISION, start)),
        },
        (ReadError::Compacted { .. }, None) => ApiError::expired(EXPIRED_REVISION),
        (error, _) => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_back_into_its_own_collection_only() {
        let token = Token::encode(7, "ns/a");
        assert_eq!(Token::decode(&token, "ns").unwrap().start, "ns/a");
        assert_eq!(Token::decode(&token, "").unwrap().rv, 7);
        assert!(Token::decode(&token, "other").is_err());
        assert!(Token::decode("%%%", "").is_err());
        assert!(Token::decode(&Token::encode(0, "a"), "").is_err());
    }
}
