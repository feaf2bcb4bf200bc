//! A cluster without anybody who runs pods: API server, scheduler, nodes, and those who create pods.

use crate::disturb;
use crate::objects::{self, NodeForm, PodForm};
use crate::throughput::{self, Outcome};
use crate::workload::{Crowd, Disturbance, Workload};
use anyhow::{Context, Result};
use client::cache::Caches;
use client::clock::SystemClock;
use client::identity::Identity;
use client::transport::in_process;
use e2e::bench::connection::{Ask, Connection, Door};
use e2e::bench::process::Process;
use e2e::bench::{etcd, server};
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::Pod;
use scheduler::pace::Pace;
use scheduler::profile::Profile;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Those who create pods, each with one request at a time. k8s: `test/utils`, CreatePod
const CREATORS: usize = 30;

pub(crate) struct World {
    connections: Vec<Connection>,
    /// Pods that have a node, by namespace.
    bound: Arc<AtomicUsize>,
    pace: Arc<Pace>,
    made: BTreeMap<String, usize>,
    tasks: JoinSet<Result<()>>,
    tracker: TaskTracker,
    drain: CancellationToken,
    _folder: tempfile::TempDir,
    _etcd: Option<Process>,
}

impl World {
    pub(crate) async fn start(store: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let etcd = (store == "etcd").then(|| etcd::start(folder.path())).transpose()?;
        let store = etcd.as_ref().map_or_else(|| store.to_owned(), |etcd| format!("etcd://{}", etcd.address));
        let api = server::open(folder.path(), &store).await?;
        let door = Door::new(api.local_addr()?, api.pki())?;
        let client = |user: &str, groups: &[&str]| {
            let groups = groups.iter().copied().chain(["system:authenticated"]);
            in_process(api.router(), Identity::new(user, groups))
        };
        let (drain, tracker, pace) = (CancellationToken::new(), TaskTracker::new(), Arc::new(Pace::default()));
        let deps = scheduler::Deps {
            client: client("system:kube-scheduler", &[]),
            clock: Arc::new(SystemClock),
            pool: Arc::default(),
            pace: Arc::clone(&pace),
            why: Arc::default(),
        };
        let config =
            scheduler::Config { profiles: vec![Profile::default()], extenders: Vec::new(), leader_election: None };
        let mut builder = Caches::builder(client("bench", &["system:masters"]), Arc::new(SystemClock));
        builder.watch::<Pod>();
        let caches = builder.start(&tracker, drain.clone());
        let bound = count_bound(&caches, &tracker, &drain);
        let mut tasks: JoinSet<Result<()>> = JoinSet::new();
        let stop = drain.clone();
        tasks.spawn(async move { Ok(api.run(stop).await?) });
        let stop = drain.clone();
        tasks.spawn(async move { Ok(scheduler::run(config, deps, stop).await?) });
        caches.synced().await;
        let connections = door.connect_all(CREATORS).await?;
        let made = BTreeMap::new();
        Ok(Self { connections, bound, pace, made, tasks, tracker, drain, _folder: folder, _etcd: etcd })
    }

    pub(crate) fn pace(&self) -> &Pace {
        &self.pace
    }

    /// Nodes, namespaces, priority classes.
    pub(crate) async fn fill(&mut self, nodes: usize, workload: &Workload) -> Result<()> {
        for (name, value) in [("high", 10), ("low", 0)] {
            let class = json!({
                "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}, "value": value,
            });
            let path = "/apis/scheduling.k8s.io/v1/priorityclasses";
            self.connections[0].drain(Ask::post(path, class.to_string())).await?;
        }
        for crowd in workload.init.iter().chain([&workload.measured]) {
            for nth in 0..crowd.namespaces {
                self.namespace(&namespace_of(crowd, nth)).await?;
            }
        }
        self.namespace(disturb::NAMESPACE).await?;
        let form = workload.node;
        self.each(nodes, move |nth| new_node(&format!("node-{nth}"), nth, form)).await
    }

    async fn namespace(&mut self, name: &str) -> Result<()> {
        if self.made.insert(name.to_owned(), 0).is_some() {
            return Ok(());
        }
        let namespace = json!({"metadata": {"name": name, "labels": {"team": "devops"}}}).to_string();
        self.connections[0].drain(Ask::post("/api/v1/namespaces", namespace)).await?;
        // The account that pods run as; nobody else makes it here.
        let account = json!({"metadata": {"name": "default"}}).to_string();
        let path = format!("/api/v1/namespaces/{name}/serviceaccounts");
        self.connections[0].drain(Ask::post(path, account)).await?;
        Ok(())
    }

