//! ResourceSlice (resource.k8s.io/v1).

use crate::cells;
use crate::errors::{FieldError, FieldErrors};
use crate::row::{AGE, Column, NAME, Row, row};
use crate::tree;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{device, each, format, given, immutable, invalid_each, selector};
use k8s_openapi::api::resource::v1::{Device, ResourcePool, ResourceSlice, ResourceSliceSpec};
use serde_json::Value;

pub(crate) struct ResourceSliceKind;

impl TypedKind for ResourceSliceKind {
    type Object = ResourceSlice;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] = &[Hook::Default, Hook::PrepareCreate, Hook::PrepareUpdate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = Some(cells);

    fn validate(slice: &ResourceSlice) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let path = Path::new("spec");
        let spec = &slice.spec;
        device::driver(&spec.driver, &path.child("driver"), &mut errors);
        pool(&spec.pool, &path.child("pool"), &mut errors);
        places(spec, &path, &mut errors);
        let list = path.child("devices");
        let devices = each(&spec.devices).as_slice();
        if devices.len() > DEVICES_MAX {
            errors.push(FieldError::too_many(list, devices.len(), DEVICES_MAX));
        }
        for (i, device) in devices.iter().enumerate() {
            let at = list.index(i);
            if device.name.is_empty() {
                errors.push(FieldError::required(at.child("name"), ""));
            } else {
                invalid_each(&device.name, format::dns_label(&device.name), &at.child("name"), &mut errors);
            }
            if devices[..i].iter().any(|other| other.name == device.name) {
                errors.push(FieldError::duplicate(at.child("name"), &device.name));
            }
            self::device(device, &at, &mut errors);
        }
        errors
    }

    fn validate_update(slice: &ResourceSlice, old: &ResourceSlice) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let path = Path::new("spec");
        let (new, before) = (&slice.spec, &old.spec);
        immutable(&new.driver, &before.driver, &path.child("driver"), &mut errors);
        immutable(&new.pool.name, &before.pool.name, &path.child("pool").child("name"), &mut errors);
        immutable(&new.node_name, &before.node_name, &path.child("nodeName"), &mut errors);
        errors
    }
}

/// k8s: ResourceSliceMaxDevices
const DEVICES_MAX: usize = 128;
/// k8s: ResourceSliceMaxAttributesAndCapacitiesPerDevice
const ATTRIBUTES_MAX: usize = 32;

fn pool(pool: &ResourcePool, path: &Path<'_>, errors: &mut FieldErrors) {
    device::pool(&pool.name, &path.child("name"), errors);
    if pool.resource_slice_count <= 0 {
        let detail = "must be greater than zero";
        errors.push(FieldError::invalid(path.child("resourceSliceCount"), pool.resource_slice_count, detail));
    }
    if pool.generation < 0 {
        let detail = "must be greater than or equal to zero";
        errors.push(FieldError::invalid(path.child("generation"), pool.generation, detail));
    }
}

/// One way of saying which nodes can reach the devices.
fn places(spec: &ResourceSliceSpec, path: &Path<'_>, errors: &mut FieldErrors) {
    if let Some(name) = given(spec.node_name.as_ref()) {
        invalid_each(name, format::dns_subdomain(name), &path.child("nodeName"), errors);
    }
    if let Some(nodes) = &spec.node_selector {
        selector::node_selector(nodes, &path.child("nodeSelector"), errors);
        if nodes.node_selector_terms.len() != 1 {
            let detail = "must have exactly one node selector term";
            let at = path.child("nodeSelector");
            errors.push(FieldError::invalid(at.child("nodeSelectorTerms"), &nodes.node_selector_terms, detail));
        }
    }
    let ways = [
        given(spec.node_name.as_ref()).is_some(),
        spec.node_selector.is_some(),
        spec.all_nodes == Some(true),
        spec.per_device_node_selection == Some(true),
    ];
    let detail = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required";
    match ways.into_iter().filter(|given| *given).count() {
        0 => errors.push(FieldError::required(path, detail)),
        1 => {}
        _ => errors.push(FieldError::invalid(path, "", format!("{detail}, but multiple fields are set"))),
    }
}

fn device(device: &Device, path: &Path<'_>, errors: &mut FieldErrors) {
    let attributes = device.attributes.clone().unwrap_or_default();
    let capacity = device.capacity.clone().unwrap_or_default();
    if attributes.len() + capacity.len() > ATTRIBUTES_MAX {
        let detail = format!("the total number of attributes and capacities must not exceed {ATTRIBUTES_MAX}");
        errors.push(FieldError::invalid(path, attributes.len() + capacity.len(), detail));
    }
    let list = path.child("attributes");
    for (name, value) in &attributes {
        let at = list.key(name);
        invalid_each(name, format::qualified_name(name), &at, errors);
        let tree = serde_json::to_value(value).expect("an attribute always serializes");
        match tree.as_object().map_or(0, serde_json::Map::len) {
            0 => errors.push(FieldError::required(at, "exactly one value must be specified")),
            1 => {}
            _ => errors.push(FieldError::invalid(at, value, "exactly one value must be specified")),
        }
    }
    let list = path.child("capacity");
    for name in capacity.keys() {
        invalid_each(name, format::qualified_name(name), &list.key(name), errors);
    }
    let list = path.child("taints");
    for (i, taint) in each(&device.taints).enumerate() {
        device::taint(taint, &list.index(i), errors);
    }
}

pub(crate) const ROW: Row = row! {
    "io.k8s.api.resource.v1.ResourceSlice" "resource.k8s.io" "v1" "ResourceSlice" "resourceslices" "resourceslice" Cluster,
    columns: [
        NAME,
        Column::new("Node", "string"),
        Column::new("Driver", "string"),
        Column::new("Pool", "string"),
        AGE,
    ],
    fields: ["spec.nodeName" = "spec.nodeName", "spec.driver" = "spec.driver"],
    generation: true,
};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    vec![
        cells::of::name(object),
        cells::of::or_unset(object, "spec.nodeName").into(),
        tree::text(object, "spec.driver").into(),
        tree::text(object, "spec.pool.name").into(),
        cells::of::age(object, now_unix_secs),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn a_slice_says_whose_devices_are_where() {
        let slice = json!({"spec": {"driver": "d.example.com", "nodeName": "n1", "pool": {"name": "n1", "generation": 1, "resourceSliceCount": 1}, "devices": [{"name": "gpu0"}]}});
        assert_eq!(check::create::<ResourceSliceKind>(slice.clone()), "");
        expect![[r#"
            spec.driver: Required value
            spec.pool.name: Required value
            spec.pool.resourceSliceCount: Invalid value: 0: must be greater than zero
            spec: Required value: exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required
            spec.devices[1].name: Duplicate value: "a"
            spec.devices[1].taints[0].effect: Required value"#]]
        .assert_eq(&check::create::<ResourceSliceKind>(json!({"spec": {
            "driver": "", "pool": {"name": "", "generation": 0, "resourceSliceCount": 0},
            "devices": [{"name": "a"}, {"name": "a", "taints": [{"key": "k", "effect": ""}]}],
        }})));
        expect![[r#"spec.nodeName: Invalid value: "n2": field is immutable"#]].assert_eq(&check::update::<
            ResourceSliceKind,
        >(
            slice,
            &json!({"spec": {"nodeName": "n2"}}),
        ));
    }
}
