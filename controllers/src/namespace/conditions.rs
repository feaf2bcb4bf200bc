//! The conditions of a namespace that is being deleted. Types and reasons are upstream's; people and tests read them.

use super::Left;
use crate::write::time;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Namespace, NamespaceCondition};
use std::collections::BTreeMap;

/// The namespace with conditions for what is left, if they say something new.
pub(super) fn changed(namespace: &Namespace, left: &Left, now: Timestamp) -> Option<Namespace> {
    let mut changed = namespace.clone();
    let held = changed.status.get_or_insert_default().conditions.get_or_insert_default();
    for (type_, status, reason, message) in wanted(left) {
        let same = |c: &NamespaceCondition| {
            c.type_ == type_
                && c.status == status
                && c.reason.as_deref() == Some(reason)
                && c.message.as_ref() == Some(&message)
        };
        if held.iter().any(same) {
            continue;
        }
        let unmoved = held.iter().find(|c| c.type_ == type_ && c.status == status);
        let since = unmoved.and_then(|c| c.last_transition_time.clone()).unwrap_or_else(|| time(now));
        held.retain(|c| c.type_ != type_);
        held.push(NamespaceCondition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: Some(reason.to_owned()),
            message: Some(message),
            last_transition_time: Some(since),
        });
    }
    (changed.status != namespace.status).then_some(changed)
}

type Wanted = (&'static str, &'static str, &'static str, String);

fn wanted(left: &Left) -> [Wanted; 5] {
    [
        (
            "NamespaceDeletionDiscoveryFailure",
            "False",
            "ResourcesDiscovered",
            "All resources successfully discovered".to_owned(),
        ),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            "False",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed".to_owned(),
        ),
        failure(left),
        remaining(left),
        finalizers(left),
    ]
}

fn failure(left: &Left) -> Wanted {
    const TYPE: &str = "NamespaceDeletionContentFailure";
    if left.failed.is_empty() {
        let message = "All content successfully deleted, may be waiting on finalization".to_owned();
        return (TYPE, "False", "ContentDeleted", message);
    }
    let message =
        format!("Failed to delete all resource types, {} remaining: {}", left.failed.len(), left.failed.join(", "));
    (TYPE, "True", "ContentDeletionFailed", message)
}

fn remaining(left: &Left) -> Wanted {
    const TYPE: &str = "NamespaceContentRemaining";
    if left.found.is_empty() {
        return (TYPE, "False", "ContentRemoved", "All content successfully removed".to_owned());
    }
    let mut parts: Vec<String> = left
        .found
        .iter()
        .map(|(resource, rest)| {
            let group = resource.api_version.split_once('/').map_or("", |(group, _)| group);
            format!("{}.{group} has {} resource instances", resource.plural, rest.objects)
        })
        .collect();
    parts.sort();
    (TYPE, "True", "SomeResourcesRemain", format!("Some resources are remaining: {}", parts.join(", ")))
}

fn finalizers(left: &Left) -> Wanted {
    const TYPE: &str = "NamespaceFinalizersRemaining";
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for (name, count) in left.found.iter().flat_map(|(_, rest)| &rest.finalizers) {
        *counts.entry(name).or_default() += count;
    }
    if counts.is_empty() {
        return (TYPE, "False", "ContentHasNoFinalizers", "All content-preserving finalizers finished".to_owned());
    }
    let parts: Vec<String> =
        counts.iter().map(|(name, count)| format!("{name} in {count} resource instances")).collect();
    let message = format!("Some content in the namespace has finalizers remaining: {}", parts.join(", "));
    (TYPE, "True", "SomeFinalizersRemain", message)
}
