//! Which certificate requests a signer of the cluster takes, and for what reason not. Pure.
//! k8s: `apis/certificates/helpers.go`, `controller/certificates/signer`

use crate::alloc::AddressRange;
use crate::backend::address::check;
use crate::pki::request::{Asked, parse};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kinds::tree::text;
use serde_json::Value;
use std::net::IpAddr;

const NODES: &str = "system:nodes";
/// Users of join tokens.
const TOKEN_PREFIX: &str = "system:bootstrap:";
const NODE_PREFIX: &str = "system:node:";
const KUBELET_CLIENT: &str = "kubernetes.io/kube-apiserver-client-kubelet";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signer {
    Client,
    KubeletClient,
    KubeletServing,
}

/// A request for a node's client certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NodeClient {
    /// By the node itself, to renew it.
    Own,
    /// By somebody else, to introduce it.
    Any,
}

/// The request within, where there is one.
pub(crate) fn asked(request: &Value) -> Option<Asked> {
    parse(&STANDARD.decode(text(request, "spec.request")).ok()?).ok()
}

/// Nothing is left to do for anybody.
pub(super) fn is_settled(request: &Value) -> bool {
    let has = |kind| has_condition(request, kind);
    has("Denied") || has("Failed") || !text(request, "status.certificate").is_empty()
}

pub(super) fn is_approved(request: &Value) -> bool {
    has_condition(request, "Approved")
}

fn has_condition(request: &Value, kind: &str) -> bool {
    let conditions = request.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().any(|condition| condition["type"] == kind)
}

pub(super) fn node_client(request: &Value, asked: &Asked) -> Option<NodeClient> {
    if text(request, "spec.signerName") != KUBELET_CLIENT || Signer::KubeletClient.check(request, asked).is_err() {
        return None;
    }
    let own = text(request, "spec.username") == asked.common_name;
    Some(if own { NodeClient::Own } else { NodeClient::Any })
}

/// A request for a node's serving certificate, by itself; its name.
pub(super) fn node_serving<'a>(request: &Value, asked: &'a Asked) -> Option<&'a str> {
    let fits =
        Signer::of(request) == Some(Signer::KubeletServing) && Signer::KubeletServing.check(request, asked).is_ok();
    node_name(asked).filter(|_| fits)
}

/// The node that a request names.
pub(super) fn node_name(asked: &Asked) -> Option<&str> {
    asked.common_name.strip_prefix(NODE_PREFIX)
}

/// The join token by which somebody asks.
pub(super) fn token_id(request: &Value) -> Option<&str> {
    text(request, "spec.username").strip_prefix(TOKEN_PREFIX)
}

/// Names under which clients look for an API server, not for a node.
const RESERVED_NAMES: &[&str] = &["kubernetes", "localhost"];

/// Why a node must not be believed to be at these names and addresses: whoever holds a certificate for an address can
/// pose as what clients expect there. `others` are those of API servers and of other nodes.
pub(super) fn refused_place(node: &str, asked: &Asked, others: &[IpAddr], services: &[AddressRange]) -> Option<String> {
    if let Some(name) = asked.dns_names.iter().find(|name| *name != node) {
        return Some(format!("{name:?} is not the name of node {node:?}"));
    }
    if RESERVED_NAMES.contains(&node) || node.starts_with("kubernetes.default") {
        return Some(format!("{node:?} cannot be the name of a node"));
    }
    asked.addresses.iter().find_map(|ip| {
        if check(*ip).is_err() {
            Some(format!("{ip} is not an address at which others reach a node"))
        } else if services.iter().any(|range| range.contains(*ip)) {
            Some(format!("{ip} belongs to the addresses of Services"))
        } else if others.contains(ip) {
            Some(format!(
                "{ip} is the address of an API server or of another node (--node-ip is for this machine's own; \
                 the machine of a server runs pods by `drover up`)"
            ))
        } else {
            None
        }
    })
}

impl Signer {
    /// `None`: somebody else's business.
    pub(crate) fn of(request: &Value) -> Option<Self> {
        match text(request, "spec.signerName") {
            "kubernetes.io/kube-apiserver-client" => Some(Self::Client),
            KUBELET_CLIENT => Some(Self::KubeletClient),
            "kubernetes.io/kubelet-serving" => Some(Self::KubeletServing),
            _ => None,
        }
    }

