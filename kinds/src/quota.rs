//! What an object counts for in a ResourceQuota, and which quotas count it. Admission charges by these rules and the
//! quota controller recounts by them, so that the two can never disagree.
//!
//! k8s: `pkg/quota/v1`

mod devices;
mod pod;
mod scope;

use crate::pod_resources::Amounts;
use crate::quantity::Quantity;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, ResourceQuota, ResourceQuotaSpec, Service};
use k8s_openapi::api::resource::v1::ResourceClaim;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Text;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

pub use pod::unspecified;

/// Core resources that have a quota under their own name, beside `count/..`.
const NAMED: &[&str] =
    &["configmaps", "persistentvolumeclaims", "replicationcontrollers", "resourcequotas", "secrets", "services"];

/// An object, as quotas see it.
#[derive(Clone, Debug)]
pub enum Counted<'a> {
    Pod(Box<Pod>),
    Service(Box<Service>),
    Claim(Box<PersistentVolumeClaim>),
    Devices(Box<ResourceClaim>),
    /// Everything else counts for one.
    Other {
        group: &'a str,
        plural: &'a str,
    },
}

impl<'a> Counted<'a> {
    pub fn of(group: &'a str, plural: &'a str, object: &Value) -> Self {
        let other = Self::Other { group, plural };
        match (group, plural) {
            ("", "pods") => Pod::deserialize(object).map_or(other, |pod| Self::Pod(Box::new(pod))),
            ("", "services") => Service::deserialize(object).map_or(other, |service| Self::Service(Box::new(service))),
            ("", "persistentvolumeclaims") => {
                PersistentVolumeClaim::deserialize(object).map_or(other, |claim| Self::Claim(Box::new(claim)))
            }
            (CLAIM_GROUP, CLAIM_PLURAL) => {
                ResourceClaim::deserialize(object).map_or(other, |claim| Self::Devices(Box::new(claim)))
            }
            _ => other,
        }
    }

    /// What it counts for. A pod that has ended, or should have long ago, is an object and nothing more.
    pub fn usage(&self, now_unix_secs: i64) -> Amounts {
        match self {
            Self::Pod(pod) => pod::usage(pod, now_unix_secs),
            Self::Service(service) => service_usage(service),
            Self::Claim(claim) => claim_usage(claim),
            Self::Devices(claim) => {
                let mut all = objects(CLAIM_GROUP, CLAIM_PLURAL);
                all.extend(devices::usage(claim));
                all
            }
            Self::Other { group, plural } => objects(group, plural),
        }
    }

    /// Those of a quota's resources that objects like this one count for.
    pub fn concerned<'q>(&self, hard: impl Iterator<Item = &'q String>) -> BTreeSet<&'q str> {
        hard.map(String::as_str).filter(|name| self.concerns(name)).collect()
    }

    fn concerns(&self, name: &str) -> bool {
        match self {
            Self::Pod(_) => pod::concerns(name),
            Self::Service(_) => {
                matches!(name, "count/services" | "services" | "services.loadbalancers" | "services.nodeports")
            }
            Self::Claim(_) => {
                matches!(name, "count/persistentvolumeclaims" | "persistentvolumeclaims" | "requests.storage")
                    || name.contains(CLASS_INFIX)
            }
            Self::Devices(_) => devices::concerns(name) || objects(CLAIM_GROUP, CLAIM_PLURAL).contains_key(name),
            Self::Other { group, plural } => objects(group, plural).contains_key(name),
        }
    }

    /// Whether the quota's scopes pick it. Scopes are about pods; claims have one of their own.
    pub fn is_in_scope(&self, spec: &ResourceQuotaSpec) -> bool {
        scope::requirements(spec).iter().all(|requirement| match self {
            Self::Pod(pod) => scope::picks_pod(requirement, pod),
            Self::Claim(claim) => scope::picks_claim(requirement, claim),
            Self::Service(_) | Self::Devices(_) | Self::Other { .. } => false,
        })
    }
}

const CLAIM_GROUP: &str = "resource.k8s.io";
const CLAIM_PLURAL: &str = "resourceclaims";

const CLASS_INFIX: &str = ".storageclass.storage.k8s.io/";

/// The name of the quota on the number of objects of a resource: `count/deployments.apps`.
pub fn count_name(group: &str, plural: &str) -> String {
    if group.is_empty() { format!("count/{plural}") } else { format!("count/{plural}.{group}") }
}

/// Group and plural of the objects that a quota on their number is about; `None` for other quotas.
pub fn counted_resource(name: &str) -> Option<(&str, &str)> {
    match name.strip_prefix("count/") {
        Some(resource) => {
            let (plural, group) = resource.split_once('.').unwrap_or((resource, ""));
            Some((group, plural))
        }
        None => NAMED.contains(&name).then_some(("", name)),
    }
}

fn objects(group: &str, plural: &str) -> Amounts {
    let mut all = Amounts::from([(count_name(group, plural), Quantity::from_int(1))]);
    if group.is_empty() && NAMED.contains(&plural) {
        all.insert(plural.to_owned(), Quantity::from_int(1));
    }
    all
}

fn whole(count: usize) -> Quantity {
    Quantity::from_int(i64::try_from(count).unwrap_or(i64::MAX))
}

fn service_usage(service: &Service) -> Amounts {
    let mut all = objects("", "services");
    let spec = service.spec.clone().unwrap_or_default();
    let ports = spec.ports.unwrap_or_default();
    let chosen = ports.iter().filter(|port| port.node_port.is_some_and(|port| port != 0)).count();
    let (node_ports, balancers) = match spec.type_.as_deref() {
        Some("NodePort") => (ports.len(), 0),
        Some("LoadBalancer") if spec.allocate_load_balancer_node_ports == Some(false) => (chosen, 1),
        Some("LoadBalancer") => (ports.len(), 1),
        _ => (0, 0),
    };
    all.insert("services.nodeports".to_owned(), whole(node_ports));
    all.insert("services.loadbalancers".to_owned(), whole(balancers));
    all
}

fn claim_usage(claim: &PersistentVolumeClaim) -> Amounts {
    let mut all = objects("", "persistentvolumeclaims");
    let spec = claim.spec.clone().unwrap_or_default();
    let annotated =
        claim.metadata.annotations.as_ref().and_then(|all| all.get("volume.beta.kubernetes.io/storage-class"));
    let class = annotated.cloned().or(spec.storage_class_name).filter(|class| !class.is_empty());
    let storage = |list: Option<&BTreeMap<String, Text>>| -> Option<Quantity> { list?.get("storage")?.0.parse().ok() };
    let requested = storage(spec.resources.as_ref().and_then(|resources| resources.requests.as_ref()));
    // What was allocated once is paid for until the claim is gone.
    let allocated = storage(claim.status.as_ref().and_then(|status| status.allocated_resources.as_ref()));
    let size = requested.max(allocated);
    if let Some(class) = &class {
        all.insert(format!("{class}{CLASS_INFIX}persistentvolumeclaims"), Quantity::from_int(1));
    }
    if let Some(size) = size {
        all.insert("requests.storage".to_owned(), size);
        if let Some(class) = &class {
            all.insert(format!("{class}{CLASS_INFIX}requests.storage"), size);
        }
    }
    all
}

/// The limits that are in force: those that the controller has taken over into `status`.
pub fn enforced(quota: &ResourceQuota) -> BTreeMap<String, Text> {
    quota.status.as_ref().and_then(|status| status.hard.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
