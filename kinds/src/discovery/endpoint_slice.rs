//! EndpointSlice (discovery.k8s.io/v1). Addresses that would lead traffic back into a node are refused (CVE-2021-25737).

mod printer;

use crate::errors::{FieldError, FieldErrors};
use crate::row::Row;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{each, format, given, immutable, invalid_each, network, one_of};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointPort, EndpointSlice};
use serde_json::Value;
use std::collections::BTreeSet;

/// k8s: sizes that keep a slice small enough to be sent to every node on each change.
const ENDPOINTS_MAX: usize = 1_000;
const ADDRESSES_MAX: usize = 100;
const PORTS_MAX: usize = 20_000;
const HINTS_MAX: usize = 8;
const ADDRESS_TYPES: [&str; 3] = ["FQDN", "IPv4", "IPv6"];

pub(crate) struct EndpointSliceKind;

impl TypedKind for EndpointSliceKind {
    type Object = EndpointSlice;

    const ROW: Row = printer::ROW;
    const LACKS: &'static [Hook] = &[Hook::PrepareCreate, Hook::PrepareUpdate, Hook::Warnings];

    fn default(slice: &mut EndpointSlice) {
        for port in slice.ports.iter_mut().flatten() {
            port.name.get_or_insert_default();
            if given(port.protocol.as_ref()).is_none() {
                port.protocol = Some("TCP".to_owned());
            }
        }
    }

    fn validate(slice: &EndpointSlice) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let at = Path::new("addressType");
        if slice.address_type.is_empty() {
            errors.push(FieldError::required(at, ""));
        } else {
            one_of(&slice.address_type, &ADDRESS_TYPES, &at, &mut errors);
        }
        let list = Path::new("endpoints");
        let endpoints = each(&slice.endpoints).as_slice();
        if endpoints.len() > ENDPOINTS_MAX {
            errors.push(FieldError::too_many(list, endpoints.len(), ENDPOINTS_MAX));
            return errors;
        }
        for (i, endpoint) in endpoints.iter().enumerate() {
            self::endpoint(endpoint, &slice.address_type, &list.index(i), &mut errors);
        }
        ports(each(&slice.ports).as_slice(), &Path::new("ports"), &mut errors);
        errors
    }

    fn validate_update(slice: &EndpointSlice, old: &EndpointSlice) -> FieldErrors {
        let mut errors = FieldErrors::new();
        immutable(&slice.address_type, &old.address_type, &Path::new("addressType"), &mut errors);
        errors
    }

    fn cells(object: &EndpointSlice, now_unix_secs: i64) -> Vec<Value> {
        printer::cells(object, now_unix_secs)
    }
}

fn endpoint(endpoint: &Endpoint, kind: &str, path: &Path<'_>, errors: &mut FieldErrors) {
    let list = path.child("addresses");
    if endpoint.addresses.is_empty() {
        errors.push(FieldError::required(list, "must contain at least 1 address"));
    } else if endpoint.addresses.len() > ADDRESSES_MAX {
        errors.push(FieldError::too_many(list, endpoint.addresses.len(), ADDRESSES_MAX));
    }
    for (i, address) in endpoint.addresses.iter().enumerate() {
        self::address(address, kind, &list.index(i), errors);
    }
    if let Some(name) = &endpoint.node_name {
        invalid_each(name, format::dns_subdomain(name), &path.child("nodeName"), errors);
    }
    if let Some(name) = given(endpoint.hostname.as_ref()) {
        invalid_each(name, format::dns_label(name), &path.child("hostname"), errors);
    }
    let zones = endpoint.hints.iter().flat_map(|hints| each(&hints.for_zones)).map(|zone| zone.name.as_str());
    let nodes = endpoint.hints.iter().flat_map(|hints| each(&hints.for_nodes)).map(|node| node.name.as_str());
    hints(&zones.collect::<Vec<_>>(), &path.child("hints").child("forZones"), errors);
    hints(&nodes.collect::<Vec<_>>(), &path.child("hints").child("forNodes"), errors);
}

