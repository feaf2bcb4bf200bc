//! Random histories against a model: every watcher sees every committed change once, in commit order, whenever it starts,
//! whatever it selects, however slowly it reads, and however often it starts again: on the same server or another one, from
//! an event or a bookmark, before and after the history behind it was compacted.

use crate::server::{ADVERTISED, Client, Lines, Server};
use apiserver::server::Limits;
use client::clock::SystemClock;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use store::embedded::{EmbeddedStore, Options};
use store::mem::MemStore;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const NAMES: usize = 6;
const STEPS: usize = 900;
const TEAMS: [&str; 2] = ["red", "blue"];

/// A committed change: what `labels.team` became, `None` for a delete.
struct Change {
    rev: u64,
    name: String,
    team: Option<&'static str>,
}

/// Everything that was committed, in order.
#[derive(Default)]
struct Model(Vec<Change>);

impl Model {
    fn last(&self) -> u64 {
        self.0.last().map_or(0, |change| change.rev)
    }

    /// What somebody who selects `team` (`None`: all) is told of the changes after `after`, up to `to`.
    fn events(&self, team: Option<&str>, after: u64, to: u64) -> Vec<(String, u64)> {
        let picks = |of: Option<&str>| of.is_some() && (team.is_none() || of == team);
        let mut now: BTreeMap<&str, Option<&str>> = BTreeMap::new();
        let mut events = Vec::new();
        for Change { rev, name, team } in self.0.iter().take_while(|change| change.rev <= to) {
            let before = now.insert(name, *team).flatten();
            let ty = match (picks(before), picks(*team)) {
                (false, true) => "ADDED",
                (true, true) => "MODIFIED",
                (true, false) => "DELETED",
                (false, false) => continue,
            };
            if *rev > after {
                events.push((format!("{ty} {name}"), *rev));
            }
        }
        events
    }

    /// Names that `team` has at `rev`.
    fn names(&self, team: Option<&str>, rev: u64) -> Vec<String> {
        let mut now: BTreeMap<&str, &str> = BTreeMap::new();
        for change in self.0.iter().take_while(|change| change.rev <= rev) {
            match change.team {
                Some(team) => now.insert(&change.name, team),
                None => now.remove(change.name.as_str()),
            };
        }
        now.iter().filter(|(_, of)| team.is_none_or(|team| team == **of)).map(|(name, _)| (*name).to_owned()).collect()
    }
}

struct Watcher {
    team: Option<&'static str>,
    lines: Lines,
    /// Everything up to here has been told.
    rev: u64,
    told: usize,
}

fn query(team: Option<&str>) -> String {
    team.map(|team| format!("&labelSelector=team%3D{team}")).unwrap_or_default()
}

async fn watch(client: &Client, team: Option<&str>, rev: u64) -> Lines {
    client.watch(&format!("{MAPS}?watch=1&resourceVersion={rev}&allowWatchBookmarks=true{}", query(team))).await
}

impl Watcher {
    async fn start(client: &Client, team: Option<&'static str>, model: &Model) -> Self {
        let rev = list(client, team, model).await;
        Self { team, lines: watch(client, team, rev).await, rev, told: 0 }
    }

    async fn again(&mut self, client: &Client) {
        self.lines = watch(client, self.team, self.rev).await;
    }

    /// Reads at most `count` of the changes that there are to tell.
    async fn read(&mut self, client: &Client, model: &Model, compacted: u64, count: usize) {
        for _ in 0..count {
            let Some(wanted) = self.next_change(model) else { return };
            let event = self.lines.next().await.expect("the watch goes on");
            let metadata = &event["object"]["metadata"];
            let rev = metadata["resourceVersion"].as_str().and_then(|rev| rev.parse().ok()).unwrap_or(0);
            match event["type"].as_str().unwrap() {
                "BOOKMARK" => {
                    assert!(rev >= self.rev && rev < wanted.1, "{rev} between {} and {wanted:?}", self.rev);
                    self.rev = rev;
                }
                "ERROR" => {
                    assert_eq!(event["object"]["code"], 410);
                    assert!(self.rev < compacted, "{} is still kept: the oldest is {compacted}", self.rev);
                    self.rev = list(client, self.team, model).await;
                    self.again(client).await;
                }
                ty => {
                    assert_eq!((format!("{ty} {}", metadata["name"].as_str().unwrap()), rev), wanted);
                    (self.rev, self.told) = (rev, self.told + 1);
                }
            }
        }
    }

