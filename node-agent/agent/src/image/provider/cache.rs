//! Answers of one credential provider, for as long as they are good. Pure: the time comes in.

use jiff::{SignedDuration, Timestamp};
use kinds::moment::later;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Answers kept of one provider, each of at most 64 KiB; more images than that are asked for again.
const ENTRIES_MAX: usize = 500;

/// What an answer is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum KeyKind {
    Image,
    Registry,
    Global,
}

#[derive(Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Login {
    #[serde(default)]
    pub(super) username: String,
    #[serde(default)]
    pub(super) password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("username", &self.username).finish_non_exhaustive()
    }
}

/// By registry.
pub(super) type Logins = Arc<BTreeMap<String, Login>>;

#[derive(Debug, Default)]
pub(super) struct Cache(BTreeMap<String, Entry>);

#[derive(Debug)]
struct Entry {
    logins: Logins,
    until: Timestamp,
}

impl Cache {
    pub(super) fn get(&mut self, image: &str, now: Timestamp) -> Option<Logins> {
        self.0.retain(|_, entry| entry.until > now);
        let kinds = [KeyKind::Image, KeyKind::Registry, KeyKind::Global];
        let found = kinds.into_iter().find_map(|kind| self.0.get(&key(kind, image)));
        found.map(|entry| Arc::clone(&entry.logins))
    }

    pub(super) fn put(&mut self, kind: KeyKind, image: &str, logins: Logins, now: Timestamp, duration: SignedDuration) {
        if self.0.len() >= ENTRIES_MAX
            && let Some(first) = self.0.iter().min_by_key(|(_, entry)| entry.until).map(|(key, _)| key.clone())
        {
            self.0.remove(&first);
        }
        self.0.insert(key(kind, image), Entry { logins, until: later(now, duration) });
    }
}

fn key(kind: KeyKind, image: &str) -> String {
    match kind {
        KeyKind::Image => format!("image {image}"),
        KeyKind::Registry => format!("registry {}", image.split('/').next().unwrap_or(image)),
        KeyKind::Global => "global".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::fixture::at;

    fn logins(username: &str) -> Logins {
        let login = Login { username: username.to_owned(), password: "x".to_owned() };
        Arc::new([("r.example".to_owned(), login)].into())
    }

    #[test]
    fn an_answer_is_good_for_what_it_says_and_no_longer() {
        let second = SignedDuration::from_secs;
        for (kind, others) in [
            (KeyKind::Image, [true, false, false]),
            (KeyKind::Registry, [true, true, false]),
            (KeyKind::Global, [true, true, true]),
        ] {
            let mut cache = Cache::default();
            cache.put(kind, "r.example/a", logins("one"), at(0), second(10));
            let known = ["r.example/a", "r.example/b", "s.example/a"].map(|image| cache.get(image, at(9)).is_some());
            assert_eq!(known, others, "{kind:?}");
            assert_eq!(cache.get("r.example/a", at(10)), None, "{kind:?}");
        }
        let mut cache = Cache::default();
        cache.put(KeyKind::Global, "r.example/a", logins("all"), at(0), second(100));
        cache.put(KeyKind::Image, "r.example/a", logins("one"), at(0), second(10));
        assert_eq!(cache.get("r.example/a", at(5)), Some(logins("one")));
        assert_eq!(cache.get("r.example/a", at(50)), Some(logins("all")));
    }

    #[test]
    fn the_answer_that_ends_first_makes_room() {
        let mut cache = Cache::default();
        for n in 0..=ENTRIES_MAX {
            let seconds = i64::try_from(n).unwrap() + 1;
            let duration = SignedDuration::from_secs(seconds);
            cache.put(KeyKind::Image, &format!("r.example/{n}"), logins("u"), at(0), duration);
        }
        assert_eq!((cache.0.len(), cache.get("r.example/0", at(0))), (ENTRIES_MAX, None));
        assert!(cache.get("r.example/1", at(0)).is_some());
    }
}
