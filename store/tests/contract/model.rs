//! Random histories against the simplest thing that could be right: every state that the store ever had, kept whole.

use crate::suite::{batches_until, delete, put};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{Batch, Entry, Event, Expect, RangeRequest, ReadError, Rest, Rev, Store, TxnError, Write};

const SEEDS: [u64; 3] = [1, 42, 20_260];
const STEPS: usize = 250;

/// SplitMix64: small, and the same on every machine.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

type State = BTreeMap<String, Entry>;

struct Model {
    /// The state at each revision since the start.
    states: BTreeMap<Rev, State>,
    batches: Vec<Batch>,
    compacted: Rev,
}

impl Model {
    fn rev(&self) -> Rev {
        *self.states.last_key_value().expect("the start is a state").0
    }

    fn now(&self) -> &State {
        &self.states[&self.rev()]
    }

    fn at(&self, at: Option<Rev>) -> Result<(&State, Rev), &'static str> {
        let rev = at.unwrap_or(self.rev());
        match self.states.get(&rev) {
            None => Err("future"),
            Some(_) if rev < self.compacted => Err("compacted"),
            Some(state) => Ok((state, rev)),
        }
    }

    /// The revision, or the key in conflict.
    fn txn(&mut self, writes: &[Write]) -> Result<Rev, String> {
        let mut state = self.now().clone();
        for write in writes {
            let found = state.get(&write.key).map(|entry| entry.mod_rev);
            let holds = match write.expect {
                Expect::Any => true,
                Expect::NoneBelow => first_below(&state, &write.key).is_none(),
                Expect::Absent => found.is_none(),
                Expect::Rev(rev) => found == Some(rev),
            };
            if !holds {
                return Err(write.key.clone());
            }
        }
        let rev = self.rev() + 1;
        let mut events = Vec::new();
        for write in writes.iter().filter(|write| write.expect != Expect::NoneBelow) {
            let prev = state.remove(&write.key);
            if let Some(value) = write.value.clone() {
                let create_rev = prev.as_ref().map_or(rev, |prev| prev.create_rev);
                let entry = Entry { key: write.key.as_str().into(), value, create_rev, mod_rev: rev };
                state.insert(write.key.clone(), entry.clone());
                events.push(Event::Put { entry, prev });
            } else if let Some(prev) = prev {
                events.push(Event::Delete { prev, rev });
            }
        }
        if events.is_empty() {
            return Ok(rev - 1);
        }
        self.states.insert(rev, state);
        self.batches.push(Batch { rev, events });
        Ok(rev)
    }
}

fn first_below<'a>(state: &'a State, prefix: &str) -> Option<&'a Entry> {
    state.iter().find(|(key, _)| key.starts_with(prefix)).map(|(_, entry)| entry)
}

fn error_name(error: &ReadError) -> &'static str {
    match error {
        ReadError::Compacted { .. } => "compacted",
        ReadError::Future { .. } => "future",
        ReadError::Unavailable(_) => "unavailable",
    }
}

fn random_key(rng: &mut Rng) -> String {
    format!("/{}/{}", ["a", "ab", "b"][rng.below(3) as usize], rng.below(5))
}

fn random_writes(rng: &mut Rng, model: &Model) -> Vec<Write> {
    let mut writes: Vec<Write> = Vec::new();
    if rng.below(4) == 0 {
        let prefix = ["/a/", "/ab/", "/b/", "/none/", "/b/1"][rng.below(5) as usize];
        writes.push(delete(prefix, Expect::NoneBelow));
    }
    for _ in 0..=rng.below(3) {
        let key = random_key(rng);
        if writes.iter().any(|write| write.key == key) {
            continue;
        }
        let found = model.now().get(&key).map(|entry| entry.mod_rev);
        let expect = match (rng.below(6), found) {
            (0, _) | (2 | 3, None) => Expect::Absent,
            (1, _) => Expect::Rev(model.rev().saturating_sub(rng.below(4))),
            (2 | 3, Some(rev)) => Expect::Rev(rev),
            _ => Expect::Any,
        };
        let value = rng.next().to_le_bytes().repeat(rng.below(40) as usize);
        writes.push(if rng.below(3) == 0 { delete(&key, expect) } else { put(&key, value, expect) });
    }
    writes
}

async fn check_txn(store: &Arc<dyn Store>, model: &mut Model, rng: &mut Rng) {
    let writes = random_writes(rng, model);
    let before = model.now().clone();
    let outcome = match store.txn(writes.clone()).await {
        Ok(committed) => Ok(committed.rev),
        Err(TxnError::Conflict { key, found }) => {
            let of_range = writes.iter().any(|write| write.key == key && write.expect == Expect::NoneBelow);
            let expected = if of_range { first_below(&before, &key) } else { before.get(&key) };
            assert_eq!(found.as_ref(), expected);
            Err(key)
        }
        Err(error) => panic!("{error}"),
    };
    assert_eq!(outcome, model.txn(&writes), "{writes:?}");
}

