//! Which resource a name means: built-in kinds from the table without a request, everything else from the server's
//! aggregated discovery. Nothing here reads objects.

use crate::server::{DISCOVERY, Server};
use anyhow::{Result, bail};
use kinds::row::Row;
use serde_json::Value;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    pub group: String,
    pub version: String,
    pub kind: String,
    pub plural: String,
    pub singular: String,
    pub short_names: Vec<String>,
    pub categories: Vec<String>,
    pub verbs: Vec<String>,
    pub namespaced: bool,
}

impl Resource {
    fn of_row(row: &Row) -> Self {
        let texts = |list: &[std::borrow::Cow<'static, str>]| list.iter().map(ToString::to_string).collect();
        Self {
            group: row.group.to_string(),
            version: row.version.to_string(),
            kind: row.kind.to_string(),
            plural: row.plural.to_string(),
            singular: row.singular.to_string(),
            short_names: texts(&row.short_names),
            categories: texts(&row.categories),
            verbs: texts(&row.verbs),
            namespaced: row.namespaced(),
        }
    }

    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// The collection's path, in a namespace or across all.
    pub(crate) fn path(&self, namespace: Option<&str>) -> String {
        let root = if self.group.is_empty() { "/api".to_owned() } else { format!("/apis/{}", self.group) };
        match namespace {
            Some(namespace) if self.namespaced => {
                format!("{root}/{}/namespaces/{namespace}/{}", self.version, self.plural)
            }
            _ => format!("{root}/{}/{}", self.version, self.plural),
        }
    }

    pub(crate) fn object_path(&self, namespace: &str, name: &str) -> String {
        format!("{}/{}", self.path(Some(namespace)), crate::server::encode(name))
    }

    /// `deployments.apps`, `pods`: how the resource is named without doubt.
    pub(crate) fn full_plural(&self) -> String {
        with_group(&self.plural, &self.group)
    }

    /// `deployment.apps`, `pod`: how messages call one of it.
    pub(crate) fn full_singular(&self) -> String {
        with_group(&self.singular, &self.group)
    }

    /// `deployment.apps/web`
    pub(crate) fn named(&self, name: &str) -> String {
        format!("{}/{name}", self.full_singular())
    }

    pub(crate) fn can(&self, verb: &str) -> bool {
        self.verbs.iter().any(|known| known == verb)
    }

    pub(crate) fn is(&self, group: &str, plural: &str) -> bool {
        self.group == group && self.plural == plural
    }

    /// `pods`, `pod`, `po`, `Pod`; with `.group` or `.version.group` after it.
    fn answers_to(&self, name: &str) -> bool {
        let (name, suffix) = name.split_once('.').map_or((name, None), |(name, suffix)| (name, Some(suffix)));
        let named = name == self.plural
            || name == self.singular
            || self.short_names.iter().any(|short| short == name)
            || name.eq_ignore_ascii_case(&self.kind);
        named
            && suffix.is_none_or(|suffix| {
                suffix == self.group
                    || suffix.strip_prefix(&self.version).is_some_and(|rest| rest.trim_start_matches('.') == self.group)
                    // A group may be shortened from the right: `ingresses.networking`.
                    || self.group.strip_prefix(suffix).is_some_and(|rest| rest.starts_with('.'))
            })
    }
}

fn with_group(name: &str, group: &str) -> String {
    if group.is_empty() { name.to_owned() } else { format!("{name}.{group}") }
}

/// Every built-in resource, in discovery's order.
pub(crate) fn builtin() -> impl Iterator<Item = Resource> {
    kinds::table::builtin().iter().map(|kind| Resource::of_row(kind.row()))
}

/// The built-in resource of that name; for verbs that know what they work on.
pub(crate) fn known(group: &str, plural: &str) -> Resource {
    builtin().find(|resource| resource.is(group, plural)).expect("callers name kinds of the table")
}

/// The resource that the user's word means.
pub(crate) async fn find(server: &Server, name: &str) -> Result<Resource> {
    if let Some(resource) = builtin().find(|resource| resource.answers_to(name)) {
        return Ok(resource);
    }
    match served(server).await?.into_iter().find(|resource| resource.answers_to(name)) {
        Some(resource) => Ok(resource),
        None => bail!("the server doesn't have a resource type \"{name}\" (`kctl api-resources` lists them)"),
    }
}

/// The resources that a word means: one, or those of a category such as `all`.
pub(crate) async fn find_all(server: &Server, name: &str) -> Result<Vec<Resource>> {
    if let Some(resource) = builtin().find(|resource| resource.answers_to(name)) {
        return Ok(vec![resource]);
    }
    let served = served(server).await?;
    if let Some(resource) = served.iter().find(|resource| resource.answers_to(name)) {
        return Ok(vec![resource.clone()]);
    }
    let of_category: Vec<Resource> =
        served.into_iter().filter(|resource| resource.categories.iter().any(|category| category == name)).collect();
    if of_category.is_empty() {
        bail!("the server doesn't have a resource type \"{name}\" (`kctl api-resources` lists them)");
    }
    Ok(of_category)
}

#[derive(Debug, thiserror::Error)]
#[error("no matches for kind \"{kind}\" in version \"{api_version}\"; ensure CRDs are installed first")]
pub(crate) struct NotServed {
    api_version: String,
    kind: String,
}

/// The resource that holds objects of this `apiVersion` and `kind`; else [`NotServed`].
pub(crate) async fn of_object(server: &Server, api_version: &str, kind: &str) -> Result<Resource> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    if let Some(found) = kinds::table::find_kind(group, version, kind) {
        return Ok(Resource::of_row(found.row()));
    }
    let same = |resource: &Resource| resource.group == group && resource.version == version && resource.kind == kind;
    match served(server).await?.into_iter().find(same) {
        Some(resource) => Ok(resource),
        None => Err(NotServed { api_version: api_version.to_owned(), kind: kind.to_owned() }.into()),
    }
}