    fn next_change(&self, model: &Model) -> Option<(String, u64)> {
        model.events(self.team, self.rev, model.last()).into_iter().next()
    }
}

/// A list that shows what the model says, and its revision.
async fn list(client: &Client, team: Option<&str>, model: &Model) -> u64 {
    let list = client.get(&format!("{MAPS}?limit=0{}", query(team))).await.expect(200);
    assert_eq!(list.names(), model.names(team, list.rev()));
    assert!(list.rev() >= model.last(), "a list shows every acknowledged write");
    list.rev()
}

async fn write(client: &Client, store: &dyn Store, random: &mut SmallRng, model: &mut Model) {
    let name = format!("m{}", random.random_range(0..NAMES));
    let team = TEAMS[random.random_range(0..TEAMS.len())];
    let there = model.names(None, u64::MAX).contains(&name);
    let one = format!("{MAPS}/{name}");
    let (rev, team) = match (there, random.random_range(0..4)) {
        (false, _) => {
            let map = json!({"metadata": {"name": name, "labels": {"team": team}}});
            (client.post(MAPS, &map).await.expect(201).rev(), Some(team))
        }
        (true, 0) => {
            client.delete(&one).await.expect(200);
            // Nobody else writes.
            (store.rev().await.unwrap(), None)
        }
        (true, _) => {
            let noise = random.random_range(0..1_000_000).to_string();
            let patch: Value = json!({"metadata": {"labels": {"team": team}, "annotations": {"n": noise}}});
            (client.patch(&one, "merge", &patch).await.expect(200).rev(), Some(team))
        }
    };
    model.0.push(Change { rev, name, team });
}

async fn history(store: Arc<dyn Store>, seed: u64) {
    let limits = Limits { bookmark_every: Duration::from_millis(5), ..Limits::default() };
    let start = || Server::start_on(Arc::clone(&store), ADVERTISED, Arc::new(SystemClock), limits);
    let mut server = start().await;
    let mut client = server.admin();
    let mut random = SmallRng::seed_from_u64(seed);
    let (mut model, mut watchers, mut compacted) = (Model::default(), Vec::new(), 0);
    for team in [None, Some("red"), Some("blue"), None] {
        watchers.push(Watcher::start(&client, team, &model).await);
    }
    for step in 0..STEPS {
        let nth = random.random_range(0..watchers.len());
        match random.random_range(0..1000) {
            0..600 => write(&client, store.as_ref(), &mut random, &mut model).await,
            600..850 => {
                // The first is slow on purpose.
                let count = if nth == 0 { 1 } else { random.random_range(1..20) };
                watchers[nth].read(&client, &model, compacted, count).await;
            }
            850..950 => watchers[nth].again(&client).await,
            950..980 => {
                let newest = store.rev().await.unwrap();
                compacted = random.random_range(compacted..=newest);
                store.compact(compacted).await.unwrap();
            }
            980..990 if step > STEPS / 2 => {
                // Another server, whose caches know nothing of what was before.
                server = start().await;
                client = server.admin();
                for watcher in &mut watchers {
                    watcher.again(&client).await;
                }
            }
            _ => {
                let team = [None, Some("red"), Some("blue")][random.random_range(0..3)];
                watchers.push(Watcher::start(&client, team, &model).await);
            }
        }
    }
    for watcher in &mut watchers {
        while watcher.next_change(&model).is_some() {
            watcher.read(&client, &model, compacted, usize::MAX).await;
        }
    }
    // Not all of it went through lists after compactions.
    let told: usize = watchers.iter().map(|watcher| watcher.told).sum();
    assert!(told > STEPS / 2, "seed {seed}: {told} events");
    drop(server);
}

#[tokio::test]
async fn every_watcher_sees_every_change_once_and_in_order() {
    for seed in 0..4 {
        history(Arc::new(MemStore::new()), seed).await;
    }
}

#[tokio::test]
async fn so_it_is_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    history(EmbeddedStore::open(folder.path(), Options::standard()).unwrap(), 7).await;
}
