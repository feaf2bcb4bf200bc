//! What is played: objects that a user creates, what he changes meanwhile, and what must be true when all is well again.

mod daemon_set;
mod deployment;
mod job;
mod stateful_set;

use crate::chaos::{self, Mood};
use crate::cluster::Cluster;
use crate::trace::Trace;
use crate::world::{World, controller, text};
use anyhow::{Context as _, Result, bail};
use http::{Method, Request};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) nodes: usize,
    /// Documents to create, each with its `path` as an annotation would have it: see [`Edit`].
    pub(crate) start: &'static [Edit],
    pub(crate) edits: &'static [Edit],
    /// What is not as it should be yet.
    pub(crate) settled: fn(&World) -> Result<(), String>,
}

pub(crate) static SCENARIOS: &[Scenario] = &[
    deployment::STEADY,
    deployment::ROLLOUT,
    deployment::REMOVED,
    stateful_set::ORDERED,
    job::COUNTED,
    job::INDEXED,
    daemon_set::EVERYWHERE,
];

/// What a user does.
#[derive(Clone, Copy)]
pub(crate) enum Edit {
    /// POST of this YAML to that collection.
    Create(&'static str, &'static str),
    /// A merge patch in YAML.
    Patch(&'static str, &'static str),
    Delete(&'static str),
}

impl Edit {
    /// Returns when it is done; the user's own connection is good, and he insists.
    pub(crate) async fn make(&self, client: &kube::Client) -> Result<()> {
        let (method, path, content, yaml) = match self {
            Self::Create(path, yaml) => (Method::POST, path, "application/json", *yaml),
            Self::Patch(path, yaml) => (Method::PATCH, path, "application/merge-patch+json", *yaml),
            Self::Delete(path) => (Method::DELETE, path, "application/json", "{propagationPolicy: Background}"),
        };
        let body: Value = serde_norway::from_str(yaml).context("a scenario's YAML")?;
        let body = serde_json::to_vec(&body)?;
        for _ in 0..TRIES {
            let request = Request::builder().method(&method).uri(*path).header("Content-Type", content);
            match client.request_text(request.body(body.clone())?).await {
                Ok(_) => return Ok(()),
                // The user is early: the namespace has no service account yet, or somebody else wrote first.
                Err(kube::Error::Api(status)) if matches!(status.code, 403 | 409 | 429 | 500..) => {
                    sleep(Duration::from_secs(1)).await;
                }
                Err(error) => return Err(error).with_context(|| format!("{method} {path}")),
            }
        }
        bail!("{method} {path} is refused again and again")
    }
}

const TRIES: u32 = 60;
/// How long everything may take once all is well: evictions wait for five minutes, back-offs for as long.
const SETTLE: Duration = Duration::from_mins(30);
/// How long nothing may be written then.
const STILL: Duration = Duration::from_mins(6);

/// How a run ended well.
pub(crate) struct Outcome {
    pub(crate) commits: u64,
    pub(crate) mood: Mood,
    pub(crate) settled_at: Duration,
}

/// Plays a scenario from a seed; the error says what was wrong.
pub(crate) async fn play(scenario: &Scenario, seed: u64, mood: Option<Mood>, trace: &Arc<Trace>) -> Result<Outcome> {
    let mut cluster = Cluster::start(seed, scenario.nodes, Arc::clone(trace)).await?;
    let mood = mood.unwrap_or_else(|| Mood::of(&mut cluster));
    let admin = cluster.admin();
    for edit in scenario.start {
        edit.make(&admin).await?;
    }
    chaos::play(&mut cluster, mood, scenario.edits).await?;
    let settled_at = settle(&cluster, scenario).await?;
    let commits = cluster.look(|world| world.commits);
    trace.note("settled");
    sleep(STILL).await;
    unbroken(&cluster)?;
    let more = cluster.look(|world| world.commits) - commits;
    if more > 0 {
        bail!("{more} writes though everything was as it should be");
    }
    cluster.look(scenario.settled).map_err(|why| anyhow::anyhow!("did not stay: {why}"))?;
    Ok(Outcome { commits, mood, settled_at })
}

fn unbroken(cluster: &Cluster) -> Result<()> {
    match cluster.broken() {
        Some(broken) => bail!("{broken}"),
        None => Ok(()),
    }
}

/// Waits until everything is as it should be and a minute has passed without a write; when that was.
async fn settle(cluster: &Cluster, scenario: &Scenario) -> Result<Duration> {
    let begun = crate::kernel::elapsed();
    let mut quiet_since = (begun, cluster.look(|world| world.commits));
    loop {
        unbroken(cluster)?;
        let now = crate::kernel::elapsed();
        let commits = cluster.look(|world| world.commits);
        if commits != quiet_since.1 {
            quiet_since = (now, commits);
        }
        let wrong = cluster.look(|world| all_is_owned(world).and_then(|()| (scenario.settled)(world)));
        match wrong {
            Ok(()) if now > quiet_since.0 + QUIET => return Ok(quiet_since.0),
            Err(why) if now > begun + SETTLE => bail!("not as it should be after {SETTLE:?}: {why}"),
            Ok(()) if now > begun + SETTLE => bail!("still writes after {SETTLE:?}"),
            Ok(()) | Err(_) => sleep(Duration::from_secs(5)).await,
        }
    }
}

const QUIET: Duration = Duration::from_mins(1);

/// Nothing is left whose controller is gone.
fn all_is_owned(world: &World) -> Result<(), String> {
    let uids: BTreeSet<&str> = world.all().map(|object| text(object, "/metadata/uid")).collect();
    let orphan = world.all().find(|object| {
        let owner = controller(object).map(|owner| text(owner, "/uid"));
        owner.is_some_and(|owner| !uids.contains(owner))
    });
    match orphan {
        Some(object) => Err(format!("{} is an orphan", text(object, "/metadata/name"))),
        None => Ok(()),
    }
}
