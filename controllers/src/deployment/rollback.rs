//! A Deployment that asks for it (`drover.dev/auto-rollback`) goes back by itself when a rollout misses its deadline: to the newest
//! revision that was complete once. A revision that was complete itself is never left this way, so that there is no to and fro.

use super::plan::{Member, Plan};
use super::revision::{self, POD_TEMPLATE_HASH};
use super::status;
use crate::write;
use client::action::Action;
use client::cache::Tracked as _;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use kinds::opt_in::{self, AUTO_ROLLBACK, COMPLETED};

fn is_wished(deployment: &Deployment) -> bool {
    let annotations = deployment.metadata.annotations.as_ref();
    opt_in::switch(annotations.and_then(|all| all.get(AUTO_ROLLBACK)).map(String::as_str)) == Some(true)
}

fn was_complete(rs: &ReplicaSet) -> bool {
    opt_in::switch(revision::annotation(rs, COMPLETED)) == Some(true)
}

/// Remembers of the revision that is complete now that it was, to come back to it.
pub(super) fn remember(plan: &mut Plan<'_>) {
    let Some(at) = plan.new.filter(|_| is_wished(plan.deployment)) else { return };
    if !was_complete(&plan.members[at].seen) {
        plan.members[at].set_annotation(COMPLETED, "true".to_owned());
    }
}

/// What goes back, if the rollout of the current template has missed its deadline; instead of everything else.
pub(super) fn back(plan: &Plan<'_>) -> Option<Vec<Action>> {
    let failed = &plan.new_member()?.seen;
    if !is_wished(plan.deployment)
        || plan.paused()
        || was_complete(failed)
        || !status::has_timed_out(plan.deployment, failed)
    {
        return None;
    }
    let complete = plan.old().into_iter().map(|at| &plan.members[at]).filter(|member| was_complete(&member.seen));
    let target: &Member = complete.max_by_key(|member| revision::revision(&member.seen))?;
    let mut changed = plan.deployment.clone();
    changed.spec.template = without_hash(target.seen.spec.template.clone()?);
    let message = format!(
        "Revision {} ({}) was not complete within its deadline; went back to revision {} ({})",
        revision::revision(failed),
        failed.name(),
        revision::revision(&target.seen),
        target.seen.name()
    );
    Some(vec![write::update(&changed, ""), write::event(plan.deployment, "Warning", "RolledBack", message)])
}

fn without_hash(mut template: PodTemplateSpec) -> PodTemplateSpec {
    if let Some(labels) = template.metadata.as_mut().and_then(|meta| meta.labels.as_mut()) {
        labels.remove(POD_TEMPLATE_HASH);
    }
    template
}
