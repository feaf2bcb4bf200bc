//! StorageClass (storage.k8s.io/v1).

use crate::cells;
use crate::errors::{FieldError, FieldErrors};
use crate::row::{AGE, Column, NAME, Row, row};
use crate::tree;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::storage::{self, Parameters};
use crate::validate::{each, format, immutable, invalid_each, one_of, semantically_equal};
use k8s_openapi::api::core::v1::TopologySelectorTerm;
use k8s_openapi::api::storage::v1::StorageClass;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) struct StorageClassKind;

impl TypedKind for StorageClassKind {
    type Object = StorageClass;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] = &[Hook::PrepareCreate, Hook::PrepareUpdate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = Some(cells);

    fn default(class: &mut StorageClass) {
        class.reclaim_policy.get_or_insert_with(|| "Delete".to_owned());
        class.volume_binding_mode.get_or_insert_with(|| "Immediate".to_owned());
    }

    fn validate(class: &StorageClass) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let at = Path::new("provisioner");
        if class.provisioner.is_empty() {
            errors.push(FieldError::required(at, ""));
        } else {
            let name = class.provisioner.to_lowercase();
            invalid_each(&class.provisioner, format::qualified_name(&name), &at, &mut errors);
        }
        let parameters = class.parameters.as_ref();
        storage::parameters(parameters, Parameters::Optional, &Path::new("parameters"), &mut errors);
        let policy = class.reclaim_policy.as_deref().unwrap_or_default();
        one_of(policy, &["Delete", "Retain"], &Path::new("reclaimPolicy"), &mut errors);
        let mode = class.volume_binding_mode.as_deref().unwrap_or_default();
        one_of(mode, &["Immediate", "WaitForFirstConsumer"], &Path::new("volumeBindingMode"), &mut errors);
        let topologies = each(&class.allowed_topologies).as_slice();
        self::topologies(topologies, &Path::new("allowedTopologies"), &mut errors);
        errors
    }

    fn validate_update(class: &StorageClass, old: &StorageClass) -> FieldErrors {
        let mut errors = FieldErrors::new();
        if !semantically_equal(&class.parameters, &old.parameters) {
            errors.push(FieldError::forbidden("parameters", "updates to parameters are forbidden."));
        }
        if class.provisioner != old.provisioner {
            errors.push(FieldError::forbidden("provisioner", "updates to provisioner are forbidden."));
        }
        if class.reclaim_policy != old.reclaim_policy {
            errors.push(FieldError::forbidden("reclaimPolicy", "updates to reclaimPolicy are forbidden."));
        }
        let at = Path::new("volumeBindingMode");
        immutable(&class.volume_binding_mode, &old.volume_binding_mode, &at, &mut errors);
        let at = Path::new("allowedTopologies");
        let topologies = |class: &StorageClass| class.allowed_topologies.clone().unwrap_or_default();
        immutable(&topologies(class), &topologies(old), &at, &mut errors);
        errors
    }
}

/// Each term names where volumes may be, and none says again what one before it said.
/// k8s: validateAllowedTopologies
fn topologies(terms: &[TopologySelectorTerm], path: &Path<'_>, errors: &mut FieldErrors) {
    let mut seen: Vec<BTreeMap<&str, BTreeSet<&String>>> = Vec::new();
    for (i, term) in terms.iter().enumerate() {
        let at = path.index(i);
        let places = places(term, &at, errors);
        if seen.contains(&places) {
            errors.push(FieldError::duplicate(at.child("matchLabelExpressions"), ""));
        }
        seen.push(places);
    }
}

