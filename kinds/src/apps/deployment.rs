//! Deployment (apps/v1).

mod printer;

use crate::core::pod::{defaults, warnings};
use crate::errors::{FieldError, FieldErrors};
use crate::row::Row;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{FIELD_IMMUTABLE, given, non_negative, pod_spec, rollout, selector, semantically_equal};
use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::Value;

const ROLLING_SHARE: &str = "25%";
const REVISION_HISTORY: i32 = 10;
const PROGRESS_DEADLINE_SECS: i32 = 600;
const SPEC: Path<'static> = Path::new("spec");

pub(crate) struct DeploymentKind;

impl TypedKind for DeploymentKind {
    type Object = Deployment;

    const ROW: Row = printer::ROW;
    const LACKS: &'static [Hook] = &[Hook::PrepareCreate, Hook::PrepareUpdate];

    fn default(deployment: &mut Deployment) {
        let spec = &mut deployment.spec;
        spec.replicas.get_or_insert(1);
        spec.revision_history_limit.get_or_insert(REVISION_HISTORY);
        spec.progress_deadline_seconds.get_or_insert(PROGRESS_DEADLINE_SECS);
        if spec.paused == Some(false) {
            spec.paused = None;
        }
        let strategy = spec.strategy.get_or_insert_default();
        if given(strategy.type_.as_ref()).is_none() {
            strategy.type_ = Some("RollingUpdate".to_owned());
        }
        if strategy.type_.as_deref() == Some("RollingUpdate") {
            let rolling = strategy.rolling_update.get_or_insert_default();
            rolling.max_surge.get_or_insert_with(|| IntOrString::String(ROLLING_SHARE.to_owned()));
            rolling.max_unavailable.get_or_insert_with(|| IntOrString::String(ROLLING_SHARE.to_owned()));
        }
        defaults::pod_template(&mut spec.template);
    }

    /// k8s: the status strategy of Deployments keeps labels too.
    fn prepare_status(deployment: &mut Deployment, old: &Deployment) {
        deployment.metadata.labels.clone_from(&old.metadata.labels);
    }

    fn validate(deployment: &Deployment) -> FieldErrors {
        let mut errors = FieldErrors::new();
        spec(&deployment.spec, &mut errors);
        errors
    }

    fn validate_update(deployment: &Deployment, old: &Deployment) -> FieldErrors {
        let (new, old) = (&deployment.spec.selector, &old.spec.selector);
        if semantically_equal(new, old) {
            return Vec::new();
        }
        vec![FieldError::invalid(SPEC.child("selector"), new, FIELD_IMMUTABLE)]
    }

    fn validate_status(deployment: &Deployment, old: &Deployment) -> FieldErrors {
        status(deployment, old)
    }

    fn warnings(deployment: &Deployment) -> Vec<String> {
        warnings::template(&deployment.spec.template, &SPEC.child("template"))
    }

    fn cells(object: &Deployment, now_unix_secs: i64) -> Vec<Value> {
        printer::cells(object, now_unix_secs)
    }
}

fn spec(spec: &DeploymentSpec, errors: &mut FieldErrors) {
    non_negative(spec.replicas.unwrap_or_default().into(), &SPEC.child("replicas"), errors);
    let path = SPEC.child("selector");
    let template = SPEC.child("template");
    if selector::is_empty(&spec.selector) {
        errors.push(FieldError::required(path, ""));
        let labels = spec.template.metadata.as_ref().and_then(|meta| meta.labels.clone()).unwrap_or_default();
        let detail = "`selector` does not match template `labels`";
        errors.push(FieldError::invalid(template.child("metadata").child("labels"), labels, detail));
    } else {
        selector::label_selector(&spec.selector, &path, errors);
    }
    pod_spec::selected_template(&spec.template, &spec.selector, &template, errors);
    pod_spec::always_restarts(&spec.template, &template, errors);
    if let Some(strategy) = &spec.strategy {
        self::strategy(strategy, &SPEC.child("strategy"), errors);
    }
    let ready = spec.min_ready_seconds.unwrap_or_default();
    non_negative(ready.into(), &SPEC.child("minReadySeconds"), errors);
    if let Some(limit) = spec.revision_history_limit {
        non_negative(limit.into(), &SPEC.child("revisionHistoryLimit"), errors);
    }
    if let Some(secs) = spec.progress_deadline_seconds {
        let at = SPEC.child("progressDeadlineSeconds");
        non_negative(secs.into(), &at, errors);
        if secs <= ready {
            errors.push(FieldError::invalid(at, secs, "must be greater than minReadySeconds"));
        }
    }
}

