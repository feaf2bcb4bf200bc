//! ControllerRevisions: the history of a workload's template, shared by StatefulSet and DaemonSet.
//! k8s: pkg/controller/history

use crate::write::{self, Object, safe_hash};
use client::action::{Action, PatchKind};
use client::cache::Tracked as _;
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Ties a pod to the revision of its template.
pub(crate) const REVISION_HASH: &str = "controller-revision-hash";
/// A name is its owner's, cut to leave room for the hash (k8s: ControllerRevisionName).
const OWNER_NAME_MAX: usize = 223;

/// Oldest first; of one revision number the one made first.
pub(crate) fn sort(revisions: &mut [Arc<ControllerRevision>]) {
    let key = |one: &ControllerRevision| {
        (number(one), one.metadata.creation_timestamp.as_ref().map(|time| time.0), one.metadata.name.clone())
    };
    revisions.sort_by_key(|one| key(one));
}

pub(crate) fn number(revision: &ControllerRevision) -> i64 {
    revision.revision.unwrap_or(0)
}

/// What a revision keeps: a patch that puts the template back (what `kubectl rollout undo` sends).
pub(crate) fn data(template: &PodTemplateSpec) -> Value {
    let mut template = serde_json::to_value(template).expect("a template can always be written");
    template["$patch"] = json!("replace");
    json!({"spec": {"template": template}})
}

pub(crate) fn holds(revision: &ControllerRevision, data: &Value) -> bool {
    revision.data.0 == *data
}

/// The template that a revision kept; `None` if it holds something else.
pub(crate) fn template(revision: &ControllerRevision) -> Option<PodTemplateSpec> {
    let mut template = revision.data.0.pointer("/spec/template")?.clone();
    template.as_object_mut()?.remove("$patch");
    serde_json::from_value(template).ok()
}

/// Of what was kept and how often its hash collided; its letters spell nothing.
pub(crate) fn hash(data: &Value, collisions: Option<i32>) -> String {
    let mut bytes = serde_json::to_vec(data).expect("a JSON tree can always be written");
    bytes.extend(collisions.into_iter().flat_map(i32::to_le_bytes));
    safe_hash(bytes)
}

pub(crate) fn name<O: Object>(owner: &O, hash: &str) -> String {
    let prefix: String = owner.name().chars().take(OWNER_NAME_MAX).collect();
    format!("{prefix}-{hash}")
}

/// A revision to be created.
pub(crate) fn new<O: Object>(
    owner: &O,
    template: &PodTemplateSpec,
    (hash_label, hash): (&str, &str),
    data: Value,
    number: i64,
) -> ControllerRevision {
    let mut labels: BTreeMap<String, String> =
        template.metadata.as_ref().and_then(|meta| meta.labels.clone()).unwrap_or_default();
    labels.insert(hash_label.to_owned(), hash.to_owned());
    ControllerRevision {
        metadata: ObjectMeta {
            name: Some(name(owner, hash)),
            namespace: Some(owner.ns().to_owned()),
            labels: Some(labels),
            annotations: owner.metadata().annotations.clone(),
            owner_references: Some(vec![write::controller_reference(owner)]),
            ..ObjectMeta::default()
        },
        data: RawExtension(data),
        revision: Some(number),
    }
}

/// Gives an old revision whose template is wanted again the newest number.
pub(crate) fn renumber(revision: &ControllerRevision, number: i64) -> Action {
    write::patch(revision, "", PatchKind::Merge, json!({"metadata": {"uid": revision.uid()}, "revision": number}))
}

/// Deletes the oldest of the revisions that nothing uses, beyond the history that is to be kept.
pub(crate) fn truncate(
    revisions: &[Arc<ControllerRevision>],
    used: &BTreeSet<String>,
    limit: Option<i32>,
) -> Vec<Action> {
    let limit = usize::try_from(limit.unwrap_or(10)).unwrap_or(0);
    let idle: Vec<_> = revisions.iter().filter(|one| !used.contains(one.name()) && !one.deleting()).collect();
    let surplus = idle.len().saturating_sub(limit);
    idle.into_iter().take(surplus).map(|one| write::delete(one.as_ref())).collect()
}
