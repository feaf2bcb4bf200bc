//! Server-side apply over HTTP: creation, conflicts, what is written and what is not, subresources, YAML.

use crate::server::{Answer, Server};
use http::Method;
use serde_json::{Value, json};

const AT: &str = "/apis/apps/v1/namespaces/default/deployments/web";

fn web(spec: &Value) -> Value {
    let mut web = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i",
            "ports": [{"containerPort": 80}]}]}}}});
    json_patch::merge(&mut web["spec"], spec);
    web
}

fn message(answer: &Answer) -> &str {
    answer.body["message"].as_str().unwrap_or("")
}

/// `manager operation/subresource apiVersion` of each entry.
fn managers(answer: &Answer) -> Vec<String> {
    let entries = answer.body["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    let text = |entry: &Value, field: &str| entry[field].as_str().unwrap_or("").to_owned();
    let line = |entry: &Value| {
        let [manager, operation, door, version] =
            ["manager", "operation", "subresource", "apiVersion"].map(|field| text(entry, field));
        format!("{manager} {operation}/{door} {version}")
    };
    let mut lines: Vec<String> = entries.iter().map(line).collect();
    // The list is sorted by time first, and the clock goes on.
    lines.sort();
    lines
}

#[tokio::test]
async fn apply_creates_then_changes_then_leaves_alone() {
    let server = Server::start().await;
    let client = server.admin();
    let mine = format!("{AT}?fieldManager=me");
    let created = client.apply(&mine, &web(&json!({"replicas": 2}))).await.expect(201);
    assert_eq!(managers(&created), ["me Apply/ apps/v1"]);
    let fields = &created.body["metadata"]["managedFields"][0]["fieldsV1"];
    let port = r#"k:{"containerPort":80,"protocol":"TCP"}"#;
    let container = &fields["f:spec"]["f:template"]["f:spec"]["f:containers"][r#"k:{"name":"c"}"#];
    assert_eq!(container["f:ports"][port], json!({".": {}, "f:containerPort": {}}), "{fields}");
    assert_eq!(container.get("f:imagePullPolicy"), None, "defaults are nobody's: {fields}");
    let again = client.apply(&mine, &web(&json!({"replicas": 2}))).await.expect(200);
    assert_eq!(again.rev(), created.rev(), "the same again is no change");
    let dry = client.apply(&format!("{mine}&dryRun=All"), &web(&json!({"replicas": 5}))).await.expect(200);
    assert_eq!(dry.body["spec"]["replicas"], 5);
    let changed = client.apply(&mine, &web(&json!({"replicas": 3}))).await.expect(200);
    assert!(changed.rev() > created.rev());
    assert_eq!(changed.body["metadata"]["generation"], 2);
    let less = client.apply(&mine, &web(&json!({}))).await.expect(200);
    assert_eq!(less.body["spec"]["replicas"], 1, "what is not applied any more has its default again");
}

#[tokio::test]
async fn conflicts_name_the_field_and_its_owner() {
    let server = Server::start().await;
    let client = server.admin();
    client.apply(&format!("{AT}?fieldManager=me"), &web(&json!({"replicas": 2}))).await.expect(201);
    let scaled = client
        .patch(&format!("{AT}?fieldManager=kubectl"), "merge", &json!({"spec": {"replicas": 7}}))
        .await
        .expect(200);
    assert_eq!(managers(&scaled), ["kubectl Update/ apps/v1", "me Apply/ apps/v1"]);
    let refused = client.apply(&format!("{AT}?fieldManager=me"), &web(&json!({"replicas": 2}))).await.expect(409);
    assert_eq!(
        message(&refused),
        r#"Apply failed with 1 conflict: conflict with "kubectl" using apps/v1: .spec.replicas"#
    );
    assert_eq!(
        refused.body["details"]["causes"],
        json!([{"reason": "FieldManagerConflict", "message": r#"conflict with "kubectl" using apps/v1"#, "field": ".spec.replicas"}])
    );
    let forced =
        client.apply(&format!("{AT}?fieldManager=me&force=true"), &web(&json!({"replicas": 2}))).await.expect(200);
    assert_eq!((managers(&forced), &forced.body["spec"]["replicas"]), (vec!["me Apply/ apps/v1".into()], &json!(2)));
}

#[tokio::test]
async fn what_is_no_apply_is_refused() {
    let server = Server::start().await;
    let client = server.admin();
    let mine = format!("{AT}?fieldManager=me");
    let nobody = client.apply(AT, &web(&json!({}))).await.expect(422);
    assert!(message(&nobody).ends_with("fieldManager: Required value: is required for apply patch"), "{}", nobody.text);
    let mut owned = web(&json!({}));
    owned["metadata"]["managedFields"] = json!([]);
    assert_eq!(message(&client.apply(&mine, &owned).await.expect(400)), "metadata.managedFields must be nil");
    let unknown = client.apply(&mine, &web(&json!({"foo": 1, "bar": 1}))).await.expect(500);
    assert!(
        message(&unknown).contains("errors:\n  .spec.bar: field not declared in schema\n  .spec.foo: "),
        "{}",
        unknown.text
    );
    let kindless = client.apply(&mine, &json!({"metadata": {"name": "web"}})).await.expect(400);
    assert_eq!(message(&kindless), "invalid object type: /, Kind=");
    let mut other = web(&json!({}));
    other["metadata"]["name"] = "other".into();
    client.apply(&mine, &other).await.expect(400);
    let forced = client.patch(&format!("{AT}?force=true"), "merge", &json!({})).await.expect(422);
    assert!(message(&forced).contains("force: Forbidden: may not be specified for non-apply patch"), "{}", forced.text);
    let mut bound = web(&json!({}));
    bound["metadata"]["uid"] = "someone".into();
    let missing = client.apply(&mine, &bound).await.expect(409);
    assert!(message(&missing).contains("uid mismatch: the provided object specified uid someone"), "{}", missing.text);
}

#[tokio::test]
async fn yaml_is_read_with_its_duplicates() {
    let server = Server::start().await;
    let client = server.admin();
    let at = "/api/v1/namespaces/default/configmaps";
    let text = b"\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: m\ndata:\n  foo: '1'\n  foo: '2'\n".to_vec();
    let media = [("content-type", "application/apply-patch+yaml")];
    let uri = format!("{at}/m?fieldManager=me");
    let strict = client.ask(Method::PATCH, &format!("{uri}&fieldValidation=Strict"), &media, text.clone()).await;
    let expected = "error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  line 8: key \"foo\" already set in map";
    assert_eq!((strict.code.as_u16(), message(&strict)), (400, expected));
    let warned = client.ask(Method::PATCH, &uri, &media, text.clone()).await.expect(201);
    assert!(warned.warnings().concat().contains("already set in map"), "{:?}", warned.headers);
    assert_eq!(warned.body["data"]["foo"], "2");
    let posted = client
        .ask(Method::POST, &format!("{at}?fieldValidation=Strict"), &[("content-type", "application/yaml")], text)
        .await
        .expect(400);
    assert!(message(&posted).contains("strict decoding error: error converting YAML to JSON"), "{}", posted.text);
}

#[tokio::test]
async fn status_and_scale_are_applied_by_their_own_doors() {
    let server = Server::start().await;
    let client = server.admin();
    client.apply(&format!("{AT}?fieldManager=me"), &web(&json!({"replicas": 2}))).await.expect(201);
    let status = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"replicas": 9}, "status": {"conditions": [{"type": "T", "status": "True"}]}});
    let seen = client.apply(&format!("{AT}/status?fieldManager=ctl&force=true"), &status).await.expect(200);
    assert_eq!(seen.body["spec"]["replicas"], 2);
    assert_eq!(seen.body["status"]["conditions"][0]["type"], "T");
    assert_eq!(managers(&seen), ["ctl Apply/status apps/v1", "me Apply/ apps/v1"]);
    let scale =
        json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "web"}, "spec": {"replicas": 4}});
    let refused = client.apply(&format!("{AT}/scale?fieldManager=hpa"), &scale).await.expect(409);
    assert!(message(&refused).ends_with(r#"conflict with "me": .spec.replicas"#), "{}", refused.text);
    client.apply(&format!("{AT}/scale?fieldManager=hpa&force=true"), &scale).await.expect(200);
    let now = client.get(AT).await.expect(200);
    assert_eq!(now.body["spec"]["replicas"], 4);
    assert_eq!(managers(&now), ["ctl Apply/status apps/v1", "hpa Apply/scale apps/v1", "me Apply/ apps/v1"]);
    // Who scales by any other means owns the replicas, and no applier does.
    client
        .patch(&format!("{AT}/scale?fieldManager=kubectl"), "merge", &json!({"spec": {"replicas": 5}}))
        .await
        .expect(200);
    let now = client.get(AT).await.expect(200);
    assert!(managers(&now).contains(&"kubectl Update/scale apps/v1".to_owned()), "{:?}", managers(&now));
    assert!(!managers(&now).iter().any(|entry| entry.starts_with("hpa")), "{:?}", managers(&now));
}

#[tokio::test]
async fn an_owner_keeps_its_version_whatever_others_write_in() {
    let server = Server::start().await;
    let client = server.admin();
    let at = |version: &str, manager: &str| {
        format!("/apis/autoscaling/{version}/namespaces/default/horizontalpodautoscalers/web?fieldManager={manager}")
    };
    let scaler = |version: &str, spec: &Value| {
        let mut scaler = json!({"apiVersion": format!("autoscaling/{version}"), "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "web"}, "spec": {"maxReplicas": 5, "scaleTargetRef": {"kind": "Deployment", "name": "web"}}});
        json_patch::merge(&mut scaler["spec"], spec);
        scaler
    };
    let cpu = |percent: i32| {
        json!({"metrics": [{"type": "Resource", "resource": {"name": "cpu",
            "target": {"type": "Utilization", "averageUtilization": percent}}}]})
    };
    let old = scaler("v1", &json!({"targetCPUUtilizationPercentage": 50}));
    client.apply(&at("v1", "old"), &old).await.expect(201);
    // The same in other words is no conflict.
    let shared = client.apply(&at("v2", "new"), &scaler("v2", &cpu(50))).await.expect(200);
    assert_eq!(managers(&shared), ["new Apply/ autoscaling/v2", "old Apply/ autoscaling/v1"]);
    let refused = client.apply(&at("v2", "new"), &scaler("v2", &cpu(60))).await.expect(409);
    assert_eq!(
        message(&refused),
        r#"Apply failed with 1 conflict: conflict with "old": .spec.targetCPUUtilizationPercentage"#
    );
    let forced = client.apply(&format!("{}&force=true", at("v2", "new")), &scaler("v2", &cpu(60))).await.expect(200);
    let entries = forced.body["metadata"]["managedFields"].as_array().unwrap();
    let of_old = entries.iter().find(|entry| entry["manager"] == "old").unwrap();
    assert_eq!(of_old["fieldsV1"]["f:spec"].get("f:targetCPUUtilizationPercentage"), None, "{of_old}");
    assert!(of_old["fieldsV1"]["f:spec"].get("f:maxReplicas").is_some(), "{of_old}");
    // What an applier stated in the one version, and does not in the other, goes.
    client.apply(&at("v1", "third"), &scaler("v1", &json!({"minReplicas": 3}))).await.expect(200);
    let seen = client.apply(&at("v2", "third"), &scaler("v2", &json!({}))).await.expect(200);
    assert_eq!((&seen.body["spec"]["minReplicas"], &seen.body["spec"]["maxReplicas"]), (&json!(1), &json!(5)));
    assert!(managers(&seen).contains(&"third Apply/ autoscaling/v2".to_owned()), "{:?}", managers(&seen));
    // A plain write in one version takes from an owner in the other.
    let patch = json!({"spec": {"targetCPUUtilizationPercentage": 70}});
    let patched = client.patch(&at("v1", "kubectl"), "merge", &patch).await.expect(200);
    let entries = patched.body["metadata"]["managedFields"].as_array().unwrap();
    let of_new = entries.iter().find(|entry| entry["manager"] == "new").unwrap();
    assert_eq!(of_new["fieldsV1"]["f:spec"].get("f:metrics"), None, "{of_new}");
}

#[tokio::test]
async fn a_list_of_no_owners_stops_their_tracking() {
    let server = Server::start().await;
    let client = server.admin();
    let at = "/api/v1/namespaces/default/configmaps/m";
    let map = |labels: Value, owners: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m", "labels": labels, "managedFields": owners}});
    let mut config = map(json!({"a": "b"}), Value::Null);
    config["metadata"].as_object_mut().unwrap().remove("managedFields");
    client.apply(&format!("{at}?fieldManager=me"), &config).await.expect(201);
    // Who knows nothing of owners leaves them alone.
    let kept = client.put(at, &config).await.expect(200);
    assert_eq!(managers(&kept), ["me Apply/ v1"]);
    let reset = client.put(at, &map(json!({"a": "b"}), json!([]))).await.expect(200);
    assert_eq!(reset.body["metadata"].get("managedFields"), None, "{}", reset.text);
    let patched = client.patch(at, "merge", &json!({"metadata": {"labels": {"a": "c"}}})).await.expect(200);
    assert_eq!(patched.body["metadata"].get("managedFields"), None, "{}", patched.text);
}

#[tokio::test]
async fn who_owned_a_reference_as_a_whole_does_not_keep_others_from_its_fields() {
    let server = Server::start().await;
    let client = server.admin();
    let volumes = "/api/v1/persistentvolumes";
    let spec = |claim: Value| json!({"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "16Mi"}, "hostPath": {"path": "/tmp/x"}, "claimRef": claim});
    let bound =
        json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": "c", "namespace": "default", "uid": "u"});
    let volume = json!({"metadata": {"name": "v"}, "spec": spec(bound.clone())});
    client.post(&format!("{volumes}?fieldManager=me"), &volume).await.expect(201);
    let owner = |manager: &str, operation: &str, fields: Value| json!({"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": fields});
    let owners = json!([
        owner("me", "Apply", json!({"f:spec": {"f:accessModes": {}}})),
        owner("binder", "Update", json!({"f:spec": {"f:claimRef": {}}})),
    ]);
    client.patch(&format!("{volumes}/v"), "merge", &json!({"metadata": {"managedFields": owners}})).await.expect(200);
    let mine = json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "v"},
        "spec": spec(json!({"name": "c", "namespace": "default"}))});
    let applied = client.apply(&format!("{volumes}/v?fieldManager=me"), &mine).await.expect(200);
    assert_eq!(applied.body["spec"]["claimRef"], bound, "what is not stated stays");
}

/// k8s: `paused: false` is not written (`omitempty`), and yet who applies it owns it, and has it
#[tokio::test]
async fn what_is_applied_as_nothing_is_owned_and_not_written() {
    let server = Server::start().await;
    let client = server.admin();
    let mine = format!("{AT}?fieldManager=me");
    let nothing = json!({"paused": false, "replicas": 0, "template": {"spec": {"hostname": "", "containers": [
        {"name": "c", "image": "i", "args": [], "tty": false}]}}});
    let made = client.apply(&mine, &web(&nothing)).await.expect(201);
    let spec = &made.body["spec"];
    assert_eq!((&spec["replicas"], spec.get("paused")), (&json!(0), None), "{spec}");
    let pod = &spec["template"]["spec"];
    assert_eq!(
        (pod.get("hostname"), pod["containers"][0].get("args"), pod["containers"][0].get("tty")),
        (None, None, None)
    );
    let owned = &made.body["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"];
    assert!(owned.get("f:paused").is_some() && owned["f:template"]["f:spec"].get("f:hostname").is_some(), "{owned}");
    let again = client.apply(&mine, &web(&nothing)).await.expect(200);
    assert_eq!(again.rev(), made.rev(), "the same again is no change");

    client.patch(&format!("{AT}?fieldManager=other"), "merge", &json!({"spec": {"paused": true}})).await.expect(200);
    let refused = client.apply(&mine, &web(&nothing)).await.expect(409);
    assert!(message(&refused).contains(".spec.paused"), "{}", refused.text);
    let forced = client.apply(&format!("{mine}&force=true"), &web(&nothing)).await.expect(200);
    assert_eq!(forced.body["spec"].get("paused"), None, "{}", forced.text);

    let scale =
        json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "web"}, "spec": {"replicas": 0}});
    client.patch(AT, "merge", &json!({"spec": {"replicas": 4}})).await.expect(200);
    client.apply(&format!("{AT}/scale?fieldManager=me&force=true"), &scale).await.expect(200);
    assert_eq!(client.get(AT).await.body["spec"]["replicas"], 0);
}
