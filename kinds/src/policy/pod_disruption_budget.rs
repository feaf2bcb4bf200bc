//! PodDisruptionBudget (policy/v1).

use crate::cells;
use crate::errors::{FieldError, FieldErrors};
use crate::row::{AGE, Column, NAME, Row, STATUS, row};
use crate::tree;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{format, non_negative, one_of, selector};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde_json::Value;

pub(crate) struct PodDisruptionBudgetKind;

impl TypedKind for PodDisruptionBudgetKind {
    type Object = PodDisruptionBudget;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] =
        &[Hook::Default, Hook::PrepareCreate, Hook::PrepareUpdate, Hook::ValidateUpdate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = Some(cells);

    fn validate(budget: &PodDisruptionBudget) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let path = Path::new("spec");
        let spec = budget.spec.clone().unwrap_or_default();
        if spec.min_available.is_some() && spec.max_unavailable.is_some() {
            let detail = "minAvailable and maxUnavailable cannot be both set";
            errors.push(FieldError::invalid(path, &spec, detail));
        }
        for (field, value) in [("minAvailable", &spec.min_available), ("maxUnavailable", &spec.max_unavailable)] {
            let Some(value) = value else { continue };
            if let Some(detail) = format::int_or_percent(value) {
                errors.push(FieldError::invalid(path.child(field), value, detail));
            }
            if format::percent(value).is_some_and(|percent| percent > 100) {
                errors.push(FieldError::invalid(path.child(field), value, "must not be greater than 100%"));
            }
        }
        if let Some(wanted) = &spec.selector {
            selector::label_selector(wanted, &path.child("selector"), &mut errors);
        }
        if let Some(policy) = &spec.unhealthy_pod_eviction_policy {
            let known = ["AlwaysAllow", "IfHealthyBudget"];
            one_of(policy, &known, &path.child("unhealthyPodEvictionPolicy"), &mut errors);
        }
        errors
    }

    fn validate_status(budget: &PodDisruptionBudget, _old: &PodDisruptionBudget) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let path = Path::new("status");
        let status = budget.status.clone().unwrap_or_default();
        let counts = [
            ("disruptionsAllowed", status.disruptions_allowed),
            ("currentHealthy", status.current_healthy),
            ("desiredHealthy", status.desired_healthy),
            ("expectedPods", status.expected_pods),
        ];
        for (field, count) in counts {
            non_negative(count.unwrap_or_default().into(), &path.child(field), &mut errors);
        }
        errors
    }
}

pub(crate) const ROW: Row = row! {
    "io.k8s.api.policy.v1.PodDisruptionBudget" "policy" "v1" "PodDisruptionBudget" "poddisruptionbudgets" "poddisruptionbudget" Namespaced,
    short: ["pdb"],
    subresources: [STATUS],
    columns: [
        NAME,
        Column::new("Min Available", "string"),
        Column::new("Max Unavailable", "string"),
        Column::new("Allowed Disruptions", "integer"),
        AGE,
    ],
    generation: true,
};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    vec![
        cells::of::name(object),
        bound(object, "spec.minAvailable").into(),
        bound(object, "spec.maxUnavailable").into(),
        tree::integer(object, "status.disruptionsAllowed").into(),
        cells::of::age(object, now_unix_secs),
    ]
}

fn bound(budget: &Value, path: &str) -> String {
    match tree::at(budget, path) {
        Some(Value::String(percent)) => percent.clone(),
        Some(number) => number.to_string(),
        None => "N/A".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn a_budget_has_one_measure() {
        assert_eq!(check::create::<PodDisruptionBudgetKind>(json!({"spec": {"minAvailable": "50%"}})), "");
        expect![[r#"
            spec: Invalid value: {"maxUnavailable":1,"minAvailable":"101%"}: minAvailable and maxUnavailable cannot be both set
            spec.minAvailable: Invalid value: "101%": must not be greater than 100%"#]]
        .assert_eq(&check::create::<PodDisruptionBudgetKind>(json!({"spec": {"minAvailable": "101%", "maxUnavailable": 1}})));
    }
}
