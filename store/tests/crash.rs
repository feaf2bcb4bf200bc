//! What the embedded store promises when the process dies, the disk lies, fills up, or fails.

#[path = "crash/sim_disk.rs"]
mod sim_disk;

use bytes::Bytes;
use futures::future;
use sim_disk::{Fault, Rng, SimDisk};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use store::embedded::{EmbeddedStore, Options};
use store::{Expect, OpenError, RangeRequest, ReadError, Rest, Rev, Store, TxnError, Write};

/// Names the folder that the child process writes to.
const CHILD_FOLDER: &str = "STORE_CRASH_FOLDER";

fn options() -> Options {
    Options { cache_bytes: 1 << 20, ..Options::standard() }
}

/// The value of a key says which key it belongs to, and is long enough to be torn.
fn body(key: &str) -> Bytes {
    key.bytes().cycle().take(100 + key.len() * 97 % 3000).collect()
}

/// Two keys in one transaction, so that half a transaction would show.
fn pair(name: &str) -> Vec<Write> {
    ["a", "b"]
        .map(|half| {
            let key = format!("/{half}/{name}");
            let value = Some(body(&key));
            Write { key, expect: Expect::Absent, value }
        })
        .into()
}

async fn write_pair(store: &Arc<EmbeddedStore>, name: &str) -> Result<Rev, TxnError> {
    store.txn(pair(name)).await.map(|committed| committed.rev)
}

/// The pairs in the store by revision; checks that they are whole and that no revision is missing.
async fn pairs(store: &Arc<EmbeddedStore>) -> BTreeMap<Rev, String> {
    let half = async |prefix: &str| -> BTreeMap<Rev, String> {
        let request = RangeRequest { prefix: prefix.to_owned(), after: None, limit: 0, at: None, rest: Rest::Whether };
        let page = store.range(request).await.expect("a range");
        let whole = page.entries.into_iter().inspect(|entry| assert_eq!(entry.value, body(&entry.key)));
        whole.map(|entry| (entry.mod_rev, entry.key[prefix.len()..].to_owned())).collect()
    };
    let (a, b) = (half("/a/").await, half("/b/").await);
    assert_eq!(a, b, "half a transaction");
    let rev = store.rev().await.expect("a revision");
    assert!(a.keys().copied().eq(1..=rev), "revisions are missing");
    a
}

/// Writes on many tasks until `count` pairs were tried; gives those that were acknowledged.
async fn write_many(store: &Arc<EmbeddedStore>, round: usize, count: u64) -> BTreeMap<Rev, String> {
    const TASKS: usize = 6;
    let next = AtomicU64::new(0);
    let tasks = (0..TASKS).map(|_| async {
        let mut acknowledged = BTreeMap::new();
        loop {
            let nth = next.fetch_add(1, Ordering::Relaxed);
            if nth >= count {
                return acknowledged;
            }
            let name = format!("{round}.{nth}");
            if let Ok(rev) = write_pair(store, &name).await {
                acknowledged.insert(rev, name);
            }
        }
    });
    future::join_all(tasks).await.into_iter().flatten().collect()
}

fn assert_holds(found: &BTreeMap<Rev, String>, acknowledged: &BTreeMap<Rev, String>) {
    for (rev, name) in acknowledged {
        assert_eq!(found.get(rev), Some(name), "an acknowledged write is lost");
    }
}

// === power cuts

#[tokio::test]
async fn a_power_cut_loses_no_acknowledged_write_and_halves_none() {
    const CUTS: usize = 60;
    let mut rng = Rng(7);
    let mut disk = SimDisk::empty();
    let mut acknowledged = BTreeMap::new();
    for round in 0..CUTS {
        let store = EmbeddedStore::open_on(disk.clone(), options()).expect("the store opens after a cut");
        let found = pairs(&store).await;
        assert_holds(&found, &acknowledged);
        // Unacknowledged ones that made it are now as good as acknowledged.
        acknowledged = found;
        disk.cut_power_after(rng.below(40));
        acknowledged.extend(write_many(&store, round, 30).await);
        // The dead disk of the old run takes nothing more; the next run sees what was left, in random pieces.
        let after = disk.after_power_cut(&mut rng);
        store.close().await;
        disk = after;
    }
    assert!(acknowledged.len() > CUTS, "the cuts leave something to write: {}", acknowledged.len());
}

