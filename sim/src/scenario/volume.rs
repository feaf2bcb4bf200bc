//! A volume that is lost and comes back: who uses it waits, and no longer than that.

use super::{Edit, Scenario, verdict};
use crate::world::{count, is_active, is_ready, text};

const VOLUMES: &str = "/api/v1/persistentvolumes";
const ONE: &str = "/api/v1/persistentvolumes/disk";
const WEB: &str = "/apis/apps/v1/namespaces/default/deployments/web";

const DISK: &str = "
apiVersion: v1
kind: PersistentVolume
metadata: {name: disk}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteMany]
  persistentVolumeReclaimPolicy: Retain
  storageClassName: ''
  hostPath: {path: /data}
";

pub(super) const LOST: Scenario = Scenario {
    name: "lost-volume",
    nodes: 2,
    start: &[
        Edit::Create(VOLUMES, DISK),
        Edit::Create(
            "/api/v1/namespaces/default/persistentvolumeclaims",
            "
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {storageClassName: '', volumeName: disk, accessModes: [ReadWriteMany], resources: {requests: {storage: 1Gi}}}
",
        ),
        Edit::Create(
            "/apis/apps/v1/namespaces/default/deployments",
            "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
      containers: [{name: c, image: one, resources: {requests: {cpu: 200m}}, volumeMounts: [{name: data, mountPath: /data}]}]
",
        ),
    ],
    edits: &[
        Edit::Delete(ONE),
        Edit::PatchIfThere(ONE, "metadata: {finalizers: null}"),
        Edit::Patch(WEB, "spec: {replicas: 4}"),
        Edit::Patch(WEB, "spec: {template: {metadata: {annotations: {turn: two}}}}"),
        Edit::Create(VOLUMES, DISK),
        Edit::Evict("app=web"),
    ],
    settled: |world| {
        let (disk, data) =
            world.named("persistentvolumes", "disk").zip(world.named("persistentvolumeclaims", "data")).ok_or("no volume")?;
        let bound = text(disk, "/status/phase") == "Bound"
            && text(data, "/status/phase") == "Bound"
            && disk["spec"]["claimRef"]["uid"] == data["metadata"]["uid"];
        let web = world.named("apps/deployments", "web").ok_or("no Deployment")?;
        let ready = world.of("pods").filter(|pod| is_active(pod) && is_ready(pod)).count();
        verdict(bound && ready == 4 && count(web, "/status/updatedReplicas") == 4, || {
            format!("{ready} of 4 pods are ready, {} and {}", disk["status"], data["status"])
        })
    },
};
