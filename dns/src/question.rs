//! What a name of the cluster's domain asks for, by the rules of Kubernetes' DNS-based service discovery. Pure.
//!
//! k8s: dns/docs/specification.md; where that is silent, what CoreDNS answers.

use hickory_server::proto::rr::Name;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A name, understood. Everything is in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// The domain itself, or a name that only leads to others (`svc`, `pod`).
    Apex,
    /// `dns-version`
    Version,
    /// `ns.svc` or `ns.pod`
    Namespace { ns: String },
    /// `service.ns.svc`
    Service { ns: String, service: String },
    /// `_port._protocol.service.ns.svc`
    Port { ns: String, service: String, port: String, protocol: String },
    /// `host.service.ns.svc`: the endpoint of that name.
    Endpoint { ns: String, service: String, host: String },
    /// `1-2-3-4.ns.pod`
    Pod { ns: String, address: IpAddr },
    /// `4.3.2.1.in-addr.arpa`
    Reverse(IpAddr),
    /// A name below the domain that nothing can have.
    Nonsense,
    /// Somebody else's name.
    Outside,
}

impl Question {
    /// `domain` is the cluster's, `cluster.local.`
    pub fn of(name: &Name, domain: &Name) -> Self {
        if !domain.zone_of(name) {
            return match name.parse_arpa_name() {
                Ok(net) if net.prefix_len() == net.max_prefix_len() => Self::Reverse(net.addr()),
                Ok(_) | Err(_) => Self::Outside,
            };
        }
        let depth = name.iter().len() - domain.iter().len();
        let labels: Option<Vec<String>> =
            name.iter().take(depth).map(|label| std::str::from_utf8(label).ok().map(str::to_ascii_lowercase)).collect();
        let Some(labels) = labels else { return Self::Nonsense };
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        below(&labels)
    }
}

/// The labels before the domain.
fn below(labels: &[&str]) -> Question {
    let owned = |text: &str| text.to_owned();
    match *labels {
        [] | ["svc" | "pod"] => Question::Apex,
        ["dns-version"] => Question::Version,
        [ns, "svc" | "pod"] => Question::Namespace { ns: owned(ns) },
        [address, ns, "pod"] => match dashed(address) {
            Some(address) => Question::Pod { ns: owned(ns), address },
            None => Question::Nonsense,
        },
        [service, ns, "svc"] => Question::Service { ns: owned(ns), service: owned(service) },
        [port, protocol, service, ns, "svc"] => match (port.strip_prefix('_'), protocol.strip_prefix('_')) {
            (Some(port), Some(protocol)) => {
                Question::Port { ns: owned(ns), service: owned(service), port: owned(port), protocol: owned(protocol) }
            }
            _ => Question::Nonsense,
        },
        [host, service, ns, "svc"] => Question::Endpoint { ns: owned(ns), service: owned(service), host: owned(host) },
        _ => Question::Nonsense,
    }
}

/// `10-42-0-7` or `fd00--1`.
fn dashed(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.replace('-', ".").parse::<Ipv4Addr>() {
        return Some(address.into());
    }
    text.replace('-', ":").parse::<Ipv6Addr>().ok().map(IpAddr::from)
}

/// The label of an endpoint without a host name.
pub fn label_of(address: &str) -> String {
    address.replace(['.', ':'], "-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(name: &str, expected: Expect) {
        let domain = Name::from_ascii("cluster.local.").unwrap();
        expected.assert_eq(&format!("{:?}", Question::of(&Name::from_ascii(name).unwrap(), &domain)));
    }

    #[test]
    fn names_are_understood_whatever_their_case() {
        check("Web.Default.SVC.cluster.LOCAL.", expect![[r#"Service { ns: "default", service: "web" }"#]]);
        check(
            "_http._tcp.web.default.svc.cluster.local.",
            expect![[r#"Port { ns: "default", service: "web", port: "http", protocol: "tcp" }"#]],
        );
        check(
            "db-0.db.default.svc.cluster.local.",
            expect![[r#"Endpoint { ns: "default", service: "db", host: "db-0" }"#]],
        );
        check("10-42-0-7.default.pod.cluster.local.", expect![[r#"Pod { ns: "default", address: 10.42.0.7 }"#]]);
        check("fd00--1.default.pod.cluster.local.", expect![[r#"Pod { ns: "default", address: fd00::1 }"#]]);
        check("10.0.43.10.in-addr.arpa.", expect!["Reverse(10.43.0.10)"]);
        check("default.svc.cluster.local.", expect![[r#"Namespace { ns: "default" }"#]]);
        check("cluster.local.", expect!["Apex"]);
        check("dns-version.cluster.local.", expect!["Version"]);
    }

    #[test]
    fn names_that_nothing_can_have_are_told_from_those_of_others() {
        check("a.b.c.d.e.svc.cluster.local.", expect!["Nonsense"]);
        check("web.default.cluster.local.", expect!["Nonsense"]);
        check("nonsense.default.pod.cluster.local.", expect!["Nonsense"]);
        check("cluster.local.example.", expect!["Outside"]);
        check("43.10.in-addr.arpa.", expect!["Outside"]);
    }
}
