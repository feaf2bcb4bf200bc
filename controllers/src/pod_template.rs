//! Pods from a workload's template: what all kinds that own pods do alike.

use crate::write::{self, Object};
use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// A pod's name is its host name too, which may have 63 characters; five of them are the random-looking end (k8s: names.go).
const BASE_MAX: usize = 58;

/// The pod of this template, controlled by `owner`; `prefix` is what its name begins with.
pub(crate) fn pod<O: Object>(owner: &O, template: &PodTemplateSpec, prefix: &str, seed: &[&[u8]]) -> Pod {
    let meta = template.metadata.clone().unwrap_or_default();
    let base: String = prefix.chars().take(BASE_MAX).collect();
    Pod {
        metadata: ObjectMeta {
            name: Some(format!("{base}{}", write::suffix(seed))),
            generate_name: Some(prefix.to_owned()),
            namespace: Some(owner.ns().to_owned()),
            labels: meta.labels,
            annotations: meta.annotations,
            finalizers: meta.finalizers,
            owner_references: Some(vec![write::controller_reference(owner)]),
            ..ObjectMeta::default()
        },
        spec: template.spec.clone(),
        status: None,
    }
}