fn strategy(strategy: &DeploymentStrategy, path: &Path<'_>, errors: &mut FieldErrors) {
    match strategy.type_.as_deref().unwrap_or_default() {
        "Recreate" => {
            if strategy.rolling_update.is_some() {
                let detail = "may not be specified when strategy `type` is 'Recreate'";
                errors.push(FieldError::forbidden(path.child("rollingUpdate"), detail));
            }
        }
        "RollingUpdate" => match &strategy.rolling_update {
            None => {
                let detail = "this should be defaulted and never be nil";
                errors.push(FieldError::required(path.child("rollingUpdate"), detail));
            }
            Some(rolling) => self::rolling(rolling, &path.child("rollingUpdate"), errors),
        },
        other => {
            errors.push(FieldError::not_supported(path.child("type"), other, &["Recreate", "RollingUpdate"]));
        }
    }
}

fn rolling(rolling: &RollingUpdateDeployment, path: &Path<'_>, errors: &mut FieldErrors) {
    let (unavailable, surge) = (rolling.max_unavailable.as_ref(), rolling.max_surge.as_ref());
    let at = path.child("maxUnavailable");
    rollout::share(unavailable, &at, errors);
    rollout::share(surge, &path.child("maxSurge"), errors);
    if rollout::is_none(unavailable) && rollout::is_none(surge) {
        errors.push(FieldError::invalid(at, unavailable, "may not be 0 when `maxSurge` is 0"));
    }
    rollout::of_all(unavailable, &at, errors);
}

