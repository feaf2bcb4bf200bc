//! The cases. Each takes an empty store, knows nothing of its kind, and counts revisions from where it finds them.

use bytes::Bytes;
use futures::{StreamExt, future};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use store::{
    Batch, Entry, Event, Expect, Page, RangeRequest, ReadError, Rest, Rev, Store, TXN_WRITES_MAX, TxnError, WatchItem,
    WatchStream, Write,
};

type Case<'a> = &'a Arc<dyn Store>;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

// === what the cases are written with

pub(crate) fn put(key: &str, value: impl AsRef<[u8]>, expect: Expect) -> Write {
    Write { key: key.to_owned(), expect, value: Some(Bytes::copy_from_slice(value.as_ref())) }
}

pub(crate) fn delete(key: &str, expect: Expect) -> Write {
    Write { key: key.to_owned(), expect, value: None }
}

async fn commit(store: Case<'_>, writes: Vec<Write>) -> Rev {
    store.txn(writes).await.expect("the transaction commits").rev
}

async fn set(store: Case<'_>, key: &str, value: &str) -> Rev {
    commit(store, vec![put(key, value, Expect::Any)]).await
}

async fn remove(store: Case<'_>, key: &str) -> Rev {
    commit(store, vec![delete(key, Expect::Any)]).await
}

async fn now(store: Case<'_>) -> Rev {
    store.rev().await.expect("a revision")
}

async fn value(store: Case<'_>, key: &str, at: Option<Rev>) -> Option<String> {
    let (entry, _) = store.get(key, at).await.expect("a read");
    entry.map(|entry| String::from_utf8(entry.value.to_vec()).expect("text"))
}

fn all(prefix: &str) -> RangeRequest {
    RangeRequest { prefix: prefix.to_owned(), after: None, limit: 0, at: None, rest: Rest::Counted }
}

async fn range(store: Case<'_>, request: RangeRequest) -> Page {
    store.range(request).await.expect("a range")
}

fn keys(page: &Page) -> Vec<&str> {
    page.entries.iter().map(|entry| &*entry.key).collect()
}

fn text(entry: &Entry) -> String {
    format!("{}={}", entry.key, String::from_utf8_lossy(&entry.value))
}

/// An event as a line: what, and what was before.
fn line(event: &Event) -> String {
    match event {
        Event::Put { entry, prev: None } => format!("+{}", text(entry)),
        Event::Put { entry, prev: Some(prev) } => format!("{} <- {}", text(entry), text(prev)),
        Event::Delete { prev, .. } => format!("-{}", text(prev)),
    }
}

async fn next(watch: &mut WatchStream) -> Result<WatchItem, ReadError> {
    tokio::time::timeout(PATIENCE, watch.next()).await.expect("an item in time").expect("the watch goes on")
}

/// The batches of a watch up to and including `rev`; checks order on the way.
pub(crate) async fn batches_until(watch: &mut WatchStream, rev: Rev) -> Vec<Batch> {
    let mut batches: Vec<Batch> = Vec::new();
    let mut seen = 0;
    while seen < rev {
        match next(watch).await.expect("the watch keeps its promise") {
            WatchItem::Batch(batch) => {
                assert!(batch.rev > seen, "batch {} after revision {seen}", batch.rev);
                seen = batch.rev;
                batches.push(batch);
            }
            WatchItem::Progress(rev) => {
                assert!(rev >= seen, "progress {rev} after revision {seen}");
                seen = rev;
            }
        }
    }
    batches
}

fn lines(batches: &[Batch]) -> Vec<String> {
    batches.iter().flat_map(|batch| batch.events.iter().map(line)).collect()
}

async fn watch(store: Case<'_>, prefix: &str, after: Rev) -> WatchStream {
    store.watch(prefix, after).await.expect("a watch")
}

fn found_rev(error: &TxnError) -> (&str, Option<Rev>) {
    match error {
        TxnError::Conflict { key, found } => (key, found.as_ref().map(|entry| entry.mod_rev)),
        other => panic!("a conflict, not {other:?}"),
    }
}