    /// Creates pods as fast as it can, and waits until they have nodes.
    pub(crate) async fn create(&mut self, crowd: &Crowd, pods: usize) -> Result<Outcome> {
        let (form, ns, namespaces) = (crowd.form, crowd.ns, crowd.namespaces);
        let names: Vec<(String, String)> =
            (0..pods).map(|nth| (namespace_name(ns, namespaces, nth % namespaces), format!("pod-{nth}"))).collect();
        if form == PodForm::CsiVolume {
            let names = names.clone();
            self.each(pods, move |nth| {
                let (ns, name) = &names[nth];
                let (volume, claim) = objects::bound_volume(ns, name);
                vec![
                    Ask::post("/api/v1/persistentvolumes", volume.to_string()),
                    Ask::post(format!("/api/v1/namespaces/{ns}/persistentvolumeclaims"), claim.to_string()),
                ]
            })
            .await?;
        }
        let (begin, before) = (Instant::now(), self.bound.load(Ordering::Relaxed));
        let created = self.each(pods, move |nth| {
            let (ns, name) = &names[nth];
            vec![Ask::post(format!("/api/v1/namespaces/{ns}/pods"), objects::pod(name, form).to_string())]
        });
        // Pods that never fit are there, and that is all.
        let waited = if form == PodForm::TooBig { 0 } else { pods };
        let (created, outcome) = tokio::join!(created, throughput::measure(&self.bound, before, waited, begin));
        created?;
        outcome
    }

    pub(crate) fn disturb(&self, disturbance: Disturbance) -> JoinSet<Result<()>> {
        let mut task = JoinSet::new();
        if let Some(rhythm) = disturb::rhythm(disturbance) {
            task.spawn(disturb::run(self.connections[0].clone(), rhythm));
        }
        task
    }

    /// Sends what `asks` says for each number below `count`, spread over the creators.
    async fn each(&self, count: usize, asks: impl Fn(usize) -> Vec<Ask> + Send + Sync + 'static) -> Result<()> {
        let (next, asks) = (Arc::new(AtomicUsize::new(0)), Arc::new(asks));
        let creators = self.connections.iter().cloned().map(|mut connection| {
            let (next, asks) = (Arc::clone(&next), Arc::clone(&asks));
            let mut creator = JoinSet::new();
            creator.spawn(async move {
                loop {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    if nth >= count {
                        return Ok::<_, anyhow::Error>(());
                    }
                    for ask in asks(nth) {
                        connection.drain(ask).await?;
                    }
                }
            });
            async move { creator.join_next().await.context("a creator was lost")?? }
        });
        try_join_all(creators).await?;
        Ok(())
    }

    pub(crate) async fn stop(mut self) -> Result<()> {
        self.drain.cancel();
        self.connections.clear();
        while let Some(ended) = self.tasks.join_next().await {
            ended??;
        }
        self.tracker.close();
        self.tracker.wait().await;
        Ok(())
    }
}

fn namespace_of(crowd: &Crowd, nth: usize) -> String {
    namespace_name(crowd.ns, crowd.namespaces, nth)
}

fn namespace_name(ns: &str, namespaces: usize, nth: usize) -> String {
    if namespaces == 1 { ns.to_owned() } else { format!("{ns}-{nth}") }
}

/// Creates a node and lifts the taint that every new node gets until somebody says that it is ready.
pub(crate) fn new_node(name: &str, nth: usize, form: NodeForm) -> Vec<Ask> {
    let mut asks = vec![
        Ask::post("/api/v1/nodes", objects::node(name, nth, form).to_string()),
        Ask::merge_patch(format!("/api/v1/nodes/{name}"), json!({"spec": {"taints": null}}).to_string()),
    ];
    if form == NodeForm::Csi {
        asks.push(Ask::post("/apis/storage.k8s.io/v1/csinodes", objects::csi_node(name).to_string()));
    }
    asks
}

/// Counts pods as they get a node, as anybody sees it who watches.
fn count_bound(caches: &Arc<Caches>, tracker: &TaskTracker, drain: &CancellationToken) -> Arc<AtomicUsize> {
    let bound = Arc::new(AtomicUsize::new(0));
    let mut changes = caches.of::<Pod>().subscribe();
    let (counter, stop) = (Arc::clone(&bound), drain.clone());
    tracker.spawn(async move {
        let placed = |pod: &Option<Arc<Pod>>| {
            pod.as_ref().is_some_and(|pod| pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some()))
        };
        loop {
            let change = tokio::select! {
                () = stop.cancelled() => return,
                change = changes.recv() => change,
            };
            let Some(change) = change else { return };
            let ours = change.key.ns != disturb::NAMESPACE;
            if ours && placed(&change.new) && !placed(&change.old) {
                counter.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    bound
}
