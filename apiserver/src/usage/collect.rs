//! Asking the nodes, for as long as somebody wants to know.

use super::sample::{Pair, Sample};
use super::{EVERY, FIRST, Phase};
use crate::auth::objects::{NODES, kind};
use crate::error::ApiError;
use crate::request::Selection;
use crate::server::Server;
use crate::subresource::node_connection::NodeAddress;
use futures::stream::StreamExt;
use http::{HeaderMap, Method};
use http_body_util::{BodyExt, Limited};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Without volumes and logs, which take a walk through file systems.
const SUMMARY: &str = "/stats/summary?only_cpu_and_memory=true";
/// Nodes that are asked at once: enough for 5,000 nodes in a round, few enough not to crowd out everything else.
const ASKED_AT_ONCE: usize = 32;
/// k8s: metrics-server's scrape timeout
const ANSWER_WAIT: Duration = Duration::from_secs(10);
/// A pod takes about a kilobyte.
const SUMMARY_MAX: usize = 8 << 20;
/// What a node said that does not answer any more; then its pods are not shown.
const OLD_AFTER: SignedDuration = SignedDuration::from_secs(60);

/// Asks the nodes while somebody wants to know, until `drain`.
pub(crate) async fn keep(server: Arc<Server>, drain: CancellationToken) {
    drain.run_until_cancelled(rounds(&server)).await;
}

async fn rounds(server: &Server) {
    let usages = &server.usages;
    let mut phase = usages.phase.subscribe();
    loop {
        if phase.wait_for(|phase| *phase != Phase::Idle).await.is_err() {
            return;
        }
        round(server).await;
        tokio::time::sleep(FIRST).await;
        round(server).await;
        usages.phase.send_replace(Phase::Known);
        loop {
            tokio::time::sleep(EVERY).await;
            if !usages.is_wanted() {
                break;
            }
            round(server).await;
        }
        usages.phase.send_replace(Phase::Idle);
        usages.nodes.lock().clear();
    }
}

/// Asks every node once.
async fn round(server: &Server) {
    let nodes = match nodes(server).await {
        Ok(nodes) => nodes,
        Err(error) => {
            tracing::warn!(%error, "cannot list the nodes to ask what they use");
            return;
        }
    };
    let names: Vec<String> = nodes.iter().map(|node| node.name().to_owned()).collect();
    let answers = futures::stream::iter(nodes).map(|node| async move {
        let sample = ask(server, &node).await;
        if let Err(why) = &sample {
            tracing::debug!(node = node.name(), why, "a node does not say what it uses");
        }
        Some((node.name().to_owned(), sample.ok()?))
    });
    let samples: HashMap<String, Sample> =
        answers.buffer_unordered(ASKED_AT_ONCE).filter_map(std::future::ready).collect().await;
    let mut known = server.usages.nodes.lock();
    let old = std::mem::take(&mut *known);
    *known = merged(&names, &old, samples, server.registry.now());
}

/// The pairs after a round: nodes that are gone are forgotten, silent ones after a while.
fn merged(
    names: &[String],
    old: &HashMap<String, Arc<Pair>>,
    mut samples: HashMap<String, Sample>,
    now: Timestamp,
) -> HashMap<String, Arc<Pair>> {
    let mut pair = |name: &String| match (samples.remove(name), old.get(name)) {
        (Some(sample), Some(pair)) => Some(Arc::new(pair.next(sample))),
        (Some(sample), None) => Some(Arc::new(Pair::default().next(sample))),
        (None, Some(pair)) => pair.at().is_some_and(|at| now.duration_since(at) < OLD_AFTER).then(|| Arc::clone(pair)),
        (None, None) => None,
    };
    names.iter().filter_map(|name| Some((name.clone(), pair(name)?))).collect()
}

/// Those that can be reached; a node that the cluster has lost would only cost its time.
async fn nodes(server: &Server) -> Result<Vec<NodeAddress>, ApiError> {
    let cache = server.registry.cache(&kind(NODES)).await?;
    let nodes = cache.list("", &Selection::default()).objects;
    let reachable = nodes.iter().map(|node| node.value()).filter(|node| !is_lost(node));
    Ok(reachable.filter_map(|node| NodeAddress::of(&node).ok()).collect())
}

fn is_lost(node: &Value) -> bool {
    let conditions = node.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().any(|condition| condition["type"] == "Ready" && condition["status"] == "Unknown")
}

async fn ask(server: &Server, node: &NodeAddress) -> Result<Sample, String> {
    let answer = async {
        let answer = server.nodes.send(node, Method::GET, SUMMARY, HeaderMap::new()).await;
        let answer = answer.map_err(|error| error.to_string())?;
        if !answer.status().is_success() {
            return Err(format!("it answered {}", answer.status()));
        }
        let body = Limited::new(answer.into_body(), SUMMARY_MAX).collect().await;
        let body = body.map_err(|error| error.to_string())?.to_bytes();
        let summary: Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
        Ok(Sample::of(&summary))
    };
    tokio::time::timeout(ANSWER_WAIT, answer).await.unwrap_or_else(|_| Err("it did not answer in time".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sample(second: u8) -> Sample {
        Sample::of(&json!({"node": {
            "cpu": {"time": format!("2026-01-01T00:00:{second:02}Z"), "usageCoreNanoSeconds": u64::from(second) * 1_000_000_000},
            "memory": {"workingSetBytes": 1},
        }}))
    }

    #[test]
    fn silent_nodes_are_forgotten_after_a_while_and_gone_ones_at_once() {
        let names = ["speaks", "silent"].map(str::to_owned);
        let now = |text: &str| text.parse::<Timestamp>().unwrap();
        let all = |second| ["speaks", "silent", "gone"].map(|name| (name.to_owned(), sample(second)));
        let every = [&names[..], &["gone".to_owned()]].concat();
        let first = merged(&every, &HashMap::new(), all(0).into(), now("2026-01-01T00:00:00Z"));
        assert!(first["speaks"].node().is_none(), "one answer is no usage");
        let second = merged(&every, &first, all(10).into(), now("2026-01-01T00:00:10Z"));
        let spoke = || HashMap::from([("speaks".to_owned(), sample(20))]);
        let soon = merged(&names, &second, spoke(), now("2026-01-01T00:00:20Z"));
        let mut known: Vec<&String> = soon.keys().collect();
        known.sort();
        assert_eq!(known, ["silent", "speaks"]);
        assert_eq!(soon["speaks"].node().unwrap().cpu, 1_000_000_000);
        let late = merged(&names, &soon, HashMap::new(), now("2026-01-01T00:01:15Z"));
        assert_eq!(late.keys().collect::<Vec<_>>(), ["speaks"]);
    }

    #[test]
    fn lost_nodes_are_not_asked() {
        let node = |status: &str| json!({"status": {"conditions": [{"type": "Ready", "status": status}]}});
        assert_eq!(["True", "False", "Unknown"].map(|status| is_lost(&node(status))), [false, false, true]);
        assert!(!is_lost(&json!({})), "a node that has not said anything yet may answer");
    }
}
