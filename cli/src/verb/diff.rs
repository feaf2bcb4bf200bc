//! `diff`: what applying manifests would change. The server says what would become of each object, in a dry run; `diff` (or
//! `$KUBECTL_EXTERNAL_DIFF`) compares two folders with a file for each.

use super::apply::{self, Plan};
use crate::failure::Exit;
use crate::high::DryRun;
use crate::low;
use crate::manifest::{self, Document};
use crate::print::tree;
use crate::session::Session;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

const PROGRAM: &str = "KUBECTL_EXTERNAL_DIFF";

/// Ends with 0 where nothing would change, 1 where something would, more for a mistake: as `diff` does.
pub(super) async fn run(session: &Session, typed: &low::Diff) -> Result<()> {
    match compare(session, typed).await {
        Ok(0) => Ok(()),
        Ok(code) => Err(Exit(code).into()),
        Err(error) => {
            session.complain(&error)?;
            Err(Exit(MISTAKE).into())
        }
    }
}

const MISTAKE: u8 = 2;

async fn compare(session: &Session, typed: &low::Diff) -> Result<u8> {
    let plan = Plan::new(&typed.what, DryRun::Server, None)?;
    let folder = tempfile::tempdir().context("cannot make a folder for what is compared")?;
    let (live, merged) = (folder.path().join("LIVE"), folder.path().join("MERGED"));
    for side in [&live, &merged] {
        std::fs::create_dir(side).with_context(|| format!("cannot make {}", side.display()))?;
    }
    for document in manifest::read(&typed.what.files.names, typed.what.files.recursive) {
        let document = document?;
        if plan.selects(&document) {
            let one = write_sides(session, &plan, &document, &live, &merged).await;
            one.map_err(|error| apply::located(error, &document))?;
        }
    }
    let command = std::env::var(PROGRAM).ok().filter(|command| !command.trim().is_empty());
    let command = command.unwrap_or_else(|| "diff -u -N".to_owned());
    let mut words = command.split_whitespace();
    let output = Command::new(words.next().unwrap_or("diff")).args(words).args([&live, &merged]).output();
    let output =
        output.with_context(|| format!("cannot run \"{command}\" (set ${PROGRAM} to what compares two folders)"))?;
    session.screen.bytes(&output.stdout)?;
    session.screen.error_bytes(&output.stderr)?;
    match output.status.code() {
        Some(code) => Ok(code as u8),
        None => bail!("\"{command}\" ended with {}", output.status),
    }
}

async fn write_sides(session: &Session, plan: &Plan, document: &Document, live: &Path, merged: &Path) -> Result<()> {
    let (one, _, mut after) = apply::one(session, plan, document).await?;
    let mut before = session.server.find(&one.path()).await?.unwrap_or(Value::Null);
    if one.resource.is("", "secrets") {
        mask(&mut before, &mut after);
    }
    let file = [one.resource.group.as_str(), &one.resource.version, &one.resource.kind, &one.namespace, &one.name]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(".");
    // A missing object has no file: `diff -N` takes that for an empty one.
    for (side, object) in
        [(live, &mut before), (merged, &mut after)].into_iter().filter(|(_, object)| !object.is_null())
    {
        tree::without_managed_fields(object);
        std::fs::write(side.join(&file), tree::yaml(object))?;
    }
    Ok(())
}

/// Nobody reads secrets on a screen: what changes is told, not what it is.
fn mask(before: &mut Value, after: &mut Value) {
    for part in ["data", "stringData"] {
        let of = |object: &Value| object[part].as_object().cloned().unwrap_or_default();
        let (old, new) = (of(before), of(after));
        for (object, own, other, changed) in
            [(&mut *before, &old, &new, "*** (before)"), (&mut *after, &new, &old, "*** (after)")]
        {
            for (key, value) in own {
                let differs = other.get(key).is_some_and(|other| other != value);
                object[part][key] = if differs { changed } else { "***" }.into();
            }
        }
    }
    for object in [before, after] {
        if let Some(annotations) = object["metadata"]["annotations"].as_object_mut() {
            annotations.remove(apply::LAST_APPLIED);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn of_secrets_only_what_changes_is_told() {
        let mut before = json!({"data": {"same": "YQ==", "new": "Yg==", "gone": "Yw=="}});
        let mut after = json!({"data": {"same": "YQ==", "new": "ZA==", "more": "ZQ=="}});
        mask(&mut before, &mut after);
        assert_eq!(before["data"], json!({"same": "***", "new": "*** (before)", "gone": "***"}));
        assert_eq!(after["data"], json!({"same": "***", "new": "*** (after)", "more": "***"}));
    }
}
