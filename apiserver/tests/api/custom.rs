//! Custom resources from the outside: from the definition to the last instance.

use crate::server::{Client, Server};
use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};
use serde_json::{Value, json};

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const WIDGETS: &str = "/apis/example.com/v1/namespaces/default/widgets";
const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";

/// A definition with most of what a version can have.
fn widgets() -> Value {
    let schema = json!({"type": "object", "properties": {
        "spec": {"type": "object", "required": ["size"], "properties": {
            "size": {"type": "integer", "minimum": 1},
            "color": {"type": "string", "enum": ["red", "green"], "default": "red"},
            "replicas": {"type": "integer"},
            "ports": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "port": {"type": "integer"}}}}}},
        "status": {"type": "object", "properties": {"replicas": {"type": "integer"}, "selector": {"type": "string"}, "phase": {"type": "string"}}}}});
    json!({"metadata": {"name": "widgets.example.com"}, "spec": {"group": "example.com", "scope": "Namespaced",
        "names": {"plural": "widgets", "kind": "Widget", "shortNames": ["wd"], "categories": ["all"]},
        "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema},
            "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas",
                "labelSelectorPath": ".status.selector"}},
            "selectableFields": [{"jsonPath": ".spec.color"}],
            "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
                {"name": "Phase", "type": "string", "jsonPath": ".status.phase", "priority": 1}]}]}})
}

fn widget(name: &str) -> Value {
    json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": name}, "spec": {"size": 3}})
}

/// Returns once the definition is established.
pub(crate) async fn define(client: &Client, definition: &Value) {
    let name = definition["metadata"]["name"].as_str().unwrap();
    let uri = format!("{DEFINITIONS}?watch=1&fieldSelector=metadata.name%3D{name}&resourceVersion=0");
    let mut watch = client.watch(&uri).await;
    client.post(DEFINITIONS, definition).await.expect(201);
    loop {
        let event = watch.next().await.expect("the watch goes on");
        if condition(&event["object"], "Established") == "True" {
            return;
        }
    }
}

fn condition<'a>(definition: &'a Value, ty: &str) -> &'a str {
    let all = definition["status"]["conditions"].as_array().map_or(&[][..], Vec::as_slice);
    all.iter().find(|known| known["type"] == ty).and_then(|known| known["status"].as_str()).unwrap_or("")
}

async fn started() -> (Server, Client) {
    let server = Server::start().await;
    let client = server.admin();
    define(&client, &widgets()).await;
    (server, client)
}

#[tokio::test]
async fn a_definition_says_how_it_came_to_be_served() {
    let (_server, client) = started().await;
    let shown = client.get(&format!("{DEFINITIONS}/widgets.example.com")).await.expect(200).body;
    assert_eq!(shown["spec"]["names"]["listKind"], "WidgetList");
    assert_eq!(shown["status"]["acceptedNames"], shown["spec"]["names"]);
    assert_eq!(shown["status"]["storedVersions"], json!(["v1"]));
    let reasons: Vec<&str> =
        shown["status"]["conditions"].as_array().unwrap().iter().filter_map(|c| c["reason"].as_str()).collect();
    assert_eq!(reasons, ["NoConflicts", "InitialNamesAccepted"]);
}