// === revisions and reads

pub(crate) async fn every_write_takes_the_next_revision(store: Case<'_>) {
    let start = now(store).await;
    assert_eq!(set(store, "/a/x", "1").await, start + 1);
    assert_eq!(set(store, "/a/y", "1").await, start + 2);
    assert_eq!(set(store, "/a/x", "2").await, start + 3);
    assert_eq!(remove(store, "/a/y").await, start + 4);
    assert_eq!(now(store).await, start + 4);
    let (x, rev) = store.get("/a/x", None).await.expect("a read");
    let expected =
        Entry { key: "/a/x".into(), value: Bytes::from_static(b"2"), create_rev: start + 1, mod_rev: start + 3 };
    assert_eq!((x, rev), (Some(expected), start + 4));
    assert_eq!(store.get("/a/y", None).await.expect("a read"), (None, start + 4));
}

pub(crate) async fn a_recreated_key_starts_anew(store: Case<'_>) {
    set(store, "/a", "1").await;
    remove(store, "/a").await;
    let again = set(store, "/a", "2").await;
    let (entry, _) = store.get("/a", None).await.expect("a read");
    assert_eq!(entry.map(|entry| (entry.create_rev, entry.mod_rev)), Some((again, again)));
}

pub(crate) async fn values_are_any_bytes(store: Case<'_>) {
    for bytes in [Vec::new(), vec![0], (0..=255).collect(), vec![0xff; 1 << 20]] {
        commit(store, vec![put("/bytes", &bytes, Expect::Any)]).await;
        let (entry, _) = store.get("/bytes", None).await.expect("a read");
        assert_eq!(entry.map(|entry| entry.value), Some(Bytes::from(bytes)));
    }
}

pub(crate) async fn a_read_at_a_revision_shows_the_past(store: Case<'_>) {
    let before = now(store).await.max(1);
    let first = set(store, "/a", "1").await;
    let second = set(store, "/a", "2").await;
    let gone = remove(store, "/a").await;
    let third = set(store, "/a", "3").await;
    let mut seen = Vec::new();
    for at in [before.min(first), first, second, gone, third] {
        seen.push(value(store, "/a", Some(at)).await);
    }
    let first_seen = if before < first { None } else { Some("1") };
    assert_eq!(seen, [first_seen, Some("1"), Some("2"), None, Some("3")].map(|seen| seen.map(str::to_owned)));
    let (_, rev) = store.get("/a", Some(second)).await.expect("a read");
    assert_eq!(rev, second);
}

pub(crate) async fn a_range_holds_its_prefix_in_key_order(store: Case<'_>) {
    for key in ["/pods/b/1", "/pods/a/2", "/pods/a/1", "/pods/a", "/podsx/1", "/pod/1", "/pods/a-b/1", "/pods/a0"] {
        set(store, key, "x").await;
    }
    assert_eq!(keys(&range(store, all("/pods/a/")).await), ["/pods/a/1", "/pods/a/2"]);
    let page = range(store, all("/pods/")).await;
    assert_eq!(keys(&page), ["/pods/a", "/pods/a-b/1", "/pods/a/1", "/pods/a/2", "/pods/a0", "/pods/b/1"]);
    assert_eq!((page.remaining, page.rev), (0, now(store).await));
    let none = range(store, all("/none/")).await;
    assert!(none.entries.is_empty() && none.remaining == 0);
}

