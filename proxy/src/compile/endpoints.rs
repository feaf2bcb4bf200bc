//! Which endpoints of a port this node may use: ready ones, near ones where every endpoint is hinted, and where nothing
//! is ready those that still serve while they terminate, so that the last pods of a rolling update answer to the end.
//!
//! k8s: `pkg/proxy/topology.go`

use super::Place;
use crate::ruleset::{Endpoint, PortKey, Protocol};
use k8s_openapi::api::discovery::v1::{Endpoint as ApiEndpoint, EndpointSlice};
use std::collections::BTreeSet;
use std::net::IpAddr;

pub(super) struct Candidate {
    endpoint: Endpoint,
    place: Whereabouts,
    state: State,
    hints: Hints,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Whereabouts {
    Here,
    Elsewhere,
    /// Of a slice that somebody wrote by hand.
    Unknown,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Ready,
    /// Serves though it terminates.
    Leaving,
    Useless,
}

/// Whom an endpoint is meant for, as seen from this node.
#[derive(Clone, Copy)]
struct Hints {
    node: Hint,
    zone: Hint,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Hint {
    None,
    Here,
    Elsewhere,
}

impl Candidate {
    fn is_here(&self) -> bool {
        self.place == Whereabouts::Here
    }
}

pub(super) fn candidates<'a>(
    key: &PortKey,
    slices: impl Iterator<Item = &'a EndpointSlice>,
    place: &Place,
) -> Vec<Candidate> {
    let mut found = Vec::new();
    for slice in slices.filter(|slice| slice.address_type == place.family.name()) {
        let port = slice.ports.iter().flatten().find(|port| {
            port.name.as_deref().unwrap_or_default() == key.port
                && Protocol::parse(port.protocol.as_deref()) == Some(key.protocol)
        });
        let Some(port) = port.and_then(|port| port.port).and_then(|port| u16::try_from(port).ok()) else { continue };
        found.extend(slice.endpoints.iter().flatten().filter_map(|endpoint| candidate(endpoint, port, place)));
    }
    found
}

fn candidate(endpoint: &ApiEndpoint, port: u16, place: &Place) -> Option<Candidate> {
    let conditions = endpoint.conditions.as_ref();
    let ready = conditions.and_then(|c| c.ready).unwrap_or(true);
    let serving = conditions.and_then(|c| c.serving).unwrap_or(ready);
    let terminating = conditions.and_then(|c| c.terminating).unwrap_or(false);
    Some(Candidate {
        // k8s: only the first address of an endpoint counts.
        endpoint: Endpoint { address: endpoint.addresses.first()?.parse().ok()?, port },
        place: match endpoint.node_name.as_deref() {
            Some(node) if node == place.node => Whereabouts::Here,
            Some(_) => Whereabouts::Elsewhere,
            None => Whereabouts::Unknown,
        },
        state: match (ready, serving && terminating) {
            (true, _) => State::Ready,
            (false, true) => State::Leaving,
            (false, false) => State::Useless,
        },
        hints: hints(endpoint, place),
    })
}

fn hints(endpoint: &ApiEndpoint, place: &Place) -> Hints {
    let hints = endpoint.hints.as_ref();
    let nodes: Vec<&str> = hints.iter().flat_map(|h| h.for_nodes.iter().flatten()).map(|h| h.name.as_str()).collect();
    let zones: Vec<&str> = hints.iter().flat_map(|h| h.for_zones.iter().flatten()).map(|h| h.name.as_str()).collect();
    let hint = |names: Vec<&str>, here: Option<&str>| match here {
        _ if names.is_empty() => Hint::None,
        Some(here) if names.contains(&here) => Hint::Here,
        _ => Hint::Elsewhere,
    };
    Hints { node: hint(nodes, Some(&place.node)), zone: hint(zones, place.zone.as_deref()) }
}

/// What a Cluster policy uses. Hints are followed only where all ready endpoints have them and one of them means this
/// node: a half-written state must not send everybody to one pod, or nobody anywhere.
pub(super) fn of_cluster(candidates: &[Candidate], place: &Place) -> Vec<Endpoint> {
    let ready: Vec<&Candidate> = candidates.iter().filter(|c| c.state == State::Ready).collect();
    if ready.is_empty() {
        return sorted(candidates.iter().filter(|c| c.state == State::Leaving));
    }
    let followed = |hint: fn(&Candidate) -> Hint| {
        ready.iter().all(|c| hint(c) != Hint::None) && ready.iter().any(|c| hint(c) == Hint::Here)
    };
    if followed(|c| c.hints.node) {
        sorted(ready.into_iter().filter(|c| c.hints.node == Hint::Here))
    } else if place.zone.is_some() && followed(|c| c.hints.zone) {
        sorted(ready.into_iter().filter(|c| c.hints.zone == Hint::Here))
    } else {
        sorted(ready.into_iter())
    }
}

/// What a Local policy uses.
pub(super) fn of_node(candidates: &[Candidate]) -> Vec<Endpoint> {
    let here = |state: State| sorted(candidates.iter().filter(|c| c.is_here() && c.state == state));
    let ready = here(State::Ready);
    if ready.is_empty() { here(State::Leaving) } else { ready }
}

/// Who may send to itself through this node. A pod's packets are translated on the pod's own node, so it is those of this
/// one; but a pod elsewhere may use this node's NodePort, and where the policy is Local nothing has masqueraded it.
pub(super) fn hairpins(candidates: &[Candidate], from_afar: bool, used: [&[Endpoint]; 2]) -> Vec<Endpoint> {
    let is_used = |endpoint: &Endpoint| used.iter().any(|some| some.binary_search(endpoint).is_ok());
    sorted(candidates.iter().filter(|c| (from_afar || c.place != Whereabouts::Elsewhere) && is_used(&c.endpoint)))
}

/// k8s: load balancers count what is ready on the node; what terminates is to be left alone.
pub(super) fn ready_addresses_here(candidates: &[Candidate]) -> BTreeSet<IpAddr> {
    candidates.iter().filter(|c| c.is_here() && c.state == State::Ready).map(|c| c.endpoint.address).collect()
}

/// In order, each once.
fn sorted<'a>(candidates: impl Iterator<Item = &'a Candidate>) -> Vec<Endpoint> {
    let distinct: BTreeSet<Endpoint> = candidates.map(|candidate| candidate.endpoint).collect();
    distinct.into_iter().collect()
}
