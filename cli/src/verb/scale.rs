//! `scale`: the number of replicas, through the scale subresource.

use crate::chosen::{self, Choice, Chosen, Nameless};
use crate::low;
use crate::server::MERGE_PATCH;
use crate::session::{Failures, Session};
use anyhow::{Result, bail};
use serde_json::json;

pub(super) async fn run(session: &Session, typed: &low::Scale) -> Result<()> {
    let select = low::Select { selector: typed.selector.clone(), ..low::Select::default() };
    let nameless = if typed.all { Nameless::All } else { Nameless::Refused };
    let choice = Choice { words: &typed.words, files: Some(&typed.files), select: &select, nameless };
    let chosen = chosen::choose(session, &choice).await?;
    if chosen.is_empty() {
        bail!("no objects passed to scale");
    }
    let mut failures = Failures::default();
    for one in &chosen {
        if failures.take(session, scale(session, typed, one).await)?.is_some() {
            session.screen.line(&format!("{} scaled", one.title()))?;
        }
    }
    failures.end()
}

async fn scale(session: &Session, typed: &low::Scale, one: &Chosen) -> Result<()> {
    let path = format!("{}/scale", one.path());
    let mut patch = json!({"spec": {"replicas": typed.replicas}});
    if let Some(expected) = typed.current_replicas.filter(|expected| *expected >= 0) {
        let now = session.server.get(&path).await?;
        let replicas = now["spec"]["replicas"].as_i64().unwrap_or(0);
        if replicas != expected {
            bail!("Expected replicas to be {expected}, was {replicas}");
        }
        // What was looked at must be what is changed.
        patch["metadata"] = json!({"resourceVersion": now["metadata"]["resourceVersion"]});
    }
    if let Some(revision) = &typed.resource_version {
        patch["metadata"] = json!({"resourceVersion": revision});
    }
    session.server.patch(&path, MERGE_PATCH, &patch).await.map(drop)
}
