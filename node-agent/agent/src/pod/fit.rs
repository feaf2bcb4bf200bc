//! Whether a pod fits on the node beside those that are there: resources, labels, host ports. The scheduler has asked
//! before, but its picture may be old, and pods may name their node themselves. Pure.

use super::demand::{Amounts, held_by, of_pod};
use super::label::is_static;
use super::member::{host_network, members, spec};
use super::observed::Doom;
use k8s_openapi::api::core::v1::Pod;
use kinds::placement::{self, NodeFacts};
use std::collections::BTreeMap;
use std::sync::Arc;

/// k8s: pods of this priority and above are critical: they are admitted even where others have to make room.
pub(crate) const CRITICAL_PRIORITY: i32 = 2_000_000_000;

/// The node as pods are judged against it.
#[derive(Clone, Debug, Default)]
pub struct Room {
    pub node_name: String,
    /// `None` while the node's object is not known.
    pub labels: Option<BTreeMap<String, String>>,
    pub allocatable: Amounts,
    /// Pods that have been admitted and have not ended.
    pub others: Vec<Arc<Pod>>,
}

/// A resource that is not there in the amount asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Short {
    pub resource: String,
    pub requested: i64,
    pub used: i64,
    pub capacity: i64,
}

impl Room {
    /// What the admitted pods ask for, without `pod` itself.
    fn used(&self, resource: &str, pod: &Pod) -> i64 {
        let others = self.others.iter().filter(|o| o.metadata.uid != pod.metadata.uid);
        others.map(|o| held_by(o).get(resource).copied().unwrap_or(0)).sum()
    }

    /// The first resource that `pod` asks more of than there is, even on an empty node.
    pub fn infeasible(&self, pod: &Pod) -> Option<Short> {
        let wanted = of_pod(pod);
        // k8s: memory is named first where both are too much.
        ["memory", "cpu"].into_iter().find_map(|resource| {
            let requested = wanted.get(resource).copied().unwrap_or(0);
            let capacity = self.allocatable.get(resource).copied().unwrap_or(0);
            (requested > capacity).then(|| Short { resource: resource.to_owned(), requested, used: 0, capacity })
        })
    }

    /// The first resource that `pod` asks more of than the others leave. Extended resources that the node does not know
    /// are somebody else's business.
    pub fn short(&self, pod: &Pod) -> Option<Short> {
        let wanted = of_pod(pod);
        wanted.iter().filter(|(_, requested)| **requested > 0).find_map(|(resource, requested)| {
            let capacity = *self.allocatable.get(resource)?;
            let used = self.used(resource, pod);
            let short = Short { resource: resource.clone(), requested: *requested, used, capacity };
            (requested + used > capacity).then_some(short)
        })
    }
}

fn refused(reason: impl Into<String>, message: &str) -> Doom {
    Doom { reason: reason.into(), message: format!("Pod was rejected: {message}"), grace: None }
}

