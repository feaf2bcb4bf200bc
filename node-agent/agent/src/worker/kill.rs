//! Stops one container: the pre-stop hook, TERM, and KILL when the grace is over.

use super::outcome::Outcome;
use crate::hook;
use crate::node::Node;
use crate::pod::member::{describe, member};
use crate::pod::op::Kill;
use crate::probe::ask::Whom;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use proto::cri::StopContainerRequest;
use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};

/// k8s: after a hook that used up the grace, the container still has this long between TERM and KILL.
const AFTER_HOOK_MIN: SignedDuration = SignedDuration::from_secs(2);

pub(super) async fn run(node: Arc<Node>, pod: Arc<Pod>, kill: Kill, pod_ip: String, began: Timestamp) -> Outcome {
    let member = member(&pod, &kill.container);
    if !kill.hurry {
        node.note(&pod, member.as_ref(), "Killing", kill.message.clone());
    }
    let mut grace = kill.grace;
    let handler = member.as_ref().and_then(|m| m.spec.lifecycle.as_ref()?.pre_stop.as_ref()).filter(|_| !kill.hurry);
    if let (Some(handler), Some(member)) = (handler, &member) {
        let whom = Whom::new(&member.spec, &kill.id, &pod_ip);
        let limit = Duration::try_from(grace).unwrap_or(Duration::ZERO);
        match tokio::time::timeout(limit, hook::run(&node.cri, handler, &whom)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                node.warn(&pod, Some(member), "FailedPreStopHook", format!("PreStopHook failed: {error}"));
            }
            Err(_) => {
                node.warn(&pod, Some(member), "FailedPreStopHook", "PreStopHook did not finish in time".to_owned());
            }
        }
        grace = (grace - node.clock.now().duration_since(began)).max(AFTER_HOOK_MIN);
    }
    // Whole seconds, rounded up: a grace of 1.5 s must not become 1 s.
    let timeout = (grace.as_millis().max(0) as u64).div_ceil(1000) as i64;
    let request = StopContainerRequest { container_id: kill.id.clone(), timeout };
    match node.cri.runtime().stop_container(request).await {
        Ok(_) => info!(pod = describe(&pod), container = kill.container, id = kill.id, "container stopped"),
        Err(status) if status.code() == tonic::Code::NotFound => {}
        Err(status) => {
            warn!(
                pod = describe(&pod),
                container = kill.container,
                said = status.message(),
                "cannot stop the container"
            );
            tokio::time::sleep(super::RUNTIME_RETRY).await;
        }
    }
    Outcome::Killed
}
