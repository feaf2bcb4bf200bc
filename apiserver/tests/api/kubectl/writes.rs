//! Verbs that write: create, apply in both ways, edit and its kin, scale, delete, drain.

use super::{Row, fails, feed, refuses, row, run, warns};
use crate::every_kind::signing_request;
use serde_json::json;

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: m\ndata:\n  a: first\n  b: '1'\n";
const MAP_LESS: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: m\ndata:\n  a: first\n";
const MAP_WRONG: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: w\ndatta:\n  a: x\n";
const WEB: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replicas: 2\n  selector:\n    \
    matchLabels: {app: web}\n  template:\n    metadata:\n      labels: {app: web}\n    spec:\n      containers:\n      - name: c\n        \
    image: web:1\n        ports:\n        - containerPort: 80\n";
const WEB_TWO: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replicas: 3\n  selector:\n    \
    matchLabels: {app: web}\n  template:\n    metadata:\n      labels: {app: web}\n    spec:\n      containers:\n      - name: c\n        \
    image: web:2\n      - name: d\n        image: side:1\n";

/// Of two versions, one on its way out.
const OLD_AND_NEW: &str = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: foos.example.com}\n\
    spec:\n  group: example.com\n  scope: Namespaced\n  names: {plural: foos, kind: Foo}\n  versions:\n  \
    - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}\n  \
    - {name: v1beta1, served: true, storage: false, deprecated: true, schema: {openAPIV3Schema: {type: object}}}\n";
const BARE_NODE: &str = "apiVersion: v1\nkind: Node\nmetadata: {name: n1, annotations: {a: b}, resourceVersion: '0'}\n";
const PLACED: &str =
    "apiVersion: v1\nkind: Pod\nmetadata: {name: placed}\nspec: {nodeName: n1, containers: [{name: c, image: i}]}\n";
const PLACED_BARE: &str =
    "apiVersion: v1\nkind: Pod\nmetadata: {name: placed, labels: {a: b}}\nspec: {containers: [{name: c, image: j}]}\n";

const CREATE: &[Row] = &[
    row("create configmap lit --from-literal=k=v --dry-run=server -o yaml", &["k: v", "uid:"]),
    fails("get configmap lit", &["Error from server (NotFound): configmaps \"lit\" not found"]),
    row("create configmap lit --from-literal=k=v", &["configmap/lit created"]),
    fails(
        "create configmap lit --from-literal=k=v",
        &["failed to create configmap: configmaps \"lit\" already exists"],
    ),
    row("create secret generic s --from-literal=p=q", &["secret/s created"]),
    row("create serviceaccount robot", &["serviceaccount/robot created"]),
    row("create role r --verb=get --resource=pods", &["role.rbac.authorization.k8s.io/r created"]),
    row(
        "create rolebinding rb --role=r --serviceaccount=rows:robot",
        &["rolebinding.rbac.authorization.k8s.io/rb created"],
    ),
    row("create quota q --hard=pods=10", &["resourcequota/q created"]),
    row("create job j --image=x -- true", &["job.batch/j created"]),
    row("create cronjob cj --image=x --schedule='* * * * *' -- true", &["cronjob.batch/cj created"]),
    row("create job from --from=cronjob/cj", &["job.batch/from created"]),
    row("create service clusterip cip --tcp=80:80", &["service/cip created"]),
    row("create ingress i --rule='h/p=cip:80'", &["ingress.networking.k8s.io/i created"]),
    row("create pdb pdb --selector=app=web --min-available=1", &["poddisruptionbudget.policy/pdb created"]),
    row("create priorityclass rows-high --value=5", &["priorityclass.scheduling.k8s.io/rows-high created"]),
    row("create namespace rows-made", &["namespace/rows-made created"]),
    row("create deployment dep --image=x --replicas=2 --port=80", &["deployment.apps/dep created"]),
    row("expose deployment dep --port=80", &["service/dep exposed"]),
    row("autoscale deployment dep --max=5", &["horizontalpodautoscaler.autoscaling/dep autoscaled"]),
    row("run p --image=x --labels=app=p", &["pod/p created"]),
    feed("create -f -", MAP, &["configmap/m created"]),
    refuses("create -f -", MAP_WRONG, &["strict decoding error: unknown field \"datta\""]),
    warns("create --validate=warn -f -", MAP_WRONG, &["Warning: unknown field \"datta\""]),
    feed("replace -f -", MAP_LESS, &["configmap/m replaced"]),
    feed("replace --force -f -", MAP, &["configmap \"m\" deleted", "configmap/m replaced"]),
    feed("create -f -", OLD_AND_NEW, &["foos.example.com created"]),
    row("wait --for=condition=Established crd/foos.example.com --timeout=20s", &["condition met"]),
    warns("get foos.v1beta1.example.com", "", &["Warning: example.com/v1beta1 Foo is deprecated"]),
    fails("get foos.v1beta1.example.com --warnings-as-errors", &["1 warning received"]),
    warns("get foos", "", &["No resources found"]),
];

