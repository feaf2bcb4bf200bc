//! `delete`: removes objects, and waits until they are gone.

use crate::chosen::{self, Choice, Chosen, Nameless};
use crate::failure;
use crate::follow::Follow;
use crate::high::{self, DryRun};
use crate::low;
use crate::server::Query;
use crate::session::{Failures, Session};
use anyhow::{Result, bail};
use serde_json::{Value, json};
use std::time::Duration;

/// The flags, validated.
struct Plan {
    options: Value,
    dry_run: DryRun,
    forced: bool,
    ignore_not_found: bool,
    name_only: bool,
}

impl Plan {
    fn new(typed: &low::Delete) -> Result<Self> {
        let propagation = match typed.cascade.as_str() {
            "background" | "true" => "Background",
            "foreground" => "Foreground",
            "orphan" | "false" => "Orphan",
            other => bail!("invalid cascade value ({other}). Must be \"background\", \"foreground\", or \"orphan\""),
        };
        let grace = match (typed.grace_period, typed.force, typed.now) {
            // k8s: kubectl delete turns 0 into 1 unless forced, so that the node is waited for
            (0, false, _) | (_, _, true) => Some(1),
            (0 | -1, true, _) => Some(0),
            (given, true, _) if given > 0 => {
                bail!("--force and --grace-period greater than 0 cannot be specified together")
            }
            (given, _, _) if given < 0 => None,
            (given, _, _) => Some(given),
        };
        let mut options = json!({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation});
        if let Some(grace) = grace {
            options["gracePeriodSeconds"] = grace.into();
        }
        let name_only = match typed.format.output.as_deref() {
            None => false,
            Some("name") => true,
            Some(other) => bail!("unexpected -o output mode: {other}. We only support '-o name'"),
        };
        Ok(Self {
            options,
            dry_run: DryRun::parse(typed.dry_run.as_deref())?,
            forced: typed.force,
            ignore_not_found: typed.ignore_not_found || typed.all || typed.select.selector.is_some(),
            name_only,
        })
    }
}

pub(super) async fn run(session: &Session, typed: &low::Delete) -> Result<()> {
    let plan = Plan::new(typed)?;
    let limit = high::timeout(&typed.timeout)?;
    let nameless = if typed.all { Nameless::All } else { Nameless::Refused };
    let choice = Choice { words: &typed.words, files: Some(&typed.files), select: &typed.select, nameless };
    let chosen = chosen::choose(session, &choice).await?;
    if chosen.is_empty() {
        session.screen.note("No resources found")?;
    }
    if plan.forced {
        session.screen.note("Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. The resource may continue to run on the cluster indefinitely.")?;
    }
    let mut failures = Failures::default();
    let mut going = vec![];
    for one in chosen {
        if let Some(Some(uid)) = failures.take(session, delete(session, &plan, &one).await)? {
            going.push((one, uid));
        }
    }
    if typed.wait && plan.dry_run == DryRun::No {
        let gone = async {
            for (one, uid) in &going {
                failures.take(session, until_gone(session, one, uid).await)?;
            }
            Ok(())
        };
        within(limit, gone).await?;
    }
    failures.end()
}

/// Asks for the deletion; the uid of what is going, where there was something.
async fn delete(session: &Session, plan: &Plan, one: &Chosen) -> Result<Option<String>> {
    let answer = if plan.dry_run == DryRun::Client {
        session.server.get(&one.path()).await
    } else {
        let path = Query::new().maybe("dryRun", plan.dry_run.query()).on(&one.path());
        session.server.delete(&path, &plan.options).await
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) if plan.ignore_not_found && failure::is_not_found(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let word = if plan.forced { "force deleted" } else { "deleted" };
    if plan.name_only {
        session.screen.line(&one.title())?;
    } else {
        session.screen.line(&format!(
            "{} \"{}\" {word}{}",
            one.resource.full_singular(),
            one.name,
            plan.dry_run.suffix()
        ))?;
    }
    // A Status names the uid in its details, an object in its metadata.
    let uid = answer["details"]["uid"].as_str().or_else(|| answer["metadata"]["uid"].as_str());
    Ok(uid.map(str::to_owned))
}

/// Waits until the object is gone, or another has its name.
pub(super) async fn until_gone(session: &Session, one: &Chosen, uid: &str) -> Result<()> {
    if !one.resource.can("watch") {
        return Ok(());
    }
    let mut follow = Follow::new(&session.server, &one.resource, &one.namespace, &one.name);
    while let Some(object) = follow.next().await? {
        if object["metadata"]["uid"].as_str() != Some(uid) {
            break;
        }
    }
    Ok(())
}

/// Runs to its end, or to the limit.
pub(super) async fn within<T>(limit: Option<Duration>, work: impl Future<Output = Result<T>>) -> Result<T> {
    match limit {
        None => work.await,
        Some(limit) => match tokio::time::timeout(limit, work).await {
            Ok(outcome) => outcome,
            Err(_) => bail!("timed out waiting for the condition"),
        },
    }
}
