//! Discovery documents in the old form: one for the groups, one for each group and version.

use super::{Tagged, aggregated};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kinds::kind::Kind;
use kinds::row::{Row, Subresource};
use serde_json::{Value, json};
use std::sync::{Arc, OnceLock};

/// Groups in the order in which clients look for an ambiguous name; others follow by name.
/// k8s: `controlplane.DefaultAPIResourceConfigSource` and the APIService priorities
const GROUP_ORDER: &[&str] = &[
    "",
    "apiregistration.k8s.io",
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "scheduling.k8s.io",
    "coordination.k8s.io",
    "node.k8s.io",
    "discovery.k8s.io",
    "resource.k8s.io",
    "flowcontrol.apiserver.k8s.io",
];

/// A group with its versions, preferred first.
pub(super) struct Group {
    pub name: String,
    pub versions: Vec<Version>,
}

pub(super) struct Version {
    pub name: String,
    pub kinds: Vec<Arc<dyn Kind>>,
}

impl Version {
    pub(super) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.kinds.iter().map(|kind| kind.row())
    }

    /// In the order in which discovery shows resources.
    pub(super) fn rows_by_plural(&self) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self.rows().collect();
        rows.sort_by_key(|row| &row.plural);
        rows
    }
}

impl Group {
    fn group_version(&self, version: &Version) -> String {
        match self.name.as_str() {
            "" => version.name.clone(),
            group => format!("{group}/{}", version.name),
        }
    }

    fn document(&self) -> Value {
        let entry = |version: &Version| json!({"groupVersion": self.group_version(version), "version": version.name});
        json!({
            "name": self.name,
            "versions": self.versions.iter().map(entry).collect::<Vec<_>>(),
            "preferredVersion": self.versions.first().map(entry),
        })
    }
}

/// What one generation of kinds looks like. The aggregated documents are rendered at the first request for them.
pub(super) struct Discovery {
    groups: Arc<[Group]>,
    core: OnceLock<Tagged>,
    named: OnceLock<Tagged>,
}

impl Discovery {
    pub(super) fn new(groups: Arc<[Group]>) -> Self {
        Self { groups, core: OnceLock::new(), named: OnceLock::new() }
    }

    /// Of `/api` or `/apis`.
    pub(super) fn aggregated(&self, path: &str) -> &Tagged {
        let of =
            |core: bool| aggregated::document(self.groups.iter().filter(move |group| group.name.is_empty() == core));
        if path == "/api" { self.core.get_or_init(|| of(true)) } else { self.named.get_or_init(|| of(false)) }
    }

    /// `/api` and `/apis` in the old form.
    pub(super) fn groups(&self, path: &str, host: &str) -> Value {
        if path == "/api" {
            return json!({
                "kind": "APIVersions", "versions": ["v1"],
                "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": host}],
            });
        }
        let groups: Vec<Value> =
            self.groups.iter().filter(|group| !group.name.is_empty()).map(Group::document).collect();
        json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
    }

    /// `/api/v1`, `/apis/<group>`, `/apis/<group>/<version>`.
    pub(super) fn legacy(&self, path: &str) -> Option<Value> {
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let find = |group: &str| self.groups.iter().find(|known| known.name == group);
        match segments.as_slice() {
            ["api", version] => resources(&self.groups, find("")?, version),
            ["apis", group] if !group.is_empty() => {
                let mut document = find(group)?.document();
                document["kind"] = json!("APIGroup");
                document["apiVersion"] = json!("v1");
                Some(document)
            }
            ["apis", group, version] if !group.is_empty() => resources(&self.groups, find(group)?, version),
            _ => None,
        }
    }

    /// Whether nothing but GET is known there. What the aggregation layer or the definitions' handler answers takes HEAD too.
    /// k8s: go-restful's routes are of one method each
    pub(super) fn has_no_head(&self, path: &str) -> bool {
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let is_built_in = |group: &str, version: &str| {
            let versions = self.groups.iter().filter(|known| known.name == group).flat_map(|group| &group.versions);
            let kinds = versions.filter(|known| known.name == version).flat_map(|version| &version.kinds);
            kinds.into_iter().any(|kind| kind.custom().is_none())
        };
        match segments.as_slice() {
            ["version" | "api"] | ["openid", "v1", "jwks"] | [".well-known", "openid-configuration"] => true,
            ["api", version] => is_built_in("", version),
            ["apis", group, version] if !group.is_empty() => is_built_in(group, version),
            _ => false,
        }
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = String> {
        self.groups.iter().flat_map(|group| {
            let prefix = if group.name.is_empty() { "/api".to_owned() } else { format!("/apis/{}", group.name) };
            let versions: Vec<String> =
                group.versions.iter().map(|version| format!("{prefix}/{}", version.name)).collect();
            (!group.name.is_empty()).then_some(prefix).into_iter().chain(versions)
        })
    }
}