fn status(deployment: &Deployment, old: &Deployment) -> FieldErrors {
    let mut errors = FieldErrors::new();
    let path = Path::new("status");
    let status = deployment.status.clone().unwrap_or_default();
    let replicas = status.replicas.unwrap_or_default();
    let ready = status.ready_replicas.unwrap_or_default();
    let available = status.available_replicas.unwrap_or_default();
    non_negative(status.observed_generation.unwrap_or_default(), &path.child("observedGeneration"), &mut errors);
    let counts = [
        ("replicas", status.replicas),
        ("updatedReplicas", status.updated_replicas),
        ("readyReplicas", status.ready_replicas),
        ("availableReplicas", status.available_replicas),
        ("unavailableReplicas", status.unavailable_replicas),
        ("terminatingReplicas", status.terminating_replicas),
    ];
    for (field, count) in counts {
        non_negative(count.unwrap_or_default().into(), &path.child(field), &mut errors);
    }
    for (field, count) in &counts[1..4] {
        let count = count.unwrap_or_default();
        if count > replicas {
            let detail = "cannot be greater than status.replicas";
            errors.push(FieldError::invalid(path.child(field), count, detail));
        }
    }
    if available > ready {
        let detail = "cannot be greater than readyReplicas";
        errors.push(FieldError::invalid(path.child("availableReplicas"), available, detail));
    }
    let collisions = |deployment: &Deployment| deployment.status.as_ref().and_then(|status| status.collision_count);
    if let (Some(new), Some(old)) = (collisions(deployment), collisions(old))
        && new < old
    {
        errors.push(FieldError::invalid(path.child("collisionCount"), new, "cannot be decremented"));
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::{Expect, expect};
    use serde_json::json;

    fn web() -> Value {
        json!({"metadata": {"name": "web"}, "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
        }})
    }

    #[expect(clippy::needless_pass_by_value, reason = "tables read better with values")]
    fn create(patch: Value, want: Expect) {
        let mut object = web();
        check::merge(&mut object, &patch);
        want.assert_eq(&check::create::<DeploymentKind>(object));
    }

    #[test]
    fn defaults_are_upstreams() {
        let stored = check::defaulted::<DeploymentKind>(web());
        assert_eq!(stored["spec"]["replicas"], 1);
        assert_eq!(
            stored["spec"]["strategy"],
            json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}})
        );
        assert_eq!(stored["spec"]["revisionHistoryLimit"], 10);
        assert_eq!(stored["spec"]["progressDeadlineSeconds"], 600);
        assert_eq!(stored["spec"]["template"]["spec"]["restartPolicy"], "Always");
        assert!(stored["spec"]["template"]["spec"].get("enableServiceLinks").is_none(), "templates are not pods");
    }

    #[test]
    fn the_selector_must_select_the_template() {
        create(json!({}), expect![[""]]);
        create(
            json!({"spec": {"template": {"metadata": {"labels": {"app": "x"}}}}}),
            expect![[
                r#"spec.template.metadata.labels: Invalid value: {"app":"x"}: `selector` does not match template `labels`"#
            ]],
        );
        create(
            json!({"spec": {"selector": null}}),
            expect![[r#"
            spec.selector: Required value
            spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`"#]],
        );
        create(
            json!({"spec": {"selector": {"matchLabels": {"app": "a b"}}}}),
            expect![[r#"
            spec.selector.matchLabels: Invalid value: "a b": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"#]],
        );
    }

    #[test]
    fn numbers_and_strategies_are_checked() {
        create(
            json!({"spec": {"replicas": -1}}),
            expect!["spec.replicas: Invalid value: -1: must be greater than or equal to 0"],
        );
        create(json!({"spec": {"strategy": {"type": "Recreate"}}}), expect![[""]]);
        create(
            json!({"spec": {"strategy": {"type": "Recreate", "rollingUpdate": {}}}}),
            expect!["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
        );
        create(
            json!({"spec": {"strategy": {"type": "Magic"}}}),
            expect![[
                r#"spec.strategy.type: Unsupported value: "Magic": supported values: "Recreate", "RollingUpdate""#
            ]],
        );
        create(
            json!({"spec": {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}}}),
            expect![[
                r#"spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0"#
            ]],
        );
        create(
            json!({"spec": {"strategy": {"rollingUpdate": {"maxUnavailable": "101%", "maxSurge": "x"}}}}),
            expect![[r#"
            spec.strategy.rollingUpdate.maxSurge: Invalid value: "x": a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')
            spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%"#]],
        );
        create(
            json!({"spec": {"minReadySeconds": 600}}),
            expect!["spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds"],
        );
        create(
            json!({"spec": {"template": {"spec": {"restartPolicy": "Never"}}}}),
            expect![[r#"spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always""#]],
        );
        create(
            json!({"spec": {"template": {"spec": {"containers": [{"name": "c"}]}}}}),
            expect!["spec.template.spec.containers[0].image: Required value"],
        );
        create(
            json!({"spec": {"template": {"spec": {"containers": null}}}}),
            expect!["spec.template.spec.containers: Required value"],
        );
    }

    #[test]
    fn the_selector_is_immutable() {
        expect![[""]].assert_eq(&check::update::<DeploymentKind>(web(), &json!({"spec": {"replicas": 3}})));
        expect![[r#"
            spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`
            spec.selector: Invalid value: {"matchLabels":{"app":"web","b":"c"}}: field is immutable"#]]
        .assert_eq(&check::update::<DeploymentKind>(
            web(),
            &json!({"spec": {"selector": {"matchLabels": {"b": "c"}}}}),
        ));
    }

    #[test]
    fn a_status_must_add_up() {
        expect![[r"
            status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas
            status.availableReplicas: Invalid value: 3: cannot be greater than status.replicas
            status.availableReplicas: Invalid value: 3: cannot be greater than readyReplicas"]]
        .assert_eq(&check::status::<DeploymentKind>(
            web(),
            &json!({"status": {"replicas": 1, "readyReplicas": 2, "availableReplicas": 3}}),
        ));
    }
}
