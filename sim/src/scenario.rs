//! What is played: objects that a user creates, what he changes meanwhile, and what must be true when all is well again.

mod autoscaler;
mod beyond;
mod budget;
mod capacity;
mod claim;
mod cron_job;
mod custom;
mod daemon_set;
mod deployment;
mod family;
mod job;
mod namespace;
mod owner;
mod quota;
mod stateful_set;
mod volume;

use crate::chaos::{self, Mood};
use crate::cluster::Cluster;
use crate::kernel;
use crate::trace::Trace;
use crate::world::{World, controller, is_active, text};
use anyhow::{Context as _, Result, bail};
use http::{Method, Request};
use serde_json::{Value, json};
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
    deployment::SERVED,
    stateful_set::ORDERED,
    stateful_set::PARALLEL,
    job::COUNTED,
    job::INDEXED,
    job::FAILING,
    cron_job::MINUTELY,
    daemon_set::EVERYWHERE,
    daemon_set::SURGING,
    budget::EVICTED,
    capacity::FULL,
    quota::LIMITED,
    namespace::EMPTIED,
    owner::OWNED,
    family::TOGETHER,
    claim::DEVICES,
    job::BUSY,
    autoscaler::SCALED,
    volume::LOST,
    custom::DEFINED,
    beyond::SURGED,
    beyond::WAITING,
    beyond::CONFIGURED,
];

/// The scenario that a seed plays unless one is asked for.
pub(crate) fn of_seed(seed: u64) -> &'static Scenario {
    &SCENARIOS[(seed % SCENARIOS.len() as u64) as usize]
}

