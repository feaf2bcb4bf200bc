//! `wait`: until objects exist, are gone, or meet a condition.

use super::delete::until_gone;
use crate::chosen::{self, Choice, Chosen, Nameless};
use crate::failure;
use crate::follow::Follow;
use crate::high;
use crate::jsonpath::{Missing, Template, plain};
use crate::low;
use crate::session::{Failures, Session};
use anyhow::{Result, bail};
use serde_json::Value;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// k8s: a negative `--timeout` means a week
const WEEK: Duration = Duration::from_hours(7 * 24);

/// How often objects that are to appear are looked for where no watch can tell: their type or selector names none yet.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

#[derive(Clone, Debug, PartialEq)]
enum Goal {
    Exists,
    Gone,
    Condition { name: String, value: String },
    Path { template: Template, value: Option<String> },
}

impl Goal {
    fn parse(text: &str) -> Result<Self> {
        let lower = text.to_lowercase();
        if lower == "delete" {
            return Ok(Goal::Gone);
        }
        if lower == "create" {
            return Ok(Goal::Exists);
        }
        if let Some(condition) = text.strip_prefix("condition=") {
            let (name, value) = condition.split_once('=').unwrap_or((condition, "true"));
            return Ok(Goal::Condition { name: name.to_owned(), value: value.to_owned() });
        }
        if let Some(rest) = text.strip_prefix("jsonpath=") {
            // A value follows the closing brace; inside the braces `=` belongs to filters.
            let rest = rest.trim_matches('\'');
            let (path, value) = match rest.rfind('}') {
                Some(end) => (&rest[..=end], rest[end + 1..].strip_prefix('=')),
                None => rest.split_once('=').map_or((rest, None), |(path, value)| (path, Some(value))),
            };
            let value = value.map(|value| value.trim_matches(['"', '\'']).to_owned());
            anyhow::ensure!(value.as_deref() != Some(""), "jsonpath wait value cannot be empty");
            return Ok(Goal::Path { template: Template::relaxed(path)?, value });
        }
        bail!(
            "unrecognized condition: \"{text}\" (try create, delete, condition=Ready or jsonpath={{.status.phase}}=Running)"
        )
    }

    fn met(&self, object: &Value) -> Result<bool> {
        Ok(match self {
            Goal::Exists => true,
            Goal::Gone => false,
            Goal::Condition { name, value } => condition_met(object, name, value),
            Goal::Path { template, value } => {
                let found = template.values(object, Missing::Empty)?;
                match (found.as_slice(), value) {
                    ([], _) => false,
                    (_, None) => true,
                    ([one], Some(value)) => !one.is_array() && !one.is_object() && plain(one).trim() == value.trim(),
                    (_, Some(_)) => bail!("given jsonpath expression matches more than one value"),
                }
            }
        })
    }
}

fn condition_met(object: &Value, name: &str, value: &str) -> bool {
    let generation = object["metadata"]["generation"].as_i64();
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    conditions.filter(|condition| condition["type"].as_str().is_some_and(|kind| kind.eq_ignore_ascii_case(name))).any(
        |condition| {
            // k8s: a condition about an older generation says nothing yet
            let observed = condition["observedGeneration"].as_i64().or(object["status"]["observedGeneration"].as_i64());
            let stale = matches!((observed, generation), (Some(observed), Some(generation)) if observed < generation);
            !stale && condition["status"].as_str().is_some_and(|status| status.eq_ignore_ascii_case(value))
        },
    )
}

pub(super) async fn run(session: &Session, typed: &low::Wait) -> Result<()> {
    let goal = Goal::parse(&typed.condition)?;
    let limit = if typed.timeout.starts_with('-') { WEEK } else { high::duration(&typed.timeout)? };
    let deadline = Instant::now() + limit;
    let nameless = if typed.all || goal == Goal::Exists { Nameless::All } else { Nameless::Refused };
    let choice = Choice { words: &typed.words, files: Some(&typed.files), select: &typed.select, nameless };
    let mut chosen = chosen::choose(session, &choice).await?;
    while chosen.is_empty() {
        if goal != Goal::Exists {
            bail!("no matching resources found");
        }
        if Instant::now() >= deadline {
            bail!("timed out waiting for the condition");
        }
        tokio::time::sleep(LOOK_AGAIN).await;
        chosen = chosen::choose(session, &choice).await?;
    }
    let mut failures = Failures::default();
    for one in &chosen {
        let outcome = match timeout_at(deadline, until(session, &goal, one)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(anyhow::anyhow!(
                "timed out waiting for the condition on {}/{}",
                one.resource.full_plural(),
                one.name
            )),
        };
        if failures.take(session, outcome)?.is_some() {
            session.screen.line(&format!("{} condition met", one.title()))?;
        }
    }
    failures.end()
}

async fn until(session: &Session, goal: &Goal, one: &Chosen) -> Result<()> {
    if *goal == Goal::Gone {
        let object = match one.object(session).await {
            Ok(object) => object,
            Err(error) if failure::is_not_found(&error) => return Ok(()),
            Err(error) => return Err(error),
        };
        return until_gone(session, one, object["metadata"]["uid"].as_str().unwrap_or_default()).await;
    }
    let mut follow = Follow::new(&session.server, &one.resource, &one.namespace, &one.name);
    loop {
        match follow.next().await? {
            Some(object) => {
                if goal.met(&object)? {
                    return Ok(());
                }
            }
            None if *goal == Goal::Exists => {}
            None => {
                // In the server's own words.
                session.server.get(&one.path()).await?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn conditions_are_met_by_name_value_and_generation() {
        let pod = |observed: i64, status: &str| {
            json!({"metadata": {"generation": 2}, "status": {"phase": "Running", "observedGeneration": observed,
                "conditions": [{"type": "Ready", "status": status}]}})
        };
        for (goal, object, expected) in [
            ("condition=Ready", pod(2, "True"), true),
            ("condition=ready=true", pod(2, "True"), true),
            ("condition=Ready", pod(2, "False"), false),
            ("condition=Ready=False", pod(2, "False"), true),
            ("condition=Ready", pod(1, "True"), false),
            ("condition=Other", pod(2, "True"), false),
            ("jsonpath={.status.phase}=Running", pod(2, "True"), true),
            ("jsonpath='{.status.phase}'=Running", pod(2, "True"), true),
            ("jsonpath=.status.phase=Failed", pod(2, "True"), false),
            ("jsonpath={.status.conditions[?(@.type=='Ready')].status}=True", pod(2, "True"), true),
            ("jsonpath={.status.phase}", pod(2, "True"), true),
            ("jsonpath={.status.none}", pod(2, "True"), false),
            ("create", pod(1, "x"), true),
            ("delete", pod(1, "x"), false),
        ] {
            assert_eq!(Goal::parse(goal).unwrap().met(&object).unwrap(), expected, "{goal}");
        }
        for bad in ["ready", "jsonpath={.a}=", "jsonpath={.a"] {
            assert!(Goal::parse(bad).is_err(), "{bad}");
        }
    }
}
