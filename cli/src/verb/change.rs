//! Changes given whole: `patch`, `replace`, `edit`.

use super::delete::until_gone;
use crate::chosen::{self, Choice, Chosen, Nameless};
use crate::high::DryRun;
use crate::low;
use crate::manifest;
use crate::print::{Format, tree};
use crate::resource;
use crate::server::{JSON_PATCH, MERGE_PATCH, Query, STRATEGIC_PATCH};
use crate::session::{Failures, Session};
use anyhow::{Context, Result, bail};
use kinds::schema::merge;
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::Command;

async fn named(session: &Session, words: &[String]) -> Result<Vec<Chosen>> {
    let select = low::Select::default();
    chosen::choose(session, &Choice { words, files: None, select: &select, nameless: Nameless::Refused }).await
}

pub(super) async fn patch(session: &Session, typed: &low::Patch) -> Result<()> {
    let text = match (&typed.patch, &typed.patch_file) {
        (Some(text), _) => text.clone(),
        (None, Some(file)) => {
            std::fs::read_to_string(file).with_context(|| format!("cannot read \"{}\"", file.display()))?
        }
        (None, None) => bail!("must specify -p or --patch-file"),
    };
    let body: Value = serde_norway::from_str(&text).context("unable to parse the patch")?;
    let content_type = match typed.patch_type.as_str() {
        "strategic" => STRATEGIC_PATCH,
        "merge" => MERGE_PATCH,
        "json" => JSON_PATCH,
        other => bail!("--type must be one of [json merge strategic], not \"{other}\""),
    };
    let format = typed.format.output.as_deref().map(|text| Format::parse(Some(text))).transpose()?;
    let mut failures = Failures::default();
    for one in named(session, &typed.words).await? {
        let patched = async {
            let before = session.server.get(&one.path()).await?;
            let path = match &typed.subresource {
                Some(subresource) => format!("{}/{subresource}", one.path()),
                None => one.path(),
            };
            let path = Query::new().set("fieldManager", "kctl-patch").on(&path);
            let after = session.server.patch(&path, content_type, &body).await?;
            let same = before["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"];
            Ok((after, if same { "patched (no change)" } else { "patched" }))
        };
        let Some((after, word)) = failures.take(session, patched.await)? else { continue };
        super::tell(session, format.as_ref(), &one.title(), word, &after)?;
    }
    failures.end()
}

pub(super) async fn replace(session: &Session, typed: &low::Replace) -> Result<()> {
    anyhow::ensure!(!typed.files.names.is_empty(), "must specify -f");
    let mut failures = Failures::default();
    for document in manifest::read(&typed.files.names, typed.files.recursive) {
        let Some(document) = failures.take(session, document)? else { continue };
        let replaced = replace_one(session, typed, document.object.clone()).await;
        if let Some(title) = failures.take(session, replaced)? {
            session.screen.line(&format!("{title} replaced"))?;
        }
    }
    failures.end()
}

async fn replace_one(session: &Session, typed: &low::Replace, mut object: Value) -> Result<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let resource = resource::of_object(&session.server, &text(&object["apiVersion"]), &text(&object["kind"])).await?;
    let name = text(&object["metadata"]["name"]);
    anyhow::ensure!(!name.is_empty(), "the {} has no metadata.name", resource.kind);
    let namespace = session.namespace_of(&resource, object["metadata"]["namespace"].as_str())?.to_owned();
    if resource.namespaced {
        object["metadata"]["namespace"] = namespace.as_str().into();
    }
    let one = Chosen { resource, namespace, name, listed: None };
    let query = Query::new().set("fieldManager", "kctl-replace").set("fieldValidation", "Strict");
    if typed.force {
        if let Some(live) = session.server.find(&one.path()).await? {
            session.server.delete(&one.path(), &json!({"propagationPolicy": "Background"})).await?;
            until_gone(session, &one, &text(&live["metadata"]["uid"])).await?;
        }
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("resourceVersion");
            metadata.remove("uid");
        }
        session.server.post(&query.on(&one.resource.path(Some(&one.namespace))), &object).await?;
    } else {
        session.server.put(&query.on(&one.path()), &object).await?;
    }
    Ok(one.title())
}

pub(super) async fn edit(session: &Session, typed: &low::Edit) -> Result<()> {
    let mut failures = Failures::default();
    for one in named(session, &typed.words).await? {
        let outcome = edit_one(session, &one).await;
        if let Some(word) = failures.take(session, outcome)? {
            session.screen.line(&format!("{} {word}", one.title()))?;
        }
    }
    failures.end()
}

async fn edit_one(session: &Session, one: &Chosen) -> Result<&'static str> {
    let mut before = one.object(session).await?;
    tree::without_managed_fields(&mut before);
    let file = std::env::temp_dir().join(format!("kctl-edit-{}.yaml", std::process::id()));
    let edited = in_editor(&file, &tree::yaml(&before));
    let after: Value = match &edited {
        Ok(text) => serde_norway::from_str(text)
            .with_context(|| format!("what was edited is not YAML; it is kept in {}", file.display()))?,
        Err(_) => before.clone(),
    };
    edited?;
    if after == before {
        std::fs::remove_file(&file)?;
        return Ok("skipped (no change)");
    }
    let builtin = kinds::table::find(&one.resource.group, &one.resource.version, &one.resource.plural);
    let schema = builtin.and_then(|kind| kinds::schema::lookup(&kind.row().schema));
    let content_type = if builtin.is_some() { STRATEGIC_PATCH } else { MERGE_PATCH };
    let patch = merge::three_way(&before, &after, &before, schema)?;
    let sent = session.server.patch(&one.write_path(DryRun::No), content_type, &patch).await;
    sent.map_err(|error| error.context(format!("the edited object is kept in {}", file.display())))?;
    std::fs::remove_file(&file)?;
    Ok("edited")
}

/// What the user made of a text.
fn in_editor(file: &std::path::Path, text: &str) -> Result<String> {
    let cannot = || format!("cannot write {}", file.display());
    // Never through a link that someone left in a shared folder.
    let mut opened = std::fs::OpenOptions::new().write(true).create_new(true).open(file).with_context(cannot)?;
    opened.write_all(text.as_bytes()).with_context(cannot)?;
    drop(opened);
    let editor = ["KUBE_EDITOR", "VISUAL", "EDITOR"].iter().find_map(|name| std::env::var(name).ok());
    let editor = editor.filter(|editor| !editor.trim().is_empty()).unwrap_or_else(|| "vi".to_owned());
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or("vi");
    let status = Command::new(program).args(words).arg(file).status();
    let status = status.with_context(|| format!("cannot start the editor \"{editor}\" (set $KUBE_EDITOR)"))?;
    anyhow::ensure!(status.success(), "the editor \"{editor}\" ended with {status}");
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}
