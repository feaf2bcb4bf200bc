//! Keeps the RBAC index, the node graph and the tables of webhooks and policies at what is committed.

use super::node::{NodeAuthorizer, OF_NODE, OF_POD};
use super::objects::{
    INGRESS_CLASSES, LIMIT_RANGES, NAMESPACES, NODES, PERSISTENT_VOLUMES, POD_CERTIFICATE_REQUESTS, PODS,
    PRIORITY_CLASSES, RESOURCE_QUOTAS, RESOURCE_SLICES, RUNTIME_CLASSES, Resource, SERVICE_ACCOUNTS, STORAGE_CLASSES,
    kind,
};
use super::rbac::Rbac;
use crate::admission::policy::PolicyTable;
use crate::admission::webhook::WebhookTable;
use crate::cache::Caches;
use crate::error::ApiError;
use crate::follow::{Change, Follow, Seen};
use crate::stored;
use serde_json::Value;
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const fn rbac(plural: &'static str) -> Resource {
    Resource { group: "rbac.authorization.k8s.io", version: "v1", plural }
}

const fn admission(plural: &'static str) -> Resource {
    Resource { group: "admissionregistration.k8s.io", version: "v1", plural }
}

const CLUSTER_ROLES: Resource = rbac("clusterroles");
const ROLES: Resource = rbac("roles");
const CLUSTER_ROLE_BINDINGS: Resource = rbac("clusterrolebindings");
const ROLE_BINDINGS: Resource = rbac("rolebindings");
const MUTATING_WEBHOOKS: Resource = admission("mutatingwebhookconfigurations");
const VALIDATING_WEBHOOKS: Resource = admission("validatingwebhookconfigurations");
const VALIDATING_POLICIES: Resource = admission("validatingadmissionpolicies");
const VALIDATING_POLICY_BINDINGS: Resource = admission("validatingadmissionpolicybindings");
const MUTATING_POLICIES: Resource = admission("mutatingadmissionpolicies");
const MUTATING_POLICY_BINDINGS: Resource = admission("mutatingadmissionpolicybindings");
const FOLLOWED: &[Resource] = &[
    CLUSTER_ROLES,
    ROLES,
    CLUSTER_ROLE_BINDINGS,
    ROLE_BINDINGS,
    MUTATING_WEBHOOKS,
    VALIDATING_WEBHOOKS,
    VALIDATING_POLICIES,
    VALIDATING_POLICY_BINDINGS,
    MUTATING_POLICIES,
    MUTATING_POLICY_BINDINGS,
    PERSISTENT_VOLUMES,
    RESOURCE_SLICES,
    POD_CERTIFICATE_REQUESTS,
    PODS,
];

/// Kinds that decisions read from the watch cache alone, or on nearly every write: their caches are started with the server.
const READ: &[Resource] = &[
    NAMESPACES,
    NODES,
    SERVICE_ACCOUNTS,
    PRIORITY_CLASSES,
    LIMIT_RANGES,
    RESOURCE_QUOTAS,
    RUNTIME_CLASSES,
    STORAGE_CLASSES,
    INGRESS_CLASSES,
];

/// Where changes go.
#[derive(Clone)]
pub struct Sinks {
    pub rbac: Arc<Rbac>,
    pub node: Arc<NodeAuthorizer>,
    pub webhooks: Arc<WebhookTable>,
    pub policies: Arc<PolicyTable>,
}

impl Sinks {
    fn take(&self, resource: Resource, seen: &Seen) {
        let object = &seen.object;
        // A pod that no node has been chosen for concerns no node: its content is not read.
        let unbound = resource == PODS && object.field("spec.nodeName").is_none_or(str::is_empty);
        let read = || match resource {
            // Bound pods change all the time, mostly their status.
            PODS => stored::pick(object.json_slice(), OF_POD),
            // Long lists of devices, and certificates, of which nothing matters here.
            RESOURCE_SLICES | POD_CERTIFICATE_REQUESTS => stored::pick(object.json_slice(), OF_NODE),
            _ => object.value(),
        };
        let value = (seen.change == Change::Is && !unbound).then(read);
        self.apply(resource, object.ns(), object.name(), value.as_ref());
    }

    fn apply(&self, resource: Resource, ns: &str, name: &str, object: Option<&Value>) {
        match resource {
            CLUSTER_ROLES | ROLES => self.rbac.apply_role(ns, name, object),
            CLUSTER_ROLE_BINDINGS | ROLE_BINDINGS => self.rbac.apply_binding(ns, name, object),
            MUTATING_WEBHOOKS => self.webhooks.apply_mutating(name, object),
            VALIDATING_WEBHOOKS => self.webhooks.apply_validating(name, object),
            VALIDATING_POLICIES => self.policies.apply_validating(name, object),
            VALIDATING_POLICY_BINDINGS => self.policies.apply_validating_binding(name, object),
            MUTATING_POLICIES => self.policies.apply_mutating(name, object),
            MUTATING_POLICY_BINDINGS => self.policies.apply_mutating_binding(name, object),
            PERSISTENT_VOLUMES => self.node.apply_volume(name, object),
            RESOURCE_SLICES => self.node.apply_slice(name, object),
            POD_CERTIFICATE_REQUESTS => self.node.apply_certificate_request(ns, name, object),
            _ => self.node.apply_pod(ns, name, object),
        }
    }
}

/// What is followed; all that was there at the start is applied.
pub struct Feed {
    follows: Vec<(Resource, Follow)>,
    sinks: Sinks,
}

impl Feed {
    /// Returns when everything that is stored now counts.
    pub async fn open(caches: &Arc<Caches>, sinks: &Sinks) -> Result<Self, ApiError> {
        for resource in READ {
            caches.of(&kind(*resource)).await?;
        }
        let mut follows = Vec::with_capacity(FOLLOWED.len());
        for resource in FOLLOWED.iter().copied() {
            let mut follow = Follow::open(caches, kind(resource)).await?;
            while let Some(seen) = follow.initial() {
                sinks.take(resource, &seen);
            }
            follows.push((resource, follow));
        }
        Ok(Self { follows, sinks: sinks.clone() })
    }

    /// Follows until `drain`.
    pub async fn run(self, drain: CancellationToken) {
        let mut tasks = JoinSet::new();
        for (resource, mut follow) in self.follows {
            let (drain, sinks) = (drain.clone(), self.sinks.clone());
            let run = async move {
                loop {
                    sinks.take(resource, &follow.next().await);
                }
            };
            tasks.spawn(async move { drain.run_until_cancelled(run).await });
        }
        while tasks.join_next().await.is_some() {}
    }
}
