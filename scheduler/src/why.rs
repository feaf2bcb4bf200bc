//! Why a pod is where it is, or nowhere: what was decided last, and what every plugin says of every node now. Worked out when
//! somebody asks, so that decisions cost nothing more.

use crate::cycle::{Decision, filter};
use crate::pod_info::PodInfo;
use crate::question::{Case, Question};
use client::action::Key;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard, mpsc, oneshot};

/// Decisions that are remembered, and for how long: people ask soon, or look at the pod's events.
const DECISIONS_MAX: usize = 10_000;
const REMEMBERED: SignedDuration = SignedDuration::from_mins(30);

/// Nodes that an answer tells of; the best first, then those that refuse.
const NODES_MAX: usize = 200;

/// Questions that wait while decisions are made.
const QUESTIONS_MAX: usize = 16;

/// No answer after so long means that no scheduler runs here; the leader may be elsewhere.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Asks the scheduler, from anywhere in the process.
#[derive(Debug)]
pub struct Why {
    sender: mpsc::Sender<Asked>,
    receiver: Mutex<mpsc::Receiver<Asked>>,
}

#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) key: Key,
    pub(crate) reply: oneshot::Sender<Option<Explanation>>,
}

impl Default for Why {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(QUESTIONS_MAX);
        Self { sender, receiver: Mutex::new(receiver) }
    }
}

impl Why {
    /// `None` where there is no such pod, or no scheduler that runs.
    pub async fn ask(&self, ns: &str, name: &str) -> Option<Explanation> {
        let (reply, answer) = oneshot::channel();
        self.sender.try_send(Asked { key: Key::new(ns, name), reply }).ok()?;
        tokio::time::timeout(ANSWER_WITHIN, answer).await.ok()?.ok()?
    }

    /// The answer as others read it.
    pub async fn document(&self, ns: &str, name: &str) -> Option<serde_json::Value> {
        let explanation = self.ask(ns, name).await?;
        Some(serde_json::to_value(explanation).expect("an explanation is JSON"))
    }

    /// The scheduler's side; one at a time.
    pub(crate) async fn questions(&self) -> MutexGuard<'_, mpsc::Receiver<Asked>> {
        self.receiver.lock().await
    }
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    pub pod: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided: Option<Decided>,
    /// No node was asked, because of this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hopeless: Option<String>,
    /// What nodes would say to the pod now.
    pub nodes: Vec<NodeSays>,
    /// Nodes that are left out of the list.
    pub omitted: usize,
}

/// The last decision.
#[derive(Clone, Debug, Serialize)]
pub struct Decided {
    pub at: Timestamp,
    pub outcome: String,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeSays {
    pub node: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused_by: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Cow<'static, str>>,
    /// Sum of weight x score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
    /// Plugin -> weight x score.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub scores: BTreeMap<&'static str, i64>,
}

/// What was decided lately.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    latest: HashMap<Key, Decided>,
    order: VecDeque<(Timestamp, Key)>,
}

impl Memory {
    pub(crate) fn note(&mut self, pod: &PodInfo, decision: &Decision, at: Timestamp) {
        let outcome = match decision {
            Decision::Place { node, looked_at } => format!("placed on {node}, after a look at {looked_at} nodes"),
            Decision::Refuse(refusal) => refusal.message(),
        };
        self.latest.insert(pod.key.clone(), Decided { at, outcome });
        self.order.push_back((at, pod.key.clone()));
        while let Some((since, key)) = self.order.front()
            && (self.order.len() > DECISIONS_MAX || *since + REMEMBERED < at)
        {
            if self.latest.get(key).is_some_and(|decided| decided.at == *since) {
                self.latest.remove(key);
            }
            self.order.pop_front();
        }
    }

    pub(crate) fn of(&self, key: &Key) -> Option<Decided> {
        self.latest.get(key).cloned()
    }
}

/// What every node would say now.
pub fn explain(case: Case<'_>) -> Explanation {
    let mut ask = Question::new(case);
    let mut nodes = Vec::new();
    let mut feasible = Vec::new();
    for node in &case.snapshot.nodes {
        match filter(&ask, node) {
            Ok(()) => feasible.push(node),
            Err(refused) => nodes.push(NodeSays {
                node: node.name.clone(),
                refused_by: Some(refused.plugin),
                reasons: refused.rejection.reasons,
                total: None,
                scores: BTreeMap::new(),
            }),
        }
    }
    ask.among(&feasible, &|_| None);
    let mut scored: Vec<NodeSays> = feasible
        .iter()
        .map(|node| NodeSays {
            node: node.name.clone(),
            refused_by: None,
            reasons: Vec::new(),
            total: Some(0),
            scores: BTreeMap::new(),
        })
        .collect();
    for (name, score, weight) in case.profile.scores() {
        let mut scores: Vec<i64> = feasible.iter().map(|node| (score.raw)(&ask, node)).collect();
        if let Some(normalise) = score.normalise {
            normalise(&mut scores);
        }
        for (says, score) in scored.iter_mut().zip(scores) {
            says.scores.insert(name, score * weight);
            says.total = says.total.map(|total| total + score * weight);
        }
    }
    scored.sort_by_key(|says| Reverse(says.total));
    scored.extend(nodes);
    let omitted = scored.len().saturating_sub(NODES_MAX);
    scored.truncate(NODES_MAX);
    Explanation {
        pod: format!("{}/{}", case.pod.key.ns, case.pod.key.name),
        node: case.pod.node_name().map(str::to_owned),
        decided: None,
        hopeless: ask.claims.hopeless.clone().or_else(|| ask.devices.hopeless.clone()),
        nodes: scored,
        omitted,
    }
}
