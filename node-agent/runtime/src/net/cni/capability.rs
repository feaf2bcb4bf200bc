//! What plugins that declare a capability are told of a pod. cni: CONVENTIONS.md

use super::PortMap;
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
    let mut bandwidth = Map::new();
    for direction in ["ingress", "egress"] {
        let asked = config.annotations.get(&format!("kubernetes.io/{direction}-bandwidth"));
        let Some(asked) = asked else { continue };
        if let Some(bits) = bits(asked) {
            bandwidth.insert(format!("{direction}Rate"), json!(bits));
            bandwidth.insert(format!("{direction}Burst"), json!(BURST_BITS));
        } else {
            tracing::warn!(direction, asked, "a pod's bandwidth is no number of bits a second; it has no bound");
        }
    }
    if !bandwidth.is_empty() {
        all.insert("bandwidth".to_owned(), Value::Object(bandwidth));
    }
    all
}

/// Bits a second of `10M` or `1Gi`: whole numbers with the suffixes of quantities.
fn bits(text: &str) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, suffix) = text.split_at(digits);
    let scale = match suffix {
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "T" => 1_000_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_quantities_are() {
        for (text, wanted) in
            [("10M", Some(10_000_000)), ("512", Some(512)), ("1Gi", Some(1 << 30)), ("fast", None), ("", None)]
        {
            assert_eq!(bits(text), wanted, "{text}");
        }
    }
}