/// Everything that the server has, preferred versions first.
pub(crate) async fn served(server: &Server) -> Result<Vec<Resource>> {
    let mut resources = vec![];
    for root in ["/api", "/apis"] {
        let groups = server.get_as(root, DISCOVERY).await?;
        resources.extend(of_discovery(&groups));
    }
    Ok(resources)
}

/// The resources of an `APIGroupDiscoveryList`.
pub(crate) fn of_discovery(list: &Value) -> Vec<Resource> {
    let array = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let texts = |value: &Value| array(value).iter().map(text).collect::<Vec<_>>();
    let mut resources = vec![];
    for group in array(&list["items"]) {
        for version in array(&group["versions"]) {
            for resource in array(&version["resources"]) {
                let (plural, kind) = (text(&resource["resource"]), text(&resource["responseKind"]["kind"]));
                let singular = text(&resource["singularResource"]);
                resources.push(Resource {
                    group: text(&group["metadata"]["name"]),
                    version: text(&version["version"]),
                    singular: if singular.is_empty() { kind.to_lowercase() } else { singular },
                    kind,
                    plural,
                    short_names: texts(&resource["shortNames"]),
                    categories: texts(&resource["categories"]),
                    verbs: texts(&resource["verbs"]),
                    namespaced: resource["scope"] == "Namespaced",
                });
            }
        }
    }
    resources
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(name: &str) -> Option<String> {
        builtin().find(|resource| resource.answers_to(name)).map(|resource| resource.full_plural())
    }

    #[test]
    fn words_name_resources_as_in_kubectl() {
        for name in ["pods", "pod", "po", "Pod", "pods.v1"] {
            assert_eq!(meaning(name).as_deref(), Some("pods"), "{name}");
        }
        for name in ["deployments", "deploy", "deployment.apps", "deployments.v1.apps"] {
            assert_eq!(meaning(name).as_deref(), Some("deployments.apps"), "{name}");
        }
        assert_eq!(meaning("ev").as_deref(), Some("events"));
        assert_eq!(meaning("events.events.k8s.io").as_deref(), Some("events.events.k8s.io"));
        assert_eq!(meaning("ingress.networking").as_deref(), Some("ingresses.networking.k8s.io"));
        assert_eq!(meaning("pods.apps"), None);
        assert_eq!(meaning("widgets"), None);
    }

    #[test]
    fn paths_follow_group_and_scope() {
        assert_eq!(known("", "pods").object_path("shop", "a"), "/api/v1/namespaces/shop/pods/a");
        assert_eq!(known("apps", "deployments").path(None), "/apis/apps/v1/deployments");
        assert_eq!(known("", "nodes").object_path("shop", "n1"), "/api/v1/nodes/n1");
    }
}
