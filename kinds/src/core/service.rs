//! Service (v1). Addresses and node ports are the allocator's; what may be asked for is checked in `rules`.

mod carry;
mod printer;
mod rules;

use crate::errors::{FieldError, FieldErrors};
use crate::row::Row;
use crate::typed::TypedKind;
use crate::validate::{each, given, path::Path};
use k8s_openapi::api::core::v1::{ClientIPConfig, Service, ServicePort, ServiceSpec, ServiceStatus};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::Value;

/// Three hours.
const AFFINITY_TIMEOUT_SECS: i32 = 10_800;
pub(crate) const NO_CLUSTER_IP: &str = "None";

pub(crate) struct ServiceKind;

impl TypedKind for ServiceKind {
    type Object = Service;

    const ROW: Row = printer::ROW;

    fn default(service: &mut Service) {
        default_spec(service.spec.get_or_insert_default());
        if let Some(balancer) = service.status.as_mut().and_then(|status| status.load_balancer.as_mut()) {
            for ingress in balancer.ingress.iter_mut().flatten() {
                if given(ingress.ip.as_ref()).is_some() && ingress.ip_mode.is_none() {
                    ingress.ip_mode = Some("VIP".to_owned());
                }
            }
        }
    }

    fn prepare_create(service: &mut Service) {
        service.status = Some(ServiceStatus {
            load_balancer: Some(k8s_openapi::api::core::v1::LoadBalancerStatus::default()),
            conditions: None,
        });
        let Some(spec) = &mut service.spec else { return };
        carry::normalize_new(spec);
    }

    fn prepare_update(service: &mut Service, old: &Service) {
        let (Some(spec), Some(before)) = (&mut service.spec, &old.spec) else { return };
        carry::normalize(spec, before);
        carry::keep_allocated(spec, before);
        carry::drop_dependent(spec, before);
    }

    fn validate(service: &Service) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let empty = ServiceSpec::default();
        rules::spec(service.spec.as_ref().unwrap_or(&empty), &mut errors);
        errors
    }

    fn validate_update(service: &Service, old: &Service) -> FieldErrors {
        match (&service.spec, &old.spec) {
            (Some(spec), Some(before)) => rules::change(spec, before),
            _ => Vec::new(),
        }
    }

    fn validate_status(service: &Service, _old: &Service) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let list = Path::new("status.loadBalancer.ingress");
        let balancer = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
        let points = balancer.map_or(&[][..], |balancer| each(&balancer.ingress).as_slice());
        let balanced = service.spec.as_ref().is_some_and(|spec| kind(spec) == "LoadBalancer");
        if !balanced && !points.is_empty() {
            let detail = "may only be used when `spec.type` is 'LoadBalancer'";
            errors.push(FieldError::forbidden(list, detail));
            return errors;
        }
        for (i, point) in points.iter().enumerate() {
            rules::balancer_point(point, &list.index(i), &mut errors);
        }
        errors
    }

    fn warnings(service: &Service) -> Vec<String> {
        let Some(spec) = &service.spec else { return Vec::new() };
        let mut texts = Vec::new();
        if is_headless(spec) && given(spec.load_balancer_ip.as_ref()).is_some() {
            texts.push("spec.loadBalancerIP is ignored when spec.clusterIP is set to \"None\"".to_owned());
        }
        if is_headless(spec) && each(&spec.external_ips).next().is_some() {
            texts.push("spec.externalIPs is ignored when spec.clusterIP is set to \"None\"".to_owned());
        }
        if is_headless(spec) && spec.session_affinity.as_deref().is_some_and(|affinity| affinity != "None") {
            texts.push("spec.SessionAffinity is ignored for headless services".to_owned());
        }
        if spec.type_.as_deref() == Some("ExternalName") && each(&spec.external_ips).next().is_some() {
            texts.push("spec.externalIPs is ignored when spec.type is \"ExternalName\"".to_owned());
        }
        texts
    }

    fn cells(object: &Service, now_unix_secs: i64) -> Vec<Value> {
        printer::cells(object, now_unix_secs)
    }
}

pub(crate) fn is_headless(spec: &ServiceSpec) -> bool {
    let first = each(&spec.cluster_ips).next().or(spec.cluster_ip.as_ref());
    first.is_some_and(|ip| ip == NO_CLUSTER_IP)
}

/// Whether the kind of service has a cluster address at all.
fn has_cluster_ip(spec: &ServiceSpec) -> bool {
    matches!(kind(spec), "ClusterIP" | "NodePort" | "LoadBalancer")
}

fn kind(spec: &ServiceSpec) -> &str {
    given(spec.type_.as_ref()).unwrap_or("ClusterIP")
}

fn has_node_ports(spec: &ServiceSpec) -> bool {
    match kind(spec) {
        "NodePort" => true,
        "LoadBalancer" => {
            spec.allocate_load_balancer_node_ports != Some(false)
                || each(&spec.ports).any(|port| port.node_port.unwrap_or_default() != 0)
        }
        _ => false,
    }
}

/// k8s: `ExternallyAccessible`: traffic may come from outside of the cluster.
fn is_external(spec: &ServiceSpec) -> bool {
    matches!(kind(spec), "NodePort" | "LoadBalancer")
        || (kind(spec) == "ClusterIP" && each(&spec.external_ips).next().is_some())
}

fn default_spec(spec: &mut ServiceSpec) {
    if given(spec.session_affinity.as_ref()).is_none() {
        spec.session_affinity = Some("None".to_owned());
    }
    match spec.session_affinity.as_deref() {
        Some("None") => spec.session_affinity_config = None,
        Some("ClientIP") => {
            let config = spec.session_affinity_config.get_or_insert_default();
            let ClientIPConfig { timeout_seconds } = config.client_ip.get_or_insert_default();
            timeout_seconds.get_or_insert(AFFINITY_TIMEOUT_SECS);
        }
        _ => {}
    }
    if given(spec.type_.as_ref()).is_none() {
        spec.type_ = Some("ClusterIP".to_owned());
    }
    if spec.publish_not_ready_addresses == Some(false) {
        spec.publish_not_ready_addresses = None;
    }
    spec.ports.iter_mut().flatten().for_each(default_port);
    if is_external(spec) && given(spec.external_traffic_policy.as_ref()).is_none() {
        spec.external_traffic_policy = Some("Cluster".to_owned());
    }
    if has_cluster_ip(spec) && spec.internal_traffic_policy.is_none() {
        spec.internal_traffic_policy = Some("Cluster".to_owned());
    }
    if kind(spec) == "LoadBalancer" {
        spec.allocate_load_balancer_node_ports.get_or_insert(true);
    }
}

fn default_port(port: &mut ServicePort) {
    if given(port.protocol.as_ref()).is_none() {
        port.protocol = Some("TCP".to_owned());
    }
    let unset = match &port.target_port {
        None | Some(IntOrString::Int(0)) => true,
        Some(IntOrString::String(name)) => name.is_empty(),
        Some(IntOrString::Int(_)) => false,
    };
    if unset {
        port.target_port = Some(IntOrString::Int(port.port));
    }
    if port.node_port == Some(0) {
        port.node_port = None;
    }
}

#[cfg(test)]
mod tests;
