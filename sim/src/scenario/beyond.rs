//! What Drover does beyond Kubernetes: evictions that replace first, start order, configuration that rolls out.

use super::{Edit, Scenario, verdict};
use crate::world::{World, count, is_active, is_ready, text};
use serde_json::Value;

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const SITE: &str = "/api/v1/namespaces/default/configmaps/site";

pub(super) const SURGED: Scenario = Scenario {
    name: "surged",
    nodes: 2,
    start: &[
        Edit::Create(
            "/apis/policy/v1/namespaces/default/poddisruptionbudgets",
            "
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web, annotations: {drover.dev/surge-on-eviction: 'true'}}
spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
",
        ),
        Edit::Create(
            DEPLOYMENTS,
            "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: one, resources: {requests: {cpu: 200m}}}]}
",
        ),
    ],
    edits: &[Edit::Evict("app=web"); 4],
    settled: |world| {
        let pods: Vec<&Value> = world.of("pods").filter(|pod| is_active(pod)).collect();
        let budget = world.named("policy/poddisruptionbudgets", "web").ok_or("no budget")?;
        let healthy = count(budget, "/status/currentHealthy");
        let is_right = pods.len() == 1 && is_ready(pods[0]) && healthy == 1;
        verdict(is_right, || format!("{} pods: {}", pods.len(), budget["status"]))
    },
};

pub(super) const WAITING: Scenario = Scenario {
    name: "waiting",
    nodes: 2,
    start: &[
        Edit::Create(
            DEPLOYMENTS,
            "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}, annotations: {drover.dev/depends-on: 'deployment/db, service/db'}}
    spec: {containers: [{name: c, image: one}]}
",
        ),
        Edit::Create(
            "/api/v1/namespaces/default/services",
            "
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {selector: {app: db}, ports: [{port: 5432}]}
",
        ),
    ],
    edits: &[Edit::Create(
        DEPLOYMENTS,
        "
apiVersion: apps/v1
kind: Deployment
metadata: {name: db}
spec:
  replicas: 1
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: c, image: one}]}
",
    )],
    settled: |world| {
        let pods: Vec<&Value> = world.of("pods").filter(|pod| is_active(pod)).collect();
        let gated = pods.iter().filter(|pod| pod.pointer("/spec/schedulingGates").is_some()).count();
        let ready = pods.iter().filter(|pod| is_ready(pod)).count();
        verdict(gated == 0 && ready == 3, || format!("{ready} pods are ready, {gated} are held back"))
    },
};

pub(super) const CONFIGURED: Scenario = Scenario {
    name: "configured",
    nodes: 2,
    start: &[
        Edit::Create(MAPS, "{apiVersion: v1, kind: ConfigMap, metadata: {name: site}, data: {color: blue}}"),
        Edit::Create(
            DEPLOYMENTS,
            "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, annotations: {drover.dev/roll-on-config-change: 'true'}}
spec:
  replicas: 2
  revisionHistoryLimit: 1
  selector: {matchLabels: {app: web}}
  strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: one, envFrom: [{configMapRef: {name: site}}]}]}
",
        ),
    ],
    edits: &[
        Edit::Patch(SITE, "data: {color: green}"),
        Edit::Patch("/apis/apps/v1/namespaces/default/deployments/web", "spec: {replicas: 3}"),
        Edit::Patch(SITE, "data: {color: red}"),
        Edit::Patch(SITE, "data: {color: white}"),
    ],
    settled: configured,
};

const READ: &str = "/spec/containers/0/envFrom/0/configMapRef/name";

/// Every pod reads a copy of what the ConfigMap says now, and no copy is kept that no revision reads.
fn configured(world: &World) -> Result<(), String> {
    let site = world.named("configmaps", "site").ok_or("no ConfigMap")?;
    let pods: Vec<&Value> = world.of("pods").filter(|pod| is_active(pod)).collect();
    let reads_it = |pod: &&Value| {
        let copy = world.named("configmaps", text(pod, READ));
        copy.is_some_and(|copy| copy["immutable"] == true && copy["data"] == site["data"])
    };
    let right = pods.iter().filter(|pod| is_ready(pod) && reads_it(pod)).count();
    let copies = world.of("configmaps").filter(|map| map["immutable"] == true);
    let sets: Vec<&Value> = world.of("apps/replicasets").collect();
    let unread = |copy: &&Value| {
        let template = format!("/spec/template{READ}");
        !sets.iter().any(|set| text(set, &template) == text(copy, "/metadata/name"))
    };
    let unread: Vec<&str> = copies.filter(unread).map(|copy| text(copy, "/metadata/name")).collect();
    verdict(right == 3 && pods.len() == 3 && sets.len() <= 2 && unread.is_empty(), || {
        format!(
            "{right} of {} pods read the newest, {} ReplicaSets, {unread:?} are read by none",
            pods.len(),
            sets.len()
        )
    })
}
