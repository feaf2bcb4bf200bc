//! The shell among caches that the test fills, with an API server that hears everything and never answers.

mod devices;
mod extenders;

use super::*;
use crate::devices::ClaimWrite;
use crate::volumes::Preparation;
use client::clock::Clock;
use jiff::SignedDuration;
use kube::client::Body;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::future::pending;

/// A clock that the test turns.
struct Turned(Mutex<Timestamp>);

impl Clock for Turned {
    fn now(&self) -> Timestamp {
        *self.0.lock()
    }
}

struct Stage {
    shell: Shell,
    news: news::Stream,
    clock: Arc<Turned>,
    revision: u64,
    /// What the API server was asked: `PATCH /api/v1/.. {"status": ..}`.
    asked: Arc<Mutex<Vec<String>>>,
}

/// What a pod asks for, and how important it is.
struct Wants {
    cpu: &'static str,
    priority: i32,
}

const LOW: i32 = 0;
const HIGH: i32 = 10;

impl Stage {
    /// Nodes with these names, each with two cpus.
    fn new(nodes: &[&str]) -> Self {
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = Arc::clone(&asked);
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let heard = Arc::clone(&heard);
            async move {
                let what = format!("{} {}", request.method(), request.uri().path());
                let body = request.into_body().collect_bytes().await.unwrap_or_default();
                heard.lock().push(format!("{what} {}", String::from_utf8_lossy(&body)));
                pending::<Result<http::Response<Body>, Infallible>>().await
            }
        });
        let clock = Arc::new(Turned(Mutex::new(Timestamp::UNIX_EPOCH)));
        let deps = Deps {
            client: kube::Client::new(service, "default"),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            pool: Arc::default(),
            pace: Arc::default(),
            why: Arc::default(),
        };
        let mut builder = Caches::offline();
        news::declare(&mut builder);
        let caches = builder.offline_with([]).expect("nothing is wrong with nothing");
        let news = news::listen(&caches);
        let config = Config { profiles: vec![Profile::default()], extenders: Vec::new(), leader_election: None };
        let shell = Shell::new(&config, deps, caches, Recorder::silent());
        let mut stage = Self { shell, news, clock, revision: 0, asked };
        nodes.iter().for_each(|name| stage.node(name));
        stage
    }

    fn node(&mut self, name: &str) {
        self.put(json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
            "status": {"allocatable": {"cpu": "2", "memory": "8Gi", "pods": "10"}},
        }));
    }

    fn put(&mut self, mut object: Value) {
        self.revision += 1;
        object["metadata"]["resourceVersion"] = self.revision.to_string().into();
        self.shell.caches.insert(object).expect("the kind is watched");
        self.listen();
    }

    fn pod(&mut self, name: &str, wants: &Wants, edit: impl FnOnce(&mut Value)) {
        let pod = pod(name, wants, edit);
        self.put(pod);
    }

    /// It is gone.
    fn gone(&mut self, name: &str) {
        self.revision += 1;
        let last = self.shell.caches.of::<Pod>().get("shop", name).expect("the pod is there");
        let mut last = serde_json::to_value(last).expect("a pod");
        last["metadata"]["resourceVersion"] = self.revision.to_string().into();
        self.shell.caches.remove(last).expect("the kind is watched");
        self.listen();
    }

    fn listen(&mut self) {
        while let Some(Some(news)) = self.news.next().now_or_never() {
            self.shell.heard(news);
        }
    }

    /// What the shell decides now, and again when these many milliseconds have passed.
    fn after(&mut self, millis: i64) {
        *self.clock.0.lock() += SignedDuration::from_millis(millis);
        self.shell.decide_some();
    }

    fn home(&self, pod: &str) -> Option<&str> {
        self.shell.cluster.home(pod)
    }

    fn nomination(&self, pod: &str) -> Option<&str> {
        self.shell.cluster.nomination(pod)
    }

    /// What the API server was asked of this pod's status.
    async fn said_of(&self, pod: &str) -> Vec<Value> {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        let path = format!("PATCH /api/v1/namespaces/shop/pods/{pod}/status ");
        let asked = self.asked.lock();
        let bodies = asked.iter().filter_map(|asked| asked.strip_prefix(&path));
        bodies.map(|body| serde_json::from_str::<Value>(body).expect("a patch")["status"].clone()).collect()
    }

    /// How the API server answers when it has told the victim to go.
    fn answer(&mut self, pod: &str, victim: Value) {
        let [pod, asked] =
            [pod, victim["metadata"]["uid"].as_str().unwrap()].map(|uid| Arc::clone(&self.shell.pods[uid]));
        let left = Arc::new(serde_json::from_value(victim).unwrap());
        self.shell.write_ended(Ended::Evicted { pod, victim: asked, outcome: Ok(Some(left)) });
    }
}