/// k8s: the order of the checks and their words (lifecycle/predicate.go).
pub fn fits(pod: &Pod, room: &Room) -> Result<(), Doom> {
    let critical = spec(pod).priority.is_some_and(|p| p >= CRITICAL_PRIORITY) || is_static(pod);
    if !critical {
        let slots = room.allocatable.get("pods").copied().unwrap_or(i64::MAX);
        if i64::try_from(room.others.len()).unwrap_or(i64::MAX) >= slots {
            let text = format!(
                "Node didn't have enough resource: pods, requested: 1, used: {}, capacity: {slots}",
                room.others.len()
            );
            return Err(refused("OutOfpods", &text));
        }
        if let Some(Short { resource, requested, used, capacity }) = room.short(pod) {
            let text = format!(
                "Node didn't have enough resource: {resource}, requested: {requested}, used: {used}, capacity: {capacity}"
            );
            return Err(refused(format!("OutOf{resource}"), &text));
        }
    }
    if !selects(pod, room) {
        let text = "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector";
        return Err(refused("NodeAffinity", text));
    }
    let own = host_ports(pod);
    let taken = room.others.iter().any(|other| host_ports(other).iter().any(|b| own.iter().any(|a| a.meets(b))));
    if taken {
        let text = "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports";
        return Err(refused("NodePorts", text));
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
struct HostPort {
    ip: String,
    protocol: String,
    port: i32,
}

impl HostPort {
    fn meets(&self, other: &Self) -> bool {
        let everywhere = |ip: &str| ip == "0.0.0.0";
        self.port == other.port
            && self.protocol == other.protocol
            && (self.ip == other.ip || everywhere(&self.ip) || everywhere(&other.ip))
    }
}

fn host_ports(pod: &Pod) -> Vec<HostPort> {
    let all = members(pod);
    let ports = all.iter().flat_map(|m| m.spec.ports.iter().flatten());
    let with_host = ports.filter_map(|p| {
        let port = p.host_port.or(host_network(pod).then_some(p.container_port)).filter(|port| *port > 0)?;
        let ip = p.host_ip.as_deref().filter(|ip| !ip.is_empty()).unwrap_or("0.0.0.0");
        Some(HostPort { ip: ip.to_owned(), protocol: p.protocol.clone().unwrap_or_else(|| "TCP".to_owned()), port })
    });
    with_host.collect()
}

fn selects(pod: &Pod, room: &Room) -> bool {
    // A node whose object is not known yet was chosen by somebody who knew it.
    room.labels.is_none()
        || placement::allowed(spec(pod), NodeFacts { name: &room.node_name, labels: room.labels.as_ref() })
}

#[cfg(test)]
mod tests {
    use super::super::fixture::pod_yaml;
    use super::*;

    fn check(there: &str, comes: &str) -> Option<(String, String)> {
        let other = pod_yaml(&format!("metadata: {{uid: other}}\nspec: {there}"));
        let room = Room {
            node_name: "n1".into(),
            labels: Some([("disk".to_owned(), "ssd".to_owned())].into()),
            allocatable: [("cpu", 2000), ("memory", 1 << 30), ("pods", 2)].map(|(n, v)| (n.to_owned(), v)).into(),
            others: vec![Arc::new(other)],
        };
        fits(&pod_yaml(&format!("spec: {comes}")), &room).err().map(|d| (d.reason, d.message))
    }

    fn cpu(amount: &str) -> String {
        format!("{{containers: [{{name: a, resources: {{requests: {{cpu: {amount}}}}}}}]}}")
    }

    #[test]
    fn a_pod_that_does_not_fit_is_refused_with_upstreams_words() {
        assert_eq!(check(&cpu("1"), &cpu("1")), None);
        let (reason, message) = check(&cpu("1500m"), &cpu("1")).unwrap();
        assert_eq!(reason, "OutOfcpu");
        assert_eq!(
            message,
            "Pod was rejected: Node didn't have enough resource: cpu, requested: 1000, used: 1500, capacity: 2000"
        );
        let critical = cpu("1").replacen('{', "{priority: 2000000000, ", 1);
        assert_eq!(check(&cpu("1500m"), &critical), None);
    }

    #[test]
    fn host_ports_are_taken_once_per_address_and_protocol() {
        let port =
            |more: &str| format!("{{containers: [{{name: a, ports: [{{containerPort: 1, hostPort: 80{more}}}]}}]}}");
        let reason = |a: &str, b: &str| check(&port(a), &port(b)).map(|r| r.0);
        assert_eq!(reason("", "").as_deref(), Some("NodePorts"));
        assert_eq!(reason("", ", hostIP: 192.0.2.1").as_deref(), Some("NodePorts"));
        assert_eq!(reason(", hostIP: 192.0.2.2", ", hostIP: 192.0.2.1"), None);
        assert_eq!(reason("", ", protocol: UDP"), None);
    }

    #[test]
    fn labels_are_asked_for() {
        let reason = |spec: &str| check("{}", spec).map(|r| r.0);
        assert_eq!(reason("{nodeSelector: {disk: ssd}}"), None);
        assert_eq!(reason("{nodeSelector: {disk: tape}}").as_deref(), Some("NodeAffinity"));
    }
}
