//! CSINode (storage.k8s.io/v1).

use crate::cells;
use crate::errors::{FieldError, FieldErrors};
use crate::row::{AGE, Column, NAME, Row, row};
use crate::tree;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::storage::driver_name;
use crate::validate::{each, format, invalid_each};
use k8s_openapi::api::storage::v1::{CSINode, CSINodeDriver};
use serde_json::Value;

pub(crate) struct CSINodeKind;

impl TypedKind for CSINodeKind {
    type Object = CSINode;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] = &[Hook::Default, Hook::PrepareCreate, Hook::PrepareUpdate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = Some(cells);

    fn validate(node: &CSINode) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let list = Path::new("spec.drivers");
        let mut names = std::collections::BTreeSet::new();
        for (i, driver) in node.spec.drivers.iter().enumerate() {
            let at = list.index(i);
            driver_name(&driver.name, &at.child("name"), &mut errors);
            if !names.insert(&driver.name) {
                errors.push(FieldError::duplicate(at.child("name"), &driver.name));
            }
            self::driver(driver, &at, &mut errors);
        }
        errors
    }

    /// k8s: a driver that is there does not change, but how many volumes it can take.
    fn validate_update(node: &CSINode, old: &CSINode) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let fixed = |driver: &CSINodeDriver| CSINodeDriver { allocatable: None, ..driver.clone() };
        for before in &old.spec.drivers {
            let now = node.spec.drivers.iter().find(|driver| driver.name == before.name);
            if let Some(now) = now.filter(|now| fixed(now) != fixed(before)) {
                errors.push(FieldError::invalid("spec.drivers", now, crate::validate::FIELD_IMMUTABLE));
            }
        }
        errors
    }
}

/// k8s: csiNodeIDMaxLength
const NODE_ID_BYTES_MAX: usize = 192;

fn driver(driver: &CSINodeDriver, path: &Path<'_>, errors: &mut FieldErrors) {
    let at = path.child("nodeID");
    match driver.node_id.len() {
        0 => errors.push(FieldError::required(at, "")),
        length if length > NODE_ID_BYTES_MAX => {
            let detail = format!("must be {NODE_ID_BYTES_MAX} characters or less");
            errors.push(FieldError::invalid(at, &driver.node_id, detail));
        }
        _ => {}
    }
    let list = path.child("topologyKeys");
    let mut seen = std::collections::BTreeSet::new();
    for (i, key) in each(&driver.topology_keys).enumerate() {
        if key.is_empty() {
            errors.push(FieldError::required(list.index(i), ""));
        } else {
            invalid_each(key, format::qualified_name(key), &list.index(i), errors);
        }
        if !seen.insert(key) {
            errors.push(FieldError::duplicate(list.index(i), key));
        }
    }
    if let Some(count) = driver.allocatable.as_ref().and_then(|allocatable| allocatable.count) {
        crate::validate::non_negative(count.into(), &path.child("allocatable").child("count"), errors);
    }
}

pub(crate) const ROW: Row = row! {
    "io.k8s.api.storage.v1.CSINode" "storage.k8s.io" "v1" "CSINode" "csinodes" "csinode" Cluster,
    columns: [NAME, Column::new("Drivers", "integer"), AGE],

};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    vec![cells::of::name(object), tree::count(object, "spec.drivers").into(), cells::of::age(object, now_unix_secs)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn a_driver_of_a_node_is_named_and_fixed() {
        let node = |id: &str| json!({"spec": {"drivers": [{"name": "csi.example.com", "nodeID": id, "topologyKeys": ["zone"]}]}});
        assert_eq!(check::create::<CSINodeKind>(node("n1")), "");
        expect![[r#"
            spec.drivers[0].name: Required value
            spec.drivers[0].name: Invalid value: "": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
            spec.drivers[0].nodeID: Required value
            spec.drivers[0].topologyKeys[1]: Duplicate value: "a"
            spec.drivers[0].allocatable.count: Invalid value: -1: must be greater than or equal to 0"#]]
        .assert_eq(&check::create::<CSINodeKind>(json!({"spec": {"drivers": [
            {"name": "", "nodeID": "", "topologyKeys": ["a", "a"], "allocatable": {"count": -1}},
        ]}})));
        assert!(check::update::<CSINodeKind>(node("n1"), &node("n2")).ends_with("field is immutable"));
    }
}
