//! How pods of one `schedulerName` are placed: which plugins take part, what their scores weigh, and what they are told.

use crate::plugins::{Looks, PLUGINS, Plugin};
use crate::scoring::Scoring;
use k8s_openapi::api::core::v1::NodeAffinity;
use kinds::validate::resources::is_extended;
use std::collections::BTreeSet;

/// k8s: what is wished of pods that say nothing: (key, maxSkew).
const SPREAD: [(&str, i64); 2] = [(crate::spread::HOSTNAME, 3), ("topology.kubernetes.io/zone", 5)];

/// k8s: hardPodAffinityWeight, what a required term of a pod that is there is worth to a newcomer that it speaks of.
const REQUIRED_TERM_WEIGHT: i64 = 1;

#[derive(Debug, Clone)]
pub struct Profile {
    pub scheduler_name: String,
    pub(crate) plugins: Vec<Active>,
    /// Holds for all pods of the profile beside what they say themselves.
    pub(crate) added_affinity: Option<NodeAffinity>,
    pub(crate) required_term_weight: i64,
    /// (key, maxSkew)
    pub(crate) spread: Vec<(String, i64)>,
    /// How full NodeResourcesFit would have nodes.
    pub(crate) scoring: Scoring,
    /// Resources that NodeResourcesFit leaves to others.
    pub(crate) ignored: Ignored,
    /// Share of the nodes that is enough to look at; `None` lets the size of the cluster decide.
    pub(crate) sample_percent: Option<usize>,
}

/// Extended resources of which no node needs to have enough.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ignored {
    pub(crate) names: BTreeSet<String>,
    /// What their names begin with, up to the slash.
    pub(crate) groups: BTreeSet<String>,
}

impl Ignored {
    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty() && self.groups.is_empty()
    }

    /// k8s: extended resources only
    pub(crate) fn has(&self, name: &str) -> bool {
        let group = name.split_once('/').map(|(group, _)| group);
        is_extended(name) && (self.names.contains(name) || group.is_some_and(|group| self.groups.contains(group)))
    }
}

/// A plugin that takes part.
#[derive(Clone, Copy)]
pub(crate) struct Active {
    pub(crate) plugin: &'static Plugin,
    pub(crate) filters: bool,
    /// None where it does not score.
    pub(crate) weight: Option<i64>,
}

impl std::fmt::Debug for Active {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (filters: {}, weight: {:?})", self.plugin.name, self.filters, self.weight)
    }
}

impl Profile {
    /// Everything, with upstream's weights.
    pub fn new(scheduler_name: &str) -> Self {
        let active = |plugin: &'static Plugin| Active {
            plugin,
            filters: true,
            weight: plugin.score.as_ref().map(|score| score.weight),
        };
        Self {
            scheduler_name: scheduler_name.to_owned(),
            plugins: PLUGINS.iter().map(active).collect(),
            added_affinity: None,
            required_term_weight: REQUIRED_TERM_WEIGHT,
            spread: SPREAD.map(|(key, skew)| (key.to_owned(), skew)).into(),
            scoring: Scoring::default(),
            ignored: Ignored::default(),
            sample_percent: None,
        }
    }

    pub(crate) fn filters(&self) -> impl Iterator<Item = &'static Plugin> {
        self.plugins.iter().filter(|active| active.filters).map(|active| active.plugin)
    }

    /// (score, weight)
    pub(crate) fn scores(&self) -> impl Iterator<Item = (&'static str, &'static crate::plugins::Score, i64)> {
        self.plugins
            .iter()
            .filter_map(|active| Some((active.plugin.name, active.plugin.score.as_ref()?, active.weight?)))
    }
}

impl Profile {
    /// (score, weight) of plugins that look at where other pods are.
    pub(crate) fn scores_around(&self) -> impl Iterator<Item = (&'static crate::plugins::Score, i64)> {
        let around = self.plugins.iter().filter(|active| active.plugin.looks == Looks::Around);
        around.filter_map(|active| Some((active.plugin.score.as_ref()?, active.weight?)))
    }
}

impl Default for Profile {
    fn default() -> Self {
        Self::new("default-scheduler")
    }
}