const APPLY: &[Row] = &[
    feed("apply -f -", WEB, &["deployment.apps/web created"]),
    feed("apply -f -", WEB, &["deployment.apps/web unchanged"]),
    feed("apply --dry-run=server -f -", WEB_TWO, &["deployment.apps/web configured (server dry run)"]),
    refuses("diff -f -", WEB_TWO, &["-  replicas: 2", "+  replicas: 3"]),
    feed("apply -f -", WEB_TWO, &["deployment.apps/web configured"]),
    row(
        "get deployment web -o jsonpath='{.spec.template.spec.containers[*].image} {.spec.template.spec.containers[0].ports}'",
        &["web:2 side:1"],
    ),
    feed("apply -f -", WEB, &["deployment.apps/web configured"]),
    row("get deployment web -o jsonpath='{.spec.template.spec.containers[*].image}'", &["web:1"]),
    row("apply view-last-applied deployment/web", &["image: web:1"]),
    // From the client's side to the server's, and on.
    feed("apply --server-side -f -", WEB_TWO, &["deployment.apps/web serverside-applied"]),
    feed("apply --server-side -f -", WEB_TWO, &["deployment.apps/web serverside-applied"]),
    row("get deployment web --show-managed-fields -o jsonpath='{.metadata.managedFields[*].manager}'", &["kubectl"]),
    row("scale deployment web --replicas=7", &["deployment.apps/web scaled"]),
    refuses(
        "apply --server-side -f -",
        WEB_TWO,
        &[
            "Apply failed with 1 conflict: conflict with \"kubectl\" with subresource \"scale\" using apps/v1: .spec.replicas",
        ],
    ),
    feed("apply --server-side --force-conflicts -f -", WEB_TWO, &["deployment.apps/web serverside-applied"]),
    row("get deployment web -o jsonpath='{.spec.replicas}'", &["3"]),
    refuses(
        "apply --server-side --field-manager=other -f -",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\nfoo: 1\n",
        &["field not declared in schema"],
    ),
    feed(
        "apply --prune -l app=pruned -f -",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: p1, labels: {app: pruned}}\n",
        &["configmap/p1 created"],
    ),
];

