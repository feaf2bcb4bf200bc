//! `spec.successPolicy`: which succeeded indexes are enough.

use super::indexes::Indexes;
use k8s_openapi::api::batch::v1::SuccessPolicy;

/// The message of the first rule that is met (k8s: matchSuccessPolicy).
pub(super) fn met(policy: Option<&SuccessPolicy>, completions: i32, succeeded: &Indexes) -> Option<String> {
    let rules = policy?.rules.iter().enumerate();
    let mut met = rules.filter(|(_, rule)| match (&rule.succeeded_indexes, rule.succeeded_count) {
        (Some(text), count) => {
            let required = Indexes::parse(text, completions);
            succeeded.common(&required) >= count.unwrap_or_else(|| required.len())
        }
        (None, Some(count)) => succeeded.len() >= count,
        (None, None) => false,
    });
    met.next().map(|(at, _)| format!("Matched rules at index {at}"))
}
