//! Resizes in place: of a container and its pod's cgroup in the runtime, and what is told of them in events.

use super::Worker;
use super::outcome::Outcome;
use crate::node::Node;
use crate::pod::member::{Member, Role, describe, member, members, uid};
use crate::pod::{cgroup, resize};
use crate::quantity;
use k8s_openapi::api::core::v1::{Pod, ResourceRequirements};
use proto::cri::{
    ContainerStatsRequest, LinuxContainerResources, UpdateContainerResourcesRequest, UpdatePodSandboxResourcesRequest,
};
use serde_json::json;
use std::sync::Arc;
use tracing::{debug, info};

/// How far the resize that the spec asks for has come, as it was last told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    #[default]
    Idle,
    Held {
        reason: &'static str,
        message: String,
    },
    UnderWay,
}

impl Worker {
    /// Whether the node has the resources that the spec asks for now.
    pub(super) fn judge_resize(&mut self) {
        let asked = resize::is_asked_for(&self.pod, &self.seen);
        // Before a container is there nothing differs from the spec but what the node has promised.
        let comes = resize::is_yet_to_come(&self.pod, &self.seen) && self.node.ledger.grows(&self.pod);
        self.seen.resize_hold = if asked || comes {
            self.node.ledger.resize(&self.node, &self.pod, &self.granted.0)
        } else {
            self.node.ledger.settle(&self.node, &self.pod);
            None
        };
        self.seen.promised = self.seen.resize_hold.as_ref().and_then(|_| self.node.ledger.promised(uid(&self.pod)));
        let stage = match &self.seen.resize_hold {
            Some(hold) => Stage::Held { reason: hold.reason, message: hold.message.clone() },
            None if asked => Stage::UnderWay,
            None => Stage::Idle,
        };
        let before = std::mem::replace(&mut self.resize_stage, stage);
        if before != self.resize_stage {
            self.tell_stage(&before);
        }
    }

    /// k8s: the reasons are those of upstream's node agent, which others wait for.
    fn tell_stage(&self, before: &Stage) {
        match &self.resize_stage {
            Stage::Held { reason, message } => {
                let event = if *reason == "Infeasible" { "ResizeInfeasible" } else { "ResizeDeferred" };
                self.node.warn(&self.pod, None, event, format!("Pod resize {reason}: {message}"));
            }
            Stage::UnderWay => {
                let told = format!("Pod resize started: {}", asked(&self.pod));
                self.node.note(&self.pod, None, "ResizeStarted", told);
            }
            Stage::Idle if *before == Stage::UnderWay => {
                let told = format!("Pod resize completed: {}", asked(&self.pod));
                self.node.note(&self.pod, None, "ResizeCompleted", told);
            }
            Stage::Idle => {}
        }
    }
}

fn asked(pod: &Pod) -> String {
    let all = members(pod);
    let resizable = all.iter().filter(|m| matches!(m.role, Role::App | Role::Sidecar));
    let containers: Vec<_> = resizable
        .map(|m| json!({"name": m.name(), "resources": m.spec.resources.clone().unwrap_or_default()}))
        .collect();
    json!({"containers": containers, "generation": pod.metadata.generation}).to_string()
}

/// `before` is the pod with the resources that are in force now; `ids` are the container's and the sandbox's.
pub(super) async fn container(
    node: Arc<Node>,
    pod: Arc<Pod>,
    before: Arc<Pod>,
    container: String,
    (id, sandbox): (String, String),
) -> Outcome {
    let Some(wanted) = member(&pod, &container) else {
        return Outcome::Resized { container, result: Err("the container is gone from the spec".to_owned()) };
    };
    let result = async {
        let old = member(&before, &container);
        has_room(&node, &wanted, old.as_ref(), &id).await?;
        // The pod's own limits first, wide enough for before and after, so that they do not hold back the container's.
        let after = cgroup::pod(&pod);
        resize_pod(&node, &sandbox, cgroup::widest(&cgroup::pod(&before), &after)).await?;
        let limits = cgroup::container(&pod, &wanted.spec, &node.size);
        let request =
            UpdateContainerResourcesRequest { container_id: id.clone(), linux: Some(limits), ..Default::default() };
        let updated = node.cri.runtime().update_container_resources(request).await;
        updated.map_err(|status| status.message().to_owned())?;
        info!(pod = describe(&pod), container, "container resized");
        // Other containers of the pod may still be larger than this; the last one that shrinks makes it fit.
        if let Err(said) = resize_pod(&node, &sandbox, after).await {
            debug!(pod = describe(&pod), said, "the pod's own limits stay wider for now");
        }
        Ok(())
    };
    let result = result.await.map(|()| (id.clone(), wanted.spec.resources.clone().unwrap_or_default()));
    if let Err(said) = &result {
        node.warn(&pod, Some(&wanted), "ResizeError", format!("Error resizing pod: {said}"));
    }
    Outcome::Resized { container, result }
}

/// The kernel would kill a container whose limit falls below what it uses; that is the user's to free first.
/// k8s: validateMemoryResizeAction
async fn has_room(node: &Node, wanted: &Member<'_>, old: Option<&Member<'_>>, id: &str) -> Result<(), String> {
    let limit = |resources: Option<&ResourceRequirements>| {
        resources.and_then(|r| r.limits.as_ref()?.get("memory")).map(quantity::whole)
    };
    let Some(new) = limit(wanted.spec.resources.as_ref()) else { return Ok(()) };
    if limit(old.and_then(|m| m.spec.resources.as_ref())).is_some_and(|old| old <= new) {
        return Ok(());
    }
    let request = ContainerStatsRequest { container_id: id.to_owned() };
    let answer = node.cri.runtime().container_stats(request).await.map_err(|status| status.message().to_owned())?;
    let used = answer.into_inner().stats.and_then(|stats| stats.memory?.usage_bytes).map_or(0, |bytes| bytes.value);
    if used >= u64::try_from(new).unwrap_or(0) {
        let name = wanted.name();
        return Err(format!(
            "attempting to set container \"{name}\" memory limit ({new}) below current usage ({used})"
        ));
    }
    Ok(())
}

async fn resize_pod(node: &Node, sandbox: &str, limits: LinuxContainerResources) -> Result<(), String> {
    let request = UpdatePodSandboxResourcesRequest {
        pod_sandbox_id: sandbox.to_owned(),
        resources: Some(limits),
        overhead: None,
    };
    match node.cri.runtime().update_pod_sandbox_resources(request).await {
        Err(status) if status.code() != tonic::Code::Unimplemented => Err(status.message().to_owned()),
        Ok(_) | Err(_) => Ok(()),
    }
}