fn pod(name: &str, wants: &Wants, edit: impl FnOnce(&mut Value)) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"namespace": "shop", "name": name, "uid": name, "labels": {"app": name}},
        "spec": {
            "priority": wants.priority,
            "containers": [{"name": "c", "resources": {"requests": {"cpu": wants.cpu}}}],
        },
        "status": {"phase": "Pending"},
    });
    edit(&mut pod);
    pod
}

fn on(node: &str) -> impl FnOnce(&mut Value) {
    move |pod| pod["spec"]["nodeName"] = node.into()
}

/// As a scheduler's victim is on its way out.
fn preempted(node: &str) -> impl FnOnce(&mut Value) {
    move |pod| {
        pod["spec"]["nodeName"] = node.into();
        pod["metadata"]["deletionTimestamp"] = "1970-01-01T00:00:30Z".into();
        pod["status"]["conditions"] =
            json!([{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}]);
    }
}

fn as_it_is(_: &mut Value) {}

const LARGE: Wants = Wants { cpu: "2", priority: LOW };
const SMALL: Wants = Wants { cpu: "1", priority: LOW };
const VIP: Wants = Wants { cpu: "2", priority: HIGH };

/// A node that `vip` is promised, whose victim has left, and that `lesser` was refused for the promise's sake.
fn promised(nodes: &[&str]) -> Stage {
    let mut stage = Stage::new(nodes);
    for node in nodes {
        stage.pod(&format!("victim-{node}"), &LARGE, on(node));
    }
    stage.pod("lesser", &SMALL, as_it_is);
    stage.after(0);
    stage.pod("vip", &VIP, as_it_is);
    stage.after(1500);
    let node = stage.nomination("vip").expect("the vip is promised room").to_owned();
    let victim = format!("victim-{node}");
    stage.answer("vip", pod(&victim, &LARGE, preempted(&node)));
    stage.pod(&victim, &LARGE, preempted(&node));
    stage.after(500);
    stage.gone(&victim);
    stage
}

#[tokio::test]
async fn room_that_a_pod_was_promised_is_for_others_as_soon_as_that_pod_is_gone() {
    let mut stage = promised(&["a"]);
    stage.shell.queue.remove("vip");
    stage.after(2000);
    assert_eq!((stage.home("lesser"), stage.nomination("vip")), (None, Some("a")), "the promise is kept");
    stage.gone("vip");
    stage.after(4000);
    assert_eq!(stage.home("lesser"), Some("a"));
}

#[tokio::test]
async fn room_that_a_pod_was_promised_is_for_others_when_that_pod_goes_elsewhere() {
    let mut stage = promised(&["a", "b"]);
    let promised = stage.nomination("vip").unwrap().to_owned();
    let other = if promised == "a" { "b" } else { "a" };
    stage.shell.queue.remove("vip");
    stage.after(2000);
    assert_eq!(stage.home("lesser"), None, "the promise is kept");
    stage.pod("vip", &VIP, on(other));
    stage.after(4000);
    assert_eq!(stage.home("lesser"), Some(promised.as_str()));
}

#[tokio::test]
async fn a_promise_that_is_not_enough_any_more_is_taken_back() {
    let mut stage = promised(&["a"]);
    stage.pod("greater", &Wants { cpu: "1", priority: HIGH + 1 }, on("a"));
    stage.after(10_000);
    assert_eq!((stage.home("vip"), stage.nomination("vip")), (None, None));
    let said = stage.said_of("vip").await;
    assert!(said.last().is_some_and(|status| status["nominatedNodeName"].is_null()), "{said:?}");
    assert_eq!(said[0]["nominatedNodeName"], "a");
    stage.after(10_000);
    assert_eq!(stage.home("lesser"), Some("a"), "and nobody is kept from the rest");
}

