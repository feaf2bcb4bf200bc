//! One suite over every row of the kinds table, and over a custom resource: a new kind gets these tests for a row and,
//! where it has required fields, a sample.

use crate::custom;
use crate::server::{Client, Lines, Server};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use kinds::row::{Row, Scope};
use serde_json::{Value, json};

const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";
const METADATA: &str = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";

/// The least that validation lets through of a kind that makes pods.
fn workload(kind: &str) -> Option<Value> {
    let template = json!({
        "metadata": {"labels": {"app": "x"}},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    });
    let selector = json!({"matchLabels": {"app": "x"}});
    Some(match kind {
        "Pod" => json!({"spec": template["spec"]}),
        "PodTemplate" => json!({"template": template}),
        "ReplicationController" => json!({"spec": {"selector": {"app": "x"}, "template": template}}),
        "ReplicaSet" | "Deployment" | "DaemonSet" => json!({"spec": {"selector": selector, "template": template}}),
        "StatefulSet" => json!({"spec": {"selector": selector, "template": template, "serviceName": "s"}}),
        "Job" => {
            json!({"spec": {"template": {"spec": {"restartPolicy": "Never", "containers": template["spec"]["containers"]}}}})
        }
        "CronJob" => json!({"spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {
            "template": {"spec": {"restartPolicy": "Never", "containers": template["spec"]["containers"]}}}}}}),
        _ => return None,
    })
}

