//! What makes a pod the n-th of its set: name, host name, labels, volumes.

use super::claims;
use super::revision::Template;
use crate::history::REVISION_HASH;
use crate::pod_template;
use crate::write;
use client::action::{Action, PatchKind};
use client::cache::Tracked as _;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use serde_json::json;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

const POD_NAME: &str = "statefulset.kubernetes.io/pod-name";
const POD_INDEX: &str = "apps.kubernetes.io/pod-index";

/// Pods that one pass of a parallel set makes; each that appears leads to the next pass. As a ReplicaSet's.
const BURST_MAX: usize = 500;

/// The n of `web-n`, if that is how this set names its pods.
pub(super) fn ordinal(set: &StatefulSet, pod_name: &str) -> Option<i32> {
    let digits = pod_name.strip_prefix(set.name())?.strip_prefix('-')?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| plain)
}

pub(super) fn pod_name(set: &StatefulSet, ordinal: i32) -> String {
    format!("{}-{ordinal}", set.name())
}

pub(super) fn first_ordinal(set: &StatefulSet) -> i32 {
    set.spec.ordinals.as_ref().and_then(|ordinals| ordinals.start).unwrap_or(0)
}

pub(super) fn replicas(set: &StatefulSet) -> i32 {
    set.spec.replicas.unwrap_or(1).max(0)
}

/// The ordinals of which the set wants a pod: a range that is walked no further than there is something to do.
pub(super) fn wanted(set: &StatefulSet) -> Range<i32> {
    let first = first_ordinal(set);
    first..first.saturating_add(replicas(set))
}

/// The wanted ordinals that one pass looks at, in order: all that have a pod, and the first that lack one.
pub(super) fn places(set: &StatefulSet, pods: &BTreeMap<i32, Arc<Pod>>) -> Vec<i32> {
    let lacking = wanted(set).filter(|ordinal| !pods.contains_key(ordinal)).take(BURST_MAX);
    let mut places: Vec<i32> = pods.range(wanted(set)).map(|(ordinal, _)| *ordinal).chain(lacking).collect();
    places.sort_unstable();
    places
}

/// The n-th pod by a revision's template.
pub(super) fn new_pod(set: &StatefulSet, ordinal: i32, revision: &Template) -> Pod {
    let mut pod = pod_template::pod(set, &revision.template, &format!("{}-", set.name()), &[]);
    let name = pod_name(set, ordinal);
    let labels = pod.metadata.labels.get_or_insert_default();
    labels.insert(POD_NAME.to_owned(), name.clone());
    labels.insert(POD_INDEX.to_owned(), ordinal.to_string());
    labels.insert(REVISION_HASH.to_owned(), revision.name.clone());
    let spec = pod.spec.get_or_insert_default();
    spec.hostname = Some(name.clone());
    spec.subdomain = set.spec.service_name.clone().filter(|name| !name.is_empty());
    claims::into_volumes(set, ordinal, spec);
    pod.metadata.name = Some(name);
    pod
}

/// Puts back the labels that make the pod the n-th, if somebody took them.
pub(super) fn mend(pod: &Pod, ordinal: i32) -> Option<Action> {
    let wanted = [(POD_NAME, pod.name().to_owned()), (POD_INDEX, ordinal.to_string())];
    let labels = pod.metadata.labels.as_ref();
    if wanted.iter().all(|(label, value)| labels.and_then(|labels| labels.get(*label)) == Some(value)) {
        return None;
    }
    let [(name, name_value), (index, index_value)] = wanted;
    let body = json!({"metadata": {"uid": pod.uid(), "labels": {(name): name_value, (index): index_value}}});
    Some(write::patch(pod, "", PatchKind::Strategic, body))
}
