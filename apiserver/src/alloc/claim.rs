//! What a Service holds, read off its spec.

use super::node_port::has_ports;
use super::{ADDRESS_PREFIX, PORT_PREFIX};
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::IpAddr;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Claim {
    Address(IpAddr),
    Port(u16),
}

pub(super) type Claims = BTreeSet<Claim>;

impl Claim {
    pub(super) fn key(&self) -> String {
        match self {
            Self::Address(ip) => format!("{ADDRESS_PREFIX}{ip}"),
            Self::Port(port) => format!("{PORT_PREFIX}{port}"),
        }
    }
}

pub(super) fn of(service: &Value) -> Claims {
    let spec = &service["spec"];
    let text = |value: &Value| value.as_str().and_then(|text| text.parse().ok()).map(Claim::Address);
    let addresses = spec["clusterIPs"].as_array().into_iter().flatten().chain([&spec["clusterIP"]]).filter_map(text);
    let ports = spec["ports"].as_array().into_iter().flatten().map(|port| &port["nodePort"]);
    let ports = ports.chain([&spec["healthCheckNodePort"]]).filter_map(port_of).map(Claim::Port);
    addresses.chain(ports.filter(|_| has_ports(service))).collect()
}

pub(super) fn port_of(value: &Value) -> Option<u16> {
    value.as_u64().and_then(|port| u16::try_from(port).ok()).filter(|port| *port != 0)
}
