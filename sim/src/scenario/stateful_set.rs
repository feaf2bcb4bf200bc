//! A StatefulSet: every identity once, in order, with the newest template in the end.

use super::{Edit, Scenario};
use crate::world::{World, count, is_active, is_ready, text};

const ONE: &str = "/apis/apps/v1/namespaces/default/statefulsets/db";
const MANY: &str = "/apis/apps/v1/namespaces/default/statefulsets";

const DB: &str = "
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 3
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: c, image: one, resources: {requests: {cpu: 200m}}}]}
";

pub(super) const ORDERED: Scenario = Scenario {
    name: "stateful",
    nodes: 3,
    start: &[Edit::Create(MANY, DB)],
    edits: &[
        Edit::Patch(
            ONE,
            "spec: {template: {spec: {containers: [{name: c, image: two, resources: {requests: {cpu: 200m}}}]}}}",
        ),
        Edit::Patch(ONE, "spec: {replicas: 5}"),
        Edit::Patch(ONE, "spec: {replicas: 2}"),
        Edit::Patch(
            ONE,
            "spec: {template: {spec: {containers: [{name: c, image: three, resources: {requests: {cpu: 200m}}}]}}}",
        ),
    ],
    settled: complete,
};

fn complete(world: &World) -> Result<(), String> {
    let db = world.named("apps/statefulsets", "db").ok_or("no StatefulSet")?;
    let (wanted, image) = (count(db, "/spec/replicas"), text(db, "/spec/template/spec/containers/0/image"));
    let pods = world.of("pods").filter(|pod| is_active(pod) && is_ready(pod));
    let found: Vec<(String, &str)> =
        pods.map(|pod| (text(pod, "/metadata/name").to_owned(), text(pod, "/spec/containers/0/image"))).collect();
    let expected: Vec<(String, &str)> = (0..wanted).map(|ordinal| (format!("db-{ordinal}"), image)).collect();
    let status = &db["status"];
    let is_right = found == expected
        && count(db, "/status/readyReplicas") == wanted
        && count(db, "/status/updatedReplicas") == wanted
        && status["currentRevision"] == status["updateRevision"]
        && db.pointer("/status/observedGeneration") == db.pointer("/metadata/generation");
    if is_right { Ok(()) } else { Err(format!("{found:?}, {wanted} of {image} wanted: {status}")) }
}
