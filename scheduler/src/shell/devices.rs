//! What the shell does about claims on devices beside the decision.

use super::{Ended, Shell};
use crate::bind;
use crate::cycle::Refusal;
use crate::devices::{ClaimNews, ClaimWrite, Wanted};
use crate::plugins::{ClusterEvent, dynamic_resources};
use crate::pod_info::PodInfo;
use client::cache::Change;
use k8s_openapi::api::resource::v1::ResourceClaim;
use std::sync::Arc;
use tracing::debug;

impl Shell {
    pub(super) fn device_claim_changed(&mut self, change: Change<ResourceClaim>) {
        let key = format!("{}/{}", change.key.ns, change.key.name);
        let now = self.deps.clock.now();
        if self.cluster.devices().set_claim(&key, change.new) == ClaimNews::Freed {
            self.queue.on_event(&ClusterEvent::DevicesFreed, now);
        }
        self.queue.on_event(&ClusterEvent::DeviceClaimChanged(key), now);
    }

    /// What was promised of these claims has been written, as far as it ever will be.
    pub(super) fn claims_ended(&mut self, promised: &[ClaimWrite], written: Vec<ResourceClaim>) {
        let is_short = written.len() < promised.len();
        self.cluster.devices().kept(promised, written);
        if is_short {
            self.queue.on_event(&ClusterEvent::DevicesFreed, self.deps.clock.now());
        }
    }

    pub(super) fn devices_changed(&mut self) {
        self.queue.on_event(&ClusterEvent::DevicesChanged, self.deps.clock.now());
    }

    /// A pod may be refused because its claim has devices where the pod cannot be. Where nobody uses the claim, it is better
    /// off without them.
    pub(super) fn free_idle_claim(&mut self, pod: &Arc<PodInfo>, refusal: &Refusal) {
        if pod.device_claims.is_empty() || !refusal.plugins.contains(dynamic_resources::NAME) {
            return;
        }
        let snapshot = self.cluster.snapshot();
        let idle = Wanted::new(pod, &snapshot.devices).idle(snapshot.nodes.iter().map(AsRef::as_ref));
        if idle.is_empty() {
            return;
        }
        let claim = Arc::clone(&idle[rand::random_range(0..idle.len())]);
        let client = self.deps.client.clone();
        self.writes.spawn(async move {
            if let Err(error) = bind::deallocate(client, &claim).await {
                debug!(%error, "cannot take its devices from a claim that nobody uses");
            }
            Ended::Written
        });
    }
}
