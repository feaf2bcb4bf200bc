//! Every verb of kubectl, as upstream's own scripts and people use them, one row each.

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use e2e::{Cluster, Options, script};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;

const POD: &str = "
apiVersion: v1
kind: Pod
metadata: {name: one, labels: {name: one}}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: web, image: 'drover.local/web:1', resources: {limits: {cpu: 100m, memory: 32Mi}}}]
";
const CONTROLLER: &str = "
apiVersion: v1
kind: ReplicationController
metadata: {name: front}
spec:
  replicas: 2
  selector: {app: front}
  template:
    metadata: {labels: {app: front}}
    spec: {terminationGracePeriodSeconds: 1, containers: [{name: web, image: 'drover.local/web:1'}]}
";
const DEPLOYMENT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: site}
spec:
  replicas: 1
  selector: {matchLabels: {app: site}}
  template:
    metadata: {labels: {app: site}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - {name: web, image: 'drover.local/web:1', ports: [{containerPort: 8080}]}
        - {name: side, image: 'drover.local/web:1', args: [serve, '8081']}
";
const DAEMON_SET: &str = "
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: bind}
spec:
  selector: {matchLabels: {app: bind}}
  template:
    metadata: {labels: {app: bind}}
    spec: {terminationGracePeriodSeconds: 1, containers: [{name: web, image: 'drover.local/web:1'}]}
";
const STATEFUL_SET: &str = "
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 0
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {terminationGracePeriodSeconds: 1, containers: [{name: web, image: 'drover.local/web:1'}]}
";
/// A container in which busybox stands for what images usually have.
const BOX: &str = "
apiVersion: v1
kind: Pod
metadata: {name: box}
spec:
  terminationGracePeriodSeconds: 1
  volumes: [{name: busybox, hostPath: {path: /bin/busybox, type: File}}, {name: data, emptyDir: {}}]
  containers:
    - name: box
      image: drover.local/web:1
      command: [/sh, -c, 'echo hello; cat']
      stdin: true
      volumeMounts:
        - {name: data, mountPath: /data}
        - {name: busybox, mountPath: /tar}
        - {name: busybox, mountPath: /sh}
        - {name: busybox, mountPath: /cat}
";

const OBJECTS: &str = r#"
! create => must specify one of -f and -k
create -f pod.yaml --dry-run=server => pod/one created (server dry run)
! get pod one => pods "one" not found
create -f pod.yaml => pod/one created
get pod one --show-managed-fields -o yaml => kubectl-create
! create --raw /api/v1/namespaces -f pod.yaml --v=8 => must be of type Namespace
describe pod one => Containers:
describe pods --chunk-size=1 --v=6 => /api/v1/namespaces/default/pods?limit=1
get pods --field-selector metadata.name=one => one
get pods --sort-by={metadata.name} --v=8 => includeObject=Object
get pods --chunk-size=1 --v=6 => pods?limit=1
get pod one --subresource=status => one
! get pod one --subresource=scale => the server could not find the requested resource
! get foobar => the server doesn't have a resource type "foobar"
label pod one tier=front => labeled
label pod one empty= => labeled
! label pod one tier=back => --overwrite is false
annotate pod one note= => annotated
! patch pod one -p '{"metadata":{"labels":"x"}}' => cannot restore map from string
patch pod one -p '{"metadata":{"labels":{"tier":"front"}}}' => patched (no change)
patch pod one --type=json -p '[{"op":"replace","path":"/spec/containers/0/image","value":"drover.local/web:2"}]' => patched
! patch pod one -p '{"metadata":{"resourceVersion":"1"}}' => please apply your changes to the latest version
patch -f pod.yaml -p '{"spec":{"containers":[{"name":"web","image":"drover.local/web:1"}]}}' => patched
EDITOR=cat edit pod one => Edit cancelled
EDITOR=ED edit pod one --output-patch=true => Patch:
get pod one --show-managed-fields -o yaml => kubectl-edit
replace --force -f pod.yaml => replaced
delete pod one --now => deleted
apply --dry-run=server -f pod.yaml => created (server dry run)
apply -f pod.yaml => created
apply -f pod.yaml => unchanged
diff -f pod.yaml
! diff -f changed.yaml => web:2
! diff --server-side --force-conflicts -f changed.yaml => web:2
! diff -f bad.yaml => Invalid value
apply view-last-applied pod/one => drover.local/web:1
apply set-last-applied -f pod.yaml => configured
EDITOR=cat apply edit-last-applied pod/one => cancelled
apply --server-side -f labelled.yaml => serverside-applied
! apply --server-side --field-manager=other -f pod.yaml => conflict with "kubectl": .metadata.labels.name
apply --server-side --field-manager=other --force-conflicts -f pod.yaml => serverside-applied
delete -f pod.yaml --now => deleted
apply -l set=x -f a.yaml => created
apply --prune -l set=x -f b.yaml => pod/a pruned
~ get pods -o name => pod/b
delete pods --all --grace-period=0 --force => deleted
apply -k kust => configmap/test-gen
delete -k kust => deleted
create configmap m --from-literal=a=b => created
create secret generic s --from-literal=a=b => created
create secret docker-registry d --docker-username=u --docker-password=p => created
create quota q --hard=pods=10 => created
create priorityclass low --value=1 => created
create pdb p --selector=a=b --min-available=50% => created
create ingress i --rule=foo.com/bar=svc:80 => created
create service externalname e --external-name=example.org => created
create service nodeport n --tcp=80:8080 => created
create namespace other => created
delete namespace other --timeout=60s => deleted
get all,quota,pdb,ingress,secrets -o wide => service/kubernetes
"#;