/// A revision now and then before the compaction or after the end.
fn random_at(rng: &mut Rng, model: &Model) -> Option<Rev> {
    let first = *model.states.first_key_value().expect("the start is a state").0;
    (rng.below(3) > 0).then(|| first.max(1) + rng.below(model.rev() - first + 2))
}

async fn check_get(store: &Arc<dyn Store>, model: &Model, rng: &mut Rng) {
    let (key, at) = (random_key(rng), random_at(rng, model));
    let expected = model.at(at).map(|(state, rev)| (state.get(&key).cloned(), rev));
    let seen = store.get(&key, at).await;
    assert_eq!(seen.map_err(|error| error_name(&error)), expected, "{key} at {at:?}");
}

async fn check_range(store: &Arc<dyn Store>, model: &Model, rng: &mut Rng) {
    let request = RangeRequest {
        prefix: ["/", "/a/", "/a", "/ab/", "/none"][rng.below(5) as usize].to_owned(),
        after: (rng.below(2) == 0).then(|| random_key(rng)),
        limit: rng.below(5) as usize,
        at: random_at(rng, model),
        rest: if rng.below(2) == 0 { Rest::Counted } else { Rest::Whether },
    };
    // Whoever asks only whether there is more may be told how much.
    let told = |remaining: u64| if request.rest == Rest::Counted { remaining } else { remaining.min(1) };
    let expected = model.at(request.at).map(|(state, rev)| {
        let after = |key: &str| request.after.as_deref().is_none_or(|after| key > after);
        let below: Vec<Entry> = state
            .iter()
            .filter(|(key, _)| key.starts_with(&request.prefix) && after(key))
            .map(|(_, entry)| entry.clone())
            .collect();
        let limit = if request.limit == 0 { below.len() } else { request.limit.min(below.len()) };
        (below[..limit].to_vec(), told((below.len() - limit) as u64), rev)
    });
    let seen = store.range(request.clone()).await.map(|page| (page.entries, told(page.remaining), page.rev));
    assert_eq!(seen.map_err(|error| error_name(&error)), expected, "{request:?}");
}

async fn check_watch(store: &Arc<dyn Store>, model: &Model, rng: &mut Rng) {
    let prefix = ["/", "/a/", "/b/"][rng.below(3) as usize];
    let after = model.compacted + rng.below(model.rev() - model.compacted + 1);
    let key = |event: &Event| match event {
        Event::Put { entry, .. } => entry.key.clone(),
        Event::Delete { prev, .. } => prev.key.clone(),
    };
    let expected: Vec<(Rev, Vec<Event>)> = model
        .batches
        .iter()
        .filter(|batch| batch.rev > after)
        .map(|batch| (batch.rev, batch.events.iter().filter(|event| key(event).starts_with(prefix)).cloned().collect()))
        .filter(|(_, events): &(Rev, Vec<Event>)| !events.is_empty())
        .collect();
    let mut watch = store.watch(prefix, after).await.expect("a watch");
    assert_eq!(store.rev().await.expect("a revision"), model.rev());
    let seen = batches_until(&mut watch, model.rev()).await;
    let seen: Vec<(Rev, Vec<Event>)> = seen.into_iter().map(|batch| (batch.rev, batch.events)).collect();
    assert_eq!(seen, expected, "{prefix} after {after}");
}

async fn check_compact(store: &Arc<dyn Store>, model: &mut Model, rng: &mut Rng) {
    let rev = model.compacted.max(1) + rng.below(1 + (model.rev() - model.compacted) / 2);
    if rev <= model.rev() {
        store.compact(rev).await.expect("a compaction");
        model.compacted = model.compacted.max(rev);
    }
}

async fn run(store: &Arc<dyn Store>, seed: u64) {
    let mut rng = Rng(seed);
    // Leave nothing of the run before: its keys would be unknown to the model.
    let left = store
        .range(RangeRequest { prefix: "/".into(), after: None, limit: 0, at: None, rest: Rest::Whether })
        .await
        .expect("a range");
    for entry in left.entries {
        store.txn(vec![delete(&entry.key, Expect::Any)]).await.expect("a delete");
    }
    let start = store.txn(vec![put("/start", Bytes::from_static(b"s"), Expect::Any)]).await.expect("a put").rev;
    store.compact(start).await.expect("a compaction");
    let (entry, _) = store.get("/start", None).await.expect("a read");
    let state = State::from([("/start".to_owned(), entry.expect("just written"))]);
    let mut model = Model { states: BTreeMap::from([(start, state)]), batches: Vec::new(), compacted: start };
    for _ in 0..STEPS {
        match rng.below(20) {
            0..10 => check_txn(store, &mut model, &mut rng).await,
            10..13 => check_get(store, &model, &mut rng).await,
            13..17 => check_range(store, &model, &mut rng).await,
            17..19 => check_watch(store, &model, &mut rng).await,
            _ => check_compact(store, &mut model, &mut rng).await,
        }
    }
}

#[expect(clippy::print_stderr, reason = "the last seed named is that of the failure")]
pub(crate) async fn random_histories_agree_with_a_map(store: &Arc<dyn Store>) {
    for seed in SEEDS {
        eprintln!("seed {seed}");
        run(store, seed).await;
    }
}