#[tokio::test]
async fn who_loses_a_promise_to_a_more_important_pod_looks_again_and_is_said_to_wait_nowhere() {
    let mut stage = Stage::new(&["a"]);
    stage.pod("victim", &LARGE, on("a"));
    stage.pod("vip", &VIP, as_it_is);
    stage.after(0);
    assert_eq!(stage.nomination("vip"), Some("a"));
    stage.pod("greater", &Wants { cpu: "2", priority: HIGH + 1 }, as_it_is);
    stage.after(0);
    assert_eq!((stage.nomination("greater"), stage.nomination("vip")), (Some("a"), None));
    let said = stage.said_of("vip").await;
    assert_eq!(said.last(), Some(&json!({"nominatedNodeName": null})), "{said:?}");
    stage.node("b");
    stage.after(10_000);
    assert_eq!(stage.home("vip").or(stage.home("greater")), Some("b"));
}

#[tokio::test]
async fn nobody_else_is_asked_to_go_while_victims_have_not_answered() {
    let mut stage = Stage::new(&["a", "b"]);
    stage.pod("victim-a", &LARGE, on("a"));
    stage.pod("victim-b", &LARGE, on("b"));
    stage.pod("vip", &VIP, as_it_is);
    stage.after(0);
    let first = stage.nomination("vip").unwrap().to_owned();
    // Something that could help, again and again.
    for turn in 0..20 {
        let small = Wants { cpu: "100m", priority: LOW };
        stage.pod(&format!("other-{turn}"), &small, on("c"));
        stage.gone(&format!("other-{turn}"));
        stage.after(11_000);
    }
    assert_eq!(stage.nomination("vip"), Some(first.as_str()));
    let evictions =
        |stage: &Stage| stage.asked.lock().iter().filter(|asked| asked.contains("DisruptionTarget")).count();
    stage.said_of("vip").await;
    assert_eq!(evictions(&stage), 1, "{:?}", stage.asked.lock());
    // The answer counts before the watch shows it.
    stage.answer("vip", pod(&format!("victim-{first}"), &LARGE, preempted(&first)));
    stage.after(11_000);
    stage.said_of("vip").await;
    assert_eq!(evictions(&stage), 1, "{:?}", stage.asked.lock());
}

#[tokio::test]
async fn a_pod_that_changes_while_it_is_bound_is_tried_as_it_is_then() {
    let mut stage = Stage::new(&["a"]);
    stage.pod("p", &SMALL, as_it_is);
    stage.after(0);
    assert_eq!(stage.home("p"), Some("a"));
    stage.pod("p", &SMALL, |pod| pod["metadata"]["labels"]["app"] = "renamed".into());
    let bound = Arc::clone(&stage.shell.pods["p"]);
    let binding = Binding { pod: bound, node: "a".to_owned(), preparation: Preparation::default(), binder: None };
    stage.shell.binding_ended(&binding, Err(NotBound::Volumes("not now")));
    assert_eq!(stage.home("p"), None);
    *stage.clock.0.lock() += SignedDuration::from_secs(60);
    let again = stage.shell.queue.pop(stage.clock.now()).expect("it is tried again");
    assert_eq!(again.labels()["app"], "renamed");
}

#[tokio::test]
async fn a_pod_on_its_way_out_takes_no_room_while_its_binding_is_under_way() {
    let mut stage = Stage::new(&["a"]);
    stage.pod("first", &LARGE, as_it_is);
    stage.after(0);
    assert_eq!(stage.home("first"), Some("a"));
    stage.pod("second", &LARGE, as_it_is);
    stage.after(0);
    assert_eq!(stage.home("second"), None);
    stage.pod("first", &LARGE, |pod| {
        pod["metadata"]["deletionTimestamp"] = "1970-01-01T00:00:00Z".into();
        pod["metadata"]["finalizers"] = json!(["batch.kubernetes.io/job-tracking"]);
    });
    stage.after(10_000);
    assert_eq!(stage.home("second"), Some("a"));
}
