//! A PodDisruptionBudget: evictions wait for it, whoever else takes pods away.

use super::{Edit, Scenario, verdict};
use crate::world::{count, is_active, is_ready};

pub(super) const EVICTED: Scenario = Scenario {
    name: "evicted",
    nodes: 3,
    start: &[
        Edit::Create(
            "/apis/policy/v1/namespaces/default/poddisruptionbudgets",
            "
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {minAvailable: 3, selector: {matchLabels: {app: web}}}
",
        ),
        Edit::Create(
            "/apis/apps/v1/namespaces/default/deployments",
            "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: one, resources: {requests: {cpu: 200m}}}]}
",
        ),
    ],
    edits: &[Edit::Evict("app=web"); 8],
    settled: |world| {
        let budget = world.named("policy/poddisruptionbudgets", "web").ok_or("no budget")?;
        let ready = world.of("pods").filter(|pod| is_active(pod) && is_ready(pod)).count();
        let healthy = count(budget, "/status/currentHealthy");
        let allowed = count(budget, "/status/disruptionsAllowed");
        let forgotten = budget.pointer("/status/disruptedPods").is_none();
        verdict(ready == 4 && healthy == 4 && allowed == 1 && forgotten, || {
            format!("{ready} pods are ready: {}", budget["status"])
        })
    },
};
