//! Ports, protocols and addresses, as Services, Endpoints, EndpointSlices and containers share them.

use super::path::Path;
use super::{format, invalid_each};
use crate::errors::{FieldError, FieldErrors};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::net::IpAddr;

pub const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];

pub fn port_number(port: i32, path: &Path<'_>, errors: &mut FieldErrors) {
    errors.extend(format::port_number(port).into_iter().map(|detail| FieldError::invalid(path, port, detail)));
}

pub fn port_or_name(port: &IntOrString, path: &Path<'_>, errors: &mut FieldErrors) {
    match port {
        IntOrString::Int(number) => port_number(*number, path, errors),
        IntOrString::String(name) => invalid_each(name, format::port_name(name), path, errors),
    }
}

pub fn protocol(protocol: Option<&str>, path: &Path<'_>, errors: &mut FieldErrors) {
    match protocol {
        None => errors.push(FieldError::required(path, "")),
        Some(name) => super::one_of(name, &PROTOCOLS, path, errors),
    }
}

/// An application protocol: an IANA name or a domain-qualified one.
pub fn app_protocol(name: &str, path: &Path<'_>, errors: &mut FieldErrors) {
    invalid_each(name, format::qualified_name(name), path, errors);
}

pub fn ip(address: &str, path: &Path<'_>, errors: &mut FieldErrors) -> Option<IpAddr> {
    match format::ip(address) {
        Ok(parsed) => Some(parsed),
        Err(detail) => {
            errors.push(FieldError::invalid(path, address, detail));
            None
        }
    }
}

/// An address that traffic may be sent to on a client's word. Endpoints, EndpointSlices, external addresses and the
/// proxy subresource share this check (CVE-2021-25737: endpoints that point back into the node).
pub fn routable_ip(address: &str, path: &Path<'_>, errors: &mut FieldErrors) -> Option<IpAddr> {
    let parsed = ip(address, path, errors)?;
    if let Some(detail) = not_routable(parsed) {
        errors.push(FieldError::invalid(path, address, detail));
    }
    Some(parsed)
}

/// Whether an address is of a network, given as its address and the length of its prefix.
pub fn contains(network: (IpAddr, u8), address: IpAddr) -> bool {
    let shared = |differing: u128, bits: u32| {
        let prefix = u32::from(network.1);
        prefix == 0 || differing >> (bits - prefix) == 0
    };
    match (network.0, address) {
        (IpAddr::V4(one), IpAddr::V4(other)) => shared(u128::from(one.to_bits() ^ other.to_bits()), 32),
        (IpAddr::V6(one), IpAddr::V6(other)) => shared(one.to_bits() ^ other.to_bits(), 128),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}

/// A name by which a balancer is reached; addresses have a field of their own.
pub fn balancer_name(name: &str, path: &Path<'_>, errors: &mut FieldErrors) {
    invalid_each(name, format::dns_subdomain(name), path, errors);
    if name.parse::<IpAddr>().is_ok() {
        errors.push(FieldError::invalid(path, name, "must be a DNS name, not an IP address"));
    }
}

fn not_routable(address: IpAddr) -> Option<&'static str> {
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    // k8s: interface-local multicast has no word of its own here; it is multicast all the same.
    let link_local_multicast = match address {
        IpAddr::V4(v4) => v4.octets()[..3] == [224, 0, 0],
        IpAddr::V6(v6) => v6.segments()[0] & 0xff0f == 0xff02,
    };
    if address.is_unspecified() {
        Some("may not be unspecified (0.0.0.0 or ::)")
    } else if address.is_loopback() {
        Some("may not be in the loopback range (127.0.0.0/8, ::1/128)")
    } else if link_local {
        Some("may not be in the link-local range (169.254.0.0/16, fe80::/10)")
    } else if link_local_multicast {
        Some("may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")
    } else if address.is_multicast() {
        Some("may not be a multicast address")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_may_not_point_back_into_the_node() {
        let check = |address: &str| {
            let mut errors = FieldErrors::new();
            routable_ip(address, &Path::new("ip"), &mut errors);
            errors.first().map(|error| error.detail.clone())
        };
        for good in ["10.0.0.1", "8.8.8.8", "2001:db8::1", "fd00::1"] {
            assert_eq!(check(good), None, "{good}");
        }
        for bad in [
            "0.0.0.0",
            "::",
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "169.254.169.254",
            "fe80::1",
            "224.0.0.5",
            "ff02::1",
            "239.1.1.1",
            "ff05::1",
            "::ffff:127.0.0.1",
            "0177.0.0.1",
            "localhost",
        ] {
            assert!(check(bad).is_some(), "{bad}");
        }
    }
}