#[tokio::test]
async fn an_established_kind_is_served_and_published_at_once() {
    let (_server, client) = started().await;
    let found = client.get("/apis/example.com/v1").await.expect(200).body;
    let resources: Vec<&str> =
        found["resources"].as_array().unwrap().iter().filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(resources, ["widgets", "widgets/status", "widgets/scale"]);
    assert_eq!(found["resources"][0]["shortNames"], json!(["wd"]));
    let openapi = client.get("/openapi/v3/apis/example.com/v1").await.expect(200).body;
    let schema = &openapi["components"]["schemas"]["com.example.v1.Widget"];
    assert_eq!(schema["properties"]["spec"]["properties"]["size"]["minimum"], json!(1), "{schema}");
    let selectable = json!([{"fieldPath": "spec.color"}]);
    assert_eq!(schema["x-kubernetes-selectable-fields"], selectable);
    let openapi = client.get("/openapi/v2").await.expect(200).body;
    assert_eq!(openapi["definitions"]["com.example.v1.Widget"]["x-kubernetes-selectable-fields"], selectable);
    assert_eq!(client.get("/apis/example.com/v2/widgets").await.code, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn objects_are_pruned_defaulted_and_validated() {
    let (_server, client) = started().await;
    let mut object = widget("a");
    object["spec"]["unheard"] = json!(1);
    object["status"] = json!({"phase": "Mine"});
    let strict = client.post(&format!("{WIDGETS}?fieldValidation=Strict"), &object).await.expect(400);
    assert!(strict.text.contains("strict decoding error: unknown field \\\"spec.unheard\\\""), "{}", strict.text);
    let made = client.post(WIDGETS, &object).await.expect(201);
    assert_eq!(made.warnings().len(), 1);
    assert_eq!(made.body["spec"], json!({"size": 3, "color": "red"}));
    assert!(made.body.get("status").is_none());
    assert_eq!(made.body["metadata"]["generation"], json!(1));
    let mut wrong = widget("b");
    wrong["spec"] = json!({"size": 0, "color": "blue"});
    let refused = client.post(WIDGETS, &wrong).await.expect(422);
    assert_eq!(
        refused.body["message"],
        "Widget.example.com \"b\" is invalid: [spec.color: Unsupported value: \"blue\": supported values: \"red\", \"green\", \
         spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1]"
    );
    client.post(WIDGETS, &json!({"metadata": {"name": "c"}, "spec": {}})).await.expect(422);
}

#[tokio::test]
async fn patches_apply_and_status_take_the_way_of_every_kind() {
    let (_server, client) = started().await;
    client.post(WIDGETS, &widget("a")).await.expect(201);
    let one = format!("{WIDGETS}/a");
    let patched = client.patch(&one, "merge", &json!({"spec": {"size": 4}})).await.expect(200);
    assert_eq!(patched.body["metadata"]["generation"], json!(2));
    client.patch(&one, "strategic", &json!({"spec": {"size": 4}})).await.expect(415);
    let status = client
        .patch(&format!("{one}/status"), "merge", &json!({"status": {"phase": "Ready"}, "spec": {"size": 9}}))
        .await;
    let status = status.expect(200).body;
    assert_eq!((&status["spec"]["size"], &status["status"]["phase"]), (&json!(4), &json!("Ready")));
    assert_eq!(status["metadata"]["generation"], json!(2));

    let apply = |manager: &'static str, ports: Value| {
        let config = json!({"apiVersion": "example.com/v1", "kind": "Widget", "spec": {"ports": ports}});
        let (client, uri) = (client.clone(), format!("{one}?fieldManager={manager}"));
        async move {
            let headers = [(CONTENT_TYPE.as_str(), "application/apply-patch+yaml")];
            client.ask(Method::PATCH, &uri, &headers, config.to_string().into()).await
        }
    };
    apply("one", json!([{"name": "a", "port": 1}])).await.expect(200);
    let both = apply("two", json!([{"name": "b", "port": 2}])).await.expect(200);
    assert_eq!(both.body["spec"]["ports"], json!([{"name": "a", "port": 1}, {"name": "b", "port": 2}]));
    let conflict = apply("two", json!([{"name": "a", "port": 7}, {"name": "b", "port": 2}])).await;
    assert_eq!(conflict.expect(409).body["details"]["causes"][0]["field"], r#".spec.ports[name="a"].port"#);
}

#[tokio::test]
async fn scale_reads_and_writes_where_the_definition_says() {
    let (_server, client) = started().await;
    client.post(WIDGETS, &widget("a")).await.expect(201);
    let one = format!("{WIDGETS}/a");
    client
        .patch(&format!("{one}/status"), "merge", &json!({"status": {"replicas": 2, "selector": "app=x"}}))
        .await
        .expect(200);
    client.patch(&format!("{one}/scale"), "merge", &json!({"spec": {"replicas": 5}})).await.expect(200);
    let scale = client.get(&format!("{one}/scale")).await.expect(200).body;
    assert_eq!(scale["spec"], json!({"replicas": 5}));
    assert_eq!(scale["status"], json!({"replicas": 2, "selector": "app=x"}));
    let whole = client.get(&one).await.body;
    assert_eq!((&whole["spec"]["replicas"], &whole["metadata"]["generation"]), (&json!(5), &json!(2)));
}

#[tokio::test]
async fn columns_and_selectable_fields_are_the_definition_s() {
    let (_server, client) = started().await;
    client.post(WIDGETS, &widget("a")).await.expect(201);
    let mut green = widget("b");
    green["spec"]["color"] = json!("green");
    client.post(WIDGETS, &green).await.expect(201);
    let table = client.get_as(WIDGETS, TABLE).await.expect(200).body;
    let columns: Vec<&str> =
        table["columnDefinitions"].as_array().unwrap().iter().filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(columns, ["Name", "Size", "Phase"]);
    assert_eq!(table["rows"][0]["cells"], json!(["a", 3, null]));
    let listed = client.get(&format!("{WIDGETS}?fieldSelector=spec.color%3Dgreen")).await;
    assert_eq!(listed.names(), ["b"]);
    let mut watch =
        client.watch(&format!("{WIDGETS}?watch=1&fieldSelector=spec.color%3Dgreen&resourceVersion=0")).await;
    assert_eq!(watch.word().await, "ADDED b");
    client.patch(&format!("{WIDGETS}/b"), "merge", &json!({"spec": {"color": "red"}})).await.expect(200);
    assert_eq!(watch.word().await, "DELETED b");
    client.get(&format!("{WIDGETS}?fieldSelector=spec.size%3D3")).await.expect(400);
}

#[tokio::test]
async fn versions_show_one_object_and_follow_the_definition() {
    let server = Server::start().await;
    let client = server.admin();
    let mut definition = widgets();
    let mut second = definition["spec"]["versions"][0].clone();
    second["name"] = json!("v2");
    second["storage"] = json!(false);
    definition["spec"]["versions"].as_array_mut().unwrap().push(second);
    define(&client, &definition).await;
    client.post(WIDGETS, &widget("a")).await.expect(201);
    let newer = "/apis/example.com/v2/namespaces/default/widgets";
    let shown = client.get(&format!("{newer}/a")).await.expect(200);
    assert_eq!(shown.body["apiVersion"], "example.com/v2");
    client.patch(&format!("{newer}/a"), "merge", &json!({"spec": {"size": 8}})).await.expect(200);
    assert_eq!(client.get(&format!("{WIDGETS}/a")).await.body["spec"]["size"], json!(8));
    let groups = client.get("/apis/example.com").await.expect(200).body;
    assert_eq!(groups["preferredVersion"]["version"], "v2");

    // The storage moves, the old version is not served any more, and a default appears in what is stored already.
    let uri = format!("{DEFINITIONS}/widgets.example.com");
    let mut changed = client.get(&uri).await.body;
    changed["spec"]["versions"][0]["storage"] = json!(false);
    changed["spec"]["versions"][0]["served"] = json!(false);
    changed["spec"]["versions"][1]["storage"] = json!(true);
    let properties = "/spec/versions/1/schema/openAPIV3Schema/properties/spec/properties";
    changed.pointer_mut(properties).unwrap()["taste"] = json!({"type": "string", "default": "sweet"});
    let mut watch = client.watch(&format!("{newer}?watch=1")).await;
    let written = client.put(&uri, &changed).await.expect(200);
    assert_eq!(written.body["status"]["storedVersions"], json!(["v1", "v2"]));
    // The watch on the kind as it was ends; from then on everything is new.
    while watch.next().await.is_some() {}
    assert_eq!(client.get(&format!("{WIDGETS}/a")).await.code, StatusCode::NOT_FOUND);
    assert_eq!(client.get(&format!("{newer}/a")).await.body["spec"]["taste"], "sweet");
    assert_eq!(client.get(newer).await.body["items"][0]["spec"]["taste"], "sweet");
}

#[tokio::test]
async fn a_definition_takes_its_instances_with_it() {
    let (_server, client) = started().await;
    client.post(WIDGETS, &widget("a")).await.expect(201);
    let mut held = widget("held");
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    client.post(WIDGETS, &held).await.expect(201);
    let uri = format!("{DEFINITIONS}/widgets.example.com");
    let mut watch = client
        .watch(&format!("{DEFINITIONS}?watch=1&fieldSelector=metadata.name%3Dwidgets.example.com&resourceVersion=0"))
        .await;
    let mut instances = client.watch(&format!("{WIDGETS}?watch=1&resourceVersion=0")).await;
    assert_eq!([instances.word().await, instances.word().await], ["ADDED a", "ADDED held"]);
    let marked = client.delete(&uri).await.expect(200).body;
    assert_eq!(condition(&marked, "Terminating"), "True");
    assert_eq!(marked["metadata"]["finalizers"], json!(["customresourcecleanup.apiextensions.k8s.io"]));
    let mut words = [instances.word().await, instances.word().await];
    words.sort();
    assert_eq!(words, ["DELETED a", "MODIFIED held"]);
    assert_eq!(client.post(WIDGETS, &widget("late")).await.code, StatusCode::METHOD_NOT_ALLOWED);
    client.patch(&format!("{WIDGETS}/held"), "merge", &json!({"metadata": {"finalizers": null}})).await.expect(200);
    loop {
        let event = watch.next().await.expect("the watch goes on");
        if event["type"] == "DELETED" {
            break;
        }
    }
    assert_eq!(client.get(&uri).await.code, StatusCode::NOT_FOUND);
}

/// Whoever may write the status may say anything of the versions that are stored.
#[tokio::test]
async fn a_definition_that_names_unknown_stored_versions_can_go() {
    let (_server, client) = started().await;
    let one = format!("{DEFINITIONS}/widgets.example.com");
    let stored = json!({"status": {"storedVersions": ["v9"]}});
    client.patch(&format!("{one}/status"), "merge", &stored).await.expect(200);
    client.delete(&one).await.expect(200);
    for _ in 0..100 {
        if client.get(&one).await.code == 404 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("it is still there: {}", client.get(&one).await.text);
}

#[tokio::test]
async fn a_kind_that_another_definition_has_is_not_taken_twice() {
    let (_server, client) = started().await;
    let mut late = widgets();
    late["metadata"]["name"] = json!("gadgets.example.com");
    late["spec"]["names"] = json!({"plural": "gadgets", "kind": "Widget"});
    let mut watch = client
        .watch(&format!("{DEFINITIONS}?watch=1&fieldSelector=metadata.name%3Dgadgets.example.com&resourceVersion=0"))
        .await;
    client.post(DEFINITIONS, &late).await.expect(201);
    let refused = loop {
        let event = watch.next().await.expect("the watch goes on");
        if !condition(&event["object"], "NamesAccepted").is_empty() {
            break event["object"].clone();
        }
    };
    assert_eq!((condition(&refused, "NamesAccepted"), condition(&refused, "Established")), ("False", "False"));
    assert_eq!(client.get("/apis/example.com/v1/gadgets").await.code, StatusCode::NOT_FOUND);
}

/// A webhook that moves `spec.size` to `spec.length` between v1 and v2, at an address of this machine that is not loopback:
/// those are not dialled.
mod converter {
    use http_body_util::{BodyExt, Full};
    use hyper::body::Incoming;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use serde_json::{Value, json};
    use std::net::{IpAddr, UdpSocket};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;
    use tokio_rustls::TlsAcceptor;

    pub(super) struct Converter {
        pub(super) url: String,
        /// PEM.
        pub(super) certificate: String,
        pub(super) calls: Arc<AtomicUsize>,
        _tasks: JoinSet<()>,
    }

    /// Nothing is sent.
    fn own_address() -> IpAddr {
        let socket = UdpSocket::bind(("0.0.0.0", 0)).unwrap();
        socket.connect(("192.0.2.254", 9)).expect("this test needs a network interface with a route");
        socket.local_addr().unwrap().ip()
    }

    pub(super) async fn start() -> Converter {
        let own = own_address();
        let made = rcgen::generate_simple_self_signed(vec![own.to_string()]).unwrap();
        let chain = vec![made.cert.der().clone()];
        let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let listener = TcpListener::bind((own, 0)).await.unwrap();
        let url = format!("https://{}/convert", listener.local_addr().unwrap());
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let mut tasks = JoinSet::new();
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        tasks.spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                let Ok(stream) = acceptor.accept(tcp).await else { continue };
                let served = hyper::server::conn::http1::Builder::new();
                // A client that leaves early is no matter here.
                match served.serve_connection(TokioIo::new(stream), service_fn(answer)).await {
                    Ok(()) | Err(_) => {}
                }
            }
        });
        Converter { url, certificate: made.cert.pem(), calls, _tasks: tasks }
    }

    async fn answer(request: http::Request<Incoming>) -> Result<http::Response<Full<bytes::Bytes>>, hyper::Error> {
        let bytes = request.into_body().collect().await?.to_bytes();
        let review: Value = serde_json::from_slice(&bytes).unwrap();
        let wanted = review["request"]["desiredAPIVersion"].as_str().unwrap();
        let convert = |object: &Value| {
            let mut object = object.clone();
            let (from, to) = if wanted.ends_with("v2") { ("size", "length") } else { ("length", "size") };
            let spec = object["spec"].as_object_mut().unwrap();
            if let Some(value) = spec.remove(from) {
                spec.insert(to.to_owned(), value);
            }
            object["apiVersion"] = json!(wanted);
            object
        };
        let converted: Vec<Value> = review["request"]["objects"].as_array().unwrap().iter().map(convert).collect();
        let answer = json!({"apiVersion": review["apiVersion"], "kind": "ConversionReview", "response": {
            "uid": review["request"]["uid"], "result": {"status": "Success"}, "convertedObjects": converted}});
        Ok(http::Response::new(Full::new(answer.to_string().into())))
    }
}

