//! The loop between the caches and the kernel. Pods and namespaces are watched from the first policy on: a cluster
//! without policies pays for one watch that never speaks.

use super::compile::World;
use super::parts::{Parts, key_of};
use super::pod::Subject;
use super::render;
use super::ruleset::PolicyKey;
use crate::Deps;
use crate::apply::{self, ApplyError};
use crate::netfilter;
use crate::nft::{self, Table};
use client::cache::{Caches, Change, WatchOptions};
use k8s_openapi::api::core::v1::{Namespace, Node, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kinds::ip::{Cidr, Family};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

/// Our table in each address family.
pub(crate) const TABLE: &str = "drover-network-policy";

/// Changes that arrive within this time go into one transaction.
const COALESCE: Duration = Duration::from_millis(10);

/// After a failed transaction.
const RETRY: Duration = Duration::from_secs(1);

/// How often the kernel is asked whether our table is still there.
const INSPECT: Duration = Duration::from_secs(3);

/// Enforces policies until drained. The table stays behind: a node is not to open because its proxy restarts.
pub(crate) async fn run(node: String, families: Vec<Family>, deps: Deps, drain: CancellationToken) {
    let tracker = TaskTracker::new();
    tokio::select! {
        () = drain.cancelled() => {}
        () = enforce(&node, &families, deps, (&tracker, &drain)) => {}
    }
    tracker.close();
    tracker.wait().await;
}

async fn enforce(node: &str, families: &[Family], deps: Deps, (tracker, drain): (&TaskTracker, &CancellationToken)) {
    let mut builder = Caches::builder(deps.client.clone(), Arc::clone(&deps.clock));
    builder.watch::<NetworkPolicy>();
    let policies = builder.start(tracker, drain.clone());
    let mut changes = policies.of::<NetworkPolicy>().subscribe();
    policies.synced().await;
    if policies.of::<NetworkPolicy>().is_empty() {
        // What an earlier process left, if nft is there at all; without it there is nothing.
        let removal: String = families.iter().map(|family| nft::removal(*family, TABLE)).collect();
        if let Err(error @ ApplyError::Failed { .. }) = apply::nft(&removal).await {
            warn!(%error, "rules of policies that are gone may linger");
        }
        if changes.recv().await.is_none() {
            return;
        }
    }
    let mut builder = Caches::builder(deps.client, deps.clock);
    builder.watch::<Pod>();
    builder.watch::<Namespace>();
    let this = format!("metadata.name={node}");
    builder.watch_with::<Node>(WatchOptions { fields: Some(this), ..WatchOptions::default() });
    let peers = builder.start(tracker, drain.clone());
    let mut inbox = Inbox {
        policies: changes,
        pods: peers.of::<Pod>().subscribe(),
        namespaces: peers.of::<Namespace>().subscribe(),
        nodes: peers.of::<Node>().subscribe(),
        views: families.iter().map(|family| View::of(node, *family)).collect(),
    };
    for policy in policies.of::<NetworkPolicy>().list() {
        for view in &mut inbox.views {
            view.parts.take_policy(key_of(&policy), Some(Arc::clone(&policy)));
        }
    }
    peers.synced().await;
    follow(inbox).await;
}

struct Inbox {
    policies: UnboundedReceiver<Change<NetworkPolicy>>,
    pods: UnboundedReceiver<Change<Pod>>,
    namespaces: UnboundedReceiver<Change<Namespace>>,
    nodes: UnboundedReceiver<Change<Node>>,
    views: Vec<View>,
}

/// What an address family sees of the cluster, and what the kernel holds for it.
struct View {
    world: World,
    parts: Parts,
    /// `None`: what the kernel holds is not known.
    programmed: Option<Table>,
    /// What nf_tables' generation was when everything was found in its place.
    seen: Option<u32>,
}

/// Why the loop goes on.
enum Woken {
    Changed,
    TimeToInspect,
}

/// Whether policies may mean something else now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Matters {
    No,
    Yes,
}

impl Inbox {
    async fn wait(&mut self) -> Woken {
        let inspection = tokio::time::sleep(INSPECT);
        tokio::pin!(inspection);
        loop {
            let matters = tokio::select! {
                Some(change) = self.policies.recv() => self.take_policy(change),
                Some(change) = self.pods.recv() => self.take_pod(&change),
                Some(change) = self.namespaces.recv() => self.take_namespace(&change),
                Some(change) = self.nodes.recv() => self.take_node(&change),
                () = &mut inspection => return Woken::TimeToInspect,
            };
            if matters == Matters::Yes {
                tokio::time::sleep(COALESCE).await;
                return Woken::Changed;
            }
        }
    }

    fn drain(&mut self) {
        while let Ok(change) = self.policies.try_recv() {
            self.take_policy(change);
        }
        while let Ok(change) = self.pods.try_recv() {
            self.take_pod(&change);
        }
        while let Ok(change) = self.namespaces.try_recv() {
            self.take_namespace(&change);
        }
        while let Ok(change) = self.nodes.try_recv() {
            self.take_node(&change);
        }
    }

    fn take_policy(&mut self, change: Change<NetworkPolicy>) -> Matters {
        for view in &mut self.views {
            let key = PolicyKey { ns: change.key.ns.clone(), name: change.key.name.clone() };
            view.parts.take_policy(key, change.new.clone());
        }
        Matters::Yes
    }

