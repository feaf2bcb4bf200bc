//! Whole commands against a server that a test scripts: what they send, what they print, how they end.

use bytes::Bytes;
use client::clock::Clock;
use expect_test::{Expect, expect};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use kctl::failure;
use kctl::high::Global;
use kctl::low::Cli;
use kctl::screen::Screen;
use kctl::server::Server;
use kctl::session::Session;
use kube::client::Body;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

struct Noon;

impl Clock for Noon {
    fn now(&self) -> jiff::Timestamp {
        "2030-01-01T12:00:00Z".parse().unwrap()
    }
}

/// Answers by method and path without its query; everything asked is noted.
#[derive(Clone, Default)]
struct Fake {
    answers: Arc<Mutex<BTreeMap<String, (u16, Value)>>>,
    /// What else is answered once something was asked.
    changes: BTreeMap<String, (String, Value)>,
    asked: Arc<Mutex<String>>,
}

impl Fake {
    fn on(self, line: &str, code: u16, answer: Value) -> Self {
        self.answers.lock().unwrap().insert(line.to_owned(), (code, answer));
        self
    }

    /// From the request `asked` on, `line` is answered with this.
    fn once(mut self, asked: &str, line: &str, answer: Value) -> Self {
        self.changes.insert(asked.to_owned(), (line.to_owned(), answer));
        self
    }

    async fn answer(self, request: Request<Body>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let (method, path) = (parts.method.as_str(), parts.uri.path());
        let line = format!("{method} {path}");
        let mut asked = self.asked.lock().unwrap();
        write!(asked, "{method} {}", parts.uri).unwrap();
        if !body.is_empty() {
            let kind = parts.headers["content-type"].to_str().unwrap();
            write!(asked, " {kind} {}", String::from_utf8_lossy(&body)).unwrap();
        }
        asked.push('\n');
        let missing = json!({"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404,
            "message": format!("{:?} not found", path.rsplit('/').next().unwrap_or_default())});
        if let Some((line, answer)) = self.changes.get(&line) {
            self.answers.lock().unwrap().insert(line.clone(), (200, answer.clone()));
        }
        let (code, answer) = self.answers.lock().unwrap().get(&line).cloned().unwrap_or((404, missing));
        Ok(Response::builder().status(code).body(Full::from(answer.to_string())).unwrap())
    }

    /// Runs a command line; everything that was asked and printed.
    async fn run(&self, line: &[&str]) -> String {
        let cli = Cli::read(std::iter::once(&"kctl").chain(line)).unwrap();
        let (out, err) = (Arc::new(Mutex::new(vec![])), Arc::new(Mutex::new(vec![])));
        let screen = Screen::new(out.clone(), err.clone());
        let fake = self.clone();
        let service = tower::service_fn(move |request| fake.clone().answer(request));
        let server = Server::new(kube::Client::new(service, "default"), "https://test".into(), screen.clone());
        let global = Global::new(&cli.global).unwrap();
        let namespace = global.namespace.clone().unwrap_or_else(|| "default".into());
        let session = Session { global, server, screen: screen.clone(), namespace, clock: Arc::new(Noon) };
        let outcome = kctl::execute(&session, &cli.command).await;
        let code = failure::report(&screen, outcome);
        let text = |bytes: &Mutex<Vec<u8>>| String::from_utf8(bytes.lock().unwrap().clone()).unwrap();
        let asked = std::mem::take(&mut *self.asked.lock().unwrap());
        format!("{asked}--\n{}{}exit {code}\n", text(&out), text(&err))
    }
}

async fn check(fake: &Fake, line: &[&str], expected: Expect) {
    expected.assert_eq(&fake.run(line).await);
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

const MAP: &str = "/api/v1/namespaces/default/configmaps";

fn applied(data: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "default", "annotations": {
        "kubectl.kubernetes.io/last-applied-configuration":
            format!("{{\"apiVersion\":\"v1\",\"data\":{{\"k\":\"{data}\"}},\"kind\":\"ConfigMap\",\"metadata\":{{\"annotations\":{{}},\"name\":\"a\",\"namespace\":\"default\"}}}}\n")}},
        "data": {"k": data}})
}