fn hints(names: &[&str], path: &Path<'_>, errors: &mut FieldErrors) {
    if names.len() > HINTS_MAX {
        errors.push(FieldError::too_many(path, names.len(), HINTS_MAX));
    }
    let mut seen = BTreeSet::new();
    for (i, name) in names.iter().enumerate() {
        let at = path.index(i);
        invalid_each(name, format::label_value(name), &at.child("name"), errors);
        if !seen.insert(name) {
            errors.push(FieldError::duplicate(at.child("name"), name));
        }
    }
}

fn address(address: &str, kind: &str, path: &Path<'_>, errors: &mut FieldErrors) {
    if kind == "FQDN" {
        invalid_each(address, format::dns_subdomain(address), path, errors);
        return;
    }
    let Some(parsed) = network::routable_ip(address, path, errors) else { return };
    match kind {
        "IPv4" if !parsed.is_ipv4() => errors.push(FieldError::invalid(path, address, "must be an IPv4 address")),
        "IPv6" if !parsed.is_ipv6() => errors.push(FieldError::invalid(path, address, "must be an IPv6 address")),
        _ => {}
    }
}

fn ports(ports: &[EndpointPort], path: &Path<'_>, errors: &mut FieldErrors) {
    if ports.len() > PORTS_MAX {
        errors.push(FieldError::too_many(path, ports.len(), PORTS_MAX));
        return;
    }
    let mut names = BTreeSet::new();
    for (i, port) in ports.iter().enumerate() {
        let at = path.index(i);
        let name = port.name.as_deref().unwrap_or_default();
        if !name.is_empty() {
            invalid_each(name, format::dns_label(name), &at.child("name"), errors);
        }
        if !names.insert(name) {
            errors.push(FieldError::duplicate(at.child("name"), name));
        }
        if let Some(number) = port.port {
            network::port_number(number, &at.child("port"), errors);
        }
        network::protocol(given(port.protocol.as_ref()), &at.child("protocol"), errors);
        if let Some(app) = &port.app_protocol {
            network::app_protocol(app, &at.child("appProtocol"), errors);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::{Expect, expect};
    use serde_json::json;

    #[expect(clippy::needless_pass_by_value, reason = "tables read better with values")]
    fn create(slice: Value, want: Expect) {
        want.assert_eq(&check::create::<EndpointSliceKind>(slice));
    }

    #[test]
    fn slices_are_checked() {
        create(
            json!({"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}], "ports": [{"port": 80}]}),
            expect![[""]],
        );
        create(
            json!({"endpoints": [{"addresses": []}]}),
            expect![[r"
            addressType: Required value
            endpoints[0].addresses: Required value: must contain at least 1 address"]],
        );
        create(
            json!({"addressType": "IPv4", "endpoints": [{"addresses": ["::1", "2001:db8::1"]}]}),
            expect![[r#"
            endpoints[0].addresses[0]: Invalid value: "::1": may not be in the loopback range (127.0.0.0/8, ::1/128)
            endpoints[0].addresses[0]: Invalid value: "::1": must be an IPv4 address
            endpoints[0].addresses[1]: Invalid value: "2001:db8::1": must be an IPv4 address"#]],
        );
        create(
            json!({"addressType": "FQDN", "endpoints": [{"addresses": ["a..b"]}], "ports": [{}, {"protocol": "X"}]}),
            expect![[r#"
            endpoints[0].addresses[0]: Invalid value: "a..b": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
            ports[1].name: Duplicate value: ""
            ports[1].protocol: Unsupported value: "X": supported values: "SCTP", "TCP", "UDP""#]],
        );
        create(
            json!({"addressType": "IPv4", "endpoints": vec![json!({"addresses": ["10.0.0.1"]}); 1001]}),
            expect!["endpoints: Too many: 1001: must have at most 1000 items"],
        );
    }

    #[test]
    fn the_address_type_is_immutable() {
        expect![[r#"addressType: Invalid value: "IPv6": field is immutable"#]].assert_eq(&check::update::<
            EndpointSliceKind,
        >(
            json!({"addressType": "IPv4", "endpoints": []}),
            &json!({"addressType": "IPv6"}),
        ));
    }
}
