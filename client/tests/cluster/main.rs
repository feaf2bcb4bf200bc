//! Caches and controllers against a fake API server: what they show, ask and write.

mod fake;

use client::action::{Action, Key, Resource};
use client::cache::{Cache, Caches, Change};
use client::clock::SystemClock;
use client::controller::{Controller, Reconcile, Watches};
use client::lease::{LeaderElector, Timing};
use client::rt::{Deps, run_controllers};
use fake::Fake;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const PODS: &str = "/api/v1/pods";
const MAPS: &str = "/api/v1/configmaps";

fn pod(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "a", "name": name, "uid": format!("uid-{name}"),
        "managedFields": [{"manager": "m"}]}, "spec": {"containers": []}})
}

struct Watching {
    caches: Arc<Caches>,
    changes: UnboundedReceiver<Change<Pod>>,
    drain: CancellationToken,
    tracker: TaskTracker,
}

impl Watching {
    async fn start(fake: &Fake) -> Self {
        let (tracker, drain) = (TaskTracker::new(), CancellationToken::new());
        let mut builder = Caches::builder(fake.client(), Arc::new(SystemClock));
        builder.watch::<Pod>().index::<Pod>("name", |pod| pod.metadata.name.clone().into_iter().collect());
        let caches = builder.start(&tracker, drain.clone());
        let changes = caches.of::<Pod>().subscribe();
        caches.synced().await;
        Self { caches, changes, drain, tracker }
    }

    fn pods(&self) -> &Cache<Pod> {
        self.caches.of::<Pod>()
    }

    /// The next change: `+name`, `~name`, `-name`.
    async fn change(&mut self) -> String {
        let change = self.changes.recv().await.expect("the caches live");
        let sign = match (&change.old, &change.new) {
            (None, _) => '+',
            (Some(_), Some(_)) => '~',
            (Some(_), None) => '-',
        };
        format!("{sign}{}", change.key.name)
    }

