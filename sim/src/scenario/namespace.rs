//! A namespace that goes: everything in it goes first, and nothing comes after.

use super::{Edit, Scenario, verdict};
use crate::world::text;

pub(super) const EMPTIED: Scenario = Scenario {
    name: "namespace",
    nodes: 2,
    start: &[
        Edit::Create("/api/v1/namespaces", "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}"),
        Edit::Create(
            "/apis/apps/v1/namespaces/shop/deployments",
            "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: one, resources: {requests: {cpu: 200m}}}]}
",
        ),
        Edit::Create(
            "/apis/batch/v1/namespaces/shop/jobs",
            "
apiVersion: batch/v1
kind: Job
metadata: {name: sums}
spec:
  completions: 20
  parallelism: 2
  backoffLimit: 1000
  template:
    spec: {restartPolicy: Never, containers: [{name: c, image: work, resources: {requests: {cpu: 200m}}}]}
",
        ),
    ],
    edits: &[Edit::Delete("/api/v1/namespaces/shop")],
    settled: |world| {
        let inside = world.all().filter(|object| text(object, "/metadata/namespace") == "shop");
        let left: Vec<&str> = inside.map(|object| text(object, "/metadata/name")).collect();
        let there = world.named("namespaces", "shop").is_some();
        verdict(left.is_empty() && !there, || format!("the namespace is there: {there}, with {left:?}"))
    },
};
