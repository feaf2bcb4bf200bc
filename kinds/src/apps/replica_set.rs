//! ReplicaSet (apps/v1).

pub(crate) mod printer;

use crate::core::pod::{defaults, warnings};
use crate::errors::{FieldError, FieldErrors};
use crate::row::Row;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{FIELD_IMMUTABLE, non_negative, pod_spec, selector, semantically_equal};
use k8s_openapi::api::apps::v1::{ReplicaSet, ReplicaSetSpec, ReplicaSetStatus};
use serde_json::Value;

const SPEC: Path<'static> = Path::new("spec");

pub(crate) struct ReplicaSetKind;

impl TypedKind for ReplicaSetKind {
    type Object = ReplicaSet;

    const ROW: Row = printer::ROW;
    const LACKS: &'static [Hook] = &[Hook::PrepareUpdate];

    fn default(set: &mut ReplicaSet) {
        let spec = &mut set.spec;
        spec.replicas.get_or_insert(1);
        spec.template.iter_mut().for_each(defaults::pod_template);
    }

    fn prepare_create(set: &mut ReplicaSet) {
        set.status = Some(ReplicaSetStatus::default());
    }

    fn validate(set: &ReplicaSet) -> FieldErrors {
        let mut errors = FieldErrors::new();
        spec(&set.spec, &mut errors);
        errors
    }

    fn validate_update(set: &ReplicaSet, old: &ReplicaSet) -> FieldErrors {
        let (new, old) = (&set.spec.selector, &old.spec.selector);
        if semantically_equal(new, old) {
            return Vec::new();
        }
        vec![FieldError::invalid(SPEC.child("selector"), new, FIELD_IMMUTABLE)]
    }

    fn validate_status(set: &ReplicaSet, _old: &ReplicaSet) -> FieldErrors {
        status(&set.status.clone().unwrap_or_default())
    }

    fn warnings(set: &ReplicaSet) -> Vec<String> {
        let path = SPEC.child("template");
        set.spec.template.iter().flat_map(|template| warnings::template(template, &path)).collect()
    }

    fn cells(object: &ReplicaSet, now_unix_secs: i64) -> Vec<Value> {
        printer::cells(object, now_unix_secs)
    }
}

fn spec(spec: &ReplicaSetSpec, errors: &mut FieldErrors) {
    non_negative(spec.replicas.unwrap_or_default().into(), &SPEC.child("replicas"), errors);
    non_negative(spec.min_ready_seconds.unwrap_or_default().into(), &SPEC.child("minReadySeconds"), errors);
    let path = SPEC.child("selector");
    if selector::is_empty(&spec.selector) {
        errors.push(FieldError::required(path, ""));
    } else {
        selector::label_selector(&spec.selector, &path, errors);
    }
    let at = SPEC.child("template");
    match &spec.template {
        None => errors.push(FieldError::required(at, "")),
        Some(template) => {
            pod_spec::selected_template(template, &spec.selector, &at, errors);
            pod_spec::always_restarts(template, &at, errors);
        }
    }
}

fn status(status: &ReplicaSetStatus) -> FieldErrors {
    let mut errors = FieldErrors::new();
    let path = Path::new("status");
    let counts = [
        ("replicas", status.replicas),
        ("fullyLabeledReplicas", status.fully_labeled_replicas.unwrap_or_default()),
        ("readyReplicas", status.ready_replicas.unwrap_or_default()),
        ("availableReplicas", status.available_replicas.unwrap_or_default()),
    ];
    for (field, count) in counts {
        non_negative(count.into(), &path.child(field), &mut errors);
    }
    non_negative(status.observed_generation.unwrap_or_default(), &path.child("observedGeneration"), &mut errors);
    for (field, count) in &counts[1..] {
        if *count > status.replicas {
            errors.push(FieldError::invalid(path.child(field), count, "cannot be greater than status.replicas"));
        }
    }
    let (available, ready) = (counts[3].1, counts[2].1);
    if available > ready {
        let detail = "cannot be greater than readyReplicas";
        errors.push(FieldError::invalid(path.child("availableReplicas"), available, detail));
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::expect;
    use serde_json::json;

    fn web() -> Value {
        json!({"metadata": {"name": "web"}, "spec": {
            "selector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
        }})
    }

    #[test]
    fn a_set_needs_a_selector_and_a_template() {
        assert_eq!(check::defaulted::<ReplicaSetKind>(web())["spec"]["replicas"], 1);
        expect![[""]].assert_eq(&check::create::<ReplicaSetKind>(web()));
        expect![[r"
            spec.selector: Required value
            spec.template: Required value"]]
        .assert_eq(&check::create::<ReplicaSetKind>(json!({"spec": {}})));
        expect![[r"
            spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'"]]
        .assert_eq(&{
            let mut set = web();
            set["spec"]["selector"]["matchExpressions"][0]["values"] = json!([]);
            check::create::<ReplicaSetKind>(set)
        });
    }
}
