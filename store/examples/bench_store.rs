//! Figures of the embedded store on this machine's disk: `cargo run --release -p store --example bench_store [FOLDER]`.
//!
//! Everything is given as a ratio to what the disk does by itself: appending and syncing a group of writes.

use bytes::Bytes;
use futures::{StreamExt, future};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use store::embedded::{EmbeddedStore, Options};
use store::{Expect, RangeRequest, Rest, Store, WatchItem, Write};
use tokio::time::Instant;

const OBJECT_BYTES: usize = 1434;
const GROUP: usize = 32;
const RESTART_OBJECTS: u64 = 100_000;
const WATCHERS: usize = 60;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "the figures are the output")]
async fn main() -> Outcome {
    let base = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(base)?;

    // A shared disk is noisy: the best of three is what it can do.
    let mut syncs = 0.0_f64;
    for _ in 0..3 {
        syncs = syncs.max(syncs_per_second(folder.path())?);
    }
    println!("disk         {syncs:>9.0} appends of {GROUP} x {OBJECT_BYTES} bytes, synced, per second");

    let path = folder.path().join("store");
    let store = EmbeddedStore::open(&path, Options::standard())?;
    let next = AtomicU64::new(0);
    for (clients, writes) in [(1, 2_000), (32, 40_000), (256, RESTART_OBJECTS - 42_000)] {
        let before = cpu_time()?;
        let took = write(&store, &next, clients, writes).await?;
        let rate = writes as f64 / took.as_secs_f64();
        let cpu_us = cpu_time()?.saturating_sub(before).as_secs_f64() * 1e6 / writes as f64;
        let ratio = rate / (syncs * GROUP as f64);
        println!(
            "write  x{clients:<4} {rate:>9.0} durable creates per second, {cpu_us:.1} us of CPU each, {ratio:.2} of the disk"
        );
    }

    println!("memory       {:>9.1} MiB resident with {RESTART_OBJECTS} objects", mebibytes(resident_bytes()?));

    let reads = 100_000;
    let began = Instant::now();
    for nth in 0..reads {
        store.get(&key(nth * 7919 % RESTART_OBJECTS), None).await?.0.ok_or("a key is missing")?;
    }
    println!("read         {:>9.0} random gets per second", reads as f64 / began.elapsed().as_secs_f64());
    let began = Instant::now();
    let request =
        RangeRequest { prefix: "/registry/".to_owned(), after: None, limit: 0, at: None, rest: Rest::Whether };
    let entries = store.range(request).await?.entries.len();
    println!("list         {:>9.3} s for {entries} objects", began.elapsed().as_secs_f64());

    let events = fan_out(&store, &next).await?;
    println!("watch        {events:>9.0} events per second delivered to {WATCHERS} watchers in all");

    store.close().await;
    drop(store);
    let began = Instant::now();
    let store = EmbeddedStore::open(&path, Options::standard())?;
    println!("restart      {:>9.3} s with {} objects", began.elapsed().as_secs_f64(), store.rev().await?);
    println!("file         {:>9.1} MiB", mebibytes(store.size().await?));
    Ok(())
}

fn syncs_per_second(folder: &Path) -> Outcome<f64> {
    const TIMES: usize = 500;
    let mut file = std::fs::File::create(folder.join("plain"))?;
    let group = vec![7; OBJECT_BYTES * GROUP];
    let began = Instant::now();
    for _ in 0..TIMES {
        file.write_all(&group)?;
        file.sync_data()?;
    }
    Ok(TIMES as f64 / began.elapsed().as_secs_f64())
}

/// Not in the order of creation, as names of pods are.
fn key(nth: u64) -> String {
    format!("/registry/pods/default/web-{:016x}", nth.wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

async fn write(store: &Arc<EmbeddedStore>, next: &AtomicU64, clients: usize, writes: u64) -> Outcome<Duration> {
    let last = next.load(Ordering::Relaxed) + writes;
    let value = Bytes::from(vec![b'x'; OBJECT_BYTES]);
    let began = Instant::now();
    let clients = (0..clients).map(|_| async {
        loop {
            let nth = next.fetch_add(1, Ordering::Relaxed);
            if nth >= last {
                return Ok(());
            }
            let write = Write { key: key(nth), expect: Expect::Absent, value: Some(value.clone()) };
            store.txn(vec![write]).await?;
        }
    });
    let done: Result<Vec<()>, store::TxnError> = future::join_all(clients).await.into_iter().collect();
    done?;
    next.store(last, Ordering::Relaxed);
    Ok(began.elapsed())
}

async fn fan_out(store: &Arc<EmbeddedStore>, next: &AtomicU64) -> Outcome<f64> {
    const WRITES: u64 = 5_000;
    let start = store.rev().await?;
    let watchers = (0..WATCHERS).map(|_| async {
        let mut watch = store.watch("/registry/", start).await?;
        let mut events = 0;
        while events < WRITES {
            match watch.next().await.ok_or_else(|| store::ReadError::Unavailable("the watch ended".to_owned()))?? {
                WatchItem::Batch(batch) => events += batch.events.len() as u64,
                WatchItem::Progress(_) => {}
            }
        }
        Ok::<u64, store::ReadError>(events)
    });
    let began = Instant::now();
    let (written, seen) = future::join(write(store, next, GROUP, WRITES), future::join_all(watchers)).await;
    written?;
    let events: u64 = seen.into_iter().sum::<Result<u64, _>>()?;
    Ok(events as f64 / began.elapsed().as_secs_f64())
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn cpu_time() -> Outcome<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(") ").next().ok_or("no fields")?.split(' ').collect();
    // proc(5): utime and stime, in ticks of 10 ms.
    let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    Ok(Duration::from_millis(ticks * 10))
}

fn resident_bytes() -> Outcome<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).ok_or("no RssAnon")?;
    Ok(line.split_whitespace().nth(1).ok_or("no figure")?.parse::<u64>()? * 1024)
}
