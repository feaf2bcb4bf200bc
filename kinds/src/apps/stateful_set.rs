//! StatefulSet (apps/v1).

use crate::cells;
use crate::core::pod::{defaults, warnings};
use crate::errors::{FieldError, FieldErrors};
use crate::row::{AGE, Column, NAME, Row, SCALE, STATUS, row};
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{each, format, given, non_negative, one_of, pod_spec, rollout, selector, semantically_equal};
use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec, StatefulSetStatus, StatefulSetUpdateStrategy};
use serde_json::Value;

const REVISION_HISTORY: i32 = 10;
const SPEC: Path<'static> = Path::new("spec");
const ONLY_THESE: &str = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";

pub(crate) struct StatefulSetKind;

impl TypedKind for StatefulSetKind {
    type Object = StatefulSet;

    const ROW: Row = row! {
        "io.k8s.api.apps.v1.StatefulSet" "apps" "v1" "StatefulSet" "statefulsets" "statefulset" Namespaced,
        short: ["sts"],
        categories: ["all"],
        subresources: [SCALE, STATUS],
        columns: [
            NAME,
            Column::new("Ready", "string"),
            AGE,
            Column::wide("Containers", "string"),
            Column::wide("Images", "string"),
        ],
        generation: true,
    };

    const LACKS: &'static [Hook] = &[Hook::PrepareUpdate];

    fn default(set: &mut StatefulSet) {
        let spec = &mut set.spec;
        spec.replicas.get_or_insert(1);
        spec.revision_history_limit.get_or_insert(REVISION_HISTORY);
        if given(spec.pod_management_policy.as_ref()).is_none() {
            spec.pod_management_policy = Some("OrderedReady".to_owned());
        }
        let strategy = spec.update_strategy.get_or_insert_default();
        if given(strategy.type_.as_ref()).is_none() {
            strategy.type_ = Some("RollingUpdate".to_owned());
        }
        if strategy.type_.as_deref() == Some("RollingUpdate") {
            strategy.rolling_update.get_or_insert_default().partition.get_or_insert(0);
        }
        let retention = spec.persistent_volume_claim_retention_policy.get_or_insert_default();
        for policy in [&mut retention.when_deleted, &mut retention.when_scaled] {
            if given(policy.as_ref()).is_none() {
                *policy = Some("Retain".to_owned());
            }
        }
        for claim in spec.volume_claim_templates.iter_mut().flatten() {
            if let Some(spec) = &mut claim.spec {
                spec.volume_mode.get_or_insert_with(|| "Filesystem".to_owned());
            }
            let status = claim.status.get_or_insert_default();
            status.phase.get_or_insert_with(|| "Pending".to_owned());
        }
        defaults::pod_template(&mut spec.template);
    }

    fn prepare_create(set: &mut StatefulSet) {
        set.status = Some(StatefulSetStatus::default());
    }

    fn validate(set: &StatefulSet) -> FieldErrors {
        let mut errors = FieldErrors::new();
        spec(&set.spec, &mut errors);
        errors
    }

    fn validate_update(set: &StatefulSet, old: &StatefulSet) -> FieldErrors {
        let mut munged = set.spec.clone();
        let before = &old.spec;
        munged.replicas = before.replicas;
        munged.ordinals.clone_from(&before.ordinals);
        munged.template.clone_from(&before.template);
        munged.update_strategy.clone_from(&before.update_strategy);
        munged.revision_history_limit = before.revision_history_limit;
        munged.persistent_volume_claim_retention_policy.clone_from(&before.persistent_volume_claim_retention_policy);
        munged.min_ready_seconds = before.min_ready_seconds;
        if semantically_equal(&munged, before) { Vec::new() } else { vec![FieldError::forbidden(SPEC, ONLY_THESE)] }
    }

    fn validate_status(set: &StatefulSet, _old: &StatefulSet) -> FieldErrors {
        status(&set.status.clone().unwrap_or_default())
    }

    fn warnings(set: &StatefulSet) -> Vec<String> {
        warnings::template(&set.spec.template, &SPEC.child("template"))
    }