// === kill -9

#[test]
fn child_writes_until_killed() {
    let Ok(folder) = std::env::var(CHILD_FOLDER) else { return };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let store = EmbeddedStore::open(Path::new(&folder), options()).expect("the store opens");
        let tasks = (0..8).map(|task| {
            let store = &store;
            async move {
                for nth in 0u64.. {
                    let name = format!("{}.{task}.{nth}", std::process::id());
                    let rev = write_pair(store, &name).await.expect("a write");
                    let line = format!("ack {rev} {name}\n");
                    std::io::stdout().write_all(line.as_bytes()).expect("the parent listens");
                }
            }
        });
        future::join_all(tasks).await;
    });
}

#[tokio::test]
async fn killed_in_the_middle_of_writes_the_store_holds_every_acknowledged_one() {
    const KILLS: usize = 12;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut rng = Rng(9);
    let mut acknowledged = BTreeMap::new();
    for _ in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "child_writes_until_killed", "--nocapture"])
            .env(CHILD_FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the child starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut left = 20 + rng.below(150);
        while let Some(Ok(line)) = lines.next() {
            let mut words = line.split(' ');
            // The test harness talks too, and a killed writer may leave half a line.
            if let (Some("ack"), Some(Ok(rev)), Some(name)) =
                (words.next(), words.next().map(str::parse::<Rev>), words.next())
            {
                acknowledged.insert(rev, name.to_owned());
            }
            left = left.saturating_sub(1);
            if left == 1 {
                child.kill().expect("the child is ours to kill");
            }
        }
        child.wait().expect("the child ends");
        let last = acknowledged.pop_last();
        let store = EmbeddedStore::open(folder.path(), options()).expect("the store opens after a kill");
        let found = pairs(&store).await;
        assert_holds(&found, &acknowledged);
        if let Some((rev, name)) = last {
            assert!(found[&rev].starts_with(&name), "an acknowledged write is lost");
        }
        acknowledged = found;
        store.close().await;
    }
    assert!(acknowledged.len() > KILLS * 10, "the children wrote: {}", acknowledged.len());
}

// === full and failing disks

#[tokio::test]
async fn a_full_disk_refuses_writes_keeps_reading_and_goes_on_once_there_is_room() {
    let disk = SimDisk::empty();
    let store = EmbeddedStore::open_on(disk.clone(), options()).expect("an empty store");
    let mut kept = BTreeMap::new();
    let mut refused = 0;
    // Every operation of a write is once the one that finds the disk full.
    for nth in 0..40 {
        disk.fail_after(nth, Fault::Full);
        for try_nth in 0..3 {
            let name = format!("{nth}.{try_nth}");
            match write_pair(&store, &name).await {
                Ok(rev) => {
                    kept.insert(rev, name);
                }
                Err(TxnError::Full(_)) => refused += 1,
                Err(other) => panic!("full, not {other:?}"),
            }
            assert_eq!(pairs(&store).await, kept, "reads go on");
        }
        disk.heal();
        let name = format!("{nth}.healed");
        let rev = write_pair(&store, &name).await.expect("there is room again");
        kept.insert(rev, name);
    }
    assert!(refused >= 5, "the disk was full: {refused}");
    store.close().await;
    let again = EmbeddedStore::open_on(disk, options()).expect("the store opens");
    assert_eq!(pairs(&again).await, kept);
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_written_but_all_is_read() {
    let disk = SimDisk::empty();
    let store = EmbeddedStore::open_on(disk.clone(), options()).expect("an empty store");
    let kept = write_many(&store, 0, 20).await;
    disk.fail_after(0, Fault::Sync);
    let error = write_pair(&store, "lost").await.expect_err("the sync fails");
    assert!(matches!(error, TxnError::Unknown(_)), "{error:?}");
    disk.heal();
    let error = write_pair(&store, "later").await.expect_err("the disk is not trusted again");
    assert!(matches!(error, TxnError::Full(_)), "{error:?}");
    assert_eq!(pairs(&store).await, kept);
    store.close().await;
    let again = EmbeddedStore::open_on(disk.after_power_cut(&mut Rng(3)), options()).expect("the store opens");
    assert_holds(&pairs(&again).await, &kept);
}

#[tokio::test]
async fn little_free_space_refuses_writes_before_the_disk_is_full() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = Options { free_min_bytes: u64::MAX, ..options() };
    let store = EmbeddedStore::open(folder.path(), options).expect("an empty store");
    let error = write_pair(&store, "x").await.expect_err("no room");
    assert!(matches!(&error, TxnError::Full(why) if why.contains("bytes free in")), "{error:?}");
    assert_eq!(store.rev().await.expect("a revision"), 0);
}

