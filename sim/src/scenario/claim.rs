//! Pods with devices: each pod of a Deployment has a claim of its own from a template, and there is one device more than pods.

use super::{Edit, Scenario, deployment, verdict};
use crate::world::{is_active, text};
use serde_json::Value;
use std::collections::BTreeSet;

const WEB: &str = "/apis/apps/v1/namespaces/default/deployments/web";
const SLICES: &str = "/apis/resource.k8s.io/v1/resourceslices";

macro_rules! slice {
    ($node:literal) => {
        Edit::Create(
            SLICES,
            concat!(
                "
apiVersion: resource.k8s.io/v1
kind: ResourceSlice
metadata: {name: ",
                $node,
                "-gpus}
spec:
  driver: gpu.sim.test
  nodeName: ",
                $node,
                "
  pool: {name: ",
                $node,
                ", generation: 1, resourceSliceCount: 1}
  devices: [{name: one}, {name: two}]
"
            ),
        )
    };
}

pub(super) const DEVICES: Scenario = Scenario {
    name: "claimed",
    nodes: 2,
    start: &[
        Edit::Create(
            "/apis/resource.k8s.io/v1/deviceclasses",
            "
apiVersion: resource.k8s.io/v1
kind: DeviceClass
metadata: {name: gpu}
spec: {selectors: [{cel: {expression: device.driver == \"gpu.sim.test\"}}]}
",
        ),
        slice!("node-0"),
        slice!("node-1"),
        Edit::Create(
            "/apis/resource.k8s.io/v1/namespaces/default/resourceclaimtemplates",
            "
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
metadata: {name: any}
spec: {spec: {devices: {requests: [{name: gpu, exactly: {deviceClassName: gpu}}]}}}
",
        ),
        Edit::Create(
            "/apis/apps/v1/namespaces/default/deployments",
            "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  revisionHistoryLimit: 1
  selector: {matchLabels: {app: web}}
  strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  template:
    metadata: {labels: {app: web}}
    spec:
      resourceClaims: [{name: gpu, resourceClaimTemplateName: any}]
      containers: [{name: c, image: one, resources: {requests: {cpu: 200m}, claims: [{name: gpu}]}}]
",
        ),
    ],
    edits: &[
        Edit::Patch(WEB, "spec: {template: {metadata: {annotations: {turn: two}}}}"),
        Edit::Patch(WEB, "spec: {replicas: 2}"),
        Edit::Evict("app=web"),
        Edit::Patch(WEB, "spec: {template: {metadata: {annotations: {turn: three}}}}"),
        Edit::Patch(WEB, "spec: {replicas: 3}"),
    ],
    settled: |world| {
        deployment::rolled_out(world)?;
        let pods = world.of("pods").filter(|pod| is_active(pod));
        let pods: BTreeSet<&str> = pods.map(|pod| text(pod, "/metadata/uid")).collect();
        let claims: Vec<&Value> = world.of("resource.k8s.io/resourceclaims").collect();
        let user = |claim: &&Value| {
            let users = claim.pointer("/status/reservedFor").and_then(Value::as_array)?;
            claim.pointer("/status/allocation")?;
            (users.len() == 1).then(|| users[0]["uid"].as_str().unwrap_or_default().to_owned())
        };
        let users: BTreeSet<String> = claims.iter().filter_map(user).collect();
        let is_right = claims.len() == pods.len() && users.iter().map(String::as_str).eq(pods.iter().copied());
        verdict(is_right, || {
            format!("{} claims for {} pods, {} of them used by one", claims.len(), pods.len(), users.len())
        })
    },
};
