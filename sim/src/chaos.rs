//! What goes wrong, and when: chosen by the seed, over a stretch of virtual time.

use crate::cluster::{Cluster, Program};
use crate::network::{Held, Weather};
use crate::scenario::Edit;
use anyhow::Result;
use rand::RngExt as _;
use std::time::Duration;
use tokio::time::sleep;

/// How long things go wrong: mostly, and now and then; the longer is long enough for a lost node's pods to be moved.
const STORM: Duration = Duration::from_mins(4);
const LONG_STORM: Duration = Duration::from_mins(14);
/// How long a watch may stand still while others go on: less than what the rules allow caches to lag.
const STILL_MAX: Duration = Duration::from_secs(45);
/// Longest pause between two events.
const PAUSE_MS_MAX: u64 = 12_000;

/// What will be undone, and when.
enum Undo {
    Start(usize),
    Reconnect(usize),
    LetPass(usize),
    LetFlow(usize),
    StartServer,
}

/// How wild it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Nothing goes wrong.
    Fair,
    /// Connections are bad.
    Rough,
    /// Processes die and nodes are lost, too.
    Stormy,
    /// Who leads is kept from saying so, for long enough that another one does, and is heard again.
    Contested,
}

impl Mood {
    pub(crate) fn of(cluster: &mut Cluster) -> Self {
        match cluster.chance.random_range(0..10) {
            0 => Self::Fair,
            1..3 => Self::Rough,
            3..5 => Self::Contested,
            _ => Self::Stormy,
        }
    }
}

/// Plays the storm; the user's edits happen in between, in order. Returns when it is over, or when a rule is broken.
pub(crate) async fn play(cluster: &mut Cluster, mood: Mood, edits: &[Edit]) -> Result<()> {
    let admin = cluster.admin();
    let mut edits = edits.iter();
    let mut undos: Vec<(Duration, Undo)> = Vec::new();
    let mut at = Duration::ZERO;
    let storm = if cluster.chance.random_bool(0.1) { LONG_STORM } else { STORM };
    while at < storm && cluster.broken().is_none() {
        let pause = Duration::from_millis(cluster.chance.random_range(0..=PAUSE_MS_MAX));
        sleep(pause).await;
        at += pause;
        let (due, later) = undos.into_iter().partition(|(when, _)| *when <= at);
        undos = later;
        for (_, undo) in Vec::<(Duration, Undo)>::from_iter(due) {
            match undo {
                Undo::Start(which) if !cluster.processes[which].is_up() => cluster.start_process(which),
                Undo::Start(_) => {}
                Undo::Reconnect(which) => cluster.set_down(which, false),
                Undo::LetPass(which) => cluster.set_held(which, Held::Nothing),
                Undo::LetFlow(which) => cluster.let_flow(which),
                Undo::StartServer => cluster.start_server().await?,
            }
        }
        // The user does not come while nobody answers.
        if cluster.chance.random_bool(0.15)
            && cluster.is_serving()
            && let Some(edit) = edits.next()
        {
            edit.make(&admin).await?;
        }
        let undo = match mood {
            Mood::Fair => None,
            // Now and then: each is a long one, and not all may be away all the time.
            Mood::Contested if cluster.chance.random_bool(0.12) => Some(contest(cluster)),
            Mood::Rough | Mood::Contested => strike(cluster, ROUGH).await,
            Mood::Stormy => strike(cluster, STORMY).await,
        };
        undos.extend(undo.map(|(after, undo)| (at + after, undo)));
    }
    cluster.heal().await?;
    for edit in edits {
        edit.make(&admin).await?;
    }
    Ok(())
}

/// Of what may go wrong ([`strike`]), the first so many.
const ROUGH: u32 = 9;
const STORMY: u32 = 18;

/// A replica of the controllers or of the scheduler, which may lead, is kept from being heard for longer than its lease lasts.
fn contest(cluster: &mut Cluster) -> (Duration, Undo) {
    let replicas = cluster.processes.iter().enumerate().filter(|(_, process)| process.program != Program::Node);
    let replicas: Vec<usize> = replicas.map(|(which, _)| which).collect();
    let which = replicas[cluster.chance.random_range(0..replicas.len())];
    let back = Duration::from_millis(cluster.chance.random_range(50_000..120_000));
    match cluster.chance.random_range(0..4) {
        0 => {
            cluster.set_down(which, true);
            (back, Undo::Reconnect(which))
        }
        1 => {
            cluster.set_held(which, Held::Everything);
            (back, Undo::LetPass(which))
        }
        _ => {
            cluster.set_held(which, Held::Requests);
            (back, Undo::LetPass(which))
        }
    }
}

/// One thing goes wrong.
async fn strike(cluster: &mut Cluster, kinds: u32) -> Option<(Duration, Undo)> {
    let which = cluster.chance.random_range(0..cluster.processes.len());
    let what = cluster.chance.random_range(0..kinds);
    let is_node = cluster.processes[which].program == Program::Node;
    // Mostly short, sometimes so long that a node's pods are moved.
    let long = cluster.chance.random_bool(0.1);
    let back = Duration::from_millis(cluster.chance.random_range(0..if long { 500_000 } else { 40_000 }));
    match what {
        0..3 => {
            let weather = Weather::rough(&mut cluster.chance);
            cluster.set_weather(which, weather);
            None
        }
        3 => {
            cluster.compact().await;
            None
        }
        4 => {
            cluster.set_weather(which, Weather::CALM);
            None
        }
        5 => {
            cluster.relist(which).await;
            None
        }
        6 => {
            cluster.set_clock(which);
            None
        }
        7..9 => {
            cluster.set_still(which);
            Some((back.min(STILL_MAX), Undo::LetFlow(which)))
        }
        9..11 => {
            cluster.set_down(which, true);
            Some((back, Undo::Reconnect(which)))
        }
        11..13 => {
            cluster.set_held(which, Held::Everything);
            Some((back, Undo::LetPass(which)))
        }
        13 => {
            cluster.set_held(which, Held::Requests);
            Some((back, Undo::LetPass(which)))
        }
        14 => {
            cluster.kill_server();
            Some((back / 4, Undo::StartServer))
        }
        15 if is_node => {
            cluster.power_off(which);
            Some((back, Undo::Start(which)))
        }
        _ => {
            cluster.kill(which);
            Some((if long { back } else { back / 4 }, Undo::Start(which)))
        }
    }
}
