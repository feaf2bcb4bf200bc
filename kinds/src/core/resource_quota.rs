//! ResourceQuota (v1).

use crate::cells;
use crate::errors::{FieldError, FieldErrors};
use crate::row::{AGE, Column, NAME, Row, STATUS, row};
use crate::tree;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{each, resources};
use k8s_openapi::api::core::v1::ResourceQuota;
use serde_json::Value;

pub(crate) struct ResourceQuotaKind;

impl TypedKind for ResourceQuotaKind {
    type Object = ResourceQuota;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] = &[Hook::Default, Hook::PrepareCreate, Hook::PrepareUpdate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = Some(cells);

    fn validate(quota: &ResourceQuota) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let path = Path::new("spec");
        let spec = quota.spec.clone().unwrap_or_default();
        resources::node_resources(spec.hard.as_ref(), &path.child("hard"), &mut errors);
        let list = path.child("scopes");
        for scope in each(&spec.scopes) {
            if !SCOPES.contains(&scope.as_str()) {
                errors.push(FieldError::invalid(list, &spec.scopes, "unsupported scope"));
            }
        }
        for (one, other) in EXCLUSIVE {
            let has = |wanted: &str| each(&spec.scopes).any(|scope| scope == wanted);
            if has(one) && has(other) {
                errors.push(FieldError::invalid(list, &spec.scopes, "conflicting scopes"));
            }
        }
        errors
    }

    fn validate_update(quota: &ResourceQuota, old: &ResourceQuota) -> FieldErrors {
        let scopes = |quota: &ResourceQuota| {
            let mut scopes = quota.spec.as_ref().and_then(|spec| spec.scopes.clone()).unwrap_or_default();
            scopes.sort();
            scopes
        };
        if scopes(quota) == scopes(old) {
            return Vec::new();
        }
        vec![FieldError::invalid("spec.scopes", scopes(quota), crate::validate::FIELD_IMMUTABLE)]
    }

    fn validate_status(quota: &ResourceQuota, _old: &ResourceQuota) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let path = Path::new("status");
        let status = quota.status.clone().unwrap_or_default();
        resources::node_resources(status.hard.as_ref(), &path.child("hard"), &mut errors);
        resources::node_resources(status.used.as_ref(), &path.child("used"), &mut errors);
        errors
    }
}

const SCOPES: [&str; 7] = [
    "BestEffort",
    "CrossNamespacePodAffinity",
    "NotBestEffort",
    "NotTerminating",
    "PriorityClass",
    "Terminating",
    "VolumeAttributesClass",
];
/// A pod is never in both.
const EXCLUSIVE: [(&str, &str); 2] = [("BestEffort", "NotBestEffort"), ("NotTerminating", "Terminating")];

pub(crate) const ROW: Row = row! {
    "io.k8s.api.core.v1.ResourceQuota" "" "v1" "ResourceQuota" "resourcequotas" "resourcequota" Namespaced,
    short: ["quota"],
    subresources: [STATUS],
    columns: [
        NAME,
        Column::new("Request", "string"),
        Column::new("Limit", "string"),
        AGE,
    ],

};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    let (limits, requests): (Vec<String>, Vec<String>) = usage(object).partition(|line| line.starts_with("limits."));
    vec![
        cells::of::name(object),
        requests.join(", ").into(),
        limits.join(", ").into(),
        cells::of::age(object, now_unix_secs),
    ]
}

/// `pods: 3/10` for each resource that the quota bounds.
fn usage(quota: &Value) -> impl Iterator<Item = String> {
    let hard = tree::at(quota, "status.hard").and_then(Value::as_object);
    hard.into_iter().flatten().map(|(resource, hard)| {
        let used = tree::at(quota, "status.used").and_then(|used| used.get(resource)).and_then(Value::as_str);
        format!("{resource}: {}/{}", used.unwrap_or("0"), hard.as_str().unwrap_or(""))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn scopes_are_known_compatible_and_fixed() {
        let create = |spec: Value| check::create::<ResourceQuotaKind>(json!({"spec": spec}));
        assert_eq!(create(json!({"hard": {"pods": "2", "count/jobs.batch": "1"}, "scopes": ["Terminating"]})), "");
        expect![[r#"
            spec.hard[pods]: Invalid value: "-1": must be greater than or equal to 0
            spec.scopes: Invalid value: ["BestEffort","NotBestEffort","X"]: unsupported scope
            spec.scopes: Invalid value: ["BestEffort","NotBestEffort","X"]: conflicting scopes"#]]
        .assert_eq(&create(json!({"hard": {"pods": "-1"}, "scopes": ["BestEffort", "NotBestEffort", "X"]})));
        expect![[r#"spec.scopes: Invalid value: ["BestEffort"]: field is immutable"#]].assert_eq(&check::update::<
            ResourceQuotaKind,
        >(
            json!({}),
            &json!({"spec": {"scopes": ["BestEffort"]}}),
        ));
    }
}
