//! News of sandboxes and containers, as CRI events that carry the whole pod's status.

use super::{Container, Pods, Sandbox};
use crate::service::convert;
use crate::sys::clock::now_ns;
use proto::cri;
use std::sync::Arc;
use tokio::sync::broadcast;

impl Pods {
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<cri::ContainerEventResponse> {
        self.events.subscribe()
    }

    pub(super) fn emit(&self, container: &Arc<Container>, kind: cri::ContainerEventType) {
        let sandbox = self.sandbox(&container.record.sandbox).ok();
        self.publish(&container.record.id, sandbox.as_deref(), kind);
    }

    pub(super) fn emit_sandbox(&self, sandbox: &Sandbox, kind: cri::ContainerEventType) {
        self.publish(&sandbox.record.id, Some(sandbox), kind);
    }

    fn publish(&self, id: &str, sandbox: Option<&Sandbox>, kind: cri::ContainerEventType) {
        if self.events.receiver_count() == 0 {
            return;
        }
        let containers = sandbox.map(|s| self.containers_of(&s.record.id)).unwrap_or_default();
        let event = cri::ContainerEventResponse {
            container_id: id.to_owned(),
            container_event_type: kind as i32,
            created_at: now_ns(),
            pod_sandbox_status: sandbox.map(convert::sandbox_status),
            containers_statuses: containers.iter().map(|c| convert::container_status(c)).collect(),
        };
        // Nobody listening any more is no failure.
        drop(self.events.send(event));
    }
}
