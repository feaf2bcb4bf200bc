//! Endpoints (v1). Addresses that would lead traffic back into a node are refused (CVE-2021-25737).

mod printer;

use crate::errors::{FieldError, FieldErrors};
use crate::row::Row;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{each, format, given, invalid_each, network};
use k8s_openapi::api::core::v1::{EndpointAddress, EndpointPort, EndpointSubset, Endpoints};
use serde_json::Value;

pub(crate) struct EndpointsKind;

impl TypedKind for EndpointsKind {
    type Object = Endpoints;

    const ROW: Row = printer::ROW;
    const LACKS: &'static [Hook] = &[Hook::PrepareCreate, Hook::PrepareUpdate, Hook::ValidateUpdate, Hook::Warnings];

    fn default(endpoints: &mut Endpoints) {
        for subset in endpoints.subsets.iter_mut().flatten() {
            for port in subset.ports.iter_mut().flatten() {
                if given(port.protocol.as_ref()).is_none() {
                    port.protocol = Some("TCP".to_owned());
                }
            }
        }
    }

    fn validate(endpoints: &Endpoints) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let list = Path::new("subsets");
        for (i, subset) in each(&endpoints.subsets).enumerate() {
            self::subset(subset, &list.index(i), &mut errors);
        }
        errors
    }

    fn cells(object: &Endpoints, now_unix_secs: i64) -> Vec<Value> {
        printer::cells(object, now_unix_secs)
    }
}

fn subset(subset: &EndpointSubset, path: &Path<'_>, errors: &mut FieldErrors) {
    let lists = [
        ("addresses", each(&subset.addresses).as_slice()),
        ("notReadyAddresses", each(&subset.not_ready_addresses).as_slice()),
    ];
    if lists.iter().all(|(_, addresses)| addresses.is_empty()) {
        errors.push(FieldError::required(path, "must specify `addresses` or `notReadyAddresses`"));
    }
    for (field, addresses) in lists {
        let list = path.child(field);
        for (i, address) in addresses.iter().enumerate() {
            self::address(address, &list.index(i), errors);
        }
    }
    let ports = each(&subset.ports).as_slice();
    let list = path.child("ports");
    for (i, port) in ports.iter().enumerate() {
        self::port(port, ports.len() > 1, &list.index(i), errors);
    }
}

fn address(address: &EndpointAddress, path: &Path<'_>, errors: &mut FieldErrors) {
    network::routable_ip(&address.ip, &path.child("ip"), errors);
    if let Some(name) = given(address.hostname.as_ref()) {
        invalid_each(name, format::dns_label(name), &path.child("hostname"), errors);
    }
    if let Some(name) = &address.node_name {
        invalid_each(name, format::dns_subdomain(name), &path.child("nodeName"), errors);
    }
}

fn port(port: &EndpointPort, named: bool, path: &Path<'_>, errors: &mut FieldErrors) {
    match given(port.name.as_ref()) {
        None if named => errors.push(FieldError::required(path.child("name"), "")),
        None => {}
        Some(name) => invalid_each(name, format::dns_label(name), &path.child("name"), errors),
    }
    network::port_number(port.port, &path.child("port"), errors);
    network::protocol(given(port.protocol.as_ref()), &path.child("protocol"), errors);
    if let Some(name) = &port.app_protocol {
        network::app_protocol(name, &path.child("appProtocol"), errors);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::{Expect, expect};
    use serde_json::json;

    #[expect(clippy::needless_pass_by_value, reason = "tables read better with values")]
    fn create(subset: Value, want: Expect) {
        want.assert_eq(&check::create::<EndpointsKind>(json!({"metadata": {"name": "e"}, "subsets": [subset]})));
    }

    #[test]
    fn subsets_are_checked() {
        create(json!({"addresses": [{"ip": "10.42.0.2", "nodeName": "n"}], "ports": [{"port": 80}]}), expect![[""]]);
        create(json!({}), expect!["subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"]);
        create(
            json!({"addresses": [{"ip": "127.0.0.1"}], "notReadyAddresses": [{"ip": "169.254.169.254"}, {"ip": "x"}]}),
            expect![[r#"
            subsets[0].addresses[0].ip: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)
            subsets[0].notReadyAddresses[0].ip: Invalid value: "169.254.169.254": may not be in the link-local range (169.254.0.0/16, fe80::/10)
            subsets[0].notReadyAddresses[1].ip: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"#]],
        );
        create(
            json!({"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80}, {"port": 0, "name": "b"}]}),
            expect![[r"
            subsets[0].ports[0].name: Required value
            subsets[0].ports[1].port: Invalid value: 0: must be between 1 and 65535, inclusive"]],
        );
    }
}
