//! What plugins that declare a capability are told of a pod. cni: CONVENTIONS.md

use super::PortMap;
use crate::net::bandwidth::Bandwidth;
use proto::cri;
use serde_json::{Map, Value, json};

/// No bound on how much may go at once, as other runtimes have it.
const BURST_BITS: u64 = u32::MAX as u64;

/// By name; a pod that asks for nothing has none.
pub(super) fn of(config: &cri::PodSandboxConfig, ports: &[PortMap]) -> Map<String, Value> {
    let mut all = Map::new();
    if !ports.is_empty() {
        let map = |port: &PortMap| {
            let host_ip = port.host_ip.map(|ip| ip.to_string()).unwrap_or_default();
            json!({
                "hostPort": port.host_port, "containerPort": port.container_port,
                "protocol": port.protocol, "hostIP": host_ip,
            })
        };
        all.insert("portMappings".to_owned(), ports.iter().map(map).collect());
    }
    let Bandwidth { ingress, egress } = Bandwidth::of(config);
    let mut bandwidth = Map::new();
    for (direction, bits) in [("ingress", ingress), ("egress", egress)] {
        if let Some(bits) = bits {
            bandwidth.insert(format!("{direction}Rate"), json!(bits));
            bandwidth.insert(format!("{direction}Burst"), json!(BURST_BITS));
        }
    }
    if !bandwidth.is_empty() {
        all.insert("bandwidth".to_owned(), Value::Object(bandwidth));
    }
    all
}
