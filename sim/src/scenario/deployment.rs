//! Deployments: that they come up, roll out whatever happens, and go.

use super::{Edit, Scenario, verdict};
use crate::world::{World, count, is_active, is_ready, text};
use serde_json::Value;

const ONE: &str = "/apis/apps/v1/namespaces/default/deployments/web";
const MANY: &str = "/apis/apps/v1/namespaces/default/deployments";

const WEB: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  revisionHistoryLimit: 2
  selector: {matchLabels: {app: web}}
  strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: one, resources: {requests: {cpu: 200m}}}]}
";

pub(super) const STEADY: Scenario =
    Scenario { name: "deployment", nodes: 2, start: &[Edit::Create(MANY, WEB)], edits: &[], settled: rolled_out };

pub(super) const ROLLOUT: Scenario = Scenario {
    name: "rollout",
    nodes: 3,
    start: &[Edit::Create(MANY, WEB)],
    edits: &[
        Edit::Patch(
            ONE,
            "spec: {template: {spec: {containers: [{name: c, image: two, resources: {requests: {cpu: 200m}}}]}}}",
        ),
        Edit::Patch(ONE, "spec: {replicas: 5}"),
        Edit::Patch(
            ONE,
            "spec: {template: {spec: {containers: [{name: c, image: three, resources: {requests: {cpu: 200m}}}]}}}",
        ),
        Edit::Patch(
            ONE,
            "spec: {template: {spec: {containers: [{name: c, image: one, resources: {requests: {cpu: 200m}}}]}}}",
        ),
    ],
    settled: rolled_out,
};

pub(super) const REMOVED: Scenario = Scenario {
    name: "removed",
    nodes: 2,
    start: &[Edit::Create(MANY, WEB)],
    edits: &[Edit::Patch(ONE, "spec: {template: {spec: {containers: [{name: c, image: two}]}}}"), Edit::Delete(ONE)],
    settled: |world| {
        let left: Vec<&str> = ["apps/deployments", "apps/replicasets", "pods"]
            .iter()
            .flat_map(|collection| world.of(collection))
            .map(|object| text(object, "/metadata/name"))
            .collect();
        verdict(left.is_empty(), || format!("{left:?} are left"))
    },
};

/// A Service before a Deployment: its slices show the pods that work.
pub(super) const SERVED: Scenario = Scenario {
    name: "served",
    nodes: 2,
    start: &[
        Edit::Create(
            "/api/v1/namespaces/default/services",
            "
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
",
        ),
        Edit::Create(MANY, WEB),
    ],
    edits: &[
        Edit::Patch(ONE, "spec: {template: {spec: {containers: [{name: c, image: two}]}}}"),
        Edit::Patch(ONE, "spec: {replicas: 1}"),
        Edit::Patch(ONE, "spec: {replicas: 4}"),
        Edit::Evict("app=web"),
    ],
    settled: |world| {
        rolled_out(world)?;
        let addresses = |value: &Value, path: &str| {
            let found = value.pointer(path).and_then(Value::as_array).cloned().unwrap_or_default();
            found.into_iter().map(|one| one["addresses"][0].as_str().unwrap_or_default().to_owned())
        };
        let mine = |slice: &&Value| text(slice, "/metadata/labels/kubernetes.io~1service-name") == "web";
        let slices = world.of("discovery.k8s.io/endpointslices").filter(mine);
        let mut served: Vec<String> = slices.flat_map(|slice| addresses(slice, "/endpoints")).collect();
        let pods = world.of("pods").filter(|pod| is_active(pod));
        let mut there: Vec<String> = pods.map(|pod| text(pod, "/status/podIP").to_owned()).collect();
        served.sort_unstable();
        there.sort_unstable();
        verdict(served == there, || format!("{served:?} are served of {there:?}"))
    },
};

const IMAGE: &str = "/spec/template/spec/containers/0/image";

pub(super) fn rolled_out(world: &World) -> Result<(), String> {
    let web = world.named("apps/deployments", "web").ok_or("no Deployment")?;
    let (wanted, image) = (count(web, "/spec/replicas"), text(web, IMAGE));
    let pods: Vec<&Value> = world.of("pods").filter(|pod| is_active(pod)).collect();
    let images: Vec<&str> = pods.iter().map(|pod| text(pod, "/spec/containers/0/image")).collect();
    let sets = world.of("apps/replicasets").count();
    let is_right = images == vec![image; wanted as usize]
        && pods.iter().all(|pod| is_ready(pod))
        && sets <= 3
        && count(web, "/status/availableReplicas") == wanted
        && count(web, "/status/updatedReplicas") == wanted
        && count(web, "/status/replicas") == wanted
        && web.pointer("/status/observedGeneration") == web.pointer("/metadata/generation");
    verdict(is_right, || format!("{images:?} in {sets} ReplicaSets, {wanted} of {image} wanted: {}", web["status"]))
}
