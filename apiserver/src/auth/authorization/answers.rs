//! What a webhook has answered a moment ago. Bounded: those that were asked for least recently are forgotten first, about.

use super::question::Status;
use std::collections::HashMap;
use tokio::time::Instant;

/// Digest of a question.
pub(super) type Key = [u8; 32];

/// k8s: of the LRU cache of one webhook
const ANSWERS_MAX: usize = 8192;

/// In two generations: what is looked up moves to the younger one, which becomes the older one when it is full.
#[derive(Default)]
pub(super) struct Answers {
    young: HashMap<Key, (Status, Instant)>,
    old: HashMap<Key, (Status, Instant)>,
}

impl Answers {
    pub(super) fn find(&mut self, key: &Key, now: Instant) -> Option<Status> {
        let is_good = |(_, until): &&(Status, Instant)| *until > now;
        if let Some((status, _)) = self.young.get(key).filter(is_good) {
            return Some(status.clone());
        }
        let (status, until) = self.old.remove(key).filter(|answer| is_good(&answer))?;
        self.put(*key, status.clone(), until);
        Some(status)
    }

    pub(super) fn put(&mut self, key: Key, status: Status, until: Instant) {
        if self.young.len() >= ANSWERS_MAX / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, (status, until));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn key(number: usize) -> Key {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&number.to_le_bytes());
        key
    }

    #[test]
    fn an_answer_is_good_until_its_time_is_over() {
        let (mut answers, now) = (Answers::default(), Instant::now());
        answers.put(key(1), Status { allowed: true, ..Status::default() }, now + Duration::from_secs(5));
        assert!(answers.find(&key(1), now).unwrap().allowed);
        assert_eq!(answers.find(&key(2), now), None);
        assert_eq!(answers.find(&key(1), now + Duration::from_secs(5)), None);
    }

    #[test]
    fn there_are_never_too_many_and_those_in_use_stay() {
        let (mut answers, now) = (Answers::default(), Instant::now());
        let until = now + Duration::from_mins(1);
        for number in 0..3 * ANSWERS_MAX {
            answers.put(key(number), Status::default(), until);
            assert!(answers.find(&key(0), now).is_some(), "after {number}");
            assert!(answers.young.len() + answers.old.len() <= ANSWERS_MAX);
        }
        assert_eq!(answers.find(&key(1), now), None);
    }
}
