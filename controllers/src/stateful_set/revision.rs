//! Which template pods are made from: the current one, that all pods ran last, and the updated one, that the set asks for.

use super::Seen;
use crate::history::{self, REVISION_HASH};
use crate::write;
use client::action::Action;
use client::cache::Tracked as _;
use k8s_openapi::api::apps::v1::{ControllerRevision, StatefulSet};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use std::collections::BTreeSet;

/// k8s: history.ControllerRevisionHashLabel
const HASH_LABEL: &str = "controller.kubernetes.io/hash";

/// A revision's name and what it keeps.
#[derive(Clone)]
pub(super) struct Template {
    pub(super) name: String,
    pub(super) template: PodTemplateSpec,
}

pub(super) struct Revisions {
    pub(super) current: Template,
    pub(super) update: Template,
    pub(super) actions: Vec<Action>,
}

/// Another template hashes to the name of the one that is asked for.
pub(super) struct Collision;

fn collisions(set: &StatefulSet) -> Option<i32> {
    set.status.as_ref().and_then(|status| status.collision_count)
}

fn hash(set: &StatefulSet) -> String {
    history::hash(&history::data(&set.spec.template), collisions(set))
}

/// The name that a revision of the set's template would get.
pub(super) fn wanted_name(set: &StatefulSet) -> String {
    history::name(set, &hash(set))
}

pub(super) fn runs(revision: &ControllerRevision, set: &StatefulSet) -> bool {
    history::holds(revision, &history::data(&set.spec.template))
}

/// k8s: getStatefulSetRevisions
pub(super) fn settle(seen: &Seen) -> Result<Revisions, Collision> {
    let set = seen.set.as_ref();
    let next = seen.revisions.last().map_or(1, |last| history::number(last) + 1);
    let template = set.spec.template.clone();
    let mut actions = Vec::new();
    let name = match seen.revisions.iter().rev().find(|one| runs(one, set)) {
        Some(held) => {
            let is_newest = seen.revisions.last().is_some_and(|last| last.uid() == held.uid());
            if !is_newest {
                actions.push(history::renumber(held, next));
            }
            held.name().to_owned()
        }
        None if seen.name_taken => return Err(Collision),
        None => {
            let data = history::data(&template);
            let made = history::new(set, &template, (HASH_LABEL, &hash(set)), data, next);
            actions.push(write::create(&made));
            made.name().to_owned()
        }
    };
    let update = Template { name, template };
    let current = current(seen).unwrap_or_else(|| update.clone());
    Ok(Revisions { current, update, actions })
}

fn current(seen: &Seen) -> Option<Template> {
    let name = seen.set.status.as_ref()?.current_revision.as_deref()?;
    let held = seen.revisions.iter().find(|one| one.name() == name)?;
    Some(Template { name: name.to_owned(), template: history::template(held)? })
}

/// The set with one more collision counted, which changes the hash.
pub(super) fn with_collision(set: &StatefulSet) -> StatefulSet {
    let mut changed = set.clone();
    let status = changed.status.get_or_insert_default();
    status.collision_count = Some(status.collision_count.unwrap_or(0) + 1);
    changed
}

pub(super) fn truncate(seen: &Seen, revisions: &Revisions) -> Vec<Action> {
    let named = seen.pods.iter().filter_map(|pod| pod.metadata.labels.as_ref()?.get(REVISION_HASH).cloned());
    let mut used: BTreeSet<String> = named.collect();
    used.extend([revisions.current.name.clone(), revisions.update.name.clone()]);
    history::truncate(&seen.revisions, &used, seen.set.spec.revision_history_limit)
}
