//! Verbs that write: create, apply in both ways, edit and its kin, scale, delete, drain.

use super::{Row, fails, feed, refuses, row, run, warns};
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
    row("cordon n1", &["node/n1 cordoned"]),
    row("uncordon n1", &["node/n1 uncordoned"]),
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
        client.post("/api/v1/nodes", &json!({"metadata": {"name": "n1"}})).await.expect(201);
    })
    .await;
}

#[tokio::test]
async fn kubectl_deletes() {
    run(DELETE, |client| async move {
        client.post("/api/v1/nodes", &json!({"metadata": {"name": "n1"}})).await.expect(201);
        client.post("/api/v1/namespaces", &json!({"metadata": {"name": "rows-gone"}})).await.expect(201);
    })
    .await;
}
