//! What an update of a Service keeps of the object before when the client left it out, and what it drops when the type
//! changes. Clients replace Services without knowing what was allocated for them.
//!
//! k8s: pkg/registry/core/service: `patchAllocatedValues`, `dropTypeDependentFields`, `NormalizeClusterIPs`.

use super::{has_cluster_ip, has_node_ports, is_external, kind};
use crate::validate::{each, given};
use k8s_openapi::api::core::v1::{ServicePort, ServiceSpec};

/// A new service may name its address in either field.
pub(super) fn normalize_new(spec: &mut ServiceSpec) {
    if let Some(ip) = given(spec.cluster_ip.as_ref()).map(str::to_owned)
        && each(&spec.cluster_ips).next().is_none()
    {
        spec.cluster_ips = Some(vec![ip]);
    }
}

/// A client that knows only `clusterIP` changes `clusterIPs` through it.
pub(super) fn normalize(new: &mut ServiceSpec, old: &ServiceSpec) {
    if each(&old.cluster_ips).next().is_none() && given(old.cluster_ip.as_ref()).is_none() {
        normalize_new(new);
        return;
    }
    let (single, before) = (given(new.cluster_ip.as_ref()), given(old.cluster_ip.as_ref()));
    let same_list = each(&new.cluster_ips).eq(each(&old.cluster_ips));
    match (single, before) {
        (None, Some(_)) if same_list => new.cluster_ips = None,
        (Some(ip), before) if Some(ip) != before && same_list => new.cluster_ips = Some(vec![ip.to_owned()]),
        (Some(ip), _) if each(&new.cluster_ips).next().is_none() && before != Some(ip) => {
            new.cluster_ips = Some(vec![ip.to_owned()]);
        }
        _ => {}
    }
}

/// What was allocated stays unless the client says otherwise.
pub(super) fn keep_allocated(new: &mut ServiceSpec, old: &ServiceSpec) {
    if has_cluster_ip(old) && has_cluster_ip(new) {
        if given(new.cluster_ip.as_ref()).is_none() {
            new.cluster_ip.clone_from(&old.cluster_ip);
        }
        if each(&new.cluster_ips).next().is_none() && new.cluster_ip == old.cluster_ip {
            new.cluster_ips.clone_from(&old.cluster_ips);
        }
        // The families follow the addresses when a client does not send them.
        if each(&new.ip_families).next().is_none() && new.cluster_ips == old.cluster_ips {
            new.ip_families.clone_from(&old.ip_families);
        }
        if new.ip_family_policy.is_none() {
            new.ip_family_policy.clone_from(&old.ip_family_policy);
        }
    }
    if has_node_ports(old) && has_node_ports(new) {
        keep_node_ports(new.ports.as_deref_mut().unwrap_or_default(), each(&old.ports).as_slice());
    }
    if has_health_port(old) && has_health_port(new) && new.health_check_node_port.unwrap_or_default() == 0 {
        new.health_check_node_port = old.health_check_node_port;
    }
}

fn keep_node_ports(new: &mut [ServicePort], old: &[ServicePort]) {
    let asked: Vec<(Option<String>, i32)> = new
        .iter()
        .filter_map(|port| Some((port.protocol.clone(), port.node_port.filter(|number| *number != 0)?)))
        .collect();
    for port in new.iter_mut().filter(|port| port.node_port.unwrap_or_default() == 0) {
        let before = old.iter().find(|before| before.protocol == port.protocol && before.port == port.port);
        let Some(number) = before.and_then(|before| before.node_port).filter(|number| *number != 0) else { continue };
        if !asked.contains(&(port.protocol.clone(), number)) {
            port.node_port = Some(number);
        }
    }
}

fn has_health_port(spec: &ServiceSpec) -> bool {
    kind(spec) == "LoadBalancer" && spec.external_traffic_policy.as_deref() == Some("Local")
}

/// Fields that the new type does not have go, if the client did not touch them.
pub(super) fn drop_dependent(new: &mut ServiceSpec, old: &ServiceSpec) {
    let kept_ips = new.cluster_ip == old.cluster_ip && new.cluster_ips == old.cluster_ips;
    if has_cluster_ip(old) && !has_cluster_ip(new) && kept_ips {
        new.cluster_ip = None;
        new.cluster_ips = None;
        new.ip_families = None;
        new.ip_family_policy = None;
    }
    let number = |port: &ServicePort| port.node_port.unwrap_or_default();
    let kept_ports = each(&new.ports).map(number).eq(each(&old.ports).map(number));
    if has_node_ports(old) && !has_node_ports(new) && kept_ports {
        new.ports.iter_mut().flatten().for_each(|port| port.node_port = None);
    }
    let kept_health = new.health_check_node_port == old.health_check_node_port;
    if has_health_port(old) && !has_health_port(new) && kept_health {
        new.health_check_node_port = None;
    }
    if kind(new) != "LoadBalancer" && kind(old) == "LoadBalancer" {
        if new.allocate_load_balancer_node_ports == old.allocate_load_balancer_node_ports {
            new.allocate_load_balancer_node_ports = None;
        }
        if new.load_balancer_class == old.load_balancer_class {
            new.load_balancer_class = None;
        }
    }
    if is_external(old) && !is_external(new) && new.external_traffic_policy == old.external_traffic_policy {
        new.external_traffic_policy = None;
    }
    if has_cluster_ip(old) && !has_cluster_ip(new) && new.internal_traffic_policy == old.internal_traffic_policy {
        new.internal_traffic_policy = None;
    }
}
