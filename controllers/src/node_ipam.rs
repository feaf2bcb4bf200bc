//! Gives each node its part of the cluster's pod addresses: a /24 of IPv4, a /64 of IPv6, or one of each. One key for all nodes: two nodes judged at once could get the
//! same range.

use crate::run::Config;
use crate::write;
use client::action::{Action, Key, PatchKind};
use client::cache::{Caches, Tracked as _};
use client::controller::{Controller, Reconcile, Watches};
use k8s_openapi::api::core::v1::Node;
use kinds::ip::{Cidr, Family};
use serde_json::json;
use std::collections::BTreeSet;

pub(crate) const CONTROLLER: Controller = Controller {
    name: "node-ipam",
    watches,
    reconcile: Reconcile::Cached(|_, caches, _| reconcile(caches)),
    refused: None,
};

/// How long the prefix of a node's range is. k8s: node-cidr-mask-size-ipv4 and -ipv6
pub const fn node_cidr_length(family: Family) -> u8 {
    match family {
        Family::V4 => 24,
        Family::V6 => 64,
    }
}

fn watches(watches: &mut Watches) {
    watches.mapped_change::<Node>(|change, _| match &change.new {
        Some(node) if pod_cidr(node).is_none() => vec![Key::new("", "all nodes")],
        _ => Vec::new(),
    });
}

fn pod_cidr(node: &Node) -> Option<&str> {
    node.spec.as_ref()?.pod_cidr.as_deref().filter(|cidr| !cidr.is_empty())
}

/// All that a node has.
fn pod_cidrs(node: &Node) -> impl Iterator<Item = Cidr> + '_ {
    let all = node.spec.iter().flat_map(|spec| spec.pod_cidrs.iter().flatten());
    all.map(String::as_str).chain(pod_cidr(node)).filter_map(|cidr| cidr.parse().ok())
}

fn reconcile(caches: &Caches) -> Vec<Action> {
    let nodes = caches.of::<Node>().list();
    let mut used: BTreeSet<Cidr> = nodes.iter().flat_map(|node| pod_cidrs(node)).collect();
    let mut actions = Vec::new();
    let mut wanting: Vec<_> = nodes.iter().filter(|node| pod_cidr(node).is_none() && !node.deleting()).collect();
    wanting.sort_by(|a, b| (&a.metadata.creation_timestamp, a.name()).cmp(&(&b.metadata.creation_timestamp, b.name())));
    for node in wanting {
        let ranges = &caches.fact::<Config>().cluster_cidrs;
        let Some(cidrs) = ranges.iter().map(|range| free(*range, &used)).collect::<Option<Vec<Cidr>>>() else {
            let message = "no pod address range is left (widen the cluster CIDR)".to_owned();
            actions.push(write::event(node.as_ref(), "Warning", "CIDRNotAvailable", message));
            continue;
        };
        let texts: Vec<String> = cidrs.iter().map(ToString::to_string).collect();
        let body = json!({"spec": {"podCIDR": texts[0], "podCIDRs": texts}, "metadata": {"uid": node.uid()}});
        actions.push(write::patch(node.as_ref(), "", PatchKind::Strategic, body));
        used.extend(cidrs);
    }
    actions
}

/// The lowest part of a range that no node has.
fn free(range: Cidr, used: &BTreeSet<Cidr>) -> Option<Cidr> {
    range.parts(node_cidr_length(range.family())).find(|part| !used.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{caches, caches_of, lines};
    use expect_test::expect;

    fn node(name: &str, cidr: &str) -> String {
        format!(
            "\n---\napiVersion: v1\nkind: Node\nmetadata: {{name: {name}, uid: {name}}}\nspec: {{podCIDR: '{cidr}'}}"
        )
    }

    #[test]
    fn each_node_gets_the_lowest_free_range() {
        let yaml = [node("a", "10.42.0.0/24"), node("b", ""), node("c", "10.42.2.0/24"), node("d", "")].concat();
        expect![[r#"
            patch Node b  {"metadata":{"uid":"b"},"spec":{"podCIDR":"10.42.1.0/24","podCIDRs":["10.42.1.0/24"]}}
            patch Node d  {"metadata":{"uid":"d"},"spec":{"podCIDR":"10.42.3.0/24","podCIDRs":["10.42.3.0/24"]}}
        "#]]
        .assert_eq(&lines(&reconcile(&caches(watches, &yaml))));
    }

    #[test]
    fn nothing_is_written_when_every_node_has_its_range() {
        assert_eq!(reconcile(&caches(watches, &node("a", "10.42.0.0/24"))), []);
    }

    #[test]
    fn a_full_cluster_has_no_range_left() {
        let used = (0..=255).map(|i| Cidr::new([10, 42, i, 0].into(), 24).unwrap()).collect();
        assert_eq!(free("10.42.0.0/16".parse().unwrap(), &used), None);
    }

    #[test]
    fn a_node_of_a_dual_stack_cluster_gets_a_range_of_each_family_in_their_order() {
        let dual = |config: &mut Config| {
            config.cluster_cidrs = ["fd00:42::/56", "10.42.0.0/16"].map(|cidr| cidr.parse().unwrap()).to_vec();
        };
        let yaml = [node("a", "10.42.0.0/24"), node("b", "")].concat();
        expect![[r#"
            patch Node b  {"metadata":{"uid":"b"},"spec":{"podCIDR":"fd00:42::/64","podCIDRs":["fd00:42::/64","10.42.1.0/24"]}}
        "#]]
        .assert_eq(&lines(&reconcile(&caches_of(watches, &yaml, dual))));
    }
}
