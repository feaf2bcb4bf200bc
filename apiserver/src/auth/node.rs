//! The Node authorizer: a node reads only what its own pods need, and only its own Node, Lease, CSINode and ResourceSlices.
//!
//! Owns the graph from nodes to what their pods refer to, fed one pod or volume at a time. What a node may put into its writes is
//! NodeRestriction's question. k8s: `plugin/pkg/auth/authorizer/node`.

mod graph;

pub use graph::{OF_NODE, OF_POD, Reference, pod_references};

use super::Attributes;
use super::rbac::Rule;
use client::identity::Identity;
use graph::Graph;
use parking_lot::RwLock;
use serde_json::Value;

pub const GROUP: &str = "system:nodes";
pub(super) const USER_PREFIX: &str = "system:node:";
const NODE_LEASES: &str = "kube-node-lease";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Allow,
    /// Others may still allow it; the reason ends up in the message if nobody does.
    NoOpinion(String),
}

pub struct NodeAuthorizer {
    graph: RwLock<Graph>,
    /// Everything that is not about particular objects: the rules of the role `system:node`.
    rules: Vec<Rule>,
}

/// The node's name, where the caller is a node.
pub fn name_of(identity: &Identity) -> Option<&str> {
    let name = identity.user.strip_prefix(USER_PREFIX)?;
    identity.groups.iter().any(|group| group == GROUP).then_some(name).filter(|name| !name.is_empty())
}

fn no(reason: impl Into<String>) -> Verdict {
    Verdict::NoOpinion(reason.into())
}

fn allow_if(allowed: bool, reason: impl FnOnce() -> String) -> Verdict {
    if allowed { Verdict::Allow } else { Verdict::NoOpinion(reason()) }
}

impl NodeAuthorizer {
    pub fn new(rules: Vec<Rule>) -> Self {
        Self { graph: RwLock::default(), rules }
    }

    /// A pod came, changed or went.
    pub fn apply_pod(&self, ns: &str, name: &str, pod: Option<&Value>) {
        self.graph.write().apply_pod(ns, name, pod);
    }

    /// A persistent volume came, changed or went.
    pub fn apply_volume(&self, name: &str, volume: Option<&Value>) {
        self.graph.write().apply_volume(name, volume);
    }

    /// A ResourceSlice came, changed or went.
    pub fn apply_slice(&self, name: &str, slice: Option<&Value>) {
        self.graph.write().apply_slice(name, slice);
    }

    /// A PodCertificateRequest came, changed or went.
    pub fn apply_certificate_request(&self, ns: &str, name: &str, request: Option<&Value>) {
        self.graph.write().apply_certificate_request(ns, name, request);
    }

    pub fn authorize(&self, identity: &Identity, attributes: &Attributes<'_>) -> Verdict {
        let Some(node) = name_of(identity) else { return no("") };
        if attributes.path.is_some() {
            return self.by_rules(attributes);
        }
        match (attributes.group, attributes.resource) {
            ("", "secrets") => match self.reads(node, attributes, Reference::secret) {
                Verdict::NoOpinion(_) if self.mounts_with(node, attributes) => Verdict::Allow,
                verdict => verdict,
            },
            ("", "configmaps") => self.reads(node, attributes, Reference::config_map),
            ("", "persistentvolumeclaims") => self.claim(node, attributes),
            ("", "persistentvolumes") => self.volume(node, attributes),
            ("", "serviceaccounts") => self.service_account(node, attributes),
            ("", "nodes") => own_node(node, attributes),
            ("", "pods") => self.pod(node, attributes),
            ("coordination.k8s.io", "leases") => own_lease(node, attributes),
            ("storage.k8s.io", "csinodes") => own_csi_node(node, attributes),
            ("resource.k8s.io", "resourceclaims") => self.gets(node, attributes, Reference::resource_claim),
            ("resource.k8s.io", "resourceslices") => self.resource_slice(node, attributes),
            ("certificates.k8s.io", "podcertificaterequests") => self.certificate_request(node, attributes),
            _ => self.by_rules(attributes),
        }
    }

    fn by_rules(&self, attributes: &Attributes<'_>) -> Verdict {
        allow_if(self.rules.iter().any(|rule| rule.allows(attributes)), String::new)
    }

    /// `get`, or `list` and `watch` of one name.
    fn reads(&self, node: &str, attributes: &Attributes<'_>, reference: fn(&str, &str) -> Reference) -> Verdict {
        match attributes.verb {
            "get" | "list" | "watch" if attributes.subresource.is_empty() => self.related(node, attributes, reference),
            _ => no(format!("can only read resources of this type: {}", attributes.resource)),
        }
    }

    fn gets(&self, node: &str, attributes: &Attributes<'_>, reference: fn(&str, &str) -> Reference) -> Verdict {
        match (attributes.verb, attributes.subresource) {
            ("get", "") => self.related(node, attributes, reference),
            (_, "") => no("can only get individual resources of this type"),
            _ => no("cannot get subresource"),
        }
    }

    fn related(&self, node: &str, attributes: &Attributes<'_>, reference: fn(&str, &str) -> Reference) -> Verdict {
        let name = attributes.selected_name();
        if name.is_empty() {
            return no("No Object name found");
        }
        let reference = reference(attributes.namespace, name);
        allow_if(self.graph.read().refers(node, &reference), || {
            format!("no relationship found between node '{node}' and this object")
        })
    }