pub(crate) async fn pages_at_one_revision_join_without_gap(store: Case<'_>) {
    for nth in 0..7 {
        set(store, &format!("/k/{nth}"), "old").await;
    }
    let mut request = RangeRequest { limit: 3, ..all("/k/") };
    let first = range(store, request.clone()).await;
    assert_eq!((keys(&first), first.remaining), (vec!["/k/0", "/k/1", "/k/2"], 4));
    // What happens between the pages is not seen.
    set(store, "/k/35", "new").await;
    set(store, "/k/4", "new").await;
    remove(store, "/k/6").await;
    request.at = Some(first.rev);
    request.after = Some("/k/2".to_owned());
    let second = range(store, request.clone()).await;
    assert_eq!((keys(&second), second.remaining, second.rev), (vec!["/k/3", "/k/4", "/k/5"], 1, first.rev));
    assert!(second.entries.iter().all(|entry| entry.value == "old"));
    request.after = Some("/k/5".to_owned());
    let last = range(store, request.clone()).await;
    assert_eq!((keys(&last), last.remaining), (vec!["/k/6"], 0));
    request.after = Some("/k/6".to_owned());
    assert!(range(store, request.clone()).await.entries.is_empty());
    // A key before the prefix does not widen the range.
    request.after = Some("/a".to_owned());
    assert_eq!(keys(&range(store, request).await), ["/k/0", "/k/1", "/k/2"]);
}

// === transactions

pub(crate) async fn expectations_decide(store: Case<'_>) {
    let made = commit(store, vec![put("/a", "1", Expect::Absent)]).await;
    let start = made;
    let refused = [
        (put("/a", "x", Expect::Absent), Some(made)),
        (put("/a", "x", Expect::Rev(made + 1)), Some(made)),
        (put("/a", "x", Expect::Rev(0)), Some(made)),
        (delete("/a", Expect::Rev(made - 1)), Some(made)),
        (put("/none", "x", Expect::Rev(made)), None),
        (put("/none", "x", Expect::Rev(0)), None),
        (delete("/none", Expect::Rev(made)), None),
    ];
    for (write, found) in refused {
        let key = write.key.clone();
        let error = store.txn(vec![write.clone()]).await.expect_err("a conflict");
        assert_eq!(found_rev(&error), (key.as_str(), found), "{write:?}");
    }
    assert_eq!(now(store).await, start, "a conflict takes no revision");
    let changed = commit(store, vec![put("/a", "2", Expect::Rev(made))]).await;
    commit(store, vec![put("/a", "3", Expect::Any)]).await;
    let error = store.txn(vec![put("/a", "4", Expect::Rev(changed))]).await.expect_err("a conflict");
    assert!(matches!(&error, TxnError::Conflict { found: Some(found), .. } if found.value == "3"), "{error:?}");
    commit(store, vec![delete("/a", Expect::Rev(changed + 1))]).await;
    commit(store, vec![put("/a", "5", Expect::Absent)]).await;
}

pub(crate) async fn a_transaction_is_all_or_nothing(store: Case<'_>) {
    let made = commit(store, vec![put("/a", "1", Expect::Absent), put("/b", "1", Expect::Absent)]).await;
    let refused = vec![put("/c", "2", Expect::Absent), put("/b", "2", Expect::Absent), put("/a", "2", Expect::Absent)];
    let error = store.txn(refused).await.expect_err("a conflict");
    assert_eq!(found_rev(&error), ("/b", Some(made)), "the first that does not hold is named");
    assert_eq!((value(store, "/c", None).await, now(store).await), (None, made));
    let writes =
        vec![put("/c", "3", Expect::Absent), delete("/a", Expect::Rev(made)), put("/b", "3", Expect::Rev(made))];
    let mut watch = watch(store, "/", made).await;
    let rev = commit(store, writes).await;
    assert_eq!(rev, made + 1);
    let batches = batches_until(&mut watch, rev).await;
    assert_eq!(batches.len(), 1, "one batch for one revision");
    assert_eq!(lines(&batches), ["+/c=3", "-/a=1", "/b=3 <- /b=1"], "in the order of the transaction");
    let page = range(store, all("/")).await;
    assert_eq!(page.entries.iter().map(|entry| entry.mod_rev).collect::<Vec<_>>(), [rev, rev]);
}

pub(crate) async fn a_transaction_takes_the_most_writes_allowed(store: Case<'_>) {
    let writes = |value: &'static str| {
        (0..TXN_WRITES_MAX).map(move |nth| put(&format!("/k/{nth:03}"), value, Expect::Any)).collect::<Vec<_>>()
    };
    let first = commit(store, writes("1")).await;
    let second = commit(store, writes("2")).await;
    assert_eq!(second, first + 1);
    for (at, expected) in [(first, "1"), (second, "2")] {
        let page = range(store, RangeRequest { at: Some(at), ..all("/k/") }).await;
        assert_eq!(page.entries.len(), TXN_WRITES_MAX);
        assert!(page.entries.iter().all(|entry| entry.value == expected && entry.mod_rev == at));
    }
}

