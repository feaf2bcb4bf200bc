//! Aggregated discovery (`apidiscovery.k8s.io/v2`): everything in two documents, with a validator.

use super::Tagged;
use super::discovery::Group;
use bytes::Bytes;
use kinds::row::{Row, Scope};
use serde_json::{Value, json};

/// Clients parse the answer as the old form unless it repeats all three parameters.
pub(crate) const MEDIA: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

pub(super) fn document<'a>(groups: impl Iterator<Item = &'a Group>) -> Tagged {
    let items: Vec<Value> = groups.map(group).collect();
    let document = json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items,
    });
    Tagged::new(Bytes::from(document.to_string()), MEDIA)
}

fn group(group: &Group) -> Value {
    let versions = group.versions.iter().map(|version| {
        let resources: Vec<Value> = version.rows_by_plural().into_iter().map(resource).collect();
        json!({"version": version.name, "freshness": "Current", "resources": resources})
    });
    let metadata = if group.name.is_empty() { json!({}) } else { json!({"name": group.name}) };
    json!({"metadata": metadata, "versions": versions.collect::<Vec<_>>()})
}

fn resource(row: &Row) -> Value {
    let mut entry = json!({
        "resource": row.plural,
        "responseKind": {"group": row.group, "version": row.version, "kind": row.kind},
        "scope": match row.scope { Scope::Namespaced => "Namespaced", Scope::Cluster => "Cluster" },
        "singularResource": row.singular,
        "verbs": row.verbs,
    });
    if !row.short_names.is_empty() {
        entry["shortNames"] = json!(row.short_names);
    }
    if !row.categories.is_empty() {
        entry["categories"] = json!(row.categories);
    }
    let subresources = row.subresources.iter().map(|sub| {
        let (group, version, kind) = match &sub.body {
            Some((group, version, kind)) => (group, version, kind),
            None => (&row.group, &row.version, &row.kind),
        };
        json!({
            "subresource": sub.name, "responseKind": {"group": group, "version": version, "kind": kind}, "verbs": sub.verbs,
        })
    });
    let subresources: Vec<Value> = subresources.collect();
    if !subresources.is_empty() {
        entry["subresources"] = Value::Array(subresources);
    }
    entry
}
