//! ResourceQuota (v1).

use crate::cells;
use crate::errors::{FieldError, FieldErrors};
use crate::quantity::Quantity;
use crate::row::{AGE, Column, NAME, Row, STATUS, row};
use crate::tree;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{each, format, invalid_each, resources};
use k8s_openapi::api::core::v1::{ResourceQuota, ScopedResourceSelectorRequirement};
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
        amounts(spec.hard.as_ref(), &path.child("hard"), &mut errors);
        let list = path.child("scopes");
        let hard: Vec<&str> = spec.hard.iter().flatten().map(|(name, _)| name.as_str()).collect();
        for scope in each(&spec.scopes) {
            if !SCOPES.contains(&scope.as_str()) {
                errors.push(FieldError::invalid(list, &spec.scopes, "unsupported scope"));
            }
            for _ in hard.iter().filter(|name| is_out_of_scope(scope, name)) {
                errors.push(FieldError::invalid(list, &spec.scopes, "unsupported scope applied to resource"));
            }
        }
        let selectors = Path::new("spec.scopeSelector.matchExpressions");
        for requirement in spec.scope_selector.iter().flat_map(|selector| each(&selector.match_expressions)) {
            self::requirement(requirement, &hard, &selectors, &mut errors);
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
        let mut errors = FieldErrors::new();
        if scopes(quota) != scopes(old) {
            errors.push(FieldError::invalid("spec.scopes", scopes(quota), crate::validate::FIELD_IMMUTABLE));
        }
        let selector = |quota: &ResourceQuota| quota.spec.as_ref().and_then(|spec| spec.scope_selector.clone());
        if selector(quota) != selector(old) {
            let detail = crate::validate::FIELD_IMMUTABLE;
            errors.push(FieldError::invalid("spec.scopeSelector", selector(quota), detail));
        }
        errors
    }

    fn validate_status(quota: &ResourceQuota, _old: &ResourceQuota) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let path = Path::new("status");
        let status = quota.status.clone().unwrap_or_default();
        amounts(status.hard.as_ref(), &path.child("hard"), &mut errors);
        amounts(status.used.as_ref(), &path.child("used"), &mut errors);
        errors
    }
}

/// Compute resources and objects that quotas know under a name of their own.
const NAMES: [&str; 19] = [
    "configmaps",
    "cpu",
    "ephemeral-storage",
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "memory",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
    "requests.storage",
    "resourcequotas",
    "secrets",
    "services",
    "services.loadbalancers",
    "services.nodeports",
];
/// Of [`NAMES`] those that are counted one by one.
const WHOLE: [&str; 9] = [
    "configmaps",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "services",
    "services.loadbalancers",
    "services.nodeports",
];

type List = std::collections::BTreeMap<String, k8s_openapi::apimachinery::pkg::api::resource::Quantity>;

/// k8s: ValidateResourceQuotaResourceName and validateResourceQuantityValue
fn amounts(list: Option<&List>, path: &Path<'_>, errors: &mut FieldErrors) {
    for (name, text) in list.into_iter().flatten() {
        let at = path.key(name);
        invalid_each(name, format::qualified_name(name), &at, errors);
        let known =
            NAMES.contains(&name.as_str()) || name.starts_with("hugepages-") || name.starts_with("requests.hugepages-");
        if !name.contains('/') && !known {
            errors.push(FieldError::invalid(at, name, "must be a standard resource type or fully qualified"));
            errors.push(FieldError::invalid(at, name, "must be a standard resource for quota"));
        }
        resources::quantity(name, text, &at, errors);
        let amount: Option<Quantity> = text.0.parse().ok();
        if WHOLE.contains(&name.as_str()) && amount.is_some_and(|amount| !amount.is_integer()) {
            errors.push(FieldError::invalid(at, &text.0, "must be an integer"));
        }
    }
}

/// Whether objects that the resource counts are never in the scope. k8s: IsResourceQuotaScopeValidForResource
fn is_out_of_scope(scope: &str, name: &str) -> bool {
    if !NAMES.contains(&name) {
        return false;
    }
    match scope {
        "BestEffort" => name != "pods",
        "VolumeAttributesClass" => !matches!(name, "persistentvolumeclaims" | "requests.storage"),
        "NotBestEffort" | "Terminating" | "NotTerminating" | "PriorityClass" | "CrossNamespacePodAffinity" => {
            name != "pods" && (WHOLE.contains(&name) || name == "requests.storage")
        }
        _ => false,
    }
}

fn requirement(
    requirement: &ScopedResourceSelectorRequirement,
    hard: &[&str],
    path: &Path<'_>,
    errors: &mut FieldErrors,
) {
    let (scope, operator) = (requirement.scope_name.as_str(), requirement.operator.as_str());
    let name = path.child("scopeName");
    if scope.is_empty() {
        errors.push(FieldError::required(name, "must be specified"));
        return;
    }
    if !SCOPES.contains(&scope) {
        errors.push(FieldError::invalid(name, scope, "unsupported scope"));
    }
    for _ in hard.iter().filter(|resource| is_out_of_scope(scope, resource)) {
        errors.push(FieldError::invalid(path, requirement, "unsupported scope applied to resource"));
    }
    let plain = matches!(
        scope,
        "BestEffort" | "NotBestEffort" | "Terminating" | "NotTerminating" | "CrossNamespacePodAffinity"
    );
    if plain && operator != "Exists" {
        let detail = "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, \
                      ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or \
                      ResourceQuotaScopeCrossNamespacePodAffinity";
        errors.push(FieldError::invalid(path.child("operator"), operator, detail));
    }
    let values = each(&requirement.values).len();
    match operator {
        "In" | "NotIn" if values == 0 => {
            let detail = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
            errors.push(FieldError::required(path.child("values"), detail));
        }
        "Exists" | "DoesNotExist" if values > 0 => {
            let detail = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
            errors.push(FieldError::invalid(path.child("values"), &requirement.values, detail));
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        _ => errors.push(FieldError::invalid(path.child("operator"), operator, "not a valid selector operator")),
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
        expect![[r#"
            spec.hard[bogus]: Invalid value: "bogus": must be a standard resource type or fully qualified
            spec.hard[bogus]: Invalid value: "bogus": must be a standard resource for quota
            spec.hard[secrets]: Invalid value: "500m": must be an integer
            spec.scopeSelector.matchExpressions: Invalid value: {"operator":"In","scopeName":"PriorityClass"}: unsupported scope applied to resource
            spec.scopeSelector.matchExpressions.values: Required value: must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"#]]
        .assert_eq(&create(json!({
            "hard": {"bogus": "1", "secrets": "500m"},
            "scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In"}]},
        })));
        expect![[r#"spec.scopes: Invalid value: ["BestEffort"]: field is immutable"#]].assert_eq(&check::update::<
            ResourceQuotaKind,
        >(
            json!({}),
            &json!({"spec": {"scopes": ["BestEffort"]}}),
        ));
    }
}