fn write(cluster: &Cluster, files: &[(&str, &str)]) -> Result<()> {
    for (name, text) in files {
        std::fs::write(cluster.scratch().join(name), text)?;
    }
    Ok(())
}

/// An editor that replaces one word by another.
fn editor(cluster: &Cluster, name: &str, from: &str, to: &str) -> Result<()> {
    let file = cluster.scratch().join(name);
    std::fs::write(&file, format!("#!/bin/sh\nsed -i 's/{from}/{to}/g' \"$1\"\n"))?;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755))?;
    Ok(())
}

#[test]
fn objects_are_made_changed_compared_and_deleted() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    let changed = POD.replace("web:1", "web:2");
    let bad = POD.replace("name: web,", "name: 'Not A Name',");
    let kustomization = "namePrefix: test-\nconfigMapGenerator: [{name: gen, literals: [a=b]}]\n";
    std::fs::create_dir(cluster.scratch().join("kust"))?;
    write(
        &cluster,
        &[
            ("pod.yaml", POD),
            ("changed.yaml", &changed),
            ("bad.yaml", &bad),
            ("labelled.yaml", &POD.replace("{name: one}}", "{name: two}}")),
            ("a.yaml", &POD.replace("name: one, labels: {name: one}", "name: a, labels: {set: x}")),
            ("b.yaml", &POD.replace("name: one, labels: {name: one}", "name: b, labels: {set: x}")),
            ("kust/kustomization.yaml", kustomization),
        ],
    )?;
    editor(&cluster, "ed", "web:1", "web:2")?;
    let ed = cluster.scratch().join("ed").to_string_lossy().into_owned();
    script::run(&cluster, &OBJECTS.replace("EDITOR=ED", &format!("EDITOR={ed}")))
}

