//! Flows that outlive what they were translated for. The kernel remembers where UDP went: without help, a client would
//! go on talking to a pod that is gone, or to nobody where it began before the first endpoint was there. Pure.

use crate::ruleset::{Endpoint, Protocol, Ruleset, ServicePort};
use std::collections::BTreeSet;

/// Arguments of one `conntrack -D -p udp`.
pub type Deletion = Vec<String>;

/// What to forget on the way from `old` to `new`: flows to endpoints that left, and flows that were not translated
/// because there was no endpoint.
pub fn stale(old: &Ruleset, new: &Ruleset) -> Vec<Deletion> {
    let mut deletions = BTreeSet::new();
    for (key, before) in old.iter().filter(|(key, _)| key.protocol == Protocol::Udp) {
        let after = new.get(key).map(used).unwrap_or_default();
        for endpoint in used(before).difference(&after) {
            deletions.extend(doors(before).into_iter().map(|door| with_endpoint(door, *endpoint)));
        }
    }
    for (key, after) in new.iter().filter(|(key, port)| key.protocol == Protocol::Udp && !port.endpoints.is_empty()) {
        // A door that is new to a Service may have been knocked at before, as may all of one that nobody was behind.
        let before = old.get(key).filter(|port| !port.endpoints.is_empty()).map(doors).unwrap_or_default();
        deletions.extend(doors(after).into_iter().filter(|door| !before.contains(door)));
    }
    deletions.into_iter().collect()
}

fn used(port: &ServicePort) -> BTreeSet<Endpoint> {
    port.endpoints.iter().chain(&port.local_endpoints).copied().collect()
}

/// How conntrack names each way in.
fn doors(port: &ServicePort) -> Vec<Deletion> {
    let by_address = port
        .addresses()
        .map(|ip| vec!["--orig-dst".to_owned(), ip.to_string(), "--orig-port-dst".to_owned(), port.port.to_string()]);
    let by_node_port = port.node_port.map(|port| vec!["--orig-port-dst".to_owned(), port.to_string()]);
    by_address.chain(by_node_port).collect()
}

fn with_endpoint(mut door: Deletion, endpoint: Endpoint) -> Deletion {
    door.extend(["--dst-nat".to_owned(), endpoint.address.to_string()]);
    door
}
