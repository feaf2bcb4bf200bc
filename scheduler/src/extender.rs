//! Extenders: programs elsewhere that have a say in where pods go, as KubeSchedulerConfiguration names them. What they are
//! told and what their answers mean is here, and pure; `extender/call.rs` asks them, beside the cycle.
//! k8s: `pkg/scheduler/extender.go`

pub(crate) mod call;
mod wire;

pub use call::Error as ConnectError;

use crate::preempt::Candidate;
use k8s_openapi::api::core::v1::{Container, Node, Pod};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// k8s: MaxNodeScore / MaxExtenderPriority
const SCORE_FACTOR: i64 = crate::plugins::SCORE_MAX / 10;

/// What a configuration says of an extender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where it is, without the verb.
    pub url: String,
    pub filter_verb: Option<String>,
    pub prioritize_verb: Option<String>,
    pub preempt_verb: Option<String>,
    pub bind_verb: Option<String>,
    pub weight: i64,
    pub tls: Tls,
    pub timeout: Duration,
    /// It knows the nodes, and is told their names.
    pub knows_nodes: bool,
    /// Only pods that ask for one of these concern it; all do where there are none.
    pub resources: BTreeSet<String>,
    /// Where it cannot be asked, things go on without it.
    pub is_ignorable: bool,
}

/// How it is spoken to; data are base64 of PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    pub is_insecure: bool,
    pub server_name: Option<String>,
    pub cert_file: Option<String>,
    pub cert_data: Option<String>,
    pub key_file: Option<String>,
    pub key_data: Option<String>,
    pub ca_file: Option<String>,
    pub ca_data: Option<String>,
}

impl Settings {
    /// Whether it has a say about this pod.
    pub fn concerns(&self, pod: &Pod) -> bool {
        let spec = pod.spec.as_ref();
        let containers =
            spec.into_iter().flat_map(|spec| spec.containers.iter().chain(spec.init_containers.iter().flatten()));
        let asks = |container: &Container| {
            let resources = container.resources.as_ref();
            let lists = resources.into_iter().flat_map(|all| [&all.requests, &all.limits]).flatten();
            lists.into_iter().flat_map(BTreeMap::keys).any(|name| self.resources.contains(name))
        };
        self.resources.is_empty() || containers.into_iter().any(asks)
    }
}

/// A node that would do for a pod, and its score so far.
#[derive(Clone, Debug)]
pub struct Offer {
    pub node: Arc<Node>,
    pub score: i64,
}

impl Offer {
    pub fn name(&self) -> &str {
        self.node.metadata.name.as_deref().unwrap_or_default()
    }
}

/// A node that an extender will not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rejected {
    pub(crate) node: String,
    pub(crate) reason: String,
    /// Pods that leave the node would not help.
    pub(crate) is_lasting: bool,
}

/// What extenders have made of the offers.
#[derive(Debug, Default)]
pub(crate) struct Opinion {
    pub(crate) offers: Vec<Offer>,
    pub(crate) rejected: Vec<Rejected>,
}

impl Opinion {
    /// Leaves those that the answer names.
    fn filter(&mut self, url: &str, answer: wire::FilterResult) -> Result<(), String> {
        if let Some(error) = answer.error {
            return Err(error);
        }
        let named = answer.kept.unwrap_or_default();
        if let Some(stranger) = named.iter().find(|name| !self.offers.iter().any(|offer| offer.name() == *name)) {
            return Err(format!(
                "extender {url:?} claims a filtered node {stranger:?} which is not found in the input node list"
            ));
        }
        self.offers.retain(|offer| named.iter().any(|name| name == offer.name()));
        let lasting =
            answer.failed_for_good.into_iter().map(|(node, reason)| Rejected { node, reason, is_lasting: true });
        self.rejected.extend(lasting);
        for (node, reason) in answer.failed {
            // k8s: what is beyond help counts more
            if !self.rejected.iter().any(|known| known.node == node) {
                self.rejected.push(Rejected { node, reason, is_lasting: false });
            }
        }
        Ok(())
    }

    fn prioritize(&mut self, scores: &[(String, i64)], weight: i64) {
        for offer in &mut self.offers {
            let given = scores.iter().filter(|(host, _)| host == offer.name()).map(|(_, score)| score).sum::<i64>();
            let worth = given.saturating_mul(weight).saturating_mul(SCORE_FACTOR);
            offer.score = offer.score.saturating_add(worth);
        }
    }
}

/// The candidates that the answer leaves, with the victims that it names.
fn victims(url: &str, candidates: &[Candidate], answer: wire::Victims) -> Result<Vec<Candidate>, String> {
    let mut left = Vec::new();
    for (node, (uids, violations)) in answer {
        let Some(candidate) = candidates.iter().find(|candidate| candidate.node == node) else {
            return Err(format!("extender {url:?} names node {node:?}, where nobody was to go"));
        };
        let find = |uid: &String| {
            let found = candidate.victims.iter().find(|pod| pod.uid == *uid).cloned();
            found.ok_or_else(|| {
                format!("extender: {url} claims to preempt pod (UID: {uid}) on node: {node}, but the pod is not found on that node")
            })
        };
        let victims = uids.iter().map(find).collect::<Result<Vec<_>, _>>()?;
        left.push(Candidate { victims, violations, ..candidate.clone() });
    }
    Ok(left)
}

#[cfg(test)]
mod tests;
