//! Revisions, template equality and the names of ReplicaSets.

use crate::config_rollout;
use crate::write::safe_hash;
use client::cache::Tracked as _;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use kinds::opt_in::COMPLETED;
use std::collections::BTreeMap;

pub(super) const REVISION: &str = "deployment.kubernetes.io/revision";
pub(super) const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
pub(super) const DESIRED_REPLICAS: &str = "deployment.kubernetes.io/desired-replicas";
pub(super) const MAX_REPLICAS: &str = "deployment.kubernetes.io/max-replicas";
pub(super) const POD_TEMPLATE_HASH: &str = "pod-template-hash";

/// Annotations of the Deployment that do not pass to its ReplicaSets.
const KEPT_BACK: &[&str] = &[
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    REVISION_HISTORY,
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    "deprecated.deployment.rollback.to",
    COMPLETED,
];

/// The history annotation is cut at its old end beyond this many bytes (k8s: 2000).
const HISTORY_BYTES_MAX: usize = 2000;

/// The template that pods are made by. Only where [`is_settled`].
pub(super) fn template(deployment: &Deployment) -> PodTemplateSpec {
    config_rollout::template(deployment).unwrap_or_else(|| deployment.spec.template.clone())
}

/// Whether it is known by which names the pods read their configuration.
pub(super) fn is_settled(deployment: &Deployment) -> bool {
    config_rollout::template(deployment).is_some()
}

/// Whether a ReplicaSet runs this template, its hash label aside.
pub(super) fn runs(rs: &ReplicaSet, template: &PodTemplateSpec) -> bool {
    let Some(theirs) = rs.spec.template.as_ref() else { return false };
    theirs.spec == template.spec && bare(theirs) == bare(template)
}

/// Labels and annotations without the hash label.
fn bare(template: &PodTemplateSpec) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
    let meta = template.metadata.clone().unwrap_or_default();
    let mut labels = meta.labels.unwrap_or_default();
    labels.remove(POD_TEMPLATE_HASH);
    (labels, meta.annotations.unwrap_or_default())
}

/// The hash label of a template. Only its shape is upstream's: ReplicaSets are found by comparing templates.
pub(super) fn template_hash(deployment: &Deployment) -> String {
    let mut bytes = serde_json::to_vec(&template(deployment)).expect("a template can always be written");
    if let Some(collisions) = deployment.status.as_ref().and_then(|status| status.collision_count) {
        bytes.extend(collisions.to_le_bytes());
    }
    safe_hash(bytes)
}

pub(super) fn annotation<'a>(rs: &'a ReplicaSet, name: &str) -> Option<&'a str> {
    rs.metadata.annotations.as_ref()?.get(name).map(String::as_str)
}

/// 0 where there is none.
pub(super) fn revision(rs: &ReplicaSet) -> i64 {
    annotation(rs, REVISION).and_then(|revision| revision.parse().ok()).unwrap_or(0)
}

/// What the annotations of the new ReplicaSet are to be, from what they are.
pub(super) fn annotations(
    deployment: &Deployment,
    held: Option<&ReplicaSet>,
    new_revision: i64,
) -> BTreeMap<String, String> {
    let mut annotations = held.and_then(|rs| rs.metadata.annotations.clone()).unwrap_or_default();
    let from = deployment.metadata.annotations.iter().flatten();
    for (name, value) in from.filter(|(name, _)| !KEPT_BACK.contains(&name.as_str())) {
        annotations.insert(name.clone(), value.clone());
    }
    let old = held.map_or(0, revision);
    if old < new_revision {
        annotations.insert(REVISION.to_owned(), new_revision.to_string());
        if old > 0 {
            let history = annotations.get(REVISION_HISTORY).map_or(String::new(), |history| format!("{history},"));
            annotations.insert(REVISION_HISTORY.to_owned(), shortened(format!("{history}{old}")));
        }
    }
    annotations
}

fn shortened(mut history: String) -> String {
    while history.len() > HISTORY_BYTES_MAX {
        let Some(comma) = history.find(',') else { break };
        history.drain(..=comma);
    }
    history
}

/// `web-7d4b9c6f8`
pub(super) fn replica_set_name(deployment: &Deployment, hash: &str) -> String {
    format!("{}-{hash}", deployment.name())
}
