//! Writes beyond what every kind shares: names, options, bodies that are wrong, subresources.

use crate::server::Server;
use http::Method;
use serde_json::{Value, json};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

#[tokio::test]
async fn generated_names_are_unique() {
    let server = Server::start().await;
    let client = server.admin();
    let body = json!({"metadata": {"generateName": "web-"}});
    let (a, b) = (client.post(MAPS, &body).await.expect(201), client.post(MAPS, &body).await.expect(201));
    let name = |answer: &crate::server::Answer| answer.body["metadata"]["name"].as_str().unwrap().to_owned();
    assert_ne!(name(&a), name(&b));
    assert!(name(&a).starts_with("web-") && name(&a).len() == 9, "{}", name(&a));
}

#[tokio::test]
async fn generation_counts_changes_of_spec() {
    let server = Server::start().await;
    let client = server.admin();
    let at = "/apis/apps/v1/namespaces/default/deployments";
    let deployment = json!({"metadata": {"name": "web"}, "spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}});
    let created = client.post(at, &deployment).await.expect(201);
    assert_eq!(created.body["metadata"]["generation"], 1);
    let one = format!("{at}/web");
    let scaled = client.patch(&one, "merge", &json!({"spec": {"replicas": 2}})).await.expect(200);
    assert_eq!(scaled.body["metadata"]["generation"], 2);
    let labelled = client.patch(&one, "merge", &json!({"metadata": {"labels": {"x": "y"}}})).await.expect(200);
    assert_eq!(labelled.body["metadata"]["generation"], 2);
    let status = client
        .patch(&format!("{one}/status"), "merge", &json!({"status": {"replicas": 2}, "spec": {"replicas": 9}}))
        .await;
    assert_eq!(status.body["spec"]["replicas"], 2, "{}", status.text);
    assert_eq!(status.body["status"]["replicas"], 2);
    let both = client.patch(&one, "merge", &json!({"status": {"replicas": 7}})).await.expect(200);
    assert_eq!(both.body["status"]["replicas"], 2);
}

#[tokio::test]
async fn scale_is_the_replicas_alone() {
    let server = Server::start().await;
    let client = server.admin();
    let at = "/apis/apps/v1/namespaces/default/deployments";
    let deployment = json!({"metadata": {"name": "web"}, "spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}});
    client.post(at, &deployment).await.expect(201);
    let scale = client.get(&format!("{at}/web/scale")).await.expect(200);
    assert_eq!((&scale.body["kind"], &scale.body["status"]["selector"]), (&json!("Scale"), &json!("a=b")));
    let scaled = client.patch(&format!("{at}/web/scale"), "merge", &json!({"spec": {"replicas": 5}})).await.expect(200);
    assert_eq!(scaled.body["spec"]["replicas"], 5);
    let stale = client.put(&format!("{at}/web/scale"), &scale.body).await;
    assert_eq!(stale.code, 409, "{}", stale.text);
    let negative = client.patch(&format!("{at}/web/scale"), "merge", &json!({"spec": {"replicas": -1}})).await;
    assert_eq!((negative.code.as_u16(), negative.reason()), (422, "Invalid"), "{}", negative.text);
    assert_eq!(client.get(&format!("{at}/web")).await.body["spec"]["replicas"], 5);
}

#[tokio::test]
async fn wrong_bodies_are_refused_with_a_status() {
    let server = Server::start().await;
    let client = server.admin();
    let json = &[("content-type", "application/json")];
    let deep = format!("{{\"data\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    type Row<'a> = (&'a [(&'a str, &'a str)], Vec<u8>, u16, &'a str);
    let table: Vec<Row<'_>> = vec![
        (json, b"{".to_vec(), 400, "BadRequest"),
        (json, b"[]".to_vec(), 400, "BadRequest"),
        (json, b"".to_vec(), 400, "BadRequest"),
        (json, deep.into_bytes(), 400, "BadRequest"),
        (json, vec![b' '; 4 << 20], 413, "RequestEntityTooLarge"),
        (json, br#"{"kind":"Secret","apiVersion":"v1","metadata":{"name":"a"}}"#.to_vec(), 400, "BadRequest"),
        (json, br#"{"metadata":{"name":"a","namespace":"other"}}"#.to_vec(), 400, "BadRequest"),
        (json, br#"{"metadata":{}}"#.to_vec(), 422, "Invalid"),
        (json, br#"{"metadata":{"name":"A_b"}}"#.to_vec(), 422, "Invalid"),
        (&[("content-type", "application/vnd.kubernetes.protobuf")], b"k8s\0".to_vec(), 400, "BadRequest"),
        (&[("content-type", "application/cbor")], b"x".to_vec(), 415, "UnsupportedMediaType"),
        (&[("content-type", "application/yaml")], b"metadata: [".to_vec(), 400, "BadRequest"),
        (&[("accept", "text/html")], b"{}".to_vec(), 406, "NotAcceptable"),
    ];
    for (headers, body, code, reason) in table {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let answer = client.ask(Method::POST, MAPS, headers, body).await;
        assert_eq!((answer.code.as_u16(), answer.reason()), (code, reason), "{shown}: {}", answer.text);
        assert_eq!((&answer.body["kind"], &answer.body["code"]), (&json!("Status"), &json!(code)));
    }
    assert_eq!(client.get(MAPS).await.names(), ["kube-root-ca.crt"; 0], "nothing was stored");
}

#[tokio::test]
async fn yaml_goes_in_and_comes_out() {
    let server = Server::start().await;
    let client = server.admin();
    let yaml = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: y\ndata:\n  a: b\n".to_vec();
    client.ask(Method::POST, MAPS, &[("content-type", "application/yaml")], yaml).await.expect(201);
    let shown = client.get_as(&format!("{MAPS}/y"), "application/yaml").await.expect(200);
    assert!(shown.text.contains("data:\n  a: b\n"), "{}", shown.text);
}

#[tokio::test]
async fn methods_and_paths_that_are_not_served() {
    let server = Server::start().await;
    let client = server.admin();
    let table = [
        (Method::POST, "/api/v1/configmaps", 405),
        (Method::PUT, MAPS, 405),
        (Method::GET, "/api/v1/namespaces/default/things", 404),
        (Method::GET, "/api/v1/namespaces/default/nodes/x", 404),
        (Method::GET, "/api/v1/namespaces/default/configmaps/x/status", 404),
        (Method::GET, "/nothing", 404),
        (Method::DELETE, "/api/v1/namespaces", 405),
    ];
    for (method, uri, code) in table {
        let answer = client.ask(method.clone(), uri, &[], b"{}".to_vec()).await;
        assert_eq!(answer.code.as_u16(), code, "{method} {uri}: {}", answer.text);
    }
}

#[tokio::test]
async fn strangers_are_told_what_they_may_not_do() {
    let server = Server::start().await;
    let answer = server.user("eve", &[]).get("/api/v1/namespaces/default/pods").await.expect(403);
    let message =
        r#"pods is forbidden: User "eve" cannot list resource "pods" in API group "" in the namespace "default""#;
    assert_eq!(answer.body["message"], message);
    assert_eq!(answer.body["details"], json!({"kind": "pods"}));
}

#[tokio::test]
async fn a_pod_is_bound_once() {
    let server = Server::start().await;
    let client = server.admin();
    let at = "/api/v1/namespaces/default/pods";
    client.service_account("default").await;
    let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    client.post(at, &pod).await.expect(201);
    let promise = json!({"status": {"nominatedNodeName": "n2"}});
    let promised = client.patch(&format!("{at}/p/status"), "merge", &promise).await.expect(200);
    assert_eq!(promised.body["status"]["nominatedNodeName"], "n2");
    let binding = json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n1"}});
    client.post(&format!("{at}/p/binding"), &binding).await.expect(201);
    let bound = client.get(&format!("{at}/p")).await;
    assert_eq!(bound.body["spec"]["nodeName"], "n1");
    assert!(bound.body["status"]["nominatedNodeName"].is_null(), "no node makes room for it any more");
    assert_eq!(bound.body["metadata"]["generation"], 1, "a binding is no change of the user's wish");
    let again = client.post(&format!("{at}/p/binding"), &binding).await;
    assert_eq!((again.code.as_u16(), again.reason()), (409, "Conflict"), "{}", again.text);
    // Bound pods are stopped by their node, with a grace.
    let marked = client.delete(&format!("{at}/p")).await.expect(200);
    assert_eq!(marked.body["metadata"]["deletionGracePeriodSeconds"], 30);
    client.delete_with(&format!("{at}/p"), &json!({"gracePeriodSeconds": 0})).await.expect(200);
    client.get(&format!("{at}/p")).await.expect(404);
}

#[tokio::test]
async fn an_eviction_respects_the_budget() {
    let server = Server::start().await;
    let client = server.admin();
    let at = "/api/v1/namespaces/default";
    client.service_account("default").await;
    let pod =
        json!({"metadata": {"name": "p", "labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    client.post(&format!("{at}/pods"), &pod).await.expect(201);
    let ready = json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}});
    client.patch(&format!("{at}/pods/p/status"), "merge", &ready).await.expect(200);
    let budget =
        json!({"metadata": {"name": "b"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}}});
    let budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
    client.post(budgets, &budget).await.expect(201);
    let status = |allowed: i64| json!({"status": {"observedGeneration": 1, "disruptionsAllowed": allowed, "currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 1}});
    client.patch(&format!("{budgets}/b/status"), "merge", &status(0)).await.expect(200);
    let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}});
    let blocked = client.post(&format!("{at}/pods/p/eviction"), &eviction).await.expect(429);
    assert_eq!(blocked.body["details"]["causes"][0]["reason"], "DisruptionBudget");
    client.patch(&format!("{budgets}/b/status"), "merge", &status(1)).await.expect(200);
    client.post(&format!("{at}/pods/p/eviction"), &eviction).await.expect(201);
    client.get(&format!("{at}/pods/p")).await.expect(404);
}

#[tokio::test]
async fn an_evicted_pod_says_so_before_it_goes() {
    let server = Server::start().await;
    let client = server.admin();
    let at = "/api/v1/namespaces/default/pods";
    client.service_account("default").await;
    let pod = json!({"metadata": {"name": "p", "finalizers": ["example.com/held"]}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    client.post(at, &pod).await.expect(201);
    let ready = json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}});
    let rev =
        client.patch(&format!("{at}/p/status"), "merge", &ready).await.expect(200).body["metadata"]["resourceVersion"]
            .clone();
    let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"},
                          "deleteOptions": {"preconditions": {"resourceVersion": rev}}});
    client.post(&format!("{at}/p/eviction"), &eviction).await.expect(201);
    let pod = client.get(&format!("{at}/p")).await.expect(200).body;
    assert!(pod["metadata"]["deletionTimestamp"].is_string(), "{pod}");
    let conditions = pod["status"]["conditions"].as_array().unwrap();
    let told: Vec<&Value> = conditions.iter().filter(|condition| condition["type"] == "DisruptionTarget").collect();
    assert_eq!(
        (told.len(), &told[0]["status"], &told[0]["reason"]),
        (1, &json!("True"), &json!("EvictionByEvictionAPI"))
    );
}

#[tokio::test]
async fn every_writer_owns_the_fields_it_changed() {
    let server = Server::start().await;
    let client = server.admin();
    client
        .post(&format!("{MAPS}?fieldManager=one"), &json!({"metadata": {"name": "m"}, "data": {"a": "1", "b": "1"}}))
        .await
        .expect(201);
    let changed =
        client.patch(&format!("{MAPS}/m?fieldManager=two"), "merge", &json!({"data": {"b": "2"}})).await.expect(200);
    let owners: Vec<_> = changed.body["metadata"]["managedFields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["manager"].as_str().unwrap().to_owned(), entry["fieldsV1"]["f:data"].clone()))
        .collect();
    assert_eq!(owners, [("one".to_owned(), json!({".": {}, "f:a": {}})), ("two".to_owned(), json!({"f:b": {}})),]);
}

#[tokio::test]
async fn unknown_and_duplicate_fields_are_reported_as_asked() {
    let server = Server::start().await;
    let client = server.admin();
    let body = br#"{"metadata":{"name":"f"},"datta":{},"data":{"a":"1"},"data":{"a":"2"}}"#.to_vec();
    let json = &[("content-type", "application/json")];
    let strict =
        client.ask(Method::POST, &format!("{MAPS}?fieldValidation=Strict"), json, body.clone()).await.expect(400);
    let message = strict.body["message"].as_str().unwrap();
    assert!(message.contains(r#"strict decoding error: unknown field "datta", duplicate field "data""#), "{message}");
    let warned = client.ask(Method::POST, MAPS, json, body.clone()).await.expect(201);
    assert_eq!(warned.warnings(), [r#"299 - "unknown field \"datta\"""#, r#"299 - "duplicate field \"data\"""#]);
    assert_eq!(warned.body["data"]["a"], "2");
    client.delete(&format!("{MAPS}/f")).await.expect(200);
    let ignored = client.ask(Method::POST, &format!("{MAPS}?fieldValidation=Ignore"), json, body).await.expect(201);
    assert!(ignored.warnings().is_empty());
}

#[tokio::test]
async fn strategic_patches_merge_lists_by_their_keys() {
    let server = Server::start().await;
    let client = server.admin();
    let at = "/apis/apps/v1/namespaces/default/deployments";
    let deployment = json!({"metadata": {"name": "web"}, "spec": {"selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [
            {"name": "c", "image": "i"}, {"name": "d", "image": "j"}]}}}});
    client.post(at, &deployment).await.expect(201);
    let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": "d", "image": "new"}]}}}});
    let patched = client.patch(&format!("{at}/web"), "strategic", &patch).await.expect(200);
    let containers = patched.body["spec"]["template"]["spec"]["containers"].as_array().unwrap();
    let images: Vec<_> = containers.iter().map(|container| container["image"].as_str().unwrap()).collect();
    assert_eq!(images, ["i", "new"]);
}

async fn apply(client: &crate::server::Client, uri: &str, body: &Value) -> crate::server::Answer {
    let headers = &[("content-type", "application/apply-patch+yaml")];
    client.ask(Method::PATCH, uri, headers, body.to_string().into()).await
}

#[tokio::test]
async fn apply_creates_merges_takes_out_and_finds_conflicts() {
    let server = Server::start().await;
    let client = server.admin();
    let one = format!("{MAPS}/applied");
    let config =
        |data: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}, "data": data});
    let nameless = apply(&client, &one, &config(json!({}))).await;
    assert_eq!(nameless.code, 422, "{}", nameless.text);

    let created =
        apply(&client, &format!("{one}?fieldManager=a"), &config(json!({"x": "1", "y": "1"}))).await.expect(201);
    assert_eq!(created.body["metadata"]["managedFields"][0]["operation"], "Apply");
    let again =
        apply(&client, &format!("{one}?fieldManager=a"), &config(json!({"x": "1", "y": "1"}))).await.expect(200);
    assert_eq!(again.rev(), created.rev(), "nothing new is not written");

    let conflict = apply(&client, &format!("{one}?fieldManager=b"), &config(json!({"x": "2"}))).await.expect(409);
    assert_eq!(conflict.body["message"], r#"Apply failed with 1 conflict: conflict with "a": .data.x"#);
    assert_eq!(conflict.body["details"]["causes"][0]["reason"], "FieldManagerConflict");
    let forced = apply(&client, &format!("{one}?fieldManager=b&force=true"), &config(json!({"x": "2", "z": "2"})))
        .await
        .expect(200);
    assert_eq!(forced.body["data"], json!({"x": "2", "y": "1", "z": "2"}));

    // What an applier does not state any more goes, unless somebody else holds it.
    let less = apply(&client, &format!("{one}?fieldManager=a"), &config(json!({}))).await.expect(200);
    assert_eq!(less.body["data"], json!({"x": "2", "z": "2"}));
}

#[tokio::test]
async fn an_event_is_one_object_under_two_names() {
    let server = Server::start().await;
    let client = server.admin();
    let event = json!({"metadata": {"name": "e"}, "involvedObject": {"kind": "Pod", "namespace": "default", "name": "p"},
        "reason": "R", "message": "hello", "type": "Normal", "source": {"component": "c"}});
    client.post("/api/v1/namespaces/default/events", &event).await.expect(201);
    let other = client.get("/apis/events.k8s.io/v1/namespaces/default/events/e").await.expect(200);
    assert_eq!((&other.body["apiVersion"], &other.body["note"]), (&json!("events.k8s.io/v1"), &json!("hello")));
    assert_eq!(other.body["regarding"]["name"], "p");
    let listed = client.get("/apis/events.k8s.io/v1/namespaces/default/events").await.expect(200);
    assert_eq!(listed.body["items"][0]["note"], "hello");
    let core = client.get("/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3Dp").await.expect(200);
    assert_eq!(core.names(), ["e"]);
}

#[tokio::test]
async fn who_may_patch_but_not_create_creates_nothing_by_apply() {
    let server = Server::start().await;
    let admin = server.admin();
    let role = json!({"metadata": {"name": "patcher"}, "rules": [{"verbs": ["patch", "update"], "apiGroups": ["", "coordination.k8s.io"],
        "resources": ["configmaps", "leases"]}]});
    admin.post("/apis/rbac.authorization.k8s.io/v1/clusterroles", &role).await.expect(201);
    let binding = json!({"metadata": {"name": "patcher"}, "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "pat"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "patcher"}});
    let bound = admin.post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", &binding).await.expect(201);
    let pat = server.user("pat", &[]);
    // The role counts once the index has seen it: a patch of nothing is then a 404 and no longer a 403.
    while pat.patch(&format!("{MAPS}/none"), "merge", &json!({})).await.code == 403 {
        assert!(bound.rev() > 0);
        tokio::task::yield_now().await;
    }
    let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "new"}});
    let refused = apply(&pat, &format!("{MAPS}/new?fieldManager=pat"), &config).await.expect(403);
    assert!(
        refused.body["message"].as_str().unwrap().contains(r#"cannot create resource "configmaps""#),
        "{}",
        refused.text
    );
    let lease = json!({"metadata": {"name": "new"}, "spec": {}});
    pat.put("/apis/coordination.k8s.io/v1/namespaces/default/leases/new", &lease).await.expect(403);
}

#[tokio::test]
async fn a_resize_keeps_the_class_and_changes_resources_alone() {
    let server = Server::start().await;
    let client = server.admin();
    let at = "/api/v1/namespaces/default/pods";
    client.service_account("default").await;
    let same = |cpu: &str| json!({"requests": {"cpu": cpu, "memory": "1Mi"}, "limits": {"cpu": cpu, "memory": "1Mi"}});
    let pod = |resources: &Value| json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i", "resources": resources}]}});
    client.post(at, &pod(&same("1"))).await.expect(201);
    let resize =
        |resources: Value| json!({"spec": {"containers": [{"name": "c", "image": "other", "resources": resources}]}});
    let uri = format!("{at}/p/resize");
    let resized = client.patch(&uri, "strategic", &resize(same("2"))).await.expect(200);
    let container = &resized.body["spec"]["containers"][0];
    assert_eq!((&container["resources"], &container["image"]), (&same("2"), &json!("i")));
    assert_eq!(resized.body["metadata"]["generation"], 2);
    let table = [
        (json!({"requests": {"cpu": "1"}}), "spec", "Pod QOS Class may not change as a result of resizing"),
        (
            json!({"limits": {"cpu": null}, "requests": {"cpu": null}}),
            "spec.containers[0].resources.requests",
            "cannot be removed",
        ),
        (json!({"limits": {"ephemeral-storage": "1Gi"}}), "spec", "only cpu and memory resources are mutable"),
    ];
    for (resources, field, text) in table {
        let refused = client.patch(&uri, "strategic", &resize(resources)).await.expect(422);
        let causes = refused.body["details"]["causes"].as_array().unwrap();
        let named = |cause: &Value| cause["field"] == field && cause["message"].as_str().unwrap().contains(text);
        assert!(causes.iter().any(named), "{field} {text}: {causes:?}");
    }
}

#[tokio::test]
async fn a_bound_pod_is_not_resized_beyond_what_its_node_can_give() {
    let server = Server::start().await;
    let client = server.admin();
    let at = "/api/v1/namespaces/default/pods";
    client.service_account("default").await;
    let amounts = json!({"cpu": "2", "memory": "1Gi"});
    for (node, os) in [("linux", "linux"), ("other", "windows")] {
        let node =
            json!({"metadata": {"name": node, "labels": {"kubernetes.io/os": os}}, "status": {"allocatable": amounts}});
        client.post("/api/v1/nodes", &node).await.expect(201);
    }
    let spec = |cpu: &str, memory: &str| json!({"containers": [{"name": "c", "image": "i", "resources": {"requests": {"cpu": cpu, "memory": memory}}}]});
    for (pod, node) in [("p", json!("linux")), ("q", json!("other")), ("free", Value::Null)] {
        let mut spec = spec("1", "1Mi");
        spec["nodeName"] = node;
        client.post(at, &json!({"metadata": {"name": pod}, "spec": spec})).await.expect(201);
    }
    let resize = async |pod: &str, cpu: &str, memory: &str| {
        client.patch(&format!("{at}/{pod}/resize"), "strategic", &json!({"spec": spec(cpu, memory)})).await
    };
    resize("p", "2", "1Gi").await.expect(200);
    resize("free", "4", "1Mi").await.expect(200);
    resize("q", "1", "1Mi").await.expect(200);
    let refused = resize("p", "2500m", "2Gi").await.expect(403);
    let why = "node didn't have enough allocatable resources: cpu, requested: 2500, allocatable: 2000; memory, requested: 2147483648, allocatable: 1073741824";
    assert_eq!(refused.body["message"], format!("pods \"p\" is forbidden: {why}"));
    assert_eq!(
        (refused.reason(), &refused.body["details"]["causes"]),
        ("Forbidden", &json!([{"reason": "NodeCapacity"}]))
    );
    let refused = resize("q", "2", "1Mi").await.expect(403);
    assert_eq!(refused.body["details"]["causes"], json!([{"reason": "UnsupportedPlatform"}]), "{}", refused.text);
}

#[tokio::test]
async fn ephemeral_containers_come_and_stay() {
    let server = Server::start().await;
    let client = server.admin();
    let at = "/api/v1/namespaces/default/pods";
    client.service_account("default").await;
    let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    client.post(at, &pod).await.expect(201);
    let uri = format!("{at}/p/ephemeralcontainers");
    let add = json!({"spec": {"ephemeralContainers": [{"name": "debug", "image": "d"}]}});
    let added = client.patch(&uri, "strategic", &add).await.expect(200);
    assert_eq!(added.body["spec"]["ephemeralContainers"][0]["name"], "debug");
    let change = json!({"spec": {"ephemeralContainers": [{"name": "debug", "image": "e"}]}});
    let refused = client.patch(&uri, "strategic", &change).await.expect(422);
    assert_eq!(refused.body["details"]["causes"][0]["field"], "spec.ephemeralContainers");
    let remove = json!({"spec": {"ephemeralContainers": null}});
    let refused = client.patch(&uri, "merge", &remove).await.expect(422);
    assert!(refused.text.contains("may not be removed"), "{}", refused.text);
}

#[tokio::test]
async fn nothing_new_enters_a_namespace_that_ends_and_controllers_can_tell() {
    let server = Server::start().await;
    let client = server.admin();
    client.namespace("ending").await;
    client.delete("/api/v1/namespaces/ending").await.expect(200);
    let refused =
        client.post("/api/v1/namespaces/ending/configmaps", &json!({"metadata": {"name": "a"}})).await.expect(403);
    assert_eq!(
        refused.body["message"],
        "configmaps \"a\" is forbidden: unable to create new content in namespace ending because it is being terminated"
    );
    let cause = json!({"reason": "NamespaceTerminating", "message": "namespace ending is being terminated", "field": "metadata.namespace"});
    assert_eq!(refused.body["details"], json!({"name": "a", "kind": "configmaps", "causes": [cause]}));
    assert_eq!(refused.reason(), "Forbidden");
}

#[tokio::test]
async fn strategic_patches_of_status_replace_lists_and_delete_items_where_they_say_so() {
    let server = Server::start().await;
    let client = server.admin();
    let at = "/api/v1/namespaces/default/pods";
    client.service_account("default").await;
    let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    client.post(at, &pod).await.expect(201);
    let uri = format!("{at}/p/status");
    let first = json!({"status": {
        "podIP": "10.42.0.2", "podIPs": [{"ip": "10.42.0.2"}],
        "hostIP": "192.0.2.1", "hostIPs": [{"ip": "192.0.2.1"}],
        "conditions": [{"type": "Ready", "status": "True"}, {"type": "Initialized", "status": "True"}],
    }});
    client.patch(&uri, "strategic", &first).await.expect(200);
    let replace = json!({"$patch": "replace"});
    let next = json!({"status": {
        "podIP": "10.42.0.3", "podIPs": [{"ip": "10.42.0.3"}, replace],
        "hostIP": "192.0.2.2", "hostIPs": [replace, {"ip": "192.0.2.2"}],
        "conditions": [{"$patch": "delete", "type": "Initialized"}, {"type": "Ready", "status": "False"}],
    }});
    let status = client.patch(&uri, "strategic", &next).await.expect(200).body["status"].clone();
    assert_eq!(status["podIPs"], json!([{"ip": "10.42.0.3"}]));
    assert_eq!(status["hostIPs"], json!([{"ip": "192.0.2.2"}]));
    let conditions: Vec<_> =
        status["conditions"].as_array().unwrap().iter().map(|c| (&c["type"], &c["status"])).collect();
    assert_eq!(conditions, [(&json!("Ready"), &json!("False"))]);

    client.post("/api/v1/nodes", &json!({"metadata": {"name": "n"}})).await.expect(201);
    let uri = "/api/v1/nodes/n/status";
    let address = |text: &str| json!({"type": "InternalIP", "address": text});
    let first = json!({"status": {"addresses": [address("192.0.2.1"), {"type": "Hostname", "address": "n"}]}});
    client.patch(uri, "strategic", &first).await.expect(200);
    let next = json!({"status": {"addresses": [address("192.0.2.2"), replace]}});
    let node = client.patch(uri, "strategic", &next).await.expect(200);
    assert_eq!(node.body["status"]["addresses"], json!([address("192.0.2.2")]));
}

#[tokio::test]
async fn what_is_posted_to_an_object_creates_no_other() {
    let server = Server::start().await;
    let client = server.admin();
    let posted = client.post(&format!("{MAPS}/mine"), &json!({"metadata": {"name": "stolen"}})).await;
    assert_eq!((posted.code.as_u16(), posted.reason()), (405, "MethodNotAllowed"), "{}", posted.text);
    let posted = client.post("/api/v1/namespaces/mine", &json!({"metadata": {"name": "mine"}})).await;
    assert_eq!(posted.code, 405, "{}", posted.text);
    assert_eq!(client.get(&format!("{MAPS}/stolen")).await.code, 404);
}

#[tokio::test]
async fn who_replaces_a_lease_that_is_gone_does_not_make_another() {
    let server = Server::start().await;
    let client = server.admin();
    let lease = "/apis/coordination.k8s.io/v1/namespaces/default/leases/gone";
    let stale = client.put(lease, &json!({"metadata": {"name": "gone", "uid": "1"}, "spec": {}})).await;
    assert_eq!((stale.code.as_u16(), stale.reason()), (409, "Conflict"), "{}", stale.text);
    client.put(lease, &json!({"metadata": {"name": "gone"}, "spec": {}})).await.expect(201);
}

#[tokio::test]
async fn bodies_of_subresources_have_the_types_of_their_schema() {
    let server = Server::start().await;
    let client = server.admin();
    client.service_account("default").await;
    let tokens = "/api/v1/namespaces/default/serviceaccounts/default/token";
    let wrong = client.post(tokens, &json!({"spec": {"audiences": "vault"}})).await;
    assert_eq!((wrong.code.as_u16(), wrong.reason()), (400, "BadRequest"), "{}", wrong.text);
    let unknown = json!({"spec": {"audience": ["vault"]}});
    let strict = client.post(&format!("{tokens}?fieldValidation=Strict"), &unknown).await;
    assert_eq!(strict.code, 400, "{}", strict.text);
    let why = "strict decoding error: unknown field \"spec.audience\"";
    assert!(strict.body["message"].as_str().unwrap().ends_with(why), "{}", strict.text);
    client.post(&format!("{tokens}?fieldValidation=Ignore"), &unknown).await.expect(201);
}

#[tokio::test]
async fn a_namespace_is_in_none() {
    let server = Server::start().await;
    let client = server.admin();
    for path in ["namespaces/default/namespaces", "namespaces/default/namespaces/default"] {
        assert_eq!(client.get(&format!("/api/v1/{path}")).await.code, 404, "{path}");
    }
}

/// k8s: decoding and encoding again leaves out what is empty and `omitempty`
#[tokio::test]
async fn empty_texts_are_as_good_as_none() {
    let server = Server::start().await;
    let client = server.admin();
    let at = "/api/v1/namespaces/default/services";
    let spec = json!({"clusterIP": "", "type": "", "sessionAffinity": "", "externalName": "", "ports": [{"name": "", "port": 80}]});
    let service = json!({"metadata": {"name": "web", "namespace": "", "annotations": {"a": ""}}, "spec": spec});
    let made = client.post(at, &service).await.expect(201).body;
    assert!(made["spec"]["clusterIP"].as_str().is_some_and(|ip| ip.starts_with("10.43.")), "{made}");
    assert_eq!((&made["spec"]["type"], &made["spec"]["sessionAffinity"]), (&json!("ClusterIP"), &json!("None")));
    assert_eq!((made["spec"].get("externalName"), made["spec"]["ports"][0].get("name")), (None, None));
    assert_eq!(
        (&made["metadata"]["namespace"], &made["metadata"]["annotations"]["a"]),
        (&json!("default"), &json!(""))
    );
    let owned = made["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"].to_string();
    assert!(!owned.contains("f:externalName") && !owned.contains("f:name"), "{owned}");
    let claims = "/api/v1/namespaces/default/persistentvolumeclaims";
    let spec = json!({"accessModes": ["ReadWriteOnce"], "storageClassName": "", "volumeName": "",
        "resources": {"requests": {"storage": "1Gi"}}});
    let claim = client.post(claims, &json!({"metadata": {"name": "c"}, "spec": spec})).await.expect(201).body;
    assert_eq!((&claim["spec"]["storageClassName"], claim["spec"].get("volumeName")), (&json!(""), None));
}

/// k8s: routes of built-in kinds know no HEAD; the handler of custom resources reads it as GET
#[tokio::test]
async fn head_is_for_custom_resources_only() {
    let server = Server::start().await;
    let client = server.admin();
    client.post(MAPS, &json!({"metadata": {"name": "m"}})).await.expect(201);
    for path in [MAPS, &format!("{MAPS}/m"), "/api/v1/nodes/none"] {
        client.ask(Method::HEAD, path, &[], Vec::new()).await.expect(405);
    }
    let nobody = server.user("nobody", &[]);
    nobody.ask(Method::HEAD, MAPS, &[], Vec::new()).await.expect(403);
}
