//! Node ports of a Service: those it asks for, or some from the range; one port serves both protocols of a number.

use super::claim::{self, Claim, port_of};
use super::range::{in_order, random_index};
use super::{Allocator, PORT_PREFIX, RANDOM_TRIES, invalid, service_type};
use crate::error::ApiError;
use bytes::Bytes;
use kinds::errors::FieldError;
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub(super) async fn settle(allocator: &Allocator, service: &mut Value, old: Option<&Value>) -> Result<(), ApiError> {
    if let Some(old) = old {
        carry_over(service, old);
    }
    let held = old.map(claim::of).unwrap_or_default();
    let mut mine: BTreeSet<u16> = BTreeSet::new();
    if has_ports(service) {
        // What is asked for passes the range even where none would be given.
        take_asked(allocator, service, &held, &mut mine).await?;
    }
    if wants_ports(service) {
        pick_missing(allocator, service, &mut mine).await?;
    }
    health_check(allocator, service, &held).await
}

fn wants_ports(service: &Value) -> bool {
    match service_type(service) {
        "NodePort" => true,
        "LoadBalancer" => service.pointer("/spec/allocateLoadBalancerNodePorts") != Some(&Value::Bool(false)),
        _ => false,
    }
}

/// Whether a node port means anything: elsewhere it is a number that nobody serves and nobody owns.
pub(super) fn has_ports(service: &Value) -> bool {
    matches!(service_type(service), "NodePort" | "LoadBalancer")
}

fn ports(service: &Value) -> impl Iterator<Item = &Value> {
    service["spec"]["ports"].as_array().into_iter().flatten()
}

/// Ports that the client left out stay what they were; ports of a Service that needs none any more go.
/// k8s: patchAllocatedValues and dropTypeDependentFields
fn carry_over(service: &mut Value, old: &Value) {
    let (had, has) = (wants_ports(old), has_ports(service));
    let before: Vec<Value> = ports(old).cloned().collect();
    let Some(list) = service["spec"]["ports"].as_array_mut() else { return };
    for port in list {
        let same = before.iter().find(|other| other["port"] == port["port"] && other["protocol"] == port["protocol"]);
        let kept = same.and_then(|other| port_of(&other["nodePort"]));
        match (port_of(&port["nodePort"]), kept) {
            (None, Some(kept)) if had && has => port["nodePort"] = json!(kept),
            (Some(now), Some(kept)) if had && !has && now == kept => {
                if let Some(port) = port.as_object_mut() {
                    port.remove("nodePort");
                }
            }
            _ => {}
        }
    }
}

async fn take_asked(
    allocator: &Allocator,
    service: &Value,
    held: &claim::Claims,
    mine: &mut BTreeSet<u16>,
) -> Result<(), ApiError> {
    let range = &allocator.params.ports;
    for (index, port) in ports(service).enumerate() {
        let Some(asked) = port_of(&port["nodePort"]) else { continue };
        if held.contains(&Claim::Port(asked)) || !mine.insert(asked) {
            mine.insert(asked);
            continue;
        }
        let refuse =
            |why: String| invalid(service, FieldError::invalid(format!("spec.ports[{index}].nodePort"), asked, why));
        if !range.contains(asked) {
            return Err(refuse(format!(
                "provided port is not in the valid range. The range of valid ports is {range}"
            )));
        }
        if !allocator.try_take(&Claim::Port(asked)).await? {
            return Err(refuse("provided port is already allocated".to_owned()));
        }
    }
    Ok(())
}

async fn pick_missing(allocator: &Allocator, service: &mut Value, mine: &mut BTreeSet<u16>) -> Result<(), ApiError> {
    let count = ports(service).count();
    for index in 0..count {
        let port = &service["spec"]["ports"][index];
        if port_of(&port["nodePort"]).is_some() {
            continue;
        }
        // DNS over TCP and UDP: the same number outside too.
        let twin = ports(service)
            .filter(|other| other["port"] == port["port"] && other["protocol"] != port["protocol"])
            .find_map(|other| port_of(&other["nodePort"]));
        let picked = match twin {
            Some(twin) => twin,
            None => pick(allocator).await?,
        };
        mine.insert(picked);
        service["spec"]["ports"][index]["nodePort"] = json!(picked);
    }
    Ok(())
}

/// A load balancer asks this port whether the node has endpoints of its own.
async fn health_check(allocator: &Allocator, service: &mut Value, held: &claim::Claims) -> Result<(), ApiError> {
    let local = service_type(service) == "LoadBalancer"
        && service.pointer("/spec/externalTrafficPolicy").and_then(Value::as_str) == Some("Local");
    let asked = port_of(&service["spec"]["healthCheckNodePort"]);
    match (local, asked) {
        (true, None) => {
            let picked = pick(allocator).await?;
            service["spec"]["healthCheckNodePort"] = json!(picked);
            Ok(())
        }
        (true, Some(asked)) if !held.contains(&Claim::Port(asked)) => {
            let refuse = |why: String| invalid(service, FieldError::invalid("spec.healthCheckNodePort", asked, why));
            let range = &allocator.params.ports;
            if !range.contains(asked) {
                return Err(refuse(format!(
                    "provided port is not in the valid range. The range of valid ports is {range}"
                )));
            }
            if allocator.try_take(&Claim::Port(asked)).await? {
                Ok(())
            } else {
                Err(refuse("provided port is already allocated".to_owned()))
            }
        }
        (false, Some(asked)) if held.contains(&Claim::Port(asked)) => {
            if let Some(spec) = service["spec"].as_object_mut() {
                spec.remove("healthCheckNodePort");
            }
            Ok(())
        }
        (true, Some(_)) | (false, _) => Ok(()),
    }
}

async fn pick(allocator: &Allocator) -> Result<u16, ApiError> {
    let range = &allocator.params.ports;
    let (len, reserved) = (range.len(), range.reserved());
    for _ in 0..RANDOM_TRIES {
        let port = range.at(random_index(len, reserved));
        if allocator.try_take(&Claim::Port(port)).await? {
            return Ok(port);
        }
    }
    let taken = allocator.taken(PORT_PREFIX).await?;
    for port in in_order(len, reserved).map(|index| range.at(index)).filter(|port| !taken.contains(&port.to_string())) {
        if allocator.try_take(&Claim::Port(port)).await? {
            return Ok(port);
        }
    }
    Err(ApiError::internal("failed to allocate a nodePort: range is full"))
}

/// Who holds a port, for people who look into the store and for the repair.
pub(super) fn record(port: u16, service: &Value) -> Bytes {
    let text = |field: &str| service["metadata"][field].as_str().unwrap_or_default();
    let record = json!({"port": port, "namespace": text("namespace"), "name": text("name")});
    Bytes::from(record.to_string())
}