#[test]
fn workloads_are_scaled_rolled_and_exposed() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    write(
        &cluster,
        &[("rc.yaml", CONTROLLER), ("site.yaml", DEPLOYMENT), ("ds.yaml", DAEMON_SET), ("sts.yaml", STATEFUL_SET)],
    )?;
    script::run(
        &cluster,
        r"
        create -f rc.yaml => created
        scale --current-replicas=2 --replicas=1 rc front => scaled
        ! scale --current-replicas=2 --replicas=3 rc front => Expected replicas to be 2
        expose rc front --port=80 => exposed
        set selector service front app=other => selector updated
        ! expose nodes node-1 => cannot expose
        autoscale rc front --max=3 --cpu-percent=70 => autoscaled
        get hpa front -o jsonpath={.spec.metrics[0].resource.target.averageUtilization} => 70
        delete hpa front => deleted
        autoscale rc front --max=3 => autoscaled
        get hpa front -o jsonpath={.spec.metrics[0].resource.target.averageUtilization} => 80
        delete rc,svc,hpa front => deleted
        create -f site.yaml => created
        set image deployment site web=drover.local/web:2 => image updated
        ! set image deployment site none=none => unable to find container
        set env deployment site A=b => env updated
        set env deployment site A- => env updated
        set resources deployment site -c=web --limits=memory=64Mi => resource requirements updated
        set serviceaccount deployment site default => serviceaccount updated
        ! rollout undo deployment site --to-revision=1000 => unable to find specified revision
        rollout undo deployment site --dry-run=server => site
        rollout undo deployment site => rolled back
        rollout pause deployment site => paused
        ! rollout restart deployment site => can't restart paused deployment
        rollout resume deployment site => resumed
        rollout restart deployment site => restarted
        rollout status deployment site --timeout=60s => successfully rolled out
        rollout history deployment site => REVISION
        get deployment site --show-managed-fields -o yaml => kubectl-rollout
        delete deployment site --cascade=foreground --timeout=60s => deleted
        apply -f ds.yaml => created
        apply -f ds.yaml => unchanged
        rollout status ds/bind --timeout=60s => successfully rolled out
        ~ get controllerrevisions => daemonset.apps/bind
        set image ds/bind *=drover.local/web:2 => image updated
        rollout undo ds/bind --to-revision=1 => rolled back
        delete -f ds.yaml => deleted
        apply -f sts.yaml => created
        scale --replicas=1 statefulset db => scaled
        ~ get pods => db-0
        rollout restart statefulset db => restarted
        delete -f sts.yaml => deleted
        create cronjob never --schedule='59 23 31 2 *' --image=drover.local/web:1 -- /web ls => created
        ~ events --for=cronjob/never => InvalidSchedule
        create job now --from=cronjob/never => created
        wait --for=condition=complete job/now --timeout=60s => condition met
        describe job now => Completed
        run solo --image=drover.local/web:1 --port=8080 --expose => service/solo created
        wait --for=jsonpath={.status.phase}=Running pod/solo --timeout=60s => condition met
        ! wait --for=condition=Nothing pod/solo --timeout=1s => timed out waiting for the condition
        delete pod/solo svc/solo --now => deleted
        wait --for=delete pod/solo --timeout=30s
        ",
    )
}

#[test]
fn nodes_are_tainted_cordoned_and_drained_and_pods_are_debugged() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    write(&cluster, &[("box.yaml", BOX), ("up.txt", "content\n")])?;
    script::run(
        &cluster,
        r"
        taint node node-1 dedicated=foo:PreferNoSchedule => tainted
        ! taint node node-1 dedicated=bar:PreferNoSchedule => already has dedicated taint(s)
        taint node node-1 dedicated- => untainted
        cordon node-1 --dry-run=server => cordoned (server dry run)
        cordon node-1 => cordoned
        cordon node-1 => already cordoned
        uncordon node-1 => uncordoned
        describe node node-1 => Allocated resources
        apply -f box.yaml => created
        wait --for=condition=Ready pod/box --timeout=60s => condition met
        logs box => hello
        exec box -- cat /etc/hostname => box
        ! exec box -- sh -c 'exit 3' => exit code 3
        cp up.txt box:/data/up.txt
        exec box -- cat /data/up.txt => content
        cp box:/data/up.txt down.txt
        debug box --image=drover.local/web:1 -c dbg --attach=false -- /web serve 9000
        ~ logs box -c dbg => serves /www on port 9000
        debug box --copy-to=box-copy --image=drover.local/web:1 -c dbg --attach=false -- /web serve 9001
        get pod box-copy -o jsonpath={.spec.containers[*].name} => box dbg
        debug node/node-1 --image=drover.local/web:1 --attach=false -- /web ls /host => Creating debugging pod
        create deployment site --image=drover.local/web:1 --replicas=2 => created
        rollout status deployment site --timeout=60s => successfully rolled out
        drain node-1 --dry-run=server --force --delete-emptydir-data => drained (server dry run)
        drain node-1 --force --delete-emptydir-data --timeout=60s => drained
        get node node-1 => SchedulingDisabled
        uncordon node-1 => uncordoned
        rollout status deployment site --timeout=60s => successfully rolled out
        ",
    )?;
    assert_eq!(std::fs::read_to_string(cluster.scratch().join("down.txt"))?, "content\n");
    Ok(())
}

