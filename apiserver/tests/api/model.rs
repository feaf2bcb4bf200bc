//! Random histories against a model: every watcher sees every committed change once, in commit order, whenever it starts
//! and whatever it selects.

use crate::server::{Client, Lines, Server};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const NAMES: usize = 6;
const WRITES: usize = 300;

/// `labels.team` by name, and the revision of the last change.
type State = BTreeMap<String, (String, u64)>;

struct Watcher {
    lines: Lines,
    /// `None`: no selector.
    team: Option<&'static str>,
    seen: State,
    rev: u64,
    events: usize,
}

impl Watcher {
    async fn start(client: &Client, team: Option<&'static str>, model: &State, rev: u64) -> Self {
        let selector = team.map(|team| format!("&labelSelector=team%3D{team}")).unwrap_or_default();
        let lines = client.watch(&format!("{MAPS}?watch=1&resourceVersion={rev}{selector}")).await;
        let seen = model.iter().filter(|(_, (of, _))| team.is_none_or(|team| team == of));
        Self { lines, team, seen: seen.map(|(name, seen)| (name.clone(), seen.clone())).collect(), rev, events: 0 }
    }

    fn take(&mut self, event: &Value) {
        let metadata = &event["object"]["metadata"];
        let name = metadata["name"].as_str().unwrap().to_owned();
        let team = metadata["labels"]["team"].as_str().unwrap().to_owned();
        let rev: u64 = metadata["resourceVersion"].as_str().unwrap().parse().unwrap();
        assert!(rev > self.rev, "events come in commit order: {rev} after {}", self.rev);
        self.rev = rev;
        self.events += 1;
        match event["type"].as_str().unwrap() {
            "ADDED" => assert!(self.seen.insert(name, (team, rev)).is_none(), "added twice"),
            "MODIFIED" => assert!(self.seen.insert(name, (team, rev)).is_some(), "modified before it was added"),
            "DELETED" => assert!(self.seen.remove(&name).is_some(), "deleted before it was added"),
            other => panic!("unexpected {other}"),
        }
    }

    /// Reads until the state is that of the model.
    async fn catch_up(&mut self, model: &State, last: u64) {
        let team = self.team;
        let wanted: State = model
            .iter()
            .filter(|(_, (of, _))| team.is_none_or(|team| team == of))
            .map(|(name, seen)| (name.clone(), seen.clone()))
            .collect();
        while self.seen != wanted {
            assert!(self.rev < last, "the watcher is at {last} with {:?} instead of {wanted:?}", self.seen);
            let event = self.lines.next().await.expect("the watch goes on");
            self.take(&event);
        }
    }
}

async fn step(client: &Client, random: &mut SmallRng, model: &mut State) {
    let name = format!("m{}", random.random_range(0..NAMES));
    let team = ["red", "blue"][random.random_range(0..2)];
    let one = format!("{MAPS}/{name}");
    let rev = match (model.get(&name), random.random_range(0..4)) {
        (None, _) => {
            let map = json!({"metadata": {"name": name, "labels": {"team": team}}});
            client.post(MAPS, &map).await.expect(201).rev()
        }
        (Some(_), 0) => {
            client.delete(&one).await.expect(200);
            model.remove(&name);
            return;
        }
        (Some(_), _) => {
            let noise = random.random_range(0..1000).to_string();
            let patch = json!({"metadata": {"labels": {"team": team}, "annotations": {"n": noise}}});
            client.patch(&one, "merge", &patch).await.expect(200).rev()
        }
    };
    model.insert(name, (team.to_owned(), rev));
}

#[tokio::test]
async fn every_watcher_sees_every_change_once_and_in_order() {
    for seed in 0..4 {
        let server = Server::start().await;
        let client = server.admin();
        let mut random = SmallRng::seed_from_u64(seed);
        let mut model = State::new();
        let mut watchers: Vec<Watcher> = Vec::new();
        for n in 0..WRITES {
            if n % 60 == 0 {
                let rev = client.get(MAPS).await.rev();
                for team in [None, Some("red"), Some("blue")] {
                    watchers.push(Watcher::start(&client, team, &model, rev).await);
                }
            }
            step(&client, &mut random, &mut model).await;
        }
        let last = client.get(MAPS).await.rev();
        for watcher in &mut watchers {
            watcher.catch_up(&model, last).await;
        }
        assert!(watchers.iter().all(|watcher| watcher.events > 0), "seed {seed}");
    }
}
