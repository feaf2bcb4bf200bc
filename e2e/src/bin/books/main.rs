//! `books [URL...]`: writers and readers that keep books against the cluster of `$KUBECONFIG`, at one of the servers, while
//! somebody kills these or cuts their power. When standard input ends, the books are compared: no acknowledged write is lost,
//! no event missed, repeated or out of order. Prints one JSON object; the first thing that cannot be is the error.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program")]
#![expect(clippy::disallowed_methods, reason = "a client program waits on a real system, in real time")]

mod ledger;

use anyhow::{Context, Result, bail, ensure};
use client::transport::Servers;
use futures::TryStreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams, PostParams, Preconditions, VersionMatch, WatchEvent, WatchParams};
use ledger::{Change, Entry, Outcome, Span};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const WRITERS: usize = 4;
const READERS: usize = 3;
/// Each written by one writer only, so that it knows what it should find.
const OBJECTS_PER_WRITER: usize = 5;
/// Of so many writes to an object one deletes it.
const DELETE_EVERY: u64 = 7;
const PACE: Duration = Duration::from_millis(10);
/// After that a request has no answer.
const PATIENCE: Duration = Duration::from_secs(5);
const AGAIN_AFTER: Duration = Duration::from_millis(100);
/// The servers' return, and everything up to the last event.
const END_WITHIN: Duration = Duration::from_mins(3);
const LABEL: &str = "books";
/// Written when all writers have stopped: who has read it has read everything.
const LAST: &str = "book-last";

#[tokio::main]
async fn main() -> Result<()> {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        bail!("a TLS provider is installed already");
    }
    let urls: Vec<String> = std::env::args().skip(1).collect();
    let servers = Servers::open(&kube::config::Kubeconfig::read()?, &urls).await?;
    let drain = CancellationToken::new();
    let maps: Api<ConfigMap> = Api::namespaced(servers.client(), "default");
    let look = tokio::spawn(servers.look_after(drain.clone()));
    let (delete, old) = (DeleteParams::default(), ListParams::default().labels(LABEL));
    let cleared = async {
        while let Err(error) = maps.delete_collection(&delete, &old).await {
            eprintln!("what other books have left is still there: {error}");
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    };
    tokio::time::timeout(END_WITHIN, cleared).await.context("no beginning")?;

    let mut readers = JoinSet::new();
    // What is written before a reader's list is not told to it.
    let (listed, mut all_listed) = mpsc::channel(READERS);
    for _ in 0..READERS {
        readers.spawn(read(maps.clone(), listed.clone()));
    }
    for _ in 0..READERS {
        all_listed.recv().await.context("a reader ended before it read")?;
    }
    let stop = CancellationToken::new();
    let mut writers = JoinSet::new();
    for number in 0..WRITERS {
        writers.spawn(Writer::new(maps.clone(), number).write(stop.clone()));
    }
    println!("books are open");
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())).await??;
    stop.cancel();
    let mut entries: Vec<Entry> = writers.join_all().await.into_iter().flatten().collect();
    let summary = tokio::time::timeout(END_WITHIN, close(&maps, &mut entries, readers)).await.context("no end")??;
    drain.cancel();
    look.await?;
    println!("{summary}");
    Ok(())
}

