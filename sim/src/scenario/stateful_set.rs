//! A StatefulSet: every identity once, in order, with the newest template in the end.

use super::{Edit, Scenario, verdict};
use crate::world::{World, count, is_active, is_ready, text};
use serde_json::Value;

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

/// All at once, each with a volume of its own, which goes when the set is made smaller.
pub(super) const PARALLEL: Scenario = Scenario {
    name: "parallel",
    nodes: 3,
    start: &[
        Edit::Create("/apis/storage.k8s.io/v1/storageclasses", CLASS),
        Edit::Create(
            MANY,
            "
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 3
  podManagementPolicy: Parallel
  persistentVolumeClaimRetentionPolicy: {whenScaled: Delete, whenDeleted: Retain}
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      containers: [{name: c, image: one, resources: {requests: {cpu: 200m}}, volumeMounts: [{name: data, mountPath: /data}]}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {storageClassName: local, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
",
        ),
    ],
    edits: &[
        Edit::Patch(ONE, "spec: {replicas: 5}"),
        Edit::Patch(ONE, "spec: {template: {metadata: {annotations: {turn: two}}}}"),
        Edit::Patch(ONE, "spec: {replicas: 2}"),
        Edit::Patch(ONE, "spec: {replicas: 4}"),
    ],
    settled: |world| {
        complete(world)?;
        let claims: Vec<&Value> = world.of("persistentvolumeclaims").collect();
        let names: Vec<&str> = claims.iter().map(|claim| text(claim, "/metadata/name")).collect();
        let expected: Vec<String> = (0..4).map(|ordinal| format!("data-db-{ordinal}")).collect();
        // A claim goes with its pod: one whose pod was not there when the set was made smaller stays, as it does upstream.
        let are_right = names.starts_with(expected.iter().map(String::as_str).collect::<Vec<_>>().as_slice());
        let bound = |claim: &&Value| {
            let volume = world.named("persistentvolumes", text(claim, "/spec/volumeName"));
            text(claim, "/status/phase") == "Bound"
                && volume.is_some_and(|volume| volume["spec"]["claimRef"]["uid"] == claim["metadata"]["uid"])
        };
        let volumes = world.of("persistentvolumes").count();
        verdict(are_right && claims.iter().all(bound) && volumes == claims.len(), || {
            format!("claims {names:?}, {volumes} volumes")
        })
    },
};

const CLASS: &str = "
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: local}
provisioner: drover.dev/local-path
volumeBindingMode: WaitForFirstConsumer
";

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
    verdict(is_right, || format!("{found:?}, {wanted} of {image} wanted: {status}"))
}
