//! CSIStorageCapacity (storage.k8s.io/v1).

use crate::cells;
use crate::errors::FieldErrors;
use crate::row::{Column, NAME, Row, row};
use crate::tree;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{format, immutable, invalid_each, resources, selector};
use k8s_openapi::api::storage::v1::CSIStorageCapacity;
use serde_json::Value;

pub(crate) struct CSIStorageCapacityKind;

impl TypedKind for CSIStorageCapacityKind {
    type Object = CSIStorageCapacity;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] = &[Hook::Default, Hook::PrepareCreate, Hook::PrepareUpdate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = Some(cells);

    fn validate(capacity: &CSIStorageCapacity) -> FieldErrors {
        let mut errors = FieldErrors::new();
        if let Some(topology) = &capacity.node_topology {
            selector::label_selector(topology, &Path::new("nodeTopology"), &mut errors);
        }
        let class = capacity.storage_class_name.as_str();
        invalid_each(class, format::dns_subdomain(class), &Path::new("storageClassName"), &mut errors);
        for (field, size) in [("capacity", &capacity.capacity), ("maximumVolumeSize", &capacity.maximum_volume_size)] {
            if let Some(size) = size {
                resources::quantity("storage", size, &Path::new(field), &mut errors);
            }
        }
        errors
    }

    fn validate_update(capacity: &CSIStorageCapacity, old: &CSIStorageCapacity) -> FieldErrors {
        let mut errors = FieldErrors::new();
        immutable(&capacity.node_topology, &old.node_topology, &Path::new("nodeTopology"), &mut errors);
        let class = Path::new("storageClassName");
        immutable(&capacity.storage_class_name, &old.storage_class_name, &class, &mut errors);
        errors
    }
}

pub(crate) const ROW: Row = row! {
    "io.k8s.api.storage.v1.CSIStorageCapacity" "storage.k8s.io" "v1" "CSIStorageCapacity" "csistoragecapacities" "csistoragecapacity" Namespaced,
    columns: [NAME, Column::new("StorageClassName", "string"), Column::new("Capacity", "string")],

};

pub(crate) fn cells(object: &Value, _now_unix_secs: i64) -> Vec<Value> {
    vec![
        cells::of::name(object),
        tree::text(object, "storageClassName").into(),
        cells::of::or_unset(object, "capacity").into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn capacity_is_of_one_class_and_place() {
        let capacity = json!({"storageClassName": "gold", "capacity": "1Gi"});
        assert_eq!(check::create::<CSIStorageCapacityKind>(capacity.clone()), "");
        expect![[r#"storageClassName: Invalid value: "silver": field is immutable"#]].assert_eq(&check::update::<
            CSIStorageCapacityKind,
        >(
            capacity,
            &json!({"storageClassName": "silver"}),
        ));
        expect![[r#"capacity: Invalid value: "-1": must be greater than or equal to 0"#]].assert_eq(&check::create::<
            CSIStorageCapacityKind,
        >(
            json!({"storageClassName": "gold", "capacity": "-1"}),
        ));
    }
}