#[tokio::test]
async fn a_webhook_converts_what_is_kept_in_another_version() {
    let webhook = converter::start().await;
    let server = Server::start().await;
    let client = server.admin();
    let schema = |field: &str| json!({"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "properties": {field: {"type": "integer"}}}}}});
    let bundle = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &webhook.certificate);
    let definition = json!({"metadata": {"name": "rods.example.com"}, "spec": {"group": "example.com", "scope": "Cluster",
        "names": {"plural": "rods", "kind": "Rod"},
        "conversion": {"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1"],
            "clientConfig": {"url": webhook.url, "caBundle": bundle}}},
        "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema("size")},
            {"name": "v2", "served": true, "storage": false, "schema": schema("length")}]}});
    define(&client, &definition).await;
    let (first, second) = ("/apis/example.com/v1/rods", "/apis/example.com/v2/rods");
    client.post(first, &json!({"metadata": {"name": "a"}, "spec": {"size": 1}})).await.expect(201);
    let made = client.post(second, &json!({"metadata": {"name": "b"}, "spec": {"length": 2}})).await.expect(201);
    assert_eq!((&made.body["apiVersion"], &made.body["spec"]), (&json!("example.com/v2"), &json!({"length": 2})));
    assert_eq!(client.get(&format!("{second}/a")).await.expect(200).body["spec"], json!({"length": 1}));
    assert_eq!(client.get(&format!("{first}/b")).await.expect(200).body["spec"], json!({"size": 2}));
    let listed = client.get(second).await.expect(200).body;
    let lengths: Vec<&Value> = listed["items"].as_array().unwrap().iter().map(|one| &one["spec"]["length"]).collect();
    assert_eq!(lengths, [&json!(1), &json!(2)]);
    let rev = client.get(second).await.rev();
    let mut watches = Vec::new();
    for _ in 0..3 {
        watches.push(client.watch(&format!("{second}?watch=1&resourceVersion={rev}")).await);
    }
    client.patch(&format!("{first}/a"), "merge", &json!({"spec": {"size": 7}})).await.expect(200);
    let before = webhook.calls.load(std::sync::atomic::Ordering::Relaxed);
    for watch in &mut watches {
        let event = watch.next().await.unwrap();
        assert_eq!((&event["type"], &event["object"]["spec"]), (&json!("MODIFIED"), &json!({"length": 7})));
    }
    let calls = webhook.calls.load(std::sync::atomic::Ordering::Relaxed) - before;
    assert!(calls <= 1, "an event is converted once, whatever the number of its watchers: {calls}");
    client.patch(&format!("{second}/a"), "merge", &json!({"spec": {"length": 8}})).await.expect(200);
    assert_eq!(client.get(&format!("{first}/a")).await.body["spec"], json!({"size": 8}));
}