/// The last write, everything that readers have to say, and the comparison.
async fn close(maps: &Api<ConfigMap>, entries: &mut Vec<Entry>, readers: JoinSet<Result<Reader>>) -> Result<String> {
    let mut writer = Writer::new(maps.clone(), WRITERS);
    // Written once, whatever the answer was: readers end with the first that they see.
    let last = loop {
        writer.step(LAST).await;
        if let Some(map) = writer.known.get(LAST) {
            break revision(map)?;
        }
    };
    entries.append(&mut writer.entries);
    // As of the last write: one that had no answer may still be on its way, and comes to pass when no reader reads any more.
    let then = ListParams::default().labels(LABEL).at(&last.to_string()).matching(VersionMatch::Exact);
    let end = loop {
        match maps.list(&then).await {
            Ok(list) => {
                break list.items.iter().map(|map| Ok((map.name_any(), number(map)?))).collect::<Result<_>>()?;
            }
            Err(_) => tokio::time::sleep(AGAIN_AFTER).await,
        }
    };
    let readers: Vec<Reader> = readers.join_all().await.into_iter().collect::<Result<_>>()?;
    let spans: Vec<Span> = readers.iter().flat_map(|reader| reader.spans.clone()).collect();
    let contradictions = ledger::contradictions(entries, &spans, &end);
    ensure!(contradictions.is_empty(), "the books do not agree:\n{}", contradictions.join("\n"));
    let count = |wanted: fn(&Outcome) -> bool| entries.iter().filter(|entry| wanted(&entry.outcome)).count();
    Ok(json!({
        "acknowledged": count(|outcome| matches!(outcome, Outcome::Acknowledged(_))),
        "refused": count(|outcome| *outcome == Outcome::Refused),
        "unknown": count(|outcome| *outcome == Outcome::Unknown),
        "events": spans.iter().map(|span| span.marks.len()).sum::<usize>(),
        "reconnected": readers.iter().map(|reader| reader.opened).sum::<usize>() - READERS,
        "expired": spans.len() - READERS,
    })
    .to_string())
}

fn number(map: &ConfigMap) -> Result<u64> {
    let text = map.data.as_ref().and_then(|data| data.get("number")).context("a number")?;
    Ok(text.parse()?)
}

fn revision(map: &ConfigMap) -> Result<u64> {
    Ok(map.resource_version().context("a revision")?.parse()?)
}

struct Writer {
    maps: Api<ConfigMap>,
    names: Vec<String>,
    /// What is there, as far as this writer was told.
    known: BTreeMap<String, ConfigMap>,
    last_number: u64,
    entries: Vec<Entry>,
}

impl Writer {
    fn new(maps: Api<ConfigMap>, number: usize) -> Self {
        let names = (0..OBJECTS_PER_WRITER).map(|object| format!("book-{number}-{object}")).collect();
        Self { maps, names, known: BTreeMap::new(), last_number: 0, entries: Vec::new() }
    }

    async fn write(mut self, stop: CancellationToken) -> Vec<Entry> {
        for at in (0..OBJECTS_PER_WRITER).cycle() {
            if stop.is_cancelled() {
                break;
            }
            let name = self.names[at].clone();
            self.step(&name).await;
            tokio::time::sleep(PACE).await;
        }
        self.entries
    }

    /// One write of an object, noted with what became of it.
    async fn step(&mut self, name: &str) {
        self.last_number += 1;
        let number = self.last_number;
        let known = self.known.get(name).cloned();
        let (change, answer) = match known {
            Some(map) if number.is_multiple_of(DELETE_EVERY) => {
                let gone = crate::number(&map).unwrap_or_default();
                let preconditions = Preconditions { resource_version: map.resource_version(), uid: None };
                let options = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
                let change = Change::Gone { name: name.to_owned(), number: gone };
                let deleted = tokio::time::timeout(PATIENCE, self.maps.delete(name, &options)).await;
                (change, deleted.map(|answer| answer.map(|_| None)))
            }
            known => {
                let mut map: ConfigMap = known.clone().unwrap_or_default();
                map.metadata.name = Some(name.to_owned());
                map.metadata.labels = Some([(LABEL.to_owned(), "open".to_owned())].into());
                map.data = Some([("number".to_owned(), number.to_string())].into());
                let change = Change::Set { name: name.to_owned(), number };
                let options = PostParams::default();
                let answer = match known {
                    Some(_) => tokio::time::timeout(PATIENCE, self.maps.replace(name, &options, &map)).await,
                    None => tokio::time::timeout(PATIENCE, self.maps.create(&options, &map)).await,
                };
                (change, answer.map(|answer| answer.map(Some)))
            }
        };
        let outcome = match answer {
            Ok(Ok(map)) => {
                let outcome = Outcome::Acknowledged(map.as_ref().and_then(|map| revision(map).ok()));
                self.note(name, map);
                outcome
            }
            Ok(Err(kube::Error::Api(status))) if (400..500).contains(&status.code) => {
                self.look(name).await;
                Outcome::Refused
            }
            Ok(Err(_)) | Err(_) => {
                self.look(name).await;
                Outcome::Unknown
            }
        };
        self.entries.push(Entry { change, outcome });
    }