    fn claim(&self, node: &str, attributes: &Attributes<'_>) -> Verdict {
        match (attributes.subresource, attributes.verb) {
            ("status", "get" | "update" | "patch") => self.related(node, attributes, Reference::claim),
            ("status", _) => no("can only update PVC status"),
            _ => self.gets(node, attributes, Reference::claim),
        }
    }

    /// A volume belongs to the node through the claim that it is bound to.
    fn volume(&self, node: &str, attributes: &Attributes<'_>) -> Verdict {
        if (attributes.verb, attributes.subresource) != ("get", "") {
            return no("can only get individual resources of this type");
        }
        allow_if(self.graph.read().mounts(node, attributes.name), || {
            format!("no relationship found between node '{node}' and this object")
        })
    }

    /// A secret may also belong to the node through a volume of its pods.
    fn mounts_with(&self, node: &str, attributes: &Attributes<'_>) -> bool {
        matches!((attributes.verb, attributes.subresource), ("get" | "list" | "watch", ""))
            && self.graph.read().mounts_with(node, &Reference::secret(attributes.namespace, attributes.selected_name()))
    }

    fn service_account(&self, node: &str, attributes: &Attributes<'_>) -> Verdict {
        match (attributes.subresource, attributes.verb) {
            ("token", "create") | ("", "get") => self.related(node, attributes, Reference::service_account),
            ("token", _) => no("can only create tokens for individual service accounts"),
            _ => no("can only get individual resources of this type"),
        }
    }

    fn resource_slice(&self, node: &str, attributes: &Attributes<'_>) -> Verdict {
        match (attributes.subresource, attributes.verb) {
            // Which node it is about is in the body; NodeRestriction checks it.
            ("", "create") => Verdict::Allow,
            ("", "get" | "update" | "patch" | "delete") => {
                allow_if(self.graph.read().publishes(node, attributes.name), || {
                    format!("no relationship found between node '{node}' and this object")
                })
            }
            ("", "list" | "watch" | "deletecollection") => {
                allow_if(attributes.selected("spec.nodeName") == Some(node), || {
                    "can only list/watch/deletecollection resourceslices with nodeName field selector".to_owned()
                })
            }
            (_, verb) => no(format!("unrecognized verb {verb:?} for node and resourceslices")),
        }
    }

    fn certificate_request(&self, node: &str, attributes: &Attributes<'_>) -> Verdict {
        match (attributes.subresource, attributes.verb) {
            // Which pod it is for is in the body; NodeRestriction checks it.
            ("", "create") => Verdict::Allow,
            ("", "get") => {
                let own = self.graph.read().asked_for(node, attributes.namespace, attributes.name);
                allow_if(own, || format!("no relationship found between node '{node}' and this object"))
            }
            ("", "list" | "watch") => allow_if(attributes.selected("spec.nodeName") == Some(node), || {
                "can only list/watch podcertificaterequests with nodeName field selector".to_owned()
            }),
            (_, verb) => no(format!("unrecognized verb {verb:?} for node and podcertificaterequests")),
        }
    }

    fn pod(&self, node: &str, attributes: &Attributes<'_>) -> Verdict {
        match (attributes.subresource, attributes.verb) {
            ("", "get") => allow_if(self.graph.read().runs(node, attributes.namespace, attributes.name), || {
                format!("no relationship found between node '{node}' and this object")
            }),
            ("", "list" | "watch") => {
                let name = attributes.selected_name();
                let own = attributes.selected("spec.nodeName") == Some(node)
                    || (!name.is_empty() && self.graph.read().runs(node, attributes.namespace, name));
                allow_if(own, || "can only list/watch pods with spec.nodeName field selector".to_owned())
            }
            // NodeRestriction narrows these to pods of the node.
            ("", "create" | "delete") | ("status", "update" | "patch") | ("eviction", "create") => Verdict::Allow,
            ("" | "status" | "eviction", verb) => no(format!("unrecognized verb {verb:?} for node and pods")),
            (subresource, _) => no(format!("unrecognized subresource {subresource:?}")),
        }
    }
}

fn own_node(node: &str, attributes: &Attributes<'_>) -> Verdict {
    match (attributes.subresource, attributes.verb) {
        // The name of a create is in the body; NodeRestriction checks it.
        ("", "create") => Verdict::Allow,
        ("", "get" | "list" | "watch" | "update" | "patch") | ("status", "get" | "update" | "patch") => {
            allow_if(attributes.selected_name() == node, || {
                format!("node '{node}' cannot read or change other nodes, only its own Node object")
            })
        }
        (_, verb) => no(format!("node '{node}' may not {verb} nodes")),
    }
}

fn own_lease(node: &str, attributes: &Attributes<'_>) -> Verdict {
    match attributes.verb {
        "get" | "create" | "update" | "patch" | "delete" => {}
        _ => return no("can only get, create, update, patch, or delete a node lease"),
    }
    if attributes.namespace != NODE_LEASES {
        return no(format!("can only access leases in the {NODE_LEASES:?} system namespace"));
    }
    allow_if(attributes.verb == "create" || attributes.name == node, || {
        "can only access node lease with the same name as the requesting node".to_owned()
    })
}

fn own_csi_node(node: &str, attributes: &Attributes<'_>) -> Verdict {
    match attributes.verb {
        "get" | "create" | "update" | "patch" | "delete" if attributes.subresource.is_empty() => {}
        _ => return no("can only get, create, update, patch, or delete a CSINode"),
    }
    allow_if(attributes.verb == "create" || attributes.name == node, || {
        "can only access CSINode with the same name as the requesting node".to_owned()
    })
}

#[cfg(test)]
mod tests;