#[test]
fn the_api_explains_itself_and_says_who_may_do_what() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    script::run(
        &cluster,
        r#"
        auth whoami => kubernetes-admin
        auth can-i delete nodes => yes
        ! auth can-i delete nodes --as=nobody => no
        auth can-i --list => selfsubjectrulesreviews
        ! get pods --as-group=foo => without impersonating a user
        create token default --duration=10m => ey
        create role reader --verb=get,list --resource=pods/status,deployments.apps => created
        ! create role bad --verb=get --resource=nothing => the server doesn't have a resource type "nothing"
        create rolebinding reader --role=reader --user=jane => created
        set subject rolebinding reader --user=joe => subjects updated
        auth can-i get pods --subresource=status --as=joe => yes
        create clusterrole url --verb=get --non-resource-url=/logs/* => created
        create clusterrolebinding admin --clusterrole=admin --serviceaccount=default:default => created
        describe clusterrole admin => PolicyRule
        cluster-info => control plane
        cluster-info dump => kube-system
        version => Server Version: v1.37
        api-versions => apps/v1
        api-resources --categories=all => deployments
        events -A => LAST SEEN
        get events -A => REASON
        get --raw /readyz?verbose => [+]
        get --raw /api/v1 => {"name":"configmaps","singularName":"configmap","namespaced":true,"kind":"ConfigMap","verbs":["create","delete","deletecollection","get","list","patch","update","watch"],"shortNames":["cm"],"storageVersionHash":
        get --raw /openapi/v2 => Watch for changes to the described resources
        explain deployments.spec.strategy --recursive => rollingUpdate
        "#,
    )?;
    for resource in cluster.kubectl(&["api-resources", "-o", "name"])?.lines() {
        // kubectl takes the group of these for a field of core's.
        if !["events.events.k8s.io", "nodes.metrics.k8s.io", "pods.metrics.k8s.io"].contains(&resource) {
            cluster.kubectl(&["explain", resource, "--recursive"])?;
        }
    }
    Ok(())
}

#[test]
fn certificates_are_approved_and_denied() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    let key = rcgen::KeyPair::generate()?;
    let mut params = rcgen::CertificateParams::new(Vec::<String>::new())?;
    params.distinguished_name.push(rcgen::DnType::CommonName, "jane");
    let request = STANDARD.encode(params.serialize_request(&key)?.pem()?);
    let csr = |name: &str| {
        json!({"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": name},
            "spec": {"signerName": "kubernetes.io/kube-apiserver-client", "request": request, "usages": ["client auth"]}})
    };
    write(&cluster, &[("yes.json", &csr("yes").to_string()), ("no.json", &csr("no").to_string())])?;
    script::run(
        &cluster,
        r"
        create -f yes.json --as=jane --as-group=system:masters => created
        get csr yes -o jsonpath={.spec.username} => jane
        certificate approve yes => approved
        ~ get csr => Approved,Issued
        create -f no.json => created
        certificate deny -f no.json => denied
        get csr no => Denied
        ",
    )
}