    fn cells(set: &StatefulSet, now_unix_secs: i64) -> Vec<Value> {
        let pod = set.spec.template.spec.as_ref();
        let (containers, images) = cells::containers_and_images(pod.map_or(&[], |pod| pod.containers.as_slice()));
        let ready = set.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or_default();
        vec![
            cells::name(&set.metadata),
            format!("{ready}/{}", set.spec.replicas.unwrap_or_default()).into(),
            cells::age(&set.metadata, now_unix_secs),
            containers,
            images,
        ]
    }
}

fn spec(spec: &StatefulSetSpec, errors: &mut FieldErrors) {
    let known = ["OrderedReady", "Parallel"];
    one_of(
        spec.pod_management_policy.as_deref().unwrap_or_default(),
        &known,
        &SPEC.child("podManagementPolicy"),
        errors,
    );
    if let Some(strategy) = &spec.update_strategy {
        self::strategy(strategy, &SPEC.child("updateStrategy"), errors);
    }
    let retention = spec.persistent_volume_claim_retention_policy.clone().unwrap_or_default();
    let at = SPEC.child("persistentVolumeClaimRetentionPolicy");
    for (field, policy) in [("whenDeleted", retention.when_deleted), ("whenScaled", retention.when_scaled)] {
        one_of(policy.as_deref().unwrap_or_default(), &["Delete", "Retain"], &at.child(field), errors);
    }
    non_negative(spec.replicas.unwrap_or_default().into(), &SPEC.child("replicas"), errors);
    non_negative(spec.min_ready_seconds.unwrap_or_default().into(), &SPEC.child("minReadySeconds"), errors);
    if let Some(limit) = spec.revision_history_limit {
        non_negative(limit.into(), &SPEC.child("revisionHistoryLimit"), errors);
    }
    if let Some(start) = spec.ordinals.as_ref().and_then(|ordinals| ordinals.start) {
        non_negative(start.into(), &SPEC.child("ordinals").child("start"), errors);
    }
    if let Some(name) = given(spec.service_name.as_ref()) {
        crate::validate::invalid_each(name, format::dns_subdomain(name), &SPEC.child("serviceName"), errors);
    }
    let path = SPEC.child("selector");
    if selector::is_empty(&spec.selector) {
        errors.push(FieldError::required(path, ""));
    } else {
        selector::label_selector(&spec.selector, &path, errors);
    }
    let template = SPEC.child("template");
    let mut with_claims = spec.template.clone();
    claims_as_volumes(spec, &mut with_claims);
    pod_spec::selected_template(&with_claims, &spec.selector, &template, errors);
    pod_spec::always_restarts(&spec.template, &template, errors);
}

/// Mounts may name a claim template: the controller adds the volume when it makes the pod.
fn claims_as_volumes(spec: &StatefulSetSpec, template: &mut k8s_openapi::api::core::v1::PodTemplateSpec) {
    use k8s_openapi::api::core::v1::{PersistentVolumeClaimVolumeSource, Volume};
    let Some(pod) = &mut template.spec else { return };
    for claim in each(&spec.volume_claim_templates) {
        let name = claim.metadata.name.clone().unwrap_or_default();
        let volumes = pod.volumes.get_or_insert_default();
        if !volumes.iter().any(|volume| volume.name == name) {
            let source = PersistentVolumeClaimVolumeSource { claim_name: name.clone(), read_only: None };
            volumes.push(Volume { name, persistent_volume_claim: Some(source), ..Volume::default() });
        }
    }
}

fn strategy(strategy: &StatefulSetUpdateStrategy, path: &Path<'_>, errors: &mut FieldErrors) {
    match strategy.type_.as_deref().unwrap_or_default() {
        "OnDelete" => {
            if strategy.rolling_update.is_some() {
                let detail = "only allowed for updateStrategy 'RollingUpdate'";
                errors.push(FieldError::invalid(path.child("rollingUpdate"), &strategy.rolling_update, detail));
            }
        }
        "RollingUpdate" => {
            let rolling = strategy.rolling_update.clone().unwrap_or_default();
            let at = path.child("rollingUpdate");
            non_negative(rolling.partition.unwrap_or_default().into(), &at.child("partition"), errors);
            let most = rolling.max_unavailable.as_ref();
            let at = at.child("maxUnavailable");
            rollout::share(most, &at, errors);
            if most.is_some() && rollout::is_none(most) {
                errors.push(FieldError::invalid(at, most, "cannot be 0"));
            }
            rollout::of_all(most, &at, errors);
        }
        other => {
            let detail = "must be 'RollingUpdate' or 'OnDelete'";
            errors.push(FieldError::invalid(path, other, detail));
        }
    }
}

