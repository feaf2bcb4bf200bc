//! The history of a DaemonSet's template. A pod bears the hash of its template, not the revision's name.

use super::{Seen, rolling};
use crate::history::{self, REVISION_HASH};
use crate::write;
use client::action::{Action, PatchKind};
use client::cache::Tracked as _;
use k8s_openapi::api::apps::v1::{ControllerRevision, DaemonSet};
use k8s_openapi::api::core::v1::Pod;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The hash of the current template, and what makes the history show it.
pub(super) struct Current {
    pub(super) hash: String,
    pub(super) actions: Vec<Action>,
}

/// Another template hashes to the name of the one that is asked for.
pub(super) struct Collision;

fn hash(set: &DaemonSet) -> String {
    let collisions = set.status.as_ref().and_then(|status| status.collision_count);
    history::hash(&history::data(&set.spec.template), collisions)
}

/// The name that a revision of the set's template would get.
pub(super) fn wanted_name(set: &DaemonSet) -> String {
    history::name(set, &hash(set))
}

pub(super) fn runs(revision: &ControllerRevision, set: &DaemonSet) -> bool {
    history::holds(revision, &history::data(&set.spec.template))
}

fn label(revision: &ControllerRevision) -> Option<&String> {
    revision.metadata.labels.as_ref()?.get(REVISION_HASH)
}

/// Of several revisions of the current template the newest stays; pods of the others are told to be of that one, so that
/// none is restarted for it (k8s: dedupCurHistories).
pub(super) fn unite(seen: &Seen) -> Vec<Action> {
    let mut equal: Vec<_> = seen.revisions.iter().filter(|one| runs(one, &seen.set) && !one.deleting()).collect();
    let Some((kept, hash)) = equal.pop().and_then(|kept| Some((kept, label(kept)?))) else { return Vec::new() };
    let mut actions = Vec::new();
    for other in equal {
        let of_other = |pod: &&Arc<Pod>| label(other).is_some_and(|held| held != hash && rolling::runs(pod, held));
        let body = |pod: &Pod| json!({"metadata": {"uid": pod.uid(), "labels": {(REVISION_HASH): hash}}});
        let pods = seen.pods.iter().filter(of_other);
        actions.extend(pods.map(|pod| write::patch(pod.as_ref(), "", PatchKind::Merge, body(pod))));
        if other.name() != kept.name() {
            actions.push(write::delete(other.as_ref()));
        }
    }
    actions
}

/// k8s: constructHistory
pub(super) fn settle(seen: &Seen) -> Result<Current, Collision> {
    let set = seen.set.as_ref();
    let newest_old =
        seen.revisions.iter().filter(|one| !runs(one, set)).map(|one| history::number(one)).max().unwrap_or(0);
    let held = seen.revisions.iter().rev().find(|one| runs(one, set));
    match held.and_then(|held| Some((held, label(held)?.clone()))) {
        Some((held, hash)) => {
            let is_newest = history::number(held) > newest_old;
            let actions = if is_newest { Vec::new() } else { vec![history::renumber(held, newest_old + 1)] };
            Ok(Current { hash, actions })
        }
        None if seen.name_taken => Err(Collision),
        None => {
            let hash = hash(set);
            let data = history::data(&set.spec.template);
            let made = history::new(set, &set.spec.template, (REVISION_HASH, &hash), data, newest_old + 1);
            Ok(Current { hash, actions: vec![write::create(&made)] })
        }
    }
}

/// The set with one more collision counted, which changes the hash.
pub(super) fn with_collision(set: &DaemonSet) -> DaemonSet {
    let mut changed = set.clone();
    let status = changed.status.get_or_insert_default();
    status.collision_count = Some(status.collision_count.unwrap_or(0) + 1);
    changed
}

/// Keeps the revisions that pods run, the current one, and of the others as many as the limit says.
pub(super) fn truncate(seen: &Seen) -> Vec<Action> {
    let hashes: BTreeSet<&String> =
        seen.pods.iter().filter_map(|pod| pod.metadata.labels.as_ref()?.get(REVISION_HASH)).collect();
    let used = seen
        .revisions
        .iter()
        .filter(|one| runs(one, &seen.set) || label(one).is_some_and(|hash| hashes.contains(hash)));
    let used = used.map(|one| one.name().to_owned()).collect();
    history::truncate(&seen.revisions, &used, seen.set.spec.revision_history_limit)
}
