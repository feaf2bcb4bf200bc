//! Nodes that are full: the more important pods get room, and as many of the others as fit.

use super::{Edit, Scenario, verdict};
use crate::world::{World, is_active, is_ready, text};
use kinds::quantity::Quantity;
use serde_json::Value;

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";
const LOW: &str = "/apis/apps/v1/namespaces/default/deployments/low";

pub(super) const FULL: Scenario = Scenario {
    name: "full",
    nodes: 2,
    start: &[
        Edit::Create(
            "/apis/scheduling.k8s.io/v1/priorityclasses",
            "
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: high}
value: 1000
",
        ),
        Edit::Create(
            DEPLOYMENTS,
            "
apiVersion: apps/v1
kind: Deployment
metadata: {name: low}
spec:
  replicas: 6
  # Never: not all of its pods have room in the end, and that is not said again and again.
  progressDeadlineSeconds: 2147483647
  selector: {matchLabels: {app: low}}
  strategy: {type: Recreate}
  template:
    metadata: {labels: {app: low}}
    spec: {containers: [{name: c, image: one, resources: {requests: {cpu: 500m}}}]}
",
        ),
    ],
    edits: &[
        Edit::Patch(LOW, "spec: {replicas: 10}"),
        Edit::Create(
            DEPLOYMENTS,
            "
apiVersion: apps/v1
kind: Deployment
metadata: {name: high}
spec:
  replicas: 3
  selector: {matchLabels: {app: high}}
  template:
    metadata: {labels: {app: high}}
    spec: {priorityClassName: high, containers: [{name: c, image: one, resources: {requests: {cpu: 700m}}}]}
",
        ),
        Edit::Patch(
            LOW,
            "spec: {template: {spec: {containers: [{name: c, image: two, resources: {requests: {cpu: 500m}}}]}}}",
        ),
    ],
    settled: packed,
};

/// Everything important runs, and nothing waits that would fit.
fn packed(world: &World) -> Result<(), String> {
    let of = |app: &'static str| {
        world.of("pods").filter(move |pod| is_active(pod) && text(pod, "/metadata/labels/app") == app)
    };
    let runs = |pod: &&Value| is_ready(pod);
    let (high, low) = (of("high").filter(runs).count(), of("low").filter(runs).count());
    let free = |node: &Value| {
        let pods = world.of("pods").filter(|pod| is_active(pod) && pod["spec"]["nodeName"] == node["metadata"]["name"]);
        let taken: i64 = pods.map(|pod| milli(text(pod, "/spec/containers/0/resources/requests/cpu"))).sum();
        milli(text(node, "/status/allocatable/cpu")) - taken
    };
    let fits = world.of("nodes").any(|node| free(node) >= 500);
    let all = of("low").count();
    verdict(high == 3 && all == 10 && !fits, || format!("{high} of 3 important pods run, {low} others of {all}"))
}

fn milli(cpu: &str) -> i64 {
    cpu.parse::<Quantity>().map_or(0, |cpu| cpu.milli_value())
}
