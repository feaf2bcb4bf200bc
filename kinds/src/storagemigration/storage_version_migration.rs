//! StorageVersionMigration (storagemigration.k8s.io/v1).

use crate::cells;
use crate::errors::{FieldError, FieldErrors};
use crate::row::{Row, STATUS, row};
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{format, immutable, invalid_each};
use k8s_openapi::api::storagemigration::v1::StorageVersionMigration;
use serde_json::Value;

pub(crate) struct StorageVersionMigrationKind;

impl TypedKind for StorageVersionMigrationKind {
    type Object = StorageVersionMigration;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] = &[Hook::Default, Hook::PrepareCreate, Hook::PrepareUpdate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = Some(cells);

    fn validate(migration: &StorageVersionMigration) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let path = Path::new("spec.resource");
        let resource = migration.spec.clone().unwrap_or_default().resource;
        if resource.resource.is_empty() {
            errors.push(FieldError::required(path.child("resource"), "resource is required"));
        } else {
            let detail = format::dns_1035_label(&resource.resource);
            invalid_each(&resource.resource, detail, &path.child("resource"), &mut errors);
        }
        if !resource.group.is_empty() {
            invalid_each(&resource.group, format::dns_subdomain(&resource.group), &path.child("group"), &mut errors);
        }
        errors
    }

    fn validate_update(migration: &StorageVersionMigration, old: &StorageVersionMigration) -> FieldErrors {
        let mut errors = FieldErrors::new();
        immutable(&migration.spec, &old.spec, &Path::new("spec"), &mut errors);
        errors
    }
}

pub(crate) const ROW: Row = row! {
    "io.k8s.api.storagemigration.v1.StorageVersionMigration" "storagemigration.k8s.io" "v1" "StorageVersionMigration" "storageversionmigrations" "storageversionmigration" Cluster,
    subresources: [STATUS],
    generation: true,
};

pub(crate) fn cells(object: &Value, _now_unix_secs: i64) -> Vec<Value> {
    cells::of::name_and_creation(object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn a_migration_is_of_one_resource() {
        let migration = json!({"spec": {"resource": {"group": "apps", "resource": "deployments"}}});
        assert_eq!(check::create::<StorageVersionMigrationKind>(migration.clone()), "");
        expect!["spec.resource.resource: Required value: resource is required"].assert_eq(&check::create::<
            StorageVersionMigrationKind,
        >(
            json!({"spec": {"resource": {"group": "", "resource": ""}}}),
        ));
        let changed = check::update::<StorageVersionMigrationKind>(
            migration,
            &json!({"spec": {"resource": {"resource": "daemonsets"}}}),
        );
        assert!(changed.ends_with("field is immutable"), "{changed}");
    }
}
