//! `scoringStrategy` of NodeResourcesFit: how full a node should be. Pure.
//! k8s: `pkg/scheduler/framework/plugins/noderesources`

use crate::pod_info::PodInfo;
use crate::snapshot::NodeInfo;
use serde::Deserialize;

const SCORE_MAX: i64 = crate::plugins::SCORE_MAX;

/// k8s: MaxCustomPriorityScore, the highest score of a shape's point
const POINT_SCORE_MAX: i64 = 10;

/// Which share of a resource should be in use once the pod is there.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Strategy {
    Least,
    Most,
    /// Points of a line, by rising use: (percent in use, score up to [`SCORE_MAX`]).
    Ratio(Vec<(i64, i64)>),
}

/// What a node's room is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scoring {
    strategy: Strategy,
    /// (name, weight)
    resources: Vec<(String, i64)>,
}

impl Default for Scoring {
    fn default() -> Self {
        Self { strategy: Strategy::Least, resources: ["cpu", "memory"].map(|name| (name.to_owned(), 1)).into() }
    }
}

/// Upstream's `NodeResourcesFitArgs`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct NodeResourcesFitArgs {
    pub(crate) ignored_resources: Vec<String>,
    pub(crate) ignored_resource_groups: Vec<String>,
    scoring_strategy: Option<ScoringStrategy>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ScoringStrategy {
    #[serde(rename = "type")]
    type_: String,
    resources: Vec<ResourceSpec>,
    requested_to_capacity_ratio: Option<RequestedToCapacityRatio>,
}

#[derive(Clone, Debug, Deserialize)]
struct ResourceSpec {
    name: String,
    #[serde(default)]
    weight: i64,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct RequestedToCapacityRatio {
    shape: Vec<Point>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Point {
    utilization: i64,
    score: i64,
}

impl Scoring {
    /// The error is what the plugin cannot be told.
    pub(crate) fn new(args: NodeResourcesFitArgs) -> Result<Self, &'static str> {
        let Some(stated) = args.scoring_strategy else { return Ok(Self::default()) };
        let strategy = match stated.type_.as_str() {
            "LeastAllocated" => Strategy::Least,
            "MostAllocated" => Strategy::Most,
            "RequestedToCapacityRatio" => {
                Strategy::Ratio(line(&stated.requested_to_capacity_ratio.unwrap_or_default())?)
            }
            _ => return Err("a scoringStrategy other than LeastAllocated, MostAllocated and RequestedToCapacityRatio"),
        };
        let mut scoring = Self { strategy, ..Self::default() };
        if !stated.resources.is_empty() {
            // k8s: a weight that is not given is 1.
            let weight = |one: &ResourceSpec| if one.weight == 0 { 1 } else { one.weight };
            scoring.resources = stated.resources.iter().map(|one| (one.name.clone(), weight(one))).collect();
        }
        if scoring.resources.iter().any(|(_, weight)| !(1..=100).contains(weight)) {
            return Err("weights of resources that are not from 1 to 100");
        }
        Ok(scoring)
    }

    /// 0 to [`SCORE_MAX`].
    pub(crate) fn of(&self, pod: &PodInfo, node: &NodeInfo) -> i64 {
        let amounts = self.resources.iter().filter_map(|(name, weight)| Some((amounts(name, pod, node)?, *weight)));
        let scores = amounts.map(|((used, has), weight)| (self.strategy.score(used, has), weight));
        let is_ratio = matches!(self.strategy, Strategy::Ratio(_));
        // k8s: what a shape gives nothing for is left out, and its mean is rounded.
        let counted = scores.filter(|(score, _)| !is_ratio || *score > 0);
        let (sum, weights) =
            counted.fold((0, 0), |(sum, weights), (score, weight)| (sum + score * weight, weights + weight));
        match weights {
            0 => 0,
            _ if is_ratio => (2 * sum + weights) / (2 * weights),
            _ => sum / weights,
        }
    }
}

impl Strategy {
    fn score(&self, used: i64, has: i64) -> i64 {
        let percent = |part: i64| part.saturating_mul(100) / has;
        match self {
            Self::Least if used > has => 0,
            Self::Least => percent(has - used),
            // k8s: pods without requests count for something, so that more may seem used than there is.
            Self::Most => percent(used.min(has)),
            Self::Ratio(points) => on_line(points, percent(used.min(has))),
        }
    }
}

/// What would be in use with the pod, and what there is; `None` where the node has none or the pod does not care.
fn amounts(name: &str, pod: &PodInfo, node: &NodeInfo) -> Option<(i64, i64)> {
    let (wanted, held, has) = match name {
        "cpu" => (pod.scored.milli_cpu, node.scored.milli_cpu, node.allocatable.milli_cpu),
        "memory" => (pod.scored.memory_bytes, node.scored.memory_bytes, node.allocatable.memory_bytes),
        "ephemeral-storage" => {
            (pod.requests.ephemeral_bytes, node.requested.ephemeral_bytes, node.allocatable.ephemeral_bytes)
        }
        _ => {
            let wanted = pod.requests.scalars.get(name).copied().filter(|wanted| *wanted > 0)?;
            let held = node.requested.scalars.get(name).copied().unwrap_or(0);
            (wanted, held, node.allocatable.scalars.get(name).copied()?)
        }
    };
    (has > 0).then(|| (wanted.saturating_add(held), has))
}

/// k8s: validateFunctionShape
fn line(stated: &RequestedToCapacityRatio) -> Result<Vec<(i64, i64)>, &'static str> {
    let points: Vec<(i64, i64)> = stated.shape.iter().map(|point| (point.utilization, point.score)).collect();
    let in_range = |(used, score): &(i64, i64)| (0..=100).contains(used) && (0..=POINT_SCORE_MAX).contains(score);
    if points.is_empty() || !points.iter().all(in_range) || !points.is_sorted_by(|a, b| a.0 < b.0) {
        return Err("a shape without points, with utilization that does not rise from 0 to 100, or scores above 10");
    }
    Ok(points.into_iter().map(|(used, score)| (used, score * SCORE_MAX / POINT_SCORE_MAX)).collect())
}

