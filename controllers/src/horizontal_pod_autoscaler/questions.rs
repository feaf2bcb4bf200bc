//! What an autoscaler asks the server: the scale of its target, and each metric.

use super::metric::Source;
use client::action::{Key, Resource};
use client::cache::{Caches, Tracked as _};
use client::controller::Look;
use k8s_openapi::api::autoscaling::v2::{CrossVersionObjectReference, HorizontalPodAutoscaler, MetricIdentifier};
use kinds::selector::LabelSelector;
use serde_json::Value;

/// The kind that a reference names; its plural by discovery, or as most kinds form theirs.
fn resource(reference: &CrossVersionObjectReference, caches: &Caches) -> Resource {
    let api_version = reference.api_version.clone().unwrap_or_else(|| "v1".to_owned());
    let served = caches.metadata().find(&api_version, &reference.kind);
    served.map_or_else(
        || Resource {
            plural: format!("{}s", reference.kind.to_lowercase()).into(),
            api_version: api_version.into(),
            kind: reference.kind.clone().into(),
        },
        |served| served.resource,
    )
}

pub(super) fn scale(scaler: &HorizontalPodAutoscaler, caches: &Caches) -> Look {
    let name = scaler.spec.scale_target_ref.name.clone();
    Look::Scale { resource: target(scaler, caches), key: Key::new(scaler.ns(), name) }
}

/// The kind that is sized.
pub(super) fn target(scaler: &HorizontalPodAutoscaler, caches: &Caches) -> Resource {
    resource(&scaler.spec.scale_target_ref, caches)
}

/// The selector of the target's pods, as its scale tells it.
pub(super) fn selector(scale: &Value) -> Option<&str> {
    scale["status"]["selector"].as_str().filter(|selector| !selector.is_empty())
}

/// One question a metric, in the order of the spec.
pub(super) fn metrics(scaler: &HorizontalPodAutoscaler, scale: &Value, caches: &Caches) -> Vec<Look> {
    let Some(pods) = selector(scale) else { return Vec::new() };
    let sources = scaler.spec.metrics.iter().flatten().map(Source::of);
    sources.map(|source| Look::Document { path: path(&source, scaler.ns(), pods, caches) }).collect()
}

fn path(source: &Source<'_>, ns: &str, pods: &str, caches: &Caches) -> String {
    const CUSTOM: &str = "/apis/custom.metrics.k8s.io/v1beta2/namespaces";
    match source {
        Source::Resource { .. } | Source::Container { .. } => {
            format!("/apis/metrics.k8s.io/v1beta1/namespaces/{ns}/pods?labelSelector={}", escape(pods))
        }
        Source::Pods { metric, .. } => {
            let more = metric_selector(metric).map_or(String::new(), |text| format!("&metricLabelSelector={text}"));
            format!("{CUSTOM}/{ns}/pods/*/{}?labelSelector={}{more}", metric.name, escape(pods))
        }
        Source::Object { metric, object, .. } => {
            let kind = resource(object, caches);
            let group = kind.api_version.split_once('/').map_or(String::new(), |(group, _)| format!(".{group}"));
            let more = metric_selector(metric).map_or(String::new(), |text| format!("?metricLabelSelector={text}"));
            if kind.kind == "Namespace" {
                return format!("{CUSTOM}/{}/metrics/{}{more}", object.name, metric.name);
            }
            format!("{CUSTOM}/{ns}/{}{group}/{}/{}{more}", kind.plural, object.name, metric.name)
        }
        Source::External { metric, .. } => {
            let more = metric_selector(metric).map_or(String::new(), |text| format!("?labelSelector={text}"));
            format!("/apis/external.metrics.k8s.io/v1beta1/namespaces/{ns}/{}{more}", metric.name)
        }
        Source::Unknown(_) => "/apis/metrics.k8s.io".to_owned(),
    }
}

fn metric_selector(metric: &MetricIdentifier) -> Option<String> {
    let selector = LabelSelector::from_meta(metric.selector.as_ref()?).ok()?;
    Some(escape(&selector.to_string()))
}

/// For query values: selectors hold commas, spaces, brackets and signs.
fn escape(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