/// Kinds by group and version; a version's place among the kinds is its preference.
pub(super) fn groups_of(kinds: &[Arc<dyn Kind>]) -> Arc<[Group]> {
    let mut groups: Vec<Group> = Vec::new();
    for kind in kinds {
        let row = kind.row();
        let at = groups.iter().position(|group| group.name == row.group).unwrap_or_else(|| {
            groups.push(Group { name: row.group.to_string(), versions: Vec::new() });
            groups.len() - 1
        });
        let versions = &mut groups[at].versions;
        let at = versions.iter().position(|version| version.name == row.version).unwrap_or_else(|| {
            versions.push(Version { name: row.version.to_string(), kinds: Vec::new() });
            versions.len() - 1
        });
        versions[at].kinds.push(Arc::clone(kind));
    }
    let place = |name: &str| GROUP_ORDER.iter().position(|known| *known == name).unwrap_or(GROUP_ORDER.len());
    groups.sort_by(|a, b| (place(&a.name), &a.name).cmp(&(place(&b.name), &b.name)));
    groups.into()
}

fn resources(groups: &[Group], group: &Group, version: &str) -> Option<Value> {
    let version = group.versions.iter().find(|known| known.name == version)?;
    let entries = version.rows_by_plural().into_iter().flat_map(|row| {
        std::iter::once(resource(row, home(groups, row)))
            .chain(row.subresources.iter().map(move |sub| subresource(row, sub)))
    });
    Some(json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group.group_version(version),
        "resources": entries.collect::<Vec<_>>(),
    }))
}

/// The form in which an object is stored: of several views of one store, the first.
fn home<'a>(groups: &'a [Group], row: &'a Row) -> &'a Row {
    let rows = groups.iter().flat_map(|group| &group.versions).flat_map(Version::rows);
    rows.into_iter().find(|known| known.storage == row.storage).unwrap_or(row)
}

fn resource(row: &Row, home: &Row) -> Value {
    let mut entry = json!({
        "name": row.plural, "singularName": row.singular, "namespaced": row.namespaced(), "kind": row.kind, "verbs": row.verbs,
    });
    if !row.short_names.is_empty() {
        entry["shortNames"] = json!(row.short_names);
    }
    if !row.categories.is_empty() {
        entry["categories"] = json!(row.categories);
    }
    if row.has_verb("get") && row.has_verb("update") {
        entry["storageVersionHash"] = json!(storage_version_hash(home));
    }
    entry
}

/// k8s: `discovery.StorageVersionHash`, the first eight bytes of a SHA-256.
fn storage_version_hash(row: &Row) -> String {
    let digest =
        ring::digest::digest(&ring::digest::SHA256, format!("{}/{}/{}", row.group, row.version, row.kind).as_bytes());
    STANDARD.encode(&digest.as_ref()[..8])
}

fn subresource(row: &Row, sub: &Subresource) -> Value {
    let kind = sub.body.as_ref().map_or(&row.kind, |(_, _, kind)| kind);
    let mut entry = json!({
        "name": format!("{}/{}", row.plural, sub.name), "singularName": "", "namespaced": row.namespaced(), "kind": kind,
        "verbs": sub.verbs,
    });
    if let Some((group, version, _)) = &sub.body {
        entry["group"] = json!(group);
        entry["version"] = json!(version);
    }
    entry
}
