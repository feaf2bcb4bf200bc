//! Addresses of load balancers that this node answers for: those of Services that say so. Who chooses is a controller;
//! how a machine answers is not the proxy's business.

use crate::compile::load_balancer_ips;
use client::cache::{Caches, Change};
use k8s_openapi::api::core::v1::Service;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tracing::{info, warn};

/// On a Service: the node that answers for its addresses.
const ANNOUNCED_BY: &str = "drover.dev/announced-by";

/// Addresses that change together are told together.
const COALESCE: Duration = Duration::from_millis(20);
/// After a change neighbours are told a second time: the first packets of a new address are easily lost.
const REMIND: Duration = Duration::from_secs(1);
/// After a failure, and what somebody else took away comes back within this time.
const REPAIR_EVERY: Duration = Duration::from_secs(30);

/// Makes this machine answer for addresses.
pub trait Announce: Send + Sync + 'static {
    /// For exactly these: what is not among them any more is to go. Called again and again with the same ones.
    fn tell(&self, addresses: &BTreeSet<IpAddr>) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;
}

/// For as long as it is asked to. What was told stays: connections outlive the proxy.
pub(crate) async fn run(node: &str, caches: &Caches, announce: Arc<dyn Announce>) {
    let mut changes = caches.of::<Service>().subscribe();
    caches.synced().await;
    let mut told: Option<BTreeSet<IpAddr>> = None;
    loop {
        while changes.try_recv().is_ok() {}
        let wanted = ours(node, caches.of::<Service>().list().iter().map(AsRef::as_ref));
        let (announce, addresses) = (Arc::clone(&announce), wanted.clone());
        let outcome = tokio::task::spawn_blocking(move || announce.tell(&addresses)).await;
        let next = match outcome.expect("announcing does not panic") {
            Ok(()) => {
                let known = told.as_ref() == Some(&wanted);
                // A node starts with none, and need not say so.
                if told.unwrap_or_default() != wanted {
                    info!(?wanted, "addresses of load balancers are announced here");
                }
                told = Some(wanted);
                if known { REPAIR_EVERY } else { REMIND }
            }
            Err(error) => {
                warn!(%error, "cannot announce addresses of load balancers; will try again");
                told = None;
                REMIND
            }
        };
        tokio::select! {
            () = changed(node, caches, &mut changes, told.as_ref()) => {}
            () = tokio::time::sleep(next) => {}
        }
    }
}

/// Waits until other addresses are wanted than those that were told.
async fn changed(
    node: &str,
    caches: &Caches,
    changes: &mut UnboundedReceiver<Change<Service>>,
    told: Option<&BTreeSet<IpAddr>>,
) {
    loop {
        let Some(change) = changes.recv().await else {
            // The caches have ended: this process is about to.
            return std::future::pending().await;
        };
        let concerns = |service: &Arc<Service>| announcer(service) == Some(node);
        if ![&change.old, &change.new].into_iter().flatten().any(concerns) {
            continue;
        }
        tokio::time::sleep(COALESCE).await;
        while changes.try_recv().is_ok() {}
        if told != Some(&ours(node, caches.of::<Service>().list().iter().map(AsRef::as_ref))) {
            return;
        }
    }
}

fn announcer(service: &Service) -> Option<&str> {
    service.metadata.annotations.as_ref()?.get(ANNOUNCED_BY).map(String::as_str)
}

fn ours<'a>(node: &str, services: impl Iterator<Item = &'a Service>) -> BTreeSet<IpAddr> {
    services.filter(|service| announcer(service) == Some(node)).flat_map(load_balancer_ips).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_node_answers_for_what_is_its_own() {
        let service = |node: &str, ip: &str, mode: &str| -> Service {
            let tree = json!({
                "metadata": {"annotations": {ANNOUNCED_BY: node}},
                "status": {"loadBalancer": {"ingress": [{"ip": ip, "ipMode": mode}]}},
            });
            serde_json::from_value(tree).unwrap()
        };
        let services = [
            service("a", "192.0.2.1", "VIP"),
            service("b", "192.0.2.2", "VIP"),
            service("a", "192.0.2.3", "Proxy"),
            Service::default(),
        ];
        assert_eq!(ours("a", services.iter()), [IpAddr::from([192, 0, 2, 1])].into());
    }
}
