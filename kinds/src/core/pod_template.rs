//! PodTemplate (core/v1): a pod template on its own, for clients that keep them.

use crate::age;
use crate::row::{AGE, Column, NAME, Row, row};
use crate::typed::{Hook, TypedKind};
use k8s_openapi::api::core::v1::PodTemplate;
use serde_json::Value;

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
    const LACKS: &'static [Hook] =
        &[Hook::PrepareCreate, Hook::PrepareUpdate, Hook::Validate, Hook::ValidateUpdate, Hook::Warnings];

    fn cells(template: &PodTemplate, now_unix_secs: i64) -> Vec<Value> {
        vec![
            template.metadata.name.clone().into(),
            "".into(),
            "".into(),
            "".into(),
            age::since(template.metadata.creation_timestamp.as_ref().map(|t| t.0.as_second()), now_unix_secs).into(),
        ]
    }
}
