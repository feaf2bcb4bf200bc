//! TaintToleration: NoSchedule and NoExecute taints keep pods away that do not tolerate them; PreferNoSchedule costs score.

use super::{ClusterEvent, Plugin, Reasons, SCORE_MAX, Score};
use crate::pod_info::PodInfo;
use crate::question::Question;
use crate::snapshot::NodeInfo;
use k8s_openapi::api::core::v1::{Taint, Toleration};

pub(super) const PLUGIN: Plugin = Plugin {
    name: "TaintToleration",
    filter: Some(filter),
    score: Some(Score { weight: 3, raw: untolerated_preferences, normalise: fewest_is_best }),
    helped_by: |event| matches!(event, ClusterEvent::NodeAdded | ClusterEvent::NodeTaintsChanged),
};

/// Whether a toleration covers a taint. An empty key with `Exists` tolerates everything; an empty effect all effects.
pub(super) fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let key = toleration.key.as_deref().unwrap_or_default();
    let effect = toleration.effect.as_deref().unwrap_or_default();
    if !effect.is_empty() && effect != taint.effect || !key.is_empty() && key != taint.key {
        return false;
    }
    match toleration.operator.as_deref() {
        Some("Exists") => true,
        None | Some("" | "Equal") => {
            !key.is_empty()
                && toleration.value.as_deref().unwrap_or_default() == taint.value.as_deref().unwrap_or_default()
        }
        Some(_) => false,
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

pub(super) fn admits(pod: &PodInfo, node: &NodeInfo) -> bool {
    forbidding(pod, node).is_none()
}

fn filter(ask: &Question<'_>, node: &NodeInfo) -> Result<(), Reasons> {
    match forbidding(ask.pod, node) {
        None => Ok(()),
        Some(taint) => {
            let value = taint.value.as_deref().unwrap_or_default();
            Err(vec![format!("node(s) had untolerated taint {{{}: {value}}}", taint.key).into()])
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
