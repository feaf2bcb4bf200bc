//! What a Service may ask for. Ranges of addresses and node ports are the allocator's to check.

use super::{NO_CLUSTER_IP, has_cluster_ip, is_external, is_headless, kind};
use crate::errors::{FieldError, FieldErrors};
use crate::validate::path::Path;
use crate::validate::{each, format, given, invalid_each, metadata, network, one_of};
use k8s_openapi::api::core::v1::{LoadBalancerIngress, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::collections::BTreeSet;

const SPEC: Path<'static> = Path::new("spec");
const TYPES: [&str; 4] = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
/// The node agent listens here; a balancer in front of it would give its API away.
const NODE_AGENT_PORT: i32 = 10_250;
const AFFINITY_SECS_MAX: i32 = 86_400;
/// One of each family.
const CLUSTER_IPS_MAX: usize = 2;
const LOAD_BALANCER_ONLY: &str = "may only be used when `type` is 'LoadBalancer'";

pub(super) fn spec(spec: &ServiceSpec, errors: &mut FieldErrors) {
    let ports = each(&spec.ports).as_slice();
    of_type(spec, errors);
    self::ports(ports, errors);
    metadata::labels(spec.selector.as_ref(), &SPEC.child("selector"), errors);
    affinity(spec, errors);
    cluster_ips(spec, errors);
    let list = SPEC.child("externalIPs");
    for (i, ip) in each(&spec.external_ips).enumerate() {
        network::routable_ip(ip, &list.index(i), errors);
    }
    one_of(kind(spec), &TYPES, &SPEC.child("type"), errors);
    if kind(spec) == "ClusterIP" {
        let list = SPEC.child("ports");
        for (i, _) in ports.iter().enumerate().filter(|(_, port)| port.node_port.unwrap_or_default() != 0) {
            let detail = "may not be used when `type` is 'ClusterIP'";
            errors.push(FieldError::forbidden(list.index(i).child("nodePort"), detail));
        }
    }
    duplicates(ports, errors);
    load_balancer(spec, errors);
    policies(spec, errors);
}

fn of_type(spec: &ServiceSpec, errors: &mut FieldErrors) {
    let ports = each(&spec.ports).as_slice();
    let at = SPEC.child("ports");
    let addresses = SPEC.child("clusterIPs");
    if ports.is_empty() && kind(spec) != "ExternalName" && !is_headless(spec) {
        errors.push(FieldError::required(at, ""));
    }
    match kind(spec) {
        "LoadBalancer" | "NodePort" => {
            if is_headless(spec) {
                let detail = format!("may not be set to 'None' for {} services", kind(spec));
                errors.push(FieldError::invalid(addresses.index(0), NO_CLUSTER_IP, detail));
            }
            let exposed = ports.iter().enumerate().filter(|(_, port)| port.port == NODE_AGENT_PORT);
            for (i, port) in exposed.filter(|_| kind(spec) == "LoadBalancer") {
                let detail = format!("may not expose port {NODE_AGENT_PORT} externally since it is used by kubelet");
                errors.push(FieldError::invalid(at.index(i), port.port, detail));
            }
        }
        "ExternalName" => {
            if each(&spec.cluster_ips).next().is_some() || given(spec.cluster_ip.as_ref()).is_some() {
                errors.push(FieldError::forbidden(addresses, "may not be set for ExternalName services"));
            }
            let name = SPEC.child("externalName");
            match given(spec.external_name.as_ref()) {
                None => errors.push(FieldError::required(name, "")),
                Some(external) => {
                    let bare = external.strip_suffix('.').unwrap_or(external);
                    invalid_each(bare, format::dns_subdomain(bare), &name, errors);
                }
            }
        }
        _ => {}
    }
}

fn ports(ports: &[ServicePort], errors: &mut FieldErrors) {
    let list = SPEC.child("ports");
    let mut names = BTreeSet::new();
    for (i, port) in ports.iter().enumerate() {
        let at = list.index(i);
        match given(port.name.as_ref()) {
            None if ports.len() > 1 => errors.push(FieldError::required(at.child("name"), "")),
            None => {}
            Some(name) => {
                invalid_each(name, format::dns_label(name), &at.child("name"), errors);
                if !names.insert(name) {
                    errors.push(FieldError::duplicate(at.child("name"), name));
                }
            }
        }
        network::port_number(port.port, &at.child("port"), errors);
        network::protocol(given(port.protocol.as_ref()), &at.child("protocol"), errors);
        let target = port.target_port.clone().unwrap_or(IntOrString::Int(0));
        network::port_or_name(&target, &at.child("targetPort"), errors);
        if let Some(number) = port.node_port.filter(|number| *number != 0) {
            network::port_number(number, &at.child("nodePort"), errors);
        }
        if let Some(name) = &port.app_protocol {
            network::app_protocol(name, &at.child("appProtocol"), errors);
        }
    }
}

fn duplicates(ports: &[ServicePort], errors: &mut FieldErrors) {
    let list = SPEC.child("ports");
    let (mut fronts, mut nodes) = (BTreeSet::new(), BTreeSet::new());
    for (i, port) in ports.iter().enumerate() {
        let at = list.index(i);
        if let Some(number) = port.node_port.filter(|number| *number != 0)
            && !nodes.insert((&port.protocol, number))
        {
            errors.push(FieldError::duplicate(at.child("nodePort"), number));
        }
        if !fronts.insert((&port.protocol, port.port)) {
            let shown = serde_json::json!({"protocol": port.protocol, "port": port.port});
            errors.push(FieldError::duplicate(at, shown));
        }
    }
}

fn affinity(spec: &ServiceSpec, errors: &mut FieldErrors) {
    let at = SPEC.child("sessionAffinity");
    let config = SPEC.child("sessionAffinityConfig");
    match given(spec.session_affinity.as_ref()) {
        None => errors.push(FieldError::required(at, "")),
        Some("ClientIP") => {
            let timeout =
                spec.session_affinity_config.as_ref().and_then(|config| config.client_ip.as_ref()?.timeout_seconds);
            let path = config.child("clientIP");
            let path = path.child("timeoutSeconds");
            match timeout {
                None => errors.push(FieldError::required(path, "when session affinity type is ClientIP")),
                Some(secs) if !(1..=AFFINITY_SECS_MAX).contains(&secs) => {
                    let detail = format!("must be greater than 0 and less than {AFFINITY_SECS_MAX}");
                    errors.push(FieldError::invalid(path, secs, detail));
                }
                Some(_) => {}
            }
        }
        Some("None") => {
            if spec.session_affinity_config.is_some() {
                errors.push(FieldError::forbidden(config, "must not be set when session affinity is None"));
            }
        }
        Some(other) => errors.push(FieldError::not_supported(at, other, &["ClientIP", "None"])),
    }
}

fn cluster_ips(spec: &ServiceSpec, errors: &mut FieldErrors) {
    if !has_cluster_ip(spec) {
        return;
    }
    let list = SPEC.child("clusterIPs");
    let ips = each(&spec.cluster_ips).as_slice();
    if let (Some(single), Some(first)) = (given(spec.cluster_ip.as_ref()), ips.first())
        && single != first
    {
        errors.push(FieldError::invalid(list, ips, "first value must match `clusterIP`"));
    }
    if ips.len() > CLUSTER_IPS_MAX {
        errors.push(FieldError::invalid(list, ips, "may only hold up to 2 values"));
    }
    for (i, ip) in ips.iter().enumerate() {
        if ip == NO_CLUSTER_IP {
            if i != 0 {
                errors.push(FieldError::invalid(list.index(i), ip, "must be empty when `clusterIP` is 'None'"));
            }
        } else {
            network::ip(ip, &list.index(i), errors);
        }
    }
    let families = SPEC.child("ipFamilies");
    let mut seen = BTreeSet::new();
    for (i, family) in each(&spec.ip_families).enumerate() {
        one_of(family, &["IPv4", "IPv6"], &families.index(i), errors);
        if !seen.insert(family) {
            errors.push(FieldError::duplicate(families.index(i), family));
        }
    }
    if let Some(policy) = given(spec.ip_family_policy.as_ref()) {
        let known = ["PreferDualStack", "RequireDualStack", "SingleStack"];
        one_of(policy, &known, &SPEC.child("ipFamilyPolicy"), errors);
    }
}

fn load_balancer(spec: &ServiceSpec, errors: &mut FieldErrors) {
    let balances = kind(spec) == "LoadBalancer";
    let ranges = SPEC.child("loadBalancerSourceRanges");
    if !balances && each(&spec.load_balancer_source_ranges).next().is_some() {
        errors.push(FieldError::forbidden(ranges, LOAD_BALANCER_ONLY));
    }
    for (i, range) in each(&spec.load_balancer_source_ranges).enumerate() {
        if let Err(detail) = format::cidr(range.trim()) {
            errors.push(FieldError::invalid(ranges.index(i), range, detail));
        }
    }
    let allocate = SPEC.child("allocateLoadBalancerNodePorts");
    match spec.allocate_load_balancer_node_ports {
        None if balances => errors.push(FieldError::required(allocate, "")),
        Some(_) if !balances => errors.push(FieldError::forbidden(allocate, LOAD_BALANCER_ONLY)),
        _ => {}
    }
    if let Some(class) = &spec.load_balancer_class {
        let at = SPEC.child("loadBalancerClass");
        if balances {
            invalid_each(class, format::qualified_name(class), &at, errors);
        } else {
            errors.push(FieldError::forbidden(at, LOAD_BALANCER_ONLY));
        }
    }
}

fn policies(spec: &ServiceSpec, errors: &mut FieldErrors) {
    let at = SPEC.child("externalTrafficPolicy");
    match given(spec.external_traffic_policy.as_ref()) {
        None if is_external(spec) => errors.push(FieldError::required(at, "")),
        None => {}
        Some(policy) if !is_external(spec) => {
            errors.push(FieldError::invalid(at, policy, "may only be set for externally-accessible services"));
        }
        Some(policy) => one_of(policy, &["Cluster", "Local"], &at, errors),
    }
    let at = SPEC.child("healthCheckNodePort");
    if let Some(port) = spec.health_check_node_port.filter(|port| *port != 0) {
        let local = kind(spec) == "LoadBalancer" && spec.external_traffic_policy.as_deref() == Some("Local");
        if local {
            network::port_number(port, &at, errors);
        } else {
            let detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
            errors.push(FieldError::invalid(at, port, detail));
        }
    }
    let at = SPEC.child("internalTrafficPolicy");
    match given(spec.internal_traffic_policy.as_ref()) {
        None if has_cluster_ip(spec) => errors.push(FieldError::required(at, "")),
        None => {}
        Some(policy) => one_of(policy, &["Cluster", "Local"], &at, errors),
    }
    if let Some(spread) = &spec.traffic_distribution {
        let known = ["PreferClose", "PreferSameNode", "PreferSameZone"];
        one_of(spread, &known, &SPEC.child("trafficDistribution"), errors);
    }
}

/// Where a balancer takes traffic for the Service.
/// k8s: ValidateLoadBalancerStatus
pub(super) fn balancer_point(point: &LoadBalancerIngress, path: &Path<'_>, errors: &mut FieldErrors) {
    let ip = given(point.ip.as_ref());
    if let Some(ip) = ip {
        network::ip(ip, &path.child("ip"), errors);
    }
    let at = path.child("ipMode");
    match (&point.ip_mode, ip) {
        (None, Some(_)) => errors.push(FieldError::required(at, "must be specified when `ip` is set")),
        (Some(_), None) => errors.push(FieldError::forbidden(at, "may not be specified when `ip` is not set")),
        (Some(mode), Some(_)) => one_of(mode, &["Proxy", "VIP"], &at, errors),
        (None, None) => {}
    }
    if let Some(name) = given(point.hostname.as_ref()) {
        network::balancer_name(name, &path.child("hostname"), errors);
    }
}

/// A second address and family may come, and go where only one is asked for; none takes another's place.
/// k8s: validateUpgradeDowngradeClusterIPs, validateUpgradeDowngradeIPFamilies
fn second(
    (list, one): (&'static str, &str),
    (new, old): (&[String], &[String]),
    spec: &ServiceSpec,
    errors: &mut FieldErrors,
) {
    match (old.get(1), new.get(1)) {
        (Some(before), Some(after)) if before != after => {
            errors.push(FieldError::invalid(SPEC.child(list).index(1), new, "may not change once set"));
        }
        (Some(_), None) if given(spec.ip_family_policy.as_ref()) != Some("SingleStack") => {
            let detail = format!("must be set to 'SingleStack' when releasing the secondary {one}");
            errors.push(FieldError::invalid(SPEC.child("ipFamilyPolicy"), &spec.ip_family_policy, detail));
        }
        _ => {}
    }
}

/// The primary address and family of a Service are for life, or until it becomes ExternalName.
pub(super) fn change(new: &ServiceSpec, old: &ServiceSpec) -> FieldErrors {
    let mut errors = FieldErrors::new();
    const FIXED: &str = "may not change once set";
    if has_cluster_ip(new) && has_cluster_ip(old) {
        let primary = |spec: &ServiceSpec| {
            each(&spec.cluster_ips)
                .next()
                .map(String::as_str)
                .or_else(|| given(spec.cluster_ip.as_ref()))
                .map(str::to_owned)
        };
        if let Some(before) = primary(old)
            && primary(new).as_ref() != Some(&before)
        {
            errors.push(FieldError::invalid(SPEC.child("clusterIPs").index(0), &new.cluster_ips, FIXED));
        }
        let family = |spec: &ServiceSpec| each(&spec.ip_families).next().cloned();
        if let (Some(before), Some(after)) = (family(old), family(new))
            && before != after
        {
            errors.push(FieldError::invalid(SPEC.child("ipFamilies").index(0), &new.ip_families, FIXED));
        }
        let of = |list| each(list).as_slice();
        let ips = (of(&new.cluster_ips), of(&old.cluster_ips));
        second(("clusterIPs", "clusterIP"), ips, new, &mut errors);
        let families = (of(&new.ip_families), of(&old.ip_families));
        second(("ipFamilies", "ipFamily"), families, new, &mut errors);
    }
    let balanced = kind(new) == "LoadBalancer" && kind(old) == "LoadBalancer";
    if balanced && new.load_balancer_class != old.load_balancer_class {
        errors.push(FieldError::invalid(SPEC.child("loadBalancerClass"), &new.load_balancer_class, FIXED));
    }
    errors
}
