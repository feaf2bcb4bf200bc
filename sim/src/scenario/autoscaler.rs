//! A HorizontalPodAutoscaler: as many pods as the load asks for, within its limits.

use super::{Edit, Scenario, verdict};
use crate::world::{count, is_active, is_ready};

const LOAD: &str = "/api/v1/namespaces/default/configmaps/load";
const ONE: &str = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/web";

pub(super) const SCALED: Scenario = Scenario {
    name: "scaled",
    nodes: 2,
    start: &[
        Edit::Create(
            "/api/v1/namespaces/default/configmaps",
            "
apiVersion: v1
kind: ConfigMap
metadata: {name: load}
data: {cpu: 450m}
",
        ),
        Edit::Create(
            "/apis/apps/v1/namespaces/default/deployments",
            "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: one, resources: {requests: {cpu: 200m}}}]}
",
        ),
        Edit::Create(
            "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers",
            "
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 2
  maxReplicas: 8
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}]
",
        ),
    ],
    edits: &[
        Edit::Patch(LOAD, "data: {cpu: 750m}"),
        Edit::Patch(
            "/apis/apps/v1/namespaces/default/deployments/web",
            "spec: {template: {spec: {containers: [{name: c, image: two, resources: {requests: {cpu: 200m}}}]}}}",
        ),
        Edit::Patch(ONE, "spec: {maxReplicas: 6}"),
        Edit::Patch(LOAD, "data: {cpu: 50m}"),
        Edit::Patch(LOAD, "data: {cpu: 350m}"),
    ],
    // 350m of load at 100m a pod.
    settled: |world| {
        let (web, scaler) =
            world.named("apps/deployments", "web").zip(world.named(SCALERS, "web")).ok_or("no objects")?;
        let ready = world.of("pods").filter(|pod| is_active(pod) && is_ready(pod)).count();
        let (wanted, said) = (count(web, "/spec/replicas"), count(scaler, "/status/desiredReplicas"));
        verdict(ready == 4 && wanted == 4 && said == 4, || format!("{ready} of {wanted} pods: {}", scaler["status"]))
    },
};

const SCALERS: &str = "autoscaling/horizontalpodautoscalers";
