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
use crate::ruleset::SourceRange;
use client::cache::{Caches, Change, WatchOptions};
use k8s_openapi::api::core::v1::{Namespace, Node, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

/// Our table of the family `ip`.
pub(crate) const TABLE: &str = "drover-network-policy";

/// Changes that arrive within this time go into one transaction.
const COALESCE: Duration = Duration::from_millis(10);

/// After a failed transaction.
const RETRY: Duration = Duration::from_secs(1);

/// How often the kernel is asked whether our table is still there.
const INSPECT: Duration = Duration::from_secs(3);

/// Enforces policies until drained. The table stays behind: a node is not to open because its proxy restarts.
pub(crate) async fn run(node: String, deps: Deps, drain: CancellationToken) {
    let tracker = TaskTracker::new();
    tokio::select! {
        () = drain.cancelled() => {}
        () = enforce(&node, deps, &tracker, &drain) => {}
    }
    tracker.close();
    tracker.wait().await;
}

async fn enforce(node: &str, deps: Deps, tracker: &TaskTracker, drain: &CancellationToken) {
    let mut builder = Caches::builder(deps.client.clone(), Arc::clone(&deps.clock));
    builder.watch::<NetworkPolicy>();
    let policies = builder.start(tracker, drain.clone());
    let mut changes = policies.of::<NetworkPolicy>().subscribe();
    policies.synced().await;
    if policies.of::<NetworkPolicy>().is_empty() {
        // What an earlier process left, if nft is there at all; without it there is nothing.
        if let Err(error @ ApplyError::Failed { .. }) = apply::nft(&nft::removal(TABLE)).await {
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
        world: World::default(),
        parts: Parts::of(node),
    };
    for policy in policies.of::<NetworkPolicy>().list() {
        inbox.parts.take_policy(key_of(&policy), Some(policy));
    }
    peers.synced().await;
    follow(inbox).await;
}

struct Inbox {
    policies: UnboundedReceiver<Change<NetworkPolicy>>,
    pods: UnboundedReceiver<Change<Pod>>,
    namespaces: UnboundedReceiver<Change<Namespace>>,
    nodes: UnboundedReceiver<Change<Node>>,
    world: World,
    parts: Parts,
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
        let key = PolicyKey { ns: change.key.ns, name: change.key.name };
        self.parts.take_policy(key, change.new);
        Matters::Yes
    }

    fn take_node(&mut self, change: &Change<Node>) -> Matters {
        let spec = change.new.as_ref().and_then(|node| node.spec.as_ref());
        let mut all = spec.into_iter().flat_map(|spec| spec.pod_cidrs.iter().flatten().chain(&spec.pod_cidr));
        let range = all.find_map(|range| SourceRange::parse(range));
        let same = self.world.range == range;
        self.world.range = range;
        if same { Matters::No } else { Matters::Yes }
    }

    fn take_pod(&mut self, change: &Change<Pod>) -> Matters {
        let now = change.new.as_deref().and_then(Subject::of);
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
}

async fn follow(mut inbox: Inbox) {
    // `None`: what the kernel holds is not known.
    let mut programmed: Option<Table> = None;
    let mut isolated = None;
    let mut seen = None;
    let mut complaint: Option<String> = None;
    loop {
        inbox.drain();
        let rules = inbox.parts.rules(&inbox.world);
        let table = render::render(&rules);
        if let Err(error) = apply(programmed.as_ref(), &table).await {
            // Once for each reason: it is tried every second.
            let reason = error.to_string();
            if complaint.as_ref() != Some(&reason) {
                error!(%error, "NetworkPolicies are not enforced as they should be; will try again");
                complaint = Some(reason);
            }
            programmed = None;
            tokio::time::sleep(RETRY).await;
            continue;
        }
        complaint = None;
        let count = render::isolated(&rules);
        if isolated.replace(count) != Some(count) {
            info!(pods = count, "pods are isolated by NetworkPolicies");
        }
        programmed = Some(table);
        while let Woken::TimeToInspect = inbox.wait().await {
            if let Err(error) = inspect(programmed.as_ref(), &mut seen) {
                warn!(%error, "somebody took the rules of NetworkPolicies away; will program them again");
                programmed = None;
                break;
            }
        }
    }
}

/// Without policies a node has no table.
async fn apply(old: Option<&Table>, new: &Table) -> Result<(), ApplyError> {
    let nothing = Table::default();
    let transaction = match old {
        None if *new == nothing => Some(nft::removal(TABLE)),
        Some(old) if *new == nothing => (*old != nothing).then(|| nft::removal(TABLE)),
        // Made anew, since there is none.
        Some(old) if *old == nothing => nft::difference(TABLE, None, new),
        old => nft::difference(TABLE, old, new),
    };
    match transaction {
        Some(transaction) => apply::nft(&transaction).await,
        None => Ok(()),
    }
}

/// Without policies there is nothing to look for.
fn inspect(programmed: Option<&Table>, seen: &mut Option<u32>) -> Result<(), ApplyError> {
    let Some(table) = programmed.filter(|table| **table != Table::default()) else { return Ok(()) };
    let chains = table.chains.iter().map(|(name, chain)| (name.clone(), chain.rules.len()));
    netfilter::inspect(TABLE, chains, seen)
}