    async fn stop(self) {
        self.drain.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

#[tokio::test]
async fn a_cache_lists_all_pages_then_follows_changes_in_order() {
    let fake = Fake::new();
    for name in ["p1", "p2", "p3", "p4", "p5"] {
        fake.put(PODS, pod(name));
    }
    let mut watching = Watching::start(&fake).await;
    for expected in ["+p1", "+p2", "+p3", "+p4", "+p5"] {
        assert_eq!(watching.change().await, expected);
    }
    assert_eq!(watching.pods().revision(), 5);
    assert!(watching.pods().get("a", "p1").unwrap().metadata.managed_fields.is_none(), "managed fields cost memory");
    fake.put(PODS, pod("p1"));
    fake.delete(PODS, "a/p2");
    fake.deliver_all();
    assert_eq!(watching.change().await, "~p1");
    assert_eq!(watching.change().await, "-p2");
    assert_eq!(watching.pods().by_index("name", "p1").len(), 1);
    assert!(watching.pods().by_index("name", "p2").is_empty());
    watching.stop().await;
}

#[tokio::test]
async fn a_bookmark_advances_the_revision_and_a_cut_watch_resumes_from_it() {
    let fake = Fake::new();
    fake.put(PODS, pod("p1"));
    let mut watching = Watching::start(&fake).await;
    assert_eq!(watching.change().await, "+p1");
    let rev = fake.bookmark(PODS);
    while watching.pods().revision() < rev {
        tokio::task::yield_now().await;
    }
    fake.cut_watches();
    fake.put(PODS, pod("p2"));
    assert_eq!(watching.change().await, "+p2");
    let lists = fake.requests().iter().filter(|request| request.contains("limit=")).count();
    assert_eq!(lists, 1, "a cut watch must not list again");
    assert!(fake.requests().last().unwrap().contains(&format!("resourceVersion={rev}")));
    watching.stop().await;
}

#[tokio::test]
async fn a_lost_history_is_listed_again_and_only_differences_are_told() {
    let fake = Fake::new();
    fake.put(PODS, pod("p1"));
    fake.put(PODS, pod("p2"));
    let mut watching = Watching::start(&fake).await;
    assert_eq!([watching.change().await, watching.change().await], ["+p1", "+p2"]);
    fake.hold_back_after(2);
    fake.delete(PODS, "a/p1");
    fake.put(PODS, pod("p3"));
    fake.compact();
    fake.cut_watches();
    assert_eq!([watching.change().await, watching.change().await], ["+p3", "-p1"]);
    watching.stop().await;
}

#[tokio::test]
async fn an_object_that_cannot_be_read_does_not_hide_the_others() {
    let fake = Fake::new();
    let mut broken = pod("p1");
    broken["spec"] = json!("not a pod");
    fake.put(PODS, broken);
    fake.put(PODS, pod("p2"));
    let mut watching = Watching::start(&fake).await;
    assert_eq!(watching.change().await, "+p2");
    watching.stop().await;
}

/// Three pods for each ConfigMap, by what the cache shows.
static REPLICAS: &[Controller] = &[Controller {
    name: "replica",
    watches: |watches: &mut Watches| {
        watches.primary::<ConfigMap>();
        watches.mapped::<Pod>(|_, _| vec![Key::new("a", "web")]);
    },
    reconcile: Reconcile::Cached(three_pods),
    refused: None,
}];

fn three_pods(key: &Key, caches: &Caches, _: Timestamp) -> Vec<Action> {
    let have = caches.of::<Pod>().list_in(&key.ns);
    let create = (have.len()..3).map(|_| Action::Create {
        resource: Resource::of::<Pod>(),
        ns: key.ns.clone(),
        object: json!({"metadata": {"generateName": "web-"}, "spec": {"containers": []}}),
    });
    let delete = have.iter().skip(3).map(|pod| Action::Delete {
        resource: Resource::of::<Pod>(),
        key: Key::new("a", pod.metadata.name.as_deref().unwrap()),
        uid: pod.metadata.uid.clone().unwrap(),
        grace_seconds: None,
        propagation: None,
    });
    create.chain(delete).collect()
}

#[tokio::test]
async fn a_controller_behind_a_lagging_watch_creates_exactly_what_is_missing() {
    let fake = Fake::new();
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "a", "name": "web"}});
    fake.hold_back_after(1);
    fake.put(MAPS, map.clone());
    let drain = CancellationToken::new();
    let of = fake.clone();
    let deps = Deps { client_for: Arc::new(move |_| of.client()), clock: Arc::new(SystemClock), pool: Arc::default() };
    let running = run_controllers(REPLICAS, deps, drain.clone());
    let script = async {
        wait_until(|| fake.count(PODS) == 3).await;
        for _ in 0..20 {
            // The map changes again and again, and the pods' events come late and one by one.
            let rev = fake.put(MAPS, map.clone());
            fake.hold_back_after(rev.min(fake.rev()));
            tokio::task::yield_now().await;
            assert_eq!(fake.count(PODS), 3);
        }
        fake.deliver_all();
        let victim = fake.requests().len();
        assert!(fake.delete(PODS, "a/web-2"));
        fake.deliver_all();
        wait_until(|| fake.count(PODS) == 3).await;
        drain.cancel();
        victim
    };
    let (outcome, before) = tokio::join!(running, script);
    outcome.unwrap();
    let posts = |from: usize| fake.requests()[from..].iter().filter(|request| request.starts_with("POST")).count();
    assert_eq!(posts(0), 4, "three at first, one for the pod that was killed");
    assert_eq!(posts(before), 1);
}