fn status(status: &StatefulSetStatus) -> FieldErrors {
    let mut errors = FieldErrors::new();
    let path = Path::new("status");
    let counts = [
        ("replicas", status.replicas),
        ("readyReplicas", status.ready_replicas.unwrap_or_default()),
        ("currentReplicas", status.current_replicas.unwrap_or_default()),
        ("updatedReplicas", status.updated_replicas.unwrap_or_default()),
        ("availableReplicas", status.available_replicas.unwrap_or_default()),
    ];
    for (field, count) in counts {
        non_negative(count.into(), &path.child(field), &mut errors);
    }
    for (field, count) in &counts[1..] {
        if *count > status.replicas {
            errors.push(FieldError::invalid(path.child(field), count, "cannot be greater than status.replicas"));
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::{Expect, expect};
    use serde_json::json;

    fn db() -> Value {
        json!({"spec": {
            "serviceName": "db",
            "selector": {"matchLabels": {"app": "db"}},
            "template": {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [{"name": "c", "image": "i", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}]}},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}],
        }})
    }

    #[expect(clippy::needless_pass_by_value, reason = "tables read better with values")]
    fn create(patch: Value, want: Expect) {
        let mut object = db();
        check::merge(&mut object, &patch);
        want.assert_eq(&check::create::<StatefulSetKind>(object));
    }

    #[test]
    fn defaults_are_upstreams() {
        let spec = check::defaulted::<StatefulSetKind>(db())["spec"].clone();
        assert_eq!(spec["podManagementPolicy"], "OrderedReady");
        assert_eq!(spec["updateStrategy"], json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}));
        assert_eq!(
            spec["persistentVolumeClaimRetentionPolicy"],
            json!({"whenDeleted": "Retain", "whenScaled": "Retain"})
        );
        assert_eq!(spec["volumeClaimTemplates"][0]["spec"]["volumeMode"], "Filesystem");
    }

    #[test]
    fn mounts_may_name_claim_templates() {
        create(json!({}), expect![[""]]);
        create(
            json!({"spec": {"volumeClaimTemplates": []}}),
            expect![[r#"spec.template.spec.containers[0].volumeMounts[0].name: Not found: "data""#]],
        );
        create(
            json!({"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": {"partition": 1}}, "podManagementPolicy": "X"}}),
            expect![[r#"
            spec.podManagementPolicy: Unsupported value: "X": supported values: "OrderedReady", "Parallel"
            spec.updateStrategy.rollingUpdate: Invalid value: {"partition":1}: only allowed for updateStrategy 'RollingUpdate'"#]],
        );
    }

    #[test]
    fn a_rolling_update_takes_some_pods_at_once_and_no_more_than_all() {
        let most = |value: Value| json!({"spec": {"updateStrategy": {"rollingUpdate": {"maxUnavailable": value}}}});
        create(most(json!("100%")), expect![[""]]);
        let path = "spec.updateStrategy.rollingUpdate.maxUnavailable";
        for (value, want) in [
            (json!(0), "Invalid value: 0: cannot be 0"),
            (json!("0%"), "Invalid value: \"0%\": cannot be 0"),
            (json!("101%"), "Invalid value: \"101%\": must not be greater than 100%"),
        ] {
            let mut set = db();
            check::merge(&mut set, &most(value));
            assert_eq!(check::create::<StatefulSetKind>(set), format!("{path}: {want}"));
        }
    }

    #[test]
    fn little_of_the_spec_may_change() {
        assert_eq!(
            check::update::<StatefulSetKind>(
                db(),
                &json!({"spec": {"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 1}}}})
            ),
            ""
        );
        expect!["spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"]
            .assert_eq(&check::update::<StatefulSetKind>(db(), &json!({"spec": {"serviceName": "other"}})));
    }
}