/// k8s: ValidateTopologySelectorTerm
fn places<'a>(
    term: &'a TopologySelectorTerm,
    path: &Path<'_>,
    errors: &mut FieldErrors,
) -> BTreeMap<&'a str, BTreeSet<&'a String>> {
    let mut places = BTreeMap::new();
    let list = path.child("matchLabelExpressions");
    if each(&term.match_label_expressions).len() == 0 {
        errors.push(FieldError::required(list, ""));
    }
    for (i, requirement) in each(&term.match_label_expressions).enumerate() {
        let at = list.index(i);
        let values_at = at.child("values");
        let mut values = BTreeSet::new();
        if requirement.values.is_empty() {
            errors.push(FieldError::required(values_at, ""));
        }
        for (j, value) in requirement.values.iter().enumerate() {
            if !values.insert(value) {
                errors.push(FieldError::duplicate(values_at.index(j), value));
            }
        }
        let key = requirement.key.as_str();
        invalid_each(key, format::qualified_name(key), &at.child("key"), errors);
        if places.insert(key, values).is_some() {
            errors.push(FieldError::duplicate(at.child("key"), key));
        }
    }
    places
}

pub(crate) const ROW: Row = row! {
    "io.k8s.api.storage.v1.StorageClass" "storage.k8s.io" "v1" "StorageClass" "storageclasses" "storageclass" Cluster,
    short: ["sc"],
    columns: [
        NAME,
        Column::new("Provisioner", "string"),
        Column::new("ReclaimPolicy", "string"),
        Column::new("VolumeBindingMode", "string"),
        Column::new("AllowVolumeExpansion", "string"),
        AGE,
    ],

};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    let reclaim = match tree::text(object, "reclaimPolicy") {
        "" => "Delete",
        policy => policy,
    };
    vec![
        cells::of::name_or_default(object, "storageclass.kubernetes.io/is-default-class").into(),
        tree::text(object, "provisioner").into(),
        reclaim.into(),
        cells::of::or_unset(object, "volumeBindingMode").into(),
        tree::boolean(object, "allowVolumeExpansion").into(),
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
    fn a_class_is_fixed() {
        let class = || json!({"provisioner": "example.com/p"});
        assert_eq!(check::defaulted::<StorageClassKind>(class())["reclaimPolicy"], "Delete");
        assert_eq!(check::create::<StorageClassKind>(class()), "");
        expect!["provisioner: Required value"].assert_eq(&check::create::<StorageClassKind>(json!({})));
        expect!["parameters: Forbidden: updates to parameters are forbidden."].assert_eq(&check::update::<
            StorageClassKind,
        >(
            class(),
            &json!({"parameters": {"a": "b"}}),
        ));
    }

    #[test]
    fn a_class_says_where_volumes_may_be_once() {
        let class = |topologies: Value| json!({"provisioner": "example.com/p", "allowedTopologies": topologies});
        let term = |values: Value| json!({"matchLabelExpressions": [{"key": "zone", "values": values}]});
        let zones = class(json!([term(json!(["a"])), term(json!(["b"]))]));
        assert_eq!(check::create::<StorageClassKind>(zones.clone()), "");
        expect![[r#"
            allowedTopologies[0].matchLabelExpressions[0].values[1]: Duplicate value: "a"
            allowedTopologies[1].matchLabelExpressions: Duplicate value: ""
            allowedTopologies[2].matchLabelExpressions[0].values: Required value
            allowedTopologies[3].matchLabelExpressions: Required value"#]]
        .assert_eq(&check::create::<StorageClassKind>(class(json!([
            term(json!(["a", "a"])),
            term(json!(["a"])),
            term(json!([])),
            {}
        ]))));
        let moved = json!({"allowedTopologies": [term(json!(["a"]))]});
        assert!(check::update::<StorageClassKind>(zones, &moved).ends_with("field is immutable"));
    }

    #[test]
    fn what_a_class_hands_its_driver_is_bounded() {
        let with = |parameters: BTreeMap<String, String>| {
            check::create::<StorageClassKind>(json!({"provisioner": "example.com/p", "parameters": parameters}))
        };
        assert_eq!(with((0..512).map(|i| (i.to_string(), String::new())).collect()), "");
        expect!["parameters: Too long: may not be more than 512 bytes"]
            .assert_eq(&with((0..513).map(|i| (i.to_string(), String::new())).collect()));
        expect!["parameters: Too long: may not be more than 262144 bytes"]
            .assert_eq(&with([("a".to_owned(), "x".repeat(256 * 1024))].into()));
    }
}