const WIDGETS: &str = "/apis/example.com/v1/widgets";
const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// A pod owned by the widget `w`.
fn owned_pod() -> Value {
    let mut pod = pod("p1");
    pod["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "example.com/v1", "kind": "Widget", "name": "w", "uid": "uid-w"}]);
    pod
}

#[tokio::test]
async fn metadata_of_every_kind_is_kept_and_a_new_kind_joins_with_its_definition() {
    let fake = Fake::new();
    fake.serve(["", "v1", "pods", "Pod"]);
    fake.serve(["apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition"]);
    fake.put(PODS, owned_pod());
    let (tracker, drain) = (TaskTracker::new(), CancellationToken::new());
    let mut builder = Caches::builder(fake.client(), Arc::new(SystemClock));
    builder.watch::<Pod>().metadata();
    let caches = builder.start(&tracker, drain.clone());
    caches.synced().await;
    let metadata = caches.metadata();
    assert_eq!(metadata.dependents("uid-w")[0].meta.key, Key::new("a", "p1"), "the typed cache feeds the graph");
    let watches = fake.requests().iter().filter(|request| request.contains("/pods?watch")).count();
    assert!(watches <= 1, "one watch a kind");
    assert!(metadata.find("example.com/v1", "Widget").is_none());

    fake.serve(["example.com", "v1", "widgets", "Widget"]);
    fake.put(WIDGETS, json!({"metadata": {"namespace": "a", "name": "w", "uid": "uid-w"}}));
    fake.put(DEFINITIONS, json!({"metadata": {"name": "widgets.example.com", "uid": "uid-d"}}));
    fake.deliver_all();
    wait_until(|| metadata.get("uid-w").is_some()).await;
    assert_eq!(metadata.get("uid-w").unwrap().resource.plural, "widgets");

    fake.delete(WIDGETS, "a/w");
    fake.deliver_all();
    wait_until(|| metadata.get("uid-w").is_none()).await;
    assert_eq!(metadata.dependents("uid-w").len(), 1, "dependents outlive their owner, to be judged");
    drain.cancel();
    tracker.close();
    tracker.wait().await;
}

#[tokio::test]
async fn that_an_owner_went_is_heard_though_its_kind_went_before() {
    let fake = Fake::new();
    fake.serve(["", "v1", "pods", "Pod"]);
    fake.serve(["apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition"]);
    fake.serve(["example.com", "v1", "widgets", "Widget"]);
    fake.put(PODS, owned_pod());
    fake.put(WIDGETS, json!({"metadata": {"namespace": "a", "name": "w", "uid": "uid-w"}}));
    fake.put(DEFINITIONS, json!({"metadata": {"name": "widgets.example.com", "uid": "uid-d"}}));
    let (tracker, drain) = (TaskTracker::new(), CancellationToken::new());
    let mut builder = Caches::builder(fake.client(), Arc::new(SystemClock));
    builder.watch::<Pod>().metadata();
    let caches = builder.start(&tracker, drain.clone());
    caches.synced().await;
    let metadata = caches.metadata();
    wait_until(|| metadata.get("uid-w").is_some()).await;

    fake.unserve("widgets");
    fake.delete(DEFINITIONS, "/widgets.example.com");
    fake.hold_back_after(fake.rev());
    fake.delete(WIDGETS, "a/w");
    wait_until(|| metadata.find("example.com/v1", "Widget").is_none()).await;
    assert!(!metadata.is_gone("uid-w"), "nobody has said so yet");
    fake.deliver_all();
    wait_until(|| metadata.is_gone("uid-w")).await;
    assert!(metadata.get("uid-w").is_none());
    drain.cancel();
    tracker.close();
    tracker.wait().await;
}

const LEASES: &str = "/apis/coordination.k8s.io/v1/leases";

fn replica(fake: &Fake, identity: &str) -> LeaderElector {
    let timing = Timing {
        duration: Duration::from_secs(15),
        renew_deadline: Duration::from_secs(10),
        retry: Duration::from_millis(5),
    };
    let config = client::lease::Config::new("brain", identity.to_owned(), timing);
    LeaderElector::new(config, fake.client(), Arc::new(SystemClock))
}

#[tokio::test]
async fn one_replica_leads_and_hands_over_at_once_when_it_is_drained() {
    let fake = Fake::new();
    let holder = || {
        let lease = fake.object(LEASES, "kube-system/brain");
        lease.map(|lease| lease["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned())
    };
    let working = |name: &'static str| {
        move |drain: CancellationToken| async move {
            drain.cancelled().await;
            name
        }
    };
    let (drain_a, drain_b) = (CancellationToken::new(), CancellationToken::new());
    let first = replica(&fake, "a").lead(drain_a.clone(), working("a worked"));
    let second = async {
        wait_until(|| holder().as_deref() == Some("a")).await;
        replica(&fake, "b").lead(drain_b.clone(), working("b worked")).await
    };
    let script = async {
        wait_until(|| fake.requests().iter().filter(|request| request.starts_with("GET")).count() > 5).await;
        assert_eq!(holder().as_deref(), Some("a"), "a follower waits while the lease is held");
        drain_a.cancel();
        wait_until(|| holder().as_deref() == Some("b")).await;
        drain_b.cancel();
    };
    let (first, second, ()) = tokio::join!(first, second, script);
    assert_eq!((first.unwrap(), second.unwrap()), (Some("a worked"), Some("b worked")));
    assert_eq!(holder().as_deref(), Some(""), "given back");
}

#[tokio::test]
async fn a_leader_whose_lease_is_taken_stops_working() {
    let fake = Fake::new();
    let leading = replica(&fake, "a").lead(CancellationToken::new(), |drain| async move { drain.cancelled().await });
    let thief = async {
        wait_until(|| fake.object(LEASES, "kube-system/brain").is_some()).await;
        let mut lease = fake.object(LEASES, "kube-system/brain").unwrap();
        lease["spec"]["holderIdentity"] = json!("thief");
        lease["spec"]["leaseDurationSeconds"] = json!(3600);
        fake.put(LEASES, lease);
    };
    let (outcome, ()) = tokio::join!(leading, thief);
    assert!(matches!(outcome, Err(client::lease::Error::Lost { .. })));
}

async fn wait_until(done: impl Fn() -> bool) {
    let reached = async {
        while !done() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), reached).await.expect("reached in time");
}
