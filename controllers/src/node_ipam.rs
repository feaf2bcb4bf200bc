//! Gives each node its /24 of the cluster's pod addresses. One key for all nodes: two nodes judged at once could get the
//! same range.

use crate::run::Config;
use crate::write;
use client::action::{Action, Key, PatchKind};
use client::cache::{Caches, Tracked as _};
use client::controller::{Controller, Reconcile, Watches};
use k8s_openapi::api::core::v1::Node;
use serde_json::json;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

pub(crate) const CONTROLLER: Controller = Controller {
    name: "node-ipam",
    watches,
    reconcile: Reconcile::Cached(|_, caches, _| reconcile(caches)),
    refused: None,
};

/// k8s: node-cidr-mask-size
const NODE_PREFIX: u8 = 24;

fn watches(watches: &mut Watches) {
    watches.mapped_change::<Node>(|change, _| match &change.new {
        Some(node) if pod_cidr(node).is_none() => vec![Key::new("", "all nodes")],
        _ => Vec::new(),
    });
}

fn pod_cidr(node: &Node) -> Option<&str> {
    node.spec.as_ref()?.pod_cidr.as_deref().filter(|cidr| !cidr.is_empty())
}

fn reconcile(caches: &Caches) -> Vec<Action> {
    let nodes = caches.of::<Node>().list();
    let mut used: BTreeSet<String> = nodes.iter().filter_map(|node| pod_cidr(node)).map(str::to_owned).collect();
    let mut actions = Vec::new();
    let mut wanting: Vec<_> = nodes.iter().filter(|node| pod_cidr(node).is_none() && !node.deleting()).collect();
    wanting.sort_by(|a, b| (&a.metadata.creation_timestamp, a.name()).cmp(&(&b.metadata.creation_timestamp, b.name())));
    for node in wanting {
        let Some(cidr) = free(caches.fact::<Config>().cluster_cidr, &used) else {
            let message = "no pod address range is left (widen the cluster CIDR)".to_owned();
            actions.push(write::event(node.as_ref(), "Warning", "CIDRNotAvailable", message));
            continue;
        };
        let body = json!({"spec": {"podCIDR": cidr, "podCIDRs": [cidr]}, "metadata": {"uid": node.uid()}});
        actions.push(write::patch(node.as_ref(), "", PatchKind::Strategic, body));
        used.insert(cidr);
    }
    actions
}

/// The lowest range that no node has.
fn free((base, prefix): (Ipv4Addr, u8), used: &BTreeSet<String>) -> Option<String> {
    let ranges = 1_u32 << NODE_PREFIX.saturating_sub(prefix);
    let size = 1_u32 << (32 - NODE_PREFIX);
    (0..ranges)
        .map(|at| format!("{}/{NODE_PREFIX}", Ipv4Addr::from(u32::from(base) + at * size)))
        .find(|cidr| !used.contains(cidr))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{caches, lines};
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
        let used = (0..256).map(|i| format!("10.42.{i}.0/24")).collect();
        assert_eq!(free((Ipv4Addr::new(10, 42, 0, 0), 16), &used), None);
    }
}
