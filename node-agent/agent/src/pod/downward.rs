//! Facts of a pod and its containers that its own processes may read: `fieldRef` and `resourceFieldRef`, in environment
//! variables and in files.

use super::member::{member, name, namespace, spec, uid};
use crate::quantity::{limit, milli, request, whole};
use k8s_openapi::api::core::v1::{Container, Pod, ResourceFieldSelector};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use std::collections::BTreeMap;
use std::fmt::Write;

/// What the node adds to the pod's own facts.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    pub host_ips: Vec<String>,
    pub pod_ips: Vec<String>,
    /// Stands in for limits that a container does not have.
    pub allocatable: BTreeMap<String, Quantity>,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("unsupported fieldPath: {path}")]
    FieldPath { path: String },
    #[error("unsupported container resource: {resource}")]
    Resource { resource: String },
    #[error("container {name} not found")]
    Container { name: String },
}

/// The value of a `fieldRef` path.
pub fn field(pod: &Pod, path: &str, around: &Surroundings) -> Result<String, Error> {
    let meta = &pod.metadata;
    if let Some((base, key)) = path.strip_suffix("']").and_then(|p| p.split_once("['")) {
        let map = match base {
            "metadata.annotations" => meta.annotations.as_ref(),
            "metadata.labels" => meta.labels.as_ref(),
            _ => return Err(Error::FieldPath { path: path.to_owned() }),
        };
        return Ok(map.and_then(|m| m.get(key)).cloned().unwrap_or_default());
    }
    Ok(match path {
        "metadata.name" => name(pod).to_owned(),
        "metadata.namespace" => namespace(pod).to_owned(),
        "metadata.uid" => uid(pod).to_owned(),
        "metadata.annotations" => lines(meta.annotations.as_ref()),
        "metadata.labels" => lines(meta.labels.as_ref()),
        "spec.nodeName" => spec(pod).node_name.clone().unwrap_or_default(),
        "spec.serviceAccountName" => spec(pod).service_account_name.clone().unwrap_or_default(),
        "status.hostIP" => around.host_ips.first().cloned().unwrap_or_default(),
        "status.hostIPs" => around.host_ips.join(","),
        "status.podIP" => around.pod_ips.first().cloned().unwrap_or_default(),
        "status.podIPs" => around.pod_ips.join(","),
        _ => return Err(Error::FieldPath { path: path.to_owned() }),
    })
}

/// The value of a `resourceFieldRef`; `own` is the container it stands in, where it stands in one.
pub fn resource(
    pod: &Pod,
    reference: &ResourceFieldSelector,
    own: Option<&Container>,
    around: &Surroundings,
) -> Result<String, Error> {
    let named = reference.container_name.as_deref().filter(|n| !n.is_empty());
    let found = named.and_then(|n| member(pod, n));
    let container = match (named, &found, own) {
        (Some(_), Some(found), _) => &*found.spec,
        (None, _, Some(own)) => own,
        (named, _, _) => return Err(Error::Container { name: named.unwrap_or_default().to_owned() }),
    };
    let unsupported = || Error::Resource { resource: reference.resource.clone() };
    let (kind, resource) = reference.resource.split_once('.').ok_or_else(unsupported)?;
    let resources = container.resources.as_ref();
    let allocatable = || around.allocatable.get(resource);
    let amount = match kind {
        "limits" => limit(resources, resource).filter(|q| milli(q) > 0).or_else(allocatable),
        "requests" => request(resources, resource),
        _ => return Err(unsupported()),
    };
    let one = Quantity("1".to_owned());
    let divisor = reference.divisor.as_ref().filter(|d| milli(d) > 0).unwrap_or(&one);
    let value = match resource {
        "cpu" => div_ceil(amount.map_or(0, milli), milli(divisor)),
        "memory" | "ephemeral-storage" => div_ceil(amount.map_or(0, whole), whole(divisor)),
        other if other.starts_with("hugepages-") => div_ceil(amount.map_or(0, whole), whole(divisor)),
        _ => return Err(unsupported()),
    };
    Ok(value.to_string())
}

fn div_ceil(value: i64, divisor: i64) -> i64 {
    (value + divisor.max(1) - 1) / divisor.max(1)
}

/// `key="value"` lines in the order of the keys, quoted as Go quotes strings.
fn lines(map: Option<&BTreeMap<String, String>>) -> String {
    let rows: Vec<String> = map.into_iter().flatten().map(|(key, value)| format!("{key}={}", quote(value))).collect();
    rows.join("\n")
}

fn quote(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('"');
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0b' => out.push_str("\\v"),
            '\x0c' => out.push_str("\\f"),
            c if (c as u32) < 0x20 || c as u32 == 0x7f => {
                write!(out, "\\x{:02x}", c as u32).expect("a String takes every write");
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::super::fixture::pod_yaml;
    use super::*;

    #[test]
    fn fields_of_the_pod_and_the_node_are_readable() {
        let pod = pod_yaml("metadata: {labels: {b: 'two \"2\"', a: one}, annotations: {k: v}}\nspec: {nodeName: n1}");
        let around = Surroundings {
            host_ips: vec!["192.0.2.1".into()],
            pod_ips: vec!["10.42.0.2".into()],
            ..Surroundings::default()
        };
        let read = |path| field(&pod, path, &around);
        assert_eq!(read("metadata.name").unwrap(), "web");
        assert_eq!(read("metadata.labels").unwrap(), "a=\"one\"\nb=\"two \\\"2\\\"\"");
        assert_eq!(quote("a\tb\u{7}\u{b}\u{1}\\ü"), "\"a\\tb\\a\\v\\x01\\\\ü\"");
        assert_eq!(read("metadata.annotations['k']").unwrap(), "v");
        assert_eq!(read("metadata.annotations['none']").unwrap(), "");
        assert_eq!(read("status.podIP").unwrap(), "10.42.0.2");
        assert_eq!(read("status.hostIPs").unwrap(), "192.0.2.1");
        assert!(read("spec.containers").is_err());
    }

    #[test]
    fn missing_limits_read_as_what_the_node_can_give() {
        let pod = pod_yaml("spec: {containers: [{name: a, resources: {requests: {cpu: 250m, memory: 32Mi}}}]}");
        let allocatable = BTreeMap::from([("cpu".to_owned(), Quantity("1500m".to_owned()))]);
        let around = Surroundings { allocatable, ..Surroundings::default() };
        let read = |resource_name: &str, divisor: Option<&str>| {
            let reference = ResourceFieldSelector {
                container_name: Some("a".to_owned()),
                resource: resource_name.to_owned(),
                divisor: divisor.map(|d| Quantity(d.to_owned())),
            };
            resource(&pod, &reference, None, &around)
        };
        assert_eq!(read("limits.cpu", None).unwrap(), "2");
        assert_eq!(read("requests.cpu", Some("1m")).unwrap(), "250");
        assert_eq!(read("requests.memory", Some("1Mi")).unwrap(), "32");
        assert_eq!(read("requests.memory", None).unwrap(), "33554432");
        assert!(read("limits.gpu", None).is_err());
    }
}
