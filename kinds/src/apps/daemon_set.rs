//! DaemonSet (apps/v1).

use crate::cells;
use crate::core::pod::{defaults, warnings};
use crate::errors::{FieldError, FieldErrors};
use crate::row::{AGE, Column, NAME, Row, STATUS, row};
use crate::typed::TypedKind;
use crate::validate::path::Path;
use crate::validate::{FIELD_IMMUTABLE, given, non_negative, pod_spec, rollout, selector, semantically_equal};
use k8s_openapi::api::apps::v1::{DaemonSet, DaemonSetUpdateStrategy, RollingUpdateDaemonSet};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::Value;

const REVISION_HISTORY: i32 = 10;
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";
const SPEC: Path<'static> = Path::new("spec");

pub(crate) struct DaemonSetKind;

impl TypedKind for DaemonSetKind {
    type Object = DaemonSet;

    const ROW: Row = row! {
        "io.k8s.api.apps.v1.DaemonSet" "apps" "v1" "DaemonSet" "daemonsets" "daemonset" Namespaced,
        short: ["ds"],
        categories: ["all"],
        subresources: [STATUS],
        columns: [
            NAME,
            Column::new("Desired", "integer"),
            Column::new("Current", "integer"),
            Column::new("Ready", "integer"),
            Column::new("Up-to-date", "integer"),
            Column::new("Available", "integer"),
            Column::new("Node Selector", "string"),
            AGE,
            Column::wide("Containers", "string"),
            Column::wide("Images", "string"),
            Column::wide("Selector", "string"),
        ],
        generation: true,
    };

    fn default(set: &mut DaemonSet) {
        let spec = &mut set.spec;
        spec.revision_history_limit.get_or_insert(REVISION_HISTORY);
        let strategy = spec.update_strategy.get_or_insert_default();
        if given(strategy.type_.as_ref()).is_none() {
            strategy.type_ = Some("RollingUpdate".to_owned());
        }
        if strategy.type_.as_deref() == Some("RollingUpdate") {
            let rolling = strategy.rolling_update.get_or_insert_default();
            rolling.max_unavailable.get_or_insert(IntOrString::Int(1));
            rolling.max_surge.get_or_insert(IntOrString::Int(0));
        }
        defaults::pod_template(&mut spec.template);
    }

    fn prepare_create(set: &mut DaemonSet) {
        let brought = template_generation(set);
        set_template_generation(set, brought.max(1));
    }

    fn prepare_update(set: &mut DaemonSet, old: &DaemonSet) {
        let changed = !semantically_equal(&set.spec.template, &old.spec.template);
        set_template_generation(set, template_generation(old).saturating_add(changed.into()));
    }

    fn prepare_status(set: &mut DaemonSet, old: &DaemonSet) {
        set_template_generation(set, template_generation(old));
    }

