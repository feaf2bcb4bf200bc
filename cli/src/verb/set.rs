//! `set image` and `set env`: strategic patches of pod templates.

use super::template::{at, patch_at, pod_spec_path};
use crate::chosen::{self, Choice, Chosen, Nameless};
use crate::high;
use crate::low;
use crate::server::STRATEGIC_PATCH;
use crate::session::{Failures, Session};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

const LISTS: [&str; 2] = ["containers", "initContainers"];

/// The objects and the changes of `deployment/web a=b c-`.
fn split(words: &[String]) -> (&[String], &[String]) {
    let is_change = |word: &String| word.contains('=') || (word.ends_with('-') && word.len() > 1);
    words.split_at(words.iter().position(is_change).unwrap_or(words.len()))
}

async fn workloads(session: &Session, words: &[String]) -> Result<Vec<Chosen>> {
    let select = low::Select::default();
    chosen::choose(session, &Choice { words, files: None, select: &select, nameless: Nameless::Refused }).await
}

pub(super) async fn image(session: &Session, typed: &low::SetImage) -> Result<()> {
    let (words, changes) = split(&typed.words);
    let changes: Vec<(String, String)> = high::changes(changes)?
        .into_iter()
        .map(|(container, image)| image.map(|image| (container, image)).context("an image cannot be removed"))
        .collect::<Result<_>>()?;
    anyhow::ensure!(!changes.is_empty(), "at least one image update is required (CONTAINER=IMAGE)");
    let mut failures = Failures::default();
    for one in workloads(session, words).await? {
        let outcome = change(session, &one, |spec| images(spec, &changes)).await;
        if failures.take(session, outcome)? == Some(true) {
            session.screen.line(&format!("{} image updated", one.title()))?;
        }
    }
    failures.end()
}

pub(super) async fn environment(session: &Session, typed: &low::SetEnv) -> Result<()> {
    let (words, changes) = split(&typed.words);
    let changes = high::changes(changes)?;
    anyhow::ensure!(!changes.is_empty(), "at least one environment variable is required (KEY=VALUE or KEY-)");
    let mut failures = Failures::default();
    for one in workloads(session, words).await? {
        let outcome = change(session, &one, |spec| variables(spec, typed.container.as_deref(), &changes)).await;
        if failures.take(session, outcome)? == Some(true) {
            session.screen.line(&format!("{} env updated", one.title()))?;
        }
    }
    failures.end()
}

/// Patches the pod spec of an object; whether there was something to change.
async fn change(session: &Session, one: &Chosen, patch: impl Fn(&Value) -> Result<Value>) -> Result<bool> {
    let Some(path) = pod_spec_path(&one.resource.kind) else {
        bail!("a {} has no pod template", one.resource.full_singular());
    };
    let object = session.server.get(&one.path()).await?;
    let patch = patch(at(&object, path))?;
    if patch == json!({}) {
        return Ok(false);
    }
    let path_of_write = one.write_path(high::DryRun::No);
    session.server.patch(&path_of_write, STRATEGIC_PATCH, &patch_at(path, patch)).await?;
    Ok(true)
}

fn containers<'a>(spec: &'a Value, list: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let items = spec[list].as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(|item| Some((item["name"].as_str()?, item)))
}

/// The patch that gives containers their images; `*` means all.
fn images(spec: &Value, changes: &[(String, String)]) -> Result<Value> {
    let known = |name: &str| LISTS.iter().any(|list| containers(spec, list).any(|(known, _)| known == name));
    if let Some((missing, _)) = changes.iter().find(|(name, _)| name != "*" && !known(name)) {
        bail!("unable to find container named \"{missing}\"");
    }
    let mut patch = json!({});
    for list in LISTS {
        let mut changed = vec![];
        for (name, container) in containers(spec, list) {
            let image =
                changes.iter().rev().find(|(wanted, _)| wanted == name || wanted == "*").map(|(_, image)| image);
            if let Some(image) = image.filter(|image| container["image"] != **image) {
                changed.push(json!({"name": name, "image": image}));
            }
        }
        if !changed.is_empty() {
            patch[list] = changed.into();
        }
    }
    Ok(patch)
}

fn variables(spec: &Value, only: Option<&str>, changes: &[(String, Option<String>)]) -> Result<Value> {
    let env: Vec<Value> = changes
        .iter()
        .map(|(name, value)| match value {
            Some(value) => json!({"name": name, "value": value}),
            None => json!({"name": name, "$patch": "delete"}),
        })
        .collect();
    let changed: Vec<Value> = containers(spec, "containers")
        .filter(|(name, _)| only.is_none_or(|only| only == *name))
        .map(|(name, _)| json!({"name": name, "env": env}))
        .collect();
    match only {
        Some(only) if changed.is_empty() => bail!("unable to find container named \"{only}\""),
        _ => Ok(json!({"containers": changed})),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> Value {
        json!({"containers": [{"name": "a", "image": "x:1"}, {"name": "b", "image": "y:1"}],
               "initContainers": [{"name": "i", "image": "x:1"}]})
    }

    fn changed(container: &str, image: &str) -> Result<Value> {
        images(&spec(), &[(container.to_owned(), image.to_owned())])
    }

    #[test]
    fn only_images_that_differ_are_patched() {
        assert_eq!(changed("a", "x:2").unwrap(), json!({"containers": [{"name": "a", "image": "x:2"}]}));
        assert_eq!(changed("a", "x:1").unwrap(), json!({}));
        assert_eq!(changed("*", "x:1").unwrap(), json!({"containers": [{"name": "b", "image": "x:1"}]}));
        assert_eq!(changed("nope", "x").unwrap_err().to_string(), "unable to find container named \"nope\"");
    }

    #[test]
    fn variables_are_set_and_removed_in_each_container() {
        let changes = [("A".to_owned(), Some("1".to_owned())), ("B".to_owned(), None)];
        let env = json!([{"name": "A", "value": "1"}, {"name": "B", "$patch": "delete"}]);
        assert_eq!(
            variables(&spec(), Some("b"), &changes).unwrap(),
            json!({"containers": [{"name": "b", "env": env}]})
        );
        assert_eq!(variables(&spec(), None, &changes).unwrap()["containers"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn words_before_the_first_change_name_objects() {
        let words: Vec<String> = ["deployment", "web", "A=b", "C-"].map(str::to_owned).into();
        assert_eq!(split(&words).0.len(), 2);
    }
}
