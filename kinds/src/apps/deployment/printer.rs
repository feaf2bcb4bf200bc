//! The row of Deployment, and how its list is printed.

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, SCALE, STATUS, row};
use k8s_openapi::api::apps::v1::Deployment;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.apps.v1.Deployment" "apps" "v1" "Deployment" "deployments" "deployment" Namespaced,
    short: ["deploy"],
    categories: ["all"],
    subresources: [SCALE, STATUS],
    columns: [
        NAME,
        Column::new("Ready", "string"),
        Column::new("Up-to-date", "string"),
        Column::new("Available", "string"),
        AGE,
        Column::wide("Containers", "string"),
        Column::wide("Images", "string"),
        Column::wide("Selector", "string"),
    ],
    generation: true,
};

pub(crate) fn cells(deployment: &Deployment, now_unix_secs: i64) -> Vec<Value> {
    let spec = &deployment.spec;
    let status = deployment.status.clone().unwrap_or_default();
    let wanted = spec.replicas.unwrap_or(0);
    let pod = spec.template.spec.as_ref();
    let (containers, images) = cells::containers_and_images(pod.map_or(&[], |pod| &pod.containers));
    vec![
        cells::name(&deployment.metadata),
        format!("{}/{wanted}", status.ready_replicas.unwrap_or(0)).into(),
        status.updated_replicas.unwrap_or(0).into(),
        status.available_replicas.unwrap_or(0).into(),
        cells::age(&deployment.metadata, now_unix_secs),
        containers,
        images,
        cells::selector(Some(&spec.selector)).into(),
    ]
}
