//! `label` and `annotate`: merge patches of an object's metadata.

use crate::chosen::{self, Choice, Chosen, Nameless};
use crate::high::{self, DryRun};
use crate::low;
use crate::server::MERGE_PATCH;
use crate::session::{Failures, Session};
use anyhow::{Result, bail};
use serde_json::{Map, Value, json};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Labels,
    Annotations,
}

impl Field {
    fn key(self) -> &'static str {
        match self {
            Field::Labels => "labels",
            Field::Annotations => "annotations",
        }
    }

    fn done(self) -> &'static str {
        match self {
            Field::Labels => "labeled",
            Field::Annotations => "annotated",
        }
    }
}

pub(super) async fn run(session: &Session, typed: &low::Label, field: Field) -> Result<()> {
    let is_change = |word: &String| word.contains('=') || (word.ends_with('-') && word.len() > 1);
    let begin = typed.words.iter().position(is_change).unwrap_or(typed.words.len());
    let (words, changes) = typed.words.split_at(begin);
    let changes = high::changes(changes)?;
    anyhow::ensure!(!changes.is_empty(), "at least one KEY=VALUE or KEY- is required");
    let nameless = if typed.all { Nameless::All } else { Nameless::Refused };
    let chosen = chosen::choose(session, &Choice { words, files: None, select: &typed.select, nameless }).await?;
    let mut failures = Failures::default();
    for one in &chosen {
        let outcome = change(session, typed, field, one, &changes).await;
        if let Some(word) = failures.take(session, outcome)? {
            session.screen.line(&format!("{} {word}", one.title()))?;
        }
    }
    failures.end()
}

async fn change(
    session: &Session,
    typed: &low::Label,
    field: Field,
    one: &Chosen,
    changes: &[(String, Option<String>)],
) -> Result<String> {
    let object = one.object(session).await?;
    let patch = patch(&object["metadata"][field.key()], changes, typed.overwrite)?;
    if patch.is_empty() {
        return Ok(format!("not {}", field.done()));
    }
    let removed_only = field == Field::Labels && patch.values().all(Value::is_null);
    let patch = json!({"metadata": {field.key(): patch}});
    session.server.patch(&one.write_path(DryRun::No), MERGE_PATCH, &patch).await?;
    Ok(if removed_only { "unlabeled" } else { field.done() }.to_owned())
}

/// What differs from what is there; a different value of a key that is there takes `--overwrite`.
fn patch(there: &Value, changes: &[(String, Option<String>)], overwrite: bool) -> Result<Map<String, Value>> {
    let mut patch = Map::new();
    for (key, value) in changes {
        let now = there[key].as_str();
        match (now, value.as_deref()) {
            (now, wanted) if now == wanted => {}
            (Some(now), Some(_)) if !overwrite => {
                bail!("'{key}' already has a value ({now}), and --overwrite is false")
            }
            (_, wanted) => {
                patch.insert(key.clone(), wanted.into());
            }
        }
    }
    Ok(patch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_there_takes_overwrite() {
        let there = json!({"a": "1", "b": "2"});
        let changes =
            |words: &[&str]| high::changes(&words.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
        assert!(patch(&there, &changes(&["a=2"]), false).is_err());
        let wanted = patch(&there, &changes(&["a=2", "b-", "b2=x", "c-"]), true).unwrap();
        assert_eq!(Value::Object(wanted), json!({"a": "2", "b": null, "b2": "x"}));
        assert!(patch(&there, &changes(&["a=1"]), false).unwrap().is_empty());
    }
}
