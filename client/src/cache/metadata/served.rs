//! Aggregated discovery, reduced to what cleaning up needs: which kinds there are, and whether they live in namespaces.

use crate::action::Resource;
use crate::wire::{self, WireError};
use http::Method;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeSet;

const ACCEPT: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// A kind that the server serves, in the version it prefers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    pub resource: Resource,
    pub namespaced: bool,
    /// `list`, `watch`, `delete`, ..
    pub verbs: Vec<String>,
}

impl Served {
    pub fn can(&self, verb: &str) -> bool {
        self.verbs.iter().any(|have| have == verb)
    }

    /// Events are left alone by the garbage collector, as upstream does: many, short-lived, never owned.
    pub fn is_event(&self) -> bool {
        self.resource.plural == "events" && matches!(group(&self.resource.api_version), "" | "events.k8s.io")
    }
}

/// `apps` of `apps/v1`, nothing of `v1`.
pub(super) fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// The kind with this apiVersion's group and kind, whatever version is named.
pub(super) fn of_owner<'a>(served: &'a [Served], api_version: &str, kind: &str) -> Option<&'a Served> {
    let exact = |one: &&Served| one.resource.kind == kind && one.resource.api_version == api_version;
    let same_group =
        |one: &&Served| one.resource.kind == kind && group(&one.resource.api_version) == group(api_version);
    served.iter().find(exact).or_else(|| served.iter().find(same_group))
}

#[derive(Deserialize)]
struct GroupList {
    #[serde(default)]
    items: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    metadata: GroupName,
    #[serde(default)]
    versions: Vec<Version>,
}

#[derive(Default, Deserialize)]
struct GroupName {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct Version {
    version: String,
    #[serde(default)]
    resources: Vec<Discovered>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Discovered {
    resource: String,
    response_kind: Option<ResponseKind>,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    verbs: Vec<String>,
}

#[derive(Deserialize)]
struct ResponseKind {
    #[serde(default)]
    kind: String,
}

pub(super) async fn discover(client: &kube::Client) -> Result<Vec<Served>, WireError> {
    let mut served = Vec::new();
    for root in ["/api", "/apis"] {
        let body = wire::call(client, Method::GET, root, ACCEPT, None).await?;
        let list: GroupList = wire::decode(&body, "an APIGroupDiscoveryList")?;
        served.extend(list.items.iter().flat_map(of_group));
    }
    Ok(served)
}

/// Each resource of a group once, in the first (preferred) version that has it.
fn of_group(group: &Group) -> Vec<Served> {
    let mut seen = BTreeSet::new();
    let mut served = Vec::new();
    for version in &group.versions {
        let api_version = match group.metadata.name.as_str() {
            "" => version.version.clone(),
            name => format!("{name}/{}", version.version),
        };
        for found in &version.resources {
            if !found.verbs.iter().any(|verb| verb == "list") || !seen.insert(found.resource.clone()) {
                continue;
            }
            let kind = found.response_kind.as_ref().map(|kind| kind.kind.clone()).unwrap_or_default();
            served.push(Served {
                resource: Resource {
                    api_version: Cow::Owned(api_version.clone()),
                    kind: Cow::Owned(kind),
                    plural: Cow::Owned(found.resource.clone()),
                },
                namespaced: found.scope == "Namespaced",
                verbs: found.verbs.clone(),
            });
        }
    }
    served
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preferred_version_of_each_listable_resource_is_taken() {
        let group = serde_json::json!({"metadata": {"name": "autoscaling"}, "versions": [
            {"version": "v2", "resources": [{"resource": "horizontalpodautoscalers", "scope": "Namespaced",
                "responseKind": {"group": "", "version": "", "kind": "HorizontalPodAutoscaler"},
                "verbs": ["list", "watch", "delete"]}]},
            {"version": "v1", "resources": [
                {"resource": "horizontalpodautoscalers", "scope": "Namespaced", "verbs": ["list"]},
                {"resource": "scales", "scope": "Namespaced", "verbs": ["create"]}]},
        ]});
        let served = of_group(&serde_json::from_value(group).unwrap());
        assert_eq!(served.len(), 1);
        assert_eq!(served[0].resource.api_version, "autoscaling/v2");
        assert!(served[0].namespaced && served[0].can("watch") && !served[0].can("deletecollection"));
    }
}