pub(crate) async fn a_transaction_may_demand_that_a_range_is_empty(store: Case<'_>) {
    let guarded = |key: &str| vec![put(key, "x", Expect::Any), delete("/k/", Expect::NoneBelow)];
    let before = set(store, "/k", "not below").await;
    let made = commit(store, guarded("/a")).await;
    assert_eq!(made, before + 1, "what is demanded writes nothing");
    let second = set(store, "/k/2", "2").await;
    let first = set(store, "/k/1", "1").await;
    for found in [first, second] {
        let error = store.txn(guarded("/b")).await.expect_err("a conflict");
        assert_eq!(found_rev(&error), ("/k/", Some(found)), "the first of the range is named");
        assert_eq!(value(store, "/b", None).await, None);
        remove(store, if found == first { "/k/1" } else { "/k/2" }).await;
    }
    commit(store, guarded("/b")).await;
    // In one group with what fills the range and empties it.
    let fill = async { store.txn(vec![put("/k/3", "3", Expect::Absent)]).await.is_ok() };
    let (filled, held) = future::join(fill, store.txn(guarded("/c"))).await;
    assert!(filled);
    assert_eq!(held.is_ok(), value(store, "/c", None).await.is_some());
    commit(store, vec![delete("/k/3", Expect::Any)]).await;
    commit(store, guarded("/c")).await;
}

pub(crate) async fn deleting_what_is_absent_writes_nothing(store: Case<'_>) {
    let start = set(store, "/a", "1").await;
    assert_eq!(remove(store, "/none").await, start);
    assert_eq!(commit(store, vec![delete("/none", Expect::Absent)]).await, start);
    assert_eq!(now(store).await, start);
    let rev = commit(store, vec![delete("/none", Expect::Any), put("/a", "2", Expect::Any)]).await;
    assert_eq!(rev, start + 1);
    let batches = batches_until(&mut watch(store, "/", start).await, rev).await;
    assert_eq!(lines(&batches), ["/a=2 <- /a=1"]);
}

