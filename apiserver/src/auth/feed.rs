//! Keeps the RBAC index, the node graph and the table of webhooks at what is committed: one subscription a kind.

use super::node::NodeAuthorizer;
use super::objects::{
    INGRESS_CLASSES, LIMIT_RANGES, NAMESPACES, NODES, PERSISTENT_VOLUMES, PRIORITY_CLASSES, RESOURCE_QUOTAS,
    RUNTIME_CLASSES, Resource, SERVICE_ACCOUNTS, STORAGE_CLASSES, kind,
};
use super::rbac::Rbac;
use crate::admission::webhook::WebhookTable;
use crate::cache::{Caches, Delivery, EventType, KindCache, Start, Subscription, WatchError};
use crate::error::ApiError;
use crate::request::Selection;
use serde_json::Value;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const fn rbac(plural: &'static str) -> Resource {
    Resource { group: "rbac.authorization.k8s.io", version: "v1", plural }
}

const fn webhooks(plural: &'static str) -> Resource {
    Resource { group: "admissionregistration.k8s.io", version: "v1", plural }
}

const CLUSTER_ROLES: Resource = rbac("clusterroles");
const ROLES: Resource = rbac("roles");
const CLUSTER_ROLE_BINDINGS: Resource = rbac("clusterrolebindings");
const ROLE_BINDINGS: Resource = rbac("rolebindings");
const MUTATING_WEBHOOKS: Resource = webhooks("mutatingwebhookconfigurations");
const VALIDATING_WEBHOOKS: Resource = webhooks("validatingwebhookconfigurations");
const FOLLOWED: &[Resource] = &[
    CLUSTER_ROLES,
    ROLES,
    CLUSTER_ROLE_BINDINGS,
    ROLE_BINDINGS,
    MUTATING_WEBHOOKS,
    VALIDATING_WEBHOOKS,
    super::objects::PODS,
];

/// Kinds that decisions read from the watch cache alone, or on nearly every write: their caches are started with the server.
const READ: &[Resource] = &[
    NAMESPACES,
    NODES,
    SERVICE_ACCOUNTS,
    PRIORITY_CLASSES,
    PERSISTENT_VOLUMES,
    LIMIT_RANGES,
    RESOURCE_QUOTAS,
    RUNTIME_CLASSES,
    STORAGE_CLASSES,
    INGRESS_CLASSES,
];

/// Pause before a lost subscription is taken again: the cache may be starting over.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// Where changes go.
#[derive(Clone)]
pub struct Sinks {
    pub rbac: Arc<Rbac>,
    pub node: Arc<NodeAuthorizer>,
    pub webhooks: Arc<WebhookTable>,
}

impl Sinks {
    fn apply(&self, resource: Resource, ns: &str, name: &str, object: Option<&Value>) {
        match resource {
            CLUSTER_ROLES | ROLES => self.rbac.apply_role(ns, name, object),
            CLUSTER_ROLE_BINDINGS | ROLE_BINDINGS => self.rbac.apply_binding(ns, name, object),
            MUTATING_WEBHOOKS => self.webhooks.apply_mutating(name, object),
            VALIDATING_WEBHOOKS => self.webhooks.apply_validating(name, object),
            _ => self.node.apply_pod(ns, name, object),
        }
    }
}

/// Subscriptions whose initial objects are applied.
pub struct Feed {
    follows: Vec<Follow>,
}

struct Follow {
    resource: Resource,
    cache: Arc<KindCache>,
    sinks: Sinks,
    subscription: Subscription,
    /// What was applied and not taken back: compared with the new start after a lost subscription.
    known: HashSet<Box<str>>,
}

impl Feed {
    /// Returns when everything that is stored now counts.
    pub async fn open(caches: &Caches, sinks: &Sinks) -> Result<Self, ApiError> {
        for resource in READ {
            caches.of(&kind(*resource)).await?;
        }
        let mut follows = Vec::with_capacity(FOLLOWED.len());
        for resource in FOLLOWED.iter().copied() {
            let cache = caches.of(&kind(resource)).await?;
            let subscription = subscribe(&cache).map_err(|error| ApiError::unavailable(error.to_string()))?;
            let mut follow = Follow { resource, cache, sinks: sinks.clone(), subscription, known: HashSet::new() };
            follow.catch_up();
            follows.push(follow);
        }
        Ok(Self { follows })
    }

    /// Follows until `drain`.
    pub async fn run(self, drain: CancellationToken) {
        let mut tasks = JoinSet::new();
        for follow in self.follows {
            let drain = drain.clone();
            tasks.spawn(async move { drain.run_until_cancelled(follow.run()).await });
        }
        while tasks.join_next().await.is_some() {}
    }
}

fn subscribe(cache: &KindCache) -> Result<Subscription, WatchError> {
    cache.subscribe("", Selection::default(), Start::Objects)
}

impl Follow {
    fn catch_up(&mut self) {
        while self.subscription.initial_left() > 0 {
            match self.subscription.try_next() {
                Ok(Some(delivery)) => self.take(&delivery),
                Ok(None) | Err(_) => return,
            }
        }
    }

    fn take(&mut self, delivery: &Delivery) {
        let object = delivery.object();
        match delivery.ty() {
            EventType::Deleted => {
                self.known.remove(&object.key);
                self.sinks.apply(self.resource, object.ns(), object.name(), None);
            }
            EventType::Added | EventType::Modified => {
                self.known.insert(object.key.clone());
                self.sinks.apply(self.resource, object.ns(), object.name(), Some(&object.value()));
            }
        }
    }

    async fn run(mut self) {
        loop {
            while let Ok(delivery) = self.subscription.next().await {
                self.take(&delivery);
            }
            tracing::info!(resource = self.resource.plural, "authorization lost its place and reads again");
            self.start_over().await;
        }
    }

    async fn start_over(&mut self) {
        self.subscription = loop {
            match subscribe(&self.cache) {
                Ok(subscription) => break subscription,
                Err(WatchError::TooOld) => tokio::time::sleep(RETRY_PAUSE).await,
            }
        };
        let before = std::mem::take(&mut self.known);
        self.catch_up();
        for key in before.difference(&self.known) {
            let (ns, name) = key.split_once('/').unwrap_or(("", key));
            self.sinks.apply(self.resource, ns, name, None);
        }
    }
}
