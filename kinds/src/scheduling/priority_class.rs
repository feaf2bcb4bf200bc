//! PriorityClass (scheduling.k8s.io/v1).

mod printer;

use crate::errors::{FieldError, FieldErrors};
use crate::row::Row;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{given, immutable, one_of};
use k8s_openapi::api::scheduling::v1::PriorityClass;
use serde_json::Value;

/// Higher values belong to the system's own classes.
const USER_VALUE_MAX: i32 = 1_000_000_000;
const SYSTEM_PREFIX: &str = "system-";
/// k8s: the classes that every cluster has, with their values.
const SYSTEM_CLASSES: [(&str, i32); 2] =
    [("system-node-critical", 2_000_001_000), ("system-cluster-critical", 2_000_000_000)];

pub(crate) struct PriorityClassKind;

impl TypedKind for PriorityClassKind {
    type Object = PriorityClass;

    const ROW: Row = printer::ROW;
    const LACKS: &'static [Hook] = &[Hook::PrepareCreate, Hook::PrepareUpdate, Hook::Warnings];

    fn default(class: &mut PriorityClass) {
        class.preemption_policy.get_or_insert_with(|| "PreemptLowerPriority".to_owned());
    }

    fn validate(class: &PriorityClass) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let name = class.metadata.name.as_deref().unwrap_or_default();
        let value = class.value.unwrap_or_default();
        if name.starts_with(SYSTEM_PREFIX) {
            let why = match SYSTEM_CLASSES.iter().find(|(known, _)| *known == name) {
                None => Some(format!("{name} is not a known system priority class")),
                Some((_, fixed)) if *fixed != value => Some(format!("value of {name} PriorityClass must be {fixed}")),
                Some(_) => None,
            };
            if let Some(why) = why {
                let detail = format!(
                    "priority class names with '{SYSTEM_PREFIX}' prefix are reserved for system use only. error: {why}"
                );
                errors.push(FieldError::forbidden("metadata.name", detail));
            }
        } else if value > USER_VALUE_MAX {
            let detail = format!("maximum allowed value of a user defined priority is {USER_VALUE_MAX}");
            errors.push(FieldError::forbidden("value", detail));
        }
        if let Some(policy) = given(class.preemption_policy.as_ref()) {
            let at = Path::new("preemptionPolicy");
            one_of(policy, &["Never", "PreemptLowerPriority"], &at, &mut errors);
        }
        errors
    }

    fn validate_update(class: &PriorityClass, old: &PriorityClass) -> FieldErrors {
        let mut errors = FieldErrors::new();
        if class.value.unwrap_or_default() != old.value.unwrap_or_default() {
            errors.push(FieldError::forbidden("value", "may not be changed in an update."));
        }
        immutable(&class.preemption_policy, &old.preemption_policy, &Path::new("preemptionPolicy"), &mut errors);
        errors
    }

    fn cells(object: &PriorityClass, now_unix_secs: i64) -> Vec<Value> {
        printer::cells(object, now_unix_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn high_values_and_system_names_are_reserved() {
        expect![[""]].assert_eq(&check::create::<PriorityClassKind>(json!({"metadata": {"name": "a"}, "value": 5})));
        expect!["value: Forbidden: maximum allowed value of a user defined priority is 1000000000"]
            .assert_eq(&check::create::<PriorityClassKind>(json!({"metadata": {"name": "a"}, "value": 1_000_000_001})));
        expect!["metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: system-a is not a known system priority class"]
            .assert_eq(&check::create::<PriorityClassKind>(json!({"metadata": {"name": "system-a"}, "value": 5})));
        expect![[""]].assert_eq(&check::create::<PriorityClassKind>(
            json!({"metadata": {"name": "system-node-critical"}, "value": 2_000_001_000}),
        ));
    }

    #[test]
    fn value_and_policy_stay() {
        let old = || json!({"metadata": {"name": "a"}, "value": 5});
        expect![[r#"
            value: Forbidden: may not be changed in an update.
            preemptionPolicy: Invalid value: "Never": field is immutable"#]]
        .assert_eq(&check::update::<PriorityClassKind>(old(), &json!({"value": 6, "preemptionPolicy": "Never"})));
        expect![[""]].assert_eq(&check::update::<PriorityClassKind>(old(), &json!({"description": "x"})));
    }
}
