//! PodTemplate (core/v1): a pod template on its own, for clients that keep them.

use crate::cells;
use crate::core::pod::{defaults, warnings};
use crate::errors::FieldErrors;
use crate::row::{AGE, Column, NAME, Row, row};
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::pod_spec;
use k8s_openapi::api::core::v1::{PodTemplate, PodTemplateSpec};
use serde_json::Value;

const TEMPLATE: Path<'static> = Path::new("template");

pub(crate) struct PodTemplateKind;

impl TypedKind for PodTemplateKind {
    type Object = PodTemplate;

    const ROW: Row = row! {
        "io.k8s.api.core.v1.PodTemplate" "" "v1" "PodTemplate" "podtemplates" "podtemplate" Namespaced,
        columns: [
            NAME,
            Column::new("Containers", "string"),
            Column::new("Images", "string"),
            Column::new("Pod Labels", "string"),
            AGE,
        ],
        generation: true,
    };
    const LACKS: &'static [Hook] = &[Hook::PrepareCreate, Hook::PrepareUpdate, Hook::ValidateUpdate];

    fn default(template: &mut PodTemplate) {
        defaults::pod_template(template.template.get_or_insert_default());
    }

    fn validate(template: &PodTemplate) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let empty = PodTemplateSpec::default();
        pod_spec::template(template.template.as_ref().unwrap_or(&empty), &TEMPLATE, &mut errors);
        errors
    }

    fn warnings(template: &PodTemplate) -> Vec<String> {
        template.template.iter().flat_map(|template| warnings::template(template, &TEMPLATE)).collect()
    }

    fn cells(template: &PodTemplate, now_unix_secs: i64) -> Vec<Value> {
        let inner = template.template.as_ref();
        let pod = inner.and_then(|template| template.spec.as_ref());
        let (containers, images) = cells::containers_and_images(pod.map_or(&[], |pod| pod.containers.as_slice()));
        let labels = inner.and_then(|template| template.metadata.as_ref()?.labels.as_ref());
        vec![
            cells::name(&template.metadata),
            containers,
            images,
            cells::labels(labels).into(),
            cells::age(&template.metadata, now_unix_secs),
        ]
    }
}
