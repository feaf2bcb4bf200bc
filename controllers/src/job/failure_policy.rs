//! `spec.podFailurePolicy`: what a failed pod means, by its exit codes and conditions.

use client::cache::Tracked as _;
use k8s_openapi::api::batch::v1::{JobSpec, PodFailurePolicyOnExitCodesRequirement, PodFailurePolicyRule};
use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod, PodCondition};

/// What the first rule that matches says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Counted towards the limit; also where no rule matches.
    Count,
    /// As if it had not failed.
    Ignore,
    FailIndex,
    FailJob(String),
}

impl Verdict {
    pub(super) fn counts(&self) -> bool {
        *self != Self::Ignore
    }
}

/// k8s: matchPodFailurePolicy
pub(super) fn judge(spec: &JobSpec, pod: &Pod) -> Verdict {
    let rules = spec.pod_failure_policy.iter().flat_map(|policy| &policy.rules);
    let mut matching = rules.enumerate().filter_map(|(at, rule)| Some((at, rule, matched(rule, pod)?)));
    let Some((at, rule, what)) = matching.next() else { return Verdict::Count };
    match rule.action.as_str() {
        "Ignore" => Verdict::Ignore,
        "FailIndex" if spec.backoff_limit_per_index.is_some() => Verdict::FailIndex,
        "FailJob" => Verdict::FailJob(format!("{what} matching {} rule at index {at}", rule.action)),
        _ => Verdict::Count,
    }
}

/// What of the pod matches the rule, in upstream's words.
fn matched(rule: &PodFailurePolicyRule, pod: &Pod) -> Option<String> {
    let (ns, name) = (pod.ns(), pod.name());
    if let Some(codes) = &rule.on_exit_codes {
        let (container, ended) = ended(pod).find(|(container, ended)| exit_code_matches(codes, container, ended))?;
        return Some(format!("Container {container} for pod {ns}/{name} failed with exit code {}", ended.exit_code));
    }
    let patterns = rule.on_pod_conditions.as_deref()?;
    let holds = |condition: &&PodCondition| {
        patterns.iter().any(|pattern| {
            pattern.type_ == condition.type_ && pattern.status.as_deref().unwrap_or("True") == condition.status
        })
    };
    let condition = pod.status.as_ref()?.conditions.iter().flatten().find(holds)?;
    Some(format!("Pod {ns}/{name} has condition {}", condition.type_))
}

fn ended(pod: &Pod) -> impl Iterator<Item = (&str, &ContainerStateTerminated)> {
    let statuses = pod.status.iter().flat_map(|status| {
        status.container_statuses.iter().flatten().chain(status.init_container_statuses.iter().flatten())
    });
    statuses.filter_map(|status| Some((status.name.as_str(), status.state.as_ref()?.terminated.as_ref()?)))
}

fn exit_code_matches(
    codes: &PodFailurePolicyOnExitCodesRequirement,
    container: &str,
    ended: &ContainerStateTerminated,
) -> bool {
    let named = codes.container_name.as_deref().is_none_or(|name| name == container);
    let listed = codes.values.contains(&ended.exit_code);
    let matches = match codes.operator.as_str() {
        "In" => listed,
        "NotIn" => !listed,
        _ => false,
    };
    named && ended.exit_code != 0 && matches
}
