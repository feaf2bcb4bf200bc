//! Owners that go: by themselves, after what they own, and leaving it behind.

use super::{Edit, Scenario, verdict};
use crate::world::text;

const SETS: &str = "/apis/apps/v1/namespaces/default/replicasets";

macro_rules! set {
    ($name:literal) => {
        Edit::Create(
            SETS,
            concat!(
                "
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: ",
                $name,
                "}
spec:
  replicas: 2
  selector: {matchLabels: {app: ",
                $name,
                "}}
  template:
    metadata: {labels: {app: ",
                $name,
                "}}
    spec: {containers: [{name: c, image: one, resources: {requests: {cpu: 200m}}}]}
"
            ),
        )
    };
}

pub(super) const OWNED: Scenario = Scenario {
    name: "owned",
    nodes: 2,
    start: &[set!("back"), set!("front"), set!("left"), set!("stays")],
    edits: &[
        Edit::Delete("/apis/apps/v1/namespaces/default/replicasets/back"),
        Edit::DeleteInForeground("/apis/apps/v1/namespaces/default/replicasets/front"),
        Edit::Patch("/apis/apps/v1/namespaces/default/replicasets/stays", "spec: {replicas: 3}"),
        Edit::Orphan("/apis/apps/v1/namespaces/default/replicasets/left"),
    ],
    settled: |world| {
        let sets: Vec<&str> = world.of("apps/replicasets").map(|set| text(set, "/metadata/name")).collect();
        let of = |app: &str| world.of("pods").filter(|pod| text(pod, "/metadata/labels/app") == app).count();
        let pods = ["back", "front", "stays"].map(of);
        let orphans = world.of("pods").filter(|pod| pod.pointer("/metadata/ownerReferences").is_none()).count();
        // Nobody replaces orphans that their node loses.
        let is_right = sets == ["stays"] && pods == [0, 0, 3] && orphans <= 2 && of("left") == orphans;
        verdict(is_right, || format!("ReplicaSets {sets:?}, pods {pods:?}, {orphans} orphans"))
    },
};
