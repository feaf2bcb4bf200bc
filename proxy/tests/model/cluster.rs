//! Services by number, as plain as they come: a ClusterIP, a port, endpoints on other nodes.

use proxy::ruleset::{Endpoint, PortKey, Protocol, ServicePort, Target};
use std::net::{IpAddr, Ipv4Addr};

pub(crate) fn address(service: u32) -> IpAddr {
    Ipv4Addr::from_bits(Ipv4Addr::new(10, 43, 0, 0).to_bits() + service).into()
}

pub(crate) fn endpoints(service: u32, count: u32) -> Vec<Endpoint> {
    let first = Ipv4Addr::new(10, 44, 0, 0).to_bits() + service * count;
    (0..count).map(|place| Endpoint { address: Ipv4Addr::from_bits(first + place).into(), port: 8080 }).collect()
}

pub(crate) fn service(number: u32, endpoints: Vec<Endpoint>) -> (PortKey, ServicePort) {
    let key =
        PortKey { ns: "shop".into(), service: format!("s{number:05}"), port: String::new(), protocol: Protocol::Tcp };
    let port = ServicePort {
        cluster_ip: address(number),
        port: 80,
        node_port: None,
        external_ips: Vec::new(),
        load_balancer_ips: Vec::new(),
        source_ranges: Vec::new(),
        health_check: None,
        internal: Target::Cluster,
        external: Target::Cluster,
        affinity_secs: None,
        endpoints,
        local_endpoints: Vec::new(),
        hairpins: Vec::new(),
    };
    (key, port)
}