const CHANGE: &[Row] = &[
    feed("create -f -", MAP, &["configmap/m created"]),
    feed("create -f -", WEB, &["deployment.apps/web created"]),
    row("label configmap m a=b", &["configmap/m labeled"]),
    fails("label configmap m a=c", &["'a' already has a value (b), and --overwrite is false"]),
    row("label configmap m a=c --overwrite", &["configmap/m labeled"]),
    row("label configmap m a-", &["configmap/m unlabeled"]),
    row("annotate configmap m note='two words'", &["configmap/m annotated"]),
    row("edit configmap m", &["configmap/m edited"]),
    row("get configmap m -o jsonpath='{.data.a} {.metadata.annotations.note}'", &["second two words"]),
    row("patch configmap m --type=merge -p '{\"data\":{\"c\":\"3\"}}'", &["configmap/m patched"]),
    row("patch configmap m --type=json -p '[{\"op\":\"remove\",\"path\":\"/data/c\"}]'", &["configmap/m patched"]),
    fails(
        "patch configmap m --type=json -p '[{\"op\":\"test\",\"path\":\"/data/b\",\"value\":\"9\"}]'",
        &["The request is invalid: the server rejected our request due to an error in our request"],
    ),
    row(
        "patch deployment web -p '{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"web:9\"}]}}}}'",
        &["deployment.apps/web patched"],
    ),
    row(
        "patch deployment web --subresource=status --type=merge -p '{\"status\":{\"replicas\":2}}'",
        &["deployment.apps/web patched"],
    ),
    row(
        "patch deployment web --subresource=scale --type=merge -p '{\"spec\":{\"replicas\":4}}'",
        &["scale.autoscaling/web patched"],
    ),
    row(
        "get deployment web --subresource=scale -o jsonpath='{.kind} {.spec.replicas} {.status.selector}'",
        &["Scale 4 app=web"],
    ),
    row("set image deployment/web c=web:10", &["deployment.apps/web image updated"]),
    row("set env deployment/web A=1", &["deployment.apps/web env updated"]),
    row("set resources deployment/web --limits=cpu=100m", &["deployment.apps/web resource requirements updated"]),
    row("set serviceaccount deployment web default", &["deployment.apps/web serviceaccount updated"]),
    row(
        "get deployment web -o jsonpath='{.spec.template.spec.containers[0].image} {.spec.template.spec.containers[0].env[0].value} {.spec.template.spec.containers[0].resources.limits.cpu}'",
        &["web:10 1 100m"],
    ),
    row("rollout pause deployment/web", &["deployment.apps/web paused"]),
    row("rollout resume deployment/web", &["deployment.apps/web resumed"]),
    row("rollout restart deployment/web", &["deployment.apps/web restarted"]),
    row("scale deployment web --replicas=5 --current-replicas=4", &["deployment.apps/web scaled"]),
    fails("scale deployment web --replicas=6 --current-replicas=4", &["Expected replicas to be 4, was 5"]),
    fails("scale deployment web --replicas=6 --resource-version=1", &["Expected resource version to be 1, was "]),
    row("taint node n1 k=v:NoSchedule", &["node/n1 tainted"]),
    row("taint node n1 k-", &["node/n1 untainted"]),
    row("get node n1 --show-managed-fields -o jsonpath='{.metadata.managedFields[*].manager}'", &["kubectl-taint"]),
    row("patch node n1 -p '{\"spec\":{\"podCIDR\":\"10.42.7.0/24\"}}'", &["node/n1 patched"]),
    feed("replace -f -", BARE_NODE, &["node/n1 replaced"]),
    row("get node n1 -o jsonpath='{.spec.podCIDRs} {.metadata.annotations}'", &["[\"10.42.7.0/24\"] {\"a\":\"b\"}"]),
    feed("create -f -", PLACED, &["pod/placed created"]),
    feed("replace -f -", PLACED_BARE, &["pod/placed replaced"]),
    row(
        "get pod placed -o jsonpath='{.spec.nodeName} {.spec.serviceAccountName} {.spec.containers[0].image} {.spec.containers[0].volumeMounts[*].name}'",
        &["n1 default j kube-api-access-"],
    ),
    fails("patch pod placed --type=json -p '[{\"op\":\"remove\",\"path\":\"/spec/volumes\"}]'", &["is invalid"]),
    row("cordon n1", &["node/n1 cordoned"]),
    row("uncordon n1", &["node/n1 uncordoned"]),
    row("set selector service s 'app=other'", &["service/s selector updated"]),
    row("set subject rolebinding rb --user=eve", &["rolebinding.rbac.authorization.k8s.io/rb subjects updated"]),
    warns("edit deployment web --subresource=status", "", &["Edit cancelled, no changes made"]),
    row("run p --image=x --labels=app=p", &["pod/p created"]),
    row("debug p --image=tool --container=dbg --attach=false -- sh", &[]),
    row("get pod p -o jsonpath='{.spec.ephemeralContainers[0].name} {.spec.containers[0].image}'", &["dbg x"]),
    row("certificate approve csr", &["certificatesigningrequest.certificates.k8s.io/csr approved"]),
    row("get csr csr -o jsonpath='{.status.conditions[0].type}'", &["Approved"]),
    feed(
        "auth reconcile -f -",
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: rec, namespace: rows}\nrules: [{apiGroups: [''], resources: [pods], verbs: [get]}]\n",
        &["role.rbac.authorization.k8s.io/rec reconciled"],
    ),
    row("rollout status deployment/done --timeout=5s", &["deployment \"done\" successfully rolled out"]),
    row("wait --for=condition=Available deployment/done --timeout=5s", &["deployment.apps/done condition met"]),
];