pub(crate) async fn racing_increments_lose_nothing(store: Case<'_>) {
    const TASKS: u64 = 8;
    const TIMES: u64 = 12;
    set(store, "/count", "0").await;
    let increments = (0..TASKS).map(|_| async {
        for _ in 0..TIMES {
            loop {
                let (entry, _) = store.get("/count", None).await.expect("a read");
                let entry = entry.expect("the counter is there");
                let count: u64 = std::str::from_utf8(&entry.value).expect("text").parse().expect("a number");
                let write = put("/count", (count + 1).to_string(), Expect::Rev(entry.mod_rev));
                match store.txn(vec![write]).await {
                    Ok(_) => break,
                    Err(TxnError::Conflict { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        }
    });
    future::join_all(increments).await;
    assert_eq!(value(store, "/count", None).await, Some((TASKS * TIMES).to_string()));
}

// === watches

pub(crate) async fn a_watch_replays_the_past_and_goes_on(store: Case<'_>) {
    let start = now(store).await;
    set(store, "/a", "1").await;
    let middle = set(store, "/a", "2").await;
    remove(store, "/a").await;
    let last = set(store, "/a", "3").await;
    let mut from_start = watch(store, "/", start).await;
    let mut from_middle = watch(store, "/", middle).await;
    let mut from_now = watch(store, "/", last).await;
    assert_eq!(lines(&batches_until(&mut from_start, last).await), ["+/a=1", "/a=2 <- /a=1", "-/a=2", "+/a=3"]);
    assert_eq!(lines(&batches_until(&mut from_middle, last).await), ["-/a=2", "+/a=3"]);
    let next = set(store, "/b", "1").await;
    for watch in [&mut from_start, &mut from_middle, &mut from_now] {
        let batches = batches_until(watch, next).await;
        assert_eq!(lines(&batches), ["+/b=1"]);
        assert_eq!(batches[0].rev, next);
    }
    let gone = remove(store, "/b").await;
    let batches = batches_until(&mut from_now, gone).await;
    assert!(matches!(&batches[0].events[..], [Event::Delete { rev, prev }] if *rev == gone && prev.mod_rev == next));
}

pub(crate) async fn a_watch_shows_only_its_prefix(store: Case<'_>) {
    let start = now(store).await;
    for key in ["/pods/a/1", "/pods/b/1", "/podsx", "/pods/a-x/1"] {
        set(store, key, "1").await;
    }
    let both = vec![put("/pods/a/2", "1", Expect::Any), put("/nodes/1", "1", Expect::Any)];
    let last = commit(store, both).await;
    let batches = batches_until(&mut watch(store, "/pods/a/", start).await, last).await;
    assert_eq!(lines(&batches), ["+/pods/a/1=1", "+/pods/a/2=1"]);
    let batches = batches_until(&mut watch(store, "/pods/", start).await, last).await;
    assert_eq!(lines(&batches).len(), 4);
}

pub(crate) async fn a_watch_far_behind_catches_up(store: Case<'_>) {
    // More than any backend keeps at hand: three megabytes in several hundred revisions.
    const WRITES: usize = 760;
    let start = now(store).await;
    let body = "x".repeat(4000);
    let mut last = start;
    for nth in 0..WRITES {
        last = set(store, &format!("/k/{}", nth % 40), &format!("{nth}:{body}")).await;
    }
    let mut watch = watch(store, "/k/", start).await;
    let batches = batches_until(&mut watch, last).await;
    assert_eq!(batches.iter().map(|batch| batch.rev).collect::<Vec<_>>(), (start + 1..=last).collect::<Vec<_>>());
    for (nth, batch) in batches.iter().enumerate() {
        let number = |entry: &Entry| {
            let text = String::from_utf8_lossy(&entry.value).into_owned();
            text.split(':').next().expect("a first part").parse::<usize>().expect("a number")
        };
        let [Event::Put { entry, prev }] = &batch.events[..] else { panic!("one put, not {batch:?}") };
        assert_eq!((number(entry), prev.as_ref().map(number)), (nth, nth.checked_sub(40)));
    }
}

pub(crate) async fn watchers_of_racing_writers_see_one_order(store: Case<'_>) {
    const WRITERS: usize = 16;
    const WRITES: usize = 25;
    let start = now(store).await;
    let writers = future::join_all((0..WRITERS).map(|writer| async move {
        let mut revs = BTreeMap::new();
        for nth in 0..WRITES {
            let key = format!("/k/{}", (writer * 7 + nth) % 10);
            revs.insert(set(store, &key, &format!("{writer}.{nth}")).await, format!("{key}={writer}.{nth}"));
        }
        revs
    }));
    let last = start + (WRITERS * WRITES) as u64;
    // Some watch from before the first write, some join while the writers run.
    let watchers = future::join_all((0..6u64).map(|nth| async move {
        while now(store).await < start + nth * 40 {
            tokio::task::yield_now().await;
        }
        let mut watch = watch(store, "/k/", start).await;
        batches_until(&mut watch, last).await
    }));
    let (acknowledged, seen) = future::join(writers, watchers).await;
    let acknowledged: BTreeMap<Rev, String> = acknowledged.into_iter().flatten().collect();
    assert_eq!(acknowledged.len(), WRITERS * WRITES, "no two writes share a revision");
    for batches in seen {
        let put = |batch: &Batch| match &batch.events[..] {
            [Event::Put { entry, .. }] => (batch.rev, text(entry)),
            other => panic!("one put, not {other:?}"),
        };
        assert!(batches.iter().map(put).eq(acknowledged.clone()), "a gap, a duplicate, or another order");
    }
}

pub(crate) async fn an_idle_watch_makes_progress(store: Case<'_>) {
    let start = set(store, "/quiet/1", "1").await;
    let mut watch = watch(store, "/quiet/", start).await;
    let rev = set(store, "/busy/1", "1").await;
    // A linearizable read asks for the newest revision and waits until its cache has come so far.
    assert_eq!(now(store).await, rev);
    assert!(batches_until(&mut watch, rev).await.is_empty());
    let rev = set(store, "/busy/1", "2").await;
    assert_eq!(now(store).await, rev);
    assert!(batches_until(&mut watch, rev).await.is_empty());
}

// === compaction and the edges of time

pub(crate) async fn compaction_forgets_the_past_and_keeps_the_present(store: Case<'_>) {
    let old = set(store, "/a", "1").await;
    set(store, "/gone", "1").await;
    set(store, "/kept", "1").await;
    set(store, "/a", "2").await;
    let at = remove(store, "/gone").await;
    let after = set(store, "/a", "3").await;
    store.compact(at).await.expect("a compaction");
    let error = store.get("/a", Some(old)).await.expect_err("compacted");
    assert!(matches!(error, ReadError::Compacted { asked, .. } if asked == old), "{error:?}");
    let error = store.range(RangeRequest { at: Some(at - 1), ..all("/") }).await.expect_err("compacted");
    assert!(matches!(error, ReadError::Compacted { .. }), "{error:?}");
    let shown = |page: &Page| page.entries.iter().map(text).collect::<Vec<_>>();
    assert_eq!(shown(&range(store, RangeRequest { at: Some(at), ..all("/") }).await), ["/a=2", "/kept=1"]);
    assert_eq!(shown(&range(store, all("/")).await), ["/a=3", "/kept=1"]);
    let batches = batches_until(&mut watch(store, "/", at).await, after).await;
    assert_eq!(lines(&batches), ["/a=3 <- /a=2"], "what was before the first event is still known");
    store.compact(after).await.expect("a compaction");
    assert_eq!(shown(&range(store, all("/")).await), ["/a=3", "/kept=1"]);
    let next = commit(store, vec![put("/gone", "2", Expect::Absent), put("/kept", "2", Expect::Rev(old + 2))]).await;
    assert_eq!(next, after + 1);
}

pub(crate) async fn compaction_ends_watches_of_the_past(store: Case<'_>) {
    let start = now(store).await;
    set(store, "/a", "1").await;
    let at = set(store, "/a", "2").await;
    store.compact(at).await.expect("a compaction");
    for after in [start, at - 1] {
        let error = match store.watch("/", after).await {
            Err(error) => error,
            Ok(mut watch) => next(&mut watch).await.expect_err("compacted"),
        };
        assert!(matches!(error, ReadError::Compacted { .. }), "after {after}: {error:?}");
    }
    let next = set(store, "/a", "3").await;
    assert_eq!(lines(&batches_until(&mut watch(store, "/", at).await, next).await), ["/a=3 <- /a=2"]);
}

pub(crate) async fn compacting_twice_is_once(store: Case<'_>) {
    let first = set(store, "/a", "1").await;
    let second = set(store, "/a", "2").await;
    for rev in [second, second, first] {
        store.compact(rev).await.expect("nothing left to do is no error");
    }
    assert_eq!(value(store, "/a", Some(second)).await, Some("2".to_owned()));
}

pub(crate) async fn the_future_is_an_error(store: Case<'_>) {
    let rev = set(store, "/a", "1").await;
    let errors = [
        store.get("/a", Some(rev + 1)).await.err(),
        store.range(RangeRequest { at: Some(rev + 1), ..all("/") }).await.err(),
        store.watch("/", rev + 1).await.err(),
        store.compact(rev + 1).await.err(),
    ];
    for error in errors {
        assert!(matches!(error, Some(ReadError::Future { asked, .. }) if asked == rev + 1), "{error:?}");
    }
}

pub(crate) async fn a_store_has_a_size(store: Case<'_>) {
    set(store, "/a", &"x".repeat(10_000)).await;
    assert!(store.size().await.expect("a size") >= 10_000);
}