    fn validate(set: &DaemonSet) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let spec = &set.spec;
        let path = SPEC.child("selector");
        if selector::is_empty(&spec.selector) {
            errors.push(FieldError::required(path, ""));
        } else {
            selector::label_selector(&spec.selector, &path, &mut errors);
        }
        let template = SPEC.child("template");
        pod_spec::selected_template(&spec.template, &spec.selector, &template, &mut errors);
        pod_spec::always_restarts(&spec.template, &template, &mut errors);
        non_negative(spec.min_ready_seconds.unwrap_or_default().into(), &SPEC.child("minReadySeconds"), &mut errors);
        if let Some(limit) = spec.revision_history_limit {
            non_negative(limit.into(), &SPEC.child("revisionHistoryLimit"), &mut errors);
        }
        if let Some(strategy) = &spec.update_strategy {
            self::strategy(strategy, &SPEC.child("updateStrategy"), &mut errors);
        }
        errors
    }

    fn validate_update(set: &DaemonSet, old: &DaemonSet) -> FieldErrors {
        let (new, old) = (&set.spec.selector, &old.spec.selector);
        if semantically_equal(new, old) {
            return Vec::new();
        }
        vec![FieldError::invalid(SPEC.child("selector"), new, FIELD_IMMUTABLE)]
    }

    fn validate_status(set: &DaemonSet, _old: &DaemonSet) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let path = Path::new("status");
        let status = set.status.clone().unwrap_or_default();
        let counts = [
            ("currentNumberScheduled", status.current_number_scheduled),
            ("numberMisscheduled", status.number_misscheduled),
            ("desiredNumberScheduled", status.desired_number_scheduled),
            ("numberReady", status.number_ready),
            ("updatedNumberScheduled", status.updated_number_scheduled.unwrap_or_default()),
            ("numberAvailable", status.number_available.unwrap_or_default()),
            ("numberUnavailable", status.number_unavailable.unwrap_or_default()),
        ];
        for (field, count) in counts {
            non_negative(count.into(), &path.child(field), &mut errors);
        }
        non_negative(status.observed_generation.unwrap_or_default(), &path.child("observedGeneration"), &mut errors);
        errors
    }

    fn warnings(set: &DaemonSet) -> Vec<String> {
        warnings::template(&set.spec.template, &SPEC.child("template"))
    }

    fn cells(set: &DaemonSet, now_unix_secs: i64) -> Vec<Value> {
        let status = set.status.clone().unwrap_or_default();
        let pod = set.spec.template.spec.as_ref();
        let (containers, images) = cells::containers_and_images(pod.map_or(&[], |pod| pod.containers.as_slice()));
        vec![
            cells::name(&set.metadata),
            status.desired_number_scheduled.into(),
            status.current_number_scheduled.into(),
            status.number_ready.into(),
            status.updated_number_scheduled.unwrap_or_default().into(),
            status.number_available.unwrap_or_default().into(),
            cells::labels(pod.and_then(|pod| pod.node_selector.as_ref())).into(),
            cells::age(&set.metadata, now_unix_secs),
            containers,
            images,
            cells::selector(Some(&set.spec.selector)).into(),
        ]
    }
}

/// How often the template was another, counted in an annotation: that of a field that only older versions of the API had.
/// k8s: `apis/apps/v1/conversion.go`, `registry/apps/daemonset/strategy.go`
fn template_generation(set: &DaemonSet) -> i64 {
    let annotation = set.metadata.annotations.as_ref().and_then(|all| all.get(TEMPLATE_GENERATION));
    annotation.and_then(|count| count.parse().ok()).unwrap_or_default()
}

fn set_template_generation(set: &mut DaemonSet, count: i64) {
    set.metadata.annotations.get_or_insert_default().insert(TEMPLATE_GENERATION.to_owned(), count.to_string());
}

fn strategy(strategy: &DaemonSetUpdateStrategy, path: &Path<'_>, errors: &mut FieldErrors) {
    match strategy.type_.as_deref().unwrap_or_default() {
        "OnDelete" => {}
        "RollingUpdate" => match &strategy.rolling_update {
            None => errors.push(FieldError::required(path.child("rollingUpdate"), "")),
            Some(rolling) => self::rolling(rolling, &path.child("rollingUpdate"), errors),
        },
        other => errors.push(FieldError::not_supported(path.child("type"), other, &["OnDelete", "RollingUpdate"])),
    }
}