const DELETE: &[Row] = &[
    feed("create -f -", MAP, &["configmap/m created"]),
    feed("create -f -", WEB, &["deployment.apps/web created"]),
    row("run p --image=x --labels=app=p", &["pod/p created"]),
    row("run q --image=x --labels=app=q", &["pod/q created"]),
    row("delete configmap m --dry-run=server", &["configmap \"m\" deleted (server dry run)"]),
    row("delete configmap m", &["configmap \"m\" deleted"]),
    fails("delete configmap m", &["Error from server (NotFound): configmaps \"m\" not found"]),
    row("delete configmap m --ignore-not-found", &[]),
    row("delete pod p --force --grace-period=0", &["pod \"p\" force deleted"]),
    row("delete deployment web --cascade=orphan --wait=false", &["deployment.apps \"web\" deleted"]),
    row("get deployment web -o jsonpath='{.metadata.finalizers}'", &["orphan"]),
    row("delete deployment web --cascade=foreground --wait=false", &["deployment.apps \"web\" deleted"]),
    row("get deployment web -o jsonpath='{.metadata.finalizers}'", &["foregroundDeletion"]),
    row("delete pod -l app=q", &["pod \"q\" deleted"]),
    row("delete namespace rows-gone --wait=false", &["namespace \"rows-gone\" deleted"]),
    feed("delete -f - --ignore-not-found", MAP, &[]),
    row("create configmap late --from-literal=a=b", &["configmap/late created"]),
    row("delete cm/late --wait=false", &["configmap \"late\" deleted"]),
    row("wait --for=delete cm/late --timeout=5s", &[]),
    fails(
        "drain n1 --timeout=3s",
        &["cannot delete Pods that declare no controller (use --force to override): rows/guarded"],
    ),
    fails("drain n1 --force --timeout=3s", &["Cannot evict pod as it would violate the pod's disruption budget."]),
    row("delete pdb guard", &["poddisruptionbudget.policy \"guard\" deleted"]),
    row("drain n1 --force --timeout=20s", &["pod/guarded evicted", "node/n1 drained"]),
    row("drain n1 --ignore-daemonsets --force --disable-eviction", &["node/n1 drained"]),
];

async fn nothing(_: crate::server::Client) {}

#[tokio::test]
async fn kubectl_creates() {
    run(CREATE, nothing).await;
}

#[tokio::test]
async fn kubectl_applies() {
    run(APPLY, nothing).await;
}

#[tokio::test]
async fn kubectl_changes() {
    run(CHANGE, |client| async move {
        let ns = "namespaces/rows";
        let node = json!({"metadata": {"name": "n1"}, "status": {"capacity": {"memory": "1Gi"}}});
        client.post("/api/v1/nodes", &node).await.expect(201);
        let service = json!({"metadata": {"name": "s"}, "spec": {"selector": {"app": "x"}, "ports": [{"port": 80}]}});
        client.post(&format!("/api/v1/{ns}/services"), &service).await.expect(201);
        let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"});
        let binding = json!({"metadata": {"name": "rb"}, "roleRef": role});
        client.post(&format!("/apis/rbac.authorization.k8s.io/v1/{ns}/rolebindings"), &binding).await.expect(201);
        let csr = json!({"metadata": {"name": "csr"}, "spec":
            {"request": signing_request(), "signerName": "example.com/s", "usages": ["client auth"]}});
        client.post("/apis/certificates.k8s.io/v1/certificatesigningrequests", &csr).await.expect(201);
        // As its controller leaves it.
        let template =
            json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
        let done = json!({"metadata": {"name": "done"}, "spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}},
            "template": template}});
        let at = format!("/apis/apps/v1/{ns}/deployments");
        client.post(&at, &done).await.expect(201);
        let status = json!({"status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1,
            "availableReplicas": 1, "conditions": [{"type": "Available", "status": "True"}]}});
        client.patch(&format!("{at}/done/status"), "merge", &status).await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn kubectl_deletes() {
    run(DELETE, |client| async move {
        client.post("/api/v1/nodes", &json!({"metadata": {"name": "n1"}})).await.expect(201);
        client.post("/api/v1/namespaces", &json!({"metadata": {"name": "rows-gone"}})).await.expect(201);
        let ns = "namespaces/rows";
        let pod = json!({"metadata": {"name": "guarded", "labels": {"g": "1"}},
            "spec": {"nodeName": "n1", "terminationGracePeriodSeconds": 0, "containers": [{"name": "c", "image": "i"}]}});
        client.post(&format!("/api/v1/{ns}/pods"), &pod).await.expect(201);
        let running = json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}});
        client.patch(&format!("/api/v1/{ns}/pods/guarded/status"), "merge", &running).await.expect(200);
        let guard = json!({"metadata": {"name": "guard"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"g": "1"}}}});
        let at = format!("/apis/policy/v1/{ns}/poddisruptionbudgets");
        client.post(&at, &guard).await.expect(201);
        let status = json!({"status": {"observedGeneration": 1, "currentHealthy": 1, "desiredHealthy": 1,
            "expectedPods": 1, "disruptionsAllowed": 0}});
        client.patch(&format!("{at}/guard/status"), "merge", &status).await.expect(200);
    })
    .await;
}