/// Straight between two points, level before the first and after the last.
/// k8s: buildBrokenLinearFunction
fn on_line(points: &[(i64, i64)], at: i64) -> i64 {
    let next = points.partition_point(|(used, _)| *used < at);
    match (next.checked_sub(1).map(|before| points[before]), points.get(next)) {
        (Some((from, low)), Some((to, high))) => low + (high - low) * (at - from) / (to - from),
        (None, Some((_, score))) => *score,
        (Some((_, score)), None) => score,
        (None, None) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::sync::Arc;

    fn scoring(args: &Value) -> Result<Scoring, &'static str> {
        Scoring::new(serde_json::from_value(args.clone()).unwrap())
    }

    fn pod(cpu: &str, gpus: u32) -> Arc<PodInfo> {
        let mut requests = json!({"cpu": cpu, "memory": "2Gi"});
        if gpus > 0 {
            requests["example.com/gpu"] = json!(gpus.to_string());
        }
        let spec = json!({"containers": [{"name": "c", "resources": {"requests": requests}}]});
        let pod = json!({"metadata": {"name": cpu, "uid": cpu}, "spec": spec});
        Arc::new(PodInfo::new(Arc::new(serde_json::from_value(pod).unwrap())))
    }

    /// With the pod that asks: 75 % of the cpu in use, 50 % of the memory, half of the gpus.
    fn node() -> NodeInfo {
        let allocatable = json!({"cpu": "4", "memory": "8Gi", "pods": "9", "example.com/gpu": "4"});
        let node = json!({"metadata": {"name": "n"}, "status": {"allocatable": allocatable}});
        let mut node = NodeInfo::of(&Arc::new(serde_json::from_value(node).unwrap()));
        node.add(pod("2", 1));
        node
    }

    #[test]
    fn a_strategy_says_how_full_a_node_should_be() {
        let strategy =
            |type_: &str, resources: Value| json!({"scoringStrategy": {"type": type_, "resources": resources}});
        let ratio = |shape: [(i64, i64); 2]| {
            let shape = shape.map(|(used, score)| json!({"utilization": used, "score": score}));
            let ratio = json!({"shape": shape});
            json!({"scoringStrategy": {"type": "RequestedToCapacityRatio", "requestedToCapacityRatio": ratio}})
        };
        let gpus = json!([{"name": "example.com/gpu", "weight": 5}]);
        for (why, args, asked, score) in [
            ("nothing said: the emptier the better", json!({}), pod("1", 0), 37),
            ("the same in words", strategy("LeastAllocated", json!([])), pod("1", 0), 37),
            (
                "weights",
                strategy("LeastAllocated", json!([{"name": "cpu", "weight": 3}, {"name": "memory"}])),
                pod("1", 0),
                31,
            ),
            ("no room left of one", json!({}), pod("3", 0), 25),
            ("the fuller the better", strategy("MostAllocated", json!([])), pod("1", 0), 62),
            ("more than there is is all there is", strategy("MostAllocated", json!([])), pod("3", 0), 75),
            ("an extended resource", strategy("MostAllocated", gpus.clone()), pod("1", 1), 50),
            ("of which the pod wants none", strategy("MostAllocated", gpus), pod("1", 0), 0),
            ("a rising line, rounded", ratio([(0, 0), (100, 10)]), pod("1", 0), 63),
            ("a falling line", ratio([(0, 10), (100, 0)]), pod("1", 0), 38),
            ("what is given nothing is left out", ratio([(50, 0), (60, 10)]), pod("1", 0), 100),
        ] {
            assert_eq!(scoring(&args).unwrap().of(&asked, &node()), score, "{why}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let shape = |shape: Value| {
            let ratio = json!({"shape": shape});
            json!({"scoringStrategy": {"type": "RequestedToCapacityRatio", "requestedToCapacityRatio": ratio}})
        };
        let weighed = json!({"type": "MostAllocated", "resources": [{"name": "cpu", "weight": 101}]});
        for args in [
            json!({"scoringStrategy": {"type": "Fullest"}}),
            json!({ "scoringStrategy": weighed }),
            shape(json!([])),
            shape(json!([{"utilization": 50, "score": 1}, {"utilization": 50, "score": 2}])),
            shape(json!([{"utilization": 50, "score": 11}])),
        ] {
            assert!(scoring(&args).is_err(), "{args}");
        }
    }
}
