//! What a program makes together: an owner, and at once what it owns, of kinds whose watches know nothing of each other.

use super::{Edit, Scenario, verdict};
use crate::world::text;

const CONFIGS: &str = "/api/v1/namespaces/default/configmaps";
const SECRETS: &str = "/api/v1/namespaces/default/secrets";
const ACCOUNTS: &str = "/api/v1/namespaces/default/serviceaccounts";
const TEMPLATES: &str = "/api/v1/namespaces/default/podtemplates";

const TOWN: &str = "/apis/scheduling.k8s.io/v1/priorityclasses/town";
const RANCH: &str = "/apis/apps/v1/namespaces/default/replicasets/ranch";

macro_rules! plain {
    ($kind:literal, $name:literal) => {
        concat!("{apiVersion: v1, kind: ", $kind, ", metadata: {name: ", $name, ", labels: {family: it}}}")
    };
}

/// An owner of one kind, and two of other kinds that it owns.
macro_rules! family {
    ($name:literal, $kind:literal, $many:literal, ($many_one:expr, $one:literal), ($many_other:expr, $other:literal)) => {
        Edit::AtOnce(&[
            Edit::Create(concat!("/api/v1/namespaces/default/", $many), plain!($kind, $name)),
            Edit::CreateOwned(
                $many_one,
                concat!("/api/v1/namespaces/default/", $many, "/", $name),
                plain!($one, $name),
            ),
            Edit::CreateOwned(
                $many_other,
                concat!("/api/v1/namespaces/default/", $many, "/", $name),
                plain!($other, $name),
            ),
        ])
    };
}

pub(super) const TOGETHER: Scenario = Scenario {
    name: "family",
    nodes: 1,
    start: &[],
    edits: &[
        family!("bull", "ConfigMap", "configmaps", (SECRETS, "Secret"), (ACCOUNTS, "ServiceAccount")),
        family!("cow", "Secret", "secrets", (CONFIGS, "ConfigMap"), (ACCOUNTS, "ServiceAccount")),
        Edit::AtOnce(&[
            Edit::Create(
                "/apis/scheduling.k8s.io/v1/priorityclasses",
                "{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: town}, value: 10}",
            ),
            Edit::CreateOwned(CONFIGS, TOWN, plain!("ConfigMap", "house")),
            Edit::CreateOwned(SECRETS, "/api/v1/namespaces/default/configmaps/house", plain!("Secret", "house")),
        ]),
        Edit::Delete("/api/v1/namespaces/default/secrets/cow"),
        family!("hen", "ServiceAccount", "serviceaccounts", (CONFIGS, "ConfigMap"), (SECRETS, "Secret")),
        Edit::AtOnce(&[
            Edit::Create(
                "/apis/apps/v1/namespaces/default/replicasets",
                "
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: ranch}
spec:
  replicas: 2
  selector: {matchLabels: {app: ranch}}
  template:
    metadata: {labels: {app: ranch}}
    spec: {containers: [{name: c, image: one, resources: {requests: {cpu: 200m}}}]}
",
            ),
            Edit::CreateOwned(CONFIGS, RANCH, plain!("ConfigMap", "ranch")),
            Edit::CreateOwned(TEMPLATES, RANCH, TEMPLATE),
        ]),
        Edit::DeleteInForeground("/api/v1/namespaces/default/serviceaccounts/hen"),
        family!("cat", "ConfigMap", "configmaps", (SECRETS, "Secret"), (ACCOUNTS, "ServiceAccount")),
        Edit::Orphan(RANCH),
        family!("dog", "Secret", "secrets", (CONFIGS, "ConfigMap"), (ACCOUNTS, "ServiceAccount")),
        Edit::Delete(TOWN),
    ],
    settled: |world| {
        let of = |collection: &'static str| -> Vec<&str> {
            let mine = world.of(collection).filter(|one| text(one, "/metadata/labels/family") == "it");
            mine.map(|one| text(one, "/metadata/name")).collect()
        };
        let found = ["configmaps", "secrets", "serviceaccounts", "podtemplates"].map(of);
        let expected: [&[&str]; 4] =
            [&["bull", "cat", "dog", "ranch"], &["bull", "cat", "dog"], &["bull", "cat", "dog"], &["ranch"]];
        let sets = world.of("apps/replicasets").count();
        verdict(found == expected && sets == 0, || format!("{found:?} are left, and {sets} ReplicaSets"))
    },
};

const TEMPLATE: &str = "
apiVersion: v1
kind: PodTemplate
metadata: {name: ranch, labels: {family: it}}
template:
  metadata: {labels: {app: other}}
  spec: {containers: [{name: c, image: one}]}
";