/// A node runs one pod of the set: either the old one goes first, or a second one comes first.
fn rolling(rolling: &RollingUpdateDaemonSet, path: &Path<'_>, errors: &mut FieldErrors) {
    let (unavailable, surge) = (rolling.max_unavailable.as_ref(), rolling.max_surge.as_ref());
    let shares = [("maxUnavailable", unavailable), ("maxSurge", surge)];
    for (field, value) in shares {
        rollout::share(value, &path.child(field), errors);
    }
    for (field, value) in shares {
        rollout::of_all(value, &path.child(field), errors);
    }
    match (rollout::is_none(unavailable), rollout::is_none(surge)) {
        (true, true) => {
            let detail = "cannot be 0 when maxSurge is 0";
            errors.push(FieldError::required(path.child("maxUnavailable"), detail));
        }
        (false, false) => {
            let detail = "may not be set when maxUnavailable is non-zero";
            errors.push(FieldError::invalid(path.child("maxSurge"), surge, detail));
        }
        (true, false) | (false, true) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Kind;
    use crate::typed::Typed;
    use crate::validate::check;
    use expect_test::{Expect, expect};
    use serde_json::json;

    fn agent() -> Value {
        json!({"spec": {
            "selector": {"matchLabels": {"app": "agent"}},
            "template": {"metadata": {"labels": {"app": "agent"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
        }})
    }

    #[expect(clippy::needless_pass_by_value, reason = "tables read better with values")]
    fn create(patch: Value, want: Expect) {
        let mut object = agent();
        check::merge(&mut object, &patch);
        want.assert_eq(&check::create::<DaemonSetKind>(object));
    }

    #[test]
    fn one_pod_of_a_node_at_a_time_is_replaced() {
        let stored = check::defaulted::<DaemonSetKind>(agent());
        assert_eq!(
            stored["spec"]["updateStrategy"],
            json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}})
        );
        assert_eq!(stored["spec"]["revisionHistoryLimit"], 10);
        create(json!({}), expect![[""]]);
        create(json!({"spec": {"updateStrategy": {"type": "OnDelete"}}}), expect![[""]]);
        create(
            json!({"spec": {"updateStrategy": {"rollingUpdate": {"maxUnavailable": 0}}}}),
            expect!["spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0"],
        );
        create(
            json!({"spec": {"updateStrategy": {"rollingUpdate": {"maxSurge": 1}}}}),
            expect![
                "spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero"
            ],
        );
        create(
            json!({"spec": {"selector": {"matchLabels": {"app": "x"}}}}),
            expect![[
                r#"spec.template.metadata.labels: Invalid value: {"app":"agent"}: `selector` does not match template `labels`"#
            ]],
        );
    }

    #[test]
    fn an_annotation_counts_the_templates() {
        let count = |set: &Value| set["metadata"]["annotations"][TEMPLATE_GENERATION].clone();
        let old = check::created::<DaemonSetKind>(agent());
        assert_eq!(count(&old), "1");
        let changed = |patch: Value| count(&check::updated::<DaemonSetKind>(agent(), &patch));
        assert_eq!(changed(json!({"spec": {"minReadySeconds": 3}})), "1");
        assert_eq!(changed(json!({"metadata": {"annotations": {TEMPLATE_GENERATION: "7"}}})), "1", "nobody sets it");
        assert_eq!(changed(json!({"metadata": {"annotations": null}})), "1");
        assert_eq!(changed(json!({"spec": {"template": {"metadata": {"labels": {"a": "b"}}}}})), "2");
        let mut told = old.clone();
        check::merge(&mut told, &json!({"metadata": {"annotations": {"a": "b", TEMPLATE_GENERATION: null}}}));
        Typed::<DaemonSetKind>::new().prepare_status(&mut told, &old);
        assert_eq!(told["metadata"]["annotations"], json!({"a": "b", TEMPLATE_GENERATION: "1"}));
    }

    #[test]
    fn the_selector_is_immutable() {
        let mut old = agent();
        check::merge(&mut old, &json!({"spec": {"template": {"metadata": {"labels": {"b": "c"}}}}}));
        expect![[r#"spec.selector: Invalid value: {"matchLabels":{"app":"agent","b":"c"}}: field is immutable"#]]
            .assert_eq(&check::update::<DaemonSetKind>(
                old,
                &json!({"spec": {"selector": {"matchLabels": {"b": "c"}}}}),
            ));
    }
}