#[tokio::test]
async fn a_nearly_full_disk_takes_changes_and_deletions_but_nothing_new() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = EmbeddedStore::open(folder.path(), options()).expect("an empty store");
    let rev = write_pair(&store, "x").await.expect("there is room");
    let [kept, gone]: [String; 2] =
        pair("x").into_iter().map(|write| write.key).collect::<Vec<_>>().try_into().expect("two keys");
    store.close().await;
    let free = rustix::fs::statvfs(folder.path()).expect("a file system");
    let scarce = Options { free_min_bytes: free.f_bavail * free.f_frsize * 2, ..options() };
    let store = EmbeddedStore::open(folder.path(), scarce).expect("the same store");
    let write = |key: &str, expect, value| vec![Write { key: key.to_owned(), expect, value }];
    let value = || Some(body("x"));
    for expect in [Expect::Absent, Expect::Any] {
        let error = store.txn(write("/new", expect, value())).await.expect_err("no room for more");
        assert!(matches!(&error, TxnError::Full(why) if why.contains("still taken")), "{error:?}");
    }
    store.txn(write(&kept, Expect::Rev(rev), value())).await.expect("a change is taken");
    store.txn(write(&gone, Expect::Rev(rev), None)).await.expect("a deletion is taken");
}

#[tokio::test]
async fn a_store_on_a_nearly_full_disk_gives_back_what_it_does_not_use_when_it_is_opened() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file_bytes = || std::fs::metadata(folder.path().join("data.redb")).expect("the file").len();
    let store = EmbeddedStore::open(folder.path(), options()).expect("an empty store");
    for nth in 0..100 {
        let big = Write { key: format!("/{nth}"), expect: Expect::Absent, value: Some(vec![7; 100_000].into()) };
        let rev = store.txn(vec![big]).await.expect("there is room").rev;
        let gone = Write { key: format!("/{nth}"), expect: Expect::Rev(rev), value: None };
        store.txn(vec![gone]).await.expect("it was there");
    }
    store.compact(store.rev().await.expect("a revision")).await.expect("compaction");
    store.close().await;
    let before = file_bytes();
    let scarce = Options { free_min_bytes: u64::MAX, ..options() };
    let store = EmbeddedStore::open(folder.path(), scarce).expect("the same store");
    assert_eq!(store.rev().await.expect("a revision"), 200);
    assert!(file_bytes() < before / 2, "{before} bytes before, {} after", file_bytes());
}

// === opening

#[tokio::test]
async fn a_second_open_names_who_holds_the_folder() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = EmbeddedStore::open(folder.path(), options()).expect("an empty store");
    let error = EmbeddedStore::open(folder.path(), options()).err().expect("the folder is taken");
    assert!(matches!(&error, OpenError::Locked { pid: Some(pid), .. } if *pid == std::process::id()), "{error:?}");
    assert!(error.to_string().contains("stop it, or use another data folder"), "{error}");
    store.close().await;
    let again = EmbeddedStore::open(folder.path(), options()).expect("the folder is free");
    drop(again);
    EmbeddedStore::open(folder.path(), options()).expect("dropping frees it as well");
}