#[tokio::test]
async fn who_owns_fields_of_a_version_that_is_no_more_owns_nothing() {
    let server = Server::start().await;
    let client = server.admin();
    let version = |name: &str, storage: bool| {
        json!({"name": name, "served": true, "storage": storage,
            "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}})
    };
    let definition = json!({"metadata": {"name": "gears.example.com"}, "spec": {"group": "example.com", "scope": "Namespaced",
        "names": {"plural": "gears", "kind": "Gear"}, "versions": [version("v1", true), version("v2", false)]}});
    define(&client, &definition).await;
    let at = |version: &str, manager: &str| {
        format!("/apis/example.com/{version}/namespaces/default/gears/g?fieldManager={manager}")
    };
    let gear = |version: &str, teeth: i32| json!({"apiVersion": format!("example.com/{version}"), "kind": "Gear", "metadata": {"name": "g"}, "spec": {"teeth": teeth}});
    client.apply(&at("v2", "old"), &gear("v2", 1)).await.expect(201);
    client.apply(&at("v1", "new"), &gear("v1", 2)).await.expect(409);
    let only = json!({"spec": {"versions": [version("v1", true)]}});
    client.patch(&format!("{DEFINITIONS}/gears.example.com"), "merge", &only).await.expect(200);
    // What is served follows the definition.
    while client.get(&at("v2", "")).await.code != StatusCode::NOT_FOUND {
        tokio::task::yield_now().await;
    }
    let applied = client.apply(&at("v1", "new"), &gear("v1", 2)).await.expect(200);
    let entries = applied.body["metadata"]["managedFields"].as_array().unwrap();
    let owners: Vec<&str> = entries.iter().filter_map(|entry| entry["manager"].as_str()).collect();
    assert_eq!((owners.as_slice(), &applied.body["spec"]["teeth"]), (&["new"][..], &json!(2)));
}

#[tokio::test]
async fn scales_come_as_tables() {
    let (_server, client) = started().await;
    let mut wanted = widget("w");
    wanted["spec"]["replicas"] = json!(2);
    client.post(WIDGETS, &wanted).await.expect(201);
    let shown = client.get_as(&format!("{WIDGETS}/w/scale"), TABLE).await.expect(200).body;
    let columns: Vec<&str> =
        shown["columnDefinitions"].as_array().unwrap().iter().filter_map(|column| column["name"].as_str()).collect();
    assert_eq!(columns, ["Name", "Desired", "Available", "Age"]);
    assert_eq!(shown["rows"][0]["cells"].as_array().unwrap()[..3], [json!("w"), json!(2), json!(0)]);
}

#[tokio::test]
async fn embedded_objects_are_held_to_the_rules_of_every_object() {
    let server = Server::start().await;
    let client = server.admin();
    let inner =
        json!({"type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true});
    let mut outer = inner.clone();
    outer["properties"] = json!({"inner": inner});
    let definition = json!({"metadata": {"name": "shells.example.com"}, "spec": {"group": "example.com", "scope": "Cluster",
        "names": {"plural": "shells", "kind": "Shell"}, "versions": [{"name": "v1", "served": true, "storage": true,
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {"outer": outer}}}}]}});
    define(&client, &definition).await;
    let shell = |inner: Value| {
        json!({"apiVersion": "example.com/v1", "kind": "Shell", "metadata": {"name": "s"},
            "outer": {"apiVersion": "v1", "kind": "Pod", "inner": inner}})
    };
    let shells = "/apis/example.com/v1/shells";
    let wrong = json!({"apiVersion": "a/b/c", "kind": "%", "metadata": {"name": "..", "namespace": "X", "labels": {"a": "x y"}}});
    let refused = client.post(shells, &shell(wrong)).await.expect(422);
    let fields: Vec<&str> = refused.body["details"]["causes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|cause| cause["field"].as_str().unwrap())
        .collect();
    let expected = ["apiVersion", "kind", "metadata.name", "metadata.namespace", "metadata.labels"];
    assert_eq!(fields, expected.map(|field| format!("outer.inner.{field}")), "{}", refused.text);
    let fine = json!({"apiVersion": "a/b", "kind": "MyPod", "metadata": {"labels": {"a": "b"}}});
    client.post(shells, &shell(fine)).await.expect(201);
}

#[tokio::test]
async fn a_deprecated_version_names_the_one_to_use() {
    let server = Server::start().await;
    let client = server.admin();
    let version = |name: &str, deprecated: bool, served: bool| {
        json!({"name": name, "served": served, "storage": name == "v1", "deprecated": deprecated,
            "schema": {"openAPIV3Schema": {"type": "object"}}})
    };
    let versions = json!([
        version("v1beta1", true, true),
        version("v1", true, true),
        version("v2", false, true),
        version("v3", true, true),
        version("v4", false, false),
    ]);
    let definition = json!({"metadata": {"name": "wheels.example.com"}, "spec": {"group": "example.com", "scope": "Cluster",
        "names": {"plural": "wheels", "kind": "Wheel"}, "versions": versions}});
    define(&client, &definition).await;
    for (version, expected) in [
        ("v1beta1", &["299 - \"example.com/v1beta1 Wheel is deprecated; use example.com/v2 Wheel\""][..]),
        ("v1", &["299 - \"example.com/v1 Wheel is deprecated; use example.com/v2 Wheel\""]),
        ("v2", &[]),
        ("v3", &["299 - \"example.com/v3 Wheel is deprecated\""]),
    ] {
        let list = client.get(&format!("/apis/example.com/{version}/wheels")).await.expect(200);
        assert_eq!(list.warnings(), expected, "{version}");
    }
}