    pub(super) fn check(self, request: &Value, asked: &Asked) -> Result<(), String> {
        let usages = strings(&request["spec"]["usages"]);
        match self {
            Self::Client => usages_are(&usages, "client auth"),
            Self::KubeletClient => {
                is_node(asked)?;
                let named = [
                    (asked.dns_names.len(), "DNS"),
                    (asked.emails.len(), "Email"),
                    (asked.addresses.len(), "IP"),
                    (asked.uris.len(), "URI"),
                ];
                if let Some((_, kind)) = named.iter().find(|(count, _)| *count > 0) {
                    return Err(format!("{kind} subjectAltNames are not allowed"));
                }
                usages_are(&usages, "client auth")
            }
            Self::KubeletServing => {
                is_node(asked)?;
                if asked.dns_names.is_empty() && asked.addresses.is_empty() {
                    return Err("at least one DNS or IP subjectAltName is required".to_owned());
                }
                if !(asked.emails.is_empty() && asked.uris.is_empty()) {
                    return Err("Email and URI subjectAltNames are not allowed".to_owned());
                }
                if text(request, "spec.username") != asked.common_name {
                    return Err("subject common name is not the requesting node".to_owned());
                }
                usages_are(&usages, "server auth")
            }
        }
    }
}

fn is_node(asked: &Asked) -> Result<(), String> {
    if asked.organizations != [NODES] {
        return Err(format!("subject organization is not {NODES}"));
    }
    match asked.common_name.strip_prefix(NODE_PREFIX) {
        Some(name) if !name.is_empty() => Ok(()),
        Some(_) | None => Err(format!("subject common name does not begin with {NODE_PREFIX}")),
    }
}

/// The wanted one, and what a key needs beside it.
fn usages_are(usages: &[String], wanted: &str) -> Result<(), String> {
    let known = |usage: &String| matches!(usage.as_str(), "digital signature" | "key encipherment") || usage == wanted;
    if usages.iter().all(known) && usages.iter().any(|usage| usage == wanted) {
        return Ok(());
    }
    Err(format!("usages did not match [digital signature, key encipherment, {wanted}]"))
}

pub(super) fn strings(tree: &Value) -> Vec<String> {
    tree.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn node(user: &str, usages: &[&str]) -> (Value, Asked) {
        let request = json!({"spec": {"signerName": KUBELET_CLIENT, "username": user, "usages": usages}});
        let asked = Asked {
            common_name: "system:node:n1".to_owned(),
            organizations: vec![NODES.to_owned()],
            ..Asked::default()
        };
        (request, asked)
    }

    #[test]
    fn a_node_client_is_told_from_all_else() {
        let usages = ["client auth", "digital signature"];
        let (own, mut asked) = node("system:node:n1", &usages);
        assert_eq!(node_client(&own, &asked), Some(NodeClient::Own));
        assert_eq!(node_client(&node("system:bootstrap:abcdef", &usages).0, &asked), Some(NodeClient::Any));
        assert_eq!(node_client(&node("system:node:n1", &["client auth", "server auth"]).0, &asked), None);
        asked.dns_names.push("n1".to_owned());
        assert_eq!(node_client(&own, &asked), None);
        asked = Asked { organizations: vec!["system:masters".to_owned()], ..node("", &[]).1 };
        assert_eq!(node_client(&own, &asked), None);
    }

    #[test]
    fn a_node_serves_under_its_own_name_and_address_only() {
        let asked = |names: &[&str], ips: &[&str]| Asked {
            dns_names: names.iter().map(ToString::to_string).collect(),
            addresses: ips.iter().map(|ip| ip.parse().unwrap()).collect(),
            ..Asked::default()
        };
        let (others, services) = (["192.0.2.1".parse().unwrap()], [AddressRange::parse("10.43.0.0/16").unwrap()]);
        let refused = |node: &str, asked: &Asked| refused_place(node, asked, &others, &services).is_some();
        assert!(!refused("n1", &asked(&["n1"], &["192.0.2.7"])));
        assert!(refused("n1", &asked(&["kubernetes.default.svc"], &[])));
        assert!(refused("kubernetes", &asked(&["kubernetes"], &[])));
        for ip in ["192.0.2.1", "10.43.0.1", "127.0.0.1"] {
            assert!(refused("n1", &asked(&["n1"], &[ip])), "{ip}");
        }
    }
}
