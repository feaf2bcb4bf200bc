//! IPAddress (networking.k8s.io/v1).

use crate::cells;
use crate::errors::{FieldError, FieldErrors};
use crate::row::{AGE, Column, NAME, Row, row};
use crate::tree;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{format, given, immutable, invalid_each};
use k8s_openapi::api::networking::v1::IPAddress;
use serde_json::Value;
use std::net::IpAddr;

pub(crate) struct IPAddressKind;

impl TypedKind for IPAddressKind {
    type Object = IPAddress;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] = &[Hook::Default, Hook::PrepareCreate, Hook::PrepareUpdate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = Some(cells);

    fn validate(address: &IPAddress) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let name = address.metadata.name.as_deref().unwrap_or_default();
        match name.parse::<IpAddr>() {
            Err(_) => errors.push(FieldError::invalid("metadata.name", name, "must be a valid IP address")),
            Ok(ip) if ip.to_string() != name => {
                errors.push(FieldError::invalid("metadata.name", name, "must be a canonical format IP address"));
            }
            Ok(_) => {}
        }
        let at = Path::new("spec.parentRef");
        let parent = &address.spec.parent_ref;
        if let Some(group) = given(parent.group.as_ref()) {
            invalid_each(group, format::dns_subdomain(group), &at.child("group"), &mut errors);
        }
        for (field, value) in [("resource", &parent.resource), ("name", &parent.name)] {
            if value.is_empty() {
                errors.push(FieldError::required(at.child(field), ""));
            } else {
                invalid_each(value, format::path_segment(value), &at.child(field), &mut errors);
            }
        }
        if let Some(ns) = given(parent.namespace.as_ref()) {
            invalid_each(ns, format::path_segment(ns), &at.child("namespace"), &mut errors);
        }
        errors
    }

    fn validate_update(address: &IPAddress, old: &IPAddress) -> FieldErrors {
        let mut errors = FieldErrors::new();
        immutable(&address.spec.parent_ref, &old.spec.parent_ref, &Path::new("spec.parentRef"), &mut errors);
        errors
    }
}

pub(crate) const ROW: Row = row! {
    "io.k8s.api.networking.v1.IPAddress" "networking.k8s.io" "v1" "IPAddress" "ipaddresses" "ipaddress" Cluster,
    short: ["ip"],
    columns: [NAME, Column::new("ParentRef", "string"), AGE],
    generation: true,
};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    vec![cells::of::name(object), parent(object).into(), cells::of::age(object, now_unix_secs)]
}

/// `services/default/kubernetes`
fn parent(address: &Value) -> String {
    let Some(parent) = tree::at(address, "spec.parentRef") else { return cells::NONE.to_owned() };
    let mut text = tree::text(parent, "resource").to_owned();
    for (separator, path) in [(".", "group"), ("/", "namespace"), ("/", "name")] {
        let part = tree::text(parent, path);
        if !part.is_empty() {
            text.push_str(separator);
            text.push_str(part);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn an_address_is_named_by_itself_and_belongs_to_one_parent() {
        let address = |name: &str| json!({"metadata": {"name": name}, "spec": {"parentRef": {"resource": "services", "name": "a"}}});
        assert_eq!(check::create::<IPAddressKind>(address("10.0.0.1")), "");
        assert_eq!(check::create::<IPAddressKind>(address("2001:db8::1")), "");
        expect![[r#"metadata.name: Invalid value: "2001:DB8::1": must be a canonical format IP address"#]]
            .assert_eq(&check::create::<IPAddressKind>(address("2001:DB8::1")));
        expect![[r#"metadata.name: Invalid value: "a": must be a valid IP address"#]].assert_eq(&check::create::<
            IPAddressKind,
        >(address(
            "a",
        )));
        let changed =
            check::update::<IPAddressKind>(address("10.0.0.1"), &json!({"spec": {"parentRef": {"name": "b"}}}));
        assert!(changed.ends_with("field is immutable"), "{changed}");
    }
}
