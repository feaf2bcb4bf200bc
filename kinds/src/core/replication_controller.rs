//! ReplicationController (v1), ReplicaSet's elder: its selector is a plain map and defaults to the template's labels.

use crate::apps::replica_set;
use crate::cells;
use crate::core::pod::{defaults, warnings};
use crate::errors::{FieldError, FieldErrors};
use crate::row::{Row, SCALE, STATUS, row};
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{metadata, non_negative, pod_spec};
use k8s_openapi::api::core::v1::{ReplicationController, ReplicationControllerSpec, ReplicationControllerStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde_json::Value;

const SPEC: Path<'static> = Path::new("spec");

pub(crate) struct ReplicationControllerKind;

impl TypedKind for ReplicationControllerKind {
    type Object = ReplicationController;

    const ROW: Row = row! {
        "io.k8s.api.core.v1.ReplicationController" "" "v1" "ReplicationController" "replicationcontrollers" "replicationcontroller" Namespaced,
        short: ["rc"],
        categories: ["all"],
        subresources: [SCALE, STATUS],
        columns: (replica_set::printer::COLUMNS),
        fields: ["status.replicas" = "status.replicas"],
        generation: true,
    };

    const LACKS: &'static [Hook] = &[Hook::PrepareUpdate, Hook::ValidateUpdate];

    fn default(controller: &mut ReplicationController) {
        let spec = controller.spec.get_or_insert_default();
        spec.replicas.get_or_insert(1);
        let labels = spec.template.as_ref().and_then(|template| template.metadata.as_ref()?.labels.clone());
        if let Some(labels) = labels.filter(|labels| !labels.is_empty()) {
            if spec.selector.as_ref().is_none_or(std::collections::BTreeMap::is_empty) {
                spec.selector = Some(labels.clone());
            }
            let own = controller.metadata.labels.get_or_insert_default();
            if own.is_empty() {
                *own = labels;
            }
        }
        spec.template.iter_mut().for_each(defaults::pod_template);
    }

    fn prepare_create(controller: &mut ReplicationController) {
        controller.status = Some(ReplicationControllerStatus::default());
    }

    fn validate(controller: &ReplicationController) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let empty = ReplicationControllerSpec::default();
        let spec = controller.spec.as_ref().unwrap_or(&empty);
        non_negative(spec.min_ready_seconds.unwrap_or_default().into(), &SPEC.child("minReadySeconds"), &mut errors);
        let at = SPEC.child("selector");
        let labels = spec.selector.clone().unwrap_or_default();
        if labels.is_empty() {
            errors.push(FieldError::required(at, ""));
        }
        metadata::labels(Some(&labels), &at, &mut errors);
        non_negative(spec.replicas.unwrap_or_default().into(), &SPEC.child("replicas"), &mut errors);
        let at = SPEC.child("template");
        match &spec.template {
            None => errors.push(FieldError::required(at, "")),
            Some(template) => {
                let selector = LabelSelector { match_labels: Some(labels), match_expressions: None };
                pod_spec::selected_template(template, &selector, &at, &mut errors);
                pod_spec::always_restarts(template, &at, &mut errors);
            }
        }
        errors
    }

    fn warnings(controller: &ReplicationController) -> Vec<String> {
        let path = SPEC.child("template");
        let template = controller.spec.as_ref().and_then(|spec| spec.template.as_ref());
        template.iter().flat_map(|template| warnings::template(template, &path)).collect()
    }

    fn cells(controller: &ReplicationController, now_unix_secs: i64) -> Vec<Value> {
        let spec = controller.spec.as_ref();
        let status = controller.status.clone().unwrap_or_default();
        let pod = spec.and_then(|spec| spec.template.as_ref()?.spec.as_ref());
        let (containers, images) = cells::containers_and_images(pod.map_or(&[], |pod| pod.containers.as_slice()));
        vec![
            cells::name(&controller.metadata),
            spec.and_then(|spec| spec.replicas).unwrap_or_default().into(),
            status.replicas.into(),
            status.ready_replicas.unwrap_or_default().into(),
            cells::age(&controller.metadata, now_unix_secs),
            containers,
            images,
            cells::labels(spec.and_then(|spec| spec.selector.as_ref())).into(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn the_selector_defaults_to_the_labels_of_the_template() {
        let template =
            json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
        let stored = check::defaulted::<ReplicationControllerKind>(json!({"spec": {"template": template}}));
        assert_eq!(stored["spec"]["selector"], json!({"a": "b"}));
        assert_eq!(stored["metadata"]["labels"], json!({"a": "b"}));
        assert_eq!(check::create::<ReplicationControllerKind>(stored), "");
        expect![[r"
            spec.selector: Required value
            spec.template: Required value"]]
        .assert_eq(&check::create::<ReplicationControllerKind>(json!({"spec": {}})));
    }
}