/// The same of a kind that is about storage.
fn storage(kind: &str) -> Option<Value> {
    Some(match kind {
        "PersistentVolume" => {
            json!({"spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}}})
        }
        "PersistentVolumeClaim" => {
            json!({"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}})
        }
        "StorageClass" => json!({"provisioner": "example.com/p"}),
        "VolumeAttributesClass" => json!({"driverName": "example.com", "parameters": {"iops": "1"}}),
        "VolumeAttachment" => {
            json!({"spec": {"attacher": "a", "nodeName": "n", "source": {"persistentVolumeName": "v"}}})
        }
        "CSIDriver" => json!({"spec": {"attachRequired": false}}),
        "CSINode" => json!({"spec": {"drivers": []}}),
        "CSIStorageCapacity" => json!({"storageClassName": "s"}),
        _ => return None,
    })
}

/// The least that validation lets through, without metadata.
fn content(row: &Row) -> Value {
    if let Some(special) = workload(&row.kind).or_else(|| storage(&row.kind)) {
        return special;
    }
    let selector = json!({"matchLabels": {"app": "x"}});
    match &*row.kind {
        "Service" => json!({"spec": {"ports": [{"port": 80}], "selector": {"app": "x"}}}),
        "EndpointSlice" => json!({"addressType": "IPv4", "endpoints": []}),
        "Event" if row.group == "events.k8s.io" => json!({
            "regarding": {"kind": "Pod", "namespace": "suite", "name": "p"}, "reason": "R", "action": "A", "type": "Normal",
            "reportingController": "c.io/c", "reportingInstance": "i", "eventTime": "2026-01-01T00:00:00.000000Z"}),
        "Event" => {
            json!({"involvedObject": {"kind": "Pod", "namespace": "suite", "name": "p"}, "reason": "R", "type": "Normal"})
        }
        "ClusterRole" | "Role" => json!({"rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]}),
        "ClusterRoleBinding" | "RoleBinding" => json!({
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}}),
        "PriorityClass" => json!({"value": 10}),
        "Ingress" => json!({"spec": {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}}}),
        "IngressClass" => json!({"spec": {"controller": "example.com/c"}}),
        "NetworkPolicy" => json!({"spec": {"podSelector": {}}}),
        "PodDisruptionBudget" => json!({"spec": {"minAvailable": 1, "selector": selector}}),
        "HorizontalPodAutoscaler" => json!({"spec": {"maxReplicas": 3,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}}}),
        "RuntimeClass" => json!({"handler": "h"}),
        "CertificateSigningRequest" => {
            json!({"spec": {"request": "eA==", "signerName": "example.com/s", "usages": ["client auth"]}})
        }
        "CustomResourceDefinition" => json!({"spec": {"group": "example.com", "scope": "Namespaced",
            "names": {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}]}}),
        "APIService" => {
            json!({"spec": {"group": "example.com", "version": "v1", "groupPriorityMinimum": 1, "versionPriority": 1}})
        }
        "ResourceClaimTemplate" => json!({"spec": {"spec": {}}}),
        "ResourceSlice" => {
            json!({"spec": {"driver": "d.example.com", "pool": {"name": "p", "generation": 1, "resourceSliceCount": 1}, "allNodes": true}})
        }
        "ServiceCIDR" => json!({"spec": {"cidrs": ["10.99.0.0/16"]}}),
        "IPAddress" => {
            json!({"spec": {"parentRef": {"group": "", "resource": "services", "name": "s", "namespace": "suite"}}})
        }
        "FlowSchema" => json!({"spec": {"priorityLevelConfiguration": {"name": "exempt"}}}),
        "PriorityLevelConfiguration" => {
            json!({"spec": {"type": "Limited", "limited": {"limitResponse": {"type": "Reject"}}}})
        }
        "ResourceClaim" => json!({"spec": {}}),
        "DeviceTaintRule" => json!({"spec": {"taint": {"key": "example.com/k", "effect": "NoSchedule"}}}),
        "ValidatingAdmissionPolicy" => {
            json!({"spec": {"matchConstraints": constraints(), "validations": [{"expression": "true"}]}})
        }
        "MutatingAdmissionPolicy" => json!({"spec": {"matchConstraints": constraints(), "reinvocationPolicy": "Never",
            "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": "[]"}}]}}),
        "ValidatingAdmissionPolicyBinding" => json!({"spec": {"policyName": "p", "validationActions": ["Deny"]}}),
        "MutatingAdmissionPolicyBinding" => json!({"spec": {"policyName": "p"}}),
        "ClusterTrustBundle" => {
            json!({"spec": {"trustBundle": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"}})
        }
        "ControllerRevision" => json!({"data": {}, "revision": 1}),
        "PodCertificateRequest" => json!({"spec": {
            "signerName": "example.com/s", "podName": "p", "podUID": "u", "serviceAccountName": "s", "serviceAccountUID": "u",
            "nodeName": "n", "nodeUID": "u", "stubPKCS10Request": CERTIFICATE_REQUEST}}),
        "StorageVersionMigration" => json!({"spec": {"resource": {"group": "", "resource": "pods"}}}),
        _ => json!({}),
    }
}

/// Of an Ed25519 key, in the name of nobody.
const CERTIFICATE_REQUEST: &str = concat!(
    "MH8wMwIBADAAMCowBQYDK2VwAyEA46C1+tVzTlH1BvfAp51Y8oc7+HGI3b3jGyup80tgO9CgADAFBgMrZXADQQA+KMsqu4cO/sBC",
    "mYVB0IfJCFrs97H0pYe9Yc4OqDhpNQgHJozGoaFau3hboCsYPrDsWW/zbSJCiddPibBmFxAJ"
);

/// Deployments that are created: any resource does.
fn constraints() -> Value {
    json!({"resourceRules": [
        {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["deployments"]},
    ]})
}

fn is_protected(row: &Row) -> bool {
    matches!(&*row.kind, "PersistentVolume" | "PersistentVolumeClaim" | "VolumeAttributesClass")
}

/// Does a controller's work on storage objects, which are held until nobody uses them.
async fn unprotect(client: &Client, row: &Row, one: &str) {
    if is_protected(row) {
        client.patch(one, "merge", &json!({"metadata": {"finalizers": null}})).await.expect(200);
    }
}

/// An object that validation lets through.
fn sample(row: &Row, name: &str) -> Value {
    let mut object = json!({
        "apiVersion": row.api_version(), "kind": row.kind, "metadata": {"name": name, "labels": {"suite": name}},
    });
    if let (Some(object), Value::Object(content)) = (object.as_object_mut(), content(row)) {
        object.extend(content);
    }
    match &*row.kind {
        // Its name is made of group and version.
        "APIService" => object["spec"]["version"] = json!(name.split('.').next()),
        "CertificateSigningRequest" => object["spec"]["request"] = json!(signing_request()),
        _ => {}
    }
    object
}

/// What a certificate is asked for by, in base64.
pub(crate) fn signing_request() -> String {
    let key = rcgen::KeyPair::generate().expect("a key");
    let request = rcgen::CertificateParams::default().serialize_request(&key).expect("a request");
    STANDARD.encode(request.pem().expect("PEM"))
}

/// Some kinds' names follow from their content.
fn names(row: &Row) -> [String; 2] {
    match &*row.kind {
        "CustomResourceDefinition" => ["things.example.com".into(), "things2.example.com".into()],
        "APIService" => ["v1.example.com".into(), "v2.example.com".into()],
        "IPAddress" => ["10.43.9.1".into(), "10.43.9.2".into()],
        _ => ["one".into(), "two".into()],
    }
}

fn collection(row: &Row) -> String {
    let root = match &*row.group {
        "" => format!("/api/{}", row.version),
        group => format!("/apis/{group}/{}", row.version),
    };
    match row.scope {
        Scope::Namespaced => format!("{root}/namespaces/suite/{}", row.plural),
        Scope::Cluster => format!("{root}/{}", row.plural),
    }
}

/// A kind that is not in the table.
fn gizmos() -> Value {
    json!({"metadata": {"name": "gizmos.suite.example.org"}, "spec": {"group": "suite.example.org", "scope": "Namespaced",
        "names": {"plural": "gizmos", "singular": "gizmo", "kind": "Gizmo", "listKind": "GizmoList"},
        "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
            "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}})
}

/// Whether the server itself writes to new objects of the kind, or takes its time to delete them.
fn has_a_life_of_its_own(row: &Row) -> bool {
    matches!(row.plural.as_ref(), "customresourcedefinitions" | "flowschemas")
}

/// Runs `test` for every stored kind, and for a custom one, and says which one broke.
async fn for_every_kind<F: Future<Output = Result<(), String>>>(test: impl Fn(Client, &'static Row, String) -> F) {
    let server = Server::start().await;
    let client = server.admin();
    client.namespace("suite").await;
    let mut broken = Vec::new();
    let definition = gizmos();
    custom::define(&client, &definition).await;
    let custom = kinds::custom::kinds_of(&definition);
    for kind in kinds::table::builtin().iter().chain(&custom) {
        let row: &'static Row = Box::leak(Box::new(kind.row().clone()));
        if !row.has_verb("create") || !row.has_verb("get") {
            continue;
        }
        if let Err(why) = test(client.clone(), row, collection(row)).await {
            broken.push(format!("{}/{} {}: {why}", row.group, row.version, row.kind));
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

macro_rules! check {
    ($left:expr, $right:expr, $what:expr) => {
        let (left, right) = (&$left, &$right);
        if *left != *right {
            return Err(format!("{}: {left:?} != {right:?}", $what));
        }
    };
}

#[tokio::test]
async fn create_get_list_and_delete() {
    for_every_kind(|client, row, at| async move {
        let [name, other] = names(row);
        let created = client.post(&at, &sample(row, &name)).await;
        check!(created.code, 201, created.text);
        for field in ["uid", "creationTimestamp", "resourceVersion"] {
            check!(created.body["metadata"][field].is_string(), true, field);
        }
        check!(created.body["apiVersion"], row.api_version(), "apiVersion");
        let again = client.post(&at, &sample(row, &name)).await;
        check!((again.code.as_u16(), again.reason()), (409, "AlreadyExists"), again.text);

        let got = client.get(&format!("{at}/{name}")).await;
        check!(got.body, created.body, "get shows what create returned");
        let missing = client.get(&format!("{at}/{other}")).await;
        check!((missing.code.as_u16(), missing.reason()), (404, "NotFound"), missing.text);

        let listed = client.get(&format!("{at}?labelSelector=suite%3D{name}")).await;
        check!(listed.body["kind"], row.list_kind.to_string(), "list kind");
        check!(listed.names(), vec![name.clone()], "label selector");
        let listed = client.get(&format!("{at}?fieldSelector=metadata.name%3D{name}")).await;
        check!(listed.names(), vec![name.clone()], "field selector");
        let refused = client.get(&format!("{at}?fieldSelector=spec.nonsense%3D1")).await;
        check!(refused.code, 400, refused.text);

        let dry = client.delete(&format!("{at}/{name}?dryRun=All")).await;
        check!(dry.code, 200, dry.text);
        check!(client.get(&format!("{at}/{name}")).await.code, 200, "a dry delete deletes nothing");
        let background = json!({"propagationPolicy": "Background"});
        let deleted = client.delete_with(&format!("{at}/{name}"), &background).await;
        check!(deleted.code, 200, deleted.text);
        unprotect(&client, row, &format!("{at}/{name}")).await;
        if row.plural != "namespaces" && !has_a_life_of_its_own(row) {
            check!(client.get(&format!("{at}/{name}")).await.code, 404, "deleted");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn conflicts_dry_runs_and_silent_updates() {
    for_every_kind(|client, row, at| async move {
        if has_a_life_of_its_own(row) {
            return Ok(());
        }
        let [name, _] = names(row);
        let dry = client.post(&format!("{at}?dryRun=All"), &sample(row, &name)).await;
        check!(dry.code, 201, dry.text);
        check!(client.get(&format!("{at}/{name}")).await.code, 404, "a dry create creates nothing");
        let created = client.post(&at, &sample(row, &name)).await;
        check!(created.code, 201, created.text);
        let one = format!("{at}/{name}");

        let same = client.put(&one, &created.body).await;
        check!(same.code, 200, same.text);
        check!(same.rev(), created.rev(), "an update that changes nothing is not written");

        let mut changed = created.body.clone();
        changed["metadata"]["labels"]["more"] = json!("x");
        let dry = client.put(&format!("{one}?dryRun=All"), &changed).await;
        check!(dry.body["metadata"]["labels"]["more"], "x", dry.text);
        let first = client.put(&one, &changed).await;
        check!(first.code, 200, first.text);
        check!(first.rev() > created.rev(), true, "a new revision");
        check!(first.body["metadata"]["uid"], created.body["metadata"]["uid"], "uid stays");
        let stale = client.put(&one, &changed).await;
        check!((stale.code.as_u16(), stale.reason()), (409, "Conflict"), stale.text);

        let patched = client.patch(&one, "merge", &json!({"metadata": {"annotations": {"a": "b"}}})).await;
        check!(patched.body["metadata"]["annotations"]["a"], "b", patched.text);
        let op = json!([{"op": "add", "path": "/metadata/annotations/c", "value": "d"}]);
        let patched = client.patch(&one, "json", &op).await;
        check!(patched.body["metadata"]["annotations"]["c"], "d", patched.text);
        let test = json!([{"op": "test", "path": "/metadata/name", "value": "other"}]);
        check!(client.patch(&one, "json", &test).await.code, 422, "a JSON patch whose test fails");
        let bound = json!({"metadata": {"resourceVersion": "1", "labels": {"z": "z"}}});
        check!(client.patch(&one, "merge", &bound).await.code, 409, "a patch bound to an old revision");
        let patched = client.patch(&one, "strategic", &json!({"metadata": {"labels": {"s": "t"}}})).await;
        if kinds::table::find(&row.group, &row.version, &row.plural).is_some() {
            check!(patched.body["metadata"]["labels"]["s"], "t", patched.text);
        } else {
            check!(patched.code, 415, patched.text);
        }

        let wrong = client.delete_with(&one, &json!({"preconditions": {"uid": "other"}})).await;
        check!(wrong.code, 409, wrong.text);
        client.delete_with(&one, &json!({"propagationPolicy": "Background"})).await;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn finalizers_hold_a_deleted_object() {
    for_every_kind(|client, row, at| async move {
        if row.plural == "namespaces" {
            return Ok(());
        }
        let [name, _] = names(row);
        let mut object = sample(row, &name);
        object["metadata"]["finalizers"] = json!(["example.com/hold"]);
        let created = client.post(&at, &object).await;
        check!(created.code, 201, created.text);
        let one = format!("{at}/{name}");
        let marked = client.delete_with(&one, &json!({"propagationPolicy": "Background"})).await;
        check!(marked.body["metadata"]["deletionTimestamp"].is_string(), true, marked.text);
        let still = client.get(&one).await;
        check!(still.code, 200, "held");
        let freed = client.patch(&one, "merge", &json!({"metadata": {"finalizers": null}})).await;
        check!(freed.code, 200, freed.text);
        check!(client.get(&one).await.code, 404, "gone with its last finalizer");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn watches_see_each_change_once() {
    for_every_kind(|client, row, at| async move {
        if has_a_life_of_its_own(row) {
            return Ok(());
        }
        let [name, _] = names(row);
        let rev = client.get(&at).await.rev();
        let mut watch: Lines =
            client.watch(&format!("{at}?watch=1&resourceVersion={rev}&labelSelector=suite%3D{name}")).await;
        let created = client.post(&at, &sample(row, &name)).await;
        check!(created.code, 201, created.text);
        let one = format!("{at}/{name}");
        client.patch(&one, "merge", &json!({"metadata": {"annotations": {"a": "b"}}})).await;
        client.patch(&one, "merge", &json!({"metadata": {"labels": {"suite": "left"}}})).await;
        let back = client.patch(&one, "merge", &json!({"metadata": {"labels": {"suite": name}}})).await;
        let words = [watch.word().await, watch.word().await, watch.word().await, watch.word().await];
        let expected = ["ADDED", "MODIFIED", "DELETED", "ADDED"].map(|ty| format!("{ty} {name}"));
        check!(words, expected, "events");
        if is_protected(row) {
            unprotect(&client, row, &one).await;
            check!(watch.word().await, format!("MODIFIED {name}"), "it is let go");
        }
        client.delete_with(&one, &json!({"propagationPolicy": "Background", "gracePeriodSeconds": 0})).await;
        let last = watch.next().await.ok_or("the watch ended")?;
        let gone = if row.plural == "namespaces" { "MODIFIED" } else { "DELETED" };
        check!(last["type"], gone, "the last event");
        let shown: u64 =
            last["object"]["metadata"]["resourceVersion"].as_str().and_then(|rev| rev.parse().ok()).unwrap_or(0);
        check!(shown > back.rev(), true, "a delete carries its own revision");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn tables_and_metadata() {
    for_every_kind(|client, row, at| async move {
        let [name, _] = names(row);
        check!(client.post(&at, &sample(row, &name)).await.code, 201, "create");
        let table = client.get_as(&at, TABLE).await;
        check!(table.body["kind"], "Table", table.text);
        let columns = table.body["columnDefinitions"].as_array().map_or(0, Vec::len);
        check!(columns, row.columns.len(), "columns");
        for line in table.body["rows"].as_array().into_iter().flatten() {
            check!(line["cells"].as_array().map_or(0, Vec::len), columns, format!("cells of {line}"));
            check!(line["object"]["kind"], "PartialObjectMetadata", "the row's object");
        }
        let partial = client.get_as(&format!("{at}/{name}"), METADATA).await;
        check!(partial.body["kind"], "PartialObjectMetadata", partial.text);
        check!(partial.body.get("spec").is_none(), true, "only metadata");
        client.delete_with(&format!("{at}/{name}"), &json!({"propagationPolicy": "Background"})).await;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn collections_are_deleted_by_selector() {
    for_every_kind(|client, row, at| async move {
        if !row.has_verb("deletecollection") {
            return Ok(());
        }
        let [name, _] = names(row);
        check!(client.post(&at, &sample(row, &name)).await.code, 201, "create");
        let none = client.delete(&format!("{at}?labelSelector=suite%3Dnobody")).await;
        check!(none.code, 200, none.text);
        check!(client.get(&format!("{at}/{name}")).await.code, 200, "not selected");
        let uri = format!("{at}?labelSelector=suite%3D{name}&propagationPolicy=Background");
        let all = client.ask(Method::DELETE, &uri, &[], Vec::new()).await;
        check!(all.names(), vec![name.clone()], all.text);
        unprotect(&client, row, &format!("{at}/{name}")).await;
        if !has_a_life_of_its_own(row) {
            check!(client.get(&format!("{at}/{name}")).await.code, 404, "selected");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn status_and_the_rest_are_written_apart() {
    for_every_kind(|client, row, at| async move {
        if row.subresource("status").is_none() {
            return Ok(());
        }
        let [name, _] = names(row);
        let mut object = sample(row, &name);
        object["status"] = json!({"conditions": []});
        let created = client.post(&at, &object).await;
        check!(created.code, 201, created.text);
        let got = client.get(&format!("{at}/{name}/status")).await;
        check!(got.code, 200, got.text);
        let generation = &created.body["metadata"]["generation"];
        let patched = client
            .patch(&format!("{at}/{name}/status"), "merge", &json!({"metadata": {"annotations": {"x": "y"}}}))
            .await;
        check!(patched.code, 200, patched.text);
        check!(&patched.body["metadata"]["generation"], generation, "status leaves the generation alone");
        check!(&patched.body["spec"], &created.body["spec"], "status leaves spec alone");
        client.delete_with(&format!("{at}/{name}"), &json!({"propagationPolicy": "Background"})).await;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_json_patch_finds_the_status_of_a_new_object() {
    for_every_kind(|client, row, at| async move {
        if row.subresource("status").is_none() || kinds::schema::lookup(&row.schema).is_none() {
            return Ok(());
        }
        let [name, _] = names(row);
        let mut object = sample(row, &name);
        object.as_object_mut().expect("a sample is an object").remove("status");
        let created = client.post(&at, &object).await;
        check!(created.code, 201, created.text);
        // Holds where the parent is there.
        let nothing = json!([{"op": "test", "path": "/status/nothing", "value": null}]);
        let patched = client.patch(&format!("{at}/{name}/status"), "json", &nothing).await;
        check!(patched.code, 200, patched.text);
        client.delete_with(&format!("{at}/{name}"), &json!({"propagationPolicy": "Background"})).await;
        Ok(())
    })
    .await;
}