    fn take_node(&mut self, change: &Change<Node>) -> Matters {
        any(self.views.iter_mut().map(|view| view.take_node(change)))
    }

    fn take_pod(&mut self, change: &Change<Pod>) -> Matters {
        any(self.views.iter_mut().map(|view| view.take_pod(change)))
    }

    fn take_namespace(&mut self, change: &Change<Namespace>) -> Matters {
        any(self.views.iter_mut().map(|view| view.take_namespace(change)))
    }
}

/// Whether one of several is a matter; all are asked.
fn any(views: impl Iterator<Item = Matters>) -> Matters {
    views.fold(Matters::No, |so_far, one| if one == Matters::Yes { one } else { so_far })
}

impl View {
    fn of(node: &str, family: Family) -> Self {
        let world = World { family, ..World::default() };
        Self { world, parts: Parts::of(node), programmed: None, seen: None }
    }

    fn take_node(&mut self, change: &Change<Node>) -> Matters {
        let spec = change.new.as_ref().and_then(|node| node.spec.as_ref());
        let all = spec.into_iter().flat_map(|spec| spec.pod_cidrs.iter().flatten().chain(&spec.pod_cidr));
        let mut parsed = all.filter_map(|range| range.parse().ok());
        let range = parsed.find(|range: &Cidr| range.family() == self.world.family);
        let same = self.world.range == range;
        self.world.range = range;
        if same { Matters::No } else { Matters::Yes }
    }

    fn take_pod(&mut self, change: &Change<Pod>) -> Matters {
        let now = change.new.as_deref().and_then(|pod| Subject::of(pod, self.world.family));
        let (ns, name) = (&change.key.ns, &change.key.name);
        let pods = self.world.pods.entry(ns.clone()).or_default();
        let before = match now.clone() {
            Some(pod) => pods.insert(name.clone(), pod),
            None => pods.remove(name),
        };
        if pods.is_empty() {
            self.world.pods.remove(ns);
        }
        if before == now {
            return Matters::No;
        }
        self.parts.take_pod(ns, [before.as_ref(), now.as_ref()], &self.world);
        Matters::Yes
    }

    fn take_namespace(&mut self, change: &Change<Namespace>) -> Matters {
        let labels = change.new.as_ref().map(|ns| ns.metadata.labels.clone().unwrap_or_default());
        let name = &change.key.name;
        let same = self.world.namespaces.get(name) == labels.as_ref();
        match labels {
            Some(labels) => self.world.namespaces.insert(name.clone(), labels),
            None => self.world.namespaces.remove(name),
        };
        if same {
            return Matters::No;
        }
        self.parts.take_namespace();
        Matters::Yes
    }

    /// Writes what policies ask for now; returns how many pods they isolate.
    async fn program(&mut self) -> Result<usize, ApplyError> {
        let rules = self.parts.rules(&self.world);
        let table = render::render(&rules);
        // Whatever a failure leaves is not known.
        let programmed = self.programmed.take();
        apply(programmed.as_ref(), &table).await?;
        self.programmed = Some(table);
        Ok(render::isolated(&rules))
    }

    /// Without policies there is nothing to look for.
    fn inspect(&mut self) -> Result<(), ApplyError> {
        let Some(table) = self.programmed.as_ref().filter(|table| !table.is_empty()) else { return Ok(()) };
        let chains = table.chains.iter().map(|(name, chain)| (name.clone(), chain.rules.len()));
        netfilter::inspect((table.family, TABLE), chains, &mut self.seen)
    }
}

async fn follow(mut inbox: Inbox) {
    let mut isolated = None;
    let mut complaint: Option<String> = None;
    loop {
        inbox.drain();
        let count = match program_all(&mut inbox.views).await {
            Ok(count) => count,
            Err(error) => {
                // Once for each reason: it is tried every second.
                let reason = error.to_string();
                if complaint.as_ref() != Some(&reason) {
                    error!(%error, "NetworkPolicies are not enforced as they should be; will try again");
                    complaint = Some(reason);
                }
                tokio::time::sleep(RETRY).await;
                continue;
            }
        };
        complaint = None;
        if isolated.replace(count) != Some(count) {
            info!(pods = count, "pods are isolated by NetworkPolicies");
        }
        while let Woken::TimeToInspect = inbox.wait().await {
            if let Err(error) = inbox.views.iter_mut().try_for_each(View::inspect) {
                warn!(%error, "somebody took the rules of NetworkPolicies away; will program them again");
                inbox.views.iter_mut().for_each(|view| view.programmed = None);
                break;
            }
        }
    }
}

/// Every family, though another's failed; the largest number of pods that one isolates.
async fn program_all(views: &mut [View]) -> Result<usize, ApplyError> {
    let (mut count, mut failed) = (0, None);
    for view in views {
        match view.program().await {
            Ok(isolated) => count = count.max(isolated),
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(count), Err)
}

/// Without policies a node has no table.
async fn apply(old: Option<&Table>, new: &Table) -> Result<(), ApplyError> {
    let transaction = match old {
        None if new.is_empty() => Some(nft::removal(new.family, TABLE)),
        Some(old) if new.is_empty() => (!old.is_empty()).then(|| nft::removal(new.family, TABLE)),
        // Made anew, since there is none.
        Some(old) if old.is_empty() => nft::difference(TABLE, None, new),
        old => nft::difference(TABLE, old, new),
    };
    match transaction {
        Some(transaction) => apply::nft(&transaction).await,
        None => Ok(()),
    }
}