/// What a user does.
#[derive(Clone, Copy)]
pub(crate) enum Edit {
    /// POST of this YAML to that collection.
    Create(&'static str, &'static str),
    /// As [`Edit::Create`], of something that the object at the second path owns.
    CreateOwned(&'static str, &'static str, &'static str),
    /// A merge patch in YAML.
    Patch(&'static str, &'static str),
    /// As [`Edit::Patch`], of what may be gone.
    PatchIfThere(&'static str, &'static str),
    Delete(&'static str),
    /// As [`Edit::Delete`]; what the object owns goes first.
    DeleteInForeground(&'static str),
    /// As [`Edit::Delete`]; what the object owns stays.
    Orphan(&'static str),
    /// One right after the other, as a program makes what belongs together.
    AtOnce(&'static [Edit]),
    /// Evicts the first pod of the namespace `default` with this label, as often as its budget refuses.
    Evict(&'static str),
}

impl Edit {
    fn may_be_gone(&self) -> bool {
        matches!(self, Self::Delete(_) | Self::DeleteInForeground(_) | Self::Orphan(_) | Self::PatchIfThere(..))
    }

    /// Returns when it is done; the user's own connection is good, and he insists.
    pub(crate) async fn make(&self, client: &kube::Client) -> Result<()> {
        let (method, path, yaml) = match *self {
            Self::Create(path, yaml) | Self::CreateOwned(path, _, yaml) => (Method::POST, path, yaml),
            Self::Patch(path, yaml) | Self::PatchIfThere(path, yaml) => (Method::PATCH, path, yaml),
            Self::Delete(path) => (Method::DELETE, path, "{propagationPolicy: Background}"),
            Self::DeleteInForeground(path) => (Method::DELETE, path, "{propagationPolicy: Foreground}"),
            Self::Orphan(path) => (Method::DELETE, path, "{propagationPolicy: Orphan}"),
            Self::Evict(label) => return evict(client, label).await,
            Self::AtOnce(edits) => {
                for edit in edits {
                    Box::pin(edit.make(client)).await?;
                }
                return Ok(());
            }
        };
        let mut body: Value = serde_norway::from_str(yaml).context("a scenario's YAML")?;
        if let Self::CreateOwned(_, owner, _) = *self {
            body["metadata"]["ownerReferences"] = json!([reference(client, owner).await?]);
        }
        for _ in 0..TRIES {
            match send(client, &method, path, &body).await {
                Ok(_) => return Ok(()),
                // Done before, by a request whose answer got lost.
                Err(kube::Error::Api(status)) if status.code == 409 && method == Method::POST => return Ok(()),
                Err(kube::Error::Api(status)) if status.code == 404 && self.may_be_gone() => return Ok(()),
                // What it is one of is not served yet.
                Err(kube::Error::Api(status)) if status.code == 404 && method == Method::POST => {
                    sleep(Duration::from_secs(1)).await;
                }
                Err(error) if may_pass(&error) => sleep(Duration::from_secs(1)).await,
                Err(error) => return Err(error).with_context(|| format!("{method} {path}")),
            }
        }
        bail!("{method} {path} is refused again and again")
    }
}

/// An owner reference to the object at this path.
async fn reference(client: &kube::Client, path: &str) -> Result<Value> {
    for _ in 0..TRIES {
        match send(client, &Method::GET, path, &Value::Null).await {
            Ok(owner) => {
                return Ok(json!({
                    "apiVersion": owner["apiVersion"], "kind": owner["kind"], "blockOwnerDeletion": true,
                    "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"],
                }));
            }
            Err(error) if may_pass(&error) => sleep(Duration::from_secs(1)).await,
            Err(error) => return Err(error).with_context(|| format!("GET {path}")),
        }
    }
    bail!("GET {path} is refused again and again")
}

/// One request of the user; the answer is what the API server says.
pub(crate) async fn send(
    client: &kube::Client,
    method: &Method,
    path: &str,
    body: &Value,
) -> Result<Value, kube::Error> {
    let content = if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
    let body =
        if method == Method::GET { Vec::new() } else { serde_json::to_vec(body).expect("a tree can be written") };
    let request = Request::builder().method(method).uri(path).header("Content-Type", content);
    let text = client.request_text(request.body(body).expect("the path is one")).await?;
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

/// The user is early: the namespace has no service account yet, somebody else wrote first, or the API server is away.
pub(crate) fn may_pass(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => matches!(status.code, 403 | 409 | 429 | 500..),
        other => matches!(other, kube::Error::Service(_) | kube::Error::HyperError(_)),
    }
}

/// Gives up when the budget refuses for a minute: others may have taken from it.
async fn evict(client: &kube::Client, label: &str) -> Result<()> {
    const PODS: &str = "/api/v1/namespaces/default/pods";
    for _ in 0..TRIES {
        let pods = send(client, &Method::GET, &format!("{PODS}?labelSelector={label}"), &Value::Null).await;
        let pods = pods.unwrap_or_default();
        let mut pods = pods["items"].as_array().into_iter().flatten().filter(|pod| is_active(pod));
        let Some(pod) = pods.next() else { return Ok(()) };
        let name = text(pod, "/metadata/name");
        let body = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}});
        match send(client, &Method::POST, &format!("{PODS}/{name}/eviction"), &body).await {
            Ok(_) => return Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
            Err(error) if may_pass(&error) => sleep(Duration::from_secs(1)).await,
            Err(error) => return Err(error).with_context(|| format!("evict {name}")),
        }
    }
    Ok(())
}

/// What a scenario says in the end.
fn verdict(is_right: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if is_right { Ok(()) } else { Err(why()) }
}

const TRIES: u32 = 60;
/// How long everything may take once all is well: evictions wait for five minutes, back-offs for as long.
const SETTLE: Duration = Duration::from_mins(30);
/// How long nothing may be written then, though controllers that begin anew look at everything once: long enough for a lease
/// to run out, and for what they look at again after five minutes.
const STILL: Duration = Duration::from_mins(6);

/// How a run ended well.
pub(crate) struct Outcome {
    pub(crate) commits: u64,
    pub(crate) mood: Mood,
    pub(crate) settled_at: Duration,
}

/// Plays a scenario from a seed; the error says what was wrong, and when.
pub(crate) async fn play(scenario: &Scenario, seed: u64, mood: Option<Mood>, trace: &Arc<Trace>) -> Result<Outcome> {
    let mut cluster = Cluster::start(seed, scenario.nodes, Arc::clone(trace)).await?;
    let played = play_on(&mut cluster, scenario, mood, trace).await;
    let (whole, commits) = (unbroken(&cluster), cluster.look(|world| world.commits));
    cluster.leave()?;
    whole?;
    played.with_context(|| format!("at {} s, commit {commits}", kernel::elapsed().as_secs()))
}

async fn play_on(
    cluster: &mut Cluster,
    scenario: &Scenario,
    mood: Option<Mood>,
    trace: &Arc<Trace>,
) -> Result<Outcome> {
    let mood = mood.unwrap_or_else(|| Mood::of(cluster));
    let admin = cluster.admin();
    for edit in scenario.start {
        edit.make(&admin).await?;
    }
    chaos::play(cluster, mood, scenario.edits).await?;
    let settled_at = settle(cluster, scenario).await?;
    let commits = cluster.look(|world| world.commits);
    trace.note("settled");
    cluster.restart_controllers();
    sleep(STILL).await;
    unbroken(cluster)?;
    let more = cluster.look(|world| world.commits) - commits;
    if more > 0 {
        bail!("[stillness] {more} writes though everything was as it should be");
    }
    cluster.look(scenario.settled).map_err(|why| anyhow::anyhow!("[stays] did not stay: {why}"))?;
    Ok(Outcome { commits, mood, settled_at })
}

fn unbroken(cluster: &Cluster) -> Result<()> {
    match cluster.broken() {
        Some(broken) => bail!("{broken}"),
        None => Ok(()),
    }
}

/// Waits until everything is as it should be and some minutes have passed without a write; when that was.
async fn settle(cluster: &Cluster, scenario: &Scenario) -> Result<Duration> {
    let begun = kernel::elapsed();
    let mut quiet_since = (begun, cluster.look(|world| world.commits));
    // What was right stays right until something is written: most looks are at a world that is as it was.
    let mut right_at = None;
    loop {
        unbroken(cluster)?;
        let now = kernel::elapsed();
        let commits = cluster.look(|world| world.commits);
        if commits != quiet_since.1 {
            quiet_since = (now, commits);
        }
        let seen = if right_at == Some(commits) {
            Ok(())
        } else {
            cluster.look(|world| all_is_owned(world).and_then(|()| (scenario.settled)(world)))
        };
        right_at = seen.is_ok().then_some(commits);
        match seen {
            Ok(()) if now > quiet_since.0 + QUIET => return Ok(quiet_since.0),
            Err(why) if now > begun + SETTLE => bail!("[converges] not as it should be after {SETTLE:?}: {why}"),
            Ok(()) if now > begun + SETTLE => bail!("[stillness] still writes after {SETTLE:?}"),
            Ok(()) | Err(_) => sleep(Duration::from_secs(5)).await,
        }
    }
}

/// Longer than it takes until somebody leads again after the last leader's death, and until the scheduler has looked once more
/// at every pod that waits: it may find other reasons than before.
const QUIET: Duration = Duration::from_mins(6);

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
