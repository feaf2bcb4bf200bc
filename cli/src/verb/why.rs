//! `why`: what the scheduler decided for a pod, and what each node says to it now.

use crate::low;
use crate::print::{Format, grid, tree};
use crate::server::encode;
use crate::session::Session;
use anyhow::{Context as _, Result, bail};
use serde_json::Value;

pub(super) async fn run(session: &Session, typed: &low::Why) -> Result<()> {
    let name = pod_name(&typed.pod)?;
    let path = format!("/debug/scheduler/why/{}/{}", encode(&session.namespace), encode(name));
    let answer = session.server.find(&path).await?;
    let answer = answer.with_context(|| {
        format!("the scheduler of this server knows no pod \"{}/{name}\" that is its to place", session.namespace)
    })?;
    match Format::parse(typed.format.output.as_deref())? {
        Format::Table { .. } => Ok(session.screen.text(&told(&answer))?),
        Format::Json => Ok(session.screen.text(&tree::json(&answer))?),
        Format::Yaml => Ok(session.screen.text(&tree::yaml(&answer))?),
        _ => bail!("--output must be one of (json, yaml)"),
    }
}

/// The pod of `NAME` or `pod/NAME`.
fn pod_name(word: &str) -> Result<&str> {
    match word.split_once('/') {
        None => Ok(word),
        Some(("pod" | "pods" | "po", name)) => Ok(name),
        Some((kind, _)) => {
            bail!("the scheduler places pods, and {word} is a {kind}: name one of its pods (kctl get pods)")
        }
    }
}

fn told(answer: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut lines = Vec::new();
    if let Some(node) = answer["node"].as_str() {
        lines.push(format!("Node:     {node}"));
    }
    if let Some(outcome) = answer["decided"]["outcome"].as_str() {
        lines.push(format!("Decided:  {outcome} ({})", text(&answer["decided"]["at"])));
    }
    if let Some(why) = answer["hopeless"].as_str() {
        lines.push(format!("Waits:    {why}"));
    }
    let mut rows = vec![["NODE", "TOTAL", "WHY"].map(str::to_owned).to_vec()];
    for says in answer["nodes"].as_array().into_iter().flatten() {
        let total = says["total"].as_i64().map_or_else(|| "-".to_owned(), |total| total.to_string());
        let why = if let Some(plugin) = says["refusedBy"].as_str() {
            let reasons = says["reasons"].as_array().into_iter().flatten().filter_map(Value::as_str);
            format!("{plugin}: {}", reasons.collect::<Vec<_>>().join(", "))
        } else {
            let scores = says["scores"].as_object().into_iter().flatten();
            scores.map(|(plugin, score)| format!("{plugin}={score}")).collect::<Vec<_>>().join(" ")
        };
        rows.push(vec![text(&says["node"]), total, why]);
    }
    lines.extend(grid::lines(&rows));
    if let Some(omitted) = answer["omitted"].as_u64().filter(|omitted| *omitted > 0) {
        lines.push(format!("({omitted} more nodes)"));
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::pod_name;

    #[test]
    fn only_pods_are_placed() {
        assert_eq!(pod_name("web-1").unwrap(), "web-1");
        assert_eq!(pod_name("pod/web-1").unwrap(), "web-1");
        assert!(pod_name("deploy/web").unwrap_err().to_string().contains("name one of its pods"));
    }
}
