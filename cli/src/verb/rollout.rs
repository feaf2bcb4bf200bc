//! `rollout`: the progress of Deployments, DaemonSets and StatefulSets, their history, and ways back.

mod history;
mod progress;

pub(super) use history::{history, undo};

use super::delete::within;
use crate::chosen::{self, Choice, Chosen, Nameless};
use crate::follow::Follow;
use crate::high::{self, DryRun};
use crate::low;
use crate::server::{MERGE_PATCH, STRATEGIC_PATCH};
use crate::session::{Failures, Session};
use anyhow::{Result, bail};
use progress::Progress;
use serde_json::json;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pause {
    Pause,
    Resume,
}

async fn workloads(session: &Session, named: &low::Named) -> Result<Vec<Chosen>> {
    let select = low::Select::default();
    let choice = Choice { words: &named.words, files: None, select: &select, nameless: Nameless::All };
    let chosen = chosen::choose(session, &choice).await?;
    for one in &chosen {
        let kind = one.resource.kind.as_str();
        anyhow::ensure!(
            matches!(kind, "Deployment" | "DaemonSet" | "StatefulSet"),
            "a {} has no rollouts; Deployments, DaemonSets and StatefulSets have",
            one.resource.full_singular()
        );
    }
    Ok(chosen)
}

pub(super) async fn status(session: &Session, typed: &low::RolloutStatus) -> Result<()> {
    let limit = high::timeout(&typed.timeout)?;
    let mut failures = Failures::default();
    for one in workloads(session, &typed.named).await? {
        let outcome = within(limit, watch(session, typed, &one)).await;
        failures.take(session, outcome)?;
    }
    failures.end()
}

async fn watch(session: &Session, typed: &low::RolloutStatus, one: &Chosen) -> Result<()> {
    let mut follow = Follow::new(&session.server, &one.resource, &one.namespace, &one.name);
    let mut shown = String::new();
    loop {
        let Some(object) = follow.next().await? else {
            // In the server's own words.
            session.server.get(&one.path()).await?;
            bail!("object has been deleted");
        };
        let progress = progress::of(&one.resource.kind, &object, typed.revision)?;
        let (Progress::Waiting(text) | Progress::Done(text)) = &progress;
        if *text != shown {
            session.screen.line(text)?;
            shown.clone_from(text);
        }
        if matches!(progress, Progress::Done(_)) || !typed.watch {
            return Ok(());
        }
    }
}

pub(super) async fn restart(session: &Session, named: &low::Named) -> Result<()> {
    let mut failures = Failures::default();
    for one in workloads(session, named).await? {
        let restarted = async {
            let object = one.object(session).await?;
            if object["spec"]["paused"] == true {
                bail!("can't restart paused deployment (run rollout resume first)");
            }
            let now = session.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            let annotations = json!({"kubectl.kubernetes.io/restartedAt": now});
            let patch = json!({"spec": {"template": {"metadata": {"annotations": annotations}}}});
            session.server.patch(&one.write_path(DryRun::No), STRATEGIC_PATCH, &patch).await
        };
        if failures.take(session, restarted.await)?.is_some() {
            session.screen.line(&format!("{} restarted", one.title()))?;
        }
    }
    failures.end()
}

pub(super) async fn pause(session: &Session, named: &low::Named, pause: Pause) -> Result<()> {
    let (wanted, word) = match pause {
        Pause::Pause => (true, "paused"),
        Pause::Resume => (false, "resumed"),
    };
    let mut failures = Failures::default();
    for one in workloads(session, named).await? {
        let changed = async {
            if one.resource.kind != "Deployment" {
                bail!("{} cannot be {word}: only Deployments can", one.title());
            }
            let object = one.object(session).await?;
            if object["spec"]["paused"].as_bool().unwrap_or(false) == wanted {
                let already = if wanted { "already paused" } else { "not paused" };
                bail!("deployments.apps \"{}\" is {already}", one.name);
            }
            let patch = json!({"spec": {"paused": wanted}});
            session.server.patch(&one.write_path(DryRun::No), MERGE_PATCH, &patch).await
        };
        if failures.take(session, changed.await)?.is_some() {
            session.screen.line(&format!("{} {word}", one.title()))?;
        }
    }
    failures.end()
}