#[tokio::test]
async fn a_damaged_file_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = EmbeddedStore::open(folder.path(), options()).expect("an empty store");
    write_many(&store, 0, 200).await;
    store.close().await;
    let path = folder.path().join("data.redb");
    let whole = std::fs::read(&path).expect("the file");
    // A bit in the body of a value in the middle of the file.
    let at = whole.windows(20).position(|bytes| bytes == &body("/a/0.100")[..20]).expect("the value is in the file");
    let mut damaged = whole.clone();
    damaged[at + 3] ^= 1;
    std::fs::write(&path, &damaged).expect("writing damage");
    let error = EmbeddedStore::open(folder.path(), options()).err().expect("damage is found");
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error:?}");
    assert!(error.to_string().contains("restore a backup"), "{error}");
    assert_eq!(std::fs::read(&path).expect("the file").len(), whole.len(), "the file is left as it is");
    std::fs::write(&path, &whole).expect("the backup");
    let store = EmbeddedStore::open(folder.path(), options()).expect("the backup opens");
    assert_eq!(pairs(&store).await.len(), 200);
}

#[tokio::test]
async fn what_is_no_store_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("data.redb"), "not a database".repeat(1000)).expect("a file");
    let error = EmbeddedStore::open(folder.path(), options()).err().expect("no database");
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error:?}");
    let file = folder.path().join("lock");
    let error = EmbeddedStore::open(&file, options()).err().expect("a file is no folder");
    assert!(matches!(error, OpenError::Io { .. }), "{error:?}");
}

#[tokio::test]
async fn reopening_keeps_history_revisions_and_compaction() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let put = |value: &str| {
        vec![Write { key: "/k".to_owned(), expect: Expect::Any, value: Some(Bytes::from(value.to_owned())) }]
    };
    let store = EmbeddedStore::open(folder.path(), options()).expect("an empty store");
    for value in ["1", "2", "3"] {
        store.txn(put(value)).await.expect("a write");
    }
    let gone =
        store.txn(vec![Write { key: "/k".to_owned(), expect: Expect::Any, value: None }]).await.expect("a delete");
    store.compact(2).await.expect("a compaction");
    store.close().await;

    let store = EmbeddedStore::open(folder.path(), options()).expect("the store opens");
    assert_eq!(store.rev().await.expect("a revision"), gone.rev);
    assert!(matches!(store.get("/k", Some(1)).await, Err(ReadError::Compacted { oldest: 2, .. })));
    let value = |found: (Option<store::Entry>, Rev)| found.0.map(|entry| entry.value);
    assert_eq!(value(store.get("/k", Some(2)).await.expect("a read")).as_deref(), Some(&b"2"[..]));
    store.compact(gone.rev).await.expect("a compaction");
    store.close().await;

    // Nothing is left in the file, and still the revisions go on.
    let store = EmbeddedStore::open(folder.path(), options()).expect("the store opens");
    assert_eq!(store.txn(put("5")).await.expect("a write").rev, gone.rev + 1);
}

#[tokio::test]
async fn history_that_nobody_compacts_bounds_itself() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = Options { history_writes_max: 100, ..options() };
    let store = EmbeddedStore::open(folder.path(), options).expect("an empty store");
    for nth in 0..101u64 {
        let value = Some(Bytes::from(nth.to_string()));
        store.txn(vec![Write { key: "/k".to_owned(), expect: Expect::Any, value }]).await.expect("a write");
    }
    // The writer has looked after itself before it takes the next transaction.
    store.txn(pair("last")).await.expect("a write");
    assert!(matches!(store.get("/k", Some(40)).await, Err(ReadError::Compacted { .. })));
    assert!(store.get("/k", Some(60)).await.is_ok());
}
