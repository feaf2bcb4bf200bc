//! A ResourceQuota: no pod too many, and all of them once there is room.

use super::{Edit, Scenario, verdict};
use crate::world::{count, is_active, is_ready};

const QUOTA: &str = "/api/v1/namespaces/default/resourcequotas/pods";

pub(super) const LIMITED: Scenario = Scenario {
    name: "quota",
    nodes: 2,
    start: &[
        Edit::Create(
            "/api/v1/namespaces/default/resourcequotas",
            "
apiVersion: v1
kind: ResourceQuota
metadata: {name: pods}
spec: {hard: {pods: 3}}
",
        ),
        Edit::Create(
            "/apis/apps/v1/namespaces/default/deployments",
            "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 5
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: one, resources: {requests: {cpu: 200m}}}]}
",
        ),
    ],
    edits: &[
        Edit::Patch("/apis/apps/v1/namespaces/default/deployments/web", "spec: {replicas: 4}"),
        Edit::Patch(QUOTA, "spec: {hard: {pods: '6'}}"),
    ],
    settled: |world| {
        let ready = world.of("pods").filter(|pod| is_active(pod) && is_ready(pod)).count();
        let web = world.named("apps/deployments", "web").ok_or("no Deployment")?;
        let quota = world.named("resourcequotas", "pods").ok_or("no quota")?;
        let said = count(web, "/status/availableReplicas");
        let used = quota["status"]["used"]["pods"] == "4";
        verdict(ready == 4 && said == 4 && used, || format!("{ready} pods, {said} said: {}", quota["status"]))
    },
};
