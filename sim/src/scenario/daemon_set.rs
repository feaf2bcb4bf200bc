//! A DaemonSet: one pod on each node that is there, of the newest template in the end.

use super::{Edit, Scenario, verdict};
use crate::world::{World, count, is_active, is_ready, text};
use std::collections::BTreeSet;

const ONE: &str = "/apis/apps/v1/namespaces/default/daemonsets/logs";

pub(super) const EVERYWHERE: Scenario = Scenario {
    name: "daemon",
    nodes: 3,
    start: &[Edit::Create(
        "/apis/apps/v1/namespaces/default/daemonsets",
        "
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: logs}
spec:
  selector: {matchLabels: {app: logs}}
  template:
    metadata: {labels: {app: logs}}
    spec: {containers: [{name: c, image: one, resources: {requests: {cpu: 200m}}}]}
",
    )],
    edits: &[
        Edit::Patch(ONE, "spec: {template: {spec: {containers: [{name: c, image: two}]}}}"),
        Edit::Patch(ONE, "spec: {template: {spec: {nodeSelector: {kubernetes.io/hostname: node-1}}}}"),
        Edit::Patch(ONE, "spec: {template: {spec: {nodeSelector: null}}}"),
    ],
    settled: complete,
};

/// The newer pod runs beside the older before that one goes.
pub(super) const SURGING: Scenario = Scenario {
    name: "daemon-surge",
    nodes: 3,
    start: &[Edit::Create(
        "/apis/apps/v1/namespaces/default/daemonsets",
        "
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: logs}
spec:
  selector: {matchLabels: {app: logs}}
  updateStrategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  template:
    metadata: {labels: {app: logs}}
    spec: {containers: [{name: c, image: one, resources: {requests: {cpu: 200m}}}]}
",
    )],
    edits: &[
        Edit::Patch(ONE, "spec: {template: {spec: {containers: [{name: c, image: two}]}}}"),
        Edit::Patch(ONE, "spec: {template: {spec: {containers: [{name: c, image: three}]}}}"),
        Edit::Evict("app=logs"),
    ],
    settled: complete,
};

fn complete(world: &World) -> Result<(), String> {
    let logs = world.named("apps/daemonsets", "logs").ok_or("no DaemonSet")?;
    let image = text(logs, "/spec/template/spec/containers/0/image");
    let nodes: BTreeSet<&str> = world.of("nodes").map(|node| text(node, "/metadata/name")).collect();
    let pods: Vec<_> = world.of("pods").filter(|pod| is_active(pod) && is_ready(pod)).collect();
    let on: BTreeSet<&str> = pods.iter().map(|pod| text(pod, "/spec/nodeName")).collect();
    let newest = pods.iter().all(|pod| text(pod, "/spec/containers/0/image") == image);
    let wanted = nodes.len() as i64;
    let is_right = on == nodes
        && pods.len() == nodes.len()
        && newest
        && count(logs, "/status/numberReady") == wanted
        && count(logs, "/status/updatedNumberScheduled") == wanted;
    verdict(is_right, || format!("pods on {on:?} of {nodes:?}: {}", logs["status"]))
}
