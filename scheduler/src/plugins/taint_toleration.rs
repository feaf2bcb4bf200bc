//! TaintToleration: NoSchedule and NoExecute taints keep pods away that do not tolerate them; PreferNoSchedule costs score.

use super::{ClusterEvent, Plugin, Rejection, SCORE_MAX, Score};
use crate::pod_info::PodInfo;
use crate::question::Question;
use crate::snapshot::NodeInfo;
use k8s_openapi::api::core::v1::Taint;
use kinds::placement::tolerates;

pub(super) const PLUGIN: Plugin = Plugin {
    filter: Some(filter),
    score: Some(Score { weight: 3, raw: untolerated_preferences, normalise: Some(fewest_is_best) }),
    ..Plugin::new("TaintToleration", helped_by)
};

fn helped_by(event: &ClusterEvent, pod: &PodInfo) -> bool {
    match event {
        ClusterEvent::NodeAdded(node) | ClusterEvent::NodeTaintsChanged(node) => forbidding(pod, node).is_none(),
        _ => false,
    }
}

fn untolerated<'a>(pod: &'a PodInfo, node: &'a NodeInfo, effects: &'a [&str]) -> impl Iterator<Item = &'a Taint> {
    node.taints().iter().filter(move |taint| {
        effects.contains(&taint.effect.as_str())
            && !pod.tolerations().iter().any(|toleration| tolerates(toleration, taint))
    })
}

/// The taint that keeps the pod off the node.
fn forbidding<'a>(pod: &'a PodInfo, node: &'a NodeInfo) -> Option<&'a Taint> {
    untolerated(pod, node, &["NoSchedule", "NoExecute"]).next()
}

fn filter(ask: &Question<'_>, node: &NodeInfo) -> Result<(), Rejection> {
    match forbidding(ask.pod, node) {
        None => Ok(()),
        Some(taint) => {
            let value = taint.value.as_deref().unwrap_or_default();
            Err(Rejection::lasting(format!("node(s) had untolerated taint {{{}: {value}}}", taint.key)))
        }
    }
}

fn untolerated_preferences(ask: &Question<'_>, node: &NodeInfo) -> i64 {
    let pod = ask.pod;
    untolerated(pod, node, &["PreferNoSchedule"]).count() as i64
}

fn fewest_is_best(scores: &mut [i64]) {
    let most = scores.iter().copied().max().unwrap_or(0);
    scores
        .iter_mut()
        .for_each(|score| *score = if most == 0 { SCORE_MAX } else { SCORE_MAX - *score * SCORE_MAX / most });
}
