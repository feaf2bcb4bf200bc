//! LimitRange (v1).

use crate::cells;
use crate::errors::{FieldError, FieldErrors};
use crate::quantity::Quantity;
use crate::row::{Row, row};
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{format, invalid_each, resources};
use k8s_openapi::api::core::v1::{LimitRange, LimitRangeItem};
use serde_json::Value;

pub(crate) struct LimitRangeKind;

impl TypedKind for LimitRangeKind {
    type Object = LimitRange;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] = &[Hook::PrepareCreate, Hook::PrepareUpdate, Hook::ValidateUpdate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = Some(cells);

    /// k8s: for containers, limits default to the maximum, requests to the limits or else to the minimum.
    fn default(range: &mut LimitRange) {
        for item in range.spec.iter_mut().flat_map(|spec| spec.limits.iter_mut()) {
            if item.type_ != "Container" {
                continue;
            }
            let mut limits = item.default.take().unwrap_or_default();
            for (name, most) in item.max.iter().flatten() {
                limits.entry(name.clone()).or_insert_with(|| most.clone());
            }
            let mut requests = item.default_request.take().unwrap_or_default();
            for (name, amount) in limits.iter().chain(item.min.iter().flatten()) {
                requests.entry(name.clone()).or_insert_with(|| amount.clone());
            }
            item.default = (!limits.is_empty()).then_some(limits);
            item.default_request = (!requests.is_empty()).then_some(requests);
        }
    }

    fn validate(range: &LimitRange) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let list = Path::new("spec.limits");
        let mut seen = std::collections::BTreeSet::new();
        for (i, item) in range.spec.iter().flat_map(|spec| &spec.limits).enumerate() {
            let at = list.index(i);
            if !seen.insert(&item.type_) {
                errors.push(FieldError::duplicate(at.child("type"), &item.type_));
            }
            self::item(item, &at, &mut errors);
        }
        errors
    }
}

type List = std::collections::BTreeMap<String, k8s_openapi::apimachinery::pkg::api::resource::Quantity>;

fn item(item: &LimitRangeItem, path: &Path<'_>, errors: &mut FieldErrors) {
    let lists: [(&str, &Option<List>); 4] =
        [("min", &item.min), ("max", &item.max), ("default", &item.default), ("defaultRequest", &item.default_request)];
    for (field, list) in lists {
        let at = path.child(field);
        for (name, amount) in list.iter().flatten() {
            resources::quantity(name, amount, &at.key(name), errors);
        }
    }
    let kind = item.type_.as_str();
    invalid_each(kind, format::qualified_name(kind), &path.child("type"), errors);
    if !kind.contains('/') && !TYPES.contains(&kind) {
        let detail = "must be a standard limit type or fully qualified";
        errors.push(FieldError::invalid(path.child("type"), kind, detail));
    }
    let storage = |list: &Option<List>| list.as_ref().is_some_and(|list| list.contains_key("storage"));
    if kind == "PersistentVolumeClaim" && !storage(&item.min) && !storage(&item.max) {
        let detail = "either minimum or maximum storage value is required, but neither was provided";
        errors.push(FieldError::required(path, detail));
    }
    ratios(item, path, errors);
    if item.type_ == "Pod" {
        for (field, list) in &lists[2..] {
            if list.as_ref().is_some_and(|list| !list.is_empty()) {
                errors.push(FieldError::forbidden(path.child(field), "may not be specified when `type` is 'Pod'"));
            }
        }
    }
    let pairs = [
        ("min", &item.min, "max", &item.max),
        ("defaultRequest", &item.default_request, "default", &item.default),
        ("defaultRequest", &item.default_request, "max", &item.max),
        ("default", &item.default, "max", &item.max),
        ("min", &item.min, "default", &item.default),
    ];
    for (lower, small, upper, large) in pairs {
        for (name, amount) in small.iter().flatten() {
            let Some(most) = large.as_ref().and_then(|list| list.get(name)) else { continue };
            let (Ok(least), Ok(limit)) = (amount.0.parse::<Quantity>(), most.0.parse::<Quantity>()) else { continue };
            if least > limit {
                let detail = format!("{lower} value {} is greater than {upper} value {}", amount.0, most.0);
                errors.push(FieldError::invalid(path.child(lower).key(name), &amount.0, detail));
            }
        }
    }
}

const TYPES: [&str; 3] = ["Container", "PersistentVolumeClaim", "Pod"];

/// A limit is never below its request, so a ratio below one holds nothing in; nor does one beyond what the bounds allow.
fn ratios(item: &LimitRangeItem, path: &Path<'_>, errors: &mut FieldErrors) {
    let at = path.child("maxLimitRequestRatio");
    let bound = |list: &Option<List>, name: &str| -> Option<Quantity> { list.as_ref()?.get(name)?.0.parse().ok() };
    for (name, text) in item.max_limit_request_ratio.iter().flatten() {
        let Ok(ratio) = text.0.parse::<Quantity>() else { continue };
        if ratio < Quantity::from_int(1) {
            let detail = format!("ratio {} is less than 1", text.0);
            errors.push(FieldError::invalid(at.key(name), &text.0, detail));
        }
        if let (Some(most), Some(least)) = (bound(&item.max, name), bound(&item.min, name)) {
            let limit = most.as_f64() / least.as_f64();
            if least > Quantity::ZERO && ratio.as_f64() > limit {
                let detail = format!("ratio {} is greater than max/min = {limit:.6}", text.0);
                errors.push(FieldError::invalid(at.key(name), &text.0, detail));
            }
        }
    }
}

pub(crate) const ROW: Row = row! {
    "io.k8s.api.core.v1.LimitRange" "" "v1" "LimitRange" "limitranges" "limitrange" Namespaced,
    short: ["limits"],
    create_on_update: true,
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
    fn limits_fill_each_other_in_and_must_agree() {
        let range = |item: Value| json!({"spec": {"limits": [item]}});
        let stored = check::defaulted::<LimitRangeKind>(range(
            json!({"type": "Container", "max": {"cpu": "2"}, "min": {"memory": "1Mi"}}),
        ));
        let item = &stored["spec"]["limits"][0];
        assert_eq!(
            (&item["default"], &item["defaultRequest"]),
            (&json!({"cpu": "2"}), &json!({"cpu": "2", "memory": "1Mi"}))
        );
        expect![[r#"spec.limits[0].min[cpu]: Invalid value: "3": min value 3 is greater than max value 2"#]].assert_eq(
            &check::create::<LimitRangeKind>(range(json!({"type": "Pod", "max": {"cpu": "2"}, "min": {"cpu": "3"}}))),
        );
        expect![[r#"
            spec.limits[0].type: Invalid value: "Node": must be a standard limit type or fully qualified
            spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: "500m": ratio 500m is less than 1"#]]
        .assert_eq(&check::create::<LimitRangeKind>(range(
            json!({"type": "Node", "maxLimitRequestRatio": {"cpu": "500m"}}),
        )));
        expect!["spec.limits[0]: Required value: either minimum or maximum storage value is required, but neither was provided"]
            .assert_eq(&check::create::<LimitRangeKind>(range(json!({"type": "PersistentVolumeClaim"}))));
    }
}