#[tokio::test]
async fn apply_goes_on_past_a_file_that_cannot_be_read_and_ends_with_1() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.yaml"), b"\xff\xfe").unwrap();
    std::fs::write(folder.path().join("b.yaml"), "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n").unwrap();
    let fake = Fake::default().on(&format!("POST {MAP}"), 201, applied("x"));
    let told = fake.run(&["apply", "-f", &folder.path().to_string_lossy()]).await;
    for part in ["configmap/a created\n", "cannot read", "a.yaml", "exit 1\n"] {
        assert!(told.contains(part), "no {part:?} in {told}");
    }
}

#[tokio::test]
async fn apply_creates_what_is_missing_with_what_was_applied() {
    let manifest = file("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: x}\n");
    let fake = Fake::default().on(&format!("POST {MAP}"), 201, applied("x"));
    check(&fake, &["apply", "-f", &manifest.path().to_string_lossy()], expect![[r#"
        GET /api/v1/namespaces/default/configmaps/a
        POST /api/v1/namespaces/default/configmaps?fieldManager=kubectl-client-side-apply&fieldValidation=Strict application/json {"apiVersion":"v1","data":{"k":"x"},"kind":"ConfigMap","metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\"apiVersion\":\"v1\",\"data\":{\"k\":\"x\"},\"kind\":\"ConfigMap\",\"metadata\":{\"annotations\":{},\"name\":\"a\",\"namespace\":\"default\"}}\n"},"name":"a","namespace":"default"}}
        --
        configmap/a created
        exit 0
    "#]]).await;
}

#[tokio::test]
async fn apply_sends_nothing_where_nothing_changed_and_a_patch_where_something_did() {
    let manifest = file("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: x}\n");
    let path = manifest.path().to_string_lossy().into_owned();
    let same = Fake::default().on(&format!("GET {MAP}/a"), 200, applied("x"));
    check(
        &same,
        &["apply", "-f", &path],
        expect![[r"
        GET /api/v1/namespaces/default/configmaps/a
        --
        configmap/a unchanged
        exit 0
    "]],
    )
    .await;
    let old = Fake::default().on(&format!("GET {MAP}/a"), 200, applied("old")).on(
        &format!("PATCH {MAP}/a"),
        200,
        applied("x"),
    );
    check(&old, &["apply", "-f", &path], expect![[r#"
        GET /api/v1/namespaces/default/configmaps/a
        PATCH /api/v1/namespaces/default/configmaps/a?fieldManager=kubectl-client-side-apply&fieldValidation=Strict application/strategic-merge-patch+json {"data":{"k":"x"},"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\"apiVersion\":\"v1\",\"data\":{\"k\":\"x\"},\"kind\":\"ConfigMap\",\"metadata\":{\"annotations\":{},\"name\":\"a\",\"namespace\":\"default\"}}\n"}}}
        --
        configmap/a configured
        exit 0
    "#]]).await;
    check(
        &old,
        &["apply", "--dry-run=client", "-f", &path],
        expect![[r"
        GET /api/v1/namespaces/default/configmaps/a
        --
        configmap/a configured (dry run)
        exit 0
    "]],
    )
    .await;
}

#[tokio::test]
async fn apply_goes_on_after_an_error_and_ends_with_one() {
    let manifest = file(
        "apiVersion: v1\nkind: Widget\nmetadata: {name: w}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: x}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b, namespace: other}\n",
    );
    let none = json!({"items": []});
    let fake = Fake::default().on("GET /api", 200, none.clone()).on("GET /apis", 200, none).on(
        &format!("GET {MAP}/a"),
        200,
        applied("x"),
    );
    let path = manifest.path().to_string_lossy().into_owned();
    let seen = fake.run(&["apply", "-n", "default", "-f", &path]).await.replace(&path, "FILE");
    expect![[r#"
        GET /api
        GET /apis
        GET /api/v1/namespaces/default/configmaps/a
        --
        configmap/a unchanged
        error: cannot apply FILE: no matches for kind "Widget" in version "v1"; ensure CRDs are installed first
        error: cannot apply FILE: the namespace from the provided object "other" does not match the namespace "default". You must pass '--namespace=other' to perform this operation.
        exit 1
    "#]]
    .assert_eq(&seen);
}

#[tokio::test]
async fn apply_brings_custom_resources_after_the_definition_that_is_applied_with_them() {
    let manifest = file(
        "apiVersion: a.example/v1\nkind: Widget\nmetadata: {name: w}\n---\n\
         apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: widgets.a.example}\n\
         spec: {group: a.example, scope: Namespaced, names: {plural: widgets, kind: Widget}, versions: [{name: v1}]}\n",
    );
    const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    const WIDGETS: &str = "/apis/a.example/v1/namespaces/default/widgets";
    let none = json!({"items": []});
    let served = json!({"items": [{"metadata": {"name": "a.example"}, "versions": [{"version": "v1", "resources": [
        {"resource": "widgets", "responseKind": {"kind": "Widget"}, "scope": "Namespaced"}]}]}]});
    let fake = Fake::default()
        .on("GET /api", 200, none.clone())
        .on("GET /apis", 200, none)
        .on(&format!("POST {DEFINITIONS}"), 201, json!({}))
        .on(&format!("POST {WIDGETS}"), 201, json!({}));
    let path = manifest.path().to_string_lossy().into_owned();
    let told =
        fake.clone().once(&format!("POST {DEFINITIONS}"), "GET /apis", served).run(&["apply", "-f", &path]).await;
    let created =
        "customresourcedefinition.apiextensions.k8s.io/widgets.a.example created\nwidget.a.example/w created\nexit 0\n";
    assert!(told.ends_with(created), "{told}");
}

fn table() -> Value {
    json!({"kind": "Table", "metadata": {"resourceVersion": "7"},
        "columnDefinitions": [{"name": "Name", "priority": 0}, {"name": "Ready", "priority": 0}, {"name": "IP", "priority": 1}],
        "rows": [
            {"cells": ["web-1", "1/1", "10.0.0.1"], "object": {"metadata": {"name": "web-1", "namespace": "default"}}},
            {"cells": ["b", "0/1", null], "object": {"metadata": {"name": "b", "namespace": "default"}}}]})
}

#[tokio::test]
async fn get_prints_the_servers_table() {
    let fake = Fake::default().on("GET /api/v1/namespaces/default/pods", 200, table());
    check(
        &fake,
        &["get", "po", "-l", "app=web"],
        expect![[r"
        GET /api/v1/namespaces/default/pods?labelSelector=app%3Dweb&limit=500
        --
        NAME    READY
        web-1   1/1
        b       0/1
        exit 0
    "]],
    )
    .await;
    check(
        &fake,
        &["get", "pods", "-o", "wide", "--no-headers"],
        expect![[r"
        GET /api/v1/namespaces/default/pods?limit=500
        --
        web-1   1/1   10.0.0.1
        b       0/1   <none>
        exit 0
    "]],
    )
    .await;
}

#[tokio::test]
async fn get_says_what_is_missing_and_shows_the_rest() {
    let fake = Fake::default().on("GET /api/v1/namespaces/shop/pods/web-1", 200, table());
    check(
        &fake,
        &["get", "pod", "web-1", "nope", "-n", "shop"],
        expect![[r#"
        GET /api/v1/namespaces/shop/pods/web-1
        GET /api/v1/namespaces/shop/pods/nope
        --
        NAME    READY
        web-1   1/1
        b       0/1
        Error from server (NotFound): "nope" not found
        exit 1
    "#]],
    )
    .await;
    let empty = Fake::default().on("GET /api/v1/namespaces/default/pods", 200, json!({"kind": "Table", "rows": []}));
    check(
        &empty,
        &["get", "pods"],
        expect![[r"
        GET /api/v1/namespaces/default/pods?limit=500
        --
        No resources found in default namespace.
        exit 0
    "]],
    )
    .await;
}

#[tokio::test]
async fn get_prints_objects_as_one_or_as_a_list() {
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "managedFields": [{}]}});
    let list = json!({"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": [{"metadata": {"name": "a"}}]});
    let fake = Fake::default().on("GET /api/v1/namespaces/default/pods/a", 200, pod).on(
        "GET /api/v1/namespaces/default/pods",
        200,
        list,
    );
    check(
        &fake,
        &["get", "pod/a", "-o", "yaml"],
        expect![[r"
        GET /api/v1/namespaces/default/pods/a
        --
        apiVersion: v1
        kind: Pod
        metadata:
          name: a
        exit 0
    "]],
    )
    .await;
    check(
        &fake,
        &["get", "pods", "-o", "jsonpath={.kind} {.items[*].kind}"],
        expect![[r"
        GET /api/v1/namespaces/default/pods?limit=500
        --
        List Podexit 0
    "]],
    )
    .await;
}

#[tokio::test]
async fn delete_names_what_it_removes_and_takes_missing_ones_when_told() {
    let answer = json!({"kind": "Status", "status": "Success", "details": {"name": "web", "uid": "u"}});
    let fake = Fake::default().on("DELETE /apis/apps/v1/namespaces/default/deployments/web", 200, answer);
    check(&fake, &["delete", "deploy", "web", "--wait=false", "--cascade=orphan"], expect![[r#"
        DELETE /apis/apps/v1/namespaces/default/deployments/web application/json {"apiVersion":"v1","kind":"DeleteOptions","propagationPolicy":"Orphan"}
        --
        deployment.apps "web" deleted
        exit 0
    "#]]).await;
    check(&fake, &["delete", "pod/x", "--ignore-not-found", "--grace-period=0", "--force"], expect![[r#"
        DELETE /api/v1/namespaces/default/pods/x application/json {"apiVersion":"v1","gracePeriodSeconds":0,"kind":"DeleteOptions","propagationPolicy":"Background"}
        --
        Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. The resource may continue to run on the cluster indefinitely.
        exit 0
    "#]]).await;
    check(
        &fake,
        &["delete", "pods"],
        expect![[r"
        --
        error: resource(s) were provided, but no name was specified (use --all or -l to choose several)
        exit 1
    "]],
    )
    .await;
}

#[tokio::test]
async fn scale_and_restart_send_the_smallest_patch() {
    let web = "/apis/apps/v1/namespaces/default/deployments/web";
    let fake = Fake::default()
        .on(&format!("PATCH {web}/scale"), 200, json!({}))
        .on(&format!("GET {web}"), 200, json!({"metadata": {}, "spec": {}}))
        .on(&format!("PATCH {web}"), 200, json!({}));
    check(&fake, &["scale", "deployment/web", "--replicas=5"], expect![[r#"
        PATCH /apis/apps/v1/namespaces/default/deployments/web/scale application/merge-patch+json {"spec":{"replicas":5}}
        --
        deployment.apps/web scaled
        exit 0
    "#]]).await;
    check(&fake, &["rollout", "restart", "deploy", "web"], expect![[r#"
        GET /apis/apps/v1/namespaces/default/deployments/web
        PATCH /apis/apps/v1/namespaces/default/deployments/web?fieldManager=kctl application/strategic-merge-patch+json {"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"2030-01-01T12:00:00Z"}}}}}
        --
        deployment.apps/web restarted
        exit 0
    "#]]).await;
}

fn pod_metrics(ns: &str, name: &str, containers: &[(&str, &str, &str)]) -> Value {
    let container =
        |(name, cpu, memory): &(&str, &str, &str)| json!({"name": name, "usage": {"cpu": cpu, "memory": memory}});
    json!({"metadata": {"namespace": ns, "name": name}, "containers": containers.iter().map(container).collect::<Vec<_>>()})
}

/// Two nodes of which one says nothing, two pods.
fn measured() -> Fake {
    let node =
        |name: &str| json!({"metadata": {"name": name}, "status": {"allocatable": {"cpu": "2", "memory": "4Gi"}}});
    let usage = json!({"metadata": {"name": "n1"}, "usage": {"cpu": "123456789n", "memory": "1Gi"}});
    let pods = json!({"kind": "PodMetricsList", "apiVersion": "metrics.k8s.io/v1beta1", "items": [
        pod_metrics("a", "web", &[("side", "1m", "2Mi"), ("main", "1500u", "10Mi")]),
        pod_metrics("a", "db", &[("db", "1", "100Mi")]),
    ]});
    Fake::default()
        .on("GET /apis/metrics.k8s.io/v1beta1", 200, json!({"kind": "APIResourceList"}))
        .on("GET /apis/metrics.k8s.io/v1beta1/nodes", 200, json!({"kind": "NodeMetricsList", "items": [usage]}))
        .on("GET /api/v1/nodes", 200, json!({"kind": "NodeList", "items": [node("n1"), node("n2")]}))
        .on("GET /apis/metrics.k8s.io/v1beta1/namespaces/a/pods", 200, pods.clone())
        .on("GET /apis/metrics.k8s.io/v1beta1/pods", 200, pods)
}

/// What a command prints, without what it asks.
async fn printed(fake: &Fake, line: &[&str]) -> String {
    let said = fake.run(line).await;
    said.split_once("--\n").unwrap().1.to_owned()
}

#[tokio::test]
async fn top_shows_what_nodes_use_of_what_they_have() {
    let expected = expect![[r"
        NAME   CPU(cores)   CPU(%)      MEMORY(bytes)   MEMORY(%)
        n1     124m         6%          1024Mi          25%
        n2     <unknown>    <unknown>   <unknown>       <unknown>
        exit 0
    "]];
    expected.assert_eq(&printed(&measured(), &["top", "nodes"]).await);
}

#[tokio::test]
async fn top_shows_what_pods_use() {
    for (line, expected) in [
        (
            &["top", "pod", "-n", "a", "--sum"][..],
            expect![[r"
                NAME   CPU(cores)   MEMORY(bytes)
                db     1000m        100Mi
                web    3m           12Mi
                       ________     ________
                       1003m        112Mi
                exit 0
            "]],
        ),
        (
            &["top", "pods", "-A", "--containers", "--sort-by", "memory", "--no-headers"],
            expect![[r"
                a     db    db     1000m   100Mi
                a     web   main   2m      10Mi
                a     web   side   1m      2Mi
                exit 0
            "]],
        ),
    ] {
        expected.assert_eq(&printed(&measured(), line).await);
    }
}

#[tokio::test]
async fn top_says_why_it_has_nothing_to_show() {
    assert_eq!(printed(&Fake::default(), &["top", "nodes"]).await, "error: Metrics API not available\nexit 1\n");
    let empty = |kind: &str| json!({"kind": kind, "items": []});
    let metrics = "GET /apis/metrics.k8s.io/v1beta1/namespaces/default/pods";
    let fake = || measured().on(metrics, 200, empty("PodMetricsList"));
    let none = fake().on("GET /api/v1/namespaces/default/pods", 200, empty("PodList"));
    let line = ["top", "pods"];
    assert_eq!(printed(&none, &line).await, "No resources found in default namespace.\nexit 0\n");
    let some = json!({"kind": "PodList", "items": [{"metadata": {"name": "new"}}]});
    let some = fake().on("GET /api/v1/namespaces/default/pods", 200, some);
    assert_eq!(printed(&some, &line).await, "error: metrics not available yet\nexit 1\n");
}

#[tokio::test]
async fn diff_shows_what_applying_would_change_and_says_so_by_its_exit_code() {
    let manifest = file("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: z}\n");
    let path = manifest.path().to_string_lossy().into_owned();
    let fake =
        Fake::default().on(&format!("GET {MAP}/a"), 200, applied("x")).on(&format!("PATCH {MAP}/a"), 200, applied("z"));
    let said = fake.run(&["diff", "-f", &path]).await;
    assert!(said.contains("dryRun=All"), "{said}");
    assert!(said.contains("\n-  k: x\n+  k: z\n"), "{said}");
    assert!(said.ends_with("exit 1\n"), "{said}");

    let manifest = file("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: x}\n");
    let path = manifest.path().to_string_lossy().into_owned();
    let same = Fake::default().on(&format!("GET {MAP}/a"), 200, applied("x"));
    let said = same.run(&["diff", "-f", &path]).await;
    assert!(said.ends_with("--\nexit 0\n"), "{said}");

    let missing = same.run(&["diff", "-f", "/nowhere.yaml"]).await;
    assert!(missing.ends_with("exit 2\n"), "{missing}");
}

#[tokio::test]
async fn autoscale_makes_an_autoscaler_for_the_workload() {
    let path = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers";
    let fake = Fake::default().on(&format!("POST {path}"), 201, json!({"metadata": {"name": "web"}}));
    check(
        &fake,
        &["autoscale", "deployment/web", "--min=2", "--max=5", "--cpu-percent=80"],
        expect![[r#"
            POST /apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers?fieldManager=kctl-create&fieldValidation=Strict application/json {"apiVersion":"autoscaling/v2","kind":"HorizontalPodAutoscaler","metadata":{"name":"web","namespace":"default"},"spec":{"maxReplicas":5,"metrics":[{"resource":{"name":"cpu","target":{"averageUtilization":80,"type":"Utilization"}},"type":"Resource"}],"minReplicas":2,"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"web"}}}
            --
            horizontalpodautoscaler.autoscaling/web autoscaled
            exit 0
        "#]],
    )
    .await;
}

fn happened(name: &str, reason: &str, more: Value) -> Value {
    let mut event = json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": name, "namespace": "default"},
        "type": "Normal", "reason": reason, "message": "all\nof it\n",
        "involvedObject": {"kind": "Pod", "name": name}});
    for (key, value) in more.as_object().unwrap() {
        event[key] = value.clone();
    }
    event
}

fn events() -> Fake {
    let items = [
        happened("late", "Started", json!({"eventTime": "2030-01-01T11:59:50.000000Z"})),
        happened(
            "often",
            "BackOff",
            json!({"type": "Warning", "count": 3,
            "firstTimestamp": "2030-01-01T11:00:00Z", "lastTimestamp": "2030-01-01T11:59:00Z"}),
        ),
        happened(
            "early",
            "Created",
            json!({"firstTimestamp": "2030-01-01T10:00:00Z", "lastTimestamp": "2030-01-01T10:00:00Z"}),
        ),
    ];
    let list = json!({"kind": "EventList", "apiVersion": "v1", "metadata": {"resourceVersion": "7"}, "items": items});
    Fake::default().on("GET /api/v1/namespaces/default/events", 200, list.clone()).on("GET /api/v1/events", 200, list)
}

#[tokio::test]
async fn events_are_told_in_their_order_with_their_ages() {
    check(
        &events(),
        &["events"],
        expect![[r"
            GET /api/v1/namespaces/default/events?limit=500
            --
            LAST SEEN           TYPE      REASON    OBJECT      MESSAGE
            120m                Normal    Created   Pod/early   all...
            60s (x3 over 60m)   Warning   BackOff   Pod/often   all...
            10s                 Normal    Started   Pod/late    all...
            exit 0
        "]],
    )
    .await;
    check(
        &events(),
        &["events", "-A", "--types=warning", "--no-headers", "--for", "pod/often"],
        expect![[r"
            GET /api/v1/events?fieldSelector=involvedObject.kind%3DPod%2CinvolvedObject.name%3Doften&limit=500
            --
            default   60s (x3 over 60m)   Warning   BackOff   Pod/often   all...
            exit 0
        "]],
    )
    .await;
    assert_eq!(printed(&events(), &["events", "-o", "name", "--types=Warning"]).await, "event/often\nexit 0\n");
    for (line, expected) in [
        (&["events", "--types=Bad"][..], "error: valid --types are Normal or Warning\nexit 1\n"),
        (&["events", "--for", "pods"], "error: --for must be in resource/name form\nexit 1\n"),
    ] {
        assert_eq!(printed(&events(), line).await, expected);
    }
    let none = Fake::default().on("GET /api/v1/namespaces/default/events", 200, json!({"items": []}));
    assert_eq!(printed(&none, &["events"]).await, "No events found in default namespace.\nexit 0\n");
}

#[tokio::test]
async fn the_manifest_of_the_last_apply_can_be_seen_again() {
    let bare = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b", "namespace": "default"}});
    let fake = Fake::default().on(&format!("GET {MAP}/a"), 200, applied("x")).on(&format!("GET {MAP}/b"), 200, bare);
    check(
        &fake,
        &["apply", "view-last-applied", "cm/b", "cm/a"],
        expect![[r"
            GET /api/v1/namespaces/default/configmaps/b
            GET /api/v1/namespaces/default/configmaps/a
            --
            apiVersion: v1
            data:
              k: x
            kind: ConfigMap
            metadata:
              annotations: {}
              name: a
              namespace: default
            error: no last-applied-configuration annotation found on resource: b
            exit 1
        "]],
    )
    .await;
    let json = printed(&fake, &["apply", "view-last-applied", "cm", "a", "-o", "json"]).await;
    assert!(json.starts_with("{\n") && json.contains("\"k\": \"x\""), "{json}");
    let refused = printed(&fake, &["apply", "view-last-applied", "cm", "a", "-o", "wide"]).await;
    assert!(refused.contains("must be one of yaml|json") && refused.ends_with("exit 1\n"), "{refused}");
}

#[tokio::test]
async fn a_certificate_is_approved_or_denied_once() {
    let requests = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
    let request = |conditions: Value| json!({"metadata": {"name": "a"}, "status": {"conditions": conditions}});
    let fake = |conditions: Value| {
        Fake::default().on(&format!("GET {requests}/a"), 200, request(conditions)).on(
            &format!("PUT {requests}/a/approval"),
            200,
            request(json!([])),
        )
    };
    check(&fake(Value::Null), &["certificate", "approve", "a"], expect![[r#"
        GET /apis/certificates.k8s.io/v1/certificatesigningrequests/a
        PUT /apis/certificates.k8s.io/v1/certificatesigningrequests/a/approval application/json {"metadata":{"name":"a"},"status":{"conditions":[{"lastUpdateTime":"2030-01-01T12:00:00Z","message":"This CSR was approved by kctl certificate approve.","reason":"KctlApprove","status":"True","type":"Approved"}]}}
        --
        certificatesigningrequest.certificates.k8s.io/a approved
        exit 0
    "#]]).await;
    let denied = fake(json!([{"type": "Denied", "status": "True"}]));
    check(
        &denied,
        &["certificate", "deny", "a"],
        expect![[r"
        GET /apis/certificates.k8s.io/v1/certificatesigningrequests/a
        --
        certificatesigningrequest.certificates.k8s.io/a denied
        exit 0
    "]],
    )
    .await;
    let again = denied.run(&["certificate", "deny", "a", "--force"]).await;
    assert!(again.contains("PUT "), "{again}");
    let contrary = printed(&denied, &["certificate", "approve", "a"]).await;
    assert_eq!(contrary, "error: certificate signing request \"a\" is already Denied\nexit 1\n");
    let other = file("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
    let other = printed(&denied, &["certificate", "approve", "-f", &other.path().to_string_lossy()]).await;
    assert_eq!(other, "error: can only handle CertificateSigningRequest objects, not configmap/a\nexit 1\n");
    let nothing = printed(&denied, &["certificate", "approve"]).await;
    assert!(nothing.starts_with("error: one or more CSRs must be specified"), "{nothing}");
}
