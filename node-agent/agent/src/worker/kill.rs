//! Stops one container: the pre-stop hook, TERM, and KILL when the grace is over.

use super::outcome::Outcome;
use crate::hook;
use crate::node::Node;
use crate::pod::member::{describe, member};
use crate::pod::op::{Hook, Kill};
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
    let hooked = kill.hook == Hook::Runs && !kill.hurry;
    let handler = member.as_ref().and_then(|m| m.spec.lifecycle.as_ref()?.pre_stop.as_ref()).filter(|_| hooked);
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
        grace = grace.saturating_sub(node.clock.now().duration_since(began)).max(AFTER_HOOK_MIN);
    }
    let request = StopContainerRequest { container_id: kill.id.clone(), timeout: whole_seconds(grace) };
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

/// Rounded up: a grace of 1.5 s must not become 1 s.
fn whole_seconds(grace: SignedDuration) -> i64 {
    let seconds = grace.max(SignedDuration::ZERO);
    seconds.as_secs().saturating_add(i64::from(seconds.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grace_is_told_in_whole_seconds_that_are_no_shorter() {
        for (millis, seconds) in [(0, 0), (-5, 0), (1, 1), (1000, 1), (1500, 2)] {
            assert_eq!(whole_seconds(SignedDuration::from_millis(millis)), seconds, "{millis} ms");
        }
        assert_eq!(whole_seconds(SignedDuration::MAX), i64::MAX);
    }
}