    fn note(&mut self, name: &str, map: Option<ConfigMap>) {
        match map {
            Some(map) => drop(self.known.insert(name.to_owned(), map)),
            None => drop(self.known.remove(name)),
        }
    }

    /// Reads what is there now, as often as it takes.
    async fn look(&mut self, name: &str) {
        loop {
            match tokio::time::timeout(PATIENCE, self.maps.get_opt(name)).await {
                Ok(Ok(map)) => return self.note(name, map),
                Ok(Err(_)) | Err(_) => tokio::time::sleep(AGAIN_AFTER).await,
            }
        }
    }
}

#[derive(Default)]
struct Reader {
    spans: Vec<Span>,
    opened: usize,
}

/// Lists once, and watches from there until [`LAST`] is there, whatever happens to the connection.
async fn read(maps: Api<ConfigMap>, listed: mpsc::Sender<()>) -> Result<Reader> {
    let mut reader = Reader::default();
    loop {
        let answer = tokio::time::timeout(PATIENCE, maps.list(&ListParams::default().labels(LABEL))).await;
        let Ok(Ok(list)) = answer else {
            tokio::time::sleep(AGAIN_AFTER).await;
            continue;
        };
        let from = list.metadata.resource_version.context("a list has a revision")?.parse()?;
        if reader.spans.is_empty() {
            listed.send(()).await?;
        }
        let mut span = Span { from, marks: Vec::new() };
        let end = loop {
            reader.opened += 1;
            match follow(&maps, &mut span).await? {
                End::Cut => tokio::time::sleep(AGAIN_AFTER).await,
                end => break end,
            }
        };
        reader.spans.push(span);
        if matches!(end, End::Last) {
            return Ok(reader);
        }
    }
}

enum End {
    /// The connection is gone.
    Cut,
    /// The server does not remember what comes next.
    Expired,
    Last,
}

/// One watch, from where the span ends.
async fn follow(maps: &Api<ConfigMap>, span: &mut Span) -> Result<End> {
    let options = WatchParams::default().labels(LABEL);
    let opened = tokio::time::timeout(PATIENCE, maps.watch(&options, &span.until().to_string())).await;
    let Ok(Ok(events)) = opened else { return Ok(ended(opened.ok().and_then(Result::err))) };
    let mut events = std::pin::pin!(events);
    loop {
        let (map, gone) = match events.try_next().await {
            Ok(Some(WatchEvent::Added(map) | WatchEvent::Modified(map))) => (map, false),
            Ok(Some(WatchEvent::Deleted(map))) => (map, true),
            Ok(Some(WatchEvent::Bookmark(mark))) => {
                span.marks.push((mark.metadata.resource_version.parse()?, None));
                continue;
            }
            Ok(Some(WatchEvent::Error(status))) => return Ok(ended(Some(kube::Error::Api(status)))),
            Ok(None) => return Ok(End::Cut),
            Err(error) => return Ok(ended(Some(error))),
        };
        let (name, number) = (map.name_any(), number(&map)?);
        let last = name == LAST;
        let change = if gone { Change::Gone { name, number } } else { Change::Set { name, number } };
        span.marks.push((revision(&map)?, Some(change)));
        if last {
            return Ok(End::Last);
        }
    }
}

fn ended(error: Option<kube::Error>) -> End {
    match error {
        Some(kube::Error::Api(status)) if status.code == 410 => End::Expired,
        _ => End::Cut,
    }
}
